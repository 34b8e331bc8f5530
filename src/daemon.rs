//! The only loops: schedule, sources, deliveries, bounces, web.
//!
//! What a loop does in one turn stands in [`tick`]; here they turn, each by itself,
//! until somebody says stop. systemd hears *ready* when all have begun, and its
//! watchdog is fed only while every loop turns. On SIGTERM nothing new begins,
//! mails whose final dot is written wait for their answer, and the log says how
//! many deliveries remain.

pub mod log;
pub mod mailbox;
pub mod pulse;
pub mod signals;
pub mod tick;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::cli::Open;
use crate::delivery::journal;
use crate::delivery::sums;
use crate::store::lock::Lock;
use crate::store::value::Millis;
use crate::web::{self, Site};
use crate::webhook::door::Door;
use mailbox::Inlets;
use pulse::{Loop, Pulse};
use signals::Signals;
use tick::{Next, Tick};

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
/// A trouble that stays is logged again after this long.
const AGAIN: Duration = Duration::from_secs(300);

/// Runs until SIGTERM or SIGINT, or until a loop dies.
///
/// # Errors
/// Another process works in the data directory, the port is taken, or a loop died.
pub async fn run(open: Open) -> anyhow::Result<()> {
    let _lock = Lock::take(&open.config.directory)?;
    let mut signals = Signals::take()?;
    let listen = open.config.web.listen;
    let listener = TcpListener::bind(listen)
        .await
        .with_context(|| format!("web.listen: {listen}. Is another program there already?"))?;
    let pulse = Arc::new(Pulse::new(Instant::now()));
    let (stop, stopping) = watch::channel(false);
    let tick = Arc::new(Tick::begin(&open, now, stopping.clone()).await?);
    let inlets = Arc::new(Inlets::begin(&open, now, stopping.clone()).await?);
    let mut loops = JoinSet::new();
    begin_web(&mut loops, &open, listener, &pulse, &stopping)?;
    begin_ticks(&mut loops, &tick, &pulse, &stopping);
    begin_inlets(&mut loops, &inlets, &pulse, &stopping);
    notify(&[NotifyState::Ready]);
    let feeder = tokio::spawn(feed(Arc::clone(&pulse)));
    tracing::info!(%listen, version = env!("CARGO_PKG_VERSION"), "daemon: ready");

    let died = tokio::select! {
        signal = signals.asked() => { tracing::info!(signal, "daemon: stopping"); None }
        ended = loops.join_next() => Some(ended),
    };
    notify(&[NotifyState::Stopping]);
    stop.send_replace(true);
    let drained = tokio::time::timeout(DRAIN, async { while loops.join_next().await.is_some() {} });
    if drained.await.is_err() {
        tracing::warn!(seconds = DRAIN.as_secs(), "daemon: drain took too long");
    }
    if let Err(error) = tick.end().await {
        tracing::error!(error = format!("{error:#}"), "daemon: records wait in the journal");
    }
    feeder.abort();
    let remaining = sums::open(&open.store).await?;
    tracing::info!(remaining, "daemon: stopped");
    open.store.close().await;
    match died {
        None => Ok(()),
        Some(Some(Ok(Err(error)))) => Err(error),
        Some(ended) => bail!("a loop died: {ended:?}. This is a mistake in rundbrief"),
    }
}

/// Does everything that is due now, once, and says how many deliveries remain.
///
/// # Errors
/// Another process works in the data directory, or a step failed.
pub async fn once(open: Open) -> anyhow::Result<i64> {
    let _lock = Lock::take(&open.config.directory)?;
    let (_stop, stopping) = watch::channel(false);
    let mailboxes = Inlets::begin(&open, now, stopping.clone()).await?;
    let tick = Tick::begin(&open, now, stopping).await?;
    while tick.source().await? == Next::Again {}
    while tick.schedule().await? == Next::Again {}
    while tick.delivery().await? == Next::Again {}
    mailboxes.once().await?;
    while tick.bounce().await? == Next::Again {}
    while tick.errand().await? == Next::Again {}
    tick.end().await?;
    let remaining = sums::open(&open.store).await?;
    tracing::info!(remaining, "daemon: done for now");
    open.store.close().await;
    Ok(remaining)
}

fn begin_ticks(
    loops: &mut JoinSet<anyhow::Result<Loop>>,
    tick: &Arc<Tick>,
    pulse: &Arc<Pulse>,
    stopping: &watch::Receiver<bool>,
) {
    let turn = |which, period| Turn {
        which,
        period,
        pulse: Arc::clone(pulse),
        stopping: stopping.clone(),
    };
    let at = || Arc::clone(tick);
    let (a, b, c, d, e) = (at(), at(), at(), at(), at());
    loops.spawn(turn(Loop::Schedule, SCHEDULE).until_stopped(move || {
        let tick = Arc::clone(&a);
        async move { tick.schedule().await }
    }));
    loops.spawn(turn(Loop::Source, SOURCES).until_stopped(move || {
        let tick = Arc::clone(&b);
        async move { tick.source().await }
    }));
    loops.spawn(turn(Loop::Delivery, DELIVERIES).until_stopped(move || {
        let tick = Arc::clone(&c);
        async move { tick.delivery().await }
    }));
    loops.spawn(turn(Loop::Bounce, BOUNCES).until_stopped(move || {
        let tick = Arc::clone(&d);
        async move { tick.bounce().await }
    }));
    loops.spawn(turn(Loop::Errand, ERRANDS).until_stopped(move || {
        let tick = Arc::clone(&e);
        async move { tick.errand().await }
    }));
}

fn begin_inlets(
    loops: &mut JoinSet<anyhow::Result<Loop>>,
    inlets: &Arc<Inlets>,
    pulse: &Arc<Pulse>,
    stopping: &watch::Receiver<bool>,
) {
    let turn = |which, period| Turn {
        which,
        period,
        pulse: Arc::clone(pulse),
        stopping: stopping.clone(),
    };
    let at = || Arc::clone(inlets);
    let (a, b, c, d) = (at(), at(), at(), at());
    loops.spawn(turn(Loop::Imap, BOUNCES).until_stopped(move || {
        let inlets = Arc::clone(&a);
        async move { inlets.imap().await }
    }));
    loops.spawn(turn(Loop::Pop3, POP3).until_stopped(move || {
        let inlets = Arc::clone(&b);
        async move { inlets.pop3().await }
    }));
    loops.spawn(turn(Loop::Mbox, BOUNCES).until_stopped(move || {
        let inlets = Arc::clone(&c);
        async move { inlets.mbox().await }
    }));
    loops.spawn(turn(Loop::Lmtp, BOUNCES).until_stopped(move || {
        let inlets = Arc::clone(&d);
        async move { inlets.listen().await }
    }));
}

fn begin_web(
    loops: &mut JoinSet<anyhow::Result<Loop>>,
    open: &Open,
    listener: TcpListener,
    pulse: &Arc<Pulse>,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let at = listener.local_addr()?;
    let site = Site {
        store: open.store.clone(),
        key: open.key.clone(),
        address: open.config.web.address.clone(),
        webhooks: Arc::new(Door::open(&open.config.bounce.webhook)?),
        pulse: Arc::clone(pulse),
        open_house: false,
    };
    let mut stopped = stopping.clone();
    loops.spawn(async move {
        let serve = axum::serve(listener, web::router(site));
        let stopped = async move { drop(stopped.wait_for(|stop| *stop).await) };
        if let Err(error) = serve.with_graceful_shutdown(stopped).await {
            tracing::error!(%error, "web: stopped listening");
        }
        Ok(Loop::Web)
    });
    let ask = Turn {
        which: Loop::Web,
        period: WEB,
        pulse: Arc::clone(pulse),
        stopping: stopping.clone(),
    };
    loops.spawn(
        ask.until_stopped(move || async move { web::health::ask(at).await.map(|()| Next::Wait) }),
    );
    Ok(())
}

/// One loop.
struct Turn {
    which: Loop,
    period: Duration,
    pulse: Arc<Pulse>,
    stopping: watch::Receiver<bool>,
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
                    if next == Next::Again { Duration::ZERO } else { self.period }
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
                () = tokio::time::sleep(pause) => {}
            }
        }
        Ok(self.which)
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
