//! What a monitor asks: whether the process works, and whether it can do its work.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Site;

/// How long the database may take to answer a monitor.
const PING: Duration = Duration::from_secs(2);
/// How long our own answer may take.
const ASK: Duration = Duration::from_secs(20);

/// `/healthz`: the process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `/readyz`: the database answers and every loop has ticked lately; else 503 and why.
pub async fn ready(State(site): State<Site>) -> impl IntoResponse {
    let mut reasons: Vec<String> =
        site.pulse.silent().iter().map(|name| format!("loop {name} is silent")).collect();
    match tokio::time::timeout(PING, site.store.ping()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::warn!(%error, "web: database does not answer");
            reasons.push("database does not answer".to_owned());
        }
        Err(_) => reasons.push(format!("database does not answer within {PING:?}")),
    }
    if reasons.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n")))
    }
}

/// Asks `/healthz` as a monitor would, over the listener's own address.
///
/// # Errors
/// There was no answer in time, or another one.
pub async fn ask(listener: SocketAddr) -> anyhow::Result<()> {
    let ip = match listener.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let talk = async {
        let mut stream = TcpStream::connect((ip, listener.port())).await?;
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = Vec::new();
        stream.take(4096).read_to_end(&mut answer).await?;
        Ok::<_, std::io::Error>(answer)
    };
    let answer =
        tokio::time::timeout(ASK, talk).await.context("the web does not answer itself")??;
    anyhow::ensure!(answer.starts_with(b"HTTP/1.1 200"), "the web does not answer itself with 200");
    Ok(())
}
