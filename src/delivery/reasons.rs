//! Why readers did not get an issue, in the servers' own words: what the report
//! page lists. Counts only, no person.

use super::state::State;
use crate::issue::IssueId;
use crate::store::Store;
use crate::{read, row};

/// Lines of one report: the most frequent reasons come first.
const LINES: i64 = 100;
/// Deliveries that a report looks at, so that its page is quick; the others
/// of a long list rarely say anything new.
const LOOKED_AT: i64 = 5_000;

row! {
    /// Deliveries of one domain that ended, or wait, for the same reason.
    Reason {
        /// Where they stand.
        state: State,
        /// The receiving domain.
        domain: String,
        /// The reply's code; none when there was no reply.
        code: Option<i64>,
        /// The reply's words, the bounce's with its reason, or why we gave up.
        words: String,
        /// How many.
        readers: i64,
    }
}

/// What keeps or kept the issue from its readers.
///
/// # Errors
/// The database failed.
pub async fn of(store: &Store, issue: IssueId) -> sqlx::Result<Vec<Reason>> {
    read!(store, |db| sqlx::query_as(include_str!("reasons.sql"))
        .bind(issue)
        .bind(LINES)
        .bind(LOOKED_AT)
        .fetch_all(db)
        .await)
}
