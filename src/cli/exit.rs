//! Exit codes by sysexits.h.

use std::fmt;
use std::process::ExitCode;

use crate::{config, store};

/// What a script may branch on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 64: the command line is wrong.
    Usage = 64,
    /// 65: input was read and is wrong.
    Data = 65,
    /// 66: input does not exist or cannot be read.
    NoInput = 66,
    /// 69: something needed is not there: a relay, a database.
    Unavailable = 69,
    /// 70: a mistake in this program.
    Software = 70,
    /// 71: the system gives no threads.
    System = 71,
    /// 74: reading or writing failed.
    Io = 74,
    /// 75: try again later.
    TemporaryFailure = 75,
    /// 77: not allowed.
    NoPermission = 77,
    /// 78: the configuration is wrong.
    Config = 78,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

/// An error that knows its exit code. The message is the whole of what is said.
#[derive(Debug)]
pub struct Fault {
    code: Code,
    message: String,
}

impl Fault {
    /// An error with its code: what was wrong, where, what to do next.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Fault { code, message: message.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// The code of any error: the first cause that has one decides.
pub fn code(error: &anyhow::Error) -> Code {
    error.chain().find_map(known).unwrap_or(Code::Software)
}

fn known(cause: &(dyn std::error::Error + 'static)) -> Option<Code> {
    if let Some(fault) = cause.downcast_ref::<Fault>() {
        return Some(fault.code);
    }
    if let Some(opening) = cause.downcast_ref::<store::open::Error>() {
        return Some(match opening {
            store::open::Error::Connect { .. } => Code::Unavailable,
            store::open::Error::Address(_) | store::open::Error::Migrate { .. } => Code::Config,
        });
    }
    if let Some(io) = cause.downcast_ref::<std::io::Error>() {
        let kind = io.kind();
        return Some(if kind == std::io::ErrorKind::NotFound {
            Code::NoInput
        } else if kind == std::io::ErrorKind::PermissionDenied {
            Code::NoPermission
        } else {
            Code::Io
        });
    }
    if cause.is::<config::Error>() {
        return Some(Code::Config);
    }
    if cause.is::<store::lock::Error>() {
        return Some(Code::TemporaryFailure);
    }
    cause.is::<sqlx::Error>().then_some(Code::Unavailable)
}
