//! One process that delivers: it claims and marks groups, feeds the sessions,
//! records what they did. [`Worker::round`] does one turn of all that and says what
//! is left; who loops, and when to stop, is the caller's affair.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::Context as _;
use rundbrief_subscribers::token::Key;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::breaker::Gate;
use super::drain::PATIENCE;
use super::due::{Claim, Cursor};
use super::journal::Journal;
use super::ledger::{self, Entry};
use super::line::{self, Line};
use super::pool::{Pool, Ready, ReturnPath, Running};
use super::refusal::Refusals;
use super::settle::{self, Identity, SignedOn};
use super::sight::Sight;
use super::state::State;
use super::{DeliveryId, WorkerId, guard, verdict, watch};
use crate::issue::{self, IssueId};
use crate::letter::dkim;
use crate::store::value::Millis;
use crate::store::{Kind, Store};

/// Without a good heartbeat for this long no dot is written: half a worker's time to live.
pub(super) const LEASE: Duration = Duration::from_secs(15);
/// How often issues and readers are looked at: a pause must be seen within a second.
pub(super) const WATCH: Duration = Duration::from_millis(400);
/// The longest wait for more outcomes before a group is recorded.
const GATHER: Duration = Duration::from_millis(45);
/// A database that has said nothing for so long is taken for gone; the next round asks
/// by another connection.
const ANSWER: Duration = Duration::from_secs(120);
/// The longest wait of a round that has mails on the wire.
const WAIT: Duration = Duration::from_millis(200);

/// What a worker needs beside the database.
#[derive(Debug)]
pub struct Setup {
    /// The transports.
    pub transports: Vec<line::Setup>,
    /// Those of newsletters that name none, by their names, in order.
    pub order: Vec<String>,
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
    /// No relay works; one is asked again at this moment.
    Blocked(Millis),
}

/// What the database answers, unless it says nothing: that keeps us neither for ever nor
/// from stopping. What it did then is not known.
///
/// # Errors
/// It failed, or says nothing.
pub(super) async fn answered<T>(
    pool: &Pool,
    asked: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let stopping = async {
        pool.licence.drained().await;
        tokio::time::sleep(PATIENCE).await;
    };
    let seconds = tokio::select! {
        answer = asked => return answer,
        () = tokio::time::sleep(ANSWER) => ANSWER.as_secs(),
        () = stopping => PATIENCE.as_secs(),
    };
    Err(anyhow::anyhow!("the database has not answered for {seconds} s"))
}

/// A claim with its issue.
pub(super) type Taken = (Claim, Arc<Running>);

/// A worker that signed on.
#[derive(Debug)]
pub struct Worker {
    pub(super) store: Store,
    pub(super) pool: Arc<Pool>,
    pub(super) me: WorkerId,
    /// Our machine and directory.
    pub(super) host: String,
    pub(super) setup: Setup,
    pub(super) lines: Vec<Line>,
    pub(super) issues: Vec<Sending>,
    /// Only this issue is delivered; none: all.
    pub(super) only: Option<IssueId>,
    /// Next issue to claim from: they take turns.
    pub(super) turn: usize,
    /// Marked and not yet done.
    pub(super) held: HashMap<DeliveryId, i64>,
    pub(super) unrecorded: Vec<Entry>,
    /// Claimed in a transaction of which nobody knows whether it was committed.
    doubtful: bool,
    /// Issues to pause, with the relay's words.
    pub(super) refused: HashMap<IssueId, String>,
    /// Transports that refuse an issue while others may take it.
    pub(super) refusals: Refusals,
    /// Refusals for good that may be nobody's fault.
    pub(super) suspects: guard::Suspects,
    pub(super) last: Last,
    pub(super) sight: Arc<Sight>,
    /// Looks beside everything else; ends with us.
    pub(super) looking: JoinSet<()>,
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
    /// Whether an issue's readers are being written into the ledger: a chunk a round.
    pub(super) expanding: bool,
}

impl Sending {
    /// Paused or cancelled.
    pub(super) fn is_halted(&self) -> bool {
        self.running.halted.load(Ordering::Relaxed)
    }
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
        mut setup: Setup,
    ) -> anyhow::Result<(Worker, SignedOn)> {
        let (journal, records) = Journal::open(directory)?;
        let identity = Identity::of(directory)
            .with_context(|| format!("{}: the worker cannot be named", directory.display()))?;
        let (now, asked) = ((setup.clock)(), Instant::now());
        let signed_on = settle::sign_on(&store, &identity, &records, now)
            .await
            .context("the worker cannot sign on")?;
        journal.begin_anew()?;
        let mut lines = Vec::new();
        for transport in std::mem::take(&mut setup.transports) {
            let kept = watch::pace(&store, &transport.name, &identity.host).await?;
            lines.push(Line::new(transport, kept.as_deref(), now));
        }
        let path = setup.return_path.clone();
        let pool = Pool::new(journal, setup.key.clone(), path, setup.clock);
        match store.kind() {
            Kind::Postgres => pool.licence.renew(asked, LEASE),
            // The lock of the data directory is the lease: a writer that somebody
            // holds for a minute takes nothing away from us.
            Kind::Sqlite => pool.licence.own(),
        }
        let pool = Arc::new(pool);
        let sight = Arc::new(Sight::new(store.clone(), Arc::clone(&pool)));
        let worker = Worker {
            store,
            pool,
            me: signed_on.worker,
            host: identity.host,
            setup,
            lines,
            issues: Vec::new(),
            only: None,
            turn: 0,
            held: HashMap::new(),
            unrecorded: Vec::new(),
            doubtful: false,
            refused: HashMap::new(),
            refusals: Refusals::default(),
            suspects: guard::Suspects::default(),
            last: Last::default(),
            looking: sight.keep_looking(),
            sight,
        };
        Ok((worker, signed_on))
    }

    /// One turn. Returns after at most some hundred milliseconds.
    ///
    /// # Errors
    /// The database failed: call again later, nothing is lost. The journal failed:
    /// stop; nothing may be sent without it.
    pub async fn round(&mut self) -> anyhow::Result<Round> {
        if self.pool.licence.is_draining() {
            return Ok(Round::Idle(None));
        }
        let now = (self.setup.clock)();
        let pool = Arc::clone(&self.pool);
        answered(&pool, self.upkeep(now)).await?;
        self.dismiss(now)?;
        self.mourn();
        self.give_up_blocked(now);
        let moved = self.transact(now).await?;
        for line in &mut self.lines {
            line.staff(&self.pool, now);
        }
        if !self.held.is_empty() {
            self.gather().await;
            return Ok(Round::Busy);
        }
        if self.lines.iter().any(Line::is_connecting) {
            let _ = tokio::time::timeout(WAIT, self.pool.finished.notified()).await;
            return Ok(Round::Busy);
        }
        if self.decide() || moved {
            return Ok(Round::Busy);
        }
        if let Some(until) = self.blocked(now) {
            return Ok(Round::Blocked(until));
        }
        answered(&pool, self.rest(now)).await
    }

    /// Delivers this issue and leaves the others alone.
    pub fn only(&mut self, issue: IssueId) {
        self.only = Some(issue);
    }

    /// Why relays were last found not to work, in their own words.
    pub fn trouble(&self) -> Option<String> {
        let named = |line: &Line| Some(format!("{}: {}", line.name, line.trouble.as_ref()?));
        let all: Vec<String> = self.lines.iter().filter_map(named).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// What was marked or claimed for a relay that is not asked now, or not for its
    /// issue, goes back: the issue may have another one.
    fn give_up_blocked(&mut self, now: Millis) {
        let mut back = Vec::new();
        for at in 0..self.lines.len() {
            let until = match self.lines[at].breaker.gate(now) {
                Gate::Open(until) => Some(until),
                Gate::Closed | Gate::Probe => None,
            };
            if until.is_none() && self.refusals.is_empty() {
                continue;
            }
            let refused = |issue: &Running| self.refusals.stands(issue.id, at, now);
            let silent = until.is_some();
            let unsent = self.lines[at].queue.take_back(|ready| silent || refused(&ready.issue));
            back.extend(unsent.into_iter().map(verdict::held_back));
            let claimed = std::mem::take(&mut self.lines[at].claimed);
            for (claim, issue) in claimed {
                if until.is_none() && !self.refusals.stands(issue.id, at, now) {
                    self.lines[at].claimed.push_back((claim, issue));
                    continue;
                }
                let other = self.open_line(&issue, now).is_some();
                let next_at = if other { Millis(0) } else { until.unwrap_or(Millis(0)) };
                self.unrecorded.push(verdict::back(&claim, next_at));
            }
        }
        self.judge(back, now);
    }

    /// One transaction: what was done is recorded, and what comes next is claimed and,
    /// as soon as a session is open, marked. Answers whether anything was.
    async fn transact(&mut self, now: Millis) -> anyhow::Result<bool> {
        let done = self.pool.collect();
        self.judge(done, now);
        let mut marking = Vec::with_capacity(self.lines.len());
        for line in &mut self.lines {
            marking.push(line.choose(now, &mut self.unrecorded));
        }
        let claiming = self.claiming(&marking, now);
        let cancelling = self.issues.iter().any(|issue| issue.cancelled);
        let nothing =
            self.unrecorded.is_empty() && marking.iter().all(Vec::is_empty) && claiming.is_none();
        if nothing && !cancelling && self.refused.is_empty() && !self.doubtful {
            return Ok(false);
        }
        self.sync().await?;
        let pool = Arc::clone(&self.pool);
        match answered(&pool, self.commit(now, &mut marking, claiming)).await {
            Ok((marked, claimed)) => {
                let any = !marked.is_empty() || claimed > 0;
                self.recorded();
                self.hand_over(marking, &marked);
                Ok(any)
            }
            Err(error) => {
                // It may have been committed all the same: marks go back as certainly
                // not sent, claims as ours to return.
                let marking = marking.iter().flatten();
                self.unrecorded.extend(marking.map(|(claim, _)| verdict::back(claim, now)));
                for line in &mut self.lines {
                    line.claimed.clear();
                }
                self.show_hands();
                self.doubtful = true;
                Err(error).context("the ledger cannot be written")
            }
        }
    }

    /// What is marked now goes to the sessions of the transport it was marked for.
    fn hand_over(&mut self, marking: Vec<Vec<Taken>>, marked: &[DeliveryId]) {
        let epoch = self.pool.licence.epoch();
        let ours = |claim: &Claim| marked.binary_search(&claim.id).is_ok();
        let mut ready: Vec<Vec<Ready>> = Vec::with_capacity(marking.len());
        for (line, chosen) in marking.into_iter().enumerate() {
            let chosen = chosen.into_iter().filter(|(claim, _)| ours(claim));
            ready.push(chosen.map(|(claim, issue)| Ready { claim, issue, line, epoch }).collect());
        }
        for (line, ready) in self.lines.iter_mut().zip(&ready) {
            self.held.extend(ready.iter().map(|r| (r.claim.id, r.claim.generation)));
            line.held += ready.len();
        }
        // Looked at from here on, before the first of them is sent.
        self.show_hands();
        for (line, ready) in self.lines.iter().zip(ready) {
            line.queue.feed(ready);
        }
    }

    async fn commit(
        &mut self,
        now: Millis,
        marking: &mut [Vec<Taken>],
        claiming: Option<(usize, usize)>,
    ) -> anyhow::Result<(Vec<DeliveryId>, usize)> {
        let mut tx = self.store.begin().await?;
        ledger::record(&mut tx, self.me, &self.unrecorded, now).await?;
        if self.doubtful {
            watch::give_back_claims(&mut tx, self.me, now).await?;
        }
        for (issue, words) in &self.refused {
            guard::stop(&mut tx, *issue, words, self.suspects.stopped(*issue), now).await?;
        }
        for issue in self.issues.iter().filter(|issue| issue.cancelled) {
            issue::take_back(&mut tx, issue.running.id, now).await?;
        }
        let mut marked = Vec::new();
        for (line, chosen) in self.lines.iter().zip(&*marking).filter(|(_, c)| !c.is_empty()) {
            let group = chosen.iter().map(|(claim, _)| (claim.id, claim.generation));
            marked.extend(ledger::mark(&mut tx, self.me, &line.name, group, now).await?);
        }
        let (mut taken, mut full) = ((0, Vec::new()), false);
        if let Some((turn, line)) = claiming {
            let room = self.lines[line].wants(marking[line].len(), now);
            let open = self.lines[line].queue.is_open();
            taken = self.take(&mut tx, (turn, line), room, open, now).await?;
            full = open && taken.0 >= room;
            if open {
                let begun = std::mem::take(&mut taken.1);
                marked.extend(begun.iter().map(|(claim, _)| claim.id));
                marking[line].extend(begun);
            }
        }
        marked.sort_unstable();
        tx.commit().await?;
        self.doubtful = false;
        let (found, claimed) = taken;
        if let Some((turn, line)) = claiming {
            self.lines[line].full = full;
            self.lines[line].claimed.extend(claimed);
            if found == 0 {
                self.issues[turn].empty_until = Some(now.after(WATCH));
            }
        }
        Ok((marked, found))
    }

    /// The journal is synced before the database says that anything was accepted.
    pub(super) async fn sync(&self) -> anyhow::Result<()> {
        if self.unrecorded.iter().any(|entry| entry.state == State::Accepted) {
            self.pool.journal.sync().await?;
        }
        Ok(())
    }

    /// The database knows: the journal need not.
    pub(super) fn recorded(&mut self) {
        self.pool.journal.forget(self.unrecorded.iter().map(|entry| entry.id.0));
        self.unrecorded.clear();
        for (issue, _) in self.refused.drain() {
            self.refusals.forget(issue);
        }
    }

    /// Looks at sessions that ended.
    fn dismiss(&mut self, now: Millis) -> anyhow::Result<()> {
        for line in 0..self.lines.len() {
            for outcome in self.lines[line].dismiss()? {
                self.unopened(line, &outcome, now);
            }
        }
        Ok(())
    }

    /// A session that panicked told nobody what became of its mails.
    fn mourn(&mut self) {
        let gone = |line: &Line| line.sessions.is_empty() && line.queue.waiting() == 0;
        let silent = self.lines.iter().all(gone) && self.pool.done() == 0;
        if silent && !self.held.is_empty() {
            for line in &mut self.lines {
                line.held = 0;
            }
            let lost = self.held.drain().map(|(id, claim)| verdict::lost(id, claim));
            self.unrecorded.extend(lost);
        }
    }

    /// Waits for a group of outcomes that is worth a transaction.
    pub(super) async fn gather(&self) {
        let window = self.lines.iter().filter(|line| line.held > 0).map(|line| line.window).max();
        let enough = (window.unwrap_or(1) / 2).max(1);
        self.pool.enough.store(enough, Ordering::Relaxed);
        let until = Instant::now() + WAIT;
        while self.pool.done() < enough {
            let limit = until.min(Instant::now() + GATHER);
            let woken = tokio::time::timeout_at(limit, self.pool.finished.notified()).await;
            let late = Instant::now() >= until;
            if late || woken.is_err() && self.pool.done() > 0 {
                break;
            }
        }
    }

    /// Nothing is on the wire and nothing was due: closes what is finished and says
    /// when to come again.
    async fn rest(&mut self, now: Millis) -> anyhow::Result<Round> {
        if self.last.expanding {
            return Ok(Round::Busy);
        }
        let mut next = None::<Millis>;
        for sending in self.issues.iter().filter(|issue| !issue.cancelled) {
            if sending.is_halted() {
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
