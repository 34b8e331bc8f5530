//! The ledger's hot statements: claim, mark, record. Each works on a group, inside the
//! caller's transaction, and changes a row only where it is still what the caller
//! believes: state, worker and generation, or what it locked in [`super::due`]. Groups
//! travel as one JSON object from delivery to what is said about it.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer as _};

use super::due::Claim;
use super::state::{Cause, State};
use super::{DeliveryId, WorkerId};
use crate::on;
use crate::store::value::Millis;
use crate::store::{Kind, Tx};

/// Deliveries of one statement: larger groups gain nothing (PERFORMANCE: 4.4 µs
/// a row at 100, 1.9 µs at 1,000) and take longer to give back.
pub const GROUP: usize = 500;

/// How one delivery ended or goes on; what [`record`] writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The delivery.
    pub id: DeliveryId,
    /// The claim's generation.
    pub generation: i64,
    /// Where it stands now.
    pub state: State,
    /// Why, when it failed.
    pub cause: Option<Cause>,
    /// Not before this moment, when it is queued or deferred.
    pub next_at: Millis,
    /// Whether the attempt that the mark counted was none after all.
    pub unused: bool,
    /// Where the session stood.
    pub stage: &'static str,
    /// The reply's code.
    pub code: Option<u16>,
    /// The relay's own words.
    pub words: String,
}

/// Claims due deliveries of this transaction for later: no session is open that could
/// take them now.
///
/// # Errors
/// The database failed.
pub async fn claim(
    tx: &mut Tx,
    worker: WorkerId,
    claims: &[Claim],
    now: Millis,
) -> sqlx::Result<()> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "update delivery
             set state = 'claimed', generation = generation + 1, worker_id = $2, changed_at = $3
             from json_each($1) as o
             where delivery.id = cast(o.key as integer)"
        }
        Kind::Postgres => {
            "update delivery
             set state = 'claimed', generation = generation + 1, worker_id = $2, changed_at = $3
             from json_each_text($1::json) as o
             where id = o.key::bigint"
        }
    };
    let group = group(claims.iter().map(|claim| (claim.id, claim.generation)));
    on!(*tx, |c| {
        sqlx::query(text).bind(group).bind(worker).bind(now).execute(c).await?;
        Ok(())
    })
}

/// Claims due deliveries of this transaction and marks them in the same breath, for
/// sessions that are open and wait: what both steps make durable is durable at once.
///
/// # Errors
/// The database failed.
pub async fn begin(
    tx: &mut Tx,
    worker: WorkerId,
    transport: &str,
    claims: &[Claim],
    now: Millis,
) -> sqlx::Result<()> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "update delivery
             set state = 'sending', generation = generation + 1, attempts = attempts + 1,
                 worker_id = $2, transport = $4, changed_at = $3
             from json_each($1) as o
             where delivery.id = cast(o.key as integer)"
        }
        Kind::Postgres => {
            "update delivery
             set state = 'sending', generation = generation + 1, attempts = attempts + 1,
                 worker_id = $2, transport = $4, changed_at = $3
             from json_each_text($1::json) as o
             where id = o.key::bigint"
        }
    };
    let group = group(claims.iter().map(|claim| (claim.id, claim.generation)));
    on!(*tx, |c| {
        let query = sqlx::query(text).bind(group).bind(worker).bind(now);
        query.bind(transport).execute(c).await?;
        Ok(())
    })
}

/// Marks claimed deliveries as being sent by a transport, before their first byte
/// is written; no other transport gets them while they are marked.
/// Answers those that really were ours; the others' leases are lost.
///
/// # Errors
/// The database failed.
pub async fn mark(
    tx: &mut Tx,
    worker: WorkerId,
    transport: &str,
    claims: impl Iterator<Item = (DeliveryId, i64)>,
    now: Millis,
) -> sqlx::Result<Vec<DeliveryId>> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "update delivery
             set state = 'sending', attempts = attempts + 1, transport = $4, changed_at = $3
             from json_each($1) as o
             where delivery.id = cast(o.key as integer)
               and generation = o.value
               and state = 'claimed'
               and worker_id = $2"
        }
        Kind::Postgres => {
            "update delivery
             set state = 'sending', attempts = attempts + 1, transport = $4, changed_at = $3
             from json_each_text($1::json) as o
             where id = o.key::bigint
               and generation = o.value::bigint
               and state = 'claimed'
               and worker_id = $2"
        }
    };
    let claims: Vec<(DeliveryId, i64)> = claims.collect();
    let group = group(claims.iter().copied());
    let marked = on!(*tx, |c| {
        let query = sqlx::query(text).bind(&group).bind(worker).bind(now);
        query.bind(transport).execute(c).await?.rows_affected()
    });
    if marked == claims.len() as u64 {
        return Ok(claims.into_iter().map(|(id, _)| id).collect());
    }
    held(tx, worker, group).await
}

/// Which of these are marked as ours: asked only when some are not.
async fn held(tx: &mut Tx, worker: WorkerId, group: String) -> sqlx::Result<Vec<DeliveryId>> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "select delivery.id
             from json_each($1) as o
             join delivery on delivery.id = cast(o.key as integer)
             where generation = o.value and state = 'sending' and worker_id = $2"
        }
        Kind::Postgres => {
            "select delivery.id
             from json_each_text($1::json) as o
             join delivery on delivery.id = o.key::bigint
             where generation = o.value::bigint and state = 'sending' and worker_id = $2"
        }
    };
    let ids: Vec<(DeliveryId,)> =
        on!(*tx, |c| sqlx::query_as(text).bind(group).bind(worker).fetch_all(c).await)?;
    Ok(ids.into_iter().map(|(id,)| id).collect())
}

/// Records how deliveries ended or go on. Answers how many were still the worker's.
///
/// # Errors
/// The database failed. After a commit whose connection broke the same group can be
/// recorded again: what was recorded already is not ours any more and stays.
pub async fn record(
    tx: &mut Tx,
    worker: WorkerId,
    entries: &[Entry],
    now: Millis,
) -> sqlx::Result<u64> {
    let (plain, other): (Vec<&Entry>, Vec<&Entry>) =
        entries.iter().partition(|entry| entry.state == State::Accepted);
    let mut changed = 0;
    if !plain.is_empty() {
        changed += accept(tx, worker, &plain, now).await?;
    }
    if !other.is_empty() {
        note_attempts(tx, worker, &other, now).await?;
        changed += go_on(tx, worker, &other, now).await?;
    }
    Ok(changed)
}

/// The usual case: the relay took them.
async fn accept(
    tx: &mut Tx,
    worker: WorkerId,
    entries: &[&Entry],
    now: Millis,
) -> sqlx::Result<u64> {
    match tx {
        Tx::Sqlite(tx) => {
            // One value, not a list of three: that would be parsed once for each of them.
            let group = object(entries, |entry| {
                let code = entry.code.unwrap_or_default();
                format!("{} {code:03} {}", entry.generation, entry.words)
            })?;
            let query = sqlx::query(include_str!("ledger_accept_sqlite.sql"));
            let query = query.bind(group).bind(worker).bind(now);
            Ok(query.execute(&mut **tx).await?.rows_affected())
        }
        Tx::Postgres(tx) => {
            let ids: Vec<i64> = entries.iter().map(|entry| entry.id.0).collect();
            let generations: Vec<i64> = entries.iter().map(|entry| entry.generation).collect();
            let codes: Vec<Option<i64>> =
                entries.iter().map(|entry| entry.code.map(i64::from)).collect();
            let words: Vec<&str> = entries.iter().map(|entry| entry.words.as_str()).collect();
            let query = sqlx::query(include_str!("ledger_accept_postgres.sql"));
            let query = query.bind(ids).bind(worker).bind(now).bind(generations);
            let query = query.bind(codes).bind(words);
            Ok(query.execute(&mut **tx).await?.rows_affected())
        }
    }
}

/// Everything else: back, later, never, unknown.
async fn go_on(
    tx: &mut Tx,
    worker: WorkerId,
    entries: &[&Entry],
    now: Millis,
) -> sqlx::Result<u64> {
    let text = match tx.kind() {
        Kind::Sqlite => include_str!("ledger_record_sqlite.sql"),
        Kind::Postgres => include_str!("ledger_record_postgres.sql"),
    };
    let group = object(entries, |entry| {
        (
            entry.generation,
            entry.state,
            entry.cause,
            entry.next_at,
            i64::from(entry.unused),
            entry.stage,
            entry.code,
            &entry.words,
        )
    })?;
    on!(*tx, |c| {
        let done = sqlx::query(text).bind(group).bind(worker).bind(now).execute(c).await?;
        Ok(done.rows_affected())
    })
}

/// Tries that did not end in "accepted", in the server's own words. What was only
/// held back on our side is no try.
async fn note_attempts(
    tx: &mut Tx,
    worker: WorkerId,
    entries: &[&Entry],
    now: Millis,
) -> sqlx::Result<()> {
    // Only where it will be recorded: a journal may be replayed several times.
    let text = "
        insert into attempt (delivery_id, generation, outcome, transport, stage, code, reply, at)
        select id, generation, $3, transport, $4, $5, $6, $7
        from delivery
        where id = $1 and generation = $2 and worker_id = $8 and state = 'sending'";
    for entry in entries.iter().filter(|entry| !entry.unused) {
        on!(*tx, |c| {
            sqlx::query(text)
                .bind(entry.id)
                .bind(entry.generation)
                .bind(entry.state)
                .bind(entry.stage)
                .bind(entry.code.map(i64::from))
                .bind(&entry.words)
                .bind(now)
                .bind(worker)
                .execute(c)
                .await
                .map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}

/// A group with what is said about each: `{"delivery": [generation, …]}`.
fn object<'e, T: Serialize>(
    entries: &[&'e Entry],
    said: impl Fn(&'e Entry) -> T,
) -> sqlx::Result<String> {
    let mut text = Vec::with_capacity(entries.len() * 80);
    let mut object = serde_json::Serializer::new(&mut text);
    let mut map = object.serialize_map(Some(entries.len())).map_err(encode)?;
    for entry in entries {
        map.serialize_entry(&entry.id, &said(entry)).map_err(encode)?;
    }
    map.end().map_err(encode)?;
    String::from_utf8(text).map_err(|error| sqlx::Error::Encode(error.into()))
}

fn encode(error: serde_json::Error) -> sqlx::Error {
    sqlx::Error::Encode(error.into())
}

/// A group as both databases read it: `{"delivery": number}`, mostly its generation.
pub(super) fn group(rows: impl Iterator<Item = (DeliveryId, i64)>) -> String {
    let mut text = String::from("{");
    for (n, (id, generation)) in rows.enumerate() {
        use std::fmt::Write;
        let comma = if n == 0 { "" } else { "," };
        write!(text, "{comma}\"{id}\":{generation}").expect("a string takes every character");
    }
    text.push('}');
    text
}
