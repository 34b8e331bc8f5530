//! What a worker does by the clock: a sign of life, a look at issues and at readers
//! who left, unknown deliveries.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::time::Instant;

use super::due::Cursor;
use super::pool::Running;
use super::worker::{LEASE, Sending, WATCH, Worker};
use super::{clocks, expand, guard, settle, sums, watch};
use crate::issue::IssueId;
use crate::letter::dkim;
use crate::store::Tx;
use crate::store::value::Millis;

/// A sign of life to the other workers; and the pace is stored.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How often unknown deliveries are looked at.
const SETTLE: Duration = Duration::from_secs(20);

impl Worker {
    /// Heartbeat, issues, readers who left, unknown deliveries: each at its time.
    pub(super) async fn upkeep(&mut self, now: Millis) -> anyhow::Result<()> {
        let due =
            |last: Option<Millis>, every| last.is_none_or(|at| now >= at.after(every) || now < at);
        if due(self.last.heartbeat, HEARTBEAT) {
            let asked = Instant::now();
            let alive = settle::heartbeat(&self.store, self.me, now).await?;
            if !alive {
                tracing::warn!("delivery.lease.lapsed");
                self.pool.licence.lapse();
            }
            self.pool.licence.renew(asked, LEASE);
            let mut tx = self.store.begin().await?;
            self.keep_pace(&mut tx, now).await?;
            tx.commit().await?;
            self.last.heartbeat = Some(now);
        }
        if let Some(ended) = self.looking.try_join_next() {
            ended.context("the look beside the worker panicked")?;
        }
        let woken = self.sight.was_woken();
        if woken || self.last.expanding || due(self.last.watch, WATCH) {
            if woken {
                self.issues.iter_mut().for_each(|sending| sending.empty_until = None);
            }
            self.look(now).await?;
            self.last.watch = Some(now);
        }
        if due(self.last.settle, SETTLE) {
            let late = clocks::set_right(&self.store, now).await?;
            settle::settle(&self.store, self.setup.evidence, now).await?;
            sums::fold(&self.store).await?;
            let more = watch::take_back(&self.store, now).await?;
            self.last.settle = (!more && !late).then_some(now);
        }
        Ok(())
    }

    /// How the transports are, for the next start and for everybody to see.
    pub(super) async fn keep_pace(&self, tx: &mut Tx, now: Millis) -> sqlx::Result<()> {
        let journal = self.pool.journal.unknown();
        for line in &self.lines {
            let kept = line.kept(journal);
            watch::keep_pace(tx, &line.name, &self.host, &kept, now).await?;
        }
        Ok(())
    }

    /// Which issues are to be sent, which are not any more, who has left.
    async fn look(&mut self, now: Millis) -> anyhow::Result<()> {
        self.show_hands();
        let mut seen = self.sight.look(true).await?;
        seen.retain(|issue| self.only.is_none_or(|only| only == issue.id));
        self.last.expanding = false;
        for issue in seen.iter().filter(|issue| issue.state == "expanding") {
            // A chunk a round: neither the heartbeat nor other issues wait for a long list.
            match expand::step(&self.store, issue.id, now).await {
                Ok(expand::Progress::More(_)) => self.last.expanding = true,
                Ok(expand::Progress::Started { .. }) => {
                    self.issues.iter_mut().for_each(|sending| sending.empty_until = None);
                }
                Ok(expand::Progress::Idle) => {}
                Err(error) => self.set_aside(issue.id, error)?,
            }
        }
        for issue in seen.iter().filter(|issue| issue.state == "sending") {
            let known = guard::read(issue.guard.as_deref());
            self.suspects.tolerate(issue.id, known.words.clone());
            guard::check(&self.store, issue.id, &known, now).await?;
        }
        for sending in &mut self.issues {
            let id = sending.running.id;
            let goes_on = seen.iter().any(|issue| issue.id == id);
            if !goes_on && !sending.cancelled {
                let state = watch::state(&self.store, id).await?;
                sending.cancelled = state == "cancelled";
            }
        }
        for issue in &seen {
            if !self.issues.iter().any(|sending| sending.running.id == issue.id) {
                match self.running(issue.id).await {
                    Ok(running) => self.issues.push(Sending {
                        running: Arc::new(running),
                        cursor: Cursor::START,
                        empty_until: None,
                        cancelled: false,
                    }),
                    Err(error) => self.set_aside(issue.id, error)?,
                }
            }
        }
        // What nobody holds any more and is not being sent is done with here.
        let none_claimed = self.lines.iter().all(|line| line.claimed.is_empty());
        if self.held.is_empty() && none_claimed {
            let goes_on = |id| seen.iter().any(|issue| issue.id == id);
            self.issues.retain(|sending| sending.cancelled || goes_on(sending.running.id));
        }
        Ok(())
    }

    /// An issue's letter with what signs and what carries it.
    async fn running(&self, issue: IssueId) -> anyhow::Result<Running> {
        let watch::Frozen { letter, from, transports } = watch::letter(&self.store, issue).await?;
        let signs = |key: &&Arc<dkim::Key>| from.as_ref().is_some_and(|d| key.signs_for(d));
        let keys = self.setup.keys.iter().filter(signs).cloned().collect();
        let route = self.route(&transports)?;
        Ok(Running { id: issue, letter, keys, route, halted: false.into() })
    }

    /// The transports of these names, by their places, in order; the configured
    /// order where a newsletter names none.
    fn route(&self, names: &[String]) -> anyhow::Result<Vec<usize>> {
        let names = if names.is_empty() { &self.setup.order } else { names };
        let place = |name: &String| {
            let at = self.lines.iter().position(|line| line.name == *name);
            at.with_context(|| format!("the newsletter goes by transport {name:?}, and rundbrief.toml has no [transport.{name}]. Add it, or change `transports` in the newsletter's file and apply it"))
        };
        names.iter().map(place).collect()
    }

    /// An issue that cannot be sent as it is stands aside and does not hold up the
    /// others; a database that fails is everybody's trouble.
    fn set_aside(&mut self, issue: IssueId, error: anyhow::Error) -> anyhow::Result<()> {
        if error.chain().any(|cause| cause.is::<sqlx::Error>()) {
            return Err(error);
        }
        self.refused.insert(issue, format!("{error:#}"));
        Ok(())
    }
}
