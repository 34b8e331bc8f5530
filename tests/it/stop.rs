//! A pause reaches the wire although another part of the house holds the writer.
//! With `STOP_PAUSES=30` the time from a pause to the last dot is printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rundbrief::delivery::{line, worker::Worker};
use rundbrief::issue::IssueId;
use rundbrief::smtp::relay::{Relay as Target, Setup as Line};
use rundbrief::store::{Kind, Store, Tx};
use rundbrief::{on, read};
use tokio::task::JoinHandle;

use crate::app::{App, on_both};
use crate::delivery::{books, execute, issue, readers, state, transport, until_idle, worker_with};
use crate::relay::{Fault, Offer, Relay};

on_both![
    a_pause_is_seen_while_the_writer_is_held,
    who_left_is_seen_while_the_writer_is_held,
    a_pause_ends_the_dots,
    a_stop_leaves_doubt_about_begun_mails_only,
    a_stop_fails_nobody_whose_refusal_is_not_decided,
    an_issue_that_is_refused_in_the_last_moment_is_paused,
];

const PAUSE: &str = "update issue set state = 'paused', paused_from = 'sending'";
const RESUME: &str = "update issue set state = 'sending', paused_from = null";

/// A transport that waits for its relay.
fn patient(port: u16) -> line::Setup {
    let relay = Target::new(Line::plain("127.0.0.1", port)).unwrap();
    line::Setup { relay, ..transport("relay", port) }
}

/// Nobody else can write while it is open.
async fn hold(store: &Store) -> Tx {
    let mut tx = store.begin().await.unwrap();
    if tx.kind() == Kind::Postgres {
        let text = "lock table delivery, issue, worker, pace in exclusive mode";
        on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).unwrap();
    }
    tx
}

/// A worker that turns until it is told to stop.
struct Turning {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Worker>,
}

impl Turning {
    fn begin(mut worker: Worker) -> Turning {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                worker.round().await.unwrap();
            }
            worker
        });
        Turning { stop, task }
    }

    async fn end(self) -> Worker {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

async fn until(happened: impl Fn() -> bool) {
    while !happened() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Eight mails are marked, four of them on the wire; then `change`, then nobody can
/// write; then the relay answers. None of the other four may come.
async fn nothing_new_after(app: &App, change: &'static str) -> Worker {
    let relay = Relay::start(Offer { fault: Fault::Holds, ..Offer::default() }).await;
    issue(app, &readers(40)).await;
    let worker = worker_with(app, vec![patient(relay.port)]).await;
    let mut looks = worker.looks();
    let turning = Turning::begin(worker);
    until(|| relay.caught().len() == 4).await;
    execute(&app.store, change).await;
    let held = hold(&app.store).await;
    let done = *looks.borrow();
    looks.wait_for(|looks| *looks >= done + 2).await.unwrap();
    relay.play(Fault::None);
    // Each session has a fifth mail's envelope behind the dot; it must hang up instead.
    until(|| relay.ended() == 4 || relay.caught().len() > 4).await;
    assert_eq!(relay.caught().len(), 4, "a dot after {change}");
    held.rollback().await.unwrap();
    turning.end().await
}

async fn a_pause_is_seen_while_the_writer_is_held(app: App) {
    let mut worker = nothing_new_after(&app, PAUSE).await;
    until_idle(&mut worker).await;
    let sums = books(&app, IssueId(1)).await;
    assert_eq!((sums.accepted, sums.queued), (4, 36), "{sums:?}");
}

async fn who_left_is_seen_while_the_writer_is_held(app: App) {
    let all_left = "update subscription set standing = 'left'";
    let mut worker = nothing_new_after(&app, all_left).await;
    until_idle(&mut worker).await;
    let sums = books(&app, IssueId(1)).await;
    // Some may wait for their next turn, in which they are cancelled.
    assert_eq!((sums.accepted, sums.cancelled + sums.queued), (4, 36), "{sums:?}");
}

/// Longer than this no dot may follow a pause; the bench measures how long they do.
const LIMIT: Duration = Duration::from_secs(3);

/// Every other time somebody holds the writer for a second after the pause.
async fn a_pause_ends_the_dots(app: App) {
    let pauses = std::env::var("STOP_PAUSES").map_or(1, |count| count.parse().unwrap());
    // Alone it is about the limit, and looks beyond; many times it is about the usual.
    let (quiet, delay) = match pauses {
        1 => (LIMIT + Duration::from_secs(1), 20),
        _ => (Duration::from_millis(1500), 5),
    };
    let delay = Duration::from_millis(delay);
    let relay = Relay::start(Offer { delay, ..Offer::default() }).await;
    let issue = issue(&app, &readers(1000 + 500 * pauses as usize)).await;
    let worker = worker_with(&app, vec![patient(relay.port)]).await;
    let turning = Turning::begin(worker);
    let mut took = [Vec::new(), Vec::new()];
    for n in 0..pauses {
        let before = relay.caught().len();
        until(|| relay.caught().len() > before + 50).await;
        if pauses > 1 {
            tokio::time::sleep(quiet / 40 * (n % 10)).await;
        }
        execute(&app.store, PAUSE).await;
        let paused = Instant::now();
        let held = if n % 2 == 1 { Some(hold(&app.store).await) } else { None };
        tokio::time::sleep(quiet).await;
        drop(held);
        let last = relay.caught().last().unwrap().at;
        took[n as usize % 2].push(last.saturating_duration_since(paused));
        assert!(books(&app, issue).await.queued > 0, "there was nothing left to send");
        execute(&app.store, RESUME).await;
    }
    let mut worker = turning.end().await;
    worker.drain(Duration::from_secs(10)).await.unwrap();
    let sums = books(&app, issue).await;
    assert_eq!(sums.accepted as usize, relay.caught().len());
    for (writer, mut took) in ["free", "held"].into_iter().zip(took) {
        took.sort_unstable();
        let Some(most) = took.last() else { continue };
        assert!(*most < LIMIT, "writer {writer}: a dot {most:?} after the pause");
        if pauses > 1 {
            let kind = app.store.kind();
            eprintln!("{kind:?}, writer {writer}: p50 {:?}, most {most:?}", took[took.len() / 2]);
        }
    }
}

/// The relay keeps every mail and answers none: what waits behind them has not begun.
async fn a_stop_leaves_doubt_about_begun_mails_only(app: App) {
    let relay = Relay::start(Offer { fault: Fault::Holds, ..Offer::default() }).await;
    let total = 40;
    let issue = issue(&app, &readers(total)).await;
    let mut worker = worker_with(&app, vec![patient(relay.port)]).await;
    let mut quiet = 0;
    while quiet < 5 {
        let before = relay.caught().len();
        worker.round().await.unwrap();
        quiet = if before > 0 && relay.caught().len() == before { quiet + 1 } else { 0 };
    }
    let begun = relay.caught().len();
    assert_eq!(worker.drain(Duration::ZERO).await.unwrap(), begun);
    let sums = books(&app, issue).await;
    assert_eq!((sums.unknown as usize, sums.queued as usize), (begun, total - begun), "{sums:?}");
}

/// One mail is on the wire and three were refused in the same words: too few to say
/// whose fault it is.
async fn a_stop_fails_nobody_whose_refusal_is_not_decided(app: App) {
    let relay = Relay::start(Offer { fault: Fault::Holds, ..Offer::default() }).await;
    // The last one has no other behind it that its session would hold with it.
    let names = ["no1", "no2", "no3", "reader"].iter().map(|name| format!("{name}@example.org"));
    let issue = issue(&app, &names.collect::<Vec<_>>()).await;
    let mut worker = worker_with(&app, vec![patient(relay.port)]).await;
    let refused = || relay.lines().iter().filter(|line| line.starts_with("RCPT TO:<no")).count();
    while refused() < 3 || relay.caught().is_empty() {
        worker.round().await.unwrap();
    }
    worker.round().await.unwrap();
    assert_eq!(worker.drain(Duration::ZERO).await.unwrap(), 1);
    let sums = books(&app, issue).await;
    assert_eq!((sums.unknown, sums.queued, sums.failed), (1, 3, 0), "{sums:?}");
    let text = "select count(*) from attempt where outcome <> 'unknown'";
    let (tries,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(tries, 0, "and none was an attempt");
}

/// The relay refuses the issue while its replies are waited for.
async fn an_issue_that_is_refused_in_the_last_moment_is_paused(app: App) {
    let fault = Fault::Says("552 5.3.4 Message too big");
    let delay = Duration::from_millis(400);
    let relay = Relay::start(Offer { fault, delay, ..Offer::default() }).await;
    let issue = issue(&app, &readers(1)).await;
    let mut worker = worker_with(&app, vec![patient(relay.port)]).await;
    while !relay.lines().iter().any(|line| line == ".") {
        worker.round().await.unwrap();
    }
    assert_eq!(state(&app).await, "sending");
    worker.drain(Duration::from_secs(10)).await.unwrap();
    assert_eq!(state(&app).await, "paused");
    assert_eq!(books(&app, issue).await.queued, 1);
}
