//! What must not be sent any more: issues that were paused or cancelled, readers who
//! left. Seen by reads alone and beside the worker's transactions: an import that
//! holds the writer for a minute does not keep a pause waiting.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch::{Receiver, Sender};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::DeliveryId;
use super::pool::{Pool, Running};
use super::watch::{self, Seen};
use super::worker::{WATCH, Worker};
use crate::store::Store;

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
        Sight { store, pool, hands: Mutex::default(), looked, count: Sender::new(0) }
    }

    /// Looks for as long as the worker lives; it ends the task when it is dropped.
    pub(super) fn keep_looking(self: &Arc<Sight>) -> JoinSet<()> {
        let sight = Arc::clone(self);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                let due = *sight.looked.lock().await + WATCH;
                if Instant::now() < due {
                    tokio::time::sleep_until(due).await;
                } else if sight.hands().deliveries.is_empty() {
                    tokio::time::sleep(WATCH / 4).await;
                } else if let Err(error) = sight.look(false).await {
                    // The worker's own look meets the same trouble and tells of it.
                    tracing::debug!(%error, "delivery.look.failed");
                    tokio::time::sleep(WATCH / 4).await;
                }
            }
        });
        tasks
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
        self.pool.withdraw(gone);
        *looked = begun;
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

    /// Counts the looks at issues and readers. What was committed is known when two
    /// more were done: the first may have begun before.
    pub fn looks(&self) -> Receiver<u64> {
        self.sight.count.subscribe()
    }
}
