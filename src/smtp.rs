//! The SMTP session as client, and as the server that receives bounces.
//!
//! A client session knows where it stood when something went wrong: every
//! [`Outcome`] carries its [`Stage`], and whether the final dot had been written
//! decides between "back to the queue" and "nobody can know". What an outcome
//! means for reader, issue and relay is judged by [`scope`], which does no I/O.

pub mod auth;
pub mod capability;
pub mod certificate;
pub mod envelope;
pub mod mark;
pub mod relay;
pub mod reply;
pub mod scope;
pub mod server;
pub mod session;
pub mod stream;
pub mod tls;
pub mod token;
pub mod transaction;
pub mod window;
pub mod wire;

use reply::Reply;

/// Where a session stood when an outcome was known, in order of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Resolving the name, opening the connection.
    Connect,
    /// The TLS handshake, implicit or after STARTTLS.
    Tls,
    /// Waiting for the greeting.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS, before the handshake.
    StartTls,
    /// AUTH.
    Auth,
    /// MAIL FROM.
    Mail,
    /// RCPT TO.
    Rcpt,
    /// DATA, before its 354.
    Data,
    /// Writing the content; the final dot is not written.
    Body,
    /// The final dot (or the last chunk) may have been written.
    Dot,
}

impl Stage {
    /// The word kept in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Stage::Connect => "connect",
            Stage::Tls => "tls",
            Stage::Greeting => "greeting",
            Stage::Hello => "ehlo",
            Stage::StartTls => "starttls",
            Stage::Auth => "auth",
            Stage::Mail => "mail",
            Stage::Rcpt => "rcpt",
            Stage::Data => "data",
            Stage::Body => "body",
            Stage::Dot => "dot",
        }
    }
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The connection could not be made or was lost.
    #[error("{0}")]
    Io(String),
    /// The server took longer than a command may take.
    #[error("no reply within {0} s")]
    Deadline(u64),
    /// The server's bytes are no SMTP reply, or one without end.
    #[error("not an SMTP reply: {0}")]
    Protocol(String),
    /// The server said what nobody asked for, or what is no answer to what was asked.
    #[error("the server spoke out of turn: {0}")]
    OutOfTurn(String),
    /// TLS was required and is not there, or the certificate is not good.
    #[error("{0}")]
    Tls(String),
    /// What the operator configured cannot be used with this relay.
    #[error("{0}")]
    Setup(String),
}

/// What the session got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The server answered; any code.
    Reply(Reply),
    /// It did not.
    Broken(Broken),
    /// The last look before the dot said no; the socket was closed without it.
    Withheld,
}

/// How one try ended: where, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Where the session stood.
    pub stage: Stage,
    /// What it got there.
    pub answer: Answer,
}

impl Outcome {
    /// A server's reply at a stage.
    pub fn reply(stage: Stage, reply: Reply) -> Outcome {
        Outcome { stage, answer: Answer::Reply(reply) }
    }

    /// No reply at a stage.
    pub fn broken(stage: Stage, why: Broken) -> Outcome {
        Outcome { stage, answer: Answer::Broken(why) }
    }

    /// The reply's code, if there was a reply.
    pub fn code(&self) -> Option<u16> {
        match &self.answer {
            Answer::Reply(reply) => Some(reply.code()),
            Answer::Broken(_) | Answer::Withheld => None,
        }
    }

    /// The words to keep: at most 1 KiB, control characters escaped.
    pub fn words(&self) -> String {
        match &self.answer {
            Answer::Reply(reply) => reply.words(),
            Answer::Broken(why) => reply::tame(&why.to_string()),
            Answer::Withheld => "held back before the final dot".to_owned(),
        }
    }
}
