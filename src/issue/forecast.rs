//! Before sending: who gets an issue, who does not and why, and how fast it goes.

use super::IssueId;
use super::state::State;
use crate::config::Config;
use crate::newsletter::NewsletterId;
use crate::read;
use crate::store::Store;
use crate::store::value::Millis;

/// Who gets an issue and who does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Audience {
    /// Readers whose mail will be written into the ledger.
    pub gets: i64,
    /// The others, by why.
    pub kept: Vec<(String, i64)>,
}

/// Counts a newsletter's readers as freezing would find them now.
///
/// # Errors
/// The database failed.
pub async fn audience(store: &Store, newsletter: NewsletterId) -> sqlx::Result<Audience> {
    let rows: Vec<(String, i64)> = read!(store, |db| sqlx::query_as(
        "select
             case
                 when s.standing = 'active' and x.address_hash is not null then 'suppressed'
                 else s.standing
             end as why,
             count(*) as readers
         from subscription s
         join subscriber r on r.id = s.subscriber_id
         left join suppression x on x.address_hash = r.address_hash
         where s.newsletter_id = $1
         group by 1
         order by 1"
    )
    .bind(newsletter)
    .fetch_all(db)
    .await)?;
    let mut audience = Audience::default();
    for (why, readers) in rows {
        if why == "active" {
            audience.gets = readers;
        } else {
            audience.kept.push((why, readers));
        }
    }
    Ok(audience)
}

/// Mails a second: what the newsletter's last finished issue reached, but not more than
/// the transports are allowed. `None` where neither is known.
///
/// # Errors
/// The database failed.
pub async fn rate(
    store: &Store,
    config: &Config,
    newsletter: NewsletterId,
) -> sqlx::Result<Option<f64>> {
    let last: Option<(IssueId, i64, Millis, Millis)> = read!(store, |db| sqlx::query_as(
        "select id, total, frozen_at, finished_at
         from issue
         where newsletter_id = $1 and state = $2 and total > 0
           and frozen_at is not null and finished_at is not null
         order by id desc
         limit 1"
    )
    .bind(newsletter)
    .bind(State::Finished)
    .fetch_optional(db)
    .await)?;
    let reached = last.map(|(_, total, from, to)| {
        let milliseconds = (to.0 - from.0).max(1);
        total as f64 * 1000.0 / milliseconds as f64
    });
    let limits = config.transport.values().map(|transport| transport.messages_per_second);
    // One transport without a limit makes the sum unlimited.
    let allowed = limits.sum::<Option<f64>>().filter(|sum| *sum > 0.0);
    Ok(match (reached, allowed) {
        (Some(reached), Some(allowed)) => Some(reached.min(allowed)),
        (one, other) => one.or(other),
    })
}
