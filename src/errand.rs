//! Errands: small mails beside the issues. A probe asks an address once more whether
//! it is dead; a person's reply that came to the bounce mailbox is handed on.
//!
//! Each is stored with the mail that causes it, marked before it goes, and goes once
//! at most: one whose fate nobody can know is *unknown* and stays so. What stands in
//! them is written by [`letter`], [`send`] puts them on the wire, [`outcome`] follows
//! what comes back.

pub mod letter;
pub mod outcome;
pub mod send;

use std::time::Duration;

use crate::bounce::inbox::BounceId;
use crate::delivery::DeliveryId;
use crate::newsletter::NewsletterId;
use crate::store::value::Millis;
use crate::store::{Kind as Database, Store, Tx};
use crate::subscriber::SubscriberId;
use crate::{key, on, read, row, words};

/// Whoever marked an errand and said nothing for this long is dead: longer than all
/// the deadlines of one mail's commands together.
const LEASE: Duration = Duration::from_secs(30 * 60);

key! {
    /// The key of an errand.
    ErrandId
}

words! {
    /// What it is for.
    Kind {
        /// Asks an address once more.
        Probe = "probe",
        /// Hands a person's reply on.
        Reply = "reply",
    }
}

words! {
    /// Where it stands.
    State {
        /// Waits for its time.
        Queued = "queued",
        /// Somebody is sending it.
        Sending = "sending",
        /// The relay has it.
        Accepted = "accepted",
        /// It was refused for good.
        Failed = "failed",
        /// Nobody can know; it is not sent again.
        Unknown = "unknown",
        /// It is not wanted any more.
        Cancelled = "cancelled",
    }
}

/// What causes an errand.
#[derive(Debug, Clone, Copy)]
pub struct Cause {
    /// The mail that came back.
    pub bounce: BounceId,
    /// The newsletter it is about.
    pub newsletter: NewsletterId,
    /// The reader it is about.
    pub subscriber: SubscriberId,
    /// The delivery it is about.
    pub delivery: DeliveryId,
}

row! {
    /// An errand that is marked as being sent.
    Errand {
        /// Its key.
        id: ErrandId,
        /// What it is for.
        kind: Kind,
        /// What caused it.
        bounce_id: BounceId,
        /// Whose.
        newsletter_id: NewsletterId,
        /// Whom it is about.
        subscriber_id: Option<SubscriberId>,
        /// Tries, this one included.
        attempts: i64,
    }
}

/// Stores an errand; `None` when the same bounce caused it before.
///
/// # Errors
/// The database failed.
pub async fn queue(
    tx: &mut Tx,
    kind: Kind,
    cause: Cause,
    at: Millis,
    now: Millis,
) -> sqlx::Result<Option<ErrandId>> {
    let row: Option<(ErrandId,)> = on!(*tx, |c| sqlx::query_as(
        "insert into errand (kind, bounce_id, newsletter_id, subscriber_id, delivery_id, state,
                             next_at, created_at, changed_at)
         values ($1, $2, $3, $4, $5, 'queued', $6, $7, $7)
         on conflict (kind, bounce_id) do nothing
         returning id"
    )
    .bind(kind)
    .bind(cause.bounce)
    .bind(cause.newsletter)
    .bind(cause.subscriber)
    .bind(cause.delivery)
    .bind(at)
    .bind(now)
    .fetch_optional(c)
    .await)?;
    Ok(row.map(|(id,)| id))
}

/// How many errands of a kind a reader of a newsletter caused since a moment, without
/// those that count for nothing.
///
/// # Errors
/// The database failed.
pub async fn count_since(
    tx: &mut Tx,
    kind: Kind,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    since: Millis,
) -> sqlx::Result<i64> {
    let (count,): (i64,) = on!(*tx, |c| sqlx::query_as(
        "select count(*)
         from errand
         where kind = $1 and newsletter_id = $2 and subscriber_id = $3 and created_at > $4
           and (outcome is null or outcome <> 'taken back')"
    )
    .bind(kind)
    .bind(newsletter)
    .bind(subscriber)
    .bind(since)
    .fetch_one(c)
    .await)?;
    Ok(count)
}

/// The newsletter whose errand is due longest; `None` when none is due.
///
/// # Errors
/// The database failed.
pub async fn due(store: &Store, now: Millis) -> sqlx::Result<Option<NewsletterId>> {
    let row: Option<(NewsletterId,)> = read!(store, |db| sqlx::query_as(
        "select newsletter_id
         from errand
         where state = 'queued' and next_at <= $1
         order by next_at, id
         limit 1"
    )
    .bind(now)
    .fetch_optional(db)
    .await)?;
    Ok(row.map(|(id,)| id))
}

/// Marks the errand of a newsletter that is due longest; commit before anything of it is sent. Those
/// whose sender died are *unknown* from now on.
///
/// # Errors
/// The database failed.
pub async fn mark(
    tx: &mut Tx,
    newsletter: NewsletterId,
    now: Millis,
) -> sqlx::Result<Option<Errand>> {
    on!(*tx, |c| sqlx::query(
        "update errand
         set state = 'unknown', reply = 'its sender ended before the reply came', changed_at = $1
         where state = 'sending' and lease_until < $1"
    )
    .bind(now)
    .execute(c)
    .await
    .map(drop))?;
    let text = match tx.kind() {
        Database::Sqlite => {
            "select id from errand
             where state = 'queued' and next_at <= $1 and newsletter_id = $2
                         order by next_at, id limit 1"
        }
        Database::Postgres => {
            "select id from errand
             where state = 'queued' and next_at <= $1 and newsletter_id = $2
                         order by next_at, id limit 1
             for update skip locked"
        }
    };
    let due: Option<(ErrandId,)> =
        on!(*tx, |c| sqlx::query_as(text).bind(now).bind(newsletter).fetch_optional(c).await)?;
    let Some((id,)) = due else { return Ok(None) };
    on!(*tx, |c| sqlx::query_as(
        "update errand
         set state = 'sending', attempts = attempts + 1, lease_until = $2, changed_at = $3
         where id = $1 and state = 'queued'
         returning id, kind, bounce_id, newsletter_id, subscriber_id, attempts"
    )
    .bind(id)
    .bind(now.after(LEASE))
    .bind(now)
    .fetch_optional(c)
    .await)
}

/// What became of a marked errand.
#[derive(Debug, Clone)]
pub struct Record {
    /// Where it stands now.
    pub state: State,
    /// Queued again: not before this moment.
    pub next_at: Millis,
    /// The try does not count: it never came to the mail.
    pub unused: bool,
    /// Where the session stood.
    pub stage: &'static str,
    /// The reply's code.
    pub code: Option<u16>,
    /// The server's own words.
    pub words: String,
}

/// Writes down what became of an errand that we marked; false when our mark had lapsed.
///
/// # Errors
/// The database failed.
pub async fn record(
    tx: &mut Tx,
    errand: &Errand,
    record: &Record,
    now: Millis,
) -> sqlx::Result<bool> {
    let changed = on!(*tx, |c| sqlx::query(
        "update errand
         set state = $3, next_at = $4, attempts = attempts - $5, stage = $6, code = $7,
             reply = $8, lease_until = null, changed_at = $9
         where id = $1 and attempts = $2 and state = 'sending'"
    )
    .bind(errand.id)
    .bind(errand.attempts)
    .bind(record.state)
    .bind(record.next_at)
    .bind(i64::from(record.unused))
    .bind(record.stage)
    .bind(record.code.map(i64::from))
    .bind(record.words.as_str())
    .bind(now)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}
