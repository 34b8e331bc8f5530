//! The breaker of a relay: whether it is asked at all, after what it answered lately.
//! Pure: time is an argument, and the whole state can be stored and read back.

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::value::Millis;

/// Failed sessions in a row that open the breaker.
const FAILURES: u32 = 5;
/// How many outcomes the share of temporary refusals is taken from.
const RECENT: usize = 50;
/// The share of temporary refusals among them that opens it.
const SHARE: f64 = 0.3;
/// How long the breaker stays open first; doubled with every failed probe.
const OPEN: Duration = Duration::from_secs(30);
/// And at most.
pub(super) const OPEN_MOST: Duration = Duration::from_secs(600);

/// Whether a relay is asked at all.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Breaker {
    failures: u32,
    recent: VecDeque<bool>,
    opened: u32,
    until: Option<Millis>,
}

/// What the breaker lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// All sessions.
    Closed,
    /// One session, to see whether the relay is back.
    Probe,
    /// None before this moment.
    Open(Millis),
}

impl Breaker {
    /// After a restart nothing is counted, and an open breaker tries one session at
    /// once, since somebody may have mended what was wrong.
    pub fn resume(self, now: Millis) -> Breaker {
        let until = self.until.map(|until| until.min(now));
        Breaker { until, opened: self.opened, ..Breaker::default() }
    }

    /// What may go out now.
    pub fn gate(&self, now: Millis) -> Gate {
        match self.until {
            None => Gate::Closed,
            // Later than it ever waits: the clock was set back meanwhile.
            Some(until) if now < until && until <= now.after(OPEN_MOST) => Gate::Open(until),
            Some(_) => Gate::Probe,
        }
    }

    /// What began before the breaker would ask again was on its way when it opened: its
    /// end neither closes the breaker nor makes its wait longer. Only a probe does.
    fn is_old(&self, begun: Millis, now: Millis) -> bool {
        self.until.is_some_and(|until| begun < until && until <= now.after(OPEN_MOST))
    }

    /// The relay did its work for a mail or session that began then. Closes the breaker.
    pub fn good(&mut self, begun: Millis, now: Millis) {
        if self.is_old(begun, now) {
            return;
        }
        (self.failures, self.opened, self.until) = (0, 0, None);
        self.remember(false);
    }

    /// It asked to come back later, for one reader. Many of these open the breaker; one
    /// that many of these opened stays so when the probe gets the same.
    pub fn later(&mut self, begun: Millis, now: Millis) {
        if self.is_old(begun, now) {
            return;
        }
        let failures = std::mem::take(&mut self.failures);
        if self.until.is_some() {
            if failures == 0 {
                self.open(now);
            }
            return;
        }
        self.remember(true);
        let temporary = self.recent.iter().filter(|later| **later).count();
        if self.recent.len() == RECENT && temporary as f64 > SHARE * RECENT as f64 {
            self.open(now);
        }
    }

    /// A session failed.
    pub fn bad(&mut self, begun: Millis, now: Millis) {
        if self.is_old(begun, now) {
            return;
        }
        self.failures += 1;
        if self.until.is_some() || self.failures >= FAILURES {
            self.open(now);
        }
    }

    fn open(&mut self, now: Millis) {
        let wait = OPEN * 2_u32.saturating_pow(self.opened.min(10));
        self.opened += 1;
        self.until = Some(now.after(wait.min(OPEN_MOST)));
        self.recent.clear();
    }

    fn remember(&mut self, later: bool) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(later);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000);

    fn later(seconds: u64) -> Millis {
        START.after(Duration::from_secs(seconds))
    }

    #[test]
    fn the_breaker_opens_probes_and_closes() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.bad(START, START);
        }
        assert_eq!(breaker.gate(START), Gate::Closed);
        breaker.bad(START, START);
        breaker.bad(START, START);
        assert_eq!(breaker.gate(START), Gate::Open(later(30)));
        assert_eq!(breaker.gate(later(30)), Gate::Probe);
        breaker.bad(later(29), later(40));
        assert_eq!(breaker.gate(later(40)), Gate::Probe, "it was no probe");
        breaker.bad(later(30), later(30));
        assert_eq!(breaker.gate(later(31)), Gate::Open(later(90)));
        breaker.good(later(29), later(100));
        assert_eq!(breaker.gate(later(100)), Gate::Probe, "it was no probe");
        breaker.good(later(100), later(101));
        assert_eq!(breaker.gate(later(101)), Gate::Closed);
    }

    #[test]
    fn many_temporary_refusals_open_it_and_some_do_not() {
        let mut breaker = Breaker::default();
        for n in 0..200 {
            if n % 4 == 0 { breaker.later(START, START) } else { breaker.good(START, START) }
        }
        assert_eq!(breaker.gate(START), Gate::Closed);
        for _ in 0..20 {
            breaker.later(START, START);
        }
        assert_eq!(breaker.gate(START), Gate::Open(later(30)));
    }

    #[test]
    fn what_is_in_flight_changes_nothing_about_an_open_breaker() {
        for nth in [5, 1] {
            let mut breaker = Breaker::default();
            let mut opened = None;
            for n in 0..300 {
                // Two of five, then all of them.
                let now = START.after(Duration::from_millis(n * 10));
                if n % nth < 2 {
                    breaker.later(START, now)
                } else {
                    breaker.good(START, now)
                }
                opened = opened.or_else(|| match breaker.gate(now) {
                    Gate::Open(until) => Some((now, until)),
                    Gate::Closed | Gate::Probe => None,
                });
            }
            let (at, until) = opened.expect("it opened");
            assert_eq!(until, at.after(OPEN), "the first wait is the shortest");
            assert_eq!(breaker.gate(later(4)), Gate::Open(until));
            assert_eq!(breaker.gate(until), Gate::Probe);
            let mut again = breaker.clone();
            again.later(until, until);
            assert_eq!(
                again.gate(until),
                Gate::Open(until.after(OPEN * 2)),
                "the probe got it too"
            );
            breaker.good(until, until);
            assert_eq!(breaker.gate(until), Gate::Closed);
        }
    }

    #[test]
    fn a_probe_that_shall_come_later_does_not_prolong_an_outage() {
        let mut breaker = Breaker::default();
        (0..5).for_each(|_| breaker.bad(START, START));
        breaker.later(later(30), later(30));
        assert_eq!(breaker.gate(later(30)), Gate::Probe);
        breaker.good(later(30), later(31));
        assert_eq!(breaker.gate(later(31)), Gate::Closed);
    }
}
