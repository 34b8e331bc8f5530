//! How the loops are: each says when it has ticked; who is silent for too long is
//! named. Feeds systemd's watchdog and `/readyz`. Monotonic time only: a clock that
//! is set does not look like a hang.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::words;

words! {
    /// The loops of the daemon.
    Loop {
        /// Asks which newsletters are due, and composes.
        Schedule = "schedule",
        /// Fetches sources.
        Source = "source",
        /// Delivers.
        Delivery = "delivery",
        /// Sends probes, hands replies on.
        Errand = "errand",
        /// Takes bounces in.
        Bounce = "bounce",
        /// Reads a mailbox by IMAP.
        Imap = "imap",
        /// Reads a mailbox by POP3.
        Pop3 = "pop3",
        /// Reads a mailbox in a file.
        Mbox = "mbox",
        /// Takes what the mail server hands over.
        Lmtp = "lmtp",
        /// Answers requests.
        Web = "web",
        /// Answers the monitor; nothing waits for it.
        Metrics = "metrics",
    }
}

impl Loop {
    /// How long it may be silent before it counts as hanging: longer than its
    /// longest single step.
    pub fn patience(self) -> Duration {
        match self {
            Loop::Schedule | Loop::Bounce | Loop::Mbox | Loop::Lmtp => Duration::from_secs(120),
            // A batch of mails has 300 s for each command.
            Loop::Imap | Loop::Pop3 => Duration::from_secs(1800),
            // A source has 30 s, its pictures as long again, and redirects.
            Loop::Source => Duration::from_secs(300),
            // After the dot a relay has 600 s to answer (RFC 5321 section 4.5.3.2.6).
            Loop::Delivery | Loop::Errand => Duration::from_secs(780),
            Loop::Web => Duration::from_secs(60),
            // It has no turns.
            Loop::Metrics => Duration::MAX,
        }
    }
}

/// When each loop ticked last.
#[derive(Debug)]
pub struct Pulse {
    started: Instant,
    turning: &'static [Loop],
    /// Milliseconds after `started`, by the loop's place in [`Loop::ALL`].
    beats: [AtomicU64; Loop::ALL.len()],
}

impl Pulse {
    /// All loops count as having ticked now.
    pub fn new(now: Instant) -> Self {
        Pulse::of(Loop::ALL, now)
    }

    /// Only these loops turn in this process; they count as having ticked now.
    pub fn of(turning: &'static [Loop], now: Instant) -> Self {
        Pulse { started: now, turning, beats: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    /// This loop has ticked.
    pub fn beat(&self, which: Loop, now: Instant) {
        self.beats[which as usize].store(self.age(now), Ordering::Relaxed);
    }

    /// The loops that have not ticked for too long.
    pub fn silent(&self) -> Vec<Loop> {
        self.silent_at(Instant::now())
    }

    fn silent_at(&self, now: Instant) -> Vec<Loop> {
        let age = self.age(now);
        let late = |which: &Loop| {
            let patience = u64::try_from(which.patience().as_millis()).unwrap_or(u64::MAX);
            let limit = age.saturating_sub(patience);
            self.beats[*which as usize].load(Ordering::Relaxed) < limit
        };
        self.turning.iter().copied().filter(late).collect()
    }

    /// The loops of this process, with the seconds since each ticked.
    pub fn ages(&self, now: Instant) -> Vec<(Loop, f64)> {
        let age = |which: &Loop| {
            let beat = self.beats[*which as usize].load(Ordering::Relaxed);
            (*which, self.age(now).saturating_sub(beat) as f64 / 1000.0)
        };
        let turns = |which: &&Loop| which.patience() < Duration::MAX;
        self.turning.iter().filter(turns).map(age).collect()
    }

    /// How long this process has been running.
    pub fn uptime(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.started)
    }

    fn age(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.started).as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_hangs_is_named_and_the_others_are_not() {
        let start = Instant::now();
        let pulse = Pulse::new(start);
        let patience = Loop::Delivery.patience();
        let later = start + patience + Duration::from_secs(1);
        for which in Loop::ALL {
            if *which != Loop::Delivery {
                pulse.beat(*which, later);
            }
        }
        assert_eq!(pulse.silent_at(start + patience), []);
        assert_eq!(pulse.silent_at(later), [Loop::Delivery]);
    }
}
