//! Which delivery a report is about, proven by a token of ours. Without one a
//! report changes nobody; a forged or stale one is kept and shown.

use rundbrief_subscribers::token::{DeliveryToken, Key, Kind, ReaderToken};

use super::inbox::BounceId;
use super::record::Record;
use crate::delivery::DeliveryId;
use crate::issue::IssueId;
use crate::newsletter::NewsletterId;
use crate::store::Tx;
use crate::store::value::Millis;
use crate::subscriber::SubscriberId;
use crate::{on, row};

/// How old a delivery may be for a report to count, in milliseconds: 14 days.
pub const MAX_AGE: i64 = 14 * 24 * 60 * 60 * 1000;

row! {
    /// The delivery a report is about, and who it was for.
    Tied {
        /// The delivery.
        delivery: DeliveryId,
        /// Its issue.
        issue: IssueId,
        /// The issue's newsletter.
        newsletter: NewsletterId,
        /// Who it was for; nothing when their data was erased.
        subscriber: Option<SubscriberId>,
        /// The receiving domain.
        domain: String,
        /// Where the delivery stands.
        state: String,
        /// What is known of it already.
        evidence: Option<String>,
        /// When it came to stand there.
        changed_at: Millis,
    }
}

/// How a report is tied.
#[derive(Debug, Clone)]
pub enum Tie {
    /// To this delivery, proven.
    To(Tied),
    /// It carries no token.
    None,
    /// It carries a token that we did not make, or of a mail that was not sent.
    Forged,
    /// It is about a mail that is too old.
    Stale(Tied),
    /// It is about somebody whose data was erased.
    Erased,
}

/// Finds the delivery a report is about.
///
/// # Errors
/// The database failed.
pub async fn find(tx: &mut Tx, key: &Key, record: &Record, received: Millis) -> sqlx::Result<Tie> {
    let mut last = Tie::None;
    for text in record.token.iter().chain(&record.tokens) {
        let Some(token) = DeliveryToken::parse(text) else { continue };
        last = match by_delivery(tx, token.delivery()).await? {
            None => Tie::Forged,
            Some(tied) => match tied.subscriber {
                None => Tie::Erased,
                Some(subscriber) if token.vouches(key, tied.issue.0, subscriber.0) => {
                    return Ok(aged(tied, received));
                }
                Some(_) => Tie::Forged,
            },
        };
    }
    if let Some(text) = &record.reader {
        last = match ReaderToken::open(key, Kind::Unsubscribe, text) {
            None => Tie::Forged,
            Some(reader) => match by_reader(tx, reader.issue, reader.subscriber).await? {
                Some(tied) => return Ok(aged(tied, received)),
                None => Tie::Erased,
            },
        };
    }
    Ok(last)
}

/// A delivery that was never begun has nothing to come back.
fn aged(tied: Tied, received: Millis) -> Tie {
    match tied.state.as_str() {
        "queued" | "claimed" | "cancelled" => Tie::Forged,
        _ if received.0 - tied.changed_at.0 > MAX_AGE => Tie::Stale(tied),
        _ => Tie::To(tied),
    }
}

/// The delivery a stored report was tied to.
///
/// # Errors
/// The database failed.
pub async fn of_bounce(tx: &mut Tx, id: BounceId) -> sqlx::Result<Option<Tied>> {
    let row: Option<(Option<i64>,)> =
        on!(*tx, |c| sqlx::query_as("select delivery_id from bounce where id = $1")
            .bind(id)
            .fetch_optional(c)
            .await)?;
    match row.and_then(|(delivery,)| delivery) {
        Some(delivery) => by_delivery(tx, delivery).await,
        None => Ok(None),
    }
}

async fn by_delivery(tx: &mut Tx, delivery: i64) -> sqlx::Result<Option<Tied>> {
    on!(*tx, |c| sqlx::query_as(
        "select d.id as delivery,
                d.issue_id as issue,
                i.newsletter_id as newsletter,
                d.subscriber_id as subscriber,
                d.domain, d.state, d.evidence, d.changed_at
         from delivery d
         join issue i on i.id = d.issue_id
         where d.id = $1"
    )
    .bind(delivery)
    .fetch_optional(c)
    .await)
}

async fn by_reader(tx: &mut Tx, issue: i64, subscriber: i64) -> sqlx::Result<Option<Tied>> {
    on!(*tx, |c| sqlx::query_as(
        "select d.id as delivery,
                d.issue_id as issue,
                i.newsletter_id as newsletter,
                d.subscriber_id as subscriber,
                d.domain, d.state, d.evidence, d.changed_at
         from delivery d
         join issue i on i.id = d.issue_id
         where d.subscriber_id = $2 and d.issue_id = $1"
    )
    .bind(issue)
    .bind(subscriber)
    .fetch_optional(c)
    .await)
}
