//! Marked deliveries on their way to the sessions with one relay, and how many of those
//! are open.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::pool::{Ready, lock};
use crate::smtp::relay::Relay;

/// Marked deliveries for the sessions with one relay.
#[derive(Debug)]
pub struct Queue {
    pub(super) relay: Relay,
    /// Mails of one session, the one on the wire among them, whose replies a power cut
    /// may take back. One more waits for the disk.
    pub(super) unsynced: usize,
    pub(super) ready: Mutex<VecDeque<Ready>>,
    /// Sessions that are open.
    open: AtomicUsize,
    /// Wakes sessions: something is ready, or it is time to go.
    pub(super) wake: Notify,
}

impl Queue {
    /// A queue without deliveries.
    pub fn new(relay: Relay, unsynced: usize) -> Queue {
        Queue {
            relay,
            unsynced,
            ready: Mutex::default(),
            open: AtomicUsize::new(0),
            wake: Notify::new(),
        }
    }

    /// Hands marked deliveries to the sessions.
    pub(super) fn feed(&self, mails: impl IntoIterator<Item = Ready>) {
        lock(&self.ready).extend(mails);
        self.wake.notify_waiters();
    }

    /// Whether a session is open that could take a delivery.
    pub(super) fn is_open(&self) -> bool {
        self.open.load(Ordering::SeqCst) > 0
    }

    /// Marked deliveries no session has taken.
    pub(super) fn waiting(&self) -> usize {
        lock(&self.ready).len()
    }

    /// Takes back what no session has taken, as far as it is meant.
    pub(super) fn take_back(&self, meant: impl Fn(&Ready) -> bool) -> Vec<Ready> {
        let mut ready = lock(&self.ready);
        let (taken, left) = ready.drain(..).partition(meant);
        *ready = left;
        Vec::from(taken)
    }

    /// Sessions look up, whatever they wait for.
    pub(super) fn wake(&self) {
        self.wake.notify_waiters();
    }

    pub(super) fn push_back(&self, ready: Ready) {
        lock(&self.ready).push_front(ready);
        self.wake.notify_waiters();
    }
}

/// Counts a session for as long as it is open.
pub(super) struct Open(Arc<Queue>);

impl Open {
    pub(super) fn new(queue: &Arc<Queue>) -> Open {
        queue.open.fetch_add(1, Ordering::SeqCst);
        Open(Arc::clone(queue))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::SeqCst);
    }
}
