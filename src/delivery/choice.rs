//! What comes next: whose turn it is, by which transport, and what is taken of it.

use std::sync::Arc;

use super::breaker::Gate;
use super::pool::Running;
use super::worker::{Sending, Taken, WATCH, Worker};
use super::{due, ledger, wave};
use crate::store::Tx;
use crate::store::value::Millis;

impl Worker {
    /// The first transport of an issue's route that is asked at all now, and did not
    /// refuse it.
    pub(super) fn open_line(&self, issue: &Running, now: Millis) -> Option<usize> {
        let asked = |at: &usize| !self.refusals.stands(issue.id, *at, now);
        let closed = |at: &usize| match self.lines[*at].breaker.gate(now) {
            Gate::Closed => true,
            // One mail is enough to see whether it is back; the others go elsewhere.
            Gate::Probe => self.lines[*at].wants(0, now) > 0,
            Gate::Open(_) => false,
        };
        let mut route = issue.route.iter().copied().filter(asked);
        route.clone().find(closed).or_else(|| {
            let probing = |at: &usize| self.lines[*at].breaker.gate(now) == Gate::Probe;
            route.find(probing)
        })
    }

    /// When a relay is asked again, if none of those that issues need is asked now.
    pub(super) fn blocked(&self, now: Millis) -> Option<Millis> {
        let running = self.issues.iter().filter(|sending| !sending.is_halted());
        let mut until = None::<Millis>;
        for sending in running {
            if self.open_line(&sending.running, now).is_some() {
                return None;
            }
            for at in &sending.running.route {
                if let Gate::Open(at) = self.lines[*at].breaker.gate(now) {
                    until = Some(until.map_or(at, |until| until.min(at)));
                }
            }
        }
        until
    }

    /// Takes what is due of an issue for a transport: with an open session it is marked
    /// at once where the pace allows, else only claimed. Answers how many were due, and
    /// what was taken.
    pub(super) async fn take(
        &mut self,
        tx: &mut Tx,
        (turn, line): (usize, usize),
        room: usize,
        open: bool,
        now: Millis,
    ) -> sqlx::Result<(usize, Vec<Taken>)> {
        let room = room.min(self.lines[line].allowed(now));
        let Sending { running, cursor, .. } = &mut self.issues[turn];
        let limit = wave::room(tx, running.id, room.min(ledger::GROUP), now).await?;
        if limit == 0 {
            return Ok((0, Vec::new()));
        }
        let mut at = *cursor;
        let mut due = due::behind(tx, running.id, now, limit, &mut at).await?;
        *cursor = at;
        let found = due.len();
        if found > 0 && open {
            let (admitted, later) = self.lines[line].admit(due, now);
            due::put_off(tx, &later, now).await?;
            ledger::begin(tx, self.me, &self.lines[line].name, &admitted, now).await?;
            due = admitted;
        } else if found > 0 {
            ledger::claim(tx, self.me, &due, now).await?;
        }
        Ok((found, due.into_iter().map(|claim| (claim, Arc::clone(running))).collect()))
    }

    /// The issue whose turn it is to be claimed from and the transport for it, if
    /// claims are wanted.
    pub(super) fn claiming(
        &mut self,
        marking: &[Vec<Taken>],
        now: Millis,
    ) -> Option<(usize, usize)> {
        let count = self.issues.len();
        let wanted = |at: usize| {
            let sending = &self.issues[at];
            // Not when the clock was set back meanwhile.
            let empty = |until: Millis| now < until && now >= until.before(WATCH);
            if sending.is_halted() || sending.empty_until.is_some_and(empty) {
                return None;
            }
            let line = self.open_line(&sending.running, now)?;
            let more = self.lines[line].wants(marking[line].len(), now) > 0;
            // Rows that the pace will not let go are better left alone.
            (more && self.lines[line].allowed(now) > 0).then_some((at, line))
        };
        let chosen = (1..=count).map(|n| (self.turn + n) % count).find_map(wanted)?;
        self.turn = chosen.0;
        Some(chosen)
    }
}
