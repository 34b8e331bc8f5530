//! What a person was told and did: an append-only record.

use rundbrief_subscribers::consent::Act;

use super::SubscriberId;
use crate::newsletter::NewsletterId;
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{on, read, row};

row! {
    /// One act, as recorded.
    Record {
        /// The newsletter's short name.
        newsletter: String,
        /// What was done: requested, confirmed, imported, added, withdrawn.
        act: String,
        /// The exact text shown, or where the consent is kept.
        wording: String,
        /// By which way it came.
        source: String,
        /// When.
        at: Millis,
    }
}

/// Records an act.
///
/// # Errors
/// The database failed.
pub async fn record(
    tx: &mut Tx,
    subscriber: SubscriberId,
    newsletter: NewsletterId,
    act: Act,
    (wording, source): (&str, &str),
    now: Millis,
) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "insert into consent (subscriber_id, newsletter_id, act, wording, source, at)
         values ($1, $2, $3, $4, $5, $6)"
    )
    .bind(subscriber)
    .bind(newsletter)
    .bind(act.as_str())
    .bind(wording)
    .bind(source)
    .bind(now)
    .execute(c)
    .await
    .map(drop))
}

/// All acts of a person, the oldest first; a person has few.
///
/// # Errors
/// The database failed.
pub async fn of(store: &Store, subscriber: SubscriberId) -> sqlx::Result<Vec<Record>> {
    read!(store, |db| sqlx::query_as(
        "select n.slug as newsletter, c.act, c.wording, c.source, c.at
         from consent c
         join newsletter n on n.id = c.newsletter_id
         where c.subscriber_id = $1
         order by c.id"
    )
    .bind(subscriber)
    .fetch_all(db)
    .await)
}
