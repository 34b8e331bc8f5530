//! The books of an issue: how many deliveries stand where, and whether they add up.

use serde::Serialize;

use super::state::State;
use crate::issue::IssueId;
use crate::store::Store;
use crate::{read, row};

/// How many deliveries of an issue stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// As counted when the issue was frozen.
    pub total: i64,
    /// To be sent.
    pub queued: i64,
    /// In a worker's hands.
    pub claimed: i64,
    /// On the wire.
    pub sending: i64,
    /// Taken by the relay.
    pub accepted: i64,
    /// To be tried again.
    pub deferred: i64,
    /// Given up.
    pub failed: i64,
    /// Nobody can know.
    pub unknown: i64,
    /// Taken back before they were sent.
    pub cancelled: i64,
    /// Of all of these: bounced later.
    pub bounced: i64,
    /// Of all of these: complained about.
    pub complained: i64,
}

impl Sums {
    /// Deliveries that something will still happen to.
    pub fn open(&self) -> i64 {
        self.queued + self.claimed + self.sending + self.deferred + self.unknown
    }

    /// Whether every reader stands in exactly one place.
    pub fn add_up(&self) -> bool {
        self.open() + self.accepted + self.failed + self.cancelled == self.total
    }
}

row! {
    /// One line of the books.
    Line {
        /// Where.
        state: State,
        /// How many.
        rows: i64,
        /// Of these, bounced.
        bounced: i64,
        /// Of these, complained about.
        complained: i64,
    }
}

/// Counts an issue's deliveries.
///
/// # Errors
/// The database failed.
pub async fn of(store: &Store, issue: IssueId) -> sqlx::Result<Sums> {
    let total = "select coalesce(total, 0) from issue where id = $1";
    let found: Option<(i64,)> =
        read!(store, |db| sqlx::query_as(total).bind(issue).fetch_optional(db).await)?;
    let text = "
        select
            state,
            count(*) as rows,
            cast(sum(case when evidence = 'bounced' then 1 else 0 end) as bigint) as bounced,
            cast(sum(case when evidence = 'complained' then 1 else 0 end) as bigint) as complained
        from delivery
        where issue_id = $1
        group by state";
    let lines: Vec<Line> = read!(store, |db| sqlx::query_as(text).bind(issue).fetch_all(db).await)?;
    let mut sums = Sums { total: found.map_or(0, |(total,)| total), ..Sums::default() };
    for line in lines {
        let place = match line.state {
            State::Queued => &mut sums.queued,
            State::Claimed => &mut sums.claimed,
            State::Sending => &mut sums.sending,
            State::Accepted => &mut sums.accepted,
            State::Deferred => &mut sums.deferred,
            State::Failed => &mut sums.failed,
            State::Unknown => &mut sums.unknown,
            State::Cancelled => &mut sums.cancelled,
        };
        *place = line.rows;
        sums.bounced += line.bounced;
        sums.complained += line.complained;
    }
    Ok(sums)
}
