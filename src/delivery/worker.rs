//! One process that delivers: it claims and marks groups, feeds the sessions,
//! records what they did. [`Worker::round`] does one turn of all that and says what
//! is left; who loops, and when to stop, is the caller's affair.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use rundbrief_subscribers::token::Key;
use tokio::task::JoinSet;

use super::journal::Journal;
use super::ledger::{self, Claim, Cursor, Entry};
use super::pace::{Breaker, Gate, Pace};
use super::pool::{self, Ended, Pool, Ready, ReturnPath, Running};
use super::settle::{self, Identity, SignedOn};
use super::state::State;
use super::{DeliveryId, WorkerId, verdict, watch};
use crate::issue::IssueId;
use crate::letter::dkim;
use crate::smtp::relay::Relay;
use crate::store::Store;
use crate::store::value::Millis;

/// Without a good heartbeat for this long no dot is written: half a worker's time to live.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// How often issues and readers are looked at: a pause must be seen within a second.
pub(super) const WATCH: Duration = Duration::from_millis(400);
/// The longest wait for more outcomes before a group is recorded.
const GATHER: Duration = Duration::from_millis(20);
/// The longest wait of a round that has mails on the wire.
const WAIT: Duration = Duration::from_millis(200);

/// What a worker needs beside the database.
#[derive(Debug)]
pub struct Setup {
    /// The transport's name.
    pub transport: String,
    /// Its relay.
    pub relay: Relay,
    /// Sessions at a time.
    pub connections: usize,
    /// Mails a second at most, over all sessions.
    pub rate: Option<f64>,
    /// Mails a second at most, for one receiving domain.
    pub domain_rate: Option<f64>,
    /// Mailbox that bounces come to.
    pub return_path: ReturnPath,
    /// Keys that sign.
    pub keys: Vec<Arc<dkim::Key>>,
    /// Signs tokens.
    pub key: Key,
    /// Reads the time.
    pub clock: fn() -> Millis,
    /// How long evidence about an unknown delivery is waited for.
    pub evidence: Duration,
}

/// What a round left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// There is more to do at once.
    Busy,
    /// Nothing to do before this moment; none: nothing at all is left.
    Idle(Option<Millis>),
    /// The relay does not work; it is asked again at this moment.
    Blocked(Millis),
}

/// A worker that signed on.
#[derive(Debug)]
pub struct Worker {
    pub(super) store: Store,
    pub(super) pool: Arc<Pool>,
    pub(super) me: WorkerId,
    pub(super) setup: Setup,
    pub(super) sessions: JoinSet<Ended>,
    pub(super) issues: Vec<Sending>,
    /// Only this issue is delivered; none: all.
    pub(super) only: Option<IssueId>,
    /// Next issue to claim from: they take turns.
    turn: usize,
    pub(super) claimed: VecDeque<(Claim, Arc<Running>)>,
    /// Marked and not yet done.
    pub(super) held: HashMap<DeliveryId, i64>,
    pub(super) unrecorded: Vec<Entry>,
    /// Claimed in a transaction of which nobody knows whether it was committed.
    doubtful: bool,
    pub(super) pace: Pace,
    pub(super) breaker: Breaker,
    /// Issues to pause, with the relay's words.
    pub(super) refused: HashMap<IssueId, String>,
    /// Deliveries marked at a time; grows while sessions run dry.
    window: usize,
    pub(super) last: Last,
    /// Why the relay was last found not to work.
    pub(super) trouble: Option<String>,
}

/// An issue in this worker's hands.
#[derive(Debug)]
pub(super) struct Sending {
    pub(super) running: Arc<Running>,
    pub(super) cursor: Cursor,
    /// Nothing was due at the last claim; look again at this moment.
    pub(super) empty_until: Option<Millis>,
    pub(super) cancelled: bool,
}

#[derive(Debug, Default)]
pub(super) struct Last {
    pub(super) heartbeat: Option<Millis>,
    pub(super) watch: Option<Millis>,
    pub(super) settle: Option<Millis>,
}

impl Worker {
    /// Signs on: replays the journal, takes back what the last process left.
    /// The data directory's lock must be held.
    ///
    /// # Errors
    /// The journal or the database cannot be used.
    pub async fn start(
        store: Store,
        directory: &std::path::Path,
        setup: Setup,
    ) -> anyhow::Result<(Worker, SignedOn)> {
        let (journal, records) = Journal::open(directory)?;
        let identity = Identity::of(directory);
        let now = (setup.clock)();
        let signed_on = settle::sign_on(&store, &identity, &records, now)
            .await
            .context("the worker cannot sign on")?;
        journal.forget(records.iter().map(|record| record.delivery));
        let stored = watch::pace(&store, &setup.transport).await?;
        let (pace, breaker) =
            verdict::resume(stored.as_deref(), setup.rate, setup.domain_rate, now);
        let path = setup.return_path.clone();
        let pool = Pool::new(setup.relay.clone(), journal, setup.key.clone(), path, setup.clock);
        pool.renew(LEASE);
        let window = 2 * setup.connections;
        let worker = Worker {
            store,
            pool: Arc::new(pool),
            me: signed_on.worker,
            setup,
            sessions: JoinSet::new(),
            issues: Vec::new(),
            only: None,
            turn: 0,
            claimed: VecDeque::new(),
            held: HashMap::new(),
            unrecorded: Vec::new(),
            doubtful: false,
            pace,
            breaker,
            refused: HashMap::new(),
            window,
            last: Last::default(),
            trouble: None,
        };
        Ok((worker, signed_on))
    }

    /// One turn. Returns after at most some hundred milliseconds.
    ///
    /// # Errors
    /// The database failed: call again later, nothing is lost. The journal failed:
    /// stop; nothing may be sent without it.
    pub async fn round(&mut self) -> anyhow::Result<Round> {
        let now = (self.setup.clock)();
        self.upkeep(now).await?;
        self.dismiss(now)?;
        self.mourn();
        let gate = self.breaker.gate(now);
        if matches!(gate, Gate::Open(_)) && self.sessions.is_empty() {
            let back = self.pool.take_back().into_iter().map(verdict::held_back).collect();
            self.judge(back, now);
        }
        let moved = self.transact(now, gate).await?;
        self.staff(gate);
        if let Gate::Open(until) = gate
            && self.held.is_empty()
        {
            return Ok(Round::Blocked(until));
        }
        if !self.held.is_empty() {
            self.gather().await;
            return Ok(Round::Busy);
        }
        if moved {
            return Ok(Round::Busy);
        }
        self.rest(now).await
    }

    /// The issues in this worker's hands.
    pub(super) fn sending(&self) -> impl Iterator<Item = IssueId> + use<> {
        let ids: Vec<IssueId> = self.issues.iter().map(|issue| issue.running.id).collect();
        ids.into_iter()
    }

    /// Delivers this issue and leaves the others alone.
    pub fn only(&mut self, issue: IssueId) {
        self.only = Some(issue);
    }

    /// Why the relay was last found not to work, in its own words.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// One transaction: what was done is recorded, what is next is marked, what
    /// comes after is claimed. Answers whether anything was.
    async fn transact(&mut self, now: Millis, gate: Gate) -> anyhow::Result<bool> {
        let done = self.pool.collect();
        self.judge(done, now);
        let marking = self.choose(now, gate);
        let claiming = self.claiming(now, gate);
        let cancelling = self.issues.iter().any(|issue| issue.cancelled);
        let nothing = self.unrecorded.is_empty() && marking.is_empty() && claiming.is_none();
        if nothing && !cancelling && self.refused.is_empty() && !self.doubtful {
            return Ok(false);
        }
        self.sync().await?;
        match self.commit(now, &marking, claiming).await {
            Ok((marked, claimed)) => {
                let any = !marked.is_empty() || claimed > 0;
                self.recorded();
                let epoch = self.pool.epoch();
                let ours = |claim: &Claim| marked.binary_search(&claim.id).is_ok();
                let ready: Vec<Ready> = marking
                    .into_iter()
                    .filter(|(claim, _)| ours(claim))
                    .map(|(claim, issue)| Ready { claim, issue, epoch })
                    .collect();
                self.held.extend(ready.iter().map(|r| (r.claim.id, r.claim.generation)));
                self.pool.feed(ready);
                Ok(any)
            }
            Err(error) => {
                // It may have been committed all the same: marks go back as certainly
                // not sent, claims as ours to return.
                self.unrecorded.extend(marking.iter().map(|(claim, _)| verdict::back(claim, now)));
                self.claimed.clear();
                self.doubtful = true;
                Err(error).context("the ledger cannot be written")
            }
        }
    }

    async fn commit(
        &mut self,
        now: Millis,
        marking: &[(Claim, Arc<Running>)],
        claiming: Option<usize>,
    ) -> anyhow::Result<(Vec<DeliveryId>, usize)> {
        let mut tx = self.store.begin().await?;
        ledger::record(&mut tx, self.me, &self.unrecorded, now).await?;
        if self.doubtful {
            watch::give_back_claims(&mut tx, self.me, now).await?;
        }
        for (issue, words) in &self.refused {
            if watch::pause(&mut tx, *issue, words, now).await? {
                tracing::error!(issue = issue.0, why = words, "delivery.issue.refused");
            }
        }
        for issue in self.issues.iter().filter(|issue| issue.cancelled) {
            watch::cancel(&mut tx, issue.running.id, now).await?;
        }
        let mut marked = Vec::new();
        if !marking.is_empty() {
            let group = marking.iter().map(|(claim, _)| (claim.id, claim.generation));
            marked = ledger::mark(&mut tx, self.me, group, now).await?;
            marked.sort_unstable();
        }
        let mut claims = Vec::new();
        if let Some(turn) = claiming {
            let limit = (2 * self.window).min(ledger::GROUP);
            let Sending { running, cursor, .. } = &mut self.issues[turn];
            let mut moved = *cursor;
            claims = ledger::claim(&mut tx, running.id, self.me, now, limit, &mut moved).await?;
            *cursor = moved;
        }
        tx.commit().await?;
        self.doubtful = false;
        let count = claims.len();
        if let Some(turn) = claiming {
            let sending = &mut self.issues[turn];
            if claims.is_empty() {
                sending.empty_until = Some(now.after(WATCH));
            }
            let running = Arc::clone(&sending.running);
            self.claimed.extend(claims.into_iter().map(|claim| (claim, Arc::clone(&running))));
        }
        Ok((marked, count))
    }

    /// Claimed deliveries to mark now: as many as sessions can use before the next
    /// group, and only where the pace allows.
    fn choose(&mut self, now: Millis, gate: Gate) -> Vec<(Claim, Arc<Running>)> {
        if self.pool.waiting() == 0 && self.held.len() >= self.window / 2 {
            self.window = (self.window * 2).min(ledger::GROUP);
        }
        let room = match gate {
            Gate::Closed => self.window.saturating_sub(self.held.len()),
            Gate::Probe => 1_usize.saturating_sub(self.held.len()),
            Gate::Open(until) => {
                let claimed = std::mem::take(&mut self.claimed);
                let back = claimed.iter().map(|(claim, _)| verdict::back(claim, until));
                self.unrecorded.extend(back);
                0
            }
        };
        let mut chosen = Vec::with_capacity(room.min(self.claimed.len()));
        while chosen.len() < room
            && let Some((claim, issue)) = self.claimed.pop_front()
        {
            if issue.halted.load(Ordering::Relaxed) {
                self.unrecorded.push(verdict::back(&claim, Millis(0)));
                continue;
            }
            match self.pace.admit(&claim.domain, now) {
                Ok(()) => chosen.push((claim, issue)),
                Err(later) => self.unrecorded.push(verdict::back(&claim, later)),
            }
        }
        chosen
    }

    /// The issue whose turn it is to be claimed from, if claims are wanted.
    fn claiming(&mut self, now: Millis, gate: Gate) -> Option<usize> {
        let wanted = match gate {
            Gate::Closed | Gate::Probe => self.claimed.len() < self.window,
            Gate::Open(_) => false,
        };
        if !wanted || self.issues.is_empty() {
            return None;
        }
        let count = self.issues.len();
        let chosen = (1..=count).map(|n| (self.turn + n) % count).find(|at| {
            let sending = &self.issues[*at];
            !sending.running.halted.load(Ordering::Relaxed)
                && sending.empty_until.is_none_or(|until| now >= until)
        })?;
        self.turn = chosen;
        Some(chosen)
    }

    /// The journal is synced before the database says that anything was accepted.
    pub(super) async fn sync(&self) -> anyhow::Result<()> {
        if self.unrecorded.iter().any(|entry| entry.state == State::Accepted) {
            let journal = self.pool.journal.clone();
            tokio::task::spawn_blocking(move || journal.sync()).await??;
        }
        Ok(())
    }

    /// The database knows: the journal need not.
    pub(super) fn recorded(&mut self) {
        self.pool.journal.forget(self.unrecorded.iter().map(|entry| entry.id.0));
        self.pool.forget_withdrawn(self.unrecorded.iter().map(|entry| &entry.id));
        self.unrecorded.clear();
        self.refused.clear();
    }

    /// Looks at sessions that ended.
    fn dismiss(&mut self, now: Millis) -> anyhow::Result<()> {
        while let Some(ended) = self.sessions.try_join_next() {
            match ended.context("a session panicked")? {
                Ended::Served => {}
                Ended::Unopened(outcome) => self.unopened(&outcome, now),
                Ended::Journal(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// A session that panicked told nobody what became of its mails.
    fn mourn(&mut self) {
        let silent = self.pool.waiting() == 0 && self.pool.done() == 0;
        if self.sessions.is_empty() && silent && !self.held.is_empty() {
            let lost = self.held.drain().map(|(id, claim)| verdict::lost(id, claim));
            self.unrecorded.extend(lost);
        }
    }

    /// As many sessions as there is work for.
    fn staff(&mut self, gate: Gate) {
        let most = match gate {
            Gate::Closed => self.setup.connections,
            Gate::Probe => 1,
            Gate::Open(_) => 0,
        };
        let waiting = self.pool.waiting();
        let wanted = most.min(self.sessions.len() + waiting);
        while self.sessions.len() < wanted {
            self.sessions.spawn(pool::serve(Arc::clone(&self.pool)));
        }
    }

    /// Waits for a group of outcomes that is worth a transaction.
    pub(super) async fn gather(&self) {
        let enough = (self.window / 4).max(1);
        let until = tokio::time::Instant::now() + WAIT;
        let mut first = None;
        while self.pool.done() < enough {
            let limit = match first {
                Some(at) => until.min(at + GATHER),
                None => until,
            };
            let woken = tokio::time::timeout_at(limit, self.pool.finished.notified()).await;
            if woken.is_err() {
                break;
            }
            first.get_or_insert_with(tokio::time::Instant::now);
        }
    }

    /// Nothing is on the wire and nothing was due: closes what is finished and says
    /// when to come again.
    async fn rest(&mut self, now: Millis) -> anyhow::Result<Round> {
        let mut next = None::<Millis>;
        for sending in self.issues.iter().filter(|issue| !issue.cancelled) {
            if sending.running.halted.load(Ordering::Relaxed) {
                continue;
            }
            match watch::next_due(&self.store, sending.running.id).await? {
                Some(due) => next = Some(next.map_or(due, |next| next.min(due))),
                None => {
                    settle::finish(&self.store, sending.running.id, now).await?;
                }
            }
        }
        self.issues.retain(|sending| !sending.cancelled);
        if next.is_some_and(|next| next <= now) {
            tokio::time::sleep(WATCH / 4).await;
            return Ok(Round::Busy);
        }
        Ok(Round::Idle(next))
    }
}
