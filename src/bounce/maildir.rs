//! A Maildir that is watched: what lies in `new` is stored, then moved to `cur`.
//! A crash in between finds it again, and it counts once. Nothing is deleted.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use tokio::fs;
use tokio::io::AsyncReadExt as _;

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
    let (mut taken, mut bytes, mut trouble) = (Vec::new(), 0, None);
    for name in names(maildir).await? {
        if taken.len() >= MAILS || bytes >= BYTES {
            break;
        }
        match read(&maildir.join("new").join(&name)).await {
            // Another reader of the same Maildir may have been faster.
            Ok(None) => {}
            Ok(Some(raw)) => {
                bytes += raw.len();
                taken.push((name, raw));
            }
            Err(error) => trouble = Some(error),
        }
    }
    let mut moved = 0;
    if !taken.is_empty() {
        let mut tx = store.begin().await?;
        for (_, raw) in &taken {
            inbox::receive(&mut tx, Intake::Maildir, raw, now).await?;
        }
        tx.commit().await?;
        for (name, _) in &taken {
            match keep(maildir, name).await {
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

/// Names in `new`, the oldest of those seen first: they begin with the time (maildir(5)).
/// What is taken leaves `new`, so the next step sees further, whatever the order.
async fn names(maildir: &Path) -> anyhow::Result<Vec<OsString>> {
    let new = maildir.join("new");
    let listed = new.clone();
    let names = tokio::task::spawn_blocking(move || list(&listed)).await?;
    names.with_context(|| {
        format!("{}: is this a Maildir, and may this user read it?", new.display())
    })
}

fn list(new: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(new)? {
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

async fn read(file: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let opened = match fs::File::open(file).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.with_context(|| file.display().to_string())?,
    };
    let mut raw = Vec::new();
    opened.take(mime::MAX_BYTES as u64 + 1).read_to_end(&mut raw).await?;
    Ok(Some(raw))
}

/// Moves a mail to `cur`, marked as seen.
async fn keep(maildir: &Path, name: &OsString) -> anyhow::Result<()> {
    let mut seen = name.clone();
    if !name.as_encoded_bytes().contains(&b':') {
        seen.push(":2,S");
    }
    let to: PathBuf = maildir.join("cur").join(seen);
    match fs::rename(maildir.join("new").join(name), &to).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Moved by somebody else, or `cur` is missing: then it is made.
            fs::create_dir_all(maildir.join("cur")).await?;
            match fs::rename(maildir.join("new").join(name), &to).await {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                moved => Ok(moved?),
            }
        }
        moved => moved.with_context(|| format!("{}: may this user write there?", to.display())),
    }
}
