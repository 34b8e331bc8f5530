//! An issue once more, for those who did not get it: by a list that is made inside
//! the transaction that queues it, so that asking twice queues nobody twice.

use jiff::Timestamp;

use super::DeliveryId;
use super::expand::{self, Share};
use crate::issue::{self, Issue, IssueId};
use crate::newsletter::NewsletterId;
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{on, row};

/// Deliveries looked at in one transaction: some 100 ms of the one writer on SQLite.
const CHUNK: i64 = 10_000;

/// What one step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Deliveries that were queued.
    pub queued: u64,
    /// Where the next step begins; none: all were looked at.
    pub next: Option<i64>,
}

row! {
    /// A chunk of deliveries that did not arrive.
    Chunk {
        /// Its last one.
        last: Option<DeliveryId>,
    }
}

/// Queues the next of those who are in the ledger and did not get the issue: their
/// server said *later* for too long, nobody could know and it was left, or they were
/// away. Never those who left, are suppressed, complained, or were refused for good, and
/// none whose mail a server is known to have taken.
///
/// # Errors
/// The issue was never sent, or was cancelled.
pub async fn missing(
    store: &Store,
    issue: &Issue,
    after: i64,
    now: Timestamp,
) -> Result<Step, issue::Error> {
    let mut tx = store.begin().await?;
    tx.by_index().await?;
    issue::reopen(&mut tx, issue.id, now).await?;
    let last = last(&mut tx, issue.id, after).await?;
    let Some(last) = last else {
        return Ok(Step { queued: 0, next: None });
    };
    let text = concat!(include_str!("again.sql"), "  and ", include_str!("again_which.sql"));
    let queued = on!(tx, |c| sqlx::query(text)
        .bind(issue.id)
        .bind(after)
        .bind(last)
        .bind(Millis::from(now))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    close(tx, queued).await?;
    Ok(Step { queued, next: Some(last.0) })
}

/// Nothing queued: a finished issue stays as it was.
async fn close(tx: Tx, queued: u64) -> sqlx::Result<()> {
    if queued > 0 { tx.commit().await } else { tx.rollback().await }
}

async fn last(tx: &mut Tx, issue: IssueId, after: i64) -> sqlx::Result<Option<DeliveryId>> {
    let text = "
        select max(id) as last
        from (
            select id
            from delivery
            where issue_id = $1
              and id > $2
              and (state in ('deferred', 'failed') or state in ('unknown', 'cancelled') or evidence in ('bounced', 'complained'))
            order by id
            limit $3
        ) as chunk";
    let chunk: Chunk = on!(*tx, |c| {
        sqlx::query_as(text).bind(issue).bind(after).bind(CHUNK).fetch_one(c).await
    })?;
    Ok(chunk.last)
}

/// Queues the next of those who joined, or came back from a pause, after the issue was
/// frozen. The frozen total grows with them.
///
/// # Errors
/// The issue was never sent, or was cancelled.
pub async fn joined(
    store: &Store,
    issue: &Issue,
    after: i64,
    now: Timestamp,
) -> Result<Step, issue::Error> {
    let NewsletterId(newsletter_id) = issue.newsletter_id;
    let mut tx = store.begin().await?;
    tx.by_index().await?;
    issue::reopen(&mut tx, issue.id, now).await?;
    let Some(chunk) = expand::whole_chunk(&mut tx, newsletter_id, after).await? else {
        return Ok(Step { queued: 0, next: None });
    };
    let queued = expand::insert(&mut tx, issue.id, &chunk, Share::WHOLE, now.into()).await?;
    let text = "update issue set total = total + $2 where id = $1";
    on!(tx, |c| sqlx::query(text).bind(issue.id).bind(queued as i64).execute(c).await.map(drop))?;
    close(tx, queued).await?;
    Ok(Step { queued, next: Some(chunk.last) })
}
