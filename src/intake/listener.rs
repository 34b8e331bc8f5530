//! Where the mail server hands over what came back, by LMTP (RFC 2033) or SMTP. A
//! mail is answered with success when it is stored, and with "later" when it is
//! not; recipients that are not ours are refused. It relays nothing.

use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Step;
use crate::bounce::inbox::Intake;
use crate::bounce::mime;
use crate::config::mailbox::{Listen, Lmtp, Protocol};
use crate::smtp::server::{self, Answer, Limits, Received, Request, Session};
use crate::store::Store;
use crate::store::value::Millis;

/// Sessions at a time; the mail server waits for the next.
const SESSIONS: usize = 20;
/// The longest silence of the mail server (RFC 5321 section 4.5.3.2 asks for five minutes).
const SILENCE: Duration = Duration::from_secs(300);
/// The longest silence without a mail under way: clients that only hold a session open
/// must not keep the mail server out.
const IDLE: Duration = Duration::from_secs(20);
/// Access to the socket's file: the folder decides who reaches it.
const SOCKET_MODE: u32 = 0o666;

/// The open socket.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    protocol: Protocol,
    mailboxes: Arc<Mailboxes>,
    name: Arc<str>,
    sessions: Arc<Semaphore>,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixListener),
    Tcp(TcpListener),
}

/// Whose mail is taken: these addresses, with anything behind a plus.
#[derive(Clone, Debug)]
pub struct Mailboxes(Vec<(String, String)>);

/// A client that has connected.
#[derive(Debug)]
pub struct Client {
    stream: Connection,
    protocol: Protocol,
    mailboxes: Arc<Mailboxes>,
    name: Arc<str>,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Connection {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Mailboxes {
    /// The addresses, as they stand in the configuration.
    pub fn new<'a>(addresses: impl IntoIterator<Item = &'a str>) -> Mailboxes {
        let parts = |address: &str| {
            let (local, domain) = address.rsplit_once('@')?;
            Some((local.to_ascii_lowercase(), domain.to_ascii_lowercase()))
        };
        Mailboxes(addresses.into_iter().filter_map(parts).collect())
    }

    /// Whether mail to this address is ours.
    fn hold(&self, address: &str) -> bool {
        let Some((local, domain)) = address.rsplit_once('@') else { return false };
        let base = local.split_once('+').map_or(local, |(base, _)| base);
        self.0
            .iter()
            .any(|(ours, at)| ours.eq_ignore_ascii_case(base) && at.eq_ignore_ascii_case(domain))
    }
}

impl Listener {
    /// Opens the socket. A socket file that nobody listens on is replaced.
    ///
    /// # Errors
    /// The place is taken, or may not be written.
    pub async fn bind(config: &Lmtp, name: &str, mailboxes: Mailboxes) -> anyhow::Result<Listener> {
        let socket = match &config.listen {
            Listen::Tcp(address) => {
                let bound = TcpListener::bind(address).await;
                Socket::Tcp(bound.with_context(|| format!("bounce.lmtp.listen {address}"))?)
            }
            Listen::Unix(path) => Socket::Unix(
                bind_file(path)
                    .await
                    .with_context(|| format!("bounce.lmtp.listen {}", path.display()))?,
            ),
        };
        Ok(Listener {
            socket,
            protocol: config.protocol,
            mailboxes: Arc::new(mailboxes),
            name: name.into(),
            sessions: Arc::new(Semaphore::new(SESSIONS)),
        })
    }

    /// The port, when it is one.
    pub fn port(&self) -> Option<u16> {
        match &self.socket {
            Socket::Tcp(listener) => listener.local_addr().ok().map(|address| address.port()),
            Socket::Unix(_) => None,
        }
    }

    /// The next client, when there is room for it.
    ///
    /// # Errors
    /// The system gives no more connections now.
    pub async fn accept(&self) -> anyhow::Result<Client> {
        let permit = Arc::clone(&self.sessions).acquire_owned().await?;
        let stream = match &self.socket {
            Socket::Unix(listener) => Connection::Unix(listener.accept().await?.0),
            Socket::Tcp(listener) => Connection::Tcp(listener.accept().await?.0),
        };
        Ok(Client {
            stream,
            protocol: self.protocol,
            mailboxes: Arc::clone(&self.mailboxes),
            name: Arc::clone(&self.name),
            _permit: permit,
        })
    }
}

async fn bind_file(path: &Path) -> anyhow::Result<UnixListener> {
    if let Ok(meta) = std::fs::symlink_metadata(path)
        && meta.file_type().is_socket()
        && UnixStream::connect(path).await.is_err()
    {
        std::fs::remove_file(path)?;
    }
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))?;
    Ok(listener)
}

impl Client {
    /// Serves the client until it goes. `now` is asked once for each mail.
    ///
    /// # Errors
    /// The connection broke, or the client fell silent.
    pub async fn serve(self, store: &Store, now: impl Fn() -> Millis) -> anyhow::Result<Step> {
        let Client { stream, protocol, mailboxes, name, _permit } = self;
        match stream {
            Connection::Unix(stream) => {
                serve(stream, protocol, &mailboxes, &name, store, now).await
            }
            Connection::Tcp(stream) => serve(stream, protocol, &mailboxes, &name, store, now).await,
        }
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    protocol: Protocol,
    mailboxes: &Mailboxes,
    name: &str,
    store: &Store,
    now: impl Fn() -> Millis,
) -> anyhow::Result<Step> {
    let (spoken, intake) = match protocol {
        Protocol::Lmtp => (server::Protocol::Lmtp, Intake::Lmtp),
        Protocol::Smtp => (server::Protocol::Smtp, Intake::Smtp),
    };
    let limits = Limits { mail_bytes: mime::MAX_BYTES, silence: SILENCE, idle: IDLE };
    let mut session = Session::greet(stream, spoken, name, limits).await?;
    let mut step = Step::default();
    while let Some(request) = session.next().await? {
        let answer = match request {
            Request::Recipient { to, .. } if mailboxes.hold(&to) => Answer::ok(),
            Request::Recipient { .. } => Answer::new(550, "5.1.1 No such mailbox here"),
            Request::Mail(mail) => match keep(store, intake, &mail, now(), &mut step).await {
                Ok(()) => Answer::ok(),
                Err(error) => {
                    tracing::error!(%error, "intake: a mail was not stored, the server keeps it");
                    Answer::new(451, "4.3.0 Not stored, try again later")
                }
            },
        };
        session.answer(&answer).await?;
    }
    Ok(step)
}

/// Stores a mail once for each recipient, with the envelope on top as a mailbox
/// would have it: the address names the delivery.
async fn keep(
    store: &Store,
    intake: Intake,
    mail: &Received,
    now: Millis,
    step: &mut Step,
) -> sqlx::Result<()> {
    let mut done = *step;
    let mut tx = store.begin().await?;
    for to in &mail.to {
        let mut raw =
            format!("X-Original-To: {to}\r\nReturn-Path: <{}>\r\n", mail.from).into_bytes();
        raw.extend_from_slice(&mail.content);
        done.store(&mut tx, intake, &raw, now).await?;
    }
    tx.commit().await?;
    *step = done;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_mailboxes_are_ours() {
        let ours = Mailboxes::new(["bounce@news.example.de", "Abmelden@news.example.de"]);
        assert!(ours.hold("bounce+abc@NEWS.example.de"));
        assert!(ours.hold("abmelden@news.example.de"));
        assert!(!ours.hold("bounced@news.example.de"));
        assert!(!ours.hold("bounce+abc@example.de"));
        assert!(!ours.hold("bounce"));
    }
}
