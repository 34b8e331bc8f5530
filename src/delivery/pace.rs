//! How fast: token buckets for a transport and for each receiving domain, a factor
//! by which a domain that throttles is slowed, and the breaker of a relay. Pure:
//! time is an argument, and the whole state can be stored and read back.

use std::collections::{HashMap, VecDeque};
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
const OPEN_MOST: Duration = Duration::from_secs(600);
/// A domain that throttles is slowed to this rate when it had none, a second.
const SLOWED_RATE: f64 = 1.0;
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

/// The pace of one transport.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pace {
    whole: Option<Bucket>,
    domain_rate: Option<f64>,
    /// Not kept: after a restart each domain has one token again.
    #[serde(skip)]
    domains: HashMap<String, Bucket>,
    slowed: HashMap<String, Slowed>,
}

impl Pace {
    /// A pace with the operator's limits, a second; none is no limit.
    pub fn new(whole: Option<f64>, domain: Option<f64>, now: Millis) -> Pace {
        Pace {
            whole: whole.map(|rate| Bucket::new(rate, now)),
            domain_rate: domain,
            domains: HashMap::new(),
            slowed: HashMap::new(),
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
        let slowed = self.slowed.clone();
        Pace { whole: self.whole, domain_rate: self.domain_rate, domains: HashMap::new(), slowed }
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

    /// The domain throttles: half as fast from now on.
    pub fn slow(&mut self, domain: &str, now: Millis) {
        let normal = self.domain_rate.unwrap_or(SLOWED_RATE * 2.0);
        let slowed = self.slowed.entry(domain.to_owned());
        let slowed =
            slowed.or_insert_with(|| Slowed { bucket: Bucket::new(normal, now), since: now });
        slowed.bucket.rate = (slowed.bucket.rate / 2.0).max(SLOWEST);
        slowed.since = now;
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

    /// The relay did its work. Closes the breaker.
    pub fn good(&mut self) {
        (self.failures, self.opened, self.until) = (0, 0, None);
        self.remember(false);
    }

    /// It asked to come back later, for one reader. Many of these open the breaker.
    pub fn later(&mut self, now: Millis) {
        self.failures = 0;
        self.remember(true);
        let temporary = self.recent.iter().filter(|later| **later).count();
        if self.recent.len() == RECENT && temporary as f64 > SHARE * RECENT as f64 {
            self.open(now);
        }
    }

    /// A session failed. Those that were at work when the breaker opened do not make
    /// its wait longer; a failed probe does.
    pub fn bad(&mut self, now: Millis) {
        self.failures += 1;
        let opens = match self.gate(now) {
            Gate::Closed => self.failures >= FAILURES,
            Gate::Probe => true,
            Gate::Open(_) => false,
        };
        if opens {
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

    #[test]
    fn a_domain_that_throttles_is_slowed_alone_and_recovers() {
        let mut pace = Pace::new(None, None, START);
        assert_eq!(admitted(&mut pace, "slow.example.org", 0, 1), 100);
        pace.slow("slow.example.org", START);
        pace.slow("slow.example.org", START);
        let slowed = admitted(&mut pace, "slow.example.org", 0, 60);
        assert!((25..=35).contains(&slowed), "{slowed}");
        assert_eq!(admitted(&mut pace, "fast.example.org", 0, 1), 100);
        let stored = serde_json::to_string(&pace).unwrap();
        let stored: Pace = serde_json::from_str(&stored).unwrap();
        let mut resumed = Pace::new(None, None, later(61)).resume(stored);
        assert_eq!(resumed.slowed().count(), 1);
        assert_eq!(admitted(&mut resumed, "slow.example.org", 2000, 1), 100);
        assert_eq!(resumed.slowed().count(), 0);
    }

    #[test]
    fn the_breaker_opens_probes_and_closes() {
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.bad(START);
        }
        assert_eq!(breaker.gate(START), Gate::Closed);
        breaker.bad(START);
        breaker.bad(START);
        assert_eq!(breaker.gate(START), Gate::Open(later(30)));
        assert_eq!(breaker.gate(later(30)), Gate::Probe);
        breaker.bad(later(30));
        assert_eq!(breaker.gate(later(31)), Gate::Open(later(90)));
        breaker.good();
        assert_eq!(breaker.gate(later(31)), Gate::Closed);
    }

    #[test]
    fn many_temporary_refusals_open_it_and_some_do_not() {
        let mut breaker = Breaker::default();
        for n in 0..200 {
            if n % 4 == 0 { breaker.later(START) } else { breaker.good() }
        }
        assert_eq!(breaker.gate(START), Gate::Closed);
        for _ in 0..20 {
            breaker.later(START);
        }
        assert_eq!(breaker.gate(START), Gate::Open(later(30)));
    }
}
