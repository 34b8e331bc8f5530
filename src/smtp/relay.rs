//! A relay as the operator configured it: where, how safe, how patient.

use std::path::PathBuf;
use std::time::Duration;

use lettre::transport::smtp::authentication::{Credentials, Mechanism};

use super::mark::Mark;
use super::tls::{self, Tls};
use super::token::Tokens;

/// How the connection is protected. What is required is required: no fallback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// No TLS: for a relay on this machine.
    None,
    /// STARTTLS, usually port 587 or 25.
    StartTls,
    /// TLS from the first byte, usually port 465.
    Implicit,
}

/// What to log in with.
#[derive(Debug, Clone)]
pub enum Login {
    /// User and password: by the named mechanism, else PLAIN, else LOGIN.
    Password(Credentials, Option<Mechanism>),
    /// User and access tokens: XOAUTH2.
    Token(String, Tokens),
}

/// How long each command may take, whatever the server does in between
/// (RFC 5321, section 4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// Opening the connection, for each address of the host.
    pub connect: Duration,
    /// The TLS handshake.
    pub tls: Duration,
    /// The greeting; EHLO, STARTTLS and AUTH as well.
    pub greeting: Duration,
    /// MAIL, and RSET.
    pub mail: Duration,
    /// RCPT.
    pub rcpt: Duration,
    /// DATA.
    pub data: Duration,
    /// Writing one block of the content.
    pub block: Duration,
    /// The reply after the final dot.
    pub dot: Duration,
}

impl Default for Deadlines {
    fn default() -> Deadlines {
        Deadlines {
            connect: Duration::from_secs(30),
            tls: Duration::from_secs(60),
            greeting: Duration::from_secs(300),
            mail: Duration::from_secs(300),
            rcpt: Duration::from_secs(300),
            data: Duration::from_secs(120),
            block: Duration::from_secs(180),
            dot: Duration::from_secs(600),
        }
    }
}

/// What the operator says about a relay.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// TLS or not.
    pub security: Security,
    /// An authority beside the system's, PEM.
    pub ca_file: Option<PathBuf>,
    /// What to log in with.
    pub login: Option<Login>,
    /// Our own name for EHLO.
    pub hello: String,
    /// Mails over one connection before it is renewed.
    pub mails_per_connection: u32,
    /// Mails whose last chunk may be in flight on one connection at once; above
    /// 1 only where CHUNKING and PIPELINING are offered. Part of the bound on copies.
    pub window: usize,
    /// How long each command may take.
    pub deadlines: Deadlines,
    /// The provider behind it, which wants its own header to give our token back.
    pub mark: Option<Mark>,
}

impl Setup {
    /// A relay without TLS and log-in, as on this machine.
    pub fn plain(host: impl Into<String>, port: u16) -> Setup {
        Setup {
            host: host.into(),
            port,
            security: Security::None,
            ca_file: None,
            login: None,
            hello: "localhost".to_owned(),
            mails_per_connection: 1000,
            window: 1,
            deadlines: Deadlines::default(),
            mark: None,
        }
    }
}

/// A relay ready to be connected to: its set-up, and TLS loaded once for all sessions.
#[derive(Debug, Clone)]
pub struct Relay {
    pub(super) setup: Setup,
    pub(super) tls: Option<Tls>,
}

impl Relay {
    /// Loads what TLS needs.
    pub fn new(setup: Setup) -> Result<Relay, tls::Error> {
        let tls = match setup.security {
            Security::None => None,
            Security::StartTls | Security::Implicit => {
                Some(Tls::new(&setup.host, setup.ca_file.as_deref())?)
            }
        };
        Ok(Relay { setup, tls })
    }

    /// What the operator said.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }
}
