//! What must not be sent any more: issues that were paused or cancelled, readers who
//! left. Seen by reads alone and beside the worker's transactions: an import that
//! holds the writer for a minute does not keep a pause waiting. Who knows that
//! something changed can wake it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::watch::{Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::DeliveryId;
use super::pool::{Pool, Running};
use super::watch::{self, Seen};
use super::worker::{WATCH, Worker};
use crate::store::Store;

/// How long dots may rely on a look: what was committed is obeyed after a second, also
/// where the database has stopped to answer.
const GOOD: Duration = Duration::from_secs(1);

/// What a worker has in its hands, and the look at it.
#[derive(Debug)]
pub(super) struct Sight {
    store: Store,
    pool: Arc<Pool>,
    hands: Mutex<Hands>,
    /// One look at a time, so that an older answer never overrules a newer one. When
    /// the last one was.
    looked: tokio::sync::Mutex<Instant>,
    count: Sender<u64>,
    /// Somebody woke us and the worker has not looked since.
    woken: AtomicBool,
    wake: Notify,
}

/// Makes a worker look at once.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Sight>);

impl Waker {
    /// Something about an issue changed. What is on the wire is looked at now, what is
    /// due in the worker's next round.
    pub fn wake(&self) {
        self.0.woken.store(true, Ordering::SeqCst);
        self.0.wake.notify_one();
    }

    /// Nothing new begins from here on: the worker is about to be drained.
    pub fn stop(&self) {
        self.0.pool.licence.drain();
    }
}

/// What may be on the wire before the worker says so again.
#[derive(Debug, Default, Clone)]
struct Hands {
    issues: Vec<Arc<Running>>,
    /// Claimed or marked.
    deliveries: Vec<(DeliveryId, i64)>,
}

impl Sight {
    /// Nothing is in hand yet.
    pub(super) fn new(store: Store, pool: Arc<Pool>) -> Sight {
        let looked = tokio::sync::Mutex::new(Instant::now());
        Sight {
            store,
            pool,
            hands: Mutex::default(),
            looked,
            count: Sender::new(0),
            woken: AtomicBool::new(false),
            wake: Notify::new(),
        }
    }

    /// Looks for as long as the worker lives; it ends the task when it is dropped.
    pub(super) fn keep_looking(self: &Arc<Sight>) -> JoinSet<()> {
        let sight = Arc::clone(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut woken = false;
            loop {
                let due = *sight.looked.lock().await + WATCH;
                if !woken && Instant::now() < due {
                    woken = sight.woken_before(due).await;
                } else if sight.hands().deliveries.is_empty() {
                    woken = sight.woken_before(Instant::now() + WATCH / 4).await;
                } else if let Err(error) = sight.look(false).await {
                    // The worker's own look meets the same trouble and tells of it.
                    tracing::debug!(%error, "delivery.look.failed");
                    tokio::time::sleep(WATCH / 4).await;
                } else {
                    woken = false;
                }
            }
        });
        tasks
    }

    /// Waits; true when somebody woke us meanwhile.
    async fn woken_before(&self, until: Instant) -> bool {
        tokio::time::timeout_at(until, self.wake.notified()).await.is_ok()
    }

    /// Whether somebody woke us since the last time that this was asked.
    pub(super) fn was_woken(&self) -> bool {
        self.woken.swap(false, Ordering::SeqCst)
    }

    /// Which issues are to be sent. Those in hand that are not are halted; with
    /// `resume` the others go on. Readers who left get nothing from here on.
    ///
    /// # Errors
    /// The database failed.
    pub(super) async fn look(&self, resume: bool) -> sqlx::Result<Vec<Seen>> {
        let mut looked = self.looked.lock().await;
        let hands = self.hands().clone();
        let begun = Instant::now();
        let seen = watch::issues(&self.store).await?;
        for running in &hands.issues {
            let goes_on = seen.iter().any(|issue| issue.id == running.id);
            if !goes_on || resume {
                running.halted.store(!goes_on, Ordering::SeqCst);
            }
        }
        let gone = match hands.deliveries.is_empty() {
            true => Vec::new(),
            false => watch::withdrawn(&self.store, hands.deliveries.into_iter()).await?,
        };
        self.pool.licence.withdraw(gone);
        *looked = begun;
        self.pool.licence.saw(begun, GOOD);
        self.count.send_modify(|count| *count += 1);
        Ok(seen)
    }

    fn hands(&self) -> std::sync::MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Tells the look what it is about. Before anything is marked: what was claimed
    /// is looked at from here on until it is recorded.
    pub(super) fn show_hands(&self) {
        let claimed = self.lines.iter().flat_map(|line| &line.claimed);
        let claimed = claimed.map(|(claim, _)| (claim.id, claim.generation));
        let held = self.held.iter().map(|(id, generation)| (*id, *generation));
        let deliveries = held.chain(claimed).collect();
        let issues = self.issues.iter().map(|one| Arc::clone(&one.running)).collect();
        *self.sight.hands() = Hands { issues, deliveries };
    }

    /// What makes this worker look at once.
    pub fn waker(&self) -> Waker {
        Waker(Arc::clone(&self.sight))
    }

    /// Counts the looks at issues and readers. What was committed is known when two
    /// more were done: the first may have begun before.
    pub fn looks(&self) -> Receiver<u64> {
        self.sight.count.subscribe()
    }
}
