//! How far each way in has come, and which mails it has seen.

use crate::on;
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{read, row};

row! {
    /// How far a place has been read.
    Progress {
        /// What the numbers belong to: UIDVALIDITY, or a hash of the file's beginning.
        validity: i64,
        /// The last UID, or the offset behind the last mail.
        position: i64,
    }
}

/// How far a place has been read; the beginning when it is new.
///
/// # Errors
/// The database refuses.
pub async fn of(store: &Store, place: &str) -> sqlx::Result<Progress> {
    const TEXT: &str = "select validity, position from intake_progress where place = $1";
    let row: Option<Progress> =
        read!(store, |db| sqlx::query_as(TEXT).bind(place).fetch_optional(db).await)?;
    Ok(row.unwrap_or(Progress { validity: 0, position: 0 }))
}

/// Notes how far a place has been read.
///
/// # Errors
/// The database refuses.
pub async fn note(tx: &mut Tx, place: &str, to: &Progress, now: Millis) -> sqlx::Result<()> {
    const TEXT: &str = "insert into intake_progress (place, validity, position, updated_at) \
                        values ($1, $2, $3, $4) \
                        on conflict (place) do update set \
                        validity = excluded.validity, position = excluded.position, \
                        updated_at = excluded.updated_at";
    on!(*tx, |c| sqlx::query(TEXT)
        .bind(place)
        .bind(to.validity)
        .bind(to.position)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
}

/// The names of the mails that were stored from a place and are still there.
///
/// # Errors
/// The database refuses.
pub async fn seen(store: &Store, place: &str) -> sqlx::Result<std::collections::HashSet<String>> {
    const TEXT: &str = "select uid from intake_seen where place = $1";
    let rows: Vec<(String,)> =
        read!(store, |db| sqlx::query_as(TEXT).bind(place).fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(uid,)| uid).collect())
}

/// Notes that a mail of a place is stored.
///
/// # Errors
/// The database refuses.
pub async fn see(tx: &mut Tx, place: &str, uid: &str, now: Millis) -> sqlx::Result<()> {
    const TEXT: &str = "insert into intake_seen (place, uid, at) values ($1, $2, $3) \
                        on conflict (place, uid) do nothing";
    on!(*tx, |c| sqlx::query(TEXT).bind(place).bind(uid).bind(now).execute(c).await.map(drop))
}

/// Forgets mails that are no longer there.
///
/// # Errors
/// The database refuses.
pub async fn forget(store: &Store, place: &str, gone: &[&str]) -> sqlx::Result<()> {
    const TEXT: &str = "delete from intake_seen where place = $1 and uid = $2";
    let mut tx = store.begin().await?;
    for uid in gone {
        on!(tx, |c| sqlx::query(TEXT).bind(place).bind(uid).execute(c).await.map(drop))?;
    }
    tx.commit().await
}
