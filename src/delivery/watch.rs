//! What a worker asks the database between its groups: which issues are being
//! sent, their letters, who has left meanwhile, when something is due next.

use anyhow::Context as _;

use super::DeliveryId;
use super::ledger;
use crate::issue::{self, IssueId};
use crate::letter::splice::Letter;
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};
use crate::{on, read, row};

row! {
    /// An issue that delivery has to do with.
    Seen {
        /// The issue.
        id: IssueId,
        /// Its state.
        state: String,
        /// What a guard saw that paused it once.
        guard: Option<String>,
    }
}

/// Issues that are being expanded or sent.
///
/// # Errors
/// The database failed.
pub async fn issues(store: &Store) -> sqlx::Result<Vec<Seen>> {
    let text = "
        select id, state, cast(guard as text) as guard
        from issue
        where state in ('expanding', 'sending')
        order by frozen_at, id";
    read!(store, |db| sqlx::query_as(text).fetch_all(db).await)
}

/// The state of one issue.
///
/// # Errors
/// The database failed, or there is no such issue.
pub async fn state(store: &Store, issue: IssueId) -> sqlx::Result<String> {
    let text = "select state from issue where id = $1";
    let (state,): (String,) =
        read!(store, |db| sqlx::query_as(text).bind(issue).fetch_one(db).await)?;
    Ok(state)
}

/// A frozen letter with what its newsletter says about sending it.
#[derive(Debug)]
pub struct Frozen {
    /// The letter.
    pub letter: Letter,
    /// The domain it is from.
    pub from: Option<String>,
    /// The transports it goes by, in order; empty: the configured ones.
    pub transports: Vec<String>,
}

/// The frozen letter of an issue, its hash checked.
///
/// # Errors
/// It is not there or not what was frozen.
pub async fn letter(store: &Store, issue: IssueId) -> anyhow::Result<Frozen> {
    let text = "
        select
            l.frozen,
            l.content_hash,
            n.definition -> 'sender' ->> 'address' as sender,
            n.definition ->> 'transports' as transports
        from letter l
        join issue i on i.id = l.issue_id
        join newsletter n on n.id = i.newsletter_id
        where l.issue_id = $1";
    type Found = (Vec<u8>, Vec<u8>, Option<String>, Option<String>);
    let found: Option<Found> =
        read!(store, |db| sqlx::query_as(text).bind(issue).fetch_optional(db).await)?;
    let (frozen, hash, sender, transports) =
        found.with_context(|| format!("issue {issue} is being sent and has no letter"))?;
    let letter = Letter::from_bytes(&frozen, &hash).with_context(|| format!("issue {issue}"))?;
    let from = sender.and_then(|sender| Some(sender.rsplit_once('@')?.1.to_owned()));
    let transports = transports.as_deref().map(serde_json::from_str).transpose();
    let transports = transports.with_context(|| format!("issue {issue}: transports"))?;
    Ok(Frozen { letter, from, transports: transports.unwrap_or_default() })
}

/// Which of these deliveries nobody wants any more: left, paused, suppressed.
///
/// # Errors
/// The database failed.
pub async fn withdrawn(
    store: &Store,
    held: impl Iterator<Item = (DeliveryId, i64)>,
) -> sqlx::Result<Vec<DeliveryId>> {
    let text = match store.kind() {
        Kind::Sqlite => include_str!("watch_withdrawn_sqlite.sql"),
        Kind::Postgres => include_str!("watch_withdrawn_postgres.sql"),
    };
    let group = ledger::group(held);
    let found: Vec<(DeliveryId,)> =
        read!(store, |db| sqlx::query_as(text).bind(&group).fetch_all(db).await)?;
    Ok(found.into_iter().map(|(id,)| id).collect())
}

/// When the next delivery of an issue is due, not before its first wave came back; none
/// when there is none.
///
/// # Errors
/// The database failed.
pub async fn next_due(store: &Store, issue: IssueId) -> sqlx::Result<Option<Millis>> {
    let text = "
        select min(next_at), (select wave_until from issue where id = $1)
        from delivery
        where issue_id = $1 and state in ('queued', 'deferred')";
    let (next, wave): (Option<Millis>, Option<Millis>) =
        read!(store, |db| sqlx::query_as(text).bind(issue).fetch_one(db).await)?;
    Ok(next.map(|next| next.max(wave.unwrap_or(next))))
}

/// Goes on where taking back a cancelled issue stopped half-way; answers whether there
/// may be more.
///
/// # Errors
/// The database failed.
pub async fn take_back(store: &Store, now: Millis) -> sqlx::Result<bool> {
    let text = "
        select i.id
        from issue i
        where i.state = 'cancelled'
          and exists (
              select 1
              from delivery d
              -- These words are the ones of the partial index delivery_due.
              where d.issue_id = i.id and d.state in ('queued', 'deferred'))
        limit 1";
    let found: Option<(IssueId,)> =
        read!(store, |db| sqlx::query_as(text).fetch_optional(db).await)?;
    let Some((issue,)) = found else { return Ok(false) };
    let mut tx = store.begin().await?;
    issue::take_back(&mut tx, issue, now).await?;
    tx.commit().await?;
    Ok(true)
}

/// Pauses an issue that cannot go out whoever reads it.
///
/// # Errors
/// The database failed.
pub async fn pause(tx: &mut Tx, issue: IssueId, why: &str, now: Millis) -> sqlx::Result<bool> {
    let text = "
        update issue
        set state = 'paused', paused_from = state, paused_why = $2, updated_at = $3
        where id = $1 and state in ('expanding', 'sending')";
    on!(*tx, |c| {
        let done = sqlx::query(text).bind(issue).bind(why).bind(now).execute(c).await?;
        Ok(done.rows_affected() == 1)
    })
}

/// Gives back what a worker claimed in a transaction whose end it never learnt.
///
/// # Errors
/// The database failed.
pub async fn give_back_claims(
    tx: &mut Tx,
    worker: super::WorkerId,
    now: Millis,
) -> sqlx::Result<u64> {
    let text = "
        update delivery
        set state = 'queued', worker_id = null, changed_at = $2
        where worker_id = $1 and state = 'claimed' and (state in ('claimed', 'sending') or state = 'unknown')";
    on!(*tx, |c| {
        let done = sqlx::query(text).bind(worker).bind(now).execute(c).await?;
        Ok(done.rows_affected())
    })
}

/// The stored pace of a transport: this machine's, else what another one learnt last.
///
/// # Errors
/// The database failed.
pub async fn pace(store: &Store, transport: &str, host: &str) -> sqlx::Result<Option<String>> {
    let text = match store.kind() {
        Kind::Sqlite => {
            "select state from pace
             where transport = $1
             order by host = $2 desc, updated_at desc
             limit 1"
        }
        Kind::Postgres => {
            "select state::text from pace
             where transport = $1
             order by host = $2 desc, updated_at desc
             limit 1"
        }
    };
    let found: Option<(String,)> = read!(store, |db| sqlx::query_as(text)
        .bind(transport)
        .bind(host)
        .fetch_optional(db)
        .await)?;
    Ok(found.map(|(state,)| state))
}

row! {
    /// The pace of a transport as a process stored it.
    Pace {
        /// The transport.
        transport: String,
        /// Machine and data directory of the process.
        host: String,
        /// What it stored, in JSON.
        state: String,
        /// When.
        updated_at: Millis,
    }
}

/// The stored pace of every transport.
///
/// # Errors
/// The database failed.
pub async fn paces(store: &Store) -> sqlx::Result<Vec<Pace>> {
    let text = "
        select transport, host, cast(state as text) as state, updated_at
        from pace
        order by transport, host";
    read!(store, |db| sqlx::query_as(text).fetch_all(db).await)
}

/// Stores the pace of a transport as this machine sees it.
///
/// # Errors
/// The database failed.
pub async fn keep_pace(
    tx: &mut Tx,
    transport: &str,
    host: &str,
    state: &str,
    now: Millis,
) -> sqlx::Result<()> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "insert into pace (transport, host, state, updated_at)
             values ($1, $2, $3, $4)
             on conflict (transport, host)
             do update set state = excluded.state, updated_at = excluded.updated_at"
        }
        Kind::Postgres => {
            "insert into pace (transport, host, state, updated_at)
             values ($1, $2, $3::jsonb, $4)
             on conflict (transport, host)
             do update set state = excluded.state, updated_at = excluded.updated_at"
        }
    };
    on!(*tx, |c| {
        sqlx::query(text).bind(transport).bind(host).bind(state).bind(now).execute(c).await?;
        Ok(())
    })
}
