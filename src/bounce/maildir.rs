//! A Maildir that the mail server delivers bounces into: what is new is stored, then
//! moved to `cur` as seen. Nothing is deleted. Killed in between, it is stored again
//! as known, once.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::inbox::{self, Intake};
use super::mime;
use crate::store::Store;
use crate::store::value::Millis;

/// Mails of one step: one transaction, some tens of milliseconds.
const BATCH: usize = 100;

/// Stores the next new mails and answers how many; call it until there are none.
///
/// # Errors
/// The Maildir cannot be read, or the database failed; what was stored is moved.
pub async fn step(store: &Store, maildir: &Path, now: Millis) -> anyhow::Result<usize> {
    let from = maildir.to_owned();
    let mails = tokio::task::spawn_blocking(move || read(&from)).await??;
    if mails.is_empty() {
        return Ok(0);
    }
    let mut tx = store.begin().await?;
    for (_, raw) in &mails {
        inbox::receive(&mut tx, Intake::Maildir, raw, now).await?;
    }
    tx.commit().await?;
    let count = mails.len();
    for (path, _) in mails {
        seen(maildir, &path)?;
    }
    tracing::info!(mails = count, "bounce: taken from the Maildir");
    Ok(count)
}

/// The first files of `new` by their names. Anything but a plain file is passed by.
fn read(maildir: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let new = maildir.join("new");
    let list = std::fs::read_dir(&new).with_context(|| {
        format!("[bounce] maildir: {}. Is it a Maildir, and may this user read it?", new.display())
    })?;
    let mut paths = Vec::new();
    for entry in list {
        let entry = entry?;
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if !hidden && entry.file_type()?.is_file() {
            paths.push(entry.path());
        }
    }
    paths.sort();
    paths.truncate(BATCH);
    let mut mails = Vec::with_capacity(paths.len());
    for path in paths {
        // What is longer than a mail may be is stored by its beginning, for a person.
        let limit = u64::try_from(mime::MAX_BYTES).unwrap_or(u64::MAX).saturating_add(1);
        let mut raw = Vec::new();
        let file = std::fs::File::open(&path).with_context(|| path.display().to_string())?;
        file.take(limit).read_to_end(&mut raw).with_context(|| path.display().to_string())?;
        mails.push((path, raw));
    }
    Ok(mails)
}

/// Moves a file to `cur` with the flag *seen*.
fn seen(maildir: &Path, path: &Path) -> anyhow::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split(":2,").next().unwrap_or_default();
    let to = maildir.join("cur").join(format!("{name}:2,S"));
    std::fs::rename(path, &to).with_context(|| {
        format!("{} cannot be moved to cur. May this user write there?", path.display())
    })
}
