//! A mailbox by IMAP (RFC 9051, 3501): read in the order of UIDs, stored, and only
//! then flagged, moved or deleted. Progress is the last UID under its UIDVALIDITY,
//! written in the transaction that stores the mails.

use std::collections::VecDeque;
use std::time::Duration;

use anyhow::{Context as _, bail};
use async_imap::extensions::idle::IdleResponse;
use async_imap::{Client, Session};
use futures_util::TryStreamExt as _;
use secrecy::ExposeSecret as _;

use super::connect::{self, ANSWER, FETCH, answer};
use super::progress::{self, Progress};
use super::{BATCH_BYTES, BATCH_MAILS, Step};
use crate::bounce::inbox::Intake;
use crate::bounce::mime;
use crate::config::mailbox::{After, Imap, Login};
use crate::config::transport::Tls;
use crate::smtp::stream::Stream;
use crate::store::Store;
use crate::store::value::Millis;

/// The longest IDLE (RFC 2177 says to renew it before 29 minutes have passed).
pub const IDLE: Duration = Duration::from_secs(25 * 60);
/// How long to wait where the server knows no IDLE.
const POLL: Duration = Duration::from_secs(60);
/// UIDs named in one command; servers cut long lines.
const UIDS: usize = 200;

/// An open folder.
#[derive(Debug)]
pub struct Mailbox {
    session: Session<Stream>,
    place: String,
    after: After,
    validity: i64,
    /// UIDs that are not stored yet, in order.
    waiting: VecDeque<u32>,
    /// Whether what an earlier process stored has been looked through.
    swept: bool,
    idles: bool,
    moves: bool,
    expunges: bool,
}

impl Mailbox {
    /// Connects, logs in and opens the folder.
    ///
    /// # Errors
    /// Says which of them the server refused.
    pub async fn open(config: &Imap) -> anyhow::Result<Mailbox> {
        let account = &config.account;
        let place =
            format!("imap {}@{}:{}/{}", account.user, account.host, account.port, config.folder);
        let mut session = log_in(config).await?;
        let able = answer(ANSWER, "CAPABILITY", session.capabilities()).await?;
        let folder = answer(ANSWER, "SELECT", session.select(&config.folder)).await;
        let folder = folder.with_context(|| format!("folder {:?}", config.folder))?;
        let Some(validity) = folder.uid_validity else {
            bail!("folder {:?}: the server gives no UIDVALIDITY", config.folder);
        };
        Ok(Mailbox {
            place,
            after: account.after.clone(),
            validity: i64::from(validity),
            waiting: VecDeque::new(),
            swept: false,
            idles: able.has_str("IDLE"),
            moves: able.has_str("MOVE"),
            expunges: able.has_str("UIDPLUS"),
            session,
        })
    }

    /// Stores the next batch, then does with it what is configured.
    ///
    /// # Errors
    /// The server or the database failed: open the mailbox anew. What was stored
    /// stays stored, and what was not is still in the mailbox.
    pub async fn step(&mut self, store: &Store, now: Millis) -> anyhow::Result<Step> {
        let last = self.last(store).await?;
        if !self.swept {
            // A crash between storing and deleting left these.
            self.sweep(last).await?;
            self.swept = true;
        }
        if self.waiting.is_empty() {
            self.look(last).await?;
        }
        let batch: Vec<u32> = self.waiting.drain(..self.waiting.len().min(BATCH_MAILS)).collect();
        if batch.is_empty() {
            return Ok(Step::default());
        }
        let (small, large) = self.sizes(&batch).await?;
        let (mut step, stored) = self.take(store, &batch, &small, &large, now).await?;
        // What did not fit into the batch comes first next time.
        for uid in batch.iter().rev().filter(|uid| **uid > stored) {
            self.waiting.push_front(*uid);
        }
        let done: Vec<u32> =
            small.iter().map(|(uid, _)| *uid).filter(|uid| *uid <= stored).collect();
        self.settle(&done).await?;
        step.more = true;
        Ok(step)
    }

    /// Waits until the server says that something came, or the time is over.
    ///
    /// # Errors
    /// The connection broke: open the mailbox anew.
    pub async fn wait(mut self, longest: Duration) -> anyhow::Result<Mailbox> {
        if !self.idles {
            tokio::time::sleep(longest.min(POLL)).await;
            answer(ANSWER, "NOOP", self.session.noop()).await?;
            return Ok(self);
        }
        let mut idle = self.session.idle();
        answer(ANSWER, "IDLE", idle.init()).await?;
        // Dropping the other half would interrupt the wait at once.
        let (waiting, stop) = idle.wait_with_timeout(longest.min(IDLE));
        let said = waiting.await.context("IDLE")?;
        drop(stop);
        self.session = answer(ANSWER, "DONE", idle.done()).await?;
        if let IdleResponse::ManualInterrupt = said {
            bail!("IDLE ended by itself");
        }
        Ok(self)
    }

    /// Says good-bye.
    pub async fn close(mut self) {
        // A server that does not answer this has been heard enough.
        let _ = answer(ANSWER, "LOGOUT", self.session.logout()).await;
    }

    /// The last UID stored; none when the server numbers anew.
    async fn last(&self, store: &Store) -> anyhow::Result<u32> {
        let progress = progress::of(store, &self.place).await?;
        let last = if progress.validity == self.validity { progress.position } else { 0 };
        Ok(u32::try_from(last).unwrap_or(0))
    }

    async fn look(&mut self, last: u32) -> anyhow::Result<()> {
        let Some(first) = last.checked_add(1) else { return Ok(()) };
        // `n:*` names the newest mail even when that is older than n.
        let query = format!("UID {first}:*");
        let found = answer(ANSWER, "UID SEARCH", self.session.uid_search(query)).await?;
        let mut found: Vec<u32> = found.into_iter().filter(|uid| *uid > last).collect();
        found.sort_unstable();
        self.waiting = found.into();
        Ok(())
    }

    /// The sizes of a batch, parted into those that are read whole and those beyond the limit.
    async fn sizes(&mut self, batch: &[u32]) -> anyhow::Result<(Vec<(u32, usize)>, Vec<u32>)> {
        let wanted = set(batch);
        let fetched = async {
            let stream = self.session.uid_fetch(&wanted, "(UID RFC822.SIZE)").await?;
            stream.try_collect::<Vec<_>>().await
        };
        let (mut small, mut large) = (Vec::new(), Vec::new());
        for mail in answer(FETCH, "UID FETCH", fetched).await? {
            let (Some(uid), Some(size)) = (mail.uid, mail.size) else { continue };
            if size as usize > mime::MAX_BYTES {
                large.push(uid)
            } else {
                small.push((uid, size as usize))
            }
        }
        small.sort_unstable();
        Ok((small, large))
    }

    /// Fetches as much of a batch as fits into memory and stores it with the
    /// progress; yields the last UID stored.
    async fn take(
        &mut self,
        store: &Store,
        batch: &[u32],
        small: &[(u32, usize)],
        large: &[u32],
        now: Millis,
    ) -> anyhow::Result<(Step, u32)> {
        let mut bytes = 0;
        let mut until = 0;
        for uid in batch {
            let size =
                small.iter().find(|(known, _)| known == uid).map_or(mime::MAX_BYTES, |s| s.1);
            if bytes > 0 && bytes + size > BATCH_BYTES {
                break;
            }
            bytes += size;
            until = *uid;
        }
        let whole: Vec<u32> = small.iter().map(|s| s.0).filter(|uid| *uid <= until).collect();
        let mut mails = self.bodies(&whole, "(UID BODY.PEEK[])").await?;
        let beginnings: Vec<u32> = large.iter().copied().filter(|uid| *uid <= until).collect();
        // One byte more than the limit: the reader says that it is too large.
        let query = format!("(UID BODY.PEEK[]<0.{}>)", mime::MAX_BYTES + 1);
        mails.append(&mut self.bodies(&beginnings, &query).await?);
        mails.sort_unstable_by_key(|(uid, _)| *uid);
        let mut step = Step::default();
        let mut tx = store.begin().await?;
        for (_, raw) in &mails {
            step.store(&mut tx, Intake::Imap, raw, now).await?;
        }
        let progress = Progress { validity: self.validity, position: i64::from(until) };
        progress::note(&mut tx, &self.place, &progress, now).await?;
        tx.commit().await?;
        Ok((step, until))
    }

    async fn bodies(&mut self, uids: &[u32], query: &str) -> anyhow::Result<Vec<(u32, Vec<u8>)>> {
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = set(uids);
        let fetched = async {
            let stream = self.session.uid_fetch(&wanted, query).await?;
            let bodies = stream
                .try_filter_map(async |mail| Ok(mail.uid.zip(mail.body().map(<[u8]>::to_vec))));
            bodies.try_collect::<Vec<_>>().await
        };
        let mut bodies = answer(FETCH, "UID FETCH", fetched).await?;
        // A server may tell more than was asked: flags of other mails, without bodies.
        bodies.retain(|(uid, _)| uids.contains(uid));
        Ok(bodies)
    }

    /// What an earlier process stored and did not settle. Mails beyond the limit
    /// are stored in part: they stay.
    async fn sweep(&mut self, last: u32) -> anyhow::Result<()> {
        let open = match self.after {
            After::Keep => return Ok(()),
            After::Seen => "UNSEEN",
            After::Delete | After::Move(_) => "ALL",
        };
        if last == 0 {
            return Ok(());
        }
        let query = format!("UID 1:{last} {open} SMALLER {}", mime::MAX_BYTES + 1);
        let left = answer(ANSWER, "UID SEARCH", self.session.uid_search(query)).await?;
        let mut left: Vec<u32> = left.into_iter().collect();
        left.sort_unstable();
        self.settle(&left).await
    }

    /// Flags, moves or deletes what is stored.
    async fn settle(&mut self, uids: &[u32]) -> anyhow::Result<()> {
        for part in uids.chunks(UIDS) {
            let part = set(part);
            match self.after.clone() {
                After::Keep => {}
                After::Seen => self.flag(&part, "\\Seen").await?,
                After::Delete => self.delete(&part).await?,
                After::Move(folder) if self.moves => {
                    answer(FETCH, "UID MOVE", self.session.uid_mv(&part, &folder)).await?;
                }
                After::Move(folder) => {
                    answer(FETCH, "UID COPY", self.session.uid_copy(&part, &folder)).await?;
                    self.delete(&part).await?;
                }
            }
        }
        Ok(())
    }

    async fn flag(&mut self, uids: &str, flag: &str) -> anyhow::Result<()> {
        let query = format!("+FLAGS.SILENT ({flag})");
        let flagged = async {
            let stream = self.session.uid_store(uids, &query).await?;
            stream.try_collect::<Vec<_>>().await
        };
        answer(FETCH, "UID STORE", flagged).await.map(drop)
    }

    async fn delete(&mut self, uids: &str) -> anyhow::Result<()> {
        self.flag(uids, "\\Deleted").await?;
        // Without UIDPLUS an EXPUNGE would take what others marked, too: they stay marked.
        if !self.expunges {
            return Ok(());
        }
        let gone = async {
            let stream = self.session.uid_expunge(uids).await?;
            stream.try_collect::<Vec<_>>().await
        };
        answer(FETCH, "UID EXPUNGE", gone).await.map(drop)
    }
}

/// `3,5,6` for a command.
fn set(uids: &[u32]) -> String {
    let words: Vec<String> = uids.iter().map(u32::to_string).collect();
    words.join(",")
}

async fn log_in(config: &Imap) -> anyhow::Result<Session<Stream>> {
    let account = &config.account;
    let mut client = Client::new(connect::open(account).await?);
    let greeting = answer(ANSWER, "greeting", client.read_response()).await?;
    greeting.context("the server closed the connection instead of a greeting")?;
    if account.tls == Tls::Starttls {
        answer(ANSWER, "STARTTLS", client.run_command_and_check_ok("STARTTLS", None)).await?;
        let Stream::Plain(stream) = client.into_inner() else { bail!("already inside TLS") };
        client = Client::new(connect::encrypt(account, stream).await?);
    }
    let secret = account.password.read().context("bounce.imap.password")?;
    let secret = secret.expose_secret();
    let refused = |(error, _client): (async_imap::error::Error, _)| error;
    match account.login {
        Login::Password => {
            let login = async { client.login(&account.user, secret).await.map_err(refused) };
            answer(ANSWER, "LOGIN", login).await
        }
        Login::Xoauth2 => {
            let bearer = Bearer(Some(connect::bearer(&account.user, secret)));
            let login = async { client.authenticate("XOAUTH2", bearer).await.map_err(refused) };
            answer(ANSWER, "AUTHENTICATE XOAUTH2", login).await
        }
    }
}

/// Says the token once; a second question is the server's error, answered by nothing.
struct Bearer(Option<String>);

impl async_imap::Authenticator for Bearer {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        self.0.take().unwrap_or_default()
    }
}
