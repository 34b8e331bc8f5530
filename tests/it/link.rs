//! Links of an issue are asked once, believed for a while, and judged with care.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::any;
use jiff::SignedDuration;
use rundbrief::article::entry::{self, Identity};
use rundbrief::article::{self, Link, Record, WebAddress};
use rundbrief::issue::content::{Block, Button};
use rundbrief::issue::freeze::Material;
use rundbrief::issue::preflight::Finding;
use rundbrief::issue::{archive, due, link};
use rundbrief::source::fetch::Client;
use rundbrief::source::reach::Reach;
use rundbrief_templates::brand::Logo;

use crate::app::{App, on_both};
use crate::issue::{apply, composed, monday, office};

on_both![
    links_are_asked_once_and_judged,
    a_link_called_here_is_proposed_the_title_of_its_page,
    a_dead_link_is_named_wherever_it_stands,
    an_offline_machine_blocks_nothing,
];

/// A web site on loopback that counts how often it is asked.
async fn site() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let answer = move |status: StatusCode| {
        let count = count.clone();
        any(move || async move {
            count.fetch_add(1, Ordering::Relaxed);
            status
        })
    };
    let router = Router::new()
        .route("/there", answer(StatusCode::OK))
        .route("/plan", any(|| async { Html("<title>Plan der &amp; Wege\n| Stadt</title><p>x") }))
        .route("/gone", answer(StatusCode::NOT_FOUND))
        .route("/shy", answer(StatusCode::FORBIDDEN));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, asked)
}

async fn article(app: &App, text: &str, links: &[String]) {
    let link = |url: &String| Link { url: WebAddress::parse(url).unwrap(), text: text.to_owned() };
    let record = Record {
        title: "Neue Radwege".to_owned(),
        teaser: "Die Stadt baut vier Kilometer neue Radwege.".to_owned(),
        body: serde_json::from_str::<article::Html>("\"<p>Text</p>\"").unwrap(),
        links: links.iter().map(link).collect(),
        ..Record::default()
    };
    let identity = Identity { source: None, origin: "hand".to_owned(), guid: "1".to_owned() };
    let mut tx = app.store.begin().await.unwrap();
    entry::put(&mut tx, &identity, &record, monday().into()).await.unwrap();
    tx.commit().await.unwrap();
}

fn lines(findings: &[Finding], site: &str) -> Vec<String> {
    let line = |one: &Finding| format!("{} {}", one.severity, one.what.replace(site, "SITE"));
    let mut lines: Vec<String> = findings.iter().map(line).collect();
    lines.retain(|line| line.contains("SITE"));
    lines.sort();
    lines
}

/// Asks the site on this machine.
fn client() -> Client {
    let here = Reach::new(vec!["127.0.0.0/8".parse().unwrap()]);
    Client::with_time(here, Duration::from_secs(5)).unwrap()
}

async fn links_are_asked_once_and_judged(app: App) {
    let newsletter = apply(&app, "").await;
    let (site, asked) = site().await;
    let links = ["there", "gone", "shy"].map(|path| format!("{site}/{path}"));
    article(&app, "Der ganze Plan", &links).await;
    let issue = composed(&app, &newsletter).await.unwrap();
    let pieces = archive::pieces(&app.store, issue.id.0).await.unwrap();
    let (definition, office) = (&newsletter.definition, &office());
    let material = Material { issue: &issue, definition, pieces: &pieces, office, pictures: &[] };
    let client = client();

    let wanted = [
        "blocks links to SITE/gone, which is gone (404)",
        "look links to SITE/shy, which answers 403",
    ];
    let found = link::check(&app.store, &client, &material, monday()).await.unwrap();
    assert_eq!(lines(&found, &site), wanted);
    let once = asked.load(Ordering::Relaxed);
    let again = monday() + SignedDuration::from_mins(5);
    let found = link::check(&app.store, &client, &material, again).await.unwrap();
    assert_eq!(lines(&found, &site), wanted);
    assert_eq!(asked.load(Ordering::Relaxed), once, "what is known is not asked again");

    // Before queueing, what was found dead counts without asking.
    let findings = due::findings(&app.store, &issue, &newsletter, office, again).await.unwrap();
    assert!(lines(&findings, &site).contains(&wanted[0].to_owned()), "{findings:?}");
    let day = monday() + SignedDuration::from_hours(25);
    assert!(link::believed(&app.store, &material, day).await.unwrap().is_empty());
    let found = link::check(&app.store, &client, &material, day).await.unwrap();
    assert_eq!(lines(&found, &site), wanted);
    assert!(asked.load(Ordering::Relaxed) > once, "after a day it is asked again");
}

async fn a_link_called_here_is_proposed_the_title_of_its_page(app: App) {
    let newsletter = apply(&app, "").await;
    let (site, _) = site().await;
    article(&app, "hier", &["plan", "gone"].map(|path| format!("{site}/{path}"))).await;
    let issue = composed(&app, &newsletter).await.unwrap();
    let pieces = archive::pieces(&app.store, issue.id.0).await.unwrap();
    let (definition, office) = (&newsletter.definition, &office());
    let material = Material { issue: &issue, definition, pieces: &pieces, office, pictures: &[] };
    let client = client();
    let found = link::check(&app.store, &client, &material, monday()).await.unwrap();
    assert_eq!(lines(&found, &site), ["blocks links to SITE/gone, which is gone (404)"]);
    let findings = due::findings(&app.store, &issue, &newsletter, office, monday()).await.unwrap();
    let remedy = |path: &str| {
        let what = format!("has a link \"hier\" to {site}/{path}");
        findings.iter().find(|one| one.what == what).unwrap().remedy.clone()
    };
    assert_eq!(remedy("plan"), "call it by its target: \"Plan der & Wege | Stadt\"");
    assert_eq!(remedy("gone"), "let its words name the target");
}

async fn a_dead_link_is_named_wherever_it_stands(app: App) {
    let newsletter = apply(&app, "").await;
    let (site, _) = site().await;
    let gone = format!("{site}/gone");
    article(&app, "Der ganze Plan", std::slice::from_ref(&gone)).await;
    let mut issue = composed(&app, &newsletter).await.unwrap();
    let url = WebAddress::parse(&gone).unwrap();
    let button = Block::Button(Button { text: "Plan ansehen".to_owned(), url });
    issue.content.0.sections[0].blocks.push(button);
    let pieces = archive::pieces(&app.store, issue.id.0).await.unwrap();
    let (definition, office) = (&newsletter.definition, &office());
    let material = Material { issue: &issue, definition, pieces: &pieces, office, pictures: &[] };
    let found = link::check(&app.store, &client(), &material, monday()).await.unwrap();
    let places: Vec<&str> =
        found.iter().filter(|one| one.what.contains(&gone)).map(|one| &*one.place).collect();
    assert_eq!(places, ["Neue Radwege", "button \"Plan ansehen\""]);
}

async fn an_offline_machine_blocks_nothing(app: App) {
    let newsletter = apply(&app, "").await;
    // Nobody listens there: bound and let go.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let mut definition = newsletter.definition.clone();
    // The name of this host exists nowhere (RFC 2606).
    let nowhere = "https://www.example.invalid/privacy";
    definition.privacy_url = rundbrief::newsletter::field::Address::parse(nowhere).unwrap();
    definition.home_url = None;
    definition.accessibility_url = None;
    definition.brand.logo = Some(Logo {
        url: "https://www.example.invalid/logo.png".to_owned(),
        dark_url: None,
        alt: "Stadt Musterhafen".to_owned(),
        width: 180,
        height: 48,
    });
    // What is private is no sign of a network that works.
    let links = [format!("http://{closed}/plan"), "http://10.0.0.7/plan".to_owned()];
    article(&app, "Der ganze Plan", &links).await;
    let issue = composed(&app, &newsletter).await.unwrap();
    let office = &office();
    let pieces = archive::pieces(&app.store, issue.id.0).await.unwrap();
    let (definition, pieces) = (&definition, &pieces[..]);
    let material = Material { issue: &issue, definition, pieces, office, pictures: &[] };
    let client = client();
    let found = link::check(&app.store, &client, &material, monday()).await.unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].what, "none of 3 could be reached");
    assert!(link::believed(&app.store, &material, monday()).await.unwrap().is_empty());
    let findings = due::findings(&app.store, &issue, &newsletter, office, monday()).await.unwrap();
    let private = findings.iter().filter(|one| one.what.contains("10.0.0.7"));
    assert_eq!(private.count(), 1, "{findings:?}");
}
