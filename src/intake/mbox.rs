//! A mailbox in one file (RFC 4155 and its relatives), as local mail servers append
//! to it. It is read under their locks, from where it was left; when everything is
//! stored it is emptied, under the same lock.

use std::fs::{File, OpenOptions};
use std::io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use aws_lc_rs::digest::{self, SHA256};

use super::progress::{self, Progress};
use super::{BATCH_BYTES, BATCH_MAILS, Step};
use crate::bounce::inbox::Intake;
use crate::bounce::mime;
use crate::config::mailbox::{After, Mbox};
use crate::store::Store;
use crate::store::value::Millis;

/// Bytes at the file's beginning that tell whether it is the file that was read before.
const MARK_BYTES: u64 = 1024;

/// Some mails of a mailbox.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Header and body, without the line `From …`; cut behind the limit.
    pub mails: Vec<Vec<u8>>,
    /// Bytes read of the mailbox.
    pub bytes: u64,
    /// Whether the mailbox ends here.
    pub end: bool,
    /// Whether a mail was cut.
    pub cut: bool,
}

/// Parts a mailbox into its mails.
#[derive(Debug)]
pub struct Splitter<R> {
    reader: R,
    /// The line `From …` that ended the batch before.
    ahead: Option<Vec<u8>>,
}

impl<R: std::io::BufRead> Splitter<R> {
    /// The reader stands at a line `From …`, or at the end.
    pub fn new(reader: R) -> Self {
        Splitter { reader, ahead: None }
    }

    /// Reads mails until there are enough for one transaction.
    ///
    /// # Errors
    /// The file cannot be read, or does not begin with `From `: words for a person.
    pub fn batch(&mut self) -> anyhow::Result<Batch> {
        let mut batch = Batch::default();
        let (mut size, mut blank) = (0, true);
        loop {
            let line = match self.ahead.take() {
                Some(line) => line,
                None => self.line()?,
            };
            // The blank line before `From ` tells it from a line of a mail.
            let begins = blank && line.starts_with(b"From ");
            let full = batch.mails.len() >= BATCH_MAILS || size > BATCH_BYTES;
            batch.end = line.is_empty();
            if begins || batch.end {
                batch.mails.last_mut().map(drop_separator);
            }
            if batch.end {
                return Ok(batch);
            }
            if begins && full {
                self.ahead = Some(line);
                return Ok(batch);
            }
            batch.bytes += line.len() as u64;
            if begins {
                batch.mails.push(Vec::new());
                blank = false;
                continue;
            }
            blank = matches!(line.as_slice(), b"\n" | b"\r\n");
            let Some(mail) = batch.mails.last_mut() else {
                if blank {
                    continue;
                }
                bail!("it does not begin with a line \"From …\": it is no mbox");
            };
            if mail.len() > mime::MAX_BYTES {
                batch.cut = true;
                continue;
            }
            size += line.len();
            mail.extend_from_slice(unquoted(&line));
        }
    }

    /// One line with its end; a line longer than the limit comes in pieces.
    fn line(&mut self) -> std::io::Result<Vec<u8>> {
        let mut line = Vec::new();
        self.reader.by_ref().take(mime::MAX_BYTES as u64).read_until(b'\n', &mut line)?;
        Ok(line)
    }
}

/// The blank line behind a mail is not part of it.
fn drop_separator(mail: &mut Vec<u8>) {
    let end = if mail.ends_with(b"\r\n\r\n") { 2 } else { usize::from(mail.ends_with(b"\n\n")) };
    mail.truncate(mail.len() - end);
}

/// `>From ` stands for `From ` in a mail's text.
fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    if quotes > 0 && line[quotes..].starts_with(b"From ") { &line[1..] } else { line }
}

/// Stores the next mails of the file; empties it when all of them are stored.
///
/// # Errors
/// The file cannot be locked or read, or the database failed. What was not stored
/// is still in the file.
pub async fn step(config: &Mbox, store: &Store, now: Millis) -> anyhow::Result<Step> {
    let path = config.path.display();
    let place = format!("mbox {path}");
    let progress = progress::of(store, &place).await?;
    let file = config.path.clone();
    let opened = tokio::task::spawn_blocking(move || open(&file, &progress)).await?;
    let Some((mut held, batch, start)) = opened.with_context(|| format!("mbox {path}"))? else {
        return Ok(Step::default());
    };
    let mut step = Step { more: !batch.end, ..Step::default() };
    let to = Progress {
        validity: held.mark(start + batch.bytes)?,
        position: i64::try_from(start + batch.bytes)?,
    };
    let mut tx = store.begin().await?;
    for raw in &batch.mails {
        step.store(&mut tx, Intake::Mbox, raw, now).await?;
    }
    progress::note(&mut tx, &place, &to, now).await?;
    tx.commit().await?;
    if batch.end && config.after == After::Delete {
        tokio::task::spawn_blocking(move || held.empty()).await??;
    }
    Ok(step)
}

/// The file, locked, and the mails from where it was left; nothing when it is
/// absent or empty.
fn open(path: &Path, from: &Progress) -> anyhow::Result<Option<(Held, Batch, u64)>> {
    match std::fs::metadata(path) {
        Ok(meta) if meta.len() == 0 => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let mut held = Held::take(path)?;
    let position = u64::try_from(from.position).unwrap_or(0);
    let same = position <= held.file.metadata()?.len() && held.mark(position)? == from.validity;
    // Another file than the one that was read: from its beginning; what is known counts once.
    let start = if same { position } else { 0 };
    held.file.seek(SeekFrom::Start(start))?;
    let batch = Splitter::new(BufReader::new(&held.file)).batch()?;
    Ok(Some((held, batch, start)))
}

/// A mailbox under both locks that local mail servers use; freed when dropped.
#[derive(Debug)]
struct Held {
    file: File,
    dot: PathBuf,
}

impl Held {
    fn take(path: &Path) -> anyhow::Result<Held> {
        let mut dot = path.as_os_str().to_owned();
        dot.push(".lock");
        let dot = PathBuf::from(dot);
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        lock(&dot).with_context(|| {
            format!(
                "{}: cannot be made. Another program reads or writes the mailbox now, or this user may not write in its folder",
                dot.display()
            )
        })?;
        let held = Held { file, dot };
        held.file.try_lock().context("another program holds its lock now")?;
        Ok(held)
    }

    /// A number that says which file this is, by its beginning up to a position.
    fn mark(&mut self, position: u64) -> anyhow::Result<i64> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut beginning = Vec::new();
        (&self.file).take(position.min(MARK_BYTES)).read_to_end(&mut beginning)?;
        let hash = digest::digest(&SHA256, &beginning);
        let mut octets = [0; 8];
        octets.copy_from_slice(&hash.as_ref()[..8]);
        Ok(i64::from_be_bytes(octets))
    }

    /// Empties the mailbox, unless a mail of it is stored in part only.
    fn empty(mut self) -> anyhow::Result<()> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut mails = Splitter::new(BufReader::new(&self.file));
        loop {
            let batch = mails.batch()?;
            if batch.cut {
                return Ok(());
            }
            if batch.end {
                break;
            }
        }
        self.file.set_len(0)?;
        self.file.sync_all()?;
        Ok(())
    }
}

/// Makes the lock file with our number in it; one of a process that is gone is replaced.
/// It appears with the number or not at all, so that a kill leaves none that names nobody.
fn lock(dot: &Path) -> std::io::Result<()> {
    let number = std::process::id();
    let mut own = dot.as_os_str().to_owned();
    own.push(format!(".{number}"));
    std::fs::write(&own, format!("{number}\n"))?;
    let make = || std::fs::hard_link(&own, dot);
    let made = make().or_else(|error| {
        let holder = std::fs::read_to_string(dot).unwrap_or_default();
        let gone = holder.trim().parse::<u32>().is_ok_and(|holder| {
            Path::new("/proc/self").exists() && !Path::new(&format!("/proc/{holder}")).exists()
        });
        if !gone {
            return Err(error);
        }
        std::fs::remove_file(dot)?;
        make()
    });
    std::fs::remove_file(&own)?;
    made
}

impl Drop for Held {
    fn drop(&mut self) {
        // Whoever finds it later takes it for a lock that was left; nothing else can be done.
        let _ = std::fs::remove_file(&self.dot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mails(text: &str) -> Vec<String> {
        let batch = Splitter::new(text.as_bytes()).batch().unwrap();
        assert!(batch.end);
        assert_eq!(batch.bytes, text.len() as u64);
        batch.mails.into_iter().map(|mail| String::from_utf8(mail).unwrap()).collect()
    }

    #[test]
    fn a_mailbox_is_parted_at_from_behind_a_blank_line() {
        let text = "From a Mon\nSubject: x\n\none\n>From here\n>>From there\nFrom me\n\nFrom b Tue\n\ntwo\n";
        assert_eq!(
            mails(text),
            ["Subject: x\n\none\nFrom here\n>From there\nFrom me\n", "\ntwo\n"]
        );
        assert_eq!(mails(""), Vec::<String>::new());
        assert!(Splitter::new("Subject: x\n".as_bytes()).batch().is_err());
    }

    #[test]
    fn a_large_mailbox_comes_in_batches_and_a_large_mail_is_cut() {
        let text = "From a\n\nx\n\n".repeat(BATCH_MAILS + 1);
        let mut mails = Splitter::new(BufReader::with_capacity(7, text.as_bytes()));
        let first = mails.batch().unwrap();
        assert_eq!((first.mails.len(), first.end), (BATCH_MAILS, false));
        let second = mails.batch().unwrap();
        assert_eq!((second.mails.len(), second.end), (1, true));
        assert_eq!(first.bytes + second.bytes, text.len() as u64);
        let line = "x".repeat(1000) + "\n";
        let large = format!("From a\n\n{}\nFrom b\n\ny\n", line.repeat(8000));
        let cut = Splitter::new(large.as_bytes()).batch().unwrap();
        assert!(cut.cut);
        assert_eq!(cut.mails.len(), 2);
        assert!(
            cut.mails[0].len() > mime::MAX_BYTES && cut.mails[0].len() < mime::MAX_BYTES + 2000
        );
    }
}
