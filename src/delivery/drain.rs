//! Stopping: nothing new begins, replies that are due are waited for, everything
//! else goes back to the queue.

use std::sync::Arc;
use std::time::Duration;

use super::ledger;
use super::pool::Done;
use super::worker::{Worker, answered};
use super::{DeliveryId, guard, settle, verdict, watch};
use crate::issue;
use crate::store::value::Millis;

/// How long a database that fails is asked again, and one that says nothing is waited
/// for. The journal keeps what it does not take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Between two such tries.
const PAUSE: Duration = Duration::from_millis(200);

impl Worker {
    /// Begins nothing new, waits for replies that are due, gives back the rest.
    /// Answers how many deliveries stayed on the wire without a reply.
    ///
    /// # Errors
    /// The database failed.
    pub async fn drain(&mut self, within: Duration) -> anyhow::Result<usize> {
        self.pool.licence.drain();
        for line in &self.lines {
            line.queue.wake();
        }
        let until = tokio::time::Instant::now() + within;
        loop {
            let now = (self.setup.clock)();
            let waiting = self.lines.iter().flat_map(|line| line.queue.take_back(|_| true));
            let back: Vec<Done> = waiting.map(verdict::held_back).collect();
            self.judge(back, now);
            let recorded = self.record_all().await;
            if self.held.is_empty() || tokio::time::Instant::now() >= until {
                break;
            }
            if let Err(error) = recorded {
                // The journal takes the replies that still come: they are waited for.
                let on_the_wire = self.held.len();
                tracing::warn!(
                    error = format!("{error:#}"),
                    on_the_wire,
                    "delivery.drain.unrecorded"
                );
            }
            self.gather().await;
        }
        // What waits behind a mail that gets no answer has not begun, and does not any more.
        let begun = |id: &DeliveryId| self.pool.journal.has(id.0);
        let (lost, unsent): (Vec<_>, Vec<_>) = self.held.drain().partition(|(id, _)| begun(id));
        let left = lost.len();
        let unsent = unsent.into_iter().map(|(id, claim)| verdict::unsent(id, claim));
        self.unrecorded.extend(unsent);
        let lost = lost.into_iter().map(|(id, claim)| verdict::lost(id, claim));
        self.unrecorded.extend(lost);
        // Refusals that are not decided may be nobody's fault: not sent, and no attempt.
        self.unrecorded.extend(self.suspects.give_back());
        tracing::info!(on_the_wire = left, "delivery.drained");
        self.record_all().await?;
        for line in &mut self.lines {
            line.held = 0;
            line.sessions.shutdown().await;
        }
        self.looking.shutdown().await;
        answered(&self.pool, self.sign_off()).await?;
        Ok(left)
    }

    /// The pace once more, now that no session is open; then we are gone.
    async fn sign_off(&self) -> anyhow::Result<()> {
        let now = (self.setup.clock)();
        let mut tx = self.store.begin().await?;
        self.keep_pace(&mut tx, now).await?;
        tx.commit().await?;
        settle::sign_off(&self.store, self.me, now).await?;
        Ok(())
    }

    /// Records what is done and gives back every claim. A database that fails is asked
    /// again for a while: its disk may be full for a moment only.
    async fn record_all(&mut self) -> anyhow::Result<()> {
        let until = tokio::time::Instant::now() + PATIENCE;
        loop {
            let now = (self.setup.clock)();
            let pool = Arc::clone(&self.pool);
            match answered(&pool, self.record_once(now)).await {
                Err(error) if error.is::<sqlx::Error>() && tokio::time::Instant::now() < until => {
                    tracing::warn!(%error, "delivery.drain.again");
                    tokio::time::sleep(PAUSE).await;
                }
                done @ (Ok(()) | Err(_)) => return done,
            }
        }
    }

    async fn record_once(&mut self, now: Millis) -> anyhow::Result<()> {
        let done = self.pool.collect();
        self.judge(done, now);
        self.sync().await?;
        let mut tx = self.store.begin().await?;
        ledger::record(&mut tx, self.me, &self.unrecorded, now).await?;
        watch::give_back_claims(&mut tx, self.me, now).await?;
        for (issue, words) in &self.refused {
            guard::stop(&mut tx, *issue, words, self.suspects.stopped(*issue), now).await?;
        }
        for issue in self.issues.iter().filter(|issue| issue.cancelled) {
            issue::take_back(&mut tx, issue.running.id, now).await?;
        }
        self.keep_pace(&mut tx, now).await?;
        tx.commit().await?;
        for line in &mut self.lines {
            line.claimed.clear();
        }
        self.recorded();
        Ok(())
    }
}
