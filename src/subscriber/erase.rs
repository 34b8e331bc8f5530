//! Erasure: the person goes, for good and everywhere.
//!
//! What stays: the keyed hash, so that no list brings them back; the counts of
//! the ledger; and, by hash alone, the proof of consent until claims are barred.

use jiff::civil::date;
use jiff::tz::TimeZone;
use rundbrief_subscribers::suppression::{AddressHash, Key, Reason};

use super::{Subscriber, suppression};
use crate::on;
use crate::store::Tx;
use crate::store::value::Millis;

/// Whole years, after the one it happened in, for which claims can be made
/// (§§ 195, 199 BGB).
const PROOF_YEARS: i16 = 3;
/// What stands in a server's reply where the address stood.
const REDACTED: &str = "[erased]";

/// What was done, for the report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// Subscriptions that went.
    pub subscriptions: u64,
    /// Mails that were still to go out, and will not.
    pub cancelled: u64,
    /// Server replies that named the address.
    pub replies: u64,
    /// Mails that came back, whose text went.
    pub bounces: u64,
    /// Records of consent that are kept by hash, as proof.
    pub proofs: u64,
    /// Until when they are kept.
    pub proofs_until: Millis,
}

/// Erases a person within the caller's transaction.
///
/// # Errors
/// The database failed.
pub async fn erase(
    tx: &mut Tx,
    key: &Key,
    subscriber: &Subscriber,
    now: Millis,
) -> sqlx::Result<Report> {
    let hash = key.hash(&subscriber.address);
    suppression::suppress(tx, &hash, Reason::Erased, "", now).await?;
    let proofs_until = end_of_claims(now);
    let proofs = on!(*tx, |c| {
        sqlx::query(
        "insert into consent_proof (address_hash, newsletter_id, act, wording, source, at, keep_until)
         select $2, newsletter_id, act, wording, source, at, $3
         from consent
         where subscriber_id = $1
         order by id"
    )
    .bind(subscriber.id)
    .bind(hash.as_bytes().as_slice())
    .bind(proofs_until)
    .execute(c)
    .await
    .map(|done| done.rows_affected())
    })?;
    let cancelled = cancel(tx, &hash, now).await?;
    let replies = redact(tx, subscriber, &hash).await?;
    let bounces = on!(*tx, |c| sqlx::query(
        "update bounce
         set raw = null
         where raw is not null
           and delivery_id in (
               select id
               from delivery
               where issue_id in (select id from issue) and address_hash = $1)"
    )
    .bind(hash.as_bytes().as_slice())
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    let (subscriptions,): (i64,) =
        on!(*tx, |c| sqlx::query_as("select count(*) from subscription where subscriber_id = $1")
            .bind(subscriber.id)
            .fetch_one(c)
            .await)?;
    // Subscriptions, events and consents go with the person.
    on!(*tx, |c| sqlx::query("delete from subscriber where id = $1")
        .bind(subscriber.id)
        .execute(c)
        .await
        .map(drop))?;
    let subscriptions = u64::try_from(subscriptions).unwrap_or(0);
    Ok(Report { subscriptions, cancelled, replies, bounces, proofs, proofs_until })
}

/// Takes back what was still to go out. What is being sent this moment is met
/// by the suppression.
async fn cancel(tx: &mut Tx, hash: &AddressHash, now: Millis) -> sqlx::Result<u64> {
    on!(*tx, |c| sqlx::query(
        "update delivery
         set state = 'cancelled', changed_at = $2
         where issue_id in (select id from issue)
           and address_hash = $1
           and state in ('queued', 'deferred')"
    )
    .bind(hash.as_bytes().as_slice())
    .bind(now)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))
}

/// Takes the address out of what servers replied.
async fn redact(tx: &mut Tx, subscriber: &Subscriber, hash: &AddressHash) -> sqlx::Result<u64> {
    let address = subscriber.address.as_str();
    let replies = on!(*tx, |c| sqlx::query(
        "update delivery
         set reply = replace(reply, $2, $3)
         where issue_id in (select id from issue) and address_hash = $1 and reply like '%@%'"
    )
    .bind(hash.as_bytes().as_slice())
    .bind(address)
    .bind(REDACTED)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    let attempts = on!(*tx, |c| sqlx::query(
        "update attempt
         set reply = replace(reply, $2, $3)
         where reply like '%@%'
           and delivery_id in (
               select id
               from delivery
               where issue_id in (select id from issue) and address_hash = $1)"
    )
    .bind(hash.as_bytes().as_slice())
    .bind(address)
    .bind(REDACTED)
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(replies + attempts)
}

/// Removes proofs whose time is over; says how many.
///
/// # Errors
/// The database failed.
pub async fn forget_proofs(tx: &mut Tx, now: Millis) -> sqlx::Result<u64> {
    on!(*tx, |c| sqlx::query("delete from consent_proof where keep_until <= $1")
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
}

/// The end of the third year after the one that `now` is in.
fn end_of_claims(now: Millis) -> Millis {
    let year = now.timestamp().to_zoned(TimeZone::UTC).year();
    let end = date(year.saturating_add(PROOF_YEARS + 1).min(9999), 1, 1).at(0, 0, 0, 0);
    let end = end.to_zoned(TimeZone::UTC).expect("the turn of a year exists in UTC");
    Millis::from(end.timestamp())
}

#[cfg(test)]
mod tests {
    use super::end_of_claims;
    use crate::store::value::Millis;

    #[test]
    fn claims_end_with_the_third_year_after() {
        let at = |text: &str| Millis::from(text.parse::<jiff::Timestamp>().unwrap());
        let end = at("2030-01-01T00:00:00Z");
        assert_eq!(end_of_claims(at("2026-01-01T00:00:00Z")), end);
        assert_eq!(end_of_claims(at("2026-12-31T23:59:59Z")), end);
    }
}
