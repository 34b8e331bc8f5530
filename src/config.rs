//! `rundbrief.toml`, environment, systemd credentials.
//!
//! Every field is documented in the example under `deploy/`. A wrong field is
//! answered with file, line and what is allowed; secrets are only ever named by
//! the credential or file that holds them. Newsletters and sources are not
//! here: they live in the database.

pub mod key;
pub mod layer;
pub mod mailbox;
pub mod network;
pub mod secret;
pub mod transport;
pub mod webhook;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::store::open::Location;
use network::{IpRange, PublicAddress};
use secret::Secret;
use transport::Transport;

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_FILE: &str = "rundbrief.toml";

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The data directory: lock, keys, journal and, for SQLite, the database.
    pub directory: PathBuf,
    /// Where the database is.
    #[serde(default)]
    pub database: Database,
    /// The web server.
    pub web: Web,
    /// Names and addresses that every mail carries.
    pub mail: Mail,
    /// Relays by name.
    #[serde(default)]
    pub transport: BTreeMap<String, Transport>,
    /// Fetching of sources.
    #[serde(default)]
    pub fetch: Fetch,
    /// Where bounces come in.
    #[serde(default)]
    pub bounce: Bounce,
    /// Where the monitor asks; none: nowhere.
    pub metrics: Option<Metrics>,
    /// What is logged.
    #[serde(default)]
    pub log: Log,
}

/// Where the database is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite:FILE` (relative to the data directory) or `postgres://USER@HOST/NAME`.
    #[serde(default = "default_database")]
    pub address: String,
    /// PostgreSQL's password, if the address has none.
    pub password: Option<Secret>,
}

/// The web server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Web {
    /// Address and port to listen on, behind a proxy that speaks TLS.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// The address readers know; links in mails begin with it.
    pub address: PublicAddress,
}

/// Names and addresses that every mail carries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// Domain of Message-IDs and of the name in EHLO.
    #[serde(deserialize_with = "network::domain")]
    pub domain: String,
    /// Mailbox that gets bounces; the token is put behind a plus: `bounce+TOKEN@…`.
    #[serde(deserialize_with = "network::mailbox")]
    pub return_path: String,
    /// Mailbox for `List-Unsubscribe: <mailto:…>`; the token is put behind a plus.
    #[serde(default, deserialize_with = "network::optional_mailbox")]
    pub unsubscribe: Option<String>,
    /// Transports of newsletters that name none: the first that works, in this order.
    #[serde(default)]
    pub transports: Vec<String>,
    /// Keys that sign, by domain and selector.
    #[serde(default)]
    pub dkim: Vec<Dkim>,
}

/// One DKIM key (RFC 6376). Two of them sign side by side during a rotation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dkim {
    /// `d=`: the From address's domain or a parent of it.
    pub domain: String,
    /// `s=`: the name before `._domainkey` in DNS.
    pub selector: String,
    /// A private key in PEM (PKCS#8): RSA of 2048 bits or more, or Ed25519.
    pub key: Secret,
}

/// Fetching of sources.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    /// Ranges that sources may be fetched from although they are not public.
    #[serde(default)]
    pub allow: Vec<IpRange>,
}

/// Where bounces come in.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounce {
    /// A Maildir that the mail server delivers bounces to; read ones move to `cur`.
    pub maildir: Option<PathBuf>,
    /// A mailbox that is read by IMAP.
    pub imap: Option<mailbox::Imap>,
    /// A mailbox that is read by POP3.
    pub pop3: Option<mailbox::Pop3>,
    /// A mailbox in one file.
    pub mbox: Option<mailbox::Mbox>,
    /// Where the mail server hands over.
    pub lmtp: Option<mailbox::Lmtp>,
    /// Endpoints for providers' events, by name.
    #[serde(default)]
    pub webhook: BTreeMap<String, webhook::Webhook>,
}

/// Where the monitor asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "MetricsFields")]
pub struct Metrics {
    /// Address and port of their own: `/metrics` is not for readers.
    pub listen: SocketAddr,
    /// What the monitor shows as bearer token.
    pub token: Option<Secret>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsFields {
    listen: SocketAddr,
    token: Option<Secret>,
}

impl TryFrom<MetricsFields> for Metrics {
    type Error = String;

    fn try_from(f: MetricsFields) -> Result<Self, String> {
        if f.token.is_none() && !f.listen.ip().is_loopback() {
            return Err("listen is open to other machines; add token = { credential = \"NAME\" }, or listen on 127.0.0.1".into());
        }
        Ok(Metrics { listen: f.listen, token: f.token })
    }
}

/// What is logged.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// `error`, `warn`, `info`, `debug`, or directives such as `info,rundbrief::smtp=debug`.
    #[serde(default = "default_level")]
    pub level: String,
}

/// Why a configuration does not stand.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("{path}: {why}. `rundbrief init` writes a first one; --config FILE names another")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// A field is wrong.
    #[error("{place}: {what}")]
    Field {
        /// File and line, or the environment variable.
        place: String,
        /// What was wrong and what is allowed.
        what: String,
    },
}

impl Config {
    /// Reads the file and what the environment changes of it.
    ///
    /// `variables` are the process's environment; those that begin with
    /// `RUNDBRIEF_` count, see [`layer`].
    ///
    /// # Errors
    /// The file cannot be read, or a field is wrong; the message says where.
    pub fn load(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Config, Error> {
        let text = std::fs::read_to_string(path)
            .map_err(|why| Error::Read { path: path.to_owned(), why })?;
        let mut config = layer::parse(&text, &path.display().to_string(), variables)?;
        config.check_transports(&text, path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        config.directory = base.join(&config.directory);
        Ok(config)
    }

    /// What to say of a transport that is not there.
    pub fn no_transport(&self, name: &str) -> String {
        let known: Vec<&str> = self.transport.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        format!("there is no transport {name:?}. rundbrief.toml has: {known}")
    }

    fn check_transports(&self, text: &str, path: &Path) -> Result<(), Error> {
        let unknown = |name: &&String| !self.transport.contains_key(*name);
        let Some(name) = self.mail.transports.iter().find(unknown) else { return Ok(()) };
        let place = path.display().to_string();
        let line = layer::line_of(text, &["mail", "transports"]);
        Err(Error::Field {
            place: line.map_or_else(|| place.clone(), |line| format!("{place}:{line}")),
            what: format!("mail.transports: {}", self.no_transport(name)),
        })
    }

    /// Where the database is; a relative file lies in the data directory.
    ///
    /// # Errors
    /// The address names neither database, or its password cannot be read.
    pub fn location(&self) -> anyhow::Result<Location> {
        let location: Location = self.database.address.parse()?;
        Ok(match (location, &self.database.password) {
            (Location::Sqlite(file), _) => Location::Sqlite(self.directory.join(file)),
            (Location::Postgres(address), None) => Location::Postgres(address),
            (Location::Postgres(address), Some(password)) => {
                Location::Postgres(secret::with_password(&address, password)?)
            }
        })
    }
}

impl Default for Database {
    fn default() -> Self {
        Database { address: default_database(), password: None }
    }
}

impl Default for Log {
    fn default() -> Self {
        Log { level: default_level() }
    }
}

fn default_database() -> String {
    "sqlite:rundbrief.db".to_owned()
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8025))
}

fn default_level() -> String {
    "info".to_owned()
}
