//! `/u/{token}`: leaving. One click and one button, at once, no reason asked.
//!
//! GET shows and changes nothing, so that no scanner of links unsubscribes
//! anybody; POST acts, from the page's button as from a mailbox provider's
//! (RFC 8058), without cookies, as often as it comes.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use maud::{Markup, html};
use rundbrief_subscribers::standing::{Reason, Standing};
use rundbrief_subscribers::token::Kind;
use rundbrief_templates::language::Language;
use serde_json::json;

use super::Site;
use super::error::Error;
use super::page::{self, Page};
use super::reader::{self, Visit};
use crate::store::value::Millis;
use crate::subscriber::SubscriberId;
use crate::subscriber::standing::{self, Cause};

/// What a mailbox provider posts (RFC 8058 section 3.1).
const ONE_CLICK: &str = "List-Unsubscribe=One-Click";

/// `GET /u/{token}`: asks.
pub async fn show(
    State(site): State<Site>,
    Path(token): Path<String>,
    headers: HeaderMap,
) -> Result<Page, Error> {
    let Some(visit) = Visit::begin(&site, Kind::Unsubscribe, &token).await? else {
        return Ok(reader::unknown(&headers));
    };
    Ok(match visit.standing() {
        Standing::Left | Standing::Complained => gone(&visit),
        Standing::Pending | Standing::Active | Standing::Paused | Standing::Unreachable => {
            question(&visit, &visit.link(&site, Kind::Preferences))
        }
    })
}

/// `POST /u/{token}`: acts.
pub async fn act(
    State(site): State<Site>,
    Path(token): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Page, Error> {
    let Some(visit) = Visit::begin(&site, Kind::Unsubscribe, &token).await? else {
        return Ok(reader::unknown(&headers));
    };
    let (reason, wording) = if is_one_click(&body) {
        (Reason::OneClick, ONE_CLICK.to_owned())
    } else {
        let words = words(visit.language());
        (Reason::Link, format!("{} {}", sentence(&visit), words.button))
    };
    let evidence = json!({ "issue": visit.token.issue });
    let cause = Cause { reason, evidence: &evidence, at: now() };
    let mut tx = site.store.begin().await?;
    let subscriber = SubscriberId(visit.token.subscriber);
    let left = standing::leave(&mut tx, subscriber, visit.newsletter.id, &wording, cause).await?;
    tx.commit().await?;
    // Programs click twice; the second time nothing happens.
    if left.is_some_and(|change| change.was != change.became) {
        tracing::info!(newsletter = visit.title(), reason = reason.as_str(), "subscriber: left");
    }
    Ok(gone(&visit))
}

#[expect(clippy::disallowed_methods, reason = "a visitor acts now")]
fn now() -> Millis {
    Millis::from(jiff::Timestamp::now())
}

/// Providers post a form in either encoding that HTML knows.
fn is_one_click(body: &[u8]) -> bool {
    let body = String::from_utf8_lossy(body);
    body.contains(ONE_CLICK)
        || (body.contains("name=\"List-Unsubscribe\"") && body.contains("One-Click"))
}

/// The words of the page. A missing one does not compile.
struct Words {
    question: &'static str,
    button: &'static str,
    rather: &'static str,
    preferences: &'static str,
    done: &'static str,
    at_once: &'static str,
    archive: &'static str,
}

fn words(language: Language) -> &'static Words {
    match language {
        Language::German => &Words {
            question: "Newsletter abbestellen?",
            button: "Jetzt abmelden",
            rather: "Lieber nur eine Pause, oder stimmt Ihr Name nicht?",
            preferences: "Einstellungen ändern",
            done: "Sie sind abgemeldet",
            at_once: "Das gilt ab sofort. Eine Bestätigung per E-Mail schicken wir nicht.",
            archive: "Alle Ausgaben stehen weiterhin im Archiv",
        },
        Language::English => &Words {
            question: "Unsubscribe?",
            button: "Unsubscribe now",
            rather: "Would a break do, or is your name wrong?",
            preferences: "Change your preferences",
            done: "You are unsubscribed",
            at_once: "This takes effect at once. We do not send a confirmation by e-mail.",
            archive: "All issues stay in the archive",
        },
    }
}

/// What leaving means, in one sentence.
fn sentence(visit: &Visit) -> String {
    let title = visit.title();
    match (visit.language(), visit.address()) {
        (Language::German, Some(address)) => {
            format!("{address} erhält dann keine Ausgabe von „{title}“ mehr.")
        }
        (Language::German, None) => format!("Sie erhalten dann keine Ausgabe von „{title}“ mehr."),
        (Language::English, Some(address)) => {
            format!("{address} will get no more issues of “{title}”.")
        }
        (Language::English, None) => format!("You will get no more issues of “{title}”."),
    }
}

fn question(visit: &Visit, preferences: &str) -> Page {
    let words = words(visit.language());
    let body = html! {
        h1 { (words.question) }
        p class="lead" { (sentence(visit)) }
        form method="post" {
            button type="submit" { (words.button) }
        }
        p class="way-on" { (words.rather) " " a href=(preferences) { (words.preferences) } }
    };
    page(visit, words.question, body)
}

fn gone(visit: &Visit) -> Page {
    let words = words(visit.language());
    let title = visit.title();
    let said = match (visit.language(), visit.address()) {
        (Language::German, Some(address)) => {
            format!("{address} erhält keine Ausgabe von „{title}“ mehr.")
        }
        (Language::German, None) => format!("Sie erhalten keine Ausgabe von „{title}“ mehr."),
        (Language::English, Some(address)) => {
            format!("{address} gets no more issues of “{title}”.")
        }
        (Language::English, None) => format!("You get no more issues of “{title}”."),
    };
    let body = html! {
        h1 { (words.done) }
        p class="lead" role="status" { (said) }
        p { (words.at_once) }
        p class="way-on" {
            a href=(format!("/archive/{}", visit.newsletter.definition.slug)) { (words.archive) }
        }
    };
    page(visit, words.done, body)
}

fn page(visit: &Visit, title: &str, body: Markup) -> Page {
    page::of(visit.house(), visit.language(), title, body)
}

#[cfg(test)]
mod tests {
    use super::is_one_click;

    #[test]
    fn a_providers_click_is_known_in_both_encodings() {
        assert!(is_one_click(b"List-Unsubscribe=One-Click"));
        let multipart = b"--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
            One-Click\r\n--x--\r\n";
        assert!(is_one_click(multipart));
        assert!(!is_one_click(b""));
        assert!(!is_one_click(b"List-Unsubscribe="));
        assert!(!is_one_click(&[0xff, 0xfe]));
    }
}
