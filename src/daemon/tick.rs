//! What each loop does in one turn. No turn loops by itself: it does one thing, or
//! one batch, and says whether there is more.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Mutex, watch};

use crate::bounce::verdict::Ours;
use crate::bounce::{maildir, verdict};
use crate::cli::Open;
use crate::config::key;
use crate::delivery::sight::Waker;
use crate::delivery::transport;
use crate::delivery::worker::{Round, Worker};
use crate::errand::letter::Desk;
use crate::errand::send::{self, Lines};
use crate::issue;
use crate::issue::due::{self, Begun, Composed};
use crate::issue::freeze::Chance;
use crate::letter::address::Office;
use crate::source::collect;
use crate::source::fetch::Client;
use crate::source::reach::Reach;
use crate::store::Store;
use crate::store::value::Millis;
use crate::subscriber::{erase, standing};

/// Replies that are due after a stop are waited for this long.
const AFTER_THE_DOT: Duration = Duration::from_secs(60);

/// An issue that is due and did not begin is looked at again after so many milliseconds.
const SHORTEST: i64 = 200;

/// Whether a loop turns again at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There may be more.
    Again,
    /// Something is due after this time.
    Within(Duration),
    /// Nothing is left to do now.
    Wait,
}

/// What the turns need.
#[derive(Debug)]
pub struct Tick {
    store: Store,
    ours: Ours,
    office: Office,
    client: Client,
    maildir: Option<PathBuf>,
    clock: fn() -> Millis,
    /// What writes and sends errands; none without a relay.
    errands: Option<(Desk, Lines)>,
    stopping: watch::Receiver<bool>,
}

impl Tick {
    /// Gets ready to turn.
    ///
    /// # Errors
    /// TLS cannot be had.
    pub fn begin(
        open: &Open,
        clock: fn() -> Millis,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Tick> {
        let office = Office::of(&open.config)?;
        let errands = match open.config.transport.is_empty() {
            true => None,
            false => Some(errands(open, office.clone(), clock)?),
        };
        Ok(Tick {
            store: open.store.clone(),
            ours: Ours::of(&open.config, open.key.token())?,
            office,
            client: Client::new(Reach::new(open.config.fetch.allow.clone()))?,
            maildir: open.config.bounce.maildir.clone(),
            clock,
            errands,
            stopping,
        })
    }

    fn now(&self) -> Timestamp {
        (self.clock)().timestamp()
    }

    fn stopped(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Newsletters that are due are composed; queued issues whose time has come begin;
    /// pauses of readers end; proofs of consent go when claims are barred.
    ///
    /// # Errors
    /// The database failed, or a letter cannot be made.
    pub async fn schedule(&self) -> anyhow::Result<Next> {
        let now = self.now();
        let looked = due::compose(&self.store, &self.office, now).await?;
        for (newsletter, composed) in &looked.composed {
            note(newsletter.definition.slug.as_str(), composed);
        }
        let mut chance = chance;
        let begun = due::begin(&self.store, &self.office, now, &mut chance).await?;
        let any = begun.iter().any(|begun| matches!(begun, Begun::Frozen(_)));
        for begun in &begun {
            if let Begun::Asked(issue) = begun {
                tracing::warn!(issue = issue.0, "issue: late, an editor is asked");
            }
        }
        let mut tx = self.store.begin().await?;
        let back = standing::resume_due(&mut tx, Millis::from(now)).await?;
        erase::forget_proofs(&mut tx, Millis::from(now)).await?;
        tx.commit().await?;
        if back > 0 {
            tracing::info!(readers = back, "subscriber: pauses ended");
        }
        // Said last: one that cannot be read keeps nothing else from being done.
        if let Some(damaged) = looked.damaged.into_iter().next() {
            return Err(damaged.into());
        }
        if any {
            return Ok(Next::Again);
        }
        let Some(next) = issue::next_queued(&self.store).await? else { return Ok(Next::Wait) };
        let wait = next.0.saturating_sub((self.clock)().0).max(SHORTEST);
        Ok(Next::Within(Duration::from_millis(wait.unsigned_abs())))
    }

    /// The source that waits longest is fetched.
    ///
    /// # Errors
    /// The database failed. A source that cannot be read is its own trouble: it is
    /// recorded there, and logged.
    pub async fn source(&self) -> anyhow::Result<Next> {
        let now = Millis::from(self.now());
        let Some((source, fetched)) = collect::step(&self.store, &self.client, now).await? else {
            return Ok(Next::Wait);
        };
        match fetched {
            Ok(collected) => {
                let (new, changed) = collected.counts();
                let findings = collected.findings.len();
                tracing::info!(source = source.slug, new, changed, findings, "source: fetched");
            }
            Err(collect::Error::Source(reason)) => {
                tracing::warn!(source = source.slug, reason, "source: failed");
            }
            Err(error @ collect::Error::Database(_)) => return Err(error.into()),
        }
        Ok(if self.stopped() { Next::Wait } else { Next::Again })
    }

    /// Mails in the Maildir are stored and moved on; what was stored is decided about.
    ///
    /// # Errors
    /// The Maildir or the database failed.
    pub async fn bounce(&self) -> anyhow::Result<Next> {
        let now = Millis::from(self.now());
        let mut any = false;
        if let Some(maildir) = &self.maildir {
            any = maildir::step(&self.store, maildir, now).await? > 0;
        }
        any |= verdict::step(&self.store, &self.ours, now).await?.read > 0;
        Ok(if any && !self.stopped() { Next::Again } else { Next::Wait })
    }

    /// A few errands that are due.
    ///
    /// # Errors
    /// The database failed, or the relay cannot be reached.
    pub async fn errand(&self) -> anyhow::Result<Next> {
        let Some((desk, lines)) = &self.errands else { return Ok(Next::Wait) };
        let look = || !self.stopped();
        let done = send::step(desk, lines, self.clock, look).await?;
        if done.silent > 0 {
            tracing::info!(probes = done.silent, "errand: probes did not come back");
        }
        // Not at once: what is sent beside the issues must not crowd them out.
        Ok(Next::Wait)
    }
}

/// The worker in the hands of a loop; none where no relay is configured: everything
/// else works.
#[derive(Debug)]
pub struct Hands {
    worker: Option<Mutex<Worker>>,
    waker: Option<Waker>,
}

impl Hands {
    /// Signs the worker on. The data directory's lock must be held.
    ///
    /// # Errors
    /// The journal, the database, a secret or TLS cannot be had.
    pub async fn begin(open: &Open, clock: fn() -> Millis) -> anyhow::Result<Hands> {
        if open.config.transport.is_empty() {
            tracing::warn!("daemon: no [transport.NAME]: nothing is delivered");
            return Ok(Hands { worker: None, waker: None });
        }
        let worker = sign_on(open, clock).await?;
        let waker = Some(worker.waker());
        Ok(Hands { worker: Some(Mutex::new(worker)), waker })
    }

    /// An issue changed: look at once, also in the middle of a round.
    pub fn wake(&self) {
        if let Some(waker) = &self.waker {
            waker.wake();
        }
    }

    /// Nothing new begins from here on, also in the middle of a round.
    pub fn stop(&self) {
        if let Some(waker) = &self.waker {
            waker.stop();
        }
    }

    /// Whether there is a relay.
    pub fn can_deliver(&self) -> bool {
        self.worker.is_some()
    }

    /// One round of the worker.
    ///
    /// # Errors
    /// The database or the journal failed.
    pub async fn delivery(&self) -> anyhow::Result<Next> {
        Ok(match self.round().await? {
            Some(Round::Busy) => Next::Again,
            Some(Round::Idle(_) | Round::Blocked(_)) | None => Next::Wait,
        })
    }

    /// The same, with what it said; none without a relay.
    ///
    /// # Errors
    /// The database or the journal failed.
    pub async fn round(&self) -> anyhow::Result<Option<Round>> {
        match &self.worker {
            Some(worker) => Ok(Some(worker.lock().await.round().await?)),
            None => Ok(None),
        }
    }

    /// Stops delivering: what is on the wire gets its answer or becomes unknown.
    ///
    /// # Errors
    /// The database failed: what the journal holds is recorded at the next start.
    pub async fn end(&self) -> anyhow::Result<()> {
        if let Some(worker) = &self.worker {
            worker.lock().await.drain(AFTER_THE_DOT).await?;
        }
        Ok(())
    }
}

/// Randomness for one letter's marks.
fn chance() -> Chance {
    let octets = key::random().expect("the system gave randomness for the master key");
    let half = |at: usize| {
        let mut half = [0; 16];
        half.copy_from_slice(&octets[at..at + 16]);
        u128::from_ne_bytes(half)
    };
    Chance { slots: half(0), marks: half(16) }
}

async fn sign_on(open: &Open, clock: fn() -> Millis) -> anyhow::Result<Worker> {
    let setup = transport::setup(&open.config, &open.key, clock)?;
    let (worker, found) = Worker::start(open.store.clone(), &open.config.directory, setup).await?;
    if found.proven + found.back + found.unknown > 0 {
        tracing::warn!(
            proven = found.proven,
            back = found.back,
            unknown = found.unknown,
            "delivery: took over from a process that ended in mid-send"
        );
    }
    Ok(worker)
}

fn errands(open: &Open, office: Office, clock: fn() -> Millis) -> anyhow::Result<(Desk, Lines)> {
    let setup = transport::setup(&open.config, &open.key, clock)?;
    let desk = Desk {
        store: open.store.clone(),
        key: open.key.token(),
        office,
        return_path: setup.return_path,
        keys: setup.keys,
    };
    let relays = setup.transports.into_iter().map(|line| (line.name, line.relay));
    Ok((desk, Lines { relays: relays.collect(), order: setup.order }))
}

fn note(newsletter: &str, composed: &Composed) {
    match composed {
        Composed::Waits(issue) => {
            tracing::info!(newsletter, issue = issue.0, "issue: composed, waits as a draft");
        }
        Composed::Queued(issue) => tracing::info!(newsletter, issue = issue.0, "issue: queued"),
        Composed::Blocked(issue, findings) => {
            let findings = findings.len();
            tracing::warn!(newsletter, issue = issue.0, findings, "issue: composed, blocked");
        }
        Composed::Nothing => tracing::info!(newsletter, "issue: nothing new"),
        Composed::Skipped => tracing::warn!(newsletter, "issue: its time passed, skipped"),
        Composed::Taken => {}
    }
}
