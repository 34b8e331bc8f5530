//! Which delivery a report is about, proven by a token of ours. Without one a
//! report changes nobody; a forged or stale one is kept and shown.

use rundbrief_subscribers::token::{DeliveryToken, Key, Kind, ReaderToken};

use super::inbox::BounceId;
use super::person::Letter;
use super::record::Record;
use crate::delivery::DeliveryId;
use crate::errand::{self, ErrandId};
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
    /// To a probe, proven; the delivery is the one whose bounce caused it.
    Probe(Tied, ErrandId),
    /// To a reply that was handed on, proven.
    Reply(ErrandId),
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
        last = match of_token(tx, key, text, received).await? {
            Tie::None => continue,
            tie @ (Tie::Forged | Tie::Erased) => tie,
            tie @ (Tie::To(_) | Tie::Stale(_) | Tie::Probe(..) | Tie::Reply(_)) => return Ok(tie),
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

row! {
    /// An errand, as a report is held against it.
    Errand {
        /// What it is for.
        kind: errand::Kind,
        /// Where it stands.
        state: errand::State,
        /// The newsletter.
        newsletter: NewsletterId,
        /// The reader.
        subscriber: Option<SubscriberId>,
        /// The delivery it is about.
        delivery: Option<i64>,
        /// When it came to stand there.
        changed_at: Millis,
    }
}

/// The errand a token claims to be of.
async fn of_errand(
    tx: &mut Tx,
    key: &Key,
    token: &DeliveryToken,
    id: ErrandId,
    received: Millis,
) -> sqlx::Result<Tie> {
    let row: Option<Errand> = on!(*tx, |c| sqlx::query_as(
        "select kind, state, newsletter_id as newsletter, subscriber_id as subscriber,
                delivery_id as delivery, changed_at
         from errand
         where id = $1"
    )
    .bind(id)
    .fetch_optional(c)
    .await)?;
    let Some(row) = row else { return Ok(Tie::Forged) };
    let subscriber = row.subscriber.map_or(0, |subscriber| subscriber.0);
    let sent = !matches!(row.state, errand::State::Queued | errand::State::Cancelled);
    if !sent || !token.vouches(key, row.newsletter.0, subscriber) {
        return Ok(Tie::Forged);
    }
    if row.kind == errand::Kind::Reply {
        return Ok(Tie::Reply(id));
    }
    let Some(delivery) = row.delivery else { return Ok(Tie::Erased) };
    Ok(match by_delivery(tx, delivery).await? {
        None => Tie::Erased,
        Some(tied) if received.0 - row.changed_at.0 > MAX_AGE => Tie::Stale(tied),
        Some(tied) => Tie::Probe(tied, id),
    })
}

/// The delivery that a person's mail is about: of the Message-IDs it answers, the
/// nearest that is proven; else the last one that went to the address it is from.
/// The second is nobody's proof, and enough for a person to decide.
///
/// # Errors
/// The database failed.
pub async fn of_person(
    tx: &mut Tx,
    key: &Key,
    letter: &Letter,
    received: Millis,
) -> sqlx::Result<Option<(Tied, By)>> {
    let answered = Record {
        kind: String::new(),
        recipients: Vec::new(),
        message_id: None,
        token: None,
        tokens: letter.answers.clone(),
        reader: None,
        feedback: None,
        limit: None,
    };
    if let Tie::To(tied) | Tie::Stale(tied) | Tie::Probe(tied, _) =
        find(tx, key, &answered, received).await?
    {
        return Ok(Some((tied, By::Token)));
    }
    let Some(from) = &letter.from else { return Ok(None) };
    let row: Option<(i64,)> = on!(*tx, |c| sqlx::query_as(
        "select d.id
         from subscriber s
         cross join issue i
         join delivery d on d.issue_id = i.id and d.address_hash = s.address_hash
         where s.address_normal = $1
           and d.state not in ('queued', 'claimed', 'cancelled')
         order by d.id desc
         limit 1"
    )
    .bind(from.normal())
    .fetch_optional(c)
    .await)?;
    Ok(match row {
        Some((delivery,)) => by_delivery(tx, delivery).await?.map(|tied| (tied, By::Address)),
        None => None,
    })
}

/// What ties a person's mail to a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A token of ours.
    Token,
    /// The address it says it is from.
    Address,
}

/// What one token ties to; [`Tie::None`] when it has not the form of one.
///
/// # Errors
/// The database failed.
pub async fn of_token(tx: &mut Tx, key: &Key, text: &str, received: Millis) -> sqlx::Result<Tie> {
    let Some(token) = DeliveryToken::parse(text) else { return Ok(Tie::None) };
    if let Some(errand) = token.of_errand() {
        return of_errand(tx, key, &token, ErrandId(errand), received).await;
    }
    Ok(match by_delivery(tx, token.delivery()).await? {
        None => Tie::Forged,
        Some(tied) => match tied.subscriber {
            None => Tie::Erased,
            Some(subscriber) if token.vouches(key, tied.issue.0, subscriber.0) => {
                aged(tied, received)
            }
            Some(_) => Tie::Forged,
        },
    })
}

/// A delivery that was never begun has nothing to come back.
fn aged(tied: Tied, received: Millis) -> Tie {
    match tied.state.as_str() {
        "queued" | "claimed" | "cancelled" => Tie::Forged,
        _ if received.0 - tied.changed_at.0 > MAX_AGE => Tie::Stale(tied),
        _ => Tie::To(tied),
    }
}

/// The delivery a stored report was tied to, and the errand it is about, if it is.
///
/// # Errors
/// The database failed.
pub async fn of_bounce(
    tx: &mut Tx,
    id: BounceId,
) -> sqlx::Result<Option<(Tied, Option<ErrandId>)>> {
    const TEXT: &str = "select delivery_id, errand_id from bounce where id = $1";
    let row: Option<(Option<i64>, Option<ErrandId>)> =
        on!(*tx, |c| sqlx::query_as(TEXT).bind(id).fetch_optional(c).await)?;
    let Some((Some(delivery), errand)) = row else { return Ok(None) };
    Ok(by_delivery(tx, delivery).await?.map(|tied| (tied, errand)))
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
         from subscriber s
         join issue i on i.id = $1
         join delivery d on d.issue_id = i.id and d.address_hash = s.address_hash
         where s.id = $2 and d.subscriber_id = s.id"
    )
    .bind(issue)
    .bind(subscriber)
    .fetch_optional(c)
    .await)
}
