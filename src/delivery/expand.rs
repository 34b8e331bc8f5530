//! From a frozen issue to its deliveries: readers are written into the ledger in
//! chunks with a cursor, so that a killed expansion goes on where it was. The issue
//! starts only when the ledger holds as many rows as were counted.
//!
//! The ledger's unique key is a hash, so each row lands somewhere else in its index,
//! and every chunk would write most of that index anew. A long list is therefore gone
//! through several times, each time for a share of the hashes: the reading is cheap,
//! and a chunk's rows land close together.

use anyhow::bail;
use sqlx::AssertSqlSafe;

use super::wave;
use crate::issue::IssueId;
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};
use crate::{on, read, row};

/// Deliveries in one transaction, about: some 100 ms of the one writer on SQLite.
const CHUNK: i64 = 6_250;
/// Shares of a long list on SQLite, whose log takes a whole page for each row that a
/// commit puts there: with a million readers 5.2 GB were written at once, 1.8 GB in 4
/// shares and 1.0 GB in 8, at the same CPU. PostgreSQL's log takes rows.
const SQLITE_PASSES: u8 = 8;

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
        /// The share of the hashes that is gone through now; behind the last: all are.
        expand_pass: i64,
        /// The last subscription that was looked at in it.
        expand_cursor: i64,
        /// Deliveries written so far.
        total: i64,
    }
}

/// Some subscriptions of a newsletter.
#[derive(Debug)]
pub(super) struct Chunk {
    newsletter_id: i64,
    after: i64,
    /// Its last subscription.
    pub(super) last: i64,
    /// How many there are.
    subscriptions: i64,
}

/// Writes the next chunk of an issue in state `expanding`, or starts sending.
///
/// # Errors
/// The database failed, or it holds another number of deliveries than was counted.
pub async fn step(store: &Store, issue: IssueId, now: Millis) -> anyhow::Result<Progress> {
    let mut tx = store.begin().await?;
    tx.by_index().await?;
    let Some(at) = expanding(&mut tx, issue).await? else {
        return Ok(Progress::Idle);
    };
    let passes = match tx.kind() {
        Kind::Sqlite => SQLITE_PASSES,
        Kind::Postgres => 1,
    };
    let pass = u8::try_from(at.expand_pass)?;
    if pass >= passes {
        tx.rollback().await?;
        return start(store, issue, &at, now).await;
    }
    let most = CHUNK * i64::from(passes);
    let chunk = chunk(&mut tx, at.newsletter_id, at.expand_cursor, most).await?;
    let short = (pass, at.expand_cursor) == (0, 0)
        && chunk.as_ref().is_none_or(|chunk| chunk.subscriptions <= CHUNK);
    let share = if short { Share::WHOLE } else { Share::of(pass, passes) };
    let mut written = 0;
    let (mut next, mut cursor) = (if short { passes } else { pass + 1 }, 0);
    if let Some(chunk) = chunk {
        written = insert(&mut tx, issue, &chunk, share, now).await?;
        if chunk.subscriptions == most {
            (next, cursor) = (pass, chunk.last);
        }
    }
    advance(&mut tx, issue, next, cursor, i64::try_from(written)?).await?;
    tx.commit().await?;
    Ok(Progress::More(written))
}

/// The issue, locked against a second expansion.
async fn expanding(tx: &mut Tx, issue: IssueId) -> sqlx::Result<Option<Expanding>> {
    let text = "
        update issue
        set total = coalesce(total, 0)
        where id = $1 and state = 'expanding'
        returning newsletter_id, expand_pass, expand_cursor, total";
    on!(*tx, |c| sqlx::query_as(text).bind(issue).fetch_optional(c).await)
}

/// The next chunk behind this subscription, of about the usual size.
pub(super) async fn whole_chunk(
    tx: &mut Tx,
    newsletter_id: i64,
    after: i64,
) -> sqlx::Result<Option<Chunk>> {
    chunk(tx, newsletter_id, after, CHUNK).await
}

async fn chunk(
    tx: &mut Tx,
    newsletter_id: i64,
    after: i64,
    most: i64,
) -> sqlx::Result<Option<Chunk>> {
    let text = "
        select max(id), count(*)
        from (
            select id
            from subscription
            where newsletter_id = $1 and standing = 'active' and id > $2
            order by id
            limit $3
        ) as chunk";
    let (last, subscriptions): (Option<i64>, i64) = on!(*tx, |c| {
        sqlx::query_as(text).bind(newsletter_id).bind(after).bind(most).fetch_one(c).await
    })?;
    Ok(last.map(|last| Chunk { newsletter_id, after, last, subscriptions }))
}

/// A share of the hashes, by their first octet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    first: u8,
    last: u8,
}

impl Share {
    /// All of them.
    pub(super) const WHOLE: Share = Share { first: 0, last: u8::MAX };

    fn of(pass: u8, passes: u8) -> Share {
        let edge = |pass: u8| 256 * u16::from(pass) / u16::from(passes);
        let octet = |edge: u16| u8::try_from(edge).unwrap_or(u8::MAX);
        Share { first: octet(edge(pass)), last: octet(edge(pass + 1) - 1) }
    }
}

/// Writes the readers of a chunk who are not in the ledger yet.
pub(super) async fn insert(
    tx: &mut Tx,
    issue: IssueId,
    chunk: &Chunk,
    share: Share,
    now: Millis,
) -> sqlx::Result<u64> {
    let whole = (share.first, share.last) == (0, u8::MAX);
    // Left out where it filters nothing: PostgreSQL would think that few are left, and
    // read all readers to find them.
    let hashes = match whole {
        true => "",
        false => "and substr(r.address_hash, 1, 1) between $6 and $7",
    };
    let text = format!(
        "
        insert into delivery (issue_id, subscriber_id, address_hash, domain, state, changed_at)
        select $1, r.id, r.address_hash, r.domain, 'queued', $2
        from subscription s
        join subscriber r on r.id = s.subscriber_id
        where s.newsletter_id = $3
          and s.standing = 'active'
          and s.id > $4
          and s.id <= $5
          {hashes}
          and not exists (select 1 from suppression x where x.address_hash = r.address_hash)
        order by s.id
        on conflict (issue_id, address_hash) do nothing"
    );
    on!(*tx, |c| {
        let mut query = sqlx::query(AssertSqlSafe(text))
            .bind(issue)
            .bind(now)
            .bind(chunk.newsletter_id)
            .bind(chunk.after)
            .bind(chunk.last);
        if !whole {
            query = query.bind(vec![share.first]).bind(vec![share.last]);
        }
        Ok(query.execute(c).await?.rows_affected())
    })
}

async fn advance(
    tx: &mut Tx,
    issue: IssueId,
    pass: u8,
    cursor: i64,
    written: i64,
) -> sqlx::Result<()> {
    let text = "
        update issue
        set expand_pass = $2, expand_cursor = $3, total = total + $4
        where id = $1 and state = 'expanding'";
    on!(*tx, |c| {
        let query = sqlx::query(text).bind(issue).bind(i64::from(pass));
        query.bind(cursor).bind(written).execute(c).await?;
        Ok(())
    })
}

/// Counts, and starts.
///
/// Counting takes a while and needs no lock: nobody else writes rows of an issue that
/// is being expanded, and what was counted must still be right when it starts.
async fn start(
    store: &Store,
    issue: IssueId,
    at: &Expanding,
    now: Millis,
) -> anyhow::Result<Progress> {
    let text = "select count(*) from delivery where issue_id = $1";
    let (found,): (i64,) = read!(store, |db| sqlx::query_as(text).bind(issue).fetch_one(db).await)?;
    if found != at.total {
        bail!(
            "issue {issue}: {} deliveries were written and the ledger holds {found}; it does not start",
            at.total
        );
    }
    let mut tx = store.begin().await?;
    let text = "
        update issue
        set state = 'sending', updated_at = $2
        where id = $1 and state = 'expanding' and total = $3 and expand_pass = $4";
    let started = on!(tx, |c| {
        let query = sqlx::query(text).bind(issue).bind(now).bind(found);
        query.bind(at.expand_pass).execute(c).await.map(|done| done.rows_affected())
    })?;
    if started == 0 {
        return Ok(Progress::Idle);
    }
    wave::plan(&mut tx, issue).await?;
    expire_older(&mut tx, at.newsletter_id, issue, now).await?;
    tx.commit().await?;
    tracing::info!(issue = issue.0, total = at.total, "delivery.expanded");
    Ok(Progress::Started { total: at.total })
}

/// Deferred deliveries of the newsletter's older issues end: nobody wants last week's
/// issue behind this week's.
///
/// # Errors
/// The database failed.
pub async fn expire_older(
    tx: &mut Tx,
    newsletter_id: i64,
    issue: IssueId,
    now: Millis,
) -> sqlx::Result<u64> {
    let text = "
        update delivery
        set state = 'failed', cause = 'expired', worker_id = null, changed_at = $3
        where state = 'deferred'
          -- These words are the ones of the partial index delivery_missing.
          and (state in ('deferred', 'failed') or state in ('unknown', 'cancelled') or evidence in ('bounced', 'complained'))
          and issue_id in (
              select id
              from issue
              where newsletter_id = $1 and id < $2 and state in ('sending', 'paused'))";
    on!(*tx, |c| sqlx::query(text)
        .bind(newsletter_id)
        .bind(issue)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
}
