//! A mail server on loopback that plays all the others: it takes mails and keeps
//! them for looking at, asks some to come back later, knows some readers not, and
//! sends some mails back the way they came, as a report into a Maildir.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::reader::Temper;
use crate::smtp::server::{Answer, Limits, Protocol, Received, Request, Session};

/// The largest mail taken, in bytes.
const MAIL_BYTES: usize = 5 * 1024 * 1024;
/// Silence after which a session ends; the sender's pool keeps connections for reuse.
const SILENCE: Duration = Duration::from_secs(60);

/// The running server.
#[derive(Debug)]
pub struct Catcher {
    /// Where it listens.
    pub at: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    caught: Mutex<Vec<Received>>,
    asked_to_wait: Mutex<HashSet<String>>,
    bounces: PathBuf,
    /// Reports written.
    sent_back: AtomicU64,
}

impl Catcher {
    /// Listens on a free port; bounces go into this Maildir.
    ///
    /// # Errors
    /// There is no loopback, or the Maildir cannot be made.
    pub async fn start(bounces: &Path) -> anyhow::Result<Catcher> {
        for part in ["tmp", "new", "cur"] {
            let part = bounces.join(part);
            std::fs::create_dir_all(&part).with_context(|| part.display().to_string())?;
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.context("127.0.0.1")?;
        let at = listener.local_addr()?;
        let shared = Arc::new(Shared {
            caught: Mutex::default(),
            asked_to_wait: Mutex::default(),
            bounces: bounces.to_owned(),
            sent_back: AtomicU64::new(0),
        });
        let inner = Arc::clone(&shared);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(talk(stream, Arc::clone(&inner)));
            }
        });
        Ok(Catcher { at, shared, listening })
    }

    /// The mails so far, in the order they came.
    pub fn mails(&self) -> Vec<Received> {
        self.shared.caught.lock().expect("no holder panics").clone()
    }

    /// How many mails came.
    pub fn count(&self) -> usize {
        self.shared.caught.lock().expect("no holder panics").len()
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn talk(stream: TcpStream, shared: Arc<Shared>) {
    // A client that goes away in the middle is its own business.
    let _ = stream.set_nodelay(true);
    let limits = Limits { mail_bytes: MAIL_BYTES, silence: SILENCE, idle: SILENCE };
    let Ok(mut session) = Session::greet(stream, Protocol::Smtp, "catcher.example", limits).await
    else {
        return;
    };
    while let Ok(Some(request)) = session.next().await {
        let answer = match &request {
            Request::Recipient { to, .. } => shared.judge(to),
            Request::Mail(received) => shared.take(received),
        };
        if session.answer(&answer).await.is_err() {
            return;
        }
    }
}

impl Shared {
    fn judge(&self, to: &str) -> Answer {
        match Temper::of(to) {
            Temper::Friendly | Temper::BouncingHard | Temper::BouncingSoft => Answer::ok(),
            Temper::Refusing => Answer::new(550, "5.1.1 There is nobody of that name here"),
            Temper::Greylisting => {
                let mut waited = self.asked_to_wait.lock().expect("no holder panics");
                if waited.insert(to.to_owned()) {
                    Answer::new(450, "4.7.1 Greylisted, please try again in a few minutes")
                } else {
                    Answer::ok()
                }
            }
        }
    }

    fn take(&self, received: &Received) -> Answer {
        for to in &received.to {
            let said = match Temper::of(to) {
                Temper::Friendly | Temper::Greylisting | Temper::Refusing => continue,
                Temper::BouncingHard => ("5.1.1", "550 5.1.1 User unknown: moved away"),
                Temper::BouncingSoft => ("5.2.2", "552 5.2.2 Mailbox full"),
            };
            if let Err(error) = self.send_back(received, to, said) {
                tracing::warn!(%error, "demo: bounce not written");
                return Answer::new(451, "4.3.0 Try again later");
            }
        }
        let mut caught = self.caught.lock().expect("no holder panics");
        caught.push(received.clone());
        Answer::ok()
    }

    /// Puts a report (RFC 3464) into the Maildir: written to `tmp`, then moved to `new`.
    fn send_back(&self, mail: &Received, to: &str, said: (&str, &str)) -> std::io::Result<()> {
        let report = report(mail, to, said);
        // Sessions write at the same time: each report has a number of its own.
        let name = format!("{}.demo", self.sent_back.fetch_add(1, Ordering::Relaxed));
        let written = self.bounces.join("tmp").join(&name);
        std::fs::write(&written, report)?;
        std::fs::rename(written, self.bounces.join("new").join(name))
    }
}

/// What a mail server on the Internet would send to the return path.
fn report(mail: &Received, to: &str, (status, reply): (&str, &str)) -> Vec<u8> {
    let text = String::from_utf8_lossy(&mail.content);
    let header = text.split("\r\n\r\n").next().unwrap_or_default();
    format!(
        "Return-Path: <>\r\n\
         Delivered-To: {from}\r\n\
         From: Mail Delivery System <MAILER-DAEMON@catcher.example>\r\n\
         To: {from}\r\n\
         Subject: Undelivered Mail Returned to Sender\r\n\
         Auto-Submitted: auto-replied\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"back\"\r\n\
         \r\n\
         --back\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\
         \r\n\
         This is the mail system at host catcher.example.\r\n\
         Your message could not be delivered to <{to}>:\r\n\
         \r\n    {reply}\r\n\
         \r\n\
         --back\r\n\
         Content-Type: message/delivery-status\r\n\
         \r\n\
         Reporting-MTA: dns; catcher.example\r\n\
         \r\n\
         Final-Recipient: rfc822; {to}\r\n\
         Action: failed\r\n\
         Status: {status}\r\n\
         Diagnostic-Code: smtp; {reply}\r\n\
         \r\n\
         --back\r\n\
         Content-Type: text/rfc822-headers\r\n\
         \r\n\
         {header}\r\n\
         \r\n\
         --back--\r\n",
        from = mail.from,
    )
    .into_bytes()
}
