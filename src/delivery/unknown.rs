//! Deliveries of which nobody can know, one by one, and what an editor decides about
//! them: send again, with the same Message-ID, or leave.

use jiff::Timestamp;

use super::state::{Cause, State};
use super::{DeliveryId, WorkerId, ledger};
use crate::issue::{self, IssueId};
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};
use crate::{on, read, row};

row! {
    /// A delivery of which nobody can know whether it arrived.
    Unknown {
        /// The delivery; the next page begins after it.
        id: DeliveryId,
        /// The try that was lost.
        generation: i64,
        /// Who it was for; none when their data was erased.
        address: Option<String>,
        /// Unknown, or failed when it was left.
        state: State,
        /// Why it failed.
        cause: Option<Cause>,
        /// Tries so far.
        attempts: i64,
        /// Since when nobody knows.
        since: Millis,
        /// The worker that had it, while it is unknown.
        worker: Option<WorkerId>,
        /// Where that worker ran.
        host: Option<String>,
        /// The last words about it.
        words: String,
    }
}

/// What an editor decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// It goes out once more.
    SendAgain,
    /// It stays as it is.
    Leave,
}

/// Such deliveries of an issue, after this one: the open ones, and those that were left.
///
/// # Errors
/// The database failed.
pub async fn page(
    store: &Store,
    issue: IssueId,
    after: DeliveryId,
    most: i64,
) -> sqlx::Result<Vec<Unknown>> {
    let text = "
        select
            d.id, d.generation, r.address, d.state, d.cause, d.attempts,
            d.changed_at as since, d.worker_id as worker, w.host, coalesce(d.reply, '') as words
        from delivery d
        left join subscriber r on r.id = d.subscriber_id
        left join worker w on w.id = d.worker_id
        where d.issue_id = $1
          and d.id > $2
          -- These words are the ones of the partial index delivery_missing.
          and (d.state in ('deferred', 'failed') or d.state in ('unknown', 'cancelled') or d.evidence in ('bounced', 'complained'))
          and (d.state = 'unknown' or d.state = 'failed' and d.cause in ('unknown', 'poison'))
        order by d.id
        limit $3";
    read!(store, |db| sqlx::query_as(text).bind(issue).bind(after).bind(most).fetch_all(db).await)
}

/// Carries a decision out for these tries; how many it moved. A try that somebody
/// settled meanwhile, or that was made again, stays: a button can be pressed twice.
///
/// # Errors
/// The issue was cancelled.
pub async fn settle(
    tx: &mut Tx,
    issue: IssueId,
    choice: Choice,
    tries: &[(DeliveryId, i64)],
    now: Timestamp,
) -> Result<u64, issue::Error> {
    let text = match (choice, tx.kind()) {
        (Choice::SendAgain, Kind::Sqlite) => include_str!("unknown_again_sqlite.sql"),
        (Choice::SendAgain, Kind::Postgres) => include_str!("unknown_again_postgres.sql"),
        (Choice::Leave, Kind::Sqlite) => include_str!("unknown_leave_sqlite.sql"),
        (Choice::Leave, Kind::Postgres) => include_str!("unknown_leave_postgres.sql"),
    };
    let group = ledger::group(tries.iter().copied());
    let moved = on!(*tx, |c| sqlx::query(text)
        .bind(issue)
        .bind(group)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    if choice == Choice::SendAgain && moved > 0 {
        issue::reopen(tx, issue, now).await?;
    }
    Ok(moved)
}
