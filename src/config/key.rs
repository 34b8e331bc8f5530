//! The master key: 32 random bytes from which the keys of tokens and
//! suppressions are derived. It is a systemd credential or a file in the data
//! directory, and leaves the process by no way.

use std::io::{ErrorKind, Write as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use rundbrief_subscribers::key::{MASTER_LENGTH, Master};

/// The key's file in the data directory: 64 hexadecimal digits.
pub const FILE: &str = "master.key";
/// The key's name among systemd's credentials; preferred to the file.
pub const CREDENTIAL: &str = "rundbrief-master-key";

/// A new key from the system's randomness.
///
/// # Errors
/// The system has no randomness to give.
pub fn random() -> anyhow::Result<[u8; MASTER_LENGTH]> {
    let mut octets = [0; MASTER_LENGTH];
    if aws_lc_rs::rand::fill(&mut octets).is_err() {
        bail!("the system gives no random bytes");
    }
    Ok(octets)
}

/// Reads the credential, else the file.
///
/// # Errors
/// Neither is there, or it is no key.
pub fn read(directory: &Path) -> anyhow::Result<Master> {
    let credential = std::env::var_os("CREDENTIALS_DIRECTORY")
        .map(|credentials| Path::new(&credentials).join(CREDENTIAL))
        .filter(|path| path.exists());
    let path = credential.unwrap_or_else(|| directory.join(FILE));
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{}: `rundbrief init` writes one", path.display()))?;
    match from_hex(text.trim()) {
        Some(key) => Ok(key),
        None => {
            bail!(
                "{}: is no key; {} hexadecimal digits expected",
                path.display(),
                MASTER_LENGTH * 2
            )
        }
    }
}

/// Writes a new key unless there is one; says whether it did.
///
/// # Errors
/// The file cannot be written.
pub fn create(directory: &Path) -> anyhow::Result<bool> {
    let path = directory.join(FILE);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(&path) {
        Ok(mut file) => {
            let digits: String = random()?.iter().map(|byte| format!("{byte:02x}")).collect();
            writeln!(file, "{digits}")
                .and_then(|()| file.sync_all())
                .with_context(|| path.display().to_string())?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            read(directory)?;
            Ok(false)
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn from_hex(digits: &str) -> Option<Master> {
    if digits.len() != MASTER_LENGTH * 2 || !digits.is_ascii() {
        return None;
    }
    let mut bytes = [0; MASTER_LENGTH];
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Master::new(bytes))
}
