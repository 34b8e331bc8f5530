//! What a worker that signs on finds: those who had its data directory before, and what
//! the journal in it proves about their deliveries, by what it holds and by its silence.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::journal::{Note, Record};
use super::ledger::{self, Entry};
use super::settle::{Identity, WORKER_LIVES};
use super::state::{Cause, State};
use super::{DeliveryId, WorkerId, backoff};
use crate::smtp::reply::Reply;
use crate::smtp::scope::{self, Scope};
use crate::smtp::{Outcome, Stage};
use crate::store::value::Millis;
use crate::store::{Kind, Tx};
use crate::{on, row};

row! {
    /// A worker that had our directory before us, and is not done with.
    Predecessor {
        /// Its key.
        id: WorkerId,
        /// Machine and directory, as it saw them.
        host: String,
        /// The boot it lived in.
        boot: String,
        /// 1 when nobody else had the directory since: the journal is its own.
        last: i64,
        /// 1 when it is certainly not at work any more.
        dead: i64,
    }
}

impl Predecessor {
    /// Whether the journal also proves something by what it does not hold. It begins anew
    /// with every worker, after a power cut it may lack what was not synced, and that of
    /// a copied directory is not the one its original goes on with.
    pub fn is_proven_by_silence(&self, us: &Identity, kind: Kind) -> bool {
        let ours = self.host == us.host || kind == Kind::Sqlite;
        self.last == 1 && ours && self.boot == us.boot
    }
}

/// Who had our directory before us. The machine and the path may have changed since: a
/// container was made anew, a directory moved. Then it may also be a copy, whose
/// original is at work elsewhere; only who stopped, or shows no sign of life, is dead.
/// SQLite's database has one worker, and that is us.
///
/// # Errors
/// The database failed.
pub async fn predecessors(
    tx: &mut Tx,
    us: &Identity,
    now: Millis,
) -> sqlx::Result<Vec<Predecessor>> {
    let text = "
        select
            id,
            host,
            boot,
            cast(case
                when id = (select max(id) from worker where host = $1 or host like $2)
                then 1
                else 0
            end as bigint) as last,
            cast(case
                when host = $1 or stopped_at is not null or heartbeat_at < $3
                then 1
                else 0
            end as bigint) as dead
        from worker
        where (host = $1 or host like $2)
          and (stopped_at is null
            or id in (
                select worker_id
                from delivery
                where (state in ('claimed', 'sending') or state = 'unknown')))";
    let named = us.directory().map_or_else(|| us.host.clone(), |name| format!("%#{name}"));
    let lives = now.before(WORKER_LIVES);
    let mut found: Vec<Predecessor> = on!(*tx, |c| {
        sqlx::query_as(text).bind(&us.host).bind(named).bind(lives).fetch_all(c).await?
    });
    if tx.kind() == Kind::Sqlite {
        found.iter_mut().for_each(|one| one.dead = 1);
    }
    Ok(found)
}

/// Records what the journal says the relay replied: a fact, whether that worker lives.
///
/// # Errors
/// The database failed.
pub async fn replies(
    tx: &mut Tx,
    worker: WorkerId,
    records: &[Record],
    now: Millis,
) -> sqlx::Result<u64> {
    let entries: Vec<Entry> = records.iter().filter_map(|record| proven(record, now)).collect();
    ledger::record(tx, worker, &entries, now).await
}

/// What a reply in the journal means for its delivery.
fn proven(record: &Record, now: Millis) -> Option<Entry> {
    let Note::Replied { code, words } = &record.note else {
        return None;
    };
    let text = words.split_once(' ').map_or("", |(_, text)| text);
    let outcome = Outcome::reply(Stage::Dot, Reply::new(*code, text));
    let again = || now.after(backoff::wait(1, 0.0).unwrap_or_default());
    let (state, cause, next_at, unused) = match scope::judge(&outcome) {
        Scope::Accepted => (State::Accepted, None, Millis(0), false),
        Scope::Later => (State::Deferred, None, again(), false),
        Scope::Never => (State::Failed, Some(Cause::Permanent), Millis(0), false),
        Scope::Relay | Scope::Issue | Scope::Withheld => (State::Queued, None, Millis(0), true),
        Scope::Unknown => return None,
    };
    Some(Entry {
        id: DeliveryId(record.delivery),
        generation: record.generation,
        state,
        cause,
        next_at,
        unused,
        stage: Stage::Dot.as_str(),
        code: Some(*code),
        words: words.clone(),
    })
}

/// Marked deliveries of which the journal holds no dot: none was written.
///
/// Those that are unknown already are not: the journal forgets what was recorded as
/// unknown, so of these its silence proves nothing.
///
/// # Errors
/// The database failed.
pub async fn never_written(
    tx: &mut Tx,
    worker: WorkerId,
    records: &[Record],
    now: Millis,
) -> sqlx::Result<u64> {
    let begun: HashMap<String, Value> = records
        .iter()
        .map(|record| (record.delivery.to_string(), json!(record.generation)))
        .collect();
    let text = match tx.kind() {
        Kind::Sqlite => {
            "update delivery
             set state = 'queued', attempts = attempts - 1, worker_id = null, changed_at = $3
             where worker_id = $1
               and state = 'sending'
               and (state in ('claimed', 'sending') or state = 'unknown')
               and not exists (
                   select 1
                   from json_each($2) as o
                   where cast(o.key as integer) = delivery.id and o.value = generation)"
        }
        Kind::Postgres => {
            "update delivery
             set state = 'queued', attempts = attempts - 1, worker_id = null, changed_at = $3
             where worker_id = $1
               and state = 'sending'
               and (state in ('claimed', 'sending') or state = 'unknown')
               and not exists (
                   select 1
                   from json_each_text($2::json) as o
                   where o.key::bigint = id and o.value::bigint = generation)"
        }
    };
    let begun = Value::from_iter(begun).to_string();
    on!(*tx, |c| {
        let done = sqlx::query(text).bind(worker).bind(begun).bind(now).execute(c).await?;
        Ok(done.rows_affected())
    })
}
