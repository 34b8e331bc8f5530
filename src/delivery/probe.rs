//! What a breaker's probe is: one session with one mail, beside those that were left when
//! the breaker opened and may hang for long. A probe that hangs as well is left too, and
//! the next one is let through. Pure.

use std::time::Duration;

use super::breaker::Gate;
use crate::store::value::Millis;

/// How long a probe may stay without an answer before another one goes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sessions and mails that count as no probe.
#[derive(Debug, Default)]
pub(super) struct Probe {
    sessions: usize,
    mails: usize,
    /// Since when a probe is out.
    since: Option<Millis>,
}

impl Probe {
    /// Looks at what is open and in hand now.
    pub(super) fn look(&mut self, gate: Gate, sessions: usize, mails: usize, now: Millis) {
        let left = Probe { sessions, mails, since: None };
        match gate {
            Gate::Closed => *self = Probe::default(),
            Gate::Open(_) => *self = left,
            Gate::Probe if sessions <= self.sessions || mails <= self.mails => self.since = None,
            Gate::Probe => {
                let since = *self.since.get_or_insert(now);
                // Not when the clock was set back meanwhile.
                if now >= since.after(PATIENCE) || now < since {
                    *self = left;
                }
            }
        }
    }

    /// How many sessions may be open, of so many that are.
    pub(super) fn sessions(&self, open: usize) -> usize {
        self.sessions.min(open) + 1
    }

    /// How many mails may be in hand, of so many that are.
    pub(super) fn mails(&self, held: usize) -> usize {
        self.mails.min(held) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Millis {
        Millis(seconds * 1000)
    }

    #[test]
    fn one_probe_goes_beside_what_hangs() {
        let mut probe = Probe::default();
        probe.look(Gate::Open(at(30)), 4, 7, at(0));
        probe.look(Gate::Probe, 4, 7, at(30));
        assert_eq!((probe.sessions(4), probe.mails(7)), (5, 8));
        // Those that end make no room for more.
        probe.look(Gate::Probe, 2, 1, at(31));
        assert_eq!((probe.sessions(2), probe.mails(1)), (3, 2));
    }

    #[test]
    fn a_probe_that_hangs_is_followed_by_another() {
        let mut probe = Probe::default();
        probe.look(Gate::Open(at(30)), 0, 0, at(0));
        probe.look(Gate::Probe, 1, 1, at(30));
        probe.look(Gate::Probe, 1, 1, at(59));
        assert_eq!((probe.sessions(1), probe.mails(1)), (1, 1), "its answer may still come");
        probe.look(Gate::Probe, 1, 1, at(60));
        assert_eq!((probe.sessions(1), probe.mails(1)), (2, 2));
        // The next one has its own time.
        probe.look(Gate::Probe, 2, 2, at(61));
        probe.look(Gate::Probe, 2, 2, at(90));
        assert_eq!((probe.sessions(2), probe.mails(2)), (2, 2));
        probe.look(Gate::Probe, 2, 2, at(91));
        assert_eq!((probe.sessions(2), probe.mails(2)), (3, 3));
        probe.look(Gate::Closed, 3, 3, at(92));
        assert_eq!((probe.sessions(3), probe.mails(3)), (1, 1), "nothing hangs any more");
    }
}
