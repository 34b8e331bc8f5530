//! A connection to a mailbox's server, in time and encrypted as configured.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::mailbox::Account;
use crate::config::transport;
use crate::smtp::stream::Stream;
use crate::smtp::tls::Tls;

/// How long a server may take to answer a command.
pub const ANSWER: Duration = Duration::from_secs(60);
/// How long a batch of mails may take.
pub const FETCH: Duration = Duration::from_secs(300);

/// Waits for an answer, not for ever.
///
/// # Errors
/// None came in time, or the answer is an error.
pub async fn answer<T, E: Into<anyhow::Error>>(
    longest: Duration,
    what: &str,
    from: impl Future<Output = Result<T, E>>,
) -> anyhow::Result<T> {
    match timeout(longest, from).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.into().context(what.to_owned())),
        Err(_) => Err(anyhow!("{what}: no answer within {} s", longest.as_secs())),
    }
}

/// Opens the connection, inside TLS when that is implicit.
///
/// # Errors
/// The server is not there, or its certificate is not good.
pub async fn open(account: &Account) -> anyhow::Result<Stream> {
    let place = format!("{}:{}", account.host, account.port);
    let stream = answer(ANSWER, &place, TcpStream::connect((account.host.as_str(), account.port)));
    let stream = stream.await?;
    stream.set_nodelay(true).context("TCP_NODELAY")?;
    match account.tls {
        transport::Tls::Implicit => encrypt(account, stream).await,
        transport::Tls::Starttls | transport::Tls::None => Ok(Stream::Plain(stream)),
    }
}

/// Shakes hands on a plain connection.
///
/// # Errors
/// The server's certificate is not good; the message says why.
pub async fn encrypt(account: &Account, stream: TcpStream) -> anyhow::Result<Stream> {
    let tls = Tls::new(&account.host, account.ca_file.as_deref())?;
    let wrapped = async { tls.wrap(stream).await.map_err(|why| anyhow!(why)) };
    Ok(Stream::Tls(Box::new(answer(ANSWER, "TLS", wrapped).await?)))
}

/// The first and only answer of XOAUTH2: user and bearer token.
pub fn bearer(user: &str, token: &str) -> String {
    format!("user={user}\u{1}auth=Bearer {token}\u{1}\u{1}")
}
