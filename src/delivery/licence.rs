//! The licence to write a final dot: the lease is good, the last look at issues and
//! readers is recent, the reader still wants it, and nobody asked us to stop. Sessions
//! read it before each dot; the worker and its look keep it.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::DeliveryId;
use super::pool::lock;

/// A session that waits for a look asks this often whether it is time to go.
const BLIND: Duration = Duration::from_millis(100);

/// What every dot needs, whatever it belongs to.
#[derive(Debug)]
pub(super) struct Licence {
    /// Deliveries that must not be sent any more although they are marked.
    withdrawn: Mutex<HashSet<DeliveryId>>,
    any_withdrawn: AtomicBool,
    draining: AtomicBool,
    drained: Notify,
    /// Grows when our own lease lapsed: what was marked before is not ours.
    epoch: AtomicU64,
    /// Until when the lease is good, in milliseconds since `born`; never shortened.
    lease: AtomicU64,
    /// Until when the last look is good, alike.
    sight: AtomicU64,
    /// Wakes sessions that wait for a look.
    seen: Notify,
    born: Instant,
}

impl Licence {
    /// None yet: no lease, no look.
    pub(super) fn new() -> Licence {
        Licence {
            withdrawn: Mutex::default(),
            any_withdrawn: AtomicBool::new(false),
            draining: AtomicBool::new(false),
            drained: Notify::new(),
            epoch: AtomicU64::new(0),
            lease: AtomicU64::new(0),
            sight: AtomicU64::new(0),
            seen: Notify::new(),
            born: Instant::now(),
        }
    }

    /// From now on nothing new is begun. Sessions that wait must be woken.
    pub(super) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
        self.drained.notify_waiters();
    }

    /// Whether nothing new is begun.
    pub(super) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Waits until nothing new is begun any more.
    pub(super) async fn drained(&self) {
        let mut drained = std::pin::pin!(self.drained.notified());
        drained.as_mut().enable();
        if !self.draining.load(Ordering::SeqCst) {
            drained.await;
        }
    }

    /// These readers and nobody else want nothing any more: no dot begins for them
    /// from here on.
    pub(super) fn withdraw(&self, ids: impl IntoIterator<Item = DeliveryId>) {
        let mut withdrawn = lock(&self.withdrawn);
        withdrawn.clear();
        withdrawn.extend(ids);
        self.any_withdrawn.store(!withdrawn.is_empty(), Ordering::SeqCst);
    }

    /// The lease was renewed; it is good for so long from when that was asked for:
    /// the answer may have been long on its way.
    pub(super) fn renew(&self, asked: Instant, good_for: Duration) {
        self.lease.fetch_max(self.until(asked, good_for), Ordering::SeqCst);
    }

    /// Nobody else can take what is ours while this process lives.
    pub(super) fn own(&self) {
        self.lease.store(u64::MAX, Ordering::SeqCst);
    }

    /// The lease had lapsed: everything marked before is void.
    pub(super) fn lapse(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// The lease that marks are made under now.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::SeqCst)
    }

    /// A look that began at this moment saw everything that had been committed until
    /// then: for so long dots may rely on it.
    pub(super) fn saw(&self, begun: Instant, good_for: Duration) {
        self.sight.fetch_max(self.until(begun, good_for), Ordering::SeqCst);
        self.seen.notify_waiters();
    }

    /// Waits while the last look is too old: nothing may begin that no look stands
    /// behind. Not when there is nothing to begin any more.
    pub(super) async fn sight(&self) {
        while !self.sees() && !self.is_draining() {
            let mut seen = std::pin::pin!(self.seen.notified());
            seen.as_mut().enable();
            if !self.sees() {
                let _ = tokio::time::timeout(BLIND, seen).await;
            }
        }
    }

    /// Whether a dot may be written for a delivery that was marked under a lease.
    pub(super) fn covers(&self, delivery: DeliveryId, epoch: u64) -> bool {
        let now = self.now();
        !self.is_draining()
            && now < self.sight.load(Ordering::Relaxed)
            && epoch == self.epoch.load(Ordering::Relaxed)
            && now < self.lease.load(Ordering::Relaxed)
            && !(self.any_withdrawn.load(Ordering::Relaxed)
                && lock(&self.withdrawn).contains(&delivery))
    }

    fn sees(&self) -> bool {
        self.now() < self.sight.load(Ordering::Relaxed)
    }

    /// Milliseconds since `born`.
    fn now(&self) -> u64 {
        self.born.elapsed().as_millis() as u64
    }

    /// When something ends that is good for so long, alike.
    fn until(&self, from: Instant, good_for: Duration) -> u64 {
        (from.saturating_duration_since(self.born) + good_for).as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn full() -> Licence {
        let licence = Licence::new();
        licence.own();
        licence.saw(Instant::now(), LONG);
        licence
    }

    #[test]
    fn a_dot_needs_all_of_it() {
        let (one, other) = (DeliveryId(1), DeliveryId(2));
        assert!(full().covers(one, 0));
        let unseen = Licence::new();
        unseen.own();
        assert!(!unseen.covers(one, 0), "nobody has looked");
        let unleased = Licence::new();
        unleased.saw(Instant::now(), LONG);
        assert!(!unleased.covers(one, 0), "no lease");
        let left = full();
        left.withdraw([one]);
        assert!(!left.covers(one, 0) && left.covers(other, 0));
        let lapsed = full();
        lapsed.lapse();
        assert!(!lapsed.covers(one, 0) && lapsed.covers(one, 1));
        let stopped = full();
        stopped.drain();
        assert!(!stopped.covers(one, 0));
    }

    #[test]
    fn a_look_is_good_from_when_it_began() {
        let licence = Licence::new();
        licence.own();
        licence.saw(Instant::now(), Duration::ZERO);
        assert!(!licence.covers(DeliveryId(1), 0));
        licence.saw(Instant::now(), LONG);
        // An older look that ends later takes nothing away.
        licence.saw(Instant::now(), Duration::ZERO);
        assert!(licence.covers(DeliveryId(1), 0));
    }
}
