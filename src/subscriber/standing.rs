//! Standings as stored: each change is an event with its evidence.

use rundbrief_subscribers::consent::Act;
use rundbrief_subscribers::standing::{Event, Reason, Refused, Standing};
use rundbrief_subscribers::suppression::{self as rule, AddressHash};
use serde_json::Value;
use sqlx::types::Json;

use super::{SubscriberId, SubscriptionId, consent, suppression};
use crate::newsletter::NewsletterId;
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};
use crate::{on, read, row};

/// Breaks that one call ends.
const RESUMED_AT_ONCE: i64 = 500;

/// What ties a person to a newsletter.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// Its key.
    pub id: SubscriptionId,
    /// The newsletter.
    pub newsletter: NewsletterId,
    /// The newsletter's short name.
    pub slug: String,
    /// The newsletter's title.
    pub title: String,
    /// Where it stands.
    pub standing: Standing,
    /// Since when it stands there.
    pub since: Millis,
    /// When a break ends by itself.
    pub paused_until: Option<Millis>,
}

/// A change of standing; `was` and `became` are the same when nothing had to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// What changed.
    pub subscription: SubscriptionId,
    /// Before.
    pub was: Standing,
    /// After.
    pub became: Standing,
}

/// Why a standing did not change.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The person is not on that list.
    #[error("there is no such subscription")]
    Missing,
    /// The standing cannot have that event.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Who or what changes a standing, and what shows it.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a> {
    /// By which way.
    pub reason: Reason,
    /// What shows it: the issue, the delivery, the bounce. Never an address.
    pub evidence: &'a Value,
    /// When.
    pub at: Millis,
}

row! {
    /// A subscription as stored.
    Row {
        /// Key.
        id: SubscriptionId,
        /// Key or short name.
        newsletter: NewsletterId,
        /// Short name.
        slug: String,
        /// As readers know it.
        title: String,
        /// A word.
        standing: String,
        /// Since when.
        since: Millis,
        /// When a break ends.
        paused_until: Option<Millis>,
    }
}

/// All subscriptions of a person, by the newsletter's title.
///
/// # Errors
/// The database failed.
pub async fn of(store: &Store, subscriber: SubscriberId) -> anyhow::Result<Vec<Subscription>> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select s.id, n.id as newsletter, n.slug, n.title, s.standing, s.since, s.paused_until
         from subscription s
         join newsletter n on n.id = s.newsletter_id
         where s.subscriber_id = $1
         order by n.title, n.id"
    )
    .bind(subscriber)
    .fetch_all(db)
    .await)?;
    let read = |row: Row| {
        Ok(Subscription {
            id: row.id,
            newsletter: row.newsletter,
            slug: row.slug,
            title: row.title,
            standing: stored(&row.standing)?,
            since: row.since,
            paused_until: row.paused_until,
        })
    };
    rows.into_iter().map(read).collect()
}

/// A standing as a `check` of the table allows it.
pub(super) fn stored(word: &str) -> sqlx::Result<Standing> {
    Standing::parse(word)
        .ok_or_else(|| sqlx::Error::Decode(format!("{word:?} is no standing").into()))
}

row! {
    /// A change as recorded.
    Recorded {
        /// The newsletter's short name.
        newsletter: String,
        /// Before.
        was: String,
        /// After.
        became: String,
        /// By which way.
        reason: String,
        /// What shows it.
        evidence: Json<Value>,
        /// When.
        at: Millis,
    }
}

/// All changes of a person's standings, the oldest first.
///
/// # Errors
/// The database failed.
pub async fn events(store: &Store, subscriber: SubscriberId) -> sqlx::Result<Vec<Recorded>> {
    read!(store, |db| sqlx::query_as(
        "select n.slug as newsletter, e.was, e.became, e.reason, e.evidence, e.at
         from standing_event e
         join subscription s on s.id = e.subscription_id
         join newsletter n on n.id = s.newsletter_id
         where s.subscriber_id = $1
         order by e.id"
    )
    .bind(subscriber)
    .fetch_all(db)
    .await)
}

/// The subscription and its standing, held until the transaction ends.
async fn held(
    tx: &mut Tx,
    subscriber: SubscriberId,
    newsletter: NewsletterId,
) -> sqlx::Result<Option<(SubscriptionId, Standing)>> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "select id, standing from subscription where subscriber_id = $1 and newsletter_id = $2"
        }
        Kind::Postgres => {
            "select id, standing from subscription where subscriber_id = $1 and newsletter_id = $2
             for update"
        }
    };
    let row: Option<(SubscriptionId, String)> = on!(*tx, |c| sqlx::query_as(text)
        .bind(subscriber)
        .bind(newsletter)
        .fetch_optional(c)
        .await)?;
    row.map(|(id, word)| Ok((id, stored(&word)?))).transpose()
}

/// Puts somebody on a list with this standing; `None` when they are on it already.
///
/// # Errors
/// The database failed.
pub async fn begin(
    tx: &mut Tx,
    subscriber: SubscriberId,
    newsletter: NewsletterId,
    standing: Standing,
    now: Millis,
) -> sqlx::Result<Option<SubscriptionId>> {
    let row: Option<(SubscriptionId,)> = on!(*tx, |c| sqlx::query_as(
        "insert into subscription (subscriber_id, newsletter_id, standing, since)
         values ($1, $2, $3, $4)
         on conflict (subscriber_id, newsletter_id) do nothing
         returning id"
    )
    .bind(subscriber)
    .bind(newsletter)
    .bind(standing.as_str())
    .bind(now)
    .fetch_optional(c)
    .await)?;
    Ok(row.map(|(id,)| id))
}

/// Lets an event happen to a subscription: the standing changes as the rules
/// say, the event is recorded, a complaint suppresses the address and a
/// confirmation lifts what it may lift. The same twice is no error.
///
/// # Errors
/// There is no such subscription, or its standing cannot have that event.
pub async fn change(
    tx: &mut Tx,
    subscriber: SubscriberId,
    newsletter: NewsletterId,
    event: Event,
    cause: Cause<'_>,
) -> Result<Change, Error> {
    let (subscription, was) = held(tx, subscriber, newsletter).await?.ok_or(Error::Missing)?;
    let became = was.after(event)?;
    let change = Change { subscription, was, became };
    match event {
        Event::Complained => {
            let hash = hash_of(tx, subscriber).await?;
            suppression::suppress(tx, &hash, rule::Reason::Complained, "", cause.at).await?;
        }
        Event::Confirmed => {
            let hash = hash_of(tx, subscriber).await?;
            let reason = suppression::reason(tx, &hash).await?;
            if reason.is_some_and(rule::Reason::lifted_by_confirmation) {
                suppression::lift(tx, &hash).await?;
            }
        }
        Event::Forgiven => {
            let hash = hash_of(tx, subscriber).await?;
            suppression::lift(tx, &hash).await?;
        }
        Event::Paused | Event::Resumed | Event::Left | Event::Bounced | Event::Restored => {}
    }
    if was != became {
        store_change(tx, change, cause).await?;
    }
    Ok(change)
}

async fn hash_of(tx: &mut Tx, subscriber: SubscriberId) -> sqlx::Result<AddressHash> {
    let (octets,): (Vec<u8>,) =
        on!(*tx, |c| sqlx::query_as("select address_hash from subscriber where id = $1")
            .bind(subscriber)
            .fetch_one(c)
            .await)?;
    AddressHash::from_bytes(&octets)
        .ok_or_else(|| sqlx::Error::Decode("an address hash of another length".into()))
}

/// Writes a change down, in the subscription and beside it.
pub(super) async fn store_change(
    tx: &mut Tx,
    change: Change,
    cause: Cause<'_>,
) -> sqlx::Result<()> {
    let updated = on!(*tx, |c| sqlx::query(
        "update subscription
         set standing = $3, since = $4, paused_until = null
         where id = $1 and standing = $2"
    )
    .bind(change.subscription)
    .bind(change.was.as_str())
    .bind(change.became.as_str())
    .bind(cause.at)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    if updated != 1 {
        return Err(sqlx::Error::RowNotFound);
    }
    store_event(tx, change, cause).await
}

/// Writes down something that tells about a subscription and leaves it as it stands.
///
/// # Errors
/// The database failed.
pub async fn note(
    tx: &mut Tx,
    subscriber: SubscriberId,
    newsletter: NewsletterId,
    cause: Cause<'_>,
) -> sqlx::Result<()> {
    match held(tx, subscriber, newsletter).await? {
        Some((subscription, standing)) => {
            store_event(tx, Change { subscription, was: standing, became: standing }, cause).await
        }
        None => Ok(()),
    }
}

async fn store_event(tx: &mut Tx, change: Change, cause: Cause<'_>) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "insert into standing_event (subscription_id, was, became, reason, evidence, at)
         values ($1, $2, $3, $4, $5, $6)"
    )
    .bind(change.subscription)
    .bind(change.was.as_str())
    .bind(change.became.as_str())
    .bind(cause.reason.as_str())
    .bind(Json(cause.evidence))
    .bind(cause.at)
    .execute(c)
    .await
    .map(drop))
}

/// The person leaves: at once, for as long as they want, and as often as the
/// link is clicked. `wording` is what the page or the mail said. Somebody who is
/// not on the list (any more) has left, too.
///
/// # Errors
/// The database failed.
pub async fn leave(
    tx: &mut Tx,
    subscriber: SubscriberId,
    newsletter: NewsletterId,
    wording: &str,
    cause: Cause<'_>,
) -> sqlx::Result<Option<Change>> {
    let change = match change(tx, subscriber, newsletter, Event::Left, cause).await {
        Ok(change) => change,
        // `Left` is refused by no standing.
        Err(Error::Missing | Error::Refused(_)) => return Ok(None),
        Err(Error::Database(error)) => return Err(error),
    };
    if change.was != change.became {
        let told = (wording, cause.reason.as_str());
        consent::record(tx, subscriber, newsletter, Act::Withdrawn, told, cause.at).await?;
    }
    Ok(Some(change))
}

/// The person takes a break, until a moment or until they say otherwise.
///
/// # Errors
/// See [`change`].
pub async fn pause(
    tx: &mut Tx,
    subscriber: SubscriberId,
    newsletter: NewsletterId,
    until: Option<Millis>,
    cause: Cause<'_>,
) -> Result<Change, Error> {
    let change = change(tx, subscriber, newsletter, Event::Paused, cause).await?;
    on!(*tx, |c| sqlx::query("update subscription set paused_until = $2 where id = $1")
        .bind(change.subscription)
        .bind(until)
        .execute(c)
        .await
        .map(drop))?;
    Ok(change)
}

/// Ends breaks whose time is over, some at a time; says how many.
///
/// # Errors
/// The database failed.
pub async fn resume_due(tx: &mut Tx, now: Millis) -> sqlx::Result<usize> {
    let text = match tx.kind() {
        Kind::Sqlite => {
            "select id from subscription
             where paused_until <= $1 and standing = 'paused'
             order by paused_until
             limit $2"
        }
        Kind::Postgres => {
            "select id from subscription
             where paused_until <= $1 and standing = 'paused'
             order by paused_until
             limit $2
             for update skip locked"
        }
    };
    let due: Vec<(SubscriptionId,)> =
        on!(*tx, |c| sqlx::query_as(text).bind(now).bind(RESUMED_AT_ONCE).fetch_all(c).await)?;
    for (subscription,) in &due {
        let change =
            Change { subscription: *subscription, was: Standing::Paused, became: Standing::Active };
        let cause = Cause { reason: Reason::PauseOver, evidence: &Value::Null, at: now };
        store_change(tx, change, cause).await?;
    }
    Ok(due.len())
}
