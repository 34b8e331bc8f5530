//! From a frozen issue to its deliveries: readers are written into the ledger in
//! chunks with a cursor, so that a killed expansion goes on where it was. The issue
//! starts only when the ledger holds as many rows as were counted.

use anyhow::bail;

use super::wave;
use crate::issue::IssueId;
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{on, row};

/// Subscriptions in one transaction: some 100 ms of the one writer on SQLite.
const CHUNK: i64 = 10_000;

/// How far an expansion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// So many deliveries were written; there is more.
    More(u64),
    /// All are there and the issue is being sent.
    Started {
        /// Deliveries of the issue.
        total: i64,
    },
    /// The issue is not being expanded (any more).
    Idle,
}

row! {
    /// What an expansion knows of its issue.
    Expanding {
        /// Whose readers.
        newsletter_id: i64,
        /// The last subscription that was written.
        expand_cursor: i64,
        /// Deliveries written so far.
        total: i64,
    }
}

/// Writes the next chunk of an issue in state `expanding`, or starts sending.
///
/// # Errors
/// The database failed, or it holds another number of deliveries than was counted.
pub async fn step(store: &Store, issue: IssueId, now: Millis) -> anyhow::Result<Progress> {
    let mut tx = store.begin().await?;
    let Some(at) = expanding(&mut tx, issue).await? else {
        return Ok(Progress::Idle);
    };
    let Some(last) = end_of_chunk(&mut tx, &at).await? else {
        let progress = start(&mut tx, issue, &at, now).await?;
        tx.commit().await?;
        tracing::info!(issue = issue.0, total = at.total, "delivery.expanded");
        return Ok(progress);
    };
    let written = insert(&mut tx, issue, &at, last, now).await?;
    advance(&mut tx, issue, last, i64::try_from(written)?).await?;
    tx.commit().await?;
    Ok(Progress::More(written))
}

/// The issue, locked against a second expansion.
async fn expanding(tx: &mut Tx, issue: IssueId) -> sqlx::Result<Option<Expanding>> {
    let text = "
        update issue
        set total = coalesce(total, 0)
        where id = $1 and state = 'expanding'
        returning newsletter_id, expand_cursor, total";
    on!(*tx, |c| sqlx::query_as(text).bind(issue).fetch_optional(c).await)
}

/// The last subscription of the next chunk; none behind the last.
pub(super) async fn end_of_chunk(tx: &mut Tx, at: &Expanding) -> sqlx::Result<Option<i64>> {
    let text = "
        select max(id)
        from (
            select id
            from subscription
            where newsletter_id = $1 and standing = 'active' and id > $2
            order by id
            limit $3
        ) as chunk";
    let (last,): (Option<i64>,) = on!(*tx, |c| {
        sqlx::query_as(text)
            .bind(at.newsletter_id)
            .bind(at.expand_cursor)
            .bind(CHUNK)
            .fetch_one(c)
            .await
    })?;
    Ok(last)
}

/// Writes the readers of a chunk who are not in the ledger yet.
pub(super) async fn insert(
    tx: &mut Tx,
    issue: IssueId,
    at: &Expanding,
    last: i64,
    now: Millis,
) -> sqlx::Result<u64> {
    let text = "
        insert into delivery (issue_id, subscriber_id, address_hash, domain, state, changed_at)
        select $1, r.id, r.address_hash, r.domain, 'queued', $2
        from subscription s
        join subscriber r on r.id = s.subscriber_id
        where s.newsletter_id = $3
          and s.standing = 'active'
          and s.id > $4
          and s.id <= $5
          and not exists (select 1 from suppression x where x.address_hash = r.address_hash)
        order by s.id
        on conflict (issue_id, address_hash) do nothing";
    on!(*tx, |c| {
        let done = sqlx::query(text)
            .bind(issue)
            .bind(now)
            .bind(at.newsletter_id)
            .bind(at.expand_cursor)
            .bind(last)
            .execute(c)
            .await?;
        Ok(done.rows_affected())
    })
}

async fn advance(tx: &mut Tx, issue: IssueId, last: i64, written: i64) -> sqlx::Result<()> {
    let text = "
        update issue
        set expand_cursor = $2, total = total + $3
        where id = $1 and state = 'expanding'";
    on!(*tx, |c| {
        sqlx::query(text).bind(issue).bind(last).bind(written).execute(c).await?;
        Ok(())
    })
}

/// Counts, and starts. Deferred deliveries of the newsletter's older issues end
/// here: nobody wants last week's issue behind this week's.
async fn start(
    tx: &mut Tx,
    issue: IssueId,
    at: &Expanding,
    now: Millis,
) -> anyhow::Result<Progress> {
    let text = "select count(*) from delivery where issue_id = $1";
    let (found,): (i64,) = on!(*tx, |c| sqlx::query_as(text).bind(issue).fetch_one(c).await)?;
    if found != at.total {
        bail!(
            "issue {issue}: {} deliveries were written and the ledger holds {found}; it does not start",
            at.total
        );
    }
    wave::plan(tx, issue).await?;
    let text = "
        update delivery
        set state = 'failed', cause = 'expired', worker_id = null, changed_at = $3
        where state in ('queued', 'deferred')
          and state = 'deferred'
          and issue_id in (
              select id
              from issue
              where newsletter_id = $1 and id < $2 and state in ('sending', 'paused'))";
    on!(*tx, |c| {
        sqlx::query(text)
            .bind(at.newsletter_id)
            .bind(issue)
            .bind(now)
            .execute(c)
            .await
            .map(|done| done.rows_affected())
    })?;
    let text = "
        update issue
        set state = 'sending', updated_at = $2
        where id = $1 and state = 'expanding'";
    on!(*tx, |c| sqlx::query(text)
        .bind(issue)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(Progress::Started { total: at.total })
}
