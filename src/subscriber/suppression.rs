//! Addresses that get nothing, stored by their keyed hash.

use rundbrief_subscribers::suppression::{AddressHash, Reason};

use crate::on;
use crate::store::Tx;
use crate::store::value::Millis;

/// Why an address gets nothing; `None` when it may get mail.
///
/// # Errors
/// The database failed.
pub async fn reason(tx: &mut Tx, hash: &AddressHash) -> sqlx::Result<Option<Reason>> {
    let row: Option<(String,)> =
        on!(*tx, |c| sqlx::query_as("select reason from suppression where address_hash = $1")
            .bind(hash.as_bytes().as_slice())
            .fetch_optional(c)
            .await)?;
    // A word of a newer version still means that nothing goes there.
    Ok(row.map(|(word,)| Reason::parse(&word).unwrap_or(Reason::Operator)))
}

/// From now on the address gets nothing. A complaint outweighs what stood there.
///
/// # Errors
/// The database failed.
pub async fn suppress(
    tx: &mut Tx,
    hash: &AddressHash,
    reason: Reason,
    note: &str,
    now: Millis,
) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "insert into suppression (address_hash, reason, note, at)
         values ($1, $2, $3, $4)
         on conflict (address_hash) do update
         set reason = excluded.reason, note = excluded.note, at = excluded.at
         where excluded.reason = 'complained' and suppression.reason <> 'complained'"
    )
    .bind(hash.as_bytes().as_slice())
    .bind(reason.as_str())
    .bind(note)
    .bind(now)
    .execute(c)
    .await
    .map(drop))
}

/// The address may get mail again. Whether that is right is for
/// [`Reason::lifted_by_confirmation`] or an operator to say.
///
/// # Errors
/// The database failed.
pub async fn lift(tx: &mut Tx, hash: &AddressHash) -> sqlx::Result<bool> {
    let done = on!(*tx, |c| sqlx::query("delete from suppression where address_hash = $1")
        .bind(hash.as_bytes().as_slice())
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}
