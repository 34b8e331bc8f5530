//! One relay: address, TLS, credentials, limits.

use std::path::PathBuf;

use serde::Deserialize;

use super::secret::Secret;
use crate::smtp::mark::Mark;

/// How a session is encrypted. There is no *skip verification* and no fallback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// STARTTLS, required (RFC 3207). The default.
    Starttls,
    /// TLS from the first byte (RFC 8314), usually port 465.
    Implicit,
    /// Plain text, for a relay on this machine.
    None,
}

/// How to log in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mechanism {
    /// RFC 4616.
    Plain,
    /// The older way, for servers that offer nothing else.
    Login,
    /// A bearer token in place of a password.
    Xoauth2,
}

/// Who logs in, and what proves it.
#[derive(Clone, Debug)]
pub enum Login {
    /// User, and where the password or access token is.
    Secret(String, Secret),
    /// User, and the program with its arguments that prints an access token.
    Command(String, Vec<String>),
}

/// One relay.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Transport {
    /// Host name or address.
    pub host: String,
    /// 587 for STARTTLS, 465 for implicit TLS, 25 for none, unless told.
    pub port: u16,
    /// How a session is encrypted.
    pub tls: Tls,
    /// Who logs in; none: nobody needs to.
    pub login: Option<Login>,
    /// Mechanism to use; the best one offered when none is named.
    pub mechanism: Option<Mechanism>,
    /// Certificates (PEM) that are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Sessions at a time.
    pub connections: usize,
    /// Mails before a session is closed and opened anew.
    pub messages_per_connection: u32,
    /// Mails of one session whose replies may be due at once, where the relay offers
    /// CHUNKING and PIPELINING. As many may arrive twice for each session that is lost.
    pub mails_in_flight: usize,
    /// Mails of one session whose replies a power cut may take back. As many may then
    /// arrive twice for each session; with 1 a session waits for the disk after each.
    pub unsynced_replies: usize,
    /// Mails a second at most over all sessions; none: as fast as the relay takes them.
    pub messages_per_second: Option<f64>,
    /// Mails a second at most to one receiving domain.
    pub messages_per_second_and_domain: Option<f64>,
    /// The provider behind it, when its events shall name our deliveries.
    pub provider: Option<Mark>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    host: String,
    port: Option<u16>,
    tls: Option<Tls>,
    user: Option<String>,
    password: Option<Proof>,
    mechanism: Option<Mechanism>,
    ca_file: Option<PathBuf>,
    connections: Option<usize>,
    messages_per_connection: Option<u32>,
    mails_in_flight: Option<usize>,
    unsynced_replies: Option<usize>,
    messages_per_second: Option<f64>,
    messages_per_second_and_domain: Option<f64>,
    provider: Option<Mark>,
}

/// Sessions at a time unless told; what most relays of hosters accept from one client.
const CONNECTIONS: usize = 10;
/// Receivers refuse more (RULES.md: Outlook.com).
const MOST_CONNECTIONS: usize = 500;
/// More gain nothing: at 20 ms a session of 32 sends 1,600 mails a second.
const MOST_IN_FLIGHT: usize = 32;
/// Replies of a session that need not be synced yet unless told. With 1 a session sends
/// one mail for each sync, some 300 a second; relays that take longer to answer than a
/// disk to sync never get beyond 1 or 2.
const UNSYNCED: usize = 8;
/// More gain nothing: a sync takes some milliseconds.
const MOST_UNSYNCED: usize = 64;
/// Mails before a session is opened anew unless told.
const MESSAGES: u32 = 1000;

impl TryFrom<Fields> for Transport {
    type Error = String;

    fn try_from(f: Fields) -> Result<Self, String> {
        let tls = f.tls.unwrap_or(Tls::Starttls);
        let login = login(f.user, f.password, f.mechanism)?;
        if login.is_some() && tls == Tls::None {
            return Err(
                "a password is never sent without TLS; set tls = \"starttls\" or \"implicit\""
                    .into(),
            );
        }
        let connections = f.connections.unwrap_or(CONNECTIONS);
        if !(1..=MOST_CONNECTIONS).contains(&connections) {
            return Err(format!("connections = {connections}; allowed: 1 to {MOST_CONNECTIONS}"));
        }
        for (name, rate) in [
            ("messages_per_second", f.messages_per_second),
            ("messages_per_second_and_domain", f.messages_per_second_and_domain),
        ] {
            if rate.is_some_and(|rate| !rate.is_finite() || rate <= 0.0) {
                return Err(format!("{name} is more than 0, or left out for no limit"));
            }
        }
        let messages_per_connection = f.messages_per_connection.unwrap_or(MESSAGES);
        if messages_per_connection == 0 {
            return Err("messages_per_connection is at least 1".into());
        }
        let mails_in_flight = f.mails_in_flight.unwrap_or(1);
        if !(1..=MOST_IN_FLIGHT).contains(&mails_in_flight) {
            return Err(format!(
                "mails_in_flight = {mails_in_flight}; allowed: 1 to {MOST_IN_FLIGHT}"
            ));
        }
        let unsynced_replies = f.unsynced_replies.unwrap_or(UNSYNCED);
        if !(1..=MOST_UNSYNCED).contains(&unsynced_replies) {
            return Err(format!(
                "unsynced_replies = {unsynced_replies}; allowed: 1 to {MOST_UNSYNCED}"
            ));
        }
        Ok(Transport {
            mails_in_flight,
            unsynced_replies,
            port: f.port.unwrap_or(match tls {
                Tls::Starttls => 587,
                Tls::Implicit => 465,
                Tls::None => 25,
            }),
            host: f.host,
            tls,
            login,
            mechanism: f.mechanism,
            ca_file: f.ca_file,
            connections,
            messages_per_connection,
            messages_per_second: f.messages_per_second,
            messages_per_second_and_domain: f.messages_per_second_and_domain,
            provider: f.provider,
        })
    }
}

/// What stands as `password`.
enum Proof {
    Secret(Secret),
    Command(Vec<String>),
}

impl<'de> Deserialize<'de> for Proof {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use serde::de::Error as _;
        let value = toml::Value::deserialize(from)?;
        if let Some(table) = value.as_table()
            && let Some(command) = table.get("command")
        {
            let words = command.clone().try_into::<Vec<String>>().ok();
            let words =
                words.filter(|words| table.len() == 1 && words.iter().all(|w| !w.is_empty()));
            return words.filter(|words| !words.is_empty()).map(Proof::Command).ok_or_else(|| {
                D::Error::custom(
                    "a command is a list: { command = [\"/usr/bin/PROGRAM\", \"ARGUMENT\"] }",
                )
            });
        }
        let secret = Secret::deserialize(value);
        secret.map(Proof::Secret).map_err(|error| D::Error::custom(error.message()))
    }
}

fn login(
    user: Option<String>,
    password: Option<Proof>,
    mechanism: Option<Mechanism>,
) -> Result<Option<Login>, String> {
    let refuse = |why: &str| Err(why.to_owned());
    match (user, password) {
        (None, None) if mechanism.is_some() => {
            refuse("mechanism without user; add user and password")
        }
        (None, None) => Ok(None),
        (None, Some(_)) => refuse("password without user; add user = \"NAME\""),
        (Some(_), None) => {
            refuse("user without password; add password = { credential = \"NAME\" }")
        }
        (Some(user), Some(Proof::Secret(password))) => Ok(Some(Login::Secret(user, password))),
        (Some(user), Some(Proof::Command(words))) if mechanism == Some(Mechanism::Xoauth2) => {
            Ok(Some(Login::Command(user, words)))
        }
        (Some(_), Some(Proof::Command(_))) => {
            refuse("password = { command = … } prints access tokens; add mechanism = \"xoauth2\"")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(more: &str) -> Result<Transport, String> {
        toml::from_str(&format!("host = \"mail.example.de\"\n{more}"))
            .map_err(|error: toml::de::Error| error.message().to_owned())
    }

    #[test]
    fn a_log_in_is_whole_or_refused_with_a_way_out() {
        assert!(read("").unwrap().login.is_none());
        let command =
            "user = \"u\"\nmechanism = \"xoauth2\"\npassword = { command = [\"/bin/t\", \"-x\"] }";
        let login = read(command).unwrap().login;
        assert!(matches!(login, Some(Login::Command(_, words)) if words == ["/bin/t", "-x"]));
        let secret = "user = \"u\"\npassword = { file = \"p\" }";
        assert!(matches!(read(secret).unwrap().login, Some(Login::Secret(..))));
        for (text, words) in [
            ("user = \"u\"", "add password"),
            ("password = { file = \"p\" }", "add user"),
            ("mechanism = \"plain\"", "add user and password"),
            ("user = \"u\"\npassword = \"p\"", "never written here"),
            ("user = \"u\"\npassword = { command = [\"t\"] }", "xoauth2"),
            ("user = \"u\"\npassword = { command = \"t\" }", "a command is a list"),
            ("user = \"u\"\npassword = { command = [] }", "a command is a list"),
            ("mails_in_flight = 0", "1 to 32"),
            ("unsynced_replies = 0", "1 to 64"),
        ] {
            let said = read(text).unwrap_err();
            assert!(said.contains(words), "{text}: {said}");
        }
    }
}
