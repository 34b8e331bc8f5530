//! One transport at work: its queue, its sessions, its pace, its breaker. A worker
//! has one for each transport of the configuration; an issue goes by the first one
//! of its route whose breaker lets it.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::breaker::{Breaker, Gate};
use super::due::Claim;
use super::ledger::{self, Entry};
use super::pace::Pace;
use super::pool::{self, Ended, Pool, Running};
use super::probe::Probe;
use super::queue::Queue;
use super::stubborn::Stubborn;
use super::{DeliveryId, verdict, watch};
use crate::smtp::Outcome;
use crate::smtp::relay::Relay;
use crate::smtp::scope::Scope;
use crate::store::Store;
use crate::store::value::Millis;

/// A process that said nothing for so long does not deliver; it says something every
/// five seconds.
const SILENT: Duration = Duration::from_secs(60);

/// The longest that our own pace puts a delivery off before it looks again.
pub const PUT_OFF: Duration = Duration::from_secs(60);

/// What a worker needs to know of one transport.
#[derive(Debug)]
pub struct Setup {
    /// Its name.
    pub name: String,
    /// Its relay.
    pub relay: Relay,
    /// Sessions at a time.
    pub connections: usize,
    /// Mails of one session whose replies a power cut may take back.
    pub unsynced: usize,
    /// Mails a second at most, over all sessions.
    pub rate: Option<f64>,
    /// Mails a second at most, for one receiving domain.
    pub domain_rate: Option<f64>,
}

/// A transport in a worker's hands.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) connections: usize,
    pub(super) queue: Arc<Queue>,
    pub(super) sessions: JoinSet<Ended>,
    /// Claimed for it before a session was open, not yet marked.
    pub(super) claimed: VecDeque<(Claim, Arc<Running>)>,
    /// Marked for it and not yet done.
    pub(super) held: usize,
    pub(super) pace: Pace,
    pub(super) breaker: Breaker,
    /// Deliveries that it cannot take while it takes others.
    pub(super) stubborn: Stubborn,
    /// Deliveries in hand at a time; grows while sessions run dry.
    pub(super) window: usize,
    /// The last claim brought all that there was room for: more may be due.
    pub(super) full: bool,
    /// Why the relay was last found not to work.
    pub(super) trouble: Option<String>,
    probe: Probe,
    /// Mails by what came of them.
    pub(super) outcomes: BTreeMap<Scope, u64>,
}

/// What is kept of a transport, so that a restart does not burst and everybody can
/// see how it is.
#[derive(Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Buckets and slowed domains.
    pub pace: Pace,
    /// Whether the relay is asked at all.
    pub breaker: Breaker,
    /// Sessions that were open.
    pub sessions: usize,
    /// And how many there may be.
    pub connections: usize,
    /// Why the relay was last found not to work, in its own words.
    pub trouble: Option<String>,
    /// Mails by what came of them, since the process began.
    pub outcomes: BTreeMap<Scope, u64>,
    /// Replies that the journal held and the database not yet.
    pub journal: usize,
}

/// A transport as a process last saw it.
#[derive(Debug)]
pub struct Seen {
    /// The transport's name.
    pub transport: String,
    /// Machine and data directory of the process.
    pub host: String,
    /// When it said so.
    pub at: Millis,
    /// How it is.
    pub kept: Kept,
}

impl Seen {
    /// Nothing was heard of the process for a minute: what it last said is history.
    pub fn is_silent(&self, now: Millis) -> bool {
        self.at.after(SILENT) < now
    }

    /// Its label in metrics.
    pub fn transport(&self) -> (&'static str, &str) {
        ("transport", &self.transport)
    }

    /// The process's label in metrics.
    pub fn worker(&self) -> (&'static str, &str) {
        ("worker", &self.host)
    }
}

/// All transports as processes last saw them, by name and process.
///
/// # Errors
/// The database failed.
pub async fn seen(store: &Store) -> sqlx::Result<Vec<Seen>> {
    let kept = watch::paces(store).await?.into_iter().filter_map(|row| {
        // What an older version wrote is forgotten, as at its own start.
        let kept = serde_json::from_str(&row.state).ok()?;
        Some(Seen { transport: row.transport, host: row.host, at: row.updated_at, kept })
    });
    Ok(kept.collect())
}

impl Line {
    /// A transport without sessions, as far as it was when it was kept. What cannot
    /// be read is forgotten.
    pub(super) fn new(setup: Setup, kept: Option<&str>, now: Millis) -> Line {
        let fresh = Pace::new(setup.rate, setup.domain_rate, now);
        let kept = kept.and_then(|kept| serde_json::from_str::<Kept>(kept).ok());
        let (pace, breaker, trouble) = match kept {
            Some(kept) => (fresh.resume(kept.pace), kept.breaker.resume(now), kept.trouble),
            None => (fresh, Breaker::default(), None),
        };
        Line {
            name: setup.name,
            connections: setup.connections,
            sessions: JoinSet::new(),
            claimed: VecDeque::new(),
            held: 0,
            pace,
            breaker,
            stubborn: Stubborn::default(),
            window: 2 * setup.connections * setup.relay.setup().window,
            full: false,
            queue: Arc::new(Queue::new(setup.relay, setup.unsynced)),
            trouble,
            probe: Probe::default(),
            outcomes: Scope::ALL.iter().map(|scope| (*scope, 0)).collect(),
        }
    }

    /// The form that is kept.
    pub(super) fn kept(&self, journal: usize) -> String {
        let kept = Kept {
            pace: self.pace.kept(),
            breaker: self.breaker.clone(),
            sessions: self.sessions.len(),
            connections: self.connections,
            trouble: self.trouble.clone(),
            outcomes: self.outcomes.clone(),
            journal,
        };
        serde_json::to_string(&kept).expect("numbers and names can always be written")
    }

    /// Logs a breaker that opened or closed.
    pub(super) fn note_breaker(&self, before: Gate, now: Millis) {
        let (transport, why) = (self.name.as_str(), self.trouble.as_deref().unwrap_or_default());
        match (before, self.breaker.gate(now)) {
            (Gate::Closed | Gate::Probe, Gate::Open(until)) => {
                tracing::warn!(transport, why, %until, "delivery.breaker.opened");
            }
            (Gate::Open(_) | Gate::Probe, Gate::Closed) => {
                tracing::info!(transport, "delivery.breaker.closed");
            }
            (Gate::Closed, Gate::Closed | Gate::Probe)
            | (Gate::Probe, Gate::Probe)
            | (Gate::Open(_), Gate::Open(_) | Gate::Probe) => {}
        }
    }

    /// How many more deliveries it can use before the next group, beside those that are
    /// chosen already.
    pub(super) fn wants(&self, chosen: usize, now: Millis) -> usize {
        let most = match self.breaker.gate(now) {
            Gate::Closed => self.window,
            Gate::Probe => self.probe.mails(self.held),
            Gate::Open(_) => 0,
        };
        most.saturating_sub(self.held + self.claimed.len() + chosen)
    }

    /// Deliveries that were claimed before a session was open, to mark now that one is:
    /// as many as sessions can use before the next group, and only where the pace
    /// allows. The others go to `back`.
    pub(super) fn choose(
        &mut self,
        now: Millis,
        back: &mut Vec<Entry>,
    ) -> Vec<(Claim, Arc<Running>)> {
        if self.queue.waiting() == 0 && std::mem::take(&mut self.full) {
            self.window = (self.window * 2).min(ledger::GROUP);
        }
        let mut chosen = Vec::new();
        if !self.queue.is_open() {
            return chosen;
        }
        let claimed = self.claimed.len();
        let room = (self.wants(0, now) + claimed).min(claimed);
        while chosen.len() < room
            && let Some((claim, issue)) = self.claimed.pop_front()
        {
            if issue.halted.load(Ordering::Relaxed) {
                back.push(verdict::back(&claim, Millis(0)));
                continue;
            }
            match self.pace.admit(&claim.domain, now) {
                Ok(()) => chosen.push((claim, issue)),
                Err(later) => back.push(verdict::back(&claim, later)),
            }
        }
        chosen
    }

    /// How many mails may go at once now under the operator's limit for all of them.
    pub(super) fn allowed(&self, now: Millis) -> usize {
        self.pace.tokens(now).map_or(usize::MAX, |tokens| tokens as usize)
    }

    /// Which of these the pace allows now, and until when the others wait: each of a
    /// domain for a token of its own.
    pub(super) fn admit(
        &mut self,
        due: Vec<Claim>,
        now: Millis,
    ) -> (Vec<Claim>, Vec<(DeliveryId, Millis)>) {
        let (mut admitted, mut later) = (Vec::with_capacity(due.len()), Vec::new());
        let mut waiting: HashMap<String, u32> = HashMap::new();
        for claim in due {
            match self.pace.admit(&claim.domain, now) {
                Ok(()) => admitted.push(claim),
                Err(at) => {
                    let place = waiting.entry(claim.domain).or_default();
                    *place += 1;
                    let wait = Duration::from_millis(at.0.saturating_sub(now.0).unsigned_abs());
                    later.push((claim.id, now.after((wait * *place).min(PUT_OFF).max(wait))));
                }
            }
        }
        (admitted, later)
    }

    /// Something was claimed for it, and no session is open yet.
    pub(super) fn is_connecting(&self) -> bool {
        !self.claimed.is_empty() && !self.sessions.is_empty() && !self.queue.is_open()
    }

    /// Looks at sessions that ended; answers how those that never came to be failed,
    /// and when they began.
    pub(super) fn dismiss(&mut self) -> anyhow::Result<Vec<(Outcome, Millis)>> {
        let mut unopened = Vec::new();
        while let Some(ended) = self.sessions.try_join_next() {
            match ended.context("a session panicked")? {
                Ended::Served => {}
                Ended::Unopened(outcome, begun) => unopened.push((outcome, begun)),
                Ended::Journal(error) => return Err(error.into()),
            }
        }
        Ok(unopened)
    }

    /// As many sessions as there is work for.
    pub(super) fn staff(&mut self, pool: &Arc<Pool>, now: Millis) {
        let gate = self.breaker.gate(now);
        self.probe.look(gate, self.sessions.len(), self.held, now);
        let most = match gate {
            Gate::Closed => self.connections,
            Gate::Probe => self.probe.sessions(self.sessions.len()).min(self.connections + 1),
            Gate::Open(_) => 0,
        };
        let work = self.queue.waiting() + self.claimed.len();
        let wanted = most.min(self.sessions.len() + work);
        while self.sessions.len() < wanted {
            self.sessions.spawn(pool::serve(Arc::clone(pool), Arc::clone(&self.queue)));
        }
    }
}
