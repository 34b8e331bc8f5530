//! What became of an issue: sums that add up, and why some readers did not get it.

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use maud::{Markup, html};
use rundbrief_templates::language::Language;

use super::Site;
use super::error::Error;
use super::page::{self, Page};
use super::unknown;
use crate::delivery::DeliveryId;
use crate::delivery::reasons::{self, Reason};
use crate::delivery::silent::{self, Silent};
use crate::delivery::state::State as Standing;
use crate::delivery::sums::{self, Sums};
use crate::delivery::unknown as deliveries;
use crate::issue::IssueId;
use crate::issue::archive::{self, Sent};
use crate::store::Kind;
use crate::store::value::Millis;

/// `/report`: the issues that went out, newest first.
pub async fn index(State(site): State<Site>, headers: HeaderMap) -> Result<Page, Error> {
    let language = super::language_of(&headers);
    let sent = archive::sent(&site.store).await?;
    let mut rows = Vec::with_capacity(sent.len());
    for issue in sent {
        let sums = sums::of(&site.store, IssueId(issue.id)).await?;
        rows.push((issue, sums));
    }
    let title = say(language, "Berichte", "Reports");
    let body = html! {
        h1 { (title) }
        @if rows.is_empty() { p class="lead" { (say(language, "Noch ging keine Ausgabe hinaus.", "No issue has gone out yet.")) } }
        ul class="list" {
            @for (issue, sums) in &rows {
                li {
                    h2 { a href=(format!("/report/{}", issue.id)) { (issue.subject) } }
                    p class="facts" { (issue.title) " · " (state(language, &issue.state)) " · " (sums.accepted) " / " (sums.total) }
                    (bar(language, sums))
                }
            }
        }
    };
    Ok(page::plain(language, title, body))
}

/// `/report/{issue}`: one issue's books.
pub async fn show(
    State(site): State<Site>,
    Path(id): Path<i64>,
    headers: HeaderMap,
) -> Result<Page, Error> {
    let language = super::language_of(&headers);
    let issue = archive::sent_issue(&site.store, id).await?.ok_or(Error::NotFound)?;
    let sums = sums::of(&site.store, IssueId(id)).await?;
    let reasons = reasons::of(&site.store, IssueId(id)).await?;
    let silent = silent::of(&site.store, IssueId(id), unknown::now()).await?;
    let nobody_knows =
        deliveries::page(&site.store, IssueId(id), DeliveryId(0), unknown::NAMED).await?;
    let body = html! {
        p class="kicker" { (issue.title) " · " (state(language, &issue.state)) }
        h1 { (issue.subject) }
        (bar(language, &sums))
        (tiles(language, &sums))
        (verdict(language, &sums))
        (waiting(language, &issue))
        (stranded(language, &silent, site.store.kind()))
        (unknown::section(language, id, issue.state == "cancelled", &nobody_knows))
        (table(language, &reasons))
        p { a href=(format!("/archive/{}/{}", issue.slug, issue.number)) { (say(language, "Die Ausgabe im Archiv", "The issue in the archive")) } }
        p class="way-back" { a href="/report" { (say(language, "Alle Berichte", "All reports")) } }
    };
    Ok(page::plain(language, &issue.subject, body))
}

pub(super) fn say(language: Language, german: &'static str, english: &'static str) -> &'static str {
    match language {
        Language::German => german,
        Language::English => english,
    }
}

fn state(language: Language, word: &str) -> &str {
    match (language, word) {
        (Language::English, word) => word,
        (Language::German, "expanding") => "wird vorbereitet",
        (Language::German, "sending") => "wird zugestellt",
        (Language::German, "paused") => "angehalten",
        (Language::German, "finished") => "abgeschlossen",
        (Language::German, "cancelled") => "abgebrochen",
        (Language::German, word) => word,
    }
}

/// The parts of a bar, drawn without a style attribute, which the policy refuses.
fn bar(language: Language, sums: &Sums) -> Markup {
    let total = sums.total.max(1);
    let accepted = sums.accepted * 1000 / total;
    let lost = (sums.failed + sums.cancelled) * 1000 / total;
    let label = match language {
        Language::German => format!("{} von {} angenommen", sums.accepted, sums.total),
        Language::English => format!("{} of {} accepted", sums.accepted, sums.total),
    };
    html! {
        svg class="bar" role="img" aria-label=(label) viewBox="0 0 1000 10" preserveAspectRatio="none" {
            rect width=(accepted) height="10" class="fill-good" {}
            rect x=(accepted) width=(lost) height="10" class="fill-bad" {}
        }
    }
}

fn tiles(language: Language, sums: &Sums) -> Markup {
    let tile = |german, english, number: i64, class: &str| {
        html! { li { strong class=(class) { (number) } span { (say(language, german, english)) } } }
    };
    html! {
        ul class="sums" {
            (tile("Leserinnen und Leser", "readers", sums.total, ""))
            (tile("angenommen", "accepted", sums.accepted, "good"))
            (tile("später noch einmal", "to be tried again", sums.deferred, "warn"))
            (tile("gescheitert", "failed", sums.failed, "bad"))
            (tile("zurückgekommen", "bounced", sums.bounced, "warn"))
            @if sums.complained > 0 { (tile("beschwert", "complained", sums.complained, "bad")) }
            @if sums.cancelled > 0 { (tile("zurückgenommen", "cancelled", sums.cancelled, "")) }
            @if sums.unknown > 0 { (tile("unbekannt", "unknown", sums.unknown, "warn")) }
            @if sums.queued + sums.claimed + sums.sending > 0 {
                (tile("unterwegs", "under way", sums.queued + sums.claimed + sums.sending, ""))
            }
        }
    }
}

fn verdict(language: Language, sums: &Sums) -> Markup {
    html! {
        @if sums.add_up() {
            p class="note" {
                (say(language, "Die Summen gehen auf: Jede Leserin und jeder Leser steht an genau einer Stelle.", "The sums add up: every reader stands in exactly one place."))
            }
        } @else {
            p class="note bad" {
                (say(language, "Die Summen gehen nicht auf. Bitte geben Sie den Betreibern Bescheid.", "The sums do not add up. Please tell the operators."))
            }
        }
    }
}

/// What an issue waits for: an editor, or what comes back of its first mails.
fn waiting(language: Language, issue: &Sent) -> Markup {
    let first = match (language, issue.wave_size, issue.wave_until) {
        (_, None, _) => None,
        (Language::German, Some(mails), None) => Some(format!(
            "Zuerst gehen {mails} Mails hinaus; die übrigen warten auf das, was zurückkommt."
        )),
        (Language::English, Some(mails), None) => {
            Some(format!("{mails} mails go out first; the rest waits for what comes back."))
        }
        (Language::German, Some(mails), Some(until)) => {
            Some(format!("Erste Welle: {mails} Mails; die übrigen folgen nach {}.", clock(until)))
        }
        (Language::English, Some(mails), Some(until)) => {
            Some(format!("First wave: {mails} mails; the rest follows after {}.", clock(until)))
        }
    };
    html! {
        @if let Some(why) = &issue.paused_why {
            p class="note bad" { (say(language, "Angehalten: ", "Paused: ")) (why) }
        }
        @if let Some(first) = first { p class="note" { (first) } }
    }
}

/// Mails that only look as if they were being sent.
fn stranded(language: Language, silent: &[Silent], kind: Kind) -> Markup {
    let words = |one: &Silent| {
        let (since, until) = (clock(one.heard_at), one.settled_at(kind).map(clock));
        match (language, until) {
            (Language::German, None) => format!(
                "Mails in den Händen eines Dienstes, der seit {since} schweigt: {}. Sobald er wieder läuft, klärt er, was aus ihnen wurde.",
                one.mails
            ),
            (Language::German, Some(until)) => format!(
                "Mails in den Händen eines Dienstes, der seit {since} schweigt: {}. Sobald er wieder läuft, klärt er, was aus ihnen wurde; sonst tun es um {until} die anderen.",
                one.mails
            ),
            (Language::English, None) => format!(
                "Mails in the hands of a worker that has been silent since {since}: {}. Once it runs again it settles what became of them.",
                one.mails
            ),
            (Language::English, Some(until)) => format!(
                "Mails in the hands of a worker that has been silent since {since}: {}. Once it runs again it settles what became of them; else the others do at {until}.",
                one.mails
            ),
        }
    };
    html! { @for one in silent { p class="note bad" { (words(one)) } } }
}

fn clock(at: Millis) -> String {
    at.timestamp().strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn table(language: Language, reasons: &[Reason]) -> Markup {
    html! {
        @if !reasons.is_empty() {
            h2 { (say(language, "Warum nicht", "Why not")) }
            div class="scroll" tabindex="0" role="region" aria-label=(say(language, "Gründe", "Reasons")) {
                table {
                    thead { tr {
                        th scope="col" { (say(language, "Domain", "Domain")) }
                        th scope="col" { (say(language, "Stand", "State")) }
                        th scope="col" { (say(language, "Worte des Servers", "The server’s words")) }
                        th scope="col" class="number" { (say(language, "Anzahl", "Readers")) }
                    } }
                    tbody {
                        @for reason in reasons {
                            tr {
                                td { (reason.domain) }
                                td { (standing(language, reason.state)) }
                                td class="words" { (reason.words) }
                                td class="number" { (reason.readers) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn standing(language: Language, state: Standing) -> &'static str {
    match state {
        Standing::Queued => say(language, "wartet", "queued"),
        Standing::Claimed => say(language, "vergeben", "claimed"),
        Standing::Sending => say(language, "unterwegs", "sending"),
        Standing::Accepted => say(language, "zurückgekommen", "bounced"),
        Standing::Deferred => say(language, "später", "deferred"),
        Standing::Failed => say(language, "gescheitert", "failed"),
        Standing::Unknown => say(language, "unbekannt", "unknown"),
        Standing::Cancelled => say(language, "zurückgenommen", "cancelled"),
    }
}
