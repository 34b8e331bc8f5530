//! From `rundbrief.toml` to what a worker needs: the relay with its TLS and log-in,
//! the keys that sign. Secrets are read here, once, and stay in memory.

use std::sync::Arc;

use anyhow::Context as _;
use lettre::transport::smtp::authentication::Credentials;
use rundbrief_subscribers::key::Master;
use secrecy::ExposeSecret as _;

use super::pool::ReturnPath;
use super::{settle, worker};

use crate::config::Config;
use crate::config::transport::{Mechanism, Tls, Transport};
use crate::letter::dkim;
use crate::smtp::relay::{Deadlines, Login, Relay, Security, Setup};
use crate::store::value::Millis;

/// The transport that delivers: the one there is.
///
/// # Errors
/// There is none, or nobody can know which of several is meant.
pub fn the_one(config: &Config) -> anyhow::Result<(&str, &Transport)> {
    let mut named = config.transport.iter();
    match (named.next(), named.next()) {
        (Some((name, transport)), None) => Ok((name, transport)),
        (None, _) => {
            anyhow::bail!("no [transport.NAME] in rundbrief.toml: nothing can be delivered")
        }
        (Some((first, _)), Some((second, _))) => anyhow::bail!(
            "[transport.{first}] and [transport.{second}] in rundbrief.toml: one relay delivers everything. Remove the other"
        ),
    }
}

/// Everything a worker needs, from the configuration.
///
/// # Errors
/// There is not exactly one transport, the return path is no mailbox, or a secret
/// cannot be read.
pub fn setup(
    config: &Config,
    key: &Master,
    clock: fn() -> Millis,
) -> anyhow::Result<worker::Setup> {
    let (name, transport) = the_one(config)?;
    let path = &config.mail.return_path;
    let (local, domain) = path.rsplit_once('@').with_context(|| {
        format!("rundbrief.toml: mail.return_path = {path:?}; a mailbox like bounce@example.org")
    })?;
    Ok(worker::Setup {
        transport: name.to_owned(),
        relay: relay(name, transport, &config.mail.domain)?,
        connections: transport.connections,
        rate: transport.messages_per_second,
        domain_rate: transport.messages_per_second_and_domain,
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
    let login = match &transport.login {
        None => None,
        Some((user, secret)) => {
            let secret = secret.read().with_context(|| format!("[transport.{name}] password"))?;
            let credentials = Credentials::new(user.clone(), secret.expose_secret().to_owned());
            Some(match transport.mechanism {
                Some(Mechanism::Xoauth2) => Login::Token(credentials),
                Some(Mechanism::Plain | Mechanism::Login) | None => Login::Password(credentials),
            })
        }
    };
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
        window: 1,
        deadlines: Deadlines::default(),
    };
    Relay::new(setup).with_context(|| format!("[transport.{name}]"))
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
    fn one_transport_delivers_and_two_are_refused_by_name() {
        let one = config("[transport.a]\nhost = \"mail.example.de\"\n");
        assert_eq!(the_one(&one).unwrap().0, "a");
        let two = config("[transport.a]\nhost = \"x\"\n[transport.b]\nhost = \"y\"\n");
        let said = the_one(&two).unwrap_err().to_string();
        assert!(said.contains("[transport.a]") && said.contains("[transport.b]"), "{said}");
        assert!(the_one(&config("")).is_err());
    }

    #[test]
    fn a_relay_is_as_the_file_says() {
        let config = config("[transport.a]\nhost = \"mail.example.de\"\ntls = \"implicit\"\n");
        let (name, transport) = the_one(&config).unwrap();
        let relay = relay(name, transport, "news.example.de").unwrap();
        assert_eq!(relay.setup().port, 465);
        assert_eq!(relay.setup().security, Security::Implicit);
        assert_eq!(relay.setup().hello, "news.example.de");
    }
}
