//! The demo's own pages: what was caught, each mail as it looks, and the ways to the
//! report and the archive. Served on loopback only, beside the real pages.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use mail_parser::{Message, MessageParser};
use maud::{Markup, html};
use rundbrief_templates::language::Language;
use serde::Deserialize;

use super::catcher::Catcher;
use super::reader::Temper;
use crate::smtp::server::Received;
use crate::web::error::Error;
use crate::web::page::{self, Page};
use crate::web::{self, Site};

/// A mail in its frame: its own inline styles and our pictures, nothing else.
const MAIL: &str = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'; sandbox allow-popups allow-popups-to-escape-sandbox";
/// The page around it.
const AROUND: &str = "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// Mails listed on one page.
const LISTED: usize = 50;

/// What the pages show.
#[derive(Clone, Debug)]
pub struct Shown {
    catcher: Arc<Catcher>,
}

/// The real pages with the demo's beside them.
pub fn router(site: Site, catcher: Arc<Catcher>) -> Router {
    let demo = Router::new()
        .route("/demo", get(index))
        .route("/demo/mail/{number}", get(mail))
        .route("/demo/mail/{number}/html", get(as_html))
        .route("/demo/mail/{number}/source", get(source))
        .with_state(Shown { catcher });
    web::router(site).merge(demo)
}

/// Where a list goes on.
#[derive(Debug, Deserialize)]
struct Onward {
    from: Option<usize>,
}

async fn index(
    State(shown): State<Shown>,
    Query(onward): Query<Onward>,
    headers: HeaderMap,
) -> Page {
    let language = web::language_of(&headers);
    let say = |german, english| match language {
        Language::German => german,
        Language::English => english,
    };
    let mails = shown.catcher.mails();
    let from = onward.from.unwrap_or(0);
    let title = say("Rundbrief, vorgeführt", "Rundbrief, shown");
    let body = html! {
        h1 { (title) }
        p class="lead" {
            (say(
                "Eine Stadt, die es nicht gibt, hat zwei Newsletter verschickt: an 200 erfundene Menschen, über einen Mailserver auf diesem Rechner. Nichts davon hat ihn verlassen.",
                "A town that does not exist has sent two newsletters to 200 invented people, through a mail server on this machine. Nothing has left it.",
            ))
        }
        ul class="sums" {
            li { strong { a href="#mails" { (mails.len()) } } span { (say("Mails, aufgefangen", "mails caught")) } }
            li { strong { a href="/report" { (say("Bericht", "Report")) } } span { (say("Summen, die aufgehen", "sums that add up")) } }
            li { strong { a href="/archive" { (say("Archiv", "Archive")) } } span { (say("Ausgaben als Seiten", "issues as pages")) } }
        }
        h2 id="mails" { (say("Die Mails, wie sie ankamen", "The mails as they arrived")) }
        ul class="list" {
            @for (number, received) in mails.iter().enumerate().skip(from).take(LISTED) {
                @let parsed = parse(received);
                li {
                    h3 { a href=(format!("/demo/mail/{number}")) { (subject(parsed.as_ref())) } }
                    p class="facts" {
                        (received.to.join(", ")) " · " (kilobytes(received))
                        @if let Some(note) = note(language, received) { " · " strong class="warn" { (note) } }
                    }
                }
            }
        }
        nav class="pages" aria-label="Mails" {
            @if from >= LISTED { a href=(format!("?from={}", from - LISTED)) { (say("Frühere", "Earlier")) } }
            @if from + LISTED < mails.len() { a href=(format!("?from={}#mails", from + LISTED)) { (say("Weitere", "More")) } }
        }
    };
    page::plain(language, title, body)
}

/// What the reader's server did besides taking it.
fn note(language: Language, received: &Received) -> Option<&'static str> {
    let temper = Temper::of(received.to.first()?);
    match (temper, language) {
        (Temper::Friendly | Temper::Refusing, _) => None,
        (Temper::Greylisting, Language::German) => Some("erst beim zweiten Versuch"),
        (Temper::Greylisting, Language::English) => Some("at the second try"),
        (Temper::BouncingHard, Language::German) => Some("kam zurück: unbekannt"),
        (Temper::BouncingHard, Language::English) => Some("came back: unknown"),
        (Temper::BouncingSoft, Language::German) => Some("kam zurück: Postfach voll"),
        (Temper::BouncingSoft, Language::English) => Some("came back: mailbox full"),
    }
}

fn parse(received: &Received) -> Option<Message<'_>> {
    MessageParser::default().parse(&received.content)
}

fn subject(message: Option<&Message<'_>>) -> String {
    message.and_then(|m| m.subject()).unwrap_or("—").to_owned()
}

fn kilobytes(received: &Received) -> String {
    format!("{} kB", received.content.len().div_ceil(1000))
}

fn find(shown: &Shown, number: usize) -> Result<Received, Error> {
    shown.catcher.mails().into_iter().nth(number).ok_or(Error::NotFound)
}

async fn mail(
    State(shown): State<Shown>,
    Path(number): Path<usize>,
    headers: HeaderMap,
) -> Result<Page, Error> {
    let language = web::language_of(&headers);
    let received = find(&shown, number)?;
    let message = parse(&received).ok_or(Error::NotFound)?;
    let title = subject(Some(&message));
    let row = |name: &str, value: Option<String>| -> Markup {
        html! { @if let Some(value) = value { tr { th scope="row" { (name) } td class="words" { (value) } } } }
    };
    let field = |name: &'static str| {
        message.header_raw(name).map(|value| value.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let say = |german, english| match language {
        Language::German => german,
        Language::English => english,
    };
    let body = html! {
        h1 { (title) }
        div class="scroll" tabindex="0" role="region" aria-label=(say("Kopfzeilen", "Header")) {
            table {
                (row("MAIL FROM", Some(format!("<{}>", received.from))))
                (row("RCPT TO", Some(received.to.join(", "))))
                @for name in ["From", "To", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post"] {
                    (row(name, field(name)))
                }
            }
        }
        h2 { "HTML" }
        iframe class="mail" title=(title) src=(format!("/demo/mail/{number}/html")) {}
        h2 { (say("Text", "Plain text")) }
        pre class="words" tabindex="0" { (message.body_text(0).unwrap_or_default()) }
        p { a href=(format!("/demo/mail/{number}/source")) { (say("Quelltext der Mail", "Source of the mail")) } }
        p class="way-back" { a href="/demo#mails" { (say("Alle Mails", "All mails")) } }
    };
    Ok(page::plain(language, &title, body).policy(AROUND))
}

async fn as_html(State(shown): State<Shown>, Path(number): Path<usize>) -> Result<Response, Error> {
    let received = find(&shown, number)?;
    let message = parse(&received).ok_or(Error::NotFound)?;
    let html = message.body_html(0).unwrap_or_default().into_owned();
    let policy = HeaderValue::from_static(MAIL);
    Ok(([(header::CONTENT_SECURITY_POLICY, policy)], Html(html)).into_response())
}

async fn source(State(shown): State<Shown>, Path(number): Path<usize>) -> Result<Response, Error> {
    let received = find(&shown, number)?;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], received.content).into_response())
}
