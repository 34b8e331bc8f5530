//! Moments that a clock wrote which ran ahead. Once it is right again nobody waits for
//! them: they become now, or the latest that a right clock could have written.

use super::{backoff, settle};
use crate::on;
use crate::store::value::Millis;
use crate::store::{Store, Tx};

/// Deliveries that are set right in one transaction: some 100 ms of the one writer on
/// SQLite.
const CHUNK: i64 = 5_000;

/// Sets right what lies further ahead than it can; answers whether there may be more.
///
/// # Errors
/// The database failed.
pub async fn set_right(store: &Store, now: Millis) -> sqlx::Result<bool> {
    let mut tx = store.begin().await?;
    tx.by_index().await?;
    let tries = bring_forward(&mut tx, now).await?;
    let waves = end_waves(&mut tx, now).await?;
    // These two were written, and are read, by the clock of heartbeats.
    let now = settle::clock(&mut tx, now).await?;
    let unknown = date_unknown(&mut tx, now).await?;
    date_heartbeats(&mut tx, now).await?;
    tx.commit().await?;
    if tries + waves + unknown > 0 {
        tracing::warn!(tries, waves, unknown, "delivery.clock.ran_ahead");
    }
    Ok(tries == CHUNK.unsigned_abs())
}

/// What is to be tried later than anything ever is, is due.
async fn bring_forward(tx: &mut Tx, now: Millis) -> sqlx::Result<u64> {
    let text = "
        update delivery
        set next_at = $1
        where next_at > $2
          and id in (
              select d.id
              from issue i
              join delivery d on d.issue_id = i.id
              where i.state = 'sending'
                -- These words are the ones of the partial index delivery_due.
                and d.state in ('queued', 'deferred')
                and d.next_at > $2
              limit $3)";
    let furthest = now.after(backoff::LONGEST);
    on!(*tx, |c| {
        let query = sqlx::query(text).bind(now).bind(furthest).bind(CHUNK);
        Ok(query.execute(c).await?.rows_affected())
    })
}

/// A first wave is waited for as long as its newsletter says.
async fn end_waves(tx: &mut Tx, now: Millis) -> sqlx::Result<u64> {
    let text = "
        update issue
        set wave_until = $1 + wave_minutes * 60000
        where state in ('sending', 'paused') and wave_until > $1 + wave_minutes * 60000";
    on!(*tx, |c| Ok(sqlx::query(text).bind(now).execute(c).await?.rows_affected()))
}

/// The time for evidence begins now.
async fn date_unknown(tx: &mut Tx, now: Millis) -> sqlx::Result<u64> {
    let text = "
        update delivery
        set changed_at = $1
        where issue_id in (select id from issue where state in ('sending', 'paused', 'cancelled'))
          and state = 'unknown'
          and (state in ('claimed', 'sending') or state = 'unknown')
          and changed_at > $1";
    on!(*tx, |c| Ok(sqlx::query(text).bind(now).execute(c).await?.rows_affected()))
}

/// Who is dead shows no sign of life from tomorrow.
async fn date_heartbeats(tx: &mut Tx, now: Millis) -> sqlx::Result<u64> {
    let text = "update worker set heartbeat_at = $1 where heartbeat_at > $2";
    let lives = now.after(settle::WORKER_LIVES);
    on!(*tx, |c| Ok(sqlx::query(text).bind(now).bind(lives).execute(c).await?.rows_affected()))
}
