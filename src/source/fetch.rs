//! The one HTTP client of the tree: for sources, articles, pictures, and for looking whether a
//! link leads somewhere.
//!
//! It speaks to public addresses only, and to ranges the operator lists. The check is made on
//! the address the connection goes to: names are resolved here and the connector gets only the
//! addresses that pass; addresses written into a URL are checked before each request; redirects
//! are followed by hand, each checked anew. No proxy of the environment is used.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{
    ACCEPT, CONTENT_TYPE, ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
    LOCATION,
};
use reqwest::{Method, StatusCode};
use url::{Host, Url};

use crate::source::reach::Reach;

/// Bytes of an answer, unpacked; more is no article and no feed.
pub const SIZE: usize = 10 * 1024 * 1024;
/// From the first byte asked to the last one read, redirects included.
pub const TIME: Duration = Duration::from_secs(30);
/// Until a connection stands.
const CONNECT: Duration = Duration::from_secs(10);
/// Redirects that are followed.
pub const REDIRECTS: usize = 3;
/// What we say of ourselves.
const AGENT: &str = concat!("Rundbrief/", env!("CARGO_PKG_VERSION"));
/// What sources are asked for.
const WANTED: &str = "application/atom+xml, application/rss+xml, application/feed+json, text/html, application/xhtml+xml, */*;q=0.5";

/// The client; cloning shares its connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    reach: Arc<Reach>,
    time: Duration,
}

/// What the last answer said of itself, to be asked again with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validators {
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub last_modified: Option<String>,
}

/// An answer.
#[derive(Debug)]
pub enum Answer {
    /// It has not changed since (304).
    Unchanged,
    /// The document.
    Document(Document),
}

/// A document with what its headers said.
#[derive(Debug)]
pub struct Document {
    /// The address it came from, after redirects.
    pub address: Url,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// For asking again.
    pub validators: Validators,
    /// The bytes, unpacked.
    pub bytes: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not an address this client speaks to.
    #[error("{0}: only http:// and https:// addresses are fetched")]
    Scheme(String),
    /// The address is not public.
    #[error(
        "{0} leads to an address that is not public. If it is a server of your own, list its range under [fetch] allow in rundbrief.toml"
    )]
    NotPublic(String),
    /// More redirects than are followed.
    #[error("{0}: more than {REDIRECTS} redirects")]
    Redirects(String),
    /// The answer is too large.
    #[error("{0}: more than {limit} bytes", limit = SIZE)]
    TooLarge(String),
    /// The server took too long.
    #[error("{0}: no whole answer within {seconds} seconds", seconds = TIME.as_secs())]
    TooSlow(String),
    /// The server answered with an error.
    #[error("{address}: the server answers {status}")]
    Status {
        /// What was asked for.
        address: String,
        /// The code.
        status: StatusCode,
    },
    /// The name system knows no such host.
    #[error("{0}: there is no such host")]
    NoHost(String),
    /// The connection or the answer broke.
    #[error("{address}: {reason}")]
    Broken {
        /// What was asked for.
        address: String,
        /// What went wrong.
        reason: String,
    },
}

impl Client {
    /// A client for the given reach.
    ///
    /// # Errors
    /// The system's certificates cannot be read.
    pub fn new(reach: Reach) -> Result<Self, reqwest::Error> {
        Self::with_time(reach, TIME)
    }

    /// A client with another limit of time than [`TIME`].
    ///
    /// # Errors
    /// As with [`Client::new`].
    pub fn with_time(reach: Reach, time: Duration) -> Result<Self, reqwest::Error> {
        let reach = Arc::new(reach);
        let http = reqwest::Client::builder()
            .user_agent(AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .no_proxy()
            .referer(false)
            .dns_resolver(Arc::new(Resolver(Arc::clone(&reach))))
            .build()?;
        Ok(Self { http, reach, time })
    }

    /// Fetches a document.
    ///
    /// # Errors
    /// Each names the address and what was wrong.
    pub async fn get(&self, address: &Url) -> Result<Document, Error> {
        match self.get_if_changed(address, &Validators::default()).await? {
            Answer::Document(document) => Ok(document),
            Answer::Unchanged => {
                Err(Error::Status { address: shown(address), status: StatusCode::NOT_MODIFIED })
            }
        }
    }

    /// Fetches a document unless it is the one that `known` speaks of.
    ///
    /// # Errors
    /// Each names the address and what was wrong.
    pub async fn get_if_changed(&self, address: &Url, known: &Validators) -> Result<Answer, Error> {
        let work = self.fetch(address, known);
        tokio::time::timeout(self.time, work)
            .await
            .unwrap_or_else(|_| Err(Error::TooSlow(shown(address))))
    }

    /// Asks whether an address leads somewhere: with HEAD, and with GET where a server does not
    /// know HEAD. Reads no content.
    ///
    /// # Errors
    /// It does not, or cannot be asked.
    pub async fn probe(&self, address: &Url) -> Result<StatusCode, Error> {
        let work = async {
            let (response, _) = self.follow(Method::HEAD, address, &HeaderMap::new()).await?;
            if response.status().is_success() {
                return Ok(response.status());
            }
            let (response, _) = self.follow(Method::GET, address, &HeaderMap::new()).await?;
            match response.status() {
                status if status.is_success() => Ok(status),
                status => Err(Error::Status { address: shown(address), status }),
            }
        };
        tokio::time::timeout(self.time, work)
            .await
            .unwrap_or_else(|_| Err(Error::TooSlow(shown(address))))
    }

    async fn fetch(&self, address: &Url, known: &Validators) -> Result<Answer, Error> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, reqwest::header::HeaderValue::from_static(WANTED));
        for (name, value) in
            [(IF_NONE_MATCH, &known.etag), (IF_MODIFIED_SINCE, &known.last_modified)]
        {
            if let Some(value) = value.as_deref().and_then(|value| value.parse().ok()) {
                headers.insert(name, value);
            }
        }
        let (response, address) = self.follow(Method::GET, address, &headers).await?;
        let status = response.status();
        if status == StatusCode::NOT_MODIFIED {
            return Ok(Answer::Unchanged);
        }
        if !status.is_success() {
            return Err(Error::Status { address: shown(&address), status });
        }
        let header = |name| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let content_type = header(CONTENT_TYPE);
        let validators = Validators { etag: header(ETAG), last_modified: header(LAST_MODIFIED) };
        let bytes = read(response, &address).await?;
        Ok(Answer::Document(Document { address, content_type, validators, bytes }))
    }

    /// Sends a request and follows redirects, each to an address that passes.
    async fn follow(
        &self,
        method: Method,
        address: &Url,
        headers: &HeaderMap,
    ) -> Result<(reqwest::Response, Url), Error> {
        let mut address = address.clone();
        for _ in 0..=REDIRECTS {
            self.check(&address)?;
            let request =
                self.http.request(method.clone(), address.clone()).headers(headers.clone());
            let response = request.send().await.map_err(|error| broken(&address, &error))?;
            let spoken = response.remote_addr().is_some_and(|peer| self.reach.allows(peer.ip()));
            if !spoken {
                return Err(Error::NotPublic(shown(&address)));
            }
            let moved = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let target = response
                .headers()
                .get(LOCATION)
                .filter(|_| moved)
                .and_then(|value| value.to_str().ok());
            let Some(target) = target else {
                return Ok((response, address));
            };
            address = address.join(target).map_err(|error| Error::Broken {
                address: shown(&address),
                reason: format!("redirects to {target:?}: {error}"),
            })?;
        }
        Err(Error::Redirects(shown(&address)))
    }

    /// The scheme, and the address where it is written out; names are checked by the resolver.
    fn check(&self, address: &Url) -> Result<(), Error> {
        if !matches!(address.scheme(), "http" | "https") {
            return Err(Error::Scheme(shown(address)));
        }
        let ip = match address.host() {
            Some(Host::Ipv4(ip)) => IpAddr::V4(ip),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip),
            Some(Host::Domain(_)) => return Ok(()),
            None => return Err(Error::Scheme(shown(address))),
        };
        if self.reach.allows(ip) { Ok(()) } else { Err(Error::NotPublic(shown(address))) }
    }
}

/// Reads the answer up to [`SIZE`] unpacked bytes.
async fn read(mut response: reqwest::Response, address: &Url) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(address, &error))? {
        if bytes.len() + chunk.len() > SIZE {
            return Err(Error::TooLarge(shown(address)));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// The address without user, password and query, which may hold secrets.
fn shown(address: &Url) -> String {
    let mut shown = address.clone();
    let _ = shown.set_password(None);
    let _ = shown.set_username("");
    shown.set_query(None);
    shown.set_fragment(None);
    shown.into()
}

fn broken(address: &Url, error: &reqwest::Error) -> Error {
    let mut reason = String::new();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<NotPublic>() {
            return Error::NotPublic(shown(address));
        }
        if error.is::<NoHost>() {
            return Error::NoHost(shown(address));
        }
        reason = error.to_string();
        cause = error.source();
    }
    if error.is_timeout() {
        reason = "no connection in time".to_owned();
    }
    if reason.is_empty() {
        reason = error.to_string();
    }
    Error::Broken { address: shown(address), reason }
}

/// No address of a name is public.
#[derive(Debug, thiserror::Error)]
#[error("the name leads to no public address")]
struct NotPublic;

/// The name system answered that there is no such name.
#[derive(Debug, thiserror::Error)]
#[error("there is no such host")]
struct NoHost;

/// What the C libraries say of a name that does not exist or has no address; a failure that
/// passes reads "Temporary failure in name resolution" or "Try again". The standard library
/// hands on only these words.
const NO_HOST: [&str; 4] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
];

/// Tells a name that does not exist from a name server that cannot say now.
fn unresolved(error: std::io::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let said = error.to_string();
    match NO_HOST.iter().any(|words| said.contains(words)) {
        true => Box::new(NoHost),
        false => Box::new(error),
    }
}

/// Resolves names and hands on only the addresses that pass, so that the connection cannot go
/// to another one than was checked.
#[derive(Debug)]
struct Resolver(Arc<Reach>);

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let reach = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(unresolved)?;
            let public: Vec<SocketAddr> =
                found.filter(|address| reach.allows(address.ip())).collect();
            if public.is_empty() {
                return Err(Box::new(NotPublic) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(public.into_iter()) as reqwest::dns::Addrs)
        })
    }
}
