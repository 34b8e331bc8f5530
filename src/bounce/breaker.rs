//! Holds everything back when too much bounces at once: an outage, a list or a
//! receiver's mistake must not cost readers their subscription.

use std::collections::HashMap;

use crate::on;
use crate::store::Tx;
use crate::store::value::Millis;

/// The hour over which bounces are counted, in milliseconds.
const WINDOW: i64 = 60 * 60 * 1000;
/// Deliveries this old are what bounces are compared with, in milliseconds: 14 days.
const COMPARED: i64 = super::tie::MAX_AGE;
/// Of a hundred deliveries, how many may bounce within the window.
const PERCENT: i64 = 5;
/// Fewer bounces than this within the window hold nothing back: in a small list one
/// dead address is more than five percent.
const AT_LEAST: i64 = 20;

/// How the sentence ends that says why something is held back.
pub const HELD: &str = "bounced within an hour";

/// Remembers for one step which domains are held back.
#[derive(Debug, Default)]
pub struct Breaker {
    known: HashMap<String, bool>,
}

impl Breaker {
    /// Why nobody's standing changes for a bounce of this domain now; `None` when it may.
    ///
    /// # Errors
    /// The database failed.
    pub async fn holds(
        &mut self,
        tx: &mut Tx,
        domain: &str,
        now: Millis,
    ) -> sqlx::Result<Option<String>> {
        if self.open(tx, None, now).await? {
            return Ok(Some(sentence("all deliveries")));
        }
        if self.open(tx, Some(domain), now).await? {
            return Ok(Some(sentence(domain)));
        }
        Ok(None)
    }

    async fn open(&mut self, tx: &mut Tx, domain: Option<&str>, now: Millis) -> sqlx::Result<bool> {
        let key = domain.unwrap_or("").to_owned();
        if let Some(open) = self.known.get(&key) {
            return Ok(*open);
        }
        let bounced = bounced(tx, domain, now).await?;
        // With so many delivered, so many bounces are not too many.
        let enough = bounced * 100 / PERCENT;
        let open = bounced >= AT_LEAST && enough > delivered(tx, domain, enough, now).await?;
        if open {
            tracing::warn!(
                domain = key,
                bounced,
                "too much bounces at once: nobody's standing changes"
            );
        }
        self.known.insert(key, open);
        Ok(open)
    }
}

fn sentence(what: &str) -> String {
    format!("more than {PERCENT} % of {what} {HELD}")
}

/// Deliveries that bounced within the window (probes not counted: most of them do), of a domain or of all.
async fn bounced(tx: &mut Tx, domain: Option<&str>, now: Millis) -> sqlx::Result<i64> {
    let (count,): (i64,) = on!(*tx, |c| sqlx::query_as(
        "select count(distinct b.delivery_id)
         from bounce b
         join delivery d on d.id = b.delivery_id
         where b.received_at > $1
           and b.kind = 'failure'
           and b.errand_id is null
           and ($2 = '' or d.domain = $2)"
    )
    .bind(now.0 - WINDOW)
    .bind(domain.unwrap_or(""))
    .fetch_one(c)
    .await)?;
    Ok(count)
}

/// Deliveries of the issues that went out lately, to a domain or to all; of a domain not
/// more than `enough`, so that a large one is not counted to its end.
async fn delivered(
    tx: &mut Tx,
    domain: Option<&str>,
    enough: i64,
    now: Millis,
) -> sqlx::Result<i64> {
    let since = now.0 - COMPARED;
    let Some(domain) = domain else {
        let text = "
            select cast(coalesce(sum(deliveries), 0) as bigint)
            from tally
            where issue_id in (select id from issue where frozen_at > $1)
              and place in ('accepted', 'refused', 'failed', 'unknown')";
        return on!(*tx, |c| sqlx::query_scalar(text).bind(since).fetch_one(c).await);
    };
    let text = "
        select count(*)
        from (
            select 1
            from delivery d
            where d.issue_id in (select id from issue where frozen_at > $1)
              and d.state in ('accepted', 'failed', 'unknown', 'sending')
              and d.domain = $2
            limit $3) as enough";
    on!(*tx, |c| sqlx::query_scalar(text).bind(since).bind(domain).bind(enough).fetch_one(c).await)
}
