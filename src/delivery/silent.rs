//! Mails in the hands of workers that say nothing: killed, stopped, or cut off from the
//! database. Nobody but such a worker may touch them until its time is over; here they
//! are named, so that "sending" does not look like sending.

use super::WorkerId;
use super::settle::{WIRE_LIVES, WORKER_LIVES};
use crate::issue::IssueId;
use crate::store::value::Millis;
use crate::store::{Kind, Readers, Store};
use crate::{read, row};

row! {
    /// What a silent worker holds of an issue.
    Silent {
        /// The worker.
        worker: WorkerId,
        /// Its machine and data directory.
        host: String,
        /// Its last sign of life.
        heard_at: Millis,
        /// Mails that it holds.
        mails: i64,
    }
}

impl Silent {
    /// When others settle its mails, should it stay silent; on SQLite there are none.
    pub fn settled_at(&self, kind: Kind) -> Option<Millis> {
        (kind == Kind::Postgres).then(|| self.heard_at.after(WIRE_LIVES))
    }
}

/// The silent workers that hold mails of an issue, by number.
///
/// # Errors
/// The database failed.
pub async fn of(store: &Store, issue: IssueId, now: Millis) -> sqlx::Result<Vec<Silent>> {
    let text = "
        select w.id as worker, w.host, w.heartbeat_at as heard_at, count(*) as mails
        from delivery d
        join worker w on w.id = d.worker_id
        where d.issue_id = $1
          -- These words are the ones of the partial index delivery_held.
          and (d.state in ('claimed', 'sending') or d.state = 'unknown')
          and d.state <> 'unknown'
          and (w.heartbeat_at < $2 or w.stopped_at is not null)
        group by w.id, w.host, w.heartbeat_at
        order by w.id";
    let since = match store.readers() {
        Readers::Sqlite(_) => now,
        // Heartbeats go by its clock.
        Readers::Postgres(pool) => {
            let text = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
            sqlx::query_scalar(text).fetch_one(pool).await?
        }
    }
    .before(WORKER_LIVES);
    read!(store, |db| sqlx::query_as(text).bind(issue).bind(since).fetch_all(db).await)
}
