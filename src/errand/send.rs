//! Puts errands on the wire: marked first, then sent, then recorded. One that may have
//! been sent is never sent again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::letter::{self, Desk};
use super::{Errand, Kind, Record, State, outcome};
use crate::bounce::refusal;
use crate::delivery::backoff;
use crate::newsletter::{self, NewsletterId};
use crate::smtp::relay::Relay;
use crate::smtp::scope::{self, Scope};
use crate::smtp::session::Session;
use crate::smtp::transaction::Mail;
use crate::smtp::{Outcome, Stage};
use crate::store::Store;
use crate::store::value::Millis;

/// Errands of one step: few, so that issues and errands share a relay fairly.
const AT_ONCE: usize = 20;
/// An errand waits so long when the relay, not its receiver, could not take it.
const RELAY_WAIT: Duration = Duration::from_secs(5 * 60);
/// An errand whose mail cannot be written is tried again after this long: somebody has
/// to mend the newsletter first.
const UNWRITTEN_WAIT: Duration = Duration::from_secs(60 * 60);

/// The relays there are, and the order in which a newsletter goes by them that names none.
#[derive(Debug)]
pub struct Lines {
    /// By name.
    pub relays: BTreeMap<String, Relay>,
    /// The usual order.
    pub order: Vec<String>,
}

impl Lines {
    /// A session with the first relay of a newsletter's order that can be reached.
    async fn open(&self, store: &Store, newsletter: NewsletterId) -> anyhow::Result<Session> {
        // One that cannot be read is said where its mail is written.
        let own = newsletter::get(store, newsletter).await.map(|one| one.definition.transports);
        let own = own.unwrap_or_default();
        let order = if own.is_empty() { &self.order } else { &own };
        let mut troubles = Vec::new();
        for (name, relay) in order.iter().filter_map(|name| self.relays.get_key_value(name)) {
            match Session::open(relay).await {
                Ok(session) => return Ok(session),
                Err(outcome) => {
                    let stage = outcome.stage.as_str();
                    troubles.push(format!("[transport.{name}] at {stage}: {}", outcome.words()));
                }
            }
        }
        anyhow::bail!("errands wait: {}", troubles.join("; "))
    }
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Errands the relay took.
    pub accepted: usize,
    /// Errands that ended otherwise, or wait again.
    pub others: usize,
    /// Probes that did not come back.
    pub silent: usize,
}

/// Sends what is due, a few at a time, and closes probes that stayed silent. `look` is
/// asked before each final dot. The clock is read for each.
///
/// # Errors
/// The database failed, or no relay can be reached: nothing was marked then.
pub async fn step(
    desk: &Desk,
    lines: &Lines,
    clock: fn() -> Millis,
    look: impl Fn() -> bool,
) -> anyhow::Result<Done> {
    let mut done = Done::default();
    let mut tx = desk.store.begin().await?;
    done.silent = outcome::silent(&mut tx, clock()).await?;
    tx.commit().await?;
    let Some(newsletter) = super::due(&desk.store, clock()).await? else { return Ok(done) };
    // Opened before anything is marked: a relay that is away costs no errand.
    let mut session = lines.open(&desk.store, newsletter).await?;
    while done.accepted + done.others < AT_ONCE && session.is_open() && look() {
        let mut tx = desk.store.begin().await?;
        let Some(errand) = super::mark(&mut tx, newsletter, clock()).await? else { break };
        tx.commit().await?;
        match one(desk, &mut session, &errand, clock, &look).await? {
            State::Accepted => done.accepted += 1,
            State::Queued | State::Sending | State::Failed | State::Unknown | State::Cancelled => {
                done.others += 1;
            }
        }
    }
    session.quit().await;
    Ok(done)
}

async fn one(
    desk: &Desk,
    session: &mut Session,
    errand: &Errand,
    clock: fn() -> Millis,
    look: &impl Fn() -> bool,
) -> anyhow::Result<State> {
    let written = match letter::write(desk, errand, session.mark(), clock()).await {
        Ok(Some(written)) => written,
        Ok(None) => {
            return keep(desk, errand, &unsent(State::Cancelled, Millis(0), ""), clock()).await;
        }
        Err(error) => {
            tracing::error!(errand = errand.id.0, "errand.unfit: {error:#}");
            let again = clock().after(UNWRITTEN_WAIT);
            let record = unsent(State::Queued, again, &format!("{error:#}"));
            return keep(desk, errand, &record, clock()).await;
        }
    };
    let mut written = written;
    if let Some(mark) = session.mark() {
        written.content.splice(..0, mark.header(&written.token).into_bytes());
        written.envelope.describe(&written.content);
    }
    let mail = Mail { envelope: &written.envelope, content: &written.content };
    let outcome = session.send(mail, None, look).await;
    let record = judge(errand, &outcome, clock());
    let mut tx = desk.store.begin().await?;
    let ours = super::record(&mut tx, errand, &record, clock()).await?;
    if ours && record.state == State::Failed && errand.kind == Kind::Probe {
        refusal::of_probe(&mut tx, errand.id, written.to.as_str(), &outcome, clock()).await?;
    }
    tx.commit().await?;
    let (kind, state) = (errand.kind.as_str(), record.state.as_str());
    tracing::info!(errand = errand.id.0, kind, state, "errand");
    Ok(record.state)
}

async fn keep(desk: &Desk, errand: &Errand, record: &Record, now: Millis) -> anyhow::Result<State> {
    let mut tx = desk.store.begin().await?;
    super::record(&mut tx, errand, record, now).await?;
    tx.commit().await?;
    Ok(record.state)
}

/// It never came to the wire.
fn unsent(state: State, next_at: Millis, words: &str) -> Record {
    Record {
        state,
        next_at,
        unused: true,
        stage: Stage::Connect.as_str(),
        code: None,
        words: words.to_owned(),
    }
}

fn judge(errand: &Errand, outcome: &Outcome, now: Millis) -> Record {
    let plain = Record {
        state: State::Queued,
        next_at: now.after(RELAY_WAIT),
        unused: true,
        stage: outcome.stage.as_str(),
        code: outcome.code(),
        words: outcome.words(),
    };
    match scope::judge(outcome) {
        Scope::Accepted => Record { state: State::Accepted, unused: false, ..plain },
        Scope::Never => Record { state: State::Failed, unused: false, ..plain },
        Scope::Unknown => Record { state: State::Unknown, unused: false, ..plain },
        Scope::Relay | Scope::Withheld => plain,
        // What the relay refuses whoever it is for ends one day as well: no errand is
        // worth knocking for ever.
        Scope::Later | Scope::Issue => match backoff::wait(errand.attempts, 0.5) {
            Some(wait) => Record { next_at: now.after(wait), unused: false, ..plain },
            None => Record { state: State::Cancelled, unused: false, ..plain },
        },
    }
}
