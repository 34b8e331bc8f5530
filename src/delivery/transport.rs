//! From `rundbrief.toml` to what a worker needs: the relays with TLS and log-in,
//! the keys that sign. Secrets are read here, once, and stay in memory.

use std::sync::Arc;

use anyhow::Context as _;
use lettre::transport::smtp::authentication::{self as lettre_auth, Credentials};
use rundbrief_subscribers::key::Master;
use secrecy::ExposeSecret as _;

use super::pool::ReturnPath;
use super::{line, settle, worker};

use crate::config::Config;
use crate::config::secret::Secret;
use crate::config::transport::{self, Mechanism, Tls, Transport};
use crate::letter::dkim;
use crate::smtp::relay::{Deadlines, Login, Relay, Security, Setup};
use crate::smtp::token::{Origin, Tokens};
use crate::store::value::Millis;

/// The transports that a newsletter goes by, in order: those it names, else those of
/// `mail.transports`, else the only one there is.
///
/// # Errors
/// There is none, or one of them is not configured, or nobody can know which is meant.
pub fn order<'a>(
    config: &'a Config,
    named: &'a [String],
) -> anyhow::Result<Vec<(&'a str, &'a Transport)>> {
    let names = if named.is_empty() { &config.mail.transports } else { named };
    let find = |name: &'a String| {
        let found = config.transport.get(name);
        let transport = found.with_context(|| config.no_transport(name))?;
        Ok((name.as_str(), transport))
    };
    if !names.is_empty() {
        return names.iter().map(find).collect();
    }
    let all: Vec<_> = config.transport.iter().map(|(name, one)| (name.as_str(), one)).collect();
    match all.as_slice() {
        [_] => Ok(all),
        [] => anyhow::bail!("no [transport.NAME] in rundbrief.toml: nothing can be delivered"),
        [..] => anyhow::bail!(
            "several [transport.NAME] in rundbrief.toml and no order. Under [mail], add transports = [\"FIRST\", \"SECOND\"]"
        ),
    }
}

/// Everything a worker needs, from the configuration.
///
/// # Errors
/// There is no transport, or no order of several; the return path is no mailbox, or
/// a secret cannot be read.
pub fn setup(
    config: &Config,
    key: &Master,
    clock: fn() -> Millis,
) -> anyhow::Result<worker::Setup> {
    let order = order(config, &[])?.iter().map(|(name, _)| (*name).to_owned()).collect();
    let line = |(name, transport): (&String, &Transport)| {
        Ok(line::Setup {
            name: name.clone(),
            relay: relay(name, transport, &config.mail.domain)?,
            connections: transport.connections,
            unsynced: transport.unsynced_replies,
            rate: transport.messages_per_second,
            domain_rate: transport.messages_per_second_and_domain,
        })
    };
    let path = &config.mail.return_path;
    let (local, domain) = path.rsplit_once('@').with_context(|| {
        format!("rundbrief.toml: mail.return_path = {path:?}; a mailbox like bounce@example.org")
    })?;
    Ok(worker::Setup {
        transports: config.transport.iter().map(line).collect::<anyhow::Result<_>>()?,
        order,
        return_path: ReturnPath { local: local.to_owned(), domain: domain.to_owned() },
        keys: keys(config)?,
        key: key.token(),
        clock,
        evidence: settle::EVIDENCE,
    })
}

/// The relay that a transport describes; `hello` is our own name.
///
/// # Errors
/// A secret or the CA file cannot be read.
pub fn relay(name: &str, transport: &Transport, hello: &str) -> anyhow::Result<Relay> {
    let login = login(transport).with_context(|| format!("[transport.{name}] password"))?;
    let setup = Setup {
        host: transport.host.clone(),
        port: transport.port,
        security: match transport.tls {
            Tls::Starttls => Security::StartTls,
            Tls::Implicit => Security::Implicit,
            Tls::None => Security::None,
        },
        ca_file: transport.ca_file.clone(),
        login,
        hello: hello.to_owned(),
        mails_per_connection: transport.messages_per_connection,
        window: transport.mails_in_flight,
        deadlines: Deadlines::default(),
        mark: transport.provider,
    };
    Relay::new(setup).with_context(|| format!("[transport.{name}]"))
}

/// How to log in. A password is read here, once; tokens are asked for when needed.
fn login(transport: &Transport) -> anyhow::Result<Option<Login>> {
    let password = |user: &String, secret: &Secret, named| {
        let secret = secret.read()?.expose_secret().to_owned();
        anyhow::Ok(Some(Login::Password(Credentials::new(user.clone(), secret), named)))
    };
    let tokens = |user: &String, origin| {
        let tokens = Tokens::new(origin);
        anyhow::Ok(Some(Login::Token(user.clone(), tokens)))
    };
    match &transport.login {
        None => Ok(None),
        Some(transport::Login::Command(user, words)) => {
            tokens(user, Origin::Command(words.clone()))
        }
        Some(transport::Login::Secret(user, secret)) => match transport.mechanism {
            Some(Mechanism::Xoauth2) => tokens(user, Origin::Stored(secret.clone())),
            Some(Mechanism::Plain) => password(user, secret, Some(lettre_auth::Mechanism::Plain)),
            Some(Mechanism::Login) => password(user, secret, Some(lettre_auth::Mechanism::Login)),
            None => password(user, secret, None),
        },
    }
}

/// The keys that sign, in the order of the file.
///
/// # Errors
/// A key cannot be read, or is none.
pub fn keys(config: &Config) -> anyhow::Result<Vec<Arc<dkim::Key>>> {
    let read = |dkim: &crate::config::Dkim| {
        let pem = dkim.key.read()?;
        Ok(dkim::Key::parse(&dkim.domain, &dkim.selector, pem.expose_secret())?)
    };
    let named = |dkim| {
        read(dkim)
            .map(Arc::new)
            .map_err(|e: anyhow::Error| e.context(format!("[[mail.dkim]] {}", dkim.selector)))
    };
    config.mail.dkim.iter().map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layer;

    fn config(transports: &str) -> Config {
        let text = format!(
            "directory = \"d\"\n[web]\naddress = \"https://news.example.de\"\n[mail]\n\
             domain = \"news.example.de\"\nreturn_path = \"bounce@news.example.de\"\n{transports}"
        );
        layer::parse(&text, "rundbrief.toml", []).unwrap()
    }

    #[test]
    fn newsletters_name_transports_and_the_order_is_never_guessed() {
        let names = |config: &Config, named: &[&str]| {
            let named: Vec<String> = named.iter().map(|name| (*name).to_owned()).collect();
            let found = order(config, &named).map_err(|error| error.to_string())?;
            Ok::<_, String>(found.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>())
        };
        let one = config("[transport.a]\nhost = \"mail.example.de\"\n");
        assert_eq!(names(&one, &[]).unwrap(), ["a"]);
        let two = "[transport.a]\nhost = \"x\"\n[transport.b]\nhost = \"y\"\n";
        let unsure = names(&config(two), &[]).unwrap_err();
        assert!(unsure.contains("transports = ["), "{unsure}");
        assert_eq!(names(&config(two), &["b"]).unwrap(), ["b"]);
        let ordered = config(&format!("transports = [\"b\", \"a\"]\n{two}"));
        assert_eq!(names(&ordered, &[]).unwrap(), ["b", "a"]);
        let unknown = names(&ordered, &["a", "c"]).unwrap_err();
        assert!(unknown.contains("\"c\"") && unknown.contains("a, b"), "{unknown}");
        assert!(names(&config(""), &[]).is_err());
    }

    #[test]
    fn a_relay_is_as_the_file_says() {
        let config = config("[transport.a]\nhost = \"mail.example.de\"\ntls = \"implicit\"\n");
        let (name, transport) = order(&config, &[]).unwrap()[0];
        let relay = relay(name, transport, "news.example.de").unwrap();
        assert_eq!(relay.setup().port, 465);
        assert_eq!(relay.setup().security, Security::Implicit);
        assert_eq!(relay.setup().hello, "news.example.de");
    }
}
