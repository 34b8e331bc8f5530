//! The ledger's hot statements: due, claim, mark, record. Each works on a group, inside
//! the caller's transaction, and changes a row only where it is still what the
//! caller believes: state, worker and generation. Groups travel as one JSON object
//! from delivery to what is said about it.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer as _};

use super::state::{Cause, State};
use super::{DeliveryId, WorkerId};
use crate::issue::IssueId;
use crate::store::value::Millis;
use crate::store::{Kind, Tx};
use crate::{on, row};

/// Deliveries of one statement: larger groups gain nothing (PERFORMANCE: 4.4 µs
/// a row at 100, 1.9 µs at 1,000) and take longer to give back.
pub const GROUP: usize = 500;

row! {
    /// A claimed delivery with all that its mail needs.
    Claim {
        /// The delivery.
        id: DeliveryId,
        /// The reader; none when the person was erased.
        subscriber_id: Option<i64>,
        /// The generation of this claim.
        generation: i64,
        /// Tries before this one.
        attempts: i64,
        /// When it was due.
        next_at: Millis,
        /// The receiving domain.
        domain: String,
        /// Where it goes.
        address: Option<String>,
        /// How the reader wants to be addressed.
        salutation: Option<String>,
        /// Given name.
        given_name: Option<String>,
        /// Family name.
        family_name: Option<String>,
        /// 1 when the reader still wants it.
        wanted: i64,
    }
}

/// Where the last claim of an issue ended. Beside the partial index it keeps a
/// claim from wading through rows that others took before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    next_at: i64,
    id: i64,
}

impl Cursor {
    /// Before every delivery.
    pub const START: Cursor = Cursor { next_at: -1, id: 0 };
}

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

/// Up to `limit` due deliveries of an issue that is being sent, nobody else's until the
/// transaction ends; generation and tries are those of the claim that may follow.
/// Readers who left or were suppressed since it was frozen are cancelled on the way.
///
/// # Errors
/// The database failed.
pub async fn due(
    tx: &mut Tx,
    issue: IssueId,
    now: Millis,
    limit: usize,
    cursor: &mut Cursor,
) -> sqlx::Result<Vec<Claim>> {
    let mut due = behind(tx, issue, now, limit, *cursor).await?;
    if due.is_empty() && *cursor != Cursor::START {
        *cursor = Cursor::START;
        due = behind(tx, issue, now, limit, *cursor).await?;
    }
    let Some(last) = due.last() else {
        return Ok(due);
    };
    *cursor = Cursor { next_at: last.next_at.0, id: last.id.0 };
    let (wanted, left): (Vec<Claim>, Vec<Claim>) = due.into_iter().partition(|c| c.wanted == 1);
    if !left.is_empty() {
        cancel(tx, &left, now).await?;
    }
    Ok(wanted)
}

/// Due deliveries in their order, with their readers; locked on PostgreSQL.
async fn behind(
    tx: &mut Tx,
    issue: IssueId,
    now: Millis,
    limit: usize,
    cursor: Cursor,
) -> sqlx::Result<Vec<Claim>> {
    match tx {
        // One row: SQLite's driver hands over each row by itself, which costs more than
        // finding it.
        Tx::Sqlite(tx) => {
            let text = concat!(
                "select json_group_array(json_array(id, subscriber_id, generation, attempts,
                     next_at, domain, address, salutation, given_name, family_name, wanted))
                 from (",
                include_str!("ledger_due.sql"),
                ")"
            );
            let query = sqlx::query_scalar(text).bind(issue).bind(now);
            let query = query.bind(cursor.next_at).bind(cursor.id).bind(limit as i64);
            let found: String = query.fetch_one(&mut **tx).await?;
            let claims: Vec<Claimed> =
                serde_json::from_str(&found).map_err(|error| sqlx::Error::Decode(error.into()))?;
            Ok(claims.into_iter().map(Claim::from).collect())
        }
        Tx::Postgres(tx) => {
            let text = concat!(include_str!("ledger_due.sql"), "for update of d skip locked");
            let query = sqlx::query_as(text).bind(issue).bind(now);
            let query = query.bind(cursor.next_at).bind(cursor.id).bind(limit as i64);
            query.fetch_all(&mut **tx).await
        }
    }
}

/// A claim as SQLite hands it over: the fields in their order.
type Claimed = (
    DeliveryId,
    Option<i64>,
    i64,
    i64,
    Millis,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
);

impl From<Claimed> for Claim {
    fn from(fields: Claimed) -> Claim {
        Claim {
            id: fields.0,
            subscriber_id: fields.1,
            generation: fields.2,
            attempts: fields.3,
            next_at: fields.4,
            domain: fields.5,
            address: fields.6,
            salutation: fields.7,
            given_name: fields.8,
            family_name: fields.9,
            wanted: fields.10,
        }
    }
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

/// Due deliveries of this transaction that the pace does not allow yet: not before
/// their moments.
///
/// # Errors
/// The database failed.
pub async fn put_off(
    tx: &mut Tx,
    later: &[(DeliveryId, Millis)],
    now: Millis,
) -> sqlx::Result<()> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "update delivery
             set next_at = o.value, changed_at = $2
             from json_each($1) as o
             where delivery.id = cast(o.key as integer)"
        }
        Kind::Postgres => {
            "update delivery
             set next_at = o.value::bigint, changed_at = $2
             from json_each_text($1::json) as o
             where id = o.key::bigint"
        }
    };
    if later.is_empty() {
        return Ok(());
    }
    let group = group(later.iter().map(|(id, at)| (*id, at.0)));
    on!(*tx, |c| {
        sqlx::query(text).bind(group).bind(now).execute(c).await?;
        Ok(())
    })
}

async fn cancel(tx: &mut Tx, claims: &[Claim], now: Millis) -> sqlx::Result<()> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "update delivery
             set state = 'cancelled', reply = 'left before it was sent', changed_at = $2
             from json_each($1) as o
             where delivery.id = cast(o.key as integer) and state in ('queued', 'deferred')"
        }
        Kind::Postgres => {
            "update delivery
             set state = 'cancelled', reply = 'left before it was sent', changed_at = $2
             from json_each_text($1::json) as o
             where id = o.key::bigint and state in ('queued', 'deferred')"
        }
    };
    let group = group(claims.iter().map(|claim| (claim.id, claim.generation)));
    on!(*tx, |c| {
        sqlx::query(text).bind(group).bind(now).execute(c).await?;
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
        note_attempts(tx, &other, now).await?;
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
    let text = match tx.kind() {
        Kind::Sqlite => include_str!("ledger_accept_sqlite.sql"),
        Kind::Postgres => include_str!("ledger_accept_postgres.sql"),
    };
    let group = object(entries, |entry| (entry.generation, entry.code, &entry.words))?;
    on!(*tx, |c| {
        let done = sqlx::query(text).bind(group).bind(worker).bind(now).execute(c).await?;
        Ok(done.rows_affected())
    })
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
async fn note_attempts(tx: &mut Tx, entries: &[&Entry], now: Millis) -> sqlx::Result<()> {
    let text = "
        insert into attempt (delivery_id, generation, outcome, transport, stage, code, reply, at)
        values ($1, $2, $3, (select transport from delivery where id = $1), $4, $5, $6, $7)";
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
