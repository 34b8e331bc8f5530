//! The only loops: schedule, sources, deliveries, bounces, errands, web.
//!
//! What a loop does in one turn stands in [`tick`]; here they turn, each by itself,
//! until somebody says stop. On other machines a process can only deliver ([`Role`]).
//! systemd hears *ready* when all have begun, and its watchdog is fed only while every
//! loop turns. On SIGTERM nothing new begins, mails whose final dot is written wait for
//! their answer, and the log says how many deliveries remain.

pub mod bell;
pub mod log;
pub mod mailbox;
pub mod pulse;
pub mod signals;
pub mod tick;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use axum::Router;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::Open;
use crate::config::secret::Secret;
use crate::delivery::journal;
use crate::delivery::sums;
use crate::metrics::{self, Sight};
use crate::store::lock::Lock;
use crate::store::value::Millis;
use crate::web::{self, Site};
use crate::webhook::door::Door;
use bell::Bell;
use mailbox::Inlets;
use pulse::{Loop, Pulse};
use signals::Signals;
use tick::{Hands, Next, Tick};

/// Between two looks at what is due; a newsletter is at most this late.
const SCHEDULE: Duration = Duration::from_secs(5);
/// Between two looks at which sources are due.
const SOURCES: Duration = Duration::from_secs(15);
/// Between two looks for deliveries when there was nothing to deliver.
const DELIVERIES: Duration = Duration::from_secs(1);
/// Between two looks for errands; they go a few at a time.
const ERRANDS: Duration = Duration::from_secs(10);
/// Between two looks into the bounce mailbox.
const BOUNCES: Duration = Duration::from_secs(10);
/// Between two sessions by POP3; servers refuse those who come more often.
const POP3: Duration = Duration::from_secs(60);
/// Between two questions to ourselves whether the web answers.
const WEB: Duration = Duration::from_secs(10);
/// A drain takes at most this long: 60 s for answers after the dot, and the records.
const DRAIN: Duration = Duration::from_secs(75);
/// The database has this long for a last word.
const FAREWELL: Duration = Duration::from_secs(10);
/// A trouble that stays is logged again after this long.
const AGAIN: Duration = Duration::from_secs(300);

/// What a process of several does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Everything.
    All,
    /// Delivers, and nothing else: no schedule, no mailbox, no web.
    Worker,
}

/// Runs until SIGTERM or SIGINT, or until a loop dies.
///
/// # Errors
/// Another process works in the data directory, the port is taken, or a loop died.
pub async fn run(open: Open, role: Role) -> anyhow::Result<()> {
    let _lock = Lock::take(&open.config.directory)?;
    let mut signals = Signals::take()?;
    let (stop, stopping) = watch::channel(false);
    let turning = match role {
        Role::All => Loop::ALL,
        Role::Worker => &[Loop::Delivery],
    };
    let pulse = Arc::new(Pulse::of(turning, Instant::now()));
    let listener = match role {
        Role::All => Some(listen(&open).await?),
        Role::Worker => None,
    };
    let hands = Arc::new(Hands::begin(&open, now).await?);
    let bell = Bell::new(Arc::clone(&hands));
    let listening = tokio::spawn(bell.clone().follow(open.store.clone(), stopping.clone()));
    let mut loops = Loops { set: JoinSet::new(), pulse: Arc::clone(&pulse), stopping, bell };
    if let Some(listener) = listener {
        let stopping = || loops.stopping.clone();
        let tick = Arc::new(Tick::begin(&open, now, stopping())?);
        let inlets = Arc::new(Inlets::begin(&open, now, stopping()).await?);
        begin_web(&mut loops, &open, listener)?;
        begin_ticks(&mut loops, &tick);
        begin_inlets(&mut loops, &inlets);
    } else if !hands.can_deliver() {
        bail!("no [transport.NAME] in the configuration: a worker has nothing to deliver by");
    }
    loops.turn(Loop::Delivery, DELIVERIES, &hands, |hands| async move { hands.delivery().await });
    begin_metrics(&mut loops, &open).await?;
    notify(&[NotifyState::Ready]);
    let feeder = tokio::spawn(feed(pulse));
    tracing::info!(?role, version = env!("CARGO_PKG_VERSION"), "daemon: ready");

    let died = tokio::select! {
        signal = signals.asked() => { tracing::info!(signal, "daemon: stopping"); None }
        ended = loops.set.join_next() => Some(ended),
    };
    notify(&[NotifyState::Stopping]);
    hands.stop();
    stop.send_replace(true);
    wind_down(&mut loops, &hands, &open).await;
    listening.abort();
    feeder.abort();
    match died {
        None => Ok(()),
        Some(Some(Ok(Err(error)))) => Err(error),
        Some(ended) => bail!("a loop died: {ended:?}. This is a mistake in rundbrief"),
    }
}

/// Waits for the loops and for answers to mails whose final dot is written. A database
/// that says nothing any more does not keep us: the journal does.
async fn wind_down(loops: &mut Loops, hands: &Hands, open: &Open) {
    let ended = async { while loops.set.join_next().await.is_some() {} };
    let drained = async {
        if let Err(error) = hands.end().await {
            tracing::error!(error = format!("{error:#}"), "daemon: records wait in the journal");
        }
    };
    let both = async { tokio::join!(ended, drained) };
    if tokio::time::timeout(DRAIN, both).await.is_err() {
        tracing::warn!(seconds = DRAIN.as_secs(), "daemon: drain took too long");
    }
    let remaining = async {
        match sums::open(&open.store).await {
            Ok(remaining) => tracing::info!(remaining, "daemon: stopped"),
            Err(error) => tracing::error!(%error, "daemon: stopped, who knows how many remain"),
        }
        open.store.close().await;
    };
    if tokio::time::timeout(FAREWELL, remaining).await.is_err() {
        tracing::error!("daemon: stopped, the database does not answer");
    }
}

async fn listen(open: &Open) -> anyhow::Result<TcpListener> {
    let listen = open.config.web.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("web.listen: {listen}. Is another program there already?"))?;
    tracing::info!(listen = %listener.local_addr()?, "web: listening");
    Ok(listener)
}

/// Does everything that is due now, once, and says how many deliveries remain.
///
/// # Errors
/// Another process works in the data directory, or a step failed.
pub async fn once(open: Open) -> anyhow::Result<i64> {
    let _lock = Lock::take(&open.config.directory)?;
    let (_stop, stopping) = watch::channel(false);
    let mailboxes = Inlets::begin(&open, now, stopping.clone()).await?;
    let (tick, hands) = (Tick::begin(&open, now, stopping)?, Hands::begin(&open, now).await?);
    while tick.source().await? == Next::Again {}
    while tick.schedule().await? == Next::Again {}
    while hands.delivery().await? == Next::Again {}
    mailboxes.once().await?;
    while tick.bounce().await? == Next::Again {}
    while tick.errand().await? == Next::Again {}
    hands.end().await?;
    let remaining = sums::open(&open.store).await?;
    tracing::info!(remaining, "daemon: done for now");
    open.store.close().await;
    Ok(remaining)
}

fn begin_ticks(loops: &mut Loops, tick: &Arc<Tick>) {
    let bell = loops.bell.clone();
    loops.turn(Loop::Schedule, SCHEDULE, tick, move |tick| {
        let bell = bell.clone();
        async move {
            let next = tick.schedule().await?;
            // Something was frozen, perhaps: it can go out.
            if next == Next::Again {
                bell.ring();
            }
            Ok(next)
        }
    });
    loops.turn(Loop::Source, SOURCES, tick, |tick| async move { tick.source().await });
    loops.turn(Loop::Bounce, BOUNCES, tick, |tick| async move { tick.bounce().await });
    loops.turn(Loop::Errand, ERRANDS, tick, |tick| async move { tick.errand().await });
}

fn begin_inlets(loops: &mut Loops, inlets: &Arc<Inlets>) {
    loops.turn(Loop::Imap, BOUNCES, inlets, |inlets| async move { inlets.imap().await });
    loops.turn(Loop::Pop3, POP3, inlets, |inlets| async move { inlets.pop3().await });
    loops.turn(Loop::Mbox, BOUNCES, inlets, |inlets| async move { inlets.mbox().await });
    loops.turn(Loop::Lmtp, BOUNCES, inlets, |inlets| async move { inlets.listen().await });
}

fn begin_web(loops: &mut Loops, open: &Open, listener: TcpListener) -> anyhow::Result<()> {
    let at = listener.local_addr()?;
    let site = Site {
        store: open.store.clone(),
        key: open.key.clone(),
        address: open.config.web.address.clone(),
        webhooks: Arc::new(Door::open(&open.config.bounce.webhook)?),
        pulse: Arc::clone(&loops.pulse),
        open_house: false,
    };
    loops.serve(Loop::Web, listener, web::router(site));
    let at = Arc::new(at);
    loops.turn(Loop::Web, WEB, &at, |at| async move {
        web::health::ask(*at).await.map(|()| Next::Wait)
    });
    Ok(())
}

/// Where metrics are asked for, if anybody is to ask.
async fn begin_metrics(loops: &mut Loops, open: &Open) -> anyhow::Result<()> {
    let Some(wanted) = &open.config.metrics else { return Ok(()) };
    let listener = TcpListener::bind(wanted.listen)
        .await
        .with_context(|| format!("metrics.listen: {}. Is another program there?", wanted.listen))?;
    let token = wanted.token.as_ref().map(Secret::read).transpose().context("metrics.token")?;
    let pulse = Arc::clone(&loops.pulse);
    let sight = Sight { store: open.store.clone(), pulse, token, clock: now };
    loops.serve(Loop::Metrics, listener, metrics::router(sight));
    Ok(())
}

/// The loops that turn.
struct Loops {
    set: JoinSet<anyhow::Result<Loop>>,
    pulse: Arc<Pulse>,
    stopping: watch::Receiver<bool>,
    bell: Bell,
}

impl Loops {
    /// One more: `step` on `what`, every `period`, until stopped.
    fn turn<T, F>(
        &mut self,
        which: Loop,
        period: Duration,
        what: &Arc<T>,
        step: impl Fn(Arc<T>) -> F + Send + 'static,
    ) where
        T: Send + Sync + 'static,
        F: Future<Output = anyhow::Result<Next>> + Send + 'static,
    {
        let (pulse, stopping) = (Arc::clone(&self.pulse), self.stopping.clone());
        let what = Arc::clone(what);
        let rung = matches!(which, Loop::Schedule | Loop::Delivery).then(|| self.bell.hear());
        let turn = Turn { which, period, pulse, stopping, rung };
        self.set.spawn(turn.until_stopped(move || step(Arc::clone(&what))));
    }

    /// Answers requests until stopped.
    fn serve(&mut self, which: Loop, listener: TcpListener, router: Router) {
        let mut stopped = self.stopping.clone();
        self.set.spawn(async move {
            let serve = axum::serve(listener, router);
            let stopped = async move { drop(stopped.wait_for(|stop| *stop).await) };
            if let Err(error) = serve.with_graceful_shutdown(stopped).await {
                tracing::error!(%error, r#loop = %which, "daemon: stopped listening");
            }
            Ok(which)
        });
    }
}

/// One loop.
struct Turn {
    which: Loop,
    period: Duration,
    pulse: Arc<Pulse>,
    stopping: watch::Receiver<bool>,
    /// What ends its pause early.
    rung: Option<watch::Receiver<u64>>,
}

impl Turn {
    /// Turns until stopped. A step that fails is tried again after the period; its
    /// trouble is logged when it begins, when it changes, and now and then.
    ///
    /// # Errors
    /// The journal failed: nothing may be sent without it, and whoever looks after
    /// this process must hear of it.
    async fn until_stopped<F>(mut self, step: impl Fn() -> F) -> anyhow::Result<Loop>
    where
        F: Future<Output = anyhow::Result<Next>>,
    {
        let mut trouble: Option<(String, Instant)> = None;
        while !*self.stopping.borrow() {
            let pause = match step().await {
                Ok(next) => {
                    if trouble.take().is_some() {
                        tracing::info!(r#loop = %self.which, "daemon: works again");
                    }
                    match next {
                        Next::Again => Duration::ZERO,
                        Next::Within(wait) => wait.min(self.period),
                        Next::Wait => self.period,
                    }
                }
                Err(error) if error.is::<journal::Error>() => return Err(error),
                Err(error) => {
                    let said = format!("{error:#}");
                    let known = trouble
                        .as_ref()
                        .is_some_and(|(old, at)| *old == said && at.elapsed() < AGAIN);
                    if !known {
                        tracing::error!(r#loop = %self.which, error = said, "daemon: step failed");
                        trouble = Some((said, Instant::now()));
                    }
                    self.period
                }
            };
            // The web's own question proves that it answers; a failed one does not.
            if self.which != Loop::Web || trouble.is_none() {
                self.pulse.beat(self.which, Instant::now());
            }
            tokio::select! {
                _ = self.stopping.changed() => {}
                () = rung(&mut self.rung) => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(self.which)
    }
}

/// The bell rang; never, where none is heard.
async fn rung(bell: &mut Option<watch::Receiver<u64>>) {
    let heard = match bell {
        Some(bell) => bell.changed().await.is_ok(),
        None => false,
    };
    if !heard {
        std::future::pending().await
    }
}

/// Feeds systemd's watchdog three times in its period while every loop turns.
async fn feed(pulse: Arc<Pulse>) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    loop {
        let silent = pulse.silent();
        if silent.is_empty() {
            notify(&[NotifyState::Watchdog]);
        } else {
            let names: Vec<&str> = silent.iter().map(|which| which.as_str()).collect();
            tracing::error!(loops = names.join(" "), "daemon: loops hang, watchdog not fed");
        }
        tokio::time::sleep(period / 3).await;
    }
}

#[expect(clippy::disallowed_methods, reason = "the daemon reads the clock")]
fn now() -> Millis {
    Millis::from(jiff::Timestamp::now())
}

/// Tells systemd, if it asked to be told.
fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!(%error, "daemon: systemd cannot be told");
    }
}
