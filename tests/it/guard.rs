//! An issue that must not go on: refused whole, bounced too often; and one that begins
//! with a few mails.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};
use rundbrief::delivery::guard::{self, Seen};
use rundbrief::delivery::worker::Round;
use rundbrief::delivery::{expand, sums};
use rundbrief::issue::{self, Issue, IssueId};
use rundbrief_subscribers::key::Master;

use crate::app::{App, on_both};
use crate::delivery::{books, copies, execute, issue, now, readers, state, until_idle, worker};
use crate::relay::{Fault, Offer, Relay};

on_both![
    a_relay_that_refuses_everybody_pauses_the_issue_and_fails_nobody,
    too_many_bounces_pause_an_issue_once,
    a_long_list_begins_with_a_few,
    an_editor_settles_on_the_page_what_nobody_can_know,
];

async fn stored(app: &App) -> Issue {
    issue::get(&app.store, IssueId(1)).await.unwrap().unwrap()
}

/// An editor lets it go on. Answers whether a guard was overruled.
async fn resume(app: &App) -> bool {
    let mut tx = app.store.begin().await.unwrap();
    issue::resume(&mut tx, IssueId(1), now().timestamp()).await.unwrap();
    let overruled = guard::overrule(&mut tx, IssueId(1)).await.unwrap();
    tx.commit().await.unwrap();
    overruled
}

async fn a_relay_that_refuses_everybody_pauses_the_issue_and_fails_nobody(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let addresses: Vec<String> = (0..60).map(|n| format!("no{n}@d{n}.example.org")).collect();
    let issue = issue(&app, &addresses).await;
    let mut worker = worker(&app, relay.port).await;
    until_idle(&mut worker).await;
    assert_eq!(state(&app).await, "paused");
    let sums = books(&app, issue).await;
    assert_eq!((sums.failed, sums.queued), (0, 60));
    let why = stored(&app).await.paused_why.unwrap();
    assert!(why.contains("refused in the same words") && why.contains("550 5.1.1"), "{why}");

    assert!(resume(&app).await, "a guard had paused it");
    while state(&app).await != "finished" {
        assert_ne!(state(&app).await, "paused", "the same words do not stop it again");
        worker.round().await.unwrap();
    }
    assert_eq!(books(&app, issue).await.failed, 60);
}

async fn too_many_bounces_pause_an_issue_once(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let issue = issue(&app, &readers(300)).await;
    while expand::step(&app.store, issue, now()).await.unwrap() != expand::Progress::Idle {}
    let far = now().after(Duration::from_secs(3600)).0;
    let far = format!("update delivery set next_at = {far} where id > 250");
    execute(&app.store, far.leak()).await;
    let mut worker = worker(&app, relay.port).await;
    until_idle(&mut worker).await;
    let nothing = Seen::default();
    assert!(!guard::check(&app.store, issue, &nothing, now()).await.unwrap());
    // Ten come back; half of them for a full mailbox, which is no dead address.
    execute(&app.store, "update delivery set evidence = 'bounced' where id <= 10").await;
    execute(
        &app.store,
        "insert into bounce (digest, intake, kind, report, delivery_id, verdict, received_at)
         select address_hash, 'maildir', 'failure', '{\"recipients\": [{\"hard\": false}]}', d.id, 'applied', 0
         from delivery d
         where d.id <= 10",
    )
    .await;
    assert!(!guard::check(&app.store, issue, &nothing, now()).await.unwrap());
    execute(
        &app.store,
        "update bounce set report = '{\"recipients\": [{\"hard\": true}]}' where delivery_id <= 6",
    )
    .await;
    while state(&app).await == "sending" {
        worker.round().await.unwrap();
    }
    let why = stored(&app).await.paused_why.unwrap();
    assert!(why.starts_with("6 of 250 mails bounced or were refused for good"), "{why}");
    assert!(resume(&app).await);
    execute(&app.store, "update delivery set next_at = 0 where id > 250").await;
    while state(&app).await != "finished" {
        assert_ne!(state(&app).await, "paused", "the same evidence does not stop it again");
        worker.round().await.unwrap();
    }
    assert_eq!(books(&app, issue).await.accepted, 300);
}

async fn a_long_list_begins_with_a_few(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let issue = issue(&app, &readers(1_200)).await;
    let policies = "{\"policies\": {\"first_wave\": 50, \"first_wave_minutes\": 5}}";
    let change = format!("update newsletter set definition = '{policies}'");
    execute(&app.store, change.leak()).await;
    let mut worker = worker(&app, relay.port).await;
    let Round::Idle(Some(next)) = until_idle(&mut worker).await else {
        panic!("the rest has a time")
    };
    let minutes = (next.0 - now().0) / 1000;
    assert!((290..=300).contains(&minutes), "{minutes}");
    assert_eq!(relay.caught().len(), 50);
    assert_eq!(stored(&app).await.wave_until, Some(next));
    let sums = books(&app, issue).await;
    assert_eq!((sums.accepted, sums.queued), (50, 1_150));

    // What comes back is waited for, also by a process that begins anew.
    worker.drain(Duration::ZERO).await.unwrap();
    let mut worker = self::worker(&app, relay.port).await;
    assert_eq!(until_idle(&mut worker).await, Round::Idle(Some(next)));
    assert_eq!(relay.caught().len(), 50);
    execute(&app.store, "update issue set wave_until = 1").await;
    assert_eq!(until_idle(&mut worker).await, Round::Idle(None));
    assert_eq!(books(&app, issue).await.accepted, 1_200);
    assert!(copies(&relay).values().all(|n| *n == 1));
}

/// Presses a button of the report; from another site when one is named.
async fn press(at: SocketAddr, act: &str, tries: &str, site: &str) -> StatusCode {
    let browser = Client::builder().redirect(Policy::none()).build().unwrap();
    let request = browser.post(format!("http://{at}/report/1/unknown"));
    let request = request.header("sec-fetch-site", site);
    let body = format!("act={act}&tries={}", tries.replace(' ', "+"));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    request.send().await.unwrap().status()
}

async fn an_editor_settles_on_the_page_what_nobody_can_know(app: App) {
    let fault = Fault::DropsAfterDot { accepted: true };
    let relay = Relay::start(Offer { fault, ..Offer::default() }).await;
    let issue = issue(&app, &readers(3)).await;
    let mut worker = worker(&app, relay.port).await;
    while sums::of(&app.store, issue).await.unwrap().unknown < 3 {
        worker.round().await.unwrap();
    }
    let at = app.serve_editors(Master::new([9; 32])).await;
    let page = reqwest::get(format!("http://{at}/report/1")).await.unwrap().text().await.unwrap();
    assert!(page.contains("reader1@example.org") && page.contains("Send again"), "{page}");
    let tries = page.split("name=\"tries\" value=\"").skip(1);
    let tries: Vec<&str> = tries.map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(tries.len(), 4, "one form for each and one for all: {tries:?}");

    let public = app.serve(Master::new([9; 32])).await;
    let closed = press(public, "leave", tries[0], "same-origin").await;
    assert_eq!(closed, StatusCode::NOT_FOUND, "nobody is logged in there");
    let foreign = press(at, "leave", tries[0], "cross-site").await;
    assert_eq!(foreign, StatusCode::FORBIDDEN);
    assert_eq!(books(&app, issue).await.unknown, 3);
    assert_eq!(press(at, "leave", tries[0], "same-origin").await, StatusCode::SEE_OTHER);
    for _ in 0..2 {
        assert_eq!(press(at, "send-again", tries[1], "same-origin").await, StatusCode::SEE_OTHER);
    }
    let sums = books(&app, issue).await;
    assert_eq!((sums.queued, sums.unknown, sums.failed), (1, 1, 1));
    let nonsense = press(at, "burn", tries[2], "same-origin").await;
    assert_eq!(nonsense, StatusCode::NOT_FOUND);
}
