//! What follows from a bounce for a subscription. Pure: what came back and what
//! came back before give the effect; storing it is `verdict`'s.
//!
//! Only evidence about the address counts. What is our own fault raises an alarm
//! and counts against nobody.

use super::reason::Reason;
use super::record::{Recipient, Record};
use super::returned;
use crate::newsletter::definition::Bounces;
use crate::store::value::Millis;

/// A day, in milliseconds.
const DAY: i64 = 24 * 60 * 60 * 1000;
/// Two hard bounces count as two when this many hours lie between them, so that one
/// outage around midnight is one.
const APART_HOURS: i64 = 18;

/// When a newsletter gives an address up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Policy {
    /// Hard bounces on different days. One or two.
    pub hard: u32,
    /// A hard bounce is forgotten after this many days without another.
    pub memory_days: i64,
    /// Days after a first "user unknown" until a probe asks again; none: no probe.
    pub probe_days: Option<i64>,
    /// The score of soft bounces: each counts one and decays. At 4.5, five in short
    /// order or seven weekly ones; one a month never gets there.
    pub soft: f64,
    /// Days after which a soft bounce weighs half.
    pub half_life_days: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self::from(&Bounces::default())
    }
}

impl From<&Bounces> for Policy {
    fn from(bounces: &Bounces) -> Self {
        let probe = i64::from(bounces.probe_after_days.get());
        Self {
            hard: bounces.hard.get(),
            memory_days: bounces.hard_memory_days.get().into(),
            probe_days: (probe > 0).then_some(probe),
            soft: bounces.soft.get(),
            half_life_days: bounces.soft_half_life_days.get().into(),
        }
    }
}

impl Policy {
    /// The moment before which a hard bounce or a probe is forgotten.
    pub fn remembered_since(self, now: Millis) -> Millis {
        Millis(now.0 - self.memory_days * DAY)
    }
}

/// What a report weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The address is dead.
    Hard(Reason),
    /// The reader's mailbox or system refused, for now.
    Soft(Reason),
    /// The fault is ours: an alarm, nothing else.
    Ours(Reason),
    /// Somebody complained.
    Complaint,
    /// Somebody wants to leave, and said so by a program.
    Leave,
    /// Nothing about the address.
    Nothing,
}

/// What is remembered of a subscription's bounces.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Memory {
    /// The score of soft bounces when it was last changed.
    pub score: f64,
    /// When that was.
    pub scored_at: Option<Millis>,
    /// The last hard bounce that counted.
    pub hard_at: Option<Millis>,
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Effect {
    /// Remember this.
    Remember(Memory),
    /// Remember this, and ask again by a probe at that moment.
    Probe(Memory, Millis),
    /// Remember this, and give the address up.
    GiveUp(Memory),
    /// Suppress the address for good.
    Complain,
    /// They left.
    Leave,
    /// Nothing changes.
    Nothing,
}

/// What a report weighs for the recipient `address`, if it names them, else for the
/// first who failed behind a forwarding or an alias of theirs.
pub fn weigh(record: &Record, address: &str) -> Weight {
    match record.kind.as_str() {
        "complaint" => match record.feedback.as_deref() {
            Some("opt-out" | "opt-out-list") => Weight::Leave,
            Some("auth-failure" | "dmarc" | "virus") => Weight::Nothing,
            Some(_) | None => Weight::Complaint,
        },
        "failure" => {
            let failed = || record.recipients.iter().filter(|r| r.action == "failed");
            let theirs = failed().find(|r| {
                let named = |a: &str| a.eq_ignore_ascii_case(address);
                named(&r.address) || r.original.as_deref().is_some_and(named)
            });
            let Some(recipient) =
                theirs.or_else(|| failed().find(|r| !is_foreign(record, r, address)))
            else {
                return Weight::Nothing;
            };
            let reason = Reason::parse(&recipient.reason).unwrap_or(Reason::Unspecified);
            if recipient.hard == Some(true) {
                Weight::Hard(reason)
            } else if reason.is_ours() {
                Weight::Ours(reason)
            } else {
                Weight::Soft(reason)
            }
        }
        _ => Weight::Nothing,
    }
}

/// Whether what failed has nothing to do with a reader: another name at another domain,
/// in a report that does not return a mail of ours.
fn is_foreign(record: &Record, failed: &Recipient, address: &str) -> bool {
    let returned = record
        .message_id
        .as_deref()
        .and_then(|id| returned::token(id.trim_start_matches('<').split('@').next()?));
    let alike = match (failed.address.rsplit_once('@'), address.rsplit_once('@')) {
        (Some((name, domain)), Some((local, host))) => {
            name.eq_ignore_ascii_case(local) || domain.eq_ignore_ascii_case(host)
        }
        // What an editor taught names nobody.
        (None, _) | (_, None) => true,
    };
    returned.is_none() && !alike
}

/// What follows from a report at a moment.
pub fn effect(weight: Weight, memory: Memory, policy: Policy, at: Millis) -> Effect {
    match weight {
        Weight::Hard(reason) => {
            let since = memory.hard_at.map(|before| at.0 - before.0);
            let memory = Memory { hard_at: Some(at), ..memory };
            let again = since.is_some_and(|ms| {
                (APART_HOURS * DAY / 24..=policy.memory_days * DAY).contains(&ms)
            });
            if policy.hard <= 1 || again {
                return Effect::GiveUp(memory);
            }
            // The first of a day stays, or a mail each hour would never make two days.
            if since.is_some_and(|ms| ms < APART_HOURS * DAY / 24) {
                return Effect::Nothing;
            }
            match policy.probe_days {
                Some(days) if reason == Reason::UserUnknown => {
                    Effect::Probe(memory, Millis(at.0 + days * DAY))
                }
                Some(_) | None => Effect::Remember(memory),
            }
        }
        Weight::Soft(_) => {
            let score = decayed(memory, policy, at) + 1.0;
            let memory = Memory { score, scored_at: Some(at), ..memory };
            if score >= policy.soft { Effect::GiveUp(memory) } else { Effect::Remember(memory) }
        }
        Weight::Complaint => Effect::Complain,
        Weight::Leave => Effect::Leave,
        Weight::Ours(_) | Weight::Nothing => Effect::Nothing,
    }
}

/// What follows from a report about a probe: that it is dead is the last word; that it
/// is full or busy now says that there is somebody.
pub fn of_probe(weight: Weight, memory: Memory, at: Millis) -> Effect {
    match weight {
        Weight::Hard(_) => Effect::GiveUp(Memory { hard_at: Some(at), ..memory }),
        Weight::Complaint => Effect::Complain,
        Weight::Leave => Effect::Leave,
        Weight::Soft(_) | Weight::Ours(_) | Weight::Nothing => Effect::Nothing,
    }
}

/// The score as it stands at a moment: half of it is gone after each half-life.
pub fn decayed(memory: Memory, policy: Policy, at: Millis) -> f64 {
    let Some(scored_at) = memory.scored_at else { return 0.0 };
    let days = (at.0 - scored_at.0).max(0) as f64 / DAY as f64;
    memory.score * 0.5_f64.powf(days / policy.half_life_days)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARD: Weight = Weight::Hard(Reason::HostUnknown);
    const SOFT: Weight = Weight::Soft(Reason::MailboxFull);

    fn day(n: i64) -> Millis {
        Millis(n * DAY)
    }

    fn remembered(effect: Effect) -> Memory {
        match effect {
            Effect::Remember(memory) => memory,
            other @ (Effect::Probe(..)
            | Effect::GiveUp(_)
            | Effect::Complain
            | Effect::Leave
            | Effect::Nothing) => {
                panic!("{other:?}")
            }
        }
    }

    #[test]
    fn two_hard_bounces_on_different_days_give_an_address_up() {
        let policy = Policy::default();
        let first = remembered(effect(HARD, Memory::default(), policy, day(10)));
        assert_eq!(effect(HARD, first, policy, Millis(day(10).0 + DAY / 24)), Effect::Nothing);
        assert!(matches!(effect(HARD, first, policy, day(11)), Effect::GiveUp(_)));
        assert!(matches!(effect(HARD, first, policy, day(10 + 181)), Effect::Remember(_)));
        let strict = Policy { hard: 1, ..policy };
        assert!(matches!(effect(HARD, Memory::default(), strict, day(1)), Effect::GiveUp(_)));
    }

    #[test]
    fn a_first_user_unknown_is_asked_again_and_a_second_is_not() {
        let unknown = Weight::Hard(Reason::UserUnknown);
        let policy = Policy::default();
        let first = effect(unknown, Memory::default(), policy, day(10));
        let Effect::Probe(memory, at) = first else { panic!("{first:?}") };
        assert_eq!(at, day(13));
        assert_eq!(effect(unknown, memory, policy, Millis(day(10).0 + 1)), Effect::Nothing);
        assert!(matches!(effect(unknown, memory, policy, day(11)), Effect::GiveUp(_)));
        let silent = Policy { probe_days: None, ..policy };
        assert_eq!(effect(unknown, Memory::default(), silent, day(10)), Effect::Remember(memory));
        let short = Policy { memory_days: 5, ..silent };
        assert!(matches!(effect(unknown, memory, short, day(16)), Effect::Remember(_)));
    }

    #[test]
    fn soft_bounces_decay() {
        let policy = Policy::default();
        let mut memory = Memory::default();
        for week in 0..4 {
            memory = remembered(effect(SOFT, memory, policy, day(week)));
        }
        assert!((decayed(memory, policy, day(33)) - memory.score / 2.0).abs() < 1e-9);
        // A full mailbox once a month is never given up.
        let mut memory = Memory::default();
        for month in 0..100 {
            memory = remembered(effect(SOFT, memory, policy, day(month * 30)));
        }
        // Five in short order are.
        let mut memory = Memory::default();
        for hour in 0..4 {
            memory = remembered(effect(SOFT, memory, policy, Millis(hour)));
        }
        assert!(matches!(effect(SOFT, memory, policy, Millis(4)), Effect::GiveUp(_)));
    }

    #[test]
    fn what_is_our_fault_counts_against_nobody() {
        for reason in Reason::ALL {
            let weight = Weight::Ours(reason);
            assert_eq!(
                effect(weight, Memory::default(), Policy::default(), day(1)),
                Effect::Nothing
            );
            assert!(!(reason.is_ours() && reason.is_hard()));
        }
    }
}
