//! A long list begins with a few mails: they go out, what comes back is waited for, and
//! only then the rest follows. The guards look meanwhile.

use std::time::Duration;

use super::sums;
use crate::issue::IssueId;
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};
use crate::{on, read, row};

/// Shorter lists go out at once.
pub const OVER: i64 = 1_000;

row! {
    /// The first wave of an issue that is not over.
    Wave {
        /// So many go out first.
        wave_size: i64,
        /// So long the rest waits, in minutes.
        wave_minutes: i64,
        /// Until then; none: the first ones are not all out.
        wave_until: Option<Millis>,
    }
}

/// Gives an issue that starts its first wave, as its newsletter says.
///
/// # Errors
/// The database failed.
pub async fn plan(tx: &mut Tx, issue: IssueId) -> sqlx::Result<()> {
    let text = "
        select
            cast(coalesce(n.definition -> 'policies' ->> 'first_wave', '0') as bigint) as wave_size,
            cast(coalesce(n.definition -> 'policies' ->> 'first_wave_minutes', '0') as bigint) as wave_minutes,
            cast(null as bigint) as wave_until
        from issue i
        join newsletter n on n.id = i.newsletter_id
        where i.id = $1 and i.total > $2";
    let found: Option<Wave> =
        on!(*tx, |c| sqlx::query_as(text).bind(issue).bind(OVER).fetch_optional(c).await)?;
    let Some(wave) = found.filter(|wave| wave.wave_size > 0) else { return Ok(()) };
    let text = "update issue set wave_size = $2, wave_minutes = $3 where id = $1";
    on!(*tx, |c| sqlx::query(text)
        .bind(issue)
        .bind(wave.wave_size)
        .bind(wave.wave_minutes)
        .execute(c)
        .await
        .map(drop))
}

/// How many of at most so many deliveries may be claimed now. Closes the wave when its
/// mails have all come back from the wire; the issue's row is locked meanwhile, so that
/// several workers share one wave.
///
/// # Errors
/// The database failed.
pub async fn room(tx: &mut Tx, issue: IssueId, most: usize, now: Millis) -> sqlx::Result<usize> {
    let text = "
        select wave_size, wave_minutes, wave_until
        from issue
        where id = $1 and wave_size is not null and (wave_until is null or wave_until > $2)";
    let text = match tx.kind() {
        Kind::Sqlite => text.to_owned(),
        Kind::Postgres => format!("{text} for update"),
    };
    let found: Option<Wave> = on!(*tx, |c| {
        sqlx::query_as(sqlx::AssertSqlSafe(text)).bind(issue).bind(now).fetch_optional(c).await
    })?;
    let Some(wave) = found else { return Ok(most) };
    if wave.wave_until.is_some() {
        return Ok(0);
    }
    let sums = sums::within(tx, issue).await?;
    let left = wave.wave_size - (sums.total - sums.queued);
    if left > 0 {
        return Ok(most.min(usize::try_from(left).unwrap_or(most)));
    }
    if sums.claimed + sums.sending == 0 {
        let wait = Duration::from_secs(60 * wave.wave_minutes.unsigned_abs());
        let until = now.after(wait);
        let text = "update issue set wave_until = $2 where id = $1";
        on!(*tx, |c| sqlx::query(text).bind(issue).bind(until).execute(c).await.map(drop))?;
        tracing::info!(issue = issue.0, mails = wave.wave_size, %until, "delivery.wave.out");
    }
    Ok(0)
}

/// Until when an issue's other mails wait for what comes back of the first.
///
/// # Errors
/// The database failed.
pub async fn waits(store: &Store, issue: IssueId, now: Millis) -> sqlx::Result<Option<Millis>> {
    let text = "select wave_until from issue where id = $1 and wave_until > $2";
    let found: Option<(Millis,)> =
        read!(store, |db| sqlx::query_as(text).bind(issue).bind(now).fetch_optional(db).await)?;
    Ok(found.map(|(until,)| until))
}
