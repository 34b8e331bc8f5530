//! `rundbrief issue report`: what became of every mail.

use serde_json::{Value, json};

use super::issue::{Named, issue_named};
use super::{Context, Open, issue_unknown, subscriber};
use crate::delivery::sums::{self, Sums};
use crate::delivery::{DeliveryId, silent, unknown};
use crate::issue::Issue;
use crate::store::Kind;

/// Deliveries of unknown fate that a report names; `issue unknown` has them all.
const NAMED: i64 = 20;

/// Prints the books, and what needs somebody's decision.
///
/// # Errors
/// There is no such issue, or the database failed.
pub(super) async fn run(context: &Context, open: &Open, named: &Named) -> anyhow::Result<()> {
    let issue = issue_named(&open.store, &named.issue).await?;
    let sums = sums::of(&open.store, issue.id).await?;
    let unknown = unknown::page(&open.store, issue.id, DeliveryId(0), NAMED).await?;
    let mut record = json!({ "issue": issue.id, "state": issue.state });
    let books = serde_json::to_value(sums)?;
    if let (Some(record), Value::Object(books)) = (record.as_object_mut(), books) {
        record.extend(books);
    }
    let mut text = books_in_words(&issue, &sums);
    if let Some(size) = issue.wave_size {
        let until = issue.wave_until.map(|until| until.to_string());
        record["first_wave"] = json!({ "mails": size, "rest_after": until });
        let rest = until.map_or("when these are out".to_owned(), |until| format!("after {until}"));
        text.push_str(&format!("\nfirst wave of {size} mails; the rest goes out {rest}"));
    }
    if let Some(why) = &issue.paused_why {
        record["paused_why"] = json!(why);
        text.push_str(&format!("\npaused: {why}"));
    }
    let silent = silent::of(&open.store, issue.id, subscriber::now()).await?;
    if !silent.is_empty() {
        let kind = open.store.kind();
        record["silent_workers"] = silent.iter().map(|one| object(one, kind)).collect();
        for one in &silent {
            let others = one
                .settled_at(kind)
                .map_or(String::new(), |at| format!("; if it is not, other workers do at {at}"));
            text.push_str(&format!(
                "\n{} of these are held by worker {} ({}), which has been silent since {}. Start it again: it settles them at once{others}",
                one.mails, one.worker, one.host, one.heard_at
            ));
        }
    }
    if !unknown.is_empty() {
        let named: Vec<Value> = unknown.iter().map(issue_unknown::object).collect();
        record["unknown_deliveries"] = json!(named);
        text.push_str("\n\nNobody can know whether these arrived:");
        for one in &unknown {
            text.push_str(&format!("\n  {}", issue_unknown::line(one)));
        }
        text.push_str(&format!(
            "\nrundbrief issue unknown {} lists them all; with --send-again or --leave it decides",
            issue.id
        ));
    }
    context.output.result(&record, text);
    Ok(())
}

fn object(silent: &silent::Silent, kind: Kind) -> Value {
    json!({
        "worker": silent.worker,
        "host": silent.host,
        "heard_at": silent.heard_at.to_string(),
        "mails": silent.mails,
        "settled_at": silent.settled_at(kind).map(|at| at.to_string()),
    })
}

fn books_in_words(issue: &Issue, sums: &Sums) -> String {
    let verdict = if sums.add_up() { "" } else { "\nTHE SUMS DO NOT ADD UP: tell your operator" };
    format!(
        "issue {} ({}/{}), {}: {}\n\
         total      {:>9}\naccepted   {:>9}\nfailed     {:>9}\ncancelled  {:>9}\n\
         queued     {:>9}\nclaimed    {:>9}\nsending    {:>9}\ndeferred   {:>9}\nunknown    {:>9}\n\
         bounced    {:>9}\ncomplained {:>9}{verdict}",
        issue.id,
        issue.newsletter,
        issue.number,
        issue.state,
        issue.subject,
        sums.total,
        sums.accepted,
        sums.failed,
        sums.cancelled,
        sums.queued,
        sums.claimed,
        sums.sending,
        sums.deferred,
        sums.unknown,
        sums.bounced,
        sums.complained,
    )
}
