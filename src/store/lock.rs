//! One process that delivers per data directory.
//!
//! `run`, `send` and `restore` hold the lock for as long as they live; the
//! kernel frees it when they die, however they die. Short commands (a pause, an
//! import) do not take it: the database orders their writes, and every change of
//! state says which state it expects.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// The lock's file in the data directory; it holds the process's number.
pub const FILE: &str = "rundbrief.lock";

/// Held while this process delivers. Dropping it frees the directory.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why the directory was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Another process delivers from it.
    #[error(
        "{path}: another rundbrief (process {holder}) works in this directory. Stop it first, or name another directory in rundbrief.toml"
    )]
    Held {
        /// The lock's file.
        path: PathBuf,
        /// The other process's number as it wrote it.
        holder: String,
    },
    /// The file cannot be opened, locked or written.
    #[error("{path}: {why}. Does the data directory exist, and may this user write there?")]
    Io {
        /// The lock's file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
}

impl Lock {
    /// Takes the directory, without waiting.
    ///
    /// # Errors
    /// [`Error::Held`] names the process that has it.
    pub fn take(directory: &Path) -> Result<Lock, Error> {
        let path = directory.join(FILE);
        let io = |why| Error::Io { path: path.clone(), why };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim().to_owned();
                return Err(Error::Held { path, holder });
            }
            Err(TryLockError::Error(why)) => return Err(io(why)),
        }
        file.set_len(0).map_err(io)?;
        file.seek(SeekFrom::Start(0)).map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_refused_by_name_and_welcome_when_the_first_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = Lock::take(directory.path()).unwrap();
        let refused = Lock::take(directory.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(first);
        Lock::take(directory.path()).unwrap();
    }
}
