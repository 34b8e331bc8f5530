//! One session with a relay, from the connection to QUIT: it owns the stream and
//! speaks to it within deadlines and bounds. Mails go out in [`super::transaction`]
//! and [`super::window`]; when to connect and what to send is the caller's affair.

use std::future::Future;
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};

use super::auth::{self, Exchange};
use super::capability::Capability;
use super::mark::Mark;
use super::relay::{Login, Relay, Security};
use super::reply::{self, Reply};
use super::stream::Stream;
use super::{Broken, Outcome, Stage};

/// How much is read from the connection at once, in bytes.
const READ_BYTES: usize = 4096;
/// How long QUIT may take: a courtesy, nothing depends on it.
const QUIT_TIME: Duration = Duration::from_secs(5);
/// Log-in exchanges longer than this are no log-in.
const AUTH_ROUNDS: usize = 4;
/// Why nothing more comes.
const CLOSED: &str = "the server closed the connection";

/// An open session, ready for MAIL.
#[derive(Debug)]
pub struct Session {
    pub(super) stream: Stream,
    pub(super) input: reply::Reader,
    pub(super) output: Vec<u8>,
    pub(super) server: Capability,
    pub(super) relay: Relay,
    /// The recipient whose MAIL, RCPT and DATA already stand behind the last dot.
    pub(super) begun: Option<String>,
    /// The last transaction left something behind; RSET before the next MAIL.
    pub(super) dirty: bool,
    pub(super) open: bool,
    pub(super) mails: u32,
}

impl Session {
    /// Connects, greets, encrypts and logs in, as the relay's set-up demands.
    pub async fn open(relay: &Relay) -> Result<Session, Outcome> {
        let setup = relay.setup();
        let connected = connect(&setup.host, setup.port, setup.deadlines.connect).await;
        let tcp = connected.map_err(|why| Outcome::broken(Stage::Connect, why))?;
        let stream = match setup.security {
            Security::Implicit => encrypt(relay, tcp).await?,
            Security::None | Security::StartTls => Stream::Plain(tcp),
        };
        let mut session = Session {
            stream,
            input: reply::Reader::default(),
            output: Vec::new(),
            server: Capability::default(),
            relay: relay.clone(),
            begun: None,
            dirty: false,
            open: true,
            mails: 0,
        };
        session.greet().await?;
        if setup.security == Security::StartTls {
            session = session.start_tls().await?;
        }
        session.log_in().await?;
        Ok(session)
    }

    /// What the server offers.
    pub fn server(&self) -> &Capability {
        &self.server
    }

    /// The provider behind the relay, when it wants its own header.
    pub fn mark(&self) -> Option<Mark> {
        self.relay.setup().mark
    }

    /// Mails begun over this connection.
    pub fn mails(&self) -> u32 {
        self.mails
    }

    /// Whether another mail may go over this connection.
    pub fn is_open(&self) -> bool {
        self.open && self.mails < self.relay.setup().mails_per_connection
    }

    /// Whether an idle connection is still there and silent; a server that closed
    /// it or said goodbye is noticed here, before a mail is tried.
    pub async fn is_fresh(&mut self) -> bool {
        self.is_open() && self.begun.is_none() && self.expect_silence().await.is_ok()
    }

    /// Nothing is asked, so there is nothing to hear. A server that spoke all the same, or
    /// has gone, ends the session: its words would be taken for the next reply.
    pub(super) async fn expect_silence(&mut self) -> Result<(), Broken> {
        if self.input.is_empty() {
            let mut bytes = [0; READ_BYTES];
            let read = std::pin::pin!(self.stream.read(&mut bytes));
            match futures_util::poll!(read) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(n)) => self.input.push(&bytes[..n]),
                Poll::Ready(Err(error)) => {
                    self.open = false;
                    return Err(Broken::Io(error.to_string()));
                }
            }
        }
        self.open = false;
        if self.input.is_empty() {
            return Err(Broken::Io(CLOSED.to_owned()));
        }
        let said = self.input.take().ok().flatten();
        let words = said.map_or_else(|| "no reply".to_owned(), |reply| reply.words());
        Err(Broken::OutOfTurn(words))
    }

    /// Says goodbye, if the server still listens.
    pub async fn quit(mut self) {
        if self.open && self.begun.is_none() {
            let _ = timeout(QUIT_TIME, async {
                self.stream.write_all(b"QUIT\r\n").await?;
                self.stream.flush().await?;
                let mut rest = [0; 512];
                while self.stream.read(&mut rest).await? > 0 {}
                self.stream.shutdown().await
            })
            .await;
        }
    }

    /// The greeting and EHLO.
    async fn greet(&mut self) -> Result<(), Outcome> {
        let within = self.relay.setup().deadlines.greeting;
        let greeting = self.read(within).await;
        expect(Stage::Greeting, greeting, |reply| reply.code() == 220)?;
        self.hello().await
    }

    async fn hello(&mut self) -> Result<(), Outcome> {
        let within = self.relay.setup().deadlines.greeting;
        let line = format!("EHLO {}\r\n", self.relay.setup().hello);
        let answer = self.command(line.as_bytes(), within).await;
        let reply = expect(Stage::Hello, answer, Reply::is_positive)?;
        self.server = Capability::read(&reply);
        Ok(())
    }

    /// STARTTLS, the handshake, and EHLO again; nothing heard before counts.
    async fn start_tls(mut self) -> Result<Session, Outcome> {
        let within = self.relay.setup().deadlines.greeting;
        if !self.server.starttls {
            let why =
                format!("{} does not offer STARTTLS, which is required", self.relay.setup().host);
            return Err(Outcome::broken(Stage::StartTls, Broken::Tls(why)));
        }
        let answer = self.command(b"STARTTLS\r\n", within).await;
        expect(Stage::StartTls, answer, |reply| reply.code() == 220)?;
        if !self.input.is_empty() {
            // Somebody put plain text before the handshake (CVE-2011-0411).
            let why = "bytes after STARTTLS and before the handshake".to_owned();
            return Err(Outcome::broken(Stage::StartTls, Broken::Tls(why)));
        }
        self.input.forget();
        self.server = Capability::default();
        self.stream = match self.stream {
            Stream::Plain(tcp) => encrypt(&self.relay, tcp).await?,
            Stream::Tls(_) => unreachable!("STARTTLS is asked for on plain streams only"),
        };
        self.hello().await?;
        Ok(self)
    }

    async fn log_in(&mut self) -> Result<(), Outcome> {
        let setup = self.relay.setup().clone();
        let Some(login) = &setup.login else {
            return Ok(());
        };
        let refuse = |why: String| Outcome::broken(Stage::Auth, Broken::Setup(why));
        if !self.stream.is_tls() {
            let why = "a log-in is configured and TLS is not; secrets go over TLS only";
            return Err(refuse(why.to_owned()));
        }
        let (user, tokens) = match login {
            Login::Password(credentials, named) => {
                let mechanism = auth::for_password(*named, &self.server).map_err(refuse)?;
                return self.exchange(mechanism, credentials).await;
            }
            Login::Token(user, tokens) => (user, tokens),
        };
        let mechanism = auth::for_token(&self.server).map_err(refuse)?;
        let broken = |error: anyhow::Error| refuse(format!("the access token: {error:#}"));
        let with =
            |token: &SecretString| Credentials::new(user.clone(), token.expose_secret().to_owned());
        let token = tokens.current().await.map_err(broken)?;
        let refused = match self.exchange(mechanism, &with(&token)).await {
            Err(outcome) if self.open && outcome.code().is_some_and(|code| code / 100 == 5) => {
                outcome
            }
            done @ (Ok(()) | Err(_)) => return done,
        };
        // Its time may have ended early: one other token, one more try.
        match tokens.after(&token).await.map_err(broken)? {
            Some(token) => self.exchange(mechanism, &with(&token)).await,
            None => Err(refused),
        }
    }

    async fn exchange(
        &mut self,
        mechanism: Mechanism,
        credentials: &Credentials,
    ) -> Result<(), Outcome> {
        let within = self.relay.setup().deadlines.greeting;
        let mut exchange = Exchange::new(mechanism, credentials);
        let mut line = exchange.first();
        for _ in 0..AUTH_ROUNDS {
            let answer = self.command(&line, within).await;
            let reply = answer.map_err(|why| Outcome::broken(Stage::Auth, why))?;
            match (reply.code(), &exchange.refusal) {
                (235, _) => return Ok(()),
                (334, _) => line = exchange.next(reply.lines().next().unwrap_or_default()),
                (_, None) => return Err(Outcome::reply(Stage::Auth, reply)),
                (code, Some(why)) => {
                    let text: Vec<&str> = reply.lines().chain([why.as_str()]).collect();
                    let reply = Reply::new(code, text.join("\n"));
                    return Err(Outcome::reply(Stage::Auth, reply));
                }
            }
        }
        let why = "the log-in does not come to an end".to_owned();
        Err(Outcome::broken(Stage::Auth, Broken::Protocol(why)))
    }

    /// Writes one command and waits for its reply.
    pub(super) async fn command(&mut self, line: &[u8], within: Duration) -> Result<Reply, Broken> {
        self.write(line, within).await?;
        self.read(within).await
    }

    /// Writes commands.
    pub(super) async fn write(&mut self, line: &[u8], within: Duration) -> Result<(), Broken> {
        let written = bounded(within, async {
            self.stream.write_all(line).await?;
            self.stream.flush().await
        })
        .await;
        self.open &= written.is_ok();
        written
    }

    /// Waits for one complete reply; 421 and everything that is not a reply end the session.
    pub(super) async fn read(&mut self, within: Duration) -> Result<Reply, Broken> {
        let got = self.read_within(within).await;
        if !got.as_ref().is_ok_and(|reply| reply.code() != 421) {
            self.open = false;
        }
        got
    }

    async fn read_within(&mut self, within: Duration) -> Result<Reply, Broken> {
        let deadline = Instant::now() + within;
        let mut bytes = [0; READ_BYTES];
        loop {
            let taken = self.input.take();
            if let Some(reply) = taken.map_err(|why| Broken::Protocol(why.to_string()))? {
                return Ok(reply);
            }
            match timeout_at(deadline, self.stream.read(&mut bytes)).await {
                Err(_) => return Err(Broken::Deadline(within.as_secs())),
                Ok(Err(error)) => return Err(Broken::Io(error.to_string())),
                Ok(Ok(0)) => {
                    return Err(Broken::Io(CLOSED.to_owned()));
                }
                Ok(Ok(n)) => self.input.push(&bytes[..n]),
            }
        }
    }
}

/// The reply, if it is the wished-for one; else the outcome at this stage.
fn expect(
    stage: Stage,
    answer: Result<Reply, Broken>,
    wished: impl Fn(&Reply) -> bool,
) -> Result<Reply, Outcome> {
    match answer {
        Ok(reply) if wished(&reply) => Ok(reply),
        Ok(reply) => Err(Outcome::reply(stage, reply)),
        Err(why) => Err(Outcome::broken(stage, why)),
    }
}

async fn encrypt(relay: &Relay, tcp: TcpStream) -> Result<Stream, Outcome> {
    let within = relay.setup().deadlines.tls;
    let tls = relay.tls.as_ref().expect("a relay with TLS has loaded it");
    match timeout(within, tls.wrap(tcp)).await {
        Ok(Ok(stream)) => Ok(Stream::Tls(Box::new(stream))),
        Ok(Err(why)) => Err(Outcome::broken(Stage::Tls, Broken::Tls(why))),
        Err(_) => Err(Outcome::broken(Stage::Tls, Broken::Deadline(within.as_secs()))),
    }
}

/// Tries each address of the host in turn. TCP_NODELAY is on: without it every
/// mail waits 40 ms for a delayed acknowledgement.
async fn connect(host: &str, port: u16, within: Duration) -> Result<TcpStream, Broken> {
    let found = timeout(within, tokio::net::lookup_host((host, port))).await;
    let addresses: Vec<SocketAddr> = match found {
        Err(_) => return Err(Broken::Io(format!("{host}: the name server is silent"))),
        Ok(Err(error)) => return Err(Broken::Io(format!("{host}: {error}"))),
        Ok(Ok(addresses)) => addresses.collect(),
    };
    let mut last = Broken::Io(format!("{host} has no address"));
    for address in addresses {
        let tried = bounded(within, TcpStream::connect(address)).await;
        match tried {
            Ok(stream) => {
                let set = stream.set_nodelay(true);
                set.map_err(|error| Broken::Io(error.to_string()))?;
                return Ok(stream);
            }
            Err(Broken::Io(why)) => last = Broken::Io(format!("{host}:{port}: {why}")),
            Err(why) => last = why,
        }
    }
    Err(last)
}

async fn bounded<T>(
    within: Duration,
    work: impl Future<Output = std::io::Result<T>>,
) -> Result<T, Broken> {
    match timeout(within, work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Broken::Io(error.to_string())),
        Err(_) => Err(Broken::Deadline(within.as_secs())),
    }
}
