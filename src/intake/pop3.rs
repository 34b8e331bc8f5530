//! A mailbox by POP3 (RFC 1939, 2449, 2595): one session a step. A mail is deleted
//! when it is stored, and the server does it when the session ends well; the names
//! of stored mails are kept until then, so that a crash reads nothing twice.

use std::collections::HashSet;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use super::connect::{self, ANSWER, FETCH, answer};
use super::{BATCH_BYTES, BATCH_MAILS, Step, progress};
use crate::bounce::inbox::Intake;
use crate::bounce::mime;
use crate::config::mailbox::{Account, After, Login, Pop3};
use crate::config::transport::Tls;
use crate::smtp::stream::Stream;
use crate::store::Store;
use crate::store::value::Millis;

/// The longest line that is kept, in bytes: a mail with a longer one is beyond the limit.
const LINE_BYTES: usize = mime::MAX_BYTES + 1;
/// Mails stored in one session; then it ends, and what was deleted is gone.
const SESSION_MAILS: usize = 1000;
/// The most mails a mailbox may list.
const LISTED: usize = 1_000_000;

/// One session: reads what is new, stores it, deletes what is stored.
///
/// # Errors
/// The server or the database failed. What was stored stays stored; what was not
/// is still in the mailbox.
pub async fn step(config: &Pop3, store: &Store, now: Millis) -> anyhow::Result<Step> {
    let account = &config.account;
    let place = format!("pop3 {}@{}:{}", account.user, account.host, account.port);
    let mut session = log_in(account).await?;
    let listed = session.list().await?;
    let seen = progress::seen(store, &place).await?;
    let (known, fresh): (Vec<&Mail>, Vec<&Mail>) =
        listed.iter().partition(|mail| seen.contains(&mail.uid));
    forget(store, &place, &seen, &listed).await?;
    let deletes = account.after == After::Delete;
    for mail in known.iter().filter(|mail| deletes && mail.fits()) {
        session.delete(mail).await?;
    }
    let mut step = Step { more: fresh.len() > SESSION_MAILS, ..Step::default() };
    let mut rest = &fresh[..fresh.len().min(SESSION_MAILS)];
    while !rest.is_empty() {
        let (batch, later) = rest.split_at(in_one_batch(rest));
        let mut mails = Vec::with_capacity(batch.len());
        for mail in batch {
            mails.push(session.retrieve(mail).await?);
        }
        let mut tx = store.begin().await?;
        for (mail, raw) in batch.iter().zip(&mails) {
            step.store(&mut tx, Intake::Pop3, raw, now).await?;
            progress::see(&mut tx, &place, &mail.uid, now).await?;
        }
        tx.commit().await?;
        for (mail, raw) in batch.iter().zip(&mails) {
            // Of a mail beyond the limit only the beginning is stored: it stays.
            if deletes && raw.len() <= mime::MAX_BYTES {
                session.delete(mail).await?;
            }
        }
        rest = later;
    }
    session.quit().await?;
    Ok(step)
}

/// Forgets the names of mails that the server has deleted.
async fn forget(
    store: &Store,
    place: &str,
    seen: &HashSet<String>,
    listed: &[Mail],
) -> anyhow::Result<()> {
    let listed: HashSet<&str> = listed.iter().map(|mail| mail.uid.as_str()).collect();
    let gone: Vec<&str> =
        seen.iter().map(String::as_str).filter(|uid| !listed.contains(uid)).collect();
    if !gone.is_empty() {
        progress::forget(store, place, &gone).await?;
    }
    Ok(())
}

/// How many of these fit into one transaction and into memory; at least one.
fn in_one_batch(mails: &[&Mail]) -> usize {
    let mut bytes = 0;
    let fits = |mail: &&&Mail| {
        bytes += mail.size.min(mime::MAX_BYTES);
        bytes <= BATCH_BYTES
    };
    mails.iter().take(BATCH_MAILS).take_while(fits).count().max(1)
}

/// A mail as it is listed.
#[derive(Debug)]
struct Mail {
    number: u32,
    uid: String,
    size: usize,
}

impl Mail {
    fn fits(&self) -> bool {
        self.size <= mime::MAX_BYTES
    }
}

struct Session {
    stream: BufReader<Stream>,
}

async fn log_in(account: &Account) -> anyhow::Result<Session> {
    let mut session = Session { stream: BufReader::new(connect::open(account).await?) };
    session.reply("greeting").await?;
    if account.tls == Tls::Starttls {
        session.command("STLS", "STLS").await?;
        // What came before the handshake was not encrypted: it is thrown away.
        let Stream::Plain(stream) = session.stream.into_inner() else {
            bail!("already inside TLS")
        };
        session = Session { stream: BufReader::new(connect::encrypt(account, stream).await?) };
    }
    let secret = account.password.read().context("bounce.pop3.password")?;
    let secret = secret.expose_secret();
    match account.login {
        Login::Password => {
            session.command(&format!("USER {}", account.user), "USER").await?;
            session.command(&format!("PASS {secret}"), "PASS").await?;
        }
        Login::Xoauth2 => {
            let bearer = STANDARD.encode(connect::bearer(&account.user, secret));
            session.command(&format!("AUTH XOAUTH2 {bearer}"), "AUTH XOAUTH2").await?;
        }
    }
    Ok(session)
}

impl Session {
    /// Sends a command and reads its first line; `name` stands in messages.
    async fn command(&mut self, line: &str, name: &str) -> anyhow::Result<String> {
        if line.contains(['\r', '\n']) {
            bail!("{name}: a line break in user or password");
        }
        let stream = self.stream.get_mut();
        let sent = async {
            stream.write_all(format!("{line}\r\n").as_bytes()).await?;
            stream.flush().await
        };
        answer(ANSWER, name, sent).await?;
        self.reply(name).await
    }

    async fn reply(&mut self, name: &str) -> anyhow::Result<String> {
        let line = answer(ANSWER, name, self.line()).await?;
        let line = String::from_utf8_lossy(&line).into_owned();
        match line.strip_prefix("+OK") {
            Some(rest) => Ok(rest.trim().to_owned()),
            None => {
                bail!("{name}: the server said {:?}", line.chars().take(200).collect::<String>())
            }
        }
    }

    /// One line without its end.
    async fn line(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut line = Vec::new();
        loop {
            let part = self.stream.fill_buf().await?;
            if part.is_empty() {
                bail!("the server closed the connection");
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(part.len(), |at| at + 1);
            let room = LINE_BYTES.saturating_sub(line.len());
            line.extend_from_slice(&part[..taken.min(room)]);
            self.stream.consume(taken);
            if end.is_some() {
                for end in [b'\n', b'\r'] {
                    if line.last() == Some(&end) {
                        line.pop();
                    }
                }
                return Ok(line);
            }
        }
    }

    /// A line of a long answer with its dot unstuffed; nothing at its end.
    async fn more(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let mut line = self.line().await?;
        if line == b"." {
            return Ok(None);
        }
        if line.first() == Some(&b'.') {
            line.remove(0);
        }
        Ok(Some(line))
    }

    /// Numbers with a second word, as UIDL and LIST say them.
    async fn pairs(&mut self, command: &str) -> anyhow::Result<Vec<(u32, String)>> {
        self.command(command, command).await?;
        let read = async {
            let mut pairs = Vec::new();
            while let Some(line) = self.more().await? {
                let line = String::from_utf8_lossy(&line).into_owned();
                let mut words = line.split_ascii_whitespace();
                let number = words.next().and_then(|word| word.parse().ok());
                let (Some(number), Some(word)) = (number, words.next()) else {
                    bail!("{command}: the server said {line:?}");
                };
                pairs.push((number, word.to_owned()));
                if pairs.len() > LISTED {
                    bail!("{command}: more than {LISTED} mails");
                }
            }
            anyhow::Ok(pairs)
        };
        answer(FETCH, command, read).await
    }

    async fn list(&mut self) -> anyhow::Result<Vec<Mail>> {
        let sizes: std::collections::HashMap<u32, String> =
            self.pairs("LIST").await?.into_iter().collect();
        let names = self.pairs("UIDL").await.context("the server must know UIDL")?;
        let mail = |(number, uid)| {
            let size = sizes.get(&number).and_then(|size| size.parse().ok()).unwrap_or(0);
            Mail { number, uid, size }
        };
        Ok(names.into_iter().map(mail).collect())
    }

    /// A whole mail, or its beginning when it is beyond the limit.
    async fn retrieve(&mut self, mail: &Mail) -> anyhow::Result<Vec<u8>> {
        self.command(&format!("RETR {}", mail.number), "RETR").await?;
        let read = async {
            let mut raw = Vec::with_capacity(mail.size.min(mime::MAX_BYTES));
            while let Some(line) = self.more().await? {
                // One byte more than the limit: the reader says that it is too large.
                if raw.len() <= mime::MAX_BYTES {
                    raw.extend_from_slice(&line);
                    raw.extend_from_slice(b"\r\n");
                }
            }
            anyhow::Ok(raw)
        };
        answer(FETCH, "RETR", read).await
    }

    async fn delete(&mut self, mail: &Mail) -> anyhow::Result<()> {
        self.command(&format!("DELE {}", mail.number), "DELE").await.map(drop)
    }

    async fn quit(mut self) -> anyhow::Result<()> {
        self.command("QUIT", "QUIT").await.map(drop)
    }
}
