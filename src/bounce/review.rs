//! Where a person decides: what waits, what they decide, and what the reader of
//! bounces learns from it.

use serde::Serialize;
use serde_json::{Value, json};
use sqlx::types::Json;

use rundbrief_subscribers::standing::{Event, Reason as By, Standing};

use super::breaker;
use super::follow::{self, About};
use super::inbox::BounceId;
use super::phrase::{self, Meaning, Table};
use super::reason::Reason;
use super::record::{Recipient, Record};
use super::report;
use super::rule::{self, Weight};
use super::tie::{self, Tied};
use super::verdict::{self, Verdict};
use crate::errand::outcome;
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::subscriber::SubscriberId;
use crate::subscriber::standing::{self, Cause};
use crate::webhook::event;
use crate::{on, row, words};

/// The longest phrase that can be taught, in bytes, and the shortest.
const PHRASE: std::ops::RangeInclusive<usize> = 8..=200;

words! {
    /// What a person decides about a report.
    Decision {
        /// The reader was right, and it shall follow: what the breaker held back.
        AsRead = "as-read",
        /// The address is dead.
        Hard = "hard",
        /// It counts as a soft bounce.
        Soft = "soft",
        /// It is a complaint.
        Complaint = "complaint",
        /// The person wants to leave.
        Leave = "leave",
        /// Nothing follows.
        Nothing = "nothing",
    }
}

/// Why a decision was not taken.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such report.
    #[error("there is no bounce {0}. `rundbrief bounce review` lists what waits")]
    Missing(BounceId),
    /// Somebody decided already, or nothing was to decide.
    #[error("bounce {0} does not wait for a decision: it is {1}")]
    Decided(BounceId, Verdict),
    /// It cannot be applied to anybody.
    #[error("bounce {0} is tied to no mail of ours: it can only be decided as \"nothing\"")]
    Untied(BounceId),
    /// Nothing followed from it.
    #[error("nothing followed from bounce {0} that could be taken back: it is {1}")]
    Harmless(BounceId, Verdict),
    /// It was taken back before.
    #[error("bounce {0} was taken back already")]
    TakenBack(BounceId),
    /// Something else decides about the reader now.
    #[error("bounce {0} cannot be taken back: something else changed its reader since")]
    Overtaken(BounceId),
    /// A newer bounce of the reader's counts.
    #[error(
        "bounce {0} cannot be taken back: bounce {1} of the same reader followed. Take that back first"
    )]
    Followed(BounceId, BounceId),
    /// A phrase that is too short or too long.
    #[error("a phrase has {} to {} bytes, so that it means one thing", PHRASE.start(), PHRASE.end())]
    Phrase,
    /// A phrase whose decision and reason do not go together.
    #[error("a phrase is kept with what it means: hard or soft with --reason, or leave without")]
    Reasonless,
    /// The subscription does not allow it.
    #[error(transparent)]
    Standing(#[from] standing::Error),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Applying failed.
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// What editors taught the reader.
pub struct Learned {
    table: Option<Table>,
}

/// Why nothing follows from a probe that came back.
pub const TAKEN_BACK: &str = "what the probe asked about was taken back";

/// Why a mail waits in which somebody asks to leave.
pub const LEAVES: &str = "a person asks to leave";

/// Whether a provider says that its own link for leaving was used.
pub fn left(report: &Record) -> bool {
    report.feedback.as_deref() == Some(event::UNSUBSCRIBE)
}

/// The section of phrases by which people ask to leave.
const LEAVE: &str = "leave";

impl Learned {
    /// Whether a person's words ask to leave, by what was taught.
    pub fn leaves(&self, words: &str) -> bool {
        let hits = self.table.as_ref().map(|table| table.all(words)).unwrap_or_default();
        hits.iter().any(|hit| hit.meaning == Meaning::Leave)
    }

    /// Reads an unclear mail by what was taught, and stores what that says: it is listed,
    /// summed and held back like any other failure.
    ///
    /// # Errors
    /// The database failed.
    pub async fn teach(
        &self,
        tx: &mut Tx,
        id: BounceId,
        report: &mut Record,
        raw: Option<&[u8]>,
        tied: Option<&Tied>,
    ) -> sqlx::Result<()> {
        let Some(raw) = raw.filter(|_| report.kind == "unclear") else { return Ok(()) };
        let Some(mut taught) = self.read(raw) else { return Ok(()) };
        if let Some(subscriber) = tied.and_then(|tied| tied.subscriber) {
            let address = verdict::address(tx, subscriber).await?;
            taught.recipients.iter_mut().for_each(|r| r.address.clone_from(&address));
        }
        on!(*tx, |c| sqlx::query("update bounce set kind = $2, report = $3 where id = $1")
            .bind(id)
            .bind(taught.kind.as_str())
            .bind(Json(&taught))
            .execute(c)
            .await
            .map(drop))?;
        *report = taught;
        Ok(())
    }

    fn read(&self, raw: &[u8]) -> Option<Record> {
        let table = self.table.as_ref()?;
        let read = report::read(raw);
        let hits = table.all(&read.excerpt.split_whitespace().collect::<Vec<_>>().join(" "));
        let reason = hits.into_iter().find_map(|hit| match hit.meaning {
            Meaning::Reason(reason) => Some(reason),
            Meaning::Bare(_)
            | Meaning::Weak(_)
            | Meaning::BeforeRecipient
            | Meaning::AtRecipient
            | Meaning::AfterContent
            | Meaning::Subject
            | Meaning::Daemon
            | Meaning::Failed
            | Meaning::Delayed
            | Meaning::Arrived
            | Meaning::Quoted
            | Meaning::Away
            | Meaning::AwayWord
            | Meaning::AwayText
            | Meaning::AwayNote
            | Meaning::Challenge
            | Meaning::Filter
            | Meaning::Complaint
            | Meaning::Leave
            | Meaning::Stay
            | Meaning::Receipt => None,
        })?;
        let recipient = Recipient {
            address: String::new(),
            original: None,
            status: None,
            action: "failed".to_owned(),
            reply: None,
            reason: reason.as_str().to_owned(),
            hard: Some(reason.is_hard()),
        };
        let mut record = Record::from(&read);
        "failure".clone_into(&mut record.kind);
        record.recipients = vec![recipient];
        Some(record)
    }
}

/// What editors taught the reader so far.
///
/// # Errors
/// The database failed.
pub async fn learned(tx: &mut Tx) -> sqlx::Result<Learned> {
    let rows: Vec<(String, String)> =
        on!(*tx, |c| sqlx::query_as("select reason, words from phrase order by id")
            .fetch_all(c)
            .await)?;
    let text: String =
        rows.into_iter().map(|(reason, words)| format!("[{reason}]\n{words}\n")).collect();
    let table = (!text.is_empty()).then(|| Table::parse(text.into()).ok()).flatten();
    Ok(Learned { table })
}

row! {
    /// A report under decision.
    Held {
        /// What it says.
        report: Json<Record>,
        /// Where it stands.
        verdict: Verdict,
        /// Why.
        why: String,
        /// What a person decided.
        decision: Option<String>,
    }
}

/// Decides about a report that waits; what follows happens in the same transaction.
/// A phrase is kept, so that the next mail with these words needs nobody.
///
/// # Errors
/// See [`Error`]; nothing was decided then.
pub async fn decide(
    tx: &mut Tx,
    id: BounceId,
    decision: Decision,
    phrase: Option<(&str, Option<Reason>)>,
    now: Millis,
) -> Result<String, Error> {
    let held = held(tx, id).await?.ok_or(Error::Missing(id))?;
    if held.verdict != Verdict::Review {
        return Err(Error::Decided(id, held.verdict));
    }
    let outcome = if decision == Decision::Nothing {
        "nothing follows".to_owned()
    } else {
        follow_up(tx, id, &held.report.0, decision, now).await?
    };
    if let Some((words, reason)) = phrase {
        keep(tx, words, reason, decision, now).await?;
    }
    on!(*tx, |c| sqlx::query(
        "update bounce
         set verdict = 'decided', decision = $2, decided_at = $3
         where id = $1 and verdict = 'review'"
    )
    .bind(id)
    .bind(decision)
    .bind(now)
    .execute(c)
    .await
    .map(drop))?;
    audit(tx, "decided", id, decision.as_str(), now).await?;
    Ok(outcome)
}

/// Reports that one transaction decides.
const AT_ONCE: i64 = 500;

/// What deciding about everything that was held back did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Released {
    /// So many were decided.
    pub decided: u64,
    /// So many wait on: they are tied to nobody any more.
    pub untied: u64,
}

/// Decides about all that the breaker held back, the oldest first.
///
/// # Errors
/// See [`Error`]; what was decided until then stays decided.
pub async fn release(store: &Store, decision: Decision, now: Millis) -> Result<Released, Error> {
    let mut released = Released::default();
    let mut last = BounceId(0);
    loop {
        let mut tx = store.begin().await?;
        let ids: Vec<(BounceId,)> = on!(tx, |c| sqlx::query_as(
            "select id from bounce
             where verdict = 'review' and id > $1 and why like $2
             order by id limit $3"
        )
        .bind(last)
        .bind(format!("more than % {}", breaker::HELD))
        .bind(AT_ONCE)
        .fetch_all(c)
        .await)?;
        let Some((end,)) = ids.last() else { return Ok(released) };
        last = *end;
        for (id,) in ids {
            match decide(&mut tx, id, decision, None, now).await {
                Ok(_) => released.decided += 1,
                Err(Error::Untied(_)) => released.untied += 1,
                // Somebody else was faster.
                Err(Error::Decided(..)) => {}
                Err(
                    error @ (Error::Missing(_)
                    | Error::Harmless(..)
                    | Error::TakenBack(_)
                    | Error::Overtaken(_)
                    | Error::Followed(..)
                    | Error::Phrase
                    | Error::Reasonless
                    | Error::Standing(_)
                    | Error::Database(_)
                    | Error::Other(_)),
                ) => return Err(error),
            }
        }
        tx.commit().await?;
    }
}

async fn held(tx: &mut Tx, id: BounceId) -> sqlx::Result<Option<Held>> {
    on!(*tx, |c| sqlx::query_as("select report, verdict, why, decision from bounce where id = $1")
        .bind(id)
        .fetch_optional(c)
        .await)
}

async fn follow_up(
    tx: &mut Tx,
    id: BounceId,
    report: &Record,
    decision: Decision,
    now: Millis,
) -> Result<String, Error> {
    let (tied, probe) = tie::of_bounce(tx, id).await?.ok_or(Error::Untied(id))?;
    let tied = &tied;
    let subscriber = tied.subscriber.ok_or(Error::Untied(id))?;
    let weight = match decision {
        Decision::AsRead => {
            if let Some(probe) = probe
                && outcome::is_taken_back(tx, probe).await?
            {
                return Ok(TAKEN_BACK.to_owned());
            }
            let first = report.recipients.first().map_or("", |r| r.address.as_str());
            rule::weigh(report, first)
        }
        Decision::Soft => Weight::Soft(Reason::Unspecified),
        Decision::Complaint => Weight::Complaint,
        Decision::Leave => Weight::Leave,
        Decision::Nothing => Weight::Nothing,
        Decision::Hard => {
            // A person's word needs no second bounce.
            let evidence = json!({"bounce": id, "delivery": tied.delivery, "issue": tied.issue});
            let cause = Cause { reason: By::Editor, evidence: &evidence, at: now };
            let change =
                standing::change(tx, subscriber, tied.newsletter, Event::Bounced, cause).await?;
            return Ok(format!("{} became {}", change.was, change.became));
        }
    };
    let about = About { id, report, tied, subscriber, probe };
    let (_, why) = follow::apply(tx, about, weight, now).await?;
    Ok(why)
}

/// Keeps a phrase; the same words again take the newer reason.
async fn keep(
    tx: &mut Tx,
    words: &str,
    reason: Option<Reason>,
    decision: Decision,
    now: Millis,
) -> Result<(), Error> {
    let section = match (decision, reason) {
        (Decision::Hard, Some(reason)) if reason.is_hard() => reason.as_str(),
        (Decision::Soft, Some(reason)) if !reason.is_hard() => reason.as_str(),
        (Decision::Leave, None) => LEAVE,
        (
            Decision::Hard
            | Decision::Soft
            | Decision::Leave
            | Decision::AsRead
            | Decision::Complaint
            | Decision::Nothing,
            _,
        ) => return Err(Error::Reasonless),
    };
    let words = phrase::fold(&words.split_whitespace().collect::<Vec<_>>().join(" "));
    let readable =
        Table::parse(format!("[{section}]\n{words}\n").into()).is_ok_and(|t| t.len() == 1);
    if !PHRASE.contains(&words.len()) || !readable {
        return Err(Error::Phrase);
    }
    on!(*tx, |c| sqlx::query(
        "insert into phrase (words, reason, hard, at)
         values ($1, $2, $3, $4)
         on conflict (words) do update set reason = excluded.reason, hard = excluded.hard"
    )
    .bind(words)
    .bind(section)
    .bind(reason.map(Reason::is_hard))
    .bind(now)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Takes back what a report did to its reader: they get mail again, and what was
/// remembered of their bounces is forgotten, with the probes that ask about them.
///
/// # Errors
/// See [`Error`]. Somebody who left or complained does not come back this way.
pub async fn take_back(tx: &mut Tx, id: BounceId, now: Millis) -> Result<String, Error> {
    let held = held(tx, id).await?.ok_or(Error::Missing(id))?;
    if held.why.starts_with(follow::BACK) {
        return Err(Error::TakenBack(id));
    }
    let decided = held.decision.is_some_and(|word| word != Decision::Nothing.as_str());
    if held.verdict != Verdict::Applied && !(held.verdict == Verdict::Decided && decided) {
        return Err(Error::Harmless(id, held.verdict));
    }
    let (tied, _) = tie::of_bounce(tx, id).await?.ok_or(Error::Untied(id))?;
    let subscriber = tied.subscriber.ok_or(Error::Untied(id))?;
    stands(tx, id, &tied, subscriber).await?;
    let evidence = json!({"bounce": id, "taken_back": true});
    let cause = Cause { reason: By::Editor, evidence: &evidence, at: now };
    let change = standing::change(tx, subscriber, tied.newsletter, Event::Restored, cause).await?;
    outcome::take_back(tx, tied.newsletter, subscriber, now).await?;
    follow::forget(tx, change.subscription).await?;
    on!(*tx, |c| sqlx::query("update bounce set why = $2 || why where id = $1")
        .bind(id)
        .bind(follow::BACK)
        .execute(c)
        .await
        .map(drop))?;
    audit(tx, "taken back", id, "", now).await?;
    Ok(format!("{} became {}", change.was, change.became))
}

/// Whether the reader's standing, or what is remembered, is the work of this report.
async fn stands(
    tx: &mut Tx,
    id: BounceId,
    tied: &Tied,
    subscriber: SubscriberId,
) -> Result<(), Error> {
    let changes: Vec<(Json<Value>, String)> = on!(*tx, |c| sqlx::query_as(
        "select e.evidence, e.became
         from standing_event e
         join subscription s on s.id = e.subscription_id
         where s.subscriber_id = $1 and s.newsletter_id = $2 and e.was <> e.became
         order by e.id desc"
    )
    .bind(subscriber)
    .bind(tied.newsletter)
    .fetch_all(c)
    .await)?;
    let ours = |(evidence, _): &(Json<Value>, String)| evidence.0["bounce"] == json!(id);
    if changes.first().is_some_and(ours) {
        return Ok(());
    }
    let elsewhere = changes.first().is_some_and(|(_, became)| became != Standing::Active.as_str());
    if elsewhere || changes.iter().any(ours) {
        return Err(Error::Overtaken(id));
    }
    let later = follow::later(tx, id, tied.newsletter, subscriber).await?;
    later.map_or(Ok(()), |later| Err(Error::Followed(id, later)))
}

/// A line of the audit log.
#[derive(Serialize)]
struct Detail<'a> {
    decision: &'a str,
}

async fn audit(
    tx: &mut Tx,
    act: &str,
    id: BounceId,
    decision: &str,
    now: Millis,
) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "insert into audit (at, actor, act, noun, noun_id, detail)
         values ($1, 'command line', $2, 'bounce', $3, $4)"
    )
    .bind(now)
    .bind(act)
    .bind(id)
    .bind(Json(Detail { decision }))
    .execute(c)
    .await
    .map(drop))
}
