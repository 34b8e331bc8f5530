//! Mails of which nobody can know whether they arrived: named on an issue's report,
//! with a button for each of the two things that can be done.

use axum::extract::{Form, Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use rundbrief_templates::language::Language;
use serde::Deserialize;
use serde_json::json;

use super::Site;
use super::error::Error;
use crate::audit::{self, Act};
use crate::delivery::DeliveryId;
use crate::delivery::state::{Cause, State as Standing};
use crate::delivery::unknown::{self, Choice, Unknown};
use crate::issue::{self, IssueId};
use crate::store::value::Millis;

/// Deliveries that a report names; the command line has them all.
pub(super) const NAMED: i64 = 50;

/// What a button says.
#[derive(Debug, Deserialize)]
pub struct Decision {
    act: String,
    /// The tries that stood on the page, as `DELIVERY.GENERATION`, parted by blanks.
    tries: String,
}

impl Decision {
    fn choice(&self) -> Option<Choice> {
        match self.act.as_str() {
            "send-again" => Some(Choice::SendAgain),
            "leave" => Some(Choice::Leave),
            _ => None,
        }
    }

    fn tries(&self) -> Option<Vec<(DeliveryId, i64)>> {
        let one = |text: &str| {
            let (delivery, generation) = text.split_once('.')?;
            Some((DeliveryId(delivery.parse().ok()?), generation.parse().ok()?))
        };
        self.tries.split_whitespace().map(one).collect()
    }
}

/// `POST /report/{issue}/unknown`: carries the decision out for the tries that stood on
/// the page. Pressed twice, it finds them settled.
pub async fn settle(
    State(site): State<Site>,
    Path(id): Path<i64>,
    Form(decision): Form<Decision>,
) -> Result<Redirect, Error> {
    let (Some(choice), Some(tries)) = (decision.choice(), decision.tries()) else {
        return Err(Error::NotFound);
    };
    let now = now();
    let mut tx = site.store.begin().await?;
    let moved = unknown::settle(&mut tx, IssueId(id), choice, &tries, now.timestamp()).await;
    match moved {
        Ok(0) | Err(issue::Error::State { .. } | issue::Error::None(_)) => tx.rollback().await?,
        Ok(moved) => {
            let detail = json!({ "deliveries": moved });
            let act = match choice {
                Choice::SendAgain => "send unknown again",
                Choice::Leave => "leave unknown",
            };
            let act = Act { actor: "editor", act, noun: "issue", id: Some(id), detail: &detail };
            audit::record(&mut tx, act, now).await?;
            tx.commit().await?;
        }
        Err(issue::Error::Database(error)) => return Err(error.into()),
    }
    Ok(Redirect::to(&format!("/report/{id}")))
}

#[expect(clippy::disallowed_methods, reason = "an editor acts now")]
pub(super) fn now() -> Millis {
    Millis::from(jiff::Timestamp::now())
}

/// The part of the report that names them.
pub(super) fn section(
    language: Language,
    issue: i64,
    cancelled: bool,
    unknown: &[Unknown],
) -> Markup {
    let say = |german, english| super::report::say(language, german, english);
    let open: Vec<&Unknown> = unknown.iter().filter(|one| one.state == Standing::Unknown).collect();
    html! {
        @if !unknown.is_empty() {
            h2 id="unknown" { (say("Niemand weiß, ob sie ankamen", "Nobody knows whether these arrived")) }
            p { (say(
                "Bei diesen Mails riss die Verbindung ab, nachdem sie ganz übertragen waren und bevor der Server antwortete. Noch einmal gesendet, kommen sie mit derselben Message-ID: Viele Postfächer zeigen sie dann nur einmal.",
                "The connection broke after these mails were written and before the server answered. Sent again, they carry the same Message-ID: many mailboxes then show them once.")) }
            @if cancelled {
                p class="note" { (say(
                    "Die Ausgabe wurde abgebrochen; darum wird keine dieser Mails noch einmal gesendet.",
                    "The issue was cancelled, so none of these mails is sent again.")) }
            }
            div class="scroll" tabindex="0" role="region" aria-labelledby="unknown" {
                table {
                    thead { tr {
                        th scope="col" { (say("Adresse", "Address")) }
                        th scope="col" { (say("Seit", "Since")) }
                        th scope="col" { (say("Prozess", "Worker")) }
                        th scope="col" { (say("Letzte Worte", "Last words")) }
                        th scope="col" { (say("Was tun?", "What to do?")) }
                    } }
                    tbody { @for one in unknown { (line(language, issue, cancelled, one)) } }
                }
            }
            @if open.len() > 1 {
                (buttons(issue, &open, (!cancelled).then(|| say("Alle noch einmal senden", "Send all again")), say("Alle so lassen", "Leave all")))
            }
        }
    }
}

fn line(language: Language, issue: i64, cancelled: bool, one: &Unknown) -> Markup {
    let say = |german, english| super::report::say(language, german, english);
    let worker = match (&one.worker, &one.host) {
        (Some(worker), Some(host)) => format!("{worker} ({host})"),
        (Some(worker), None) => worker.to_string(),
        (None, _) => "–".to_owned(),
    };
    html! {
        tr {
            td { (one.address.as_deref().unwrap_or(say("(gelöscht)", "(erased)"))) }
            td { (one.since.timestamp().strftime("%Y-%m-%d %H:%M UTC")) }
            td { (worker) }
            td class="words" { (one.words) }
            td {
                @if one.cause == Some(Cause::Poison) {
                    p { (say("dreimal brach der Versand dabei ab (poison)", "poison: three workers died on it")) }
                } @else if one.state == Standing::Failed { p { (say("so gelassen", "left")) } }
                (buttons(issue, &[one], (!cancelled).then(|| say("Noch einmal senden", "Send again")), say("So lassen", "Leave")))
            }
        }
    }
}

/// One form; which of its buttons is pressed is the decision.
fn buttons(
    issue: i64,
    tries: &[&Unknown],
    again: Option<&'static str>,
    leave: &'static str,
) -> Markup {
    let named: Vec<String> =
        tries.iter().map(|one| format!("{}.{}", one.id, one.generation)).collect();
    let open = tries.iter().any(|one| one.state == Standing::Unknown);
    html! {
        @if again.is_some() || open {
            form class="decide" method="post" action=(format!("/report/{issue}/unknown")) {
                input type="hidden" name="tries" value=(named.join(" "));
                @if let Some(again) = again { button name="act" value="send-again" { (again) } " " }
                @if open { button class="quiet" name="act" value="leave" { (leave) } }
            }
        }
    }
}
