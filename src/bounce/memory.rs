//! What is kept of a reader's bounces, for whoever asks what is stored about them.
//! Reads only.

use serde::Serialize;
use sqlx::types::Json;

use super::inbox::BounceId;
use super::record::Record;
use super::verdict::Verdict;
use crate::errand::{self, ErrandId};
use crate::store::Store;
use crate::store::value::Millis;
use crate::subscriber::SubscriberId;
use crate::{read, row};

/// Reports and errands that are shown at most, the newest.
const MOST: i64 = 200;

row! {
    /// A report about a mail to the reader.
    Came {
        /// Its key.
        bounce: BounceId,
        /// What it says.
        report: Json<Record>,
        /// What became of it.
        verdict: Verdict,
        /// Why.
        why: String,
        /// When it came.
        received_at: Millis,
        /// The newsletter's short name.
        newsletter: String,
        /// The number.
        number: Option<i64>,
    }
}

row! {
    /// What a subscription remembers of bounces.
    Remembered {
        /// The newsletter's short name.
        newsletter: String,
        /// The score of soft bounces, when it was last changed.
        score: f64,
        /// When that was.
        scored_at: Option<Millis>,
        /// The last hard bounce.
        last_hard_at: Option<Millis>,
    }
}

row! {
    /// A probe, or a reply of the reader that was handed on.
    Errand {
        /// Its key.
        errand: ErrandId,
        /// Which of the two.
        kind: errand::Kind,
        /// The mail that caused it.
        bounce: BounceId,
        /// The newsletter's short name.
        newsletter: String,
        /// Where it stands.
        state: errand::State,
        /// What came of it, in a word.
        outcome: Option<String>,
        /// When it changed.
        changed_at: Millis,
    }
}

/// A report, as it is printed.
#[derive(Debug, Serialize)]
pub struct PrintedReport {
    bounce: BounceId,
    received_at: String,
    newsletter: String,
    number: Option<i64>,
    #[serde(flatten)]
    report: Record,
    verdict: Verdict,
    why: String,
}

/// What a subscription remembers, as it is printed.
#[derive(Debug, Serialize)]
pub struct PrintedMemory {
    newsletter: String,
    score: f64,
    scored_at: Option<String>,
    last_hard_at: Option<String>,
}

/// A probe or a reply, as it is printed.
#[derive(Debug, Serialize)]
pub struct PrintedErrand {
    errand: ErrandId,
    kind: errand::Kind,
    bounce: BounceId,
    newsletter: String,
    state: errand::State,
    outcome: Option<String>,
    changed_at: String,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Kept {
    /// Reports about mails to the reader, the newest first.
    pub bounces: Vec<PrintedReport>,
    /// What their subscriptions remember, where they remember anything.
    pub remembered: Vec<PrintedMemory>,
    /// Probes of their address and replies of theirs, the newest first.
    pub errands: Vec<PrintedErrand>,
}

/// What is kept of a reader's bounces.
///
/// # Errors
/// The database failed.
pub async fn of(store: &Store, subscriber: SubscriberId) -> sqlx::Result<Kept> {
    Ok(Kept {
        bounces: came(store, subscriber).await?.into_iter().map(Into::into).collect(),
        remembered: remembered(store, subscriber).await?.into_iter().map(Into::into).collect(),
        errands: errands(store, subscriber).await?.into_iter().map(Into::into).collect(),
    })
}

async fn came(store: &Store, subscriber: SubscriberId) -> sqlx::Result<Vec<Came>> {
    read!(store, |db| sqlx::query_as(
        "select b.id as bounce, b.report, b.verdict, b.why, b.received_at,
                n.slug as newsletter, i.number
         from subscriber s
         cross join issue i
         join delivery d on d.issue_id = i.id and d.address_hash = s.address_hash
         join bounce b on b.delivery_id = d.id
         join newsletter n on n.id = i.newsletter_id
         where s.id = $1
         order by b.id desc
         limit $2"
    )
    .bind(subscriber)
    .bind(MOST)
    .fetch_all(db)
    .await)
}

async fn remembered(store: &Store, subscriber: SubscriberId) -> sqlx::Result<Vec<Remembered>> {
    read!(store, |db| sqlx::query_as(
        "select n.slug as newsletter, s.bounce_score as score, s.bounce_scored_at as scored_at,
                s.last_hard_at
         from subscription s
         join newsletter n on n.id = s.newsletter_id
         where s.subscriber_id = $1
           and (s.bounce_scored_at is not null or s.last_hard_at is not null)
         order by n.slug"
    )
    .bind(subscriber)
    .fetch_all(db)
    .await)
}

async fn errands(store: &Store, subscriber: SubscriberId) -> sqlx::Result<Vec<Errand>> {
    read!(store, |db| sqlx::query_as(
        "select e.id as errand, e.kind, e.bounce_id as bounce, n.slug as newsletter, e.state,
                e.outcome, e.changed_at
         from errand e
         join newsletter n on n.id = e.newsletter_id
         where e.subscriber_id = $1
         order by e.id desc
         limit $2"
    )
    .bind(subscriber)
    .bind(MOST)
    .fetch_all(db)
    .await)
}

impl From<Came> for PrintedReport {
    fn from(came: Came) -> Self {
        Self {
            bounce: came.bounce,
            received_at: came.received_at.to_string(),
            newsletter: came.newsletter,
            number: came.number,
            report: came.report.0,
            verdict: came.verdict,
            why: came.why,
        }
    }
}

impl From<Remembered> for PrintedMemory {
    fn from(memory: Remembered) -> Self {
        Self {
            newsletter: memory.newsletter,
            score: memory.score,
            scored_at: memory.scored_at.map(|at| at.to_string()),
            last_hard_at: memory.last_hard_at.map(|at| at.to_string()),
        }
    }
}

impl From<Errand> for PrintedErrand {
    fn from(errand: Errand) -> Self {
        Self {
            errand: errand.errand,
            kind: errand.kind,
            bounce: errand.bounce,
            newsletter: errand.newsletter,
            state: errand.state,
            outcome: errand.outcome,
            changed_at: errand.changed_at.to_string(),
        }
    }
}
