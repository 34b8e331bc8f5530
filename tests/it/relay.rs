//! A relay that plays a script: it offers what it is told to, catches what it
//! accepts, and goes wrong in every way a real one was seen to. It shares no code
//! with the session it tests.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::certificate;
use crate::wire::fit;

/// What goes wrong, and from which mail of a connection on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; `no…` are unknown, `full…` full, `grey…` greylisted once, `bye…` hung up on.
    None,
    /// 554 instead of a greeting.
    Refuses,
    /// 421 at MAIL after so many mails of a connection.
    Throttles(usize),
    /// Answers MAIL with this.
    AtMail(&'static str),
    /// Closes after so many mails of a connection, without a word.
    ClosesAfter(usize),
    /// Closes at DATA.
    DropsBeforeData,
    /// Closes in mid-content.
    DropsInData,
    /// Closes after the dot; whether the mail was kept.
    DropsAfterDot { accepted: bool },
    /// Keeps the mail and says nothing for ever.
    HangsAfterDot,
    /// Keeps the mail and answers with this.
    Says(&'static str),
    /// Everything byte by byte.
    Drips,
    /// An endless reply to EHLO.
    Endless,
    /// 100 MB in one line as reply to the dot.
    HugeLine,
    /// Answers STARTTLS and closes.
    BreaksTls,
    /// Sends plain text between STARTTLS and the handshake.
    InjectsBeforeTls,
    /// Says 354 although the recipient was refused.
    WantsContentForNobody,
    /// Reads at most this many bytes of content and then stands still.
    Stalls,
    /// Keeps mails and answers when it plays something else.
    Holds,
}

/// What the relay offers.
#[derive(Debug, Clone)]
pub struct Offer {
    pub keywords: Vec<&'static str>,
    pub starttls: bool,
    pub implicit: bool,
    pub fault: Fault,
    /// How late every reply comes.
    pub delay: Duration,
}

impl Default for Offer {
    fn default() -> Offer {
        Offer {
            keywords: vec!["PIPELINING", "8BITMIME", "DSN", "SIZE 1000000"],
            starttls: false,
            implicit: false,
            fault: Fault::None,
            delay: Duration::ZERO,
        }
    }
}

/// A mail that the relay kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    pub from: String,
    pub to: String,
    pub content: Vec<u8>,
    pub at: Instant,
}

/// The relay, listening on loopback until dropped.
pub struct Relay {
    pub port: u16,
    /// The certificate authority in PEM.
    pub authority: String,
    state: Arc<State>,
    task: tokio::task::JoinHandle<()>,
}

struct State {
    offer: Mutex<Offer>,
    caught: Mutex<Vec<Caught>>,
    lines: Mutex<Vec<String>>,
    grey: Mutex<HashSet<String>>,
    connections: AtomicUsize,
    ended: AtomicUsize,
    tls: tokio_rustls::TlsAcceptor,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Relay {
    pub async fn start(offer: Offer) -> Relay {
        Relay::named(offer, "localhost", 2100).await
    }

    /// A relay whose certificate names `host` and ends in that year.
    pub async fn named(offer: Offer, host: &str, until: i32) -> Relay {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tls, authority) = certificate::acceptor(host, until);
        let state = Arc::new(State {
            offer: Mutex::new(offer),
            caught: Mutex::default(),
            lines: Mutex::default(),
            grey: Mutex::default(),
            connections: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            tls,
        });
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::Relaxed);
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    serve(stream, Arc::clone(&shared)).await;
                    shared.ended.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        Relay { port, authority, state, task }
    }

    pub fn caught(&self) -> Vec<Caught> {
        self.state.caught.lock().unwrap().clone()
    }

    /// Every command line as it came.
    pub fn lines(&self) -> Vec<String> {
        self.state.lines.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// Connections that are over.
    pub fn ended(&self) -> usize {
        self.state.ended.load(Ordering::Relaxed)
    }

    /// From now on something else goes wrong.
    pub fn play(&self, fault: Fault) {
        self.state.offer.lock().unwrap().fault = fault;
    }
}

async fn serve(stream: TcpStream, state: Arc<State>) {
    stream.set_nodelay(true).unwrap();
    let offer = state.offer.lock().unwrap().clone();
    if offer.implicit {
        if let Ok(stream) = state.tls.accept(stream).await {
            let mut talk = Talk::new(stream, Arc::clone(&state), offer, true);
            let _ = talk.greet().await;
            let _ = talk.converse().await;
        }
        return;
    }
    let mut talk = Talk::new(stream, Arc::clone(&state), offer.clone(), false);
    if talk.greet().await.is_err() {
        return;
    }
    if matches!(talk.converse().await, Ok(End::StartTls))
        && let Ok(stream) = state.tls.accept(talk.stream).await
    {
        let mut talk = Talk::new(stream, state, offer, true);
        let _ = talk.converse().await;
    }
}

/// Why a conversation ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Gone,
    StartTls,
}

struct Talk<S> {
    stream: S,
    state: Arc<State>,
    offer: Offer,
    secure: bool,
    input: Vec<u8>,
    mails: usize,
    from: Option<String>,
    to: Option<String>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    fn new(stream: S, state: Arc<State>, offer: Offer, secure: bool) -> Talk<S> {
        Talk { stream, state, offer, secure, input: Vec::new(), mails: 0, from: None, to: None }
    }

    async fn greet(&mut self) -> std::io::Result<()> {
        if self.offer.fault == Fault::Refuses {
            self.say("554 5.3.2 No service").await?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        self.say("220 relay.example.org ESMTP").await
    }

    async fn converse(&mut self) -> std::io::Result<End> {
        loop {
            let Some(line) = self.line().await? else {
                return Ok(End::Gone);
            };
            self.state.lines.lock().unwrap().push(line.clone());
            self.offer.fault = self.state.offer.lock().unwrap().fault;
            let fault = self.offer.fault;
            let upper = line.to_ascii_uppercase();
            let word = upper.split(' ').next().unwrap().to_owned();
            match word.as_str() {
                "EHLO" => self.hello().await?,
                "STARTTLS" => {
                    let inject = fault == Fault::InjectsBeforeTls;
                    let extra = if inject { "\r\n250 injected" } else { "" };
                    self.say(&format!("220 2.0.0 Go{extra}")).await?;
                    if fault == Fault::BreaksTls {
                        return Ok(End::Gone);
                    }
                    return Ok(End::StartTls);
                }
                "AUTH" => self.auth(&line).await?,
                "MAIL" => {
                    if matches!(fault, Fault::ClosesAfter(n) if self.mails >= n) {
                        return Ok(End::Gone);
                    }
                    if matches!(fault, Fault::Throttles(n) if self.mails >= n) {
                        self.say("421 4.7.0 Enough for now").await?;
                        return Ok(End::Gone);
                    }
                    self.mail(&line).await?;
                }
                "RCPT" if !self.recipient(&line).await? => return Ok(End::Gone),
                "RCPT" => {}
                "DATA" => {
                    if fault == Fault::DropsBeforeData {
                        return Ok(End::Gone);
                    }
                    if self.to.is_none() && fault != Fault::WantsContentForNobody {
                        self.say("503 5.5.1 No recipient").await?;
                        continue;
                    }
                    self.say("354 Go").await?;
                    if !self.data().await? {
                        return Ok(End::Gone);
                    }
                }
                "BDAT" => {
                    if !self.chunk(&upper).await? {
                        return Ok(End::Gone);
                    }
                }
                "RSET" => {
                    (self.from, self.to) = (None, None);
                    self.say("250 2.0.0 Ok").await?;
                }
                "QUIT" => {
                    self.say("221 2.0.0 Bye").await?;
                    return Ok(End::Gone);
                }
                _ => self.say("500 5.5.1 What?").await?,
            }
        }
    }

    async fn hello(&mut self) -> std::io::Result<()> {
        if self.offer.fault == Fault::Endless {
            loop {
                self.say("250-and another thing").await?;
            }
        }
        let mut lines = vec!["relay.example.org".to_owned()];
        lines.extend(self.offer.keywords.iter().map(|word| (*word).to_owned()));
        if self.offer.starttls && !self.secure {
            lines.push("STARTTLS".to_owned());
        }
        let last = lines.len() - 1;
        let text: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(n, line)| format!("250{}{line}", if n == last { ' ' } else { '-' }))
            .collect();
        self.say(&text.join("\r\n")).await
    }

    /// PLAIN and LOGIN for user `user`, password `pass`; XOAUTH2 for token `good`.
    async fn auth(&mut self, line: &str) -> std::io::Result<()> {
        if let Some(token) = line.strip_prefix("AUTH XOAUTH2 ") {
            // user=user, auth=Bearer good, each with a Ctrl-A behind, and one more.
            if token == "dXNlcj11c2VyAWF1dGg9QmVhcmVyIGdvb2QBAQ==" {
                return self.say("235 2.7.0 Welcome").await;
            }
            self.say("334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIn0=").await?;
            assert_eq!(self.line().await?.as_deref(), Some(""), "an empty line ends it");
            return self.say("535 5.7.8 Token not accepted").await;
        }
        let good = if line.starts_with("AUTH LOGIN") {
            self.say("334 VXNlcm5hbWU6").await?;
            let user = self.line().await?;
            self.say("334 UGFzc3dvcmQ6").await?;
            let pass = self.line().await?;
            user.as_deref() == Some("dXNlcg==") && pass.as_deref() == Some("cGFzcw==")
        } else {
            line == "AUTH PLAIN AHVzZXIAcGFzcw=="
        };
        self.say(if good { "235 2.7.0 Welcome" } else { "535 5.7.8 Wrong user or password" }).await
    }

    async fn mail(&mut self, line: &str) -> std::io::Result<()> {
        if self.from.is_some() {
            return self.say("503 5.5.1 Nested MAIL").await;
        }
        if let Fault::AtMail(text) = self.offer.fault {
            return self.say(text).await;
        }
        self.from = Some(between(line));
        self.say("250 2.1.0 Ok").await
    }

    /// Whether the session goes on.
    async fn recipient(&mut self, line: &str) -> std::io::Result<bool> {
        let to = between(line);
        let answer = if self.from.is_none() {
            "503 5.5.1 MAIL first"
        } else if to.starts_with("no") {
            "550 5.1.1 User unknown"
        } else if to.starts_with("bye") {
            "421 4.3.2 Closing"
        } else if to.starts_with("full") {
            "452 4.2.2 Mailbox full"
        } else if to.starts_with("grey") && self.state.grey.lock().unwrap().insert(to.clone()) {
            "450 4.7.1 Greylisted, come back later"
        } else {
            self.to = Some(to);
            "250 2.1.5 Ok"
        };
        self.say(answer).await?;
        Ok(!answer.starts_with("421"))
    }

    /// Content up to the dot; whether the session goes on.
    async fn data(&mut self) -> std::io::Result<bool> {
        if self.offer.fault == Fault::Stalls {
            self.fill().await?;
            std::future::pending::<()>().await;
        }
        let mut content = Vec::new();
        loop {
            if self.offer.fault == Fault::DropsInData {
                self.fill().await?;
                return Ok(false);
            }
            let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") else {
                if !self.fill().await? {
                    return Ok(false);
                }
                continue;
            };
            let line: Vec<u8> = self.input.drain(..end + 2).collect();
            if line == b".\r\n" {
                break;
            }
            // The doubled dot does not count (RFC 5321, section 4.5.3.1.6).
            let line = line.strip_prefix(b".").unwrap_or(&line);
            fit(line);
            content.extend_from_slice(line);
        }
        self.keep(content).await
    }

    /// One chunk, which is a whole mail; whether the session goes on.
    async fn chunk(&mut self, line: &str) -> std::io::Result<bool> {
        let size: usize = line.split(' ').nth(1).unwrap().parse().unwrap();
        while self.input.len() < size {
            if !self.fill().await? {
                return Ok(false);
            }
        }
        let content: Vec<u8> = self.input.drain(..size).collect();
        fit(&content);
        if self.to.is_none() {
            self.say("503 5.5.1 No recipient").await?;
            return Ok(true);
        }
        self.keep(content).await
    }

    async fn keep(&mut self, content: Vec<u8>) -> std::io::Result<bool> {
        self.state.lines.lock().unwrap().push(".".to_owned());
        let (from, to) = (self.from.take(), self.to.take());
        let fault = self.offer.fault;
        self.mails += 1;
        let kept = to.is_some()
            && fault != Fault::DropsAfterDot { accepted: false }
            && !matches!(fault, Fault::Says(text) if !text.starts_with('2'));
        if kept {
            self.state.caught.lock().unwrap().push(Caught {
                from: from.unwrap_or_default(),
                to: to.unwrap_or_default(),
                content,
                at: Instant::now(),
            });
        }
        while self.state.offer.lock().unwrap().fault == Fault::Holds {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        match fault {
            Fault::DropsAfterDot { .. } => return Ok(false),
            Fault::HangsAfterDot => std::future::pending::<()>().await,
            Fault::Says(text) => self.say(text).await?,
            Fault::HugeLine => {
                self.stream.write_all(b"250 ").await?;
                for _ in 0..100 {
                    self.stream.write_all(&vec![b'x'; 1_000_000]).await?;
                }
            }
            Fault::WantsContentForNobody if !kept => self.say("554 5.5.1 Nobody").await?,
            Fault::WantsContentForNobody
            | Fault::None
            | Fault::Holds
            | Fault::Refuses
            | Fault::Throttles(_)
            | Fault::AtMail(_)
            | Fault::ClosesAfter(_)
            | Fault::DropsBeforeData
            | Fault::DropsInData
            | Fault::Drips
            | Fault::Endless
            | Fault::BreaksTls
            | Fault::InjectsBeforeTls
            | Fault::Stalls => self.say("250 2.0.0 Kept").await?,
        }
        Ok(true)
    }

    async fn line(&mut self) -> std::io::Result<Option<String>> {
        loop {
            if let Some(end) = self.input.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.input.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8_lossy(&line[..end]).into_owned()));
            }
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn fill(&mut self) -> std::io::Result<bool> {
        let mut bytes = vec![0; 64 * 1024];
        let n = self.stream.read(&mut bytes).await?;
        self.input.extend_from_slice(&bytes[..n]);
        Ok(n > 0)
    }

    async fn say(&mut self, text: &str) -> std::io::Result<()> {
        if !self.offer.delay.is_zero() {
            tokio::time::sleep(self.offer.delay).await;
        }
        let bytes = format!("{text}\r\n").into_bytes();
        if self.offer.fault == Fault::Drips {
            for byte in bytes {
                tokio::time::sleep(Duration::from_millis(30)).await;
                self.stream.write_all(&[byte]).await?;
            }
        } else {
            self.stream.write_all(&bytes).await?;
        }
        self.stream.flush().await
    }
}

fn between(line: &str) -> String {
    let start = line.find('<').unwrap() + 1;
    line[start..line.find('>').unwrap()].to_owned()
}
