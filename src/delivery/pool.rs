//! The sessions with relays: each takes marked deliveries from its relay's queue,
//! fills the letter, takes the last look, sends, and notes the reply in the journal
//! before it goes on. They know no database; the worker feeds them and records what
//! they did.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::person::{Name, Person, Salutation};
use rundbrief_subscribers::token::{DeliveryToken, Key};
use tokio::sync::Notify;

use super::due::Claim;
use super::journal::{self, Journal, Note, Record};
use super::licence::Licence;
use super::queue::{Open, Queue};
use crate::issue::IssueId;
use crate::letter::dkim;
use crate::letter::reader::Recipient;
use crate::letter::splice::{Letter, Reader};
use crate::smtp::envelope::Envelope;
use crate::smtp::mark::Mark;
use crate::smtp::reply::Reply;
use crate::smtp::session::Session;
use crate::smtp::transaction::Mail;
use crate::smtp::{Answer, Broken, Outcome, Stage};
use crate::store::value::Millis;

/// A session that has nothing to do for this long is closed.
const IDLE: Duration = Duration::from_secs(5);

/// An issue that is being sent, as sessions need it.
#[derive(Debug)]
pub struct Running {
    /// The issue.
    pub id: IssueId,
    /// Its frozen letter.
    pub letter: Letter,
    /// Keys that sign it.
    pub keys: Vec<Arc<dkim::Key>>,
    /// Transports that may carry it, by their place among the worker's, in order.
    pub route: Vec<usize>,
    /// Paused or cancelled: no new dot.
    pub halted: AtomicBool,
}

/// A delivery that is marked as being sent.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The ledger's row with its reader.
    pub claim: Claim,
    /// Its issue.
    pub issue: Arc<Running>,
    /// The transport it was marked for, by its place; no other one gets it.
    pub line: usize,
    /// The lease it was marked under.
    pub epoch: u64,
}

/// What became of a delivery on the wire.
#[derive(Debug)]
pub struct Done {
    /// The delivery.
    pub ready: Ready,
    /// Where it ended and with what.
    pub outcome: Outcome,
    /// When a session took it.
    pub begun: Millis,
    /// Whether its session had told of its trouble before: one lost session is one
    /// failure of the relay, however many mails were in flight.
    pub again: bool,
}

/// How the mails' return path is made: `LOCAL+TOKEN@DOMAIN` (VERP).
#[derive(Debug, Clone)]
pub struct ReturnPath {
    /// Before the plus.
    pub local: String,
    /// Behind the at sign.
    pub domain: String,
}

/// What all sessions share with their worker.
#[derive(Debug)]
pub struct Pool {
    pub(super) journal: Journal,
    pub(super) key: Key,
    pub(super) return_path: ReturnPath,
    pub(super) clock: fn() -> Millis,
    done: Mutex<Vec<Done>>,
    /// Wakes the worker: enough is done.
    pub(super) finished: Notify,
    /// How much is enough while sessions still have work: waking for each costs more.
    pub(super) enough: AtomicUsize,
    pub(super) licence: Licence,
}

impl Pool {
    /// A pool without sessions.
    pub fn new(journal: Journal, key: Key, return_path: ReturnPath, clock: fn() -> Millis) -> Pool {
        Pool {
            journal,
            key,
            return_path,
            clock,
            done: Mutex::default(),
            finished: Notify::new(),
            enough: AtomicUsize::new(1),
            licence: Licence::new(),
        }
    }

    /// What was done since the last call.
    pub(super) fn collect(&self) -> Vec<Done> {
        std::mem::take(&mut *lock(&self.done))
    }

    /// How much was done since the last call of [`Pool::collect`].
    pub(super) fn done(&self) -> usize {
        lock(&self.done).len()
    }

    /// The last look before a dot.
    fn may_send(&self, ready: &Ready) -> bool {
        !ready.issue.halted.load(Ordering::Relaxed)
            && self.licence.covers(ready.claim.id, ready.epoch)
    }

    /// A mail is done; `dry`: its sessions have no work left.
    fn report(&self, one: Done, dry: bool) {
        let mut done = lock(&self.done);
        done.push(one);
        if dry || done.len() >= self.enough.load(Ordering::Relaxed) {
            self.finished.notify_one();
        }
    }
}

/// A delivery with its envelope and content, ready for the wire.
#[derive(Debug)]
struct Prepared {
    ready: Ready,
    begun: Millis,
    envelope: Envelope,
    content: Vec<u8>,
    /// The journal knows that it begins.
    noted: bool,
}

/// How a session ended.
#[derive(Debug)]
pub enum Ended {
    /// It never came to be; when it began.
    Unopened(Outcome, Millis),
    /// It did its work.
    Served,
    /// The journal cannot be written: nothing more may be sent.
    Journal(journal::Error),
}

/// One session from connecting to QUIT.
pub async fn serve(pool: Arc<Pool>, queue: Arc<Queue>) -> Ended {
    let begun = (pool.clock)();
    let opened = Session::open(&queue.relay).await;
    // The worker may wait for a session to mark for, or to hear that there is none.
    let open = opened.is_ok().then(|| Open::new(&queue));
    pool.finished.notify_one();
    let session = match opened {
        Ok(session) => session,
        Err(outcome) => return Ended::Unopened(outcome, begun),
    };
    let (reader, spare, mail) = (Reader::default(), Vec::new(), Vec::new());
    let unsynced = VecDeque::new();
    let mut desk =
        Desk { pool, queue, session, unsynced, reader, spare, mail, failed: false, served: 0 };
    let worked = desk.work().await;
    drop(open);
    // The session in its place begins with no reply that a power cut may take back: ours
    // would come on top of what it may have itself.
    match worked.and(desk.sync().await) {
        Ok(()) => {
            desk.session.quit().await;
            Ended::Served
        }
        Err(error) => Ended::Journal(error),
    }
}

/// A session with what it reuses from mail to mail.
struct Desk {
    pool: Arc<Pool>,
    queue: Arc<Queue>,
    session: Session,
    /// Places of replies in the journal that may not survive the machine yet.
    unsynced: VecDeque<u64>,
    reader: Reader,
    spare: Vec<Vec<u8>>,
    mail: Vec<u8>,
    /// The relay's trouble with this session was reported.
    failed: bool,
    /// Mails that were answered after their dot.
    served: u32,
}

impl Desk {
    /// Sends until there is nothing to send, or the session ends.
    async fn work(&mut self) -> Result<(), journal::Error> {
        let mut next: Option<Prepared> = None;
        while self.session.is_open() {
            self.pool.licence.sight().await;
            let Some(first) = next.take().or_else(|| self.prepare()) else {
                if !self.wait().await {
                    break;
                }
                continue;
            };
            if self.session.window() > 1 {
                self.send_window(first).await?;
                continue;
            }
            self.settle(1).await?;
            if !first.noted {
                self.pool.journal.note([record(&self.pool, &first.ready, Note::Begun)])?;
            }
            next = if self.session.server().pipelining { self.prepare() } else { None };
            let outcome = self.send(&first, next.as_ref()).await;
            self.finish(first, outcome, next.as_mut())?;
        }
        if let Some(unsent) = next {
            self.queue.push_back(unsent.ready);
        }
        Ok(())
    }

    async fn send(&mut self, mail: &Prepared, next: Option<&Prepared>) -> Outcome {
        let pool = &self.pool;
        let letter = Mail { envelope: &mail.envelope, content: &mail.content };
        let look = || pool.may_send(&mail.ready);
        self.session.send(letter, next.map(|next| &next.envelope), look).await
    }

    /// Waits for work; false when the session has idled long enough or was closed.
    async fn wait(&mut self) -> bool {
        let mut woken = std::pin::pin!(self.queue.wake.notified());
        // From here on no wake-up is missed.
        woken.as_mut().enable();
        if self.pool.licence.is_draining() {
            return false;
        }
        if self.queue.waiting() > 0 {
            return true;
        }
        tokio::time::timeout(IDLE, woken).await.is_ok() && self.session.is_fresh().await
    }

    async fn send_window(&mut self, first: Prepared) -> Result<(), journal::Error> {
        let mut batch = vec![first];
        while batch.len() < self.session.window()
            && let Some(next) = self.prepare()
        {
            batch.push(next);
        }
        self.settle(batch.len()).await?;
        let begun = batch.iter().map(|mail| record(&self.pool, &mail.ready, Note::Begun));
        self.pool.journal.note(begun.collect::<Vec<_>>())?;
        let mails: Vec<Mail<'_>> = batch
            .iter()
            .map(|mail| Mail { envelope: &mail.envelope, content: &mail.content })
            .collect();
        let pool = &self.pool;
        let look = |n: usize| pool.may_send(&batch[n].ready);
        let outcomes = self.session.send_window(&mails, look).await;
        drop(mails);
        for (mail, outcome) in batch.into_iter().zip(outcomes) {
            self.finish(mail, outcome, None)?;
        }
        Ok(())
    }

    /// Waits until with so many more mails no more have no synced reply than may. Asks
    /// for a sync in good time, so that nobody waits for a disk that keeps up.
    async fn settle(&mut self, more: usize) -> Result<(), journal::Error> {
        let journal = &self.pool.journal;
        let most = self.queue.unsynced.max(more);
        while let Some(place) = self.unsynced.front().copied() {
            if !journal.is_synced(place) {
                let open = self.unsynced.len() + more;
                if open <= most {
                    if open * 4 > most {
                        journal.hasten();
                    }
                    break;
                }
                journal.synced(place).await?;
            }
            self.unsynced.pop_front();
        }
        Ok(())
    }

    /// Waits until every reply survives the machine.
    async fn sync(&mut self) -> Result<(), journal::Error> {
        match self.unsynced.back() {
            Some(place) => self.pool.journal.synced(*place).await,
            None => Ok(()),
        }
    }

    /// Notes the reply, then reports it: a reply that was heard survives us. In the same
    /// write the journal learns that the next mail begins.
    fn finish(
        &mut self,
        mail: Prepared,
        outcome: Outcome,
        next: Option<&mut Prepared>,
    ) -> Result<(), journal::Error> {
        if let (Stage::Dot, Answer::Reply(reply)) = (outcome.stage, &outcome.answer) {
            let note = Note::Replied { code: reply.code(), words: reply.words() };
            let begins = next.map(|next| {
                next.noted = true;
                record(&self.pool, &next.ready, Note::Begun)
            });
            let replied = [record(&self.pool, &mail.ready, note)];
            let place = self.pool.journal.note(replied.into_iter().chain(begins))?;
            self.unsynced.push_back(place);
            self.served += 1;
        }
        self.spare.push(mail.content);
        if self.was_closed_before(&outcome) {
            self.queue.push_back(mail.ready);
            return Ok(());
        }
        let again = self.failed;
        self.failed |= matches!(outcome.answer, Answer::Broken(_)) || outcome.code() == Some(421);
        let dry = self.queue.waiting() == 0;
        self.pool.report(Done { ready: mail.ready, outcome, begun: mail.begun, again }, dry);
        Ok(())
    }

    /// A connection that served mails and was closed before MAIL was answered is
    /// nobody's fault: another one takes the mail, which no server has seen.
    fn was_closed_before(&self, outcome: &Outcome) -> bool {
        outcome.stage == Stage::Mail
            && matches!(outcome.answer, Answer::Broken(Broken::Io(_)))
            && self.served > 0
    }

    /// The next delivery, spliced and signed. One that cannot be addressed is reported at once.
    fn prepare(&mut self) -> Option<Prepared> {
        loop {
            if self.pool.licence.is_draining() {
                return None;
            }
            let ready = lock(&self.queue.ready).pop_front()?;
            let begun = (self.pool.clock)();
            if !self.pool.may_send(&ready) {
                let outcome = Outcome { stage: Stage::Mail, answer: Answer::Withheld };
                self.pool.report(Done { ready, outcome, begun, again: false }, true);
                continue;
            }
            let mut content = self.spare.pop().unwrap_or_default();
            content.clear();
            match self.address(&ready, &mut content) {
                Some(envelope) => {
                    return Some(Prepared { ready, begun, envelope, content, noted: false });
                }
                None => {
                    let text = "5.1.3 the stored address is no address";
                    let outcome = Outcome::reply(Stage::Rcpt, Reply::new(553, text));
                    self.pool.report(Done { ready, outcome, begun, again: false }, true);
                }
            }
        }
    }

    fn address(&mut self, ready: &Ready, content: &mut Vec<u8>) -> Option<Envelope> {
        let claim = &ready.claim;
        let subscriber = claim.subscriber_id?;
        let address = EmailAddress::parse(claim.address.as_deref()?).ok()?;
        let name = |stored: &Option<String>| {
            stored.as_deref().and_then(|name| Name::parse(name).ok()).unwrap_or_default()
        };
        let salutation = claim.salutation.as_deref().and_then(Salutation::parse);
        let person = Person {
            salutation: salutation.unwrap_or_default(),
            given: name(&claim.given_name),
            family: name(&claim.family_name),
            language: None,
        };
        let recipient =
            Recipient { delivery: claim.id.0, subscriber, address: &address, person: &person };
        let letter = &ready.issue.letter;
        self.reader.fill(&letter.head, &self.pool.key, &recipient);
        let token = DeliveryToken::new(&self.pool.key, claim.id.0, letter.head.issue, subscriber);
        let token = token.to_string();
        let mark = self.queue.relay.setup().mark;
        if let Some(mark) = mark {
            content.extend_from_slice(mark.header(&token).as_bytes());
        }
        if ready.issue.keys.is_empty() {
            letter.splice(&self.reader, content);
        } else {
            self.mail.clear();
            letter.splice(&self.reader, &mut self.mail);
            let keys = ready.issue.keys.iter().map(AsRef::as_ref);
            let now = (self.pool.clock)().timestamp();
            let replaced = mark.map_or(&[][..], Mark::replaces);
            dkim::sign_without(replaced, keys, &self.mail, now, content);
            content.extend_from_slice(&self.mail);
        }
        let path = &self.pool.return_path;
        let sender = format!("{}+{token}@{}", path.local, path.domain);
        let mut envelope = Envelope::new(sender, address.as_str(), Some(token)).ok()?;
        envelope.describe(content);
        Some(envelope)
    }
}

fn record(pool: &Pool, ready: &Ready, note: Note) -> Record {
    let Claim { id, generation, .. } = ready.claim;
    Record { delivery: id.0, generation, at: (pool.clock)().0, note }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
