//! Deliveries that are due: looked up behind a cursor with all that their mails need,
//! and, of those, the ones that must wait or whose readers have left meanwhile. What is
//! sent of them is [`super::ledger`]'s.

use super::DeliveryId;
use super::ledger::group;
use crate::issue::IssueId;
use crate::store::value::Millis;
use crate::store::{Kind, Tx};
use crate::{on, row};

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

/// Up to `limit` due deliveries of an issue that is being sent, nobody else's until the
/// transaction ends; generation and tries are those of the claim that may follow.
/// Readers who left or were suppressed since it was frozen are cancelled on the way.
///
/// # Errors
/// The database failed.
pub async fn behind(
    tx: &mut Tx,
    issue: IssueId,
    now: Millis,
    limit: usize,
    cursor: &mut Cursor,
) -> sqlx::Result<Vec<Claim>> {
    let mut due = look(tx, issue, now, limit, *cursor).await?;
    if due.is_empty() && *cursor != Cursor::START {
        *cursor = Cursor::START;
        due = look(tx, issue, now, limit, *cursor).await?;
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
async fn look(
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
                include_str!("due.sql"),
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
            let text = concat!(include_str!("due.sql"), "for update of d skip locked");
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

/// Due deliveries of this transaction that the pace does not allow yet: not before
/// their moments.
///
/// # Errors
/// The database failed.
pub async fn put_off(tx: &mut Tx, later: &[(DeliveryId, Millis)], now: Millis) -> sqlx::Result<()> {
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
