//! A pause reaches the wire although another part of the house holds the writer.
//! With `STOP_PAUSES=30` the time from a pause to the last dot is printed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rundbrief::delivery::{line, worker::Worker};
use rundbrief::issue::IssueId;
use rundbrief::on;
use rundbrief::smtp::relay::{Relay as Target, Setup as Line};
use rundbrief::store::{Kind, Store, Tx};
use tokio::task::JoinHandle;

use crate::app::{App, on_both};
use crate::delivery::{books, execute, issue, readers, transport, until_idle, worker_with};
use crate::relay::{Fault, Offer, Relay};

on_both![
    a_pause_is_seen_while_the_writer_is_held,
    who_left_is_seen_while_the_writer_is_held,
    a_pause_ends_the_dots,
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

/// Every other time somebody holds the writer for a second after the pause.
async fn a_pause_ends_the_dots(app: App) {
    let pauses = std::env::var("STOP_PAUSES").map_or(1, |count| count.parse().unwrap());
    let quiet = Duration::from_millis(if pauses > 1 { 1500 } else { 0 });
    let relay = Relay::start(Offer { delay: Duration::from_millis(5), ..Offer::default() }).await;
    issue(&app, &readers(500 + 500 * pauses as usize)).await;
    let worker = worker_with(&app, vec![patient(relay.port)]).await;
    let turning = Turning::begin(worker);
    let mut took = [Vec::new(), Vec::new()];
    for n in 0..pauses {
        let before = relay.caught().len();
        until(|| relay.caught().len() > before + 50).await;
        tokio::time::sleep(quiet / 40 * (n % 10)).await;
        execute(&app.store, PAUSE).await;
        let paused = Instant::now();
        let held = if n % 2 == 1 { Some(hold(&app.store).await) } else { None };
        tokio::time::sleep(quiet).await;
        drop(held);
        let last = relay.caught().last().unwrap().at;
        took[n as usize % 2].push(last.saturating_duration_since(paused));
        execute(&app.store, RESUME).await;
    }
    let mut worker = turning.end().await;
    worker.drain(Duration::from_secs(10)).await.unwrap();
    let sums = books(&app, IssueId(1)).await;
    assert_eq!(sums.accepted as usize, relay.caught().len());
    for (writer, mut took) in ["free", "held"].into_iter().zip(took) {
        took.sort_unstable();
        if let (true, Some(most)) = (pauses > 1, took.last()) {
            let kind = app.store.kind();
            eprintln!("{kind:?}, writer {writer}: p50 {:?}, most {most:?}", took[took.len() / 2]);
        }
    }
}
