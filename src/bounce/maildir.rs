//! A Maildir that is watched: what lies in `new` is stored, then moved to `cur`.
//! A crash in between finds it again, and it counts once. Nothing is deleted.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::inbox::{self, Intake};
use super::mime;
use crate::store::Store;
use crate::store::value::Millis;

/// Mails that one step takes at most.
const MAILS: usize = 100;
/// Names that one step looks at: with all of a hundred thousand in each of a thousand
/// steps, most of the work would be looking.
const LISTED: usize = 5_000;
/// Bytes of mail that one step takes, about.
const BYTES: usize = 16 * 1024 * 1024;

/// Stores old mails in `new` and moves them to `cur`; how many it moved. Call it
/// until that is none. A mail that cannot be read or moved holds up none behind it.
///
/// # Errors
/// The directory cannot be read, no mail can be read or moved, or the database
/// failed. What was stored stays stored.
pub async fn step(store: &Store, maildir: &Path, now: Millis) -> anyhow::Result<usize> {
    let at = maildir.to_owned();
    let Taken { mails, mut trouble } = tokio::task::spawn_blocking(move || take(&at)).await??;
    let mut moved = 0;
    if !mails.is_empty() {
        let mut tx = store.begin().await?;
        for (_, raw) in &mails {
            inbox::receive(&mut tx, Intake::Maildir, raw, now).await?;
        }
        tx.commit().await?;
        let at = maildir.to_owned();
        let kept = tokio::task::spawn_blocking(move || {
            mails.iter().map(|(name, _)| keep(&at, name)).collect::<Vec<_>>()
        });
        for kept in kept.await? {
            match kept {
                Ok(()) => moved += 1,
                Err(error) => trouble = Some(error),
            }
        }
        tracing::info!(mails = moved, "maildir read");
    }
    match trouble {
        Some(error) if moved == 0 => return Err(error),
        Some(error) => tracing::warn!(error = format!("{error:#}"), "maildir: a mail stays in new"),
        None => {}
    }
    Ok(moved)
}

/// What one step takes.
struct Taken {
    mails: Vec<(OsString, Vec<u8>)>,
    /// Why a mail could not be read; the last of them.
    trouble: Option<anyhow::Error>,
}

fn take(maildir: &Path) -> anyhow::Result<Taken> {
    let new = maildir.join("new");
    let names = list(&new).with_context(|| {
        format!("{}: is this a Maildir, and may this user read it?", new.display())
    })?;
    let (mut taken, mut bytes) = (Taken { mails: Vec::new(), trouble: None }, 0);
    for name in names {
        if taken.mails.len() >= MAILS || bytes >= BYTES {
            break;
        }
        match read(&new.join(&name)) {
            // Another reader of the same Maildir may have been faster.
            Ok(None) => {}
            Ok(Some(raw)) => {
                bytes += raw.len();
                taken.mails.push((name, raw));
            }
            Err(error) => taken.trouble = Some(error),
        }
    }
    Ok(taken)
}

/// Names in `new`, the oldest of those seen first: they begin with the time (maildir(5)).
/// What is taken leaves `new`, so the next step sees further, whatever the order.
fn list(new: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(new)? {
        let entry = entry?;
        let name = entry.file_name();
        let hidden = name.as_encoded_bytes().starts_with(b".");
        // A link could point anywhere; a mail is a file.
        if !hidden && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            names.push(name);
        }
        if names.len() >= LISTED {
            break;
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn read(file: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let opened = match fs::File::open(file) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| file.display().to_string())?,
    };
    let mut raw = Vec::new();
    opened.take(mime::MAX_BYTES as u64 + 1).read_to_end(&mut raw)?;
    Ok(Some(raw))
}

/// Moves a mail to `cur`, marked as seen.
fn keep(maildir: &Path, name: &OsString) -> anyhow::Result<()> {
    let mut seen = name.clone();
    if !name.as_encoded_bytes().contains(&b':') {
        seen.push(":2,S");
    }
    let to: PathBuf = maildir.join("cur").join(seen);
    match fs::rename(maildir.join("new").join(name), &to) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Moved by somebody else, or `cur` is missing: then it is made.
            fs::create_dir_all(maildir.join("cur"))?;
            match fs::rename(maildir.join("new").join(name), &to) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                moved => Ok(moved?),
            }
        }
        moved => moved.with_context(|| format!("{}: may this user write there?", to.display())),
    }
}
