//! Why readers did not get an issue, in the servers' own words: what the report
//! page lists. Counts only, no person.

use super::state::State;
use crate::issue::IssueId;
use crate::store::Store;
use crate::{read, row};

/// Lines of one report: the most frequent reasons come first.
const LINES: i64 = 100;

row! {
    /// Deliveries of one domain that ended, or wait, for the same reason.
    Reason {
        /// Where they stand.
        state: State,
        /// The receiving domain.
        domain: String,
        /// The reply's code; none when there was no reply.
        code: Option<i64>,
        /// The reply's words, or why we gave up.
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
    let text = "
        select
            state,
            domain,
            cast(code as bigint) as code,
            coalesce(reply, cause, '') as words,
            count(*) as readers
        from delivery
        where issue_id = $1
          and (state in ('deferred', 'failed', 'unknown') or evidence = 'bounced')
        group by state, domain, code, coalesce(reply, cause, '')
        order by readers desc, domain, state
        limit $2";
    read!(store, |db| sqlx::query_as(text).bind(issue).bind(LINES).fetch_all(db).await)
}
