//! What this installation looks like from here: directory, key, database, clock,
//! relays, DKIM. It looks and says what to do; it changes nothing and sends nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::config::transport::Transport;
use crate::config::{Config, key};
use crate::delivery::transport;
use crate::letter::dkim;
use crate::read;
use crate::smtp::session::Session;
use crate::store::Store;
use crate::store::lock::Lock;

/// A clock that is further from the database's is wrong: leases and links go by it.
const CLOCK_SECONDS: i64 = 5;
/// Less free space than this, in MiB, and the database may stop in mid-issue.
const FREE_MIB: u64 = 500;
/// How long a relay may take to open a session.
const RELAY: Duration = Duration::from_secs(20);

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// As it should be.
    Fine,
    /// Worth a look.
    Look,
    /// Will not work.
    Broken,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub what: String,
    /// How it is.
    pub health: Health,
    /// What was seen, and what to do.
    pub says: String,
}

fn finding(what: impl Into<String>, health: Health, says: impl Into<String>) -> Finding {
    Finding { what: what.into(), health, says: says.into() }
}

/// The data directory: there, ours, with space left, and whether a daemon works in it.
pub fn directory(path: &Path) -> Vec<Finding> {
    let place = path.display();
    let mut found = Vec::new();
    let probe = path.join(format!(".doctor-{}", std::process::id()));
    match std::fs::write(&probe, b"") {
        Ok(()) => {
            let _ = std::fs::remove_file(&probe);
            found.push(finding("directory", Health::Fine, format!("{place}: may be written")));
        }
        Err(error) => found.push(finding(
            "directory",
            Health::Broken,
            format!("{place}: {error}. Does it exist, and does it belong to the user that runs rundbrief?"),
        )),
    }
    match free_mib(path) {
        Some(free) if free < FREE_MIB => found.push(finding(
            "disk",
            Health::Look,
            format!("{place}: {free} MiB free. Make room before the next issue"),
        )),
        Some(free) => found.push(finding("disk", Health::Fine, format!("{free} MiB free"))),
        None => {}
    }
    found.push(match Lock::take(path) {
        Ok(_) => finding(
            "daemon",
            Health::Look,
            "not running: nothing is delivered until `rundbrief run` runs",
        ),
        Err(error @ crate::store::lock::Error::Held { .. }) => {
            drop(error);
            finding("daemon", Health::Fine, "running")
        }
        Err(error) => finding("daemon", Health::Broken, error.to_string()),
    });
    found
}

/// Free space for this user, by coreutils' own counting; none where `df` is missing.
fn free_mib(path: &Path) -> Option<u64> {
    let output = std::process::Command::new("df")
        .args(["--output=avail", "-m", "--"])
        .arg(path)
        .output()
        .ok()?;
    String::from_utf8(output.stdout).ok()?.lines().nth(1)?.trim().parse().ok()
}

/// The master key: there, and nobody else's to read.
pub fn master_key(directory: &Path) -> Finding {
    if let Err(error) = key::read(directory) {
        return finding("key", Health::Broken, format!("{error:#}"));
    }
    let file = directory.join(key::FILE);
    let open_to_others = std::fs::metadata(&file).is_ok_and(|meta| {
        use std::os::unix::fs::PermissionsExt as _;
        meta.permissions().mode() & 0o077 != 0
    });
    if open_to_others {
        return finding(
            "key",
            Health::Broken,
            format!("{0}: others may read it. chmod 600 {0}", file.display()),
        );
    }
    finding("key", Health::Fine, "there, and closed to others")
}

/// The database answers; on PostgreSQL its clock is compared with ours.
pub async fn database(store: &Store, now: Timestamp) -> Vec<Finding> {
    if let Err(error) = store.ping().await {
        return vec![finding("database", Health::Broken, error.to_string())];
    }
    let mut found = vec![finding("database", Health::Fine, format!("{:?} answers", store.kind()))];
    match seconds(store).await {
        Ok(theirs) => {
            let apart = (theirs - now.as_second()).abs();
            found.push(if apart > CLOCK_SECONDS {
                finding("clock", Health::Broken, format!("{apart} s apart from the database's. Run a time service (systemd-timesyncd, chrony) on both machines"))
            } else {
                finding("clock", Health::Fine, format!("{apart} s apart from the database's"))
            });
        }
        Err(error) => found.push(finding("clock", Health::Look, error.to_string())),
    }
    found
}

/// The database's clock, in seconds since 1970.
async fn seconds(store: &Store) -> sqlx::Result<i64> {
    let text = match store.kind() {
        crate::store::Kind::Sqlite => "select cast(strftime('%s', 'now') as integer)",
        crate::store::Kind::Postgres => {
            "select cast(extract(epoch from clock_timestamp()) as bigint)"
        }
    };
    read!(store, |db| sqlx::query_scalar(text).fetch_one(db).await)
}

/// Every relay: whether a session can be opened, which covers name, port, TLS,
/// certificate and log-in. No mail is begun.
pub async fn relays(config: &Config) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Err(error) = transport::order(config, &[]) {
        found.push(finding("relay", Health::Broken, format!("{error:#}")));
    }
    for (name, transport) in &config.transport {
        found.push(relay(name, transport, &config.mail.domain).await);
    }
    found
}

async fn relay(name: &str, transport: &Transport, hello: &str) -> Finding {
    let what = format!("relay {name}");
    let place = format!("{}:{}", transport.host, transport.port);
    let relay = match transport::relay(name, transport, hello) {
        Ok(relay) => relay,
        Err(error) => return finding(what, Health::Broken, format!("{error:#}")),
    };
    match tokio::time::timeout(RELAY, Session::open(&relay)).await {
        Err(_) => finding(
            what,
            Health::Broken,
            format!("{place}: no session within {} s. Is a firewall between?", RELAY.as_secs()),
        ),
        Ok(Err(outcome)) => {
            let says = format!(
                "{place}: {} at {}. Is the relay running, and are port, tls, user and password right?",
                outcome.words(),
                outcome.stage.as_str()
            );
            finding(what, Health::Broken, says)
        }
        Ok(Ok(session)) => {
            session.quit().await;
            finding(what, Health::Fine, format!("{place}: opens a session"))
        }
    }
}

/// The DKIM keys, with the record that DNS must have for each.
pub fn signatures(config: &Config) -> Vec<Finding> {
    if config.mail.dkim.is_empty() {
        let says = "no key: Gmail, Yahoo, Outlook.com, GMX and WEB.DE refuse or sort out unsigned newsletters, unless the relay signs. See [[mail.dkim]] in deploy/rundbrief.toml";
        return vec![finding("dkim", Health::Look, says)];
    }
    match transport::keys(config) {
        Err(error) => vec![finding("dkim", Health::Broken, format!("{error:#}"))],
        Ok(keys) => {
            let publish = |key: &Arc<dkim::Key>| {
                let (name, record) = (key.record_name(), key.zone_record());
                let says = format!("DNS must have: {name}. IN TXT {record}");
                finding("dkim", Health::Fine, says)
            };
            keys.iter().map(publish).collect()
        }
    }
}

impl Finding {
    /// Something that will not work.
    pub fn broken(what: &str, says: String) -> Finding {
        finding(what, Health::Broken, says)
    }
}
