//! The books of an issue: how many deliveries stand where, and whether they add up.

use serde::Serialize;

use super::state::State;
use crate::issue::IssueId;
use crate::store::{Readers, Store, Tx};
use crate::{on, read, row};

/// Lines of one issue's books before they are folded.
const LINES: i64 = 200;

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
    /// Of these: refused for good while we were talking to the receiver.
    #[serde(skip)]
    pub refused: i64,
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
        /// Where: a state, or a place that stands for several.
        place: String,
        /// How many.
        deliveries: i64,
    }
}

/// Reads an issue's books. They are kept in the transactions that move deliveries, so
/// that nobody has to count ten million rows; only what is in workers' hands is counted.
///
/// # Errors
/// The database failed.
pub async fn of(store: &Store, issue: IssueId) -> sqlx::Result<Sums> {
    let lines: Vec<Line> = read!(store, |db| sqlx::query_as(include_str!("sums.sql"))
        .bind(issue)
        .fetch_all(db)
        .await)?;
    Ok(add(&lines))
}

/// The same inside a transaction.
///
/// # Errors
/// The database failed.
pub async fn within(tx: &mut Tx, issue: IssueId) -> sqlx::Result<Sums> {
    let lines: Vec<Line> =
        on!(*tx, |c| sqlx::query_as(include_str!("sums.sql")).bind(issue).fetch_all(c).await)?;
    Ok(add(&lines))
}

fn add(lines: &[Line]) -> Sums {
    let at = |place: &str| {
        lines.iter().filter(|line| line.place == place).map(|line| line.deliveries).sum::<i64>()
    };
    let (claimed, sending, refused) = (at("claimed"), at("sending"), at("refused"));
    Sums {
        total: at("total"),
        queued: at("waiting") - claimed - sending,
        claimed,
        sending,
        accepted: at("accepted"),
        deferred: at("deferred"),
        failed: at("failed") + refused,
        refused,
        unknown: at("unknown"),
        cancelled: at("cancelled"),
        bounced: at("bounced"),
        complained: at("complained"),
    }
}

/// Counts every delivery of an issue, to compare with the books: once, when it ends.
///
/// # Errors
/// The database failed.
pub async fn counted(store: &Store, issue: IssueId) -> sqlx::Result<Vec<(State, i64)>> {
    let text = "select state, count(*) from delivery where issue_id = $1 group by state";
    read!(store, |db| sqlx::query_as(text).bind(issue).fetch_all(db).await)
}

/// Deliveries of all issues that something will still happen to.
///
/// # Errors
/// The database failed.
pub async fn open(store: &Store) -> sqlx::Result<i64> {
    let text = "
        select cast(coalesce(sum(deliveries), 0) as bigint)
        from tally
        where place in ('waiting', 'deferred', 'unknown')";
    read!(store, |db| sqlx::query_scalar(text).fetch_one(db).await)
}

/// Folds the many lines that groups leave on PostgreSQL; SQLite has one a place.
///
/// # Errors
/// The database failed.
pub async fn fold(store: &Store) -> sqlx::Result<()> {
    match store.readers() {
        Readers::Sqlite(_) => Ok(()),
        Readers::Postgres(pool) => {
            sqlx::query(include_str!("sums_fold.sql")).bind(LINES).execute(pool).await.map(drop)
        }
    }
}
