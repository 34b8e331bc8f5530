//! How fast: token buckets for a transport and for each receiving domain, and the rate
//! to which a domain that throttles is slowed. Pure: time is an argument, and the whole
//! state can be stored and read back.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::store::value::Millis;

/// A domain throttles when more than this share of its answers say so …
const THROTTLES: f64 = 0.1;
/// … and at least so many: one reader who is greylisted is no wish of the whole domain.
const THROTTLES_LEAST: f64 = 3.0;
/// Answers of this time count whole, of the same time before half, and so on.
const WINDOW: Duration = Duration::from_secs(10);
/// A domain's rate is halved once in this time at most: what was on its way with the
/// last halving says nothing new.
const HALVES: Duration = Duration::from_secs(10);
/// A domain that throttles before it was sent much is slowed to this rate, a second.
const SLOWED_RATE: f64 = 1.0;
/// Domains whose answers are counted; beyond, those with few are forgotten.
const DOMAINS: usize = 10_000;
/// No domain is slowed below this rate, a second: one mail in five minutes.
const SLOWEST: f64 = 1.0 / 300.0;
/// Without another complaint a slowed domain's rate doubles in this time.
const RECOVERY: Duration = Duration::from_secs(120);
/// Faster than this a slowed domain counts as recovered, a second.
const RECOVERED: f64 = 100.0;

/// A token bucket: so many a second, and never more than a second's worth at once.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    rate: f64,
    tokens: f64,
    at: Millis,
}

impl Bucket {
    /// A bucket of so many a second, with one token in it: a restart does not burst.
    pub fn new(rate: f64, now: Millis) -> Bucket {
        Bucket { rate, tokens: 1.0, at: now }
    }

    fn filled(&self, now: Millis) -> f64 {
        // A clock that was set back gives nothing and takes nothing.
        let passed = (now.0 - self.at.0).max(0) as f64 / 1000.0;
        (self.tokens + passed * self.rate).min(self.rate.max(1.0))
    }

    /// Takes a token, or says when there will be one.
    pub fn take(&mut self, now: Millis) -> Result<(), Millis> {
        self.tokens = self.filled(now);
        self.at = now;
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return Ok(());
        }
        let wait = ((1.0 - self.tokens) / self.rate * 1000.0).ceil() as i64;
        Err(Millis(now.0 + wait.max(1)))
    }
}

/// A receiving domain that asked us to slow down.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Slowed {
    bucket: Bucket,
    since: Millis,
}

/// What a domain answered lately.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Heard {
    /// When the current window began.
    since: Millis,
    answers: f64,
    throttles: f64,
}

impl Heard {
    fn fade(&mut self, now: Millis) {
        // Later than now: the clock was set back meanwhile.
        self.since = self.since.min(now);
        let windows = (now.0 - self.since.0) / WINDOW.as_millis() as i64;
        let left = 0.5_f64.powi(windows.min(64) as i32);
        (self.answers, self.throttles) = (self.answers * left, self.throttles * left);
        self.since.0 += windows * WINDOW.as_millis() as i64;
    }

    /// Answers a second. Exact when they come evenly: those before this window count as
    /// many as one window has.
    fn rate(&self, now: Millis) -> f64 {
        self.answers * 1000.0 / (WINDOW.as_millis() as f64 + (now.0 - self.since.0) as f64)
    }

    fn says_slower(&self) -> bool {
        self.throttles >= THROTTLES_LEAST && self.throttles > self.answers * THROTTLES
    }
}

/// The pace of one transport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    whole: Option<Bucket>,
    domain_rate: Option<f64>,
    /// Not kept: after a restart each domain has one token again.
    #[serde(skip)]
    domains: HashMap<String, Bucket>,
    slowed: HashMap<String, Slowed>,
    #[serde(skip)]
    heard: HashMap<String, Heard>,
}

impl Pace {
    /// A pace with the operator's limits, a second; none is no limit.
    pub fn new(whole: Option<f64>, domain: Option<f64>, now: Millis) -> Pace {
        Pace {
            whole: whole.map(|rate| Bucket::new(rate, now)),
            domain_rate: domain,
            domains: HashMap::new(),
            slowed: HashMap::new(),
            heard: HashMap::new(),
        }
    }

    /// Takes over what was stored, under the limits of today's configuration.
    pub fn resume(mut self, stored: Pace) -> Pace {
        self.slowed = stored.slowed;
        if let (Some(now), Some(then)) = (&mut self.whole, stored.whole) {
            now.tokens = then.tokens.min(now.tokens);
        }
        self
    }

    /// What is worth keeping.
    pub fn kept(&self) -> Pace {
        let (domains, heard) = (HashMap::new(), HashMap::new());
        let slowed = self.slowed.clone();
        Pace { whole: self.whole, domain_rate: self.domain_rate, domains, slowed, heard }
    }

    /// May a mail go to this domain now? Else: when to ask again.
    pub fn admit(&mut self, domain: &str, now: Millis) -> Result<(), Millis> {
        if self.slowed.is_empty() && self.domain_rate.is_none() && self.whole.is_none() {
            return Ok(());
        }
        self.recover(domain, now);
        if let Some(slowed) = self.slowed.get_mut(domain) {
            slowed.bucket.take(now)?;
        }
        if let Some(rate) = self.domain_rate {
            let bucket = self.domains.entry(domain.to_owned());
            bucket.or_insert_with(|| Bucket::new(rate, now)).take(now)?;
        }
        match &mut self.whole {
            Some(bucket) => bucket.take(now),
            None => Ok(()),
        }
    }

    /// A mail to this domain was answered, perhaps with the wish to slow down. A domain
    /// that says so to many is sent half as much from now on.
    pub fn heard(&mut self, domain: &str, throttles: bool, now: Millis) {
        if !self.heard.contains_key(domain) {
            if self.heard.len() >= DOMAINS {
                let many = |heard: &Heard| heard.answers > 1.0 / THROTTLES;
                self.heard.retain(|_, heard| now < heard.since.after(WINDOW * 2) && many(heard));
            }
            let none = Heard { since: now, answers: 0.0, throttles: 0.0 };
            self.heard.insert(domain.to_owned(), none);
        }
        let heard = self.heard.get_mut(domain).expect("it was just put there");
        heard.fade(now);
        heard.answers += 1.0;
        heard.throttles += f64::from(u8::from(throttles));
        if throttles && heard.says_slower() {
            let rate = heard.rate(now);
            self.slow(domain, rate, now);
        }
    }

    /// Half as fast as it was; `rate` is how fast that was without a limit.
    fn slow(&mut self, domain: &str, rate: f64, now: Millis) {
        self.recover(domain, now);
        if let Some(slowed) = self.slowed.get_mut(domain) {
            if now >= slowed.since.after(HALVES) {
                slowed.bucket.rate = (slowed.bucket.rate / 2.0).max(SLOWEST);
                slowed.since = now;
            }
            return;
        }
        let was = rate.max(SLOWED_RATE * 2.0).min(self.domain_rate.unwrap_or(f64::INFINITY));
        let slowed = Slowed { bucket: Bucket::new(was / 2.0, now), since: now };
        self.slowed.insert(domain.to_owned(), slowed);
    }

    /// The operator's limit for the whole transport, a second.
    pub fn rate(&self) -> Option<f64> {
        self.whole.map(|bucket| bucket.rate)
    }

    /// Mails that may go at once now, under that limit.
    pub fn tokens(&self, now: Millis) -> Option<f64> {
        self.whole.map(|bucket| bucket.filled(now))
    }

    /// Domains that are slowed, with their rates a second.
    pub fn slowed(&self) -> impl Iterator<Item = (&str, f64)> {
        self.slowed.iter().map(|(domain, slowed)| (domain.as_str(), slowed.bucket.rate))
    }

    fn recover(&mut self, domain: &str, now: Millis) {
        let Some(slowed) = self.slowed.get_mut(domain) else {
            return;
        };
        // Later than now: the clock was set back meanwhile.
        slowed.since = slowed.since.min(now);
        while now >= slowed.since.after(RECOVERY) {
            slowed.since = slowed.since.after(RECOVERY);
            slowed.bucket.rate *= 2.0;
            if slowed.bucket.rate >= self.domain_rate.unwrap_or(RECOVERED) {
                self.slowed.remove(domain);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Millis = Millis(1_000_000);

    fn later(seconds: u64) -> Millis {
        START.after(Duration::from_secs(seconds))
    }

    /// Mails admitted to a domain in so many seconds, asked a hundred times a second.
    fn admitted(pace: &mut Pace, domain: &str, from: u64, seconds: u64) -> usize {
        (0..seconds * 100)
            .filter(|n| {
                let now = later(from).after(Duration::from_millis(n * 10));
                pace.admit(domain, now).is_ok()
            })
            .count()
    }

    #[test]
    fn a_bucket_gives_its_rate_and_does_not_burst() {
        let mut pace = Pace::new(Some(10.0), None, START);
        let ten_seconds = admitted(&mut pace, "example.org", 0, 10);
        assert!((95..=105).contains(&ten_seconds), "{ten_seconds}");
        let after_a_pause = admitted(&mut pace, "example.org", 1000, 1);
        assert!(after_a_pause <= 20, "{after_a_pause}");
        let again = Bucket::new(5.0, START).take(START.before(Duration::from_secs(9)));
        assert_eq!(again, Ok(()));
    }

    fn throttle(pace: &mut Pace, domain: &str, times: usize, now: Millis) {
        (0..times).for_each(|_| pace.heard(domain, true, now));
    }

    fn rate(pace: &Pace) -> Option<f64> {
        pace.slowed().next().map(|(_, rate)| rate)
    }

    /// Mails sent to a domain in so many seconds, fifty asked for in each; of the answers
    /// each n-th throttles.
    fn sent(pace: &mut Pace, from: u64, seconds: u64, nth: usize) -> usize {
        let mut sent = 0;
        for n in 0..seconds * 50 {
            let now = later(from).after(Duration::from_millis(n * 20));
            if pace.admit("example.org", now).is_ok() {
                sent += 1;
                pace.heard("example.org", sent % nth == 0, now);
            }
        }
        sent
    }

    #[test]
    fn a_domain_that_throttles_is_slowed_alone_and_recovers() {
        let mut pace = Pace::new(None, None, START);
        assert_eq!(admitted(&mut pace, "slow.example.org", 0, 1), 100);
        throttle(&mut pace, "slow.example.org", 9, START);
        assert_eq!(rate(&pace), Some(1.0), "one batch is one wish");
        throttle(&mut pace, "slow.example.org", 9, later(10));
        let slowed = admitted(&mut pace, "slow.example.org", 10, 60);
        assert!((25..=35).contains(&slowed), "{slowed}");
        assert_eq!(admitted(&mut pace, "fast.example.org", 0, 1), 100);
        let stored = serde_json::to_string(&pace).unwrap();
        let stored: Pace = serde_json::from_str(&stored).unwrap();
        let mut resumed = Pace::new(None, None, later(71)).resume(stored);
        assert_eq!(resumed.slowed().count(), 1);
        assert_eq!(admitted(&mut resumed, "slow.example.org", 2000, 1), 100);
        assert_eq!(resumed.slowed().count(), 0);
    }

    #[test]
    fn a_few_greylisted_readers_do_not_slow_a_domain() {
        let mut pace = Pace::new(None, None, START);
        let minutes = 20;
        assert_eq!(sent(&mut pace, 0, minutes * 60, 100), minutes as usize * 60 * 50);
        throttle(&mut pace, "small.example.org", 2, START);
        assert_eq!(rate(&pace), None, "two are not many");
    }

    #[test]
    fn a_domain_that_throttles_all_comes_down_within_a_minute_and_recovers_by_steps() {
        let mut pace = Pace::new(None, None, START);
        sent(&mut pace, 0, 30, usize::MAX);
        throttle(&mut pace, "example.org", 60, later(30));
        let first = rate(&pace).unwrap();
        assert!((20.0..=27.0).contains(&first), "half of fifty, not {first}");
        sent(&mut pace, 30, 60, 1);
        let slow = rate(&pace).unwrap();
        assert!((0.2..=1.0).contains(&slow), "{slow}");
        let mut before = slow;
        for minutes in [2, 4, 6, 8] {
            sent(&mut pace, 90 + minutes * 60, 1, usize::MAX);
            let now = rate(&pace).unwrap();
            assert_eq!(now, before * 2.0, "after {minutes} minutes");
            before = now;
        }
        sent(&mut pace, 3600, 1, usize::MAX);
        assert_eq!(rate(&pace), None);
    }

    #[test]
    fn a_clock_that_was_set_back_slows_nobody_for_long() {
        let mut pace = Pace::new(None, None, later(1_000_000));
        throttle(&mut pace, "example.org", 9, later(1_000_000));
        assert!(admitted(&mut pace, "example.org", 0, 1) <= 1);
        assert_eq!(admitted(&mut pace, "example.org", 1000, 1), 100);
        throttle(&mut pace, "example.org", 9, later(2000));
        assert_eq!(rate(&pace), Some(1.0));
    }
}
