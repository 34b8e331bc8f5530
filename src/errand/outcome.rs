//! What comes back of an errand, and what it means when nothing does.

use std::time::Duration;

use rundbrief_subscribers::standing::Reason;
use serde_json::json;

use super::ErrandId;
use crate::bounce::inbox::BounceId;
use crate::newsletter::NewsletterId;
use crate::store::value::Millis;
use crate::store::{Kind, Tx};
use crate::subscriber::SubscriberId;
use crate::subscriber::standing::{self, Cause};
use crate::{on, row};

/// A probe that has not come back after this long has arrived: relays try for five days.
const SILENCE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// Probes that one call closes.
const AT_ONCE: i64 = 200;

/// An errand came back; false when that was known, or counts for nothing. It proves that one of unknown fate
/// was sent.
///
/// # Errors
/// The database failed.
pub async fn came_back(tx: &mut Tx, errand: ErrandId, now: Millis) -> sqlx::Result<bool> {
    let changed = on!(*tx, |c| sqlx::query(
        "update errand
         set outcome = 'bounced',
             state = case when state = 'unknown' then 'accepted' else state end,
             changed_at = $2
         where id = $1 and (outcome is null or outcome = 'silent')"
    )
    .bind(errand)
    .bind(now)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(changed == 1)
}

/// The probes of a reader of a newsletter count for nothing any more, as the bounces that
/// caused them were taken back: what waits is not sent, what comes back changes nobody.
///
/// # Errors
/// The database failed.
pub async fn take_back(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
    now: Millis,
) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "update errand
         set outcome = 'taken back',
             state = case when state = 'queued' then 'cancelled' else state end,
             changed_at = $3
         where kind = 'probe' and newsletter_id = $1 and subscriber_id = $2
           and (outcome is null or outcome = 'bounced')"
    )
    .bind(newsletter)
    .bind(subscriber)
    .bind(now)
    .execute(c)
    .await
    .map(drop))
}

/// Whether an errand counts for nothing: see [`take_back`].
///
/// # Errors
/// The database failed.
pub async fn is_taken_back(tx: &mut Tx, errand: ErrandId) -> sqlx::Result<bool> {
    let (count,): (i64,) = on!(*tx, |c| sqlx::query_as(
        "select count(*) from errand where id = $1 and outcome = 'taken back'"
    )
    .bind(errand)
    .fetch_one(c)
    .await)?;
    Ok(count > 0)
}

row! {
    /// A probe that was sent long ago.
    Silent {
        /// Its key.
        id: ErrandId,
        /// What caused it.
        bounce_id: BounceId,
        /// The newsletter.
        newsletter_id: NewsletterId,
        /// The reader.
        subscriber_id: Option<SubscriberId>,
        /// When it was caused.
        created_at: Millis,
    }
}

/// Closes probes that did not come back: the address is alive, the hard bounce that
/// caused it is forgotten, and an event with its evidence says so. How many.
///
/// # Errors
/// The database failed.
pub async fn silent(tx: &mut Tx, now: Millis) -> sqlx::Result<usize> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "select id, bounce_id, newsletter_id, subscriber_id, created_at
             from errand
             where kind = 'probe' and outcome is null and changed_at < $1
               and state in ('accepted', 'unknown')
             order by id limit $2"
        }
        Kind::Postgres => {
            "select id, bounce_id, newsletter_id, subscriber_id, created_at
             from errand
             where kind = 'probe' and outcome is null and changed_at < $1
               and state in ('accepted', 'unknown')
             order by id limit $2
             for update skip locked"
        }
    };
    let probes: Vec<Silent> = on!(*tx, |c| sqlx::query_as(text)
        .bind(now.before(SILENCE))
        .bind(AT_ONCE)
        .fetch_all(c)
        .await)?;
    for probe in &probes {
        on!(*tx, |c| sqlx::query("update errand set outcome = 'silent' where id = $1")
            .bind(probe.id)
            .execute(c)
            .await
            .map(drop))?;
        let Some(subscriber) = probe.subscriber_id else { continue };
        on!(*tx, |c| sqlx::query(
            "update subscription
             set last_hard_at = null
             where subscriber_id = $1 and newsletter_id = $2 and last_hard_at <= $3"
        )
        .bind(subscriber)
        .bind(probe.newsletter_id)
        .bind(probe.created_at)
        .execute(c)
        .await
        .map(drop))?;
        let evidence = json!({ "probe": probe.id, "bounce": probe.bounce_id, "came_back": false });
        let cause = Cause { reason: Reason::Probe, evidence: &evidence, at: now };
        standing::note(tx, subscriber, probe.newsletter_id, cause).await?;
    }
    Ok(probes.len())
}
