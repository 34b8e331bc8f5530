//! Lets happen what follows from a report for its reader, within the caller's
//! transaction: what is remembered, a change of standing with its evidence, a probe.

use rundbrief_subscribers::standing::{Event, Reason as By};
use serde_json::{Value, json};

use super::inbox::BounceId;
use super::record::Record;
use super::rule::{self, Effect, Memory, Policy, Weight};
use super::tie::Tied;
use super::verdict::Verdict;
use crate::errand::{self, ErrandId};
use crate::newsletter::NewsletterId;
use crate::newsletter::definition::Bounces;
use crate::store::Tx;
use crate::store::value::Millis;
use crate::subscriber::standing::{self, Cause};
use crate::subscriber::{SubscriberId, SubscriptionId};
use crate::{on, row};

/// What is written before the why of a report that was taken back.
pub const BACK: &str = "taken back; ";

/// A report, and whom it is about.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The report's key.
    pub id: BounceId,
    /// What it says.
    pub report: &'a Record,
    /// The delivery; for a probe, the one whose bounce caused it.
    pub tied: &'a Tied,
    /// The reader.
    pub subscriber: SubscriberId,
    /// The probe that came back, when it is about one.
    pub probe: Option<ErrandId>,
}

/// Lets happen what follows from a report of this weight.
///
/// # Errors
/// The database failed.
pub async fn apply(
    tx: &mut Tx,
    about: About<'_>,
    weight: Weight,
    at: Millis,
) -> sqlx::Result<(Verdict, String)> {
    let tied = about.tied;
    if let Weight::Ours(reason) = weight {
        tracing::warn!(
            issue = tied.issue.0,
            domain = tied.domain,
            reason = reason.as_str(),
            "a receiver refuses us"
        );
        return Ok((Verdict::Noted, format!("ours: {reason}")));
    }
    let Some((subscription, memory)) = memory(tx, tied.newsletter, about.subscriber).await? else {
        return Ok((Verdict::Noted, "no longer on the list".to_owned()));
    };
    let policy = policy(tx, tied.newsletter).await?;
    let effect = match about.probe {
        None => rule::effect(weight, memory, policy, at),
        Some(_) => rule::of_probe(weight, memory, at),
    };
    match effect {
        Effect::Nothing => Ok((Verdict::Noted, "nothing follows".to_owned())),
        Effect::Remember(memory) => {
            remember(tx, subscription, memory).await?;
            Ok((Verdict::Applied, "remembered".to_owned()))
        }
        Effect::Probe(memory, when) => {
            remember(tx, subscription, memory).await?;
            let asked = probe(tx, about, policy, when, at).await?;
            let why = if asked { "remembered; a probe asks again" } else { "remembered" };
            Ok((Verdict::Applied, why.to_owned()))
        }
        Effect::GiveUp(memory) => {
            remember(tx, subscription, memory).await?;
            change(tx, about, Event::Bounced, By::Bounce, at).await
        }
        Effect::Complain => change(tx, about, Event::Complained, By::Complaint, at).await,
        Effect::Leave => leave(tx, about, "asked to leave by a mail", at).await,
    }
}

/// Queues a probe, unless one was sent within the newsletter's memory: an address that
/// takes probes and refuses issues is given up by its second bounce.
async fn probe(
    tx: &mut Tx,
    about: About<'_>,
    policy: Policy,
    when: Millis,
    now: Millis,
) -> sqlx::Result<bool> {
    let (newsletter, subscriber) = (about.tied.newsletter, about.subscriber);
    let since = policy.remembered_since(now);
    let kind = errand::Kind::Probe;
    if errand::count_since(tx, kind, newsletter, subscriber, since).await? > 0 {
        return Ok(false);
    }
    let delivery = about.tied.delivery;
    let cause = errand::Cause { bounce: about.id, newsletter, subscriber, delivery };
    Ok(errand::queue(tx, kind, cause, when, now).await?.is_some())
}

async fn change(
    tx: &mut Tx,
    about: About<'_>,
    event: Event,
    by: By,
    at: Millis,
) -> sqlx::Result<(Verdict, String)> {
    let evidence = evidence_of(about);
    let cause = Cause { reason: by, evidence: &evidence, at };
    match standing::change(tx, about.subscriber, about.tied.newsletter, event, cause).await {
        Ok(change) if change.was == change.became => {
            Ok((Verdict::Noted, format!("was {} already", change.was)))
        }
        Ok(change) => Ok((Verdict::Applied, format!("{} became {}", change.was, change.became))),
        Err(standing::Error::Missing) => Ok((Verdict::Noted, "no longer on the list".to_owned())),
        Err(standing::Error::Refused(refused)) => Ok((Verdict::Noted, refused.to_string())),
        Err(standing::Error::Database(error)) => Err(error),
    }
}

/// The reader leaves, as they asked; a second time nothing happens.
///
/// # Errors
/// The database failed.
pub async fn leave(
    tx: &mut Tx,
    about: About<'_>,
    wording: &str,
    at: Millis,
) -> sqlx::Result<(Verdict, String)> {
    let evidence = evidence_of(about);
    let cause = Cause { reason: By::Mail, evidence: &evidence, at };
    let newsletter = about.tied.newsletter;
    Ok(match standing::leave(tx, about.subscriber, newsletter, wording, cause).await? {
        Some(change) if change.was == change.became => {
            (Verdict::Noted, format!("was {} already", change.was))
        }
        Some(change) => (Verdict::Applied, format!("{} became {}", change.was, change.became)),
        None => (Verdict::Noted, "no longer on the list".to_owned()),
    })
}

/// What shows why a standing changed; never an address.
fn evidence_of(about: About<'_>) -> Value {
    let first = about.report.recipients.first();
    let mut evidence = json!({
        "bounce": about.id,
        "delivery": about.tied.delivery,
        "issue": about.tied.issue,
        "kind": about.report.kind,
        "reason": first.map(|r| r.reason.as_str()),
        "status": first.and_then(|r| r.status.as_deref()),
        "feedback": about.report.feedback,
    });
    if let Some(probe) = about.probe {
        evidence["probe"] = json!(probe);
    }
    evidence
}

/// When the newsletter gives an address up. A definition that cannot be read must not
/// keep bounces from being read: the defaults hold then.
async fn policy(tx: &mut Tx, newsletter: NewsletterId) -> sqlx::Result<Policy> {
    let row: Option<(Option<String>,)> = on!(*tx, |c| sqlx::query_as(
        "select cast(definition -> 'bounce' as text) from newsletter where id = $1"
    )
    .bind(newsletter)
    .fetch_optional(c)
    .await)?;
    let Some(text) = row.and_then(|(text,)| text) else { return Ok(Policy::default()) };
    Ok(match serde_json::from_str::<Bounces>(&text) {
        Ok(bounces) => Policy::from(&bounces),
        Err(error) => {
            tracing::error!(newsletter = newsletter.0, %error, "bounce: its policy cannot be read");
            Policy::default()
        }
    })
}

row! {
    /// What a subscription remembers.
    Remembered {
        /// Its key.
        id: SubscriptionId,
        /// The score.
        bounce_score: f64,
        /// Of when.
        bounce_scored_at: Option<Millis>,
        /// The last hard bounce.
        last_hard_at: Option<Millis>,
    }
}

async fn memory(
    tx: &mut Tx,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
) -> sqlx::Result<Option<(SubscriptionId, Memory)>> {
    let row: Option<Remembered> = on!(*tx, |c| sqlx::query_as(
        "select id, bounce_score, bounce_scored_at, last_hard_at
         from subscription
         where subscriber_id = $1 and newsletter_id = $2"
    )
    .bind(subscriber)
    .bind(newsletter)
    .fetch_optional(c)
    .await)?;
    Ok(row.map(|row| {
        let memory = Memory {
            score: row.bounce_score,
            scored_at: row.bounce_scored_at,
            hard_at: row.last_hard_at,
        };
        (row.id, memory)
    }))
}

async fn remember(tx: &mut Tx, subscription: SubscriptionId, memory: Memory) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "update subscription
         set bounce_score = $2, bounce_scored_at = $3, last_hard_at = $4
         where id = $1"
    )
    .bind(subscription)
    .bind(memory.score)
    .bind(memory.scored_at)
    .bind(memory.hard_at)
    .execute(c)
    .await
    .map(drop))
}

/// Forgets a subscription's bounces.
///
/// # Errors
/// The database failed.
pub async fn forget(tx: &mut Tx, subscription: SubscriptionId) -> sqlx::Result<()> {
    remember(tx, subscription, Memory::default()).await
}

/// The newest report after this one from which something followed for the same reader.
///
/// # Errors
/// The database failed.
pub async fn later(
    tx: &mut Tx,
    id: BounceId,
    newsletter: NewsletterId,
    subscriber: SubscriberId,
) -> sqlx::Result<Option<BounceId>> {
    let (later,): (Option<BounceId>,) = on!(*tx, |c| sqlx::query_as(
        "select max(b.id)
         from bounce b
         join delivery d on d.id = b.delivery_id
         join issue i on i.id = d.issue_id
         join subscriber s on s.address_hash = d.address_hash
         where b.id > $1 and s.id = $2 and i.newsletter_id = $3
           and (b.verdict = 'applied' or b.verdict = 'decided' and b.decision <> 'nothing')
           and b.why not like $4"
    )
    .bind(id)
    .bind(subscriber)
    .bind(newsletter)
    .bind(format!("{BACK}%"))
    .fetch_one(c)
    .await)?;
    Ok(later)
}
