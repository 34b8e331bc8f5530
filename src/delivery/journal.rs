//! The worker's journal: a preallocated local file that knows, at any instant, of
//! which mails the final dot may have been written and what the relay replied. It
//! survives a killed process with every record, and a power cut with every record
//! that was synced; a thread syncs for whoever asks, and one sync serves all. Of its two
//! halves one is written; when it is full, what still matters moves to the other.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::watch;

use super::record::{encode, scan};

/// The file's name in the data directory.
pub const FILE: &str = "delivery.journal";
/// Bytes of one half: some 40,000 records of usual size.
const HALF_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of a page of the header; two pages are written in turn, so a torn one leaves the other.
const PAGE_BYTES: u64 = 4096;
const MAGIC: &[u8; 8] = b"rundjrn1";

/// What the journal knows of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// The final dot is about to be written.
    Begun,
    /// The relay replied so.
    Replied {
        /// The reply's code.
        code: u16,
        /// The relay's own words.
        words: String,
    },
}

/// One note with its claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The delivery.
    pub delivery: i64,
    /// The claim's generation.
    pub generation: i64,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// What.
    pub note: Note,
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be made, read or written.
    #[error("{path}: {source}. The journal must be writable before anything is sent")]
    Io {
        /// The file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// More mails are unsettled than fit.
    #[error("{path}: the journal is full of mails that could not be recorded")]
    Full {
        /// The file.
        path: String,
    },
}

/// An open journal. Clones share it.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: String,
    file: File,
    inner: Mutex<Inner>,
    /// Wakes the thread that syncs.
    bell: SyncSender<()>,
    durable: watch::Sender<Durable>,
}

/// What survives the machine.
#[derive(Debug, Clone, Copy, Default)]
struct Durable {
    /// The place of the last such record.
    until: u64,
    /// A sync failed with this number: what it was for may be lost whatever follows.
    failed: Option<i32>,
}

#[derive(Debug)]
struct Inner {
    /// Records noted so far; the last one's place.
    noted: u64,
    epoch: u64,
    /// Where the next record goes, from the start of the current half.
    used: u64,
    /// The newest note of every delivery that the database does not know yet.
    live: HashMap<i64, Record>,
    buffer: Vec<u8>,
}

impl Journal {
    /// Opens or makes the journal, and hands over what the last process left in it.
    pub fn open(directory: &Path) -> Result<(Journal, Vec<Record>), Error> {
        let path = directory.join(FILE);
        let shown = path.display().to_string();
        let fail = |source| Error::Io { path: shown.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path).map_err(fail)?;
        allocate(&file).map_err(fail)?;
        let epoch = newest_epoch(&file).map_err(fail)?;
        let mut half = vec![0; HALF_BYTES as usize];
        file.read_exact_at(&mut half, half_at(epoch)).map_err(fail)?;
        let (records, used) = scan(&half, epoch);
        let mut live = HashMap::new();
        for record in records {
            live.insert(record.delivery, record);
        }
        let left: Vec<Record> = live.values().cloned().collect();
        let inner = Inner { noted: 0, epoch, used, live, buffer: Vec::new() };
        let (bell, rung) = sync_channel(1);
        let durable = watch::Sender::default();
        let inner = Mutex::new(inner);
        let shared = Shared { path: shown.clone(), file, inner, bell, durable };
        let journal = Journal { shared: Arc::new(shared) };
        let weak = Arc::downgrade(&journal.shared);
        let thread = std::thread::Builder::new().name("journal".to_owned());
        thread.spawn(move || keep_syncing(&weak, &rung)).map_err(fail)?;
        Ok((journal, left))
    }

    /// Writes notes, all in one write; answers the place of the last. They survive
    /// this process; they survive the machine once [`Journal::synced`] says so.
    pub fn note(&self, records: impl IntoIterator<Item = Record>) -> Result<u64, Error> {
        self.usable()?;
        let mut inner = self.lock();
        let inner = &mut *inner;
        inner.buffer.clear();
        for record in records {
            encode(&record, inner.epoch, &mut inner.buffer);
            inner.live.insert(record.delivery, record);
            inner.noted += 1;
        }
        if inner.used + inner.buffer.len() as u64 > HALF_BYTES {
            self.turn(inner)?;
        } else {
            self.write(&inner.buffer, half_at(inner.epoch) + inner.used)?;
            inner.used += inner.buffer.len() as u64;
        }
        Ok(inner.noted)
    }

    /// Waits until the record at this place survives the machine.
    pub async fn synced(&self, place: u64) -> Result<(), Error> {
        if !self.is_synced(place) {
            self.hasten();
        }
        let mut durable = self.shared.durable.subscribe();
        let reached = |durable: &Durable| durable.until >= place || durable.failed.is_some();
        durable.wait_for(reached).await.expect("we hold the sender");
        self.usable()
    }

    /// Waits until everything noted so far survives the machine.
    pub async fn sync(&self) -> Result<(), Error> {
        let place = self.lock().noted;
        self.synced(place).await
    }

    /// Lets everything noted so far be synced soon; nobody waits for it yet.
    pub fn hasten(&self) {
        let _ = self.shared.bell.try_send(()); // full: it looks anyway; gone: it failed, and says so
    }

    /// Whether the record at this place survives the machine already.
    pub fn is_synced(&self, place: u64) -> bool {
        self.shared.durable.borrow().until >= place
    }

    /// A journal that once failed to sync is not trusted again.
    fn usable(&self) -> Result<(), Error> {
        match self.shared.durable.borrow().failed {
            None => Ok(()),
            Some(number) => Err(self.fail(io::Error::from_raw_os_error(number))),
        }
    }

    /// The database has recorded these: they need no place here any more.
    pub fn forget(&self, deliveries: impl IntoIterator<Item = i64>) {
        let mut inner = self.lock();
        for delivery in deliveries {
            inner.live.remove(&delivery);
        }
    }

    /// Whether the final dot of a delivery may have been written.
    pub(super) fn has(&self, delivery: i64) -> bool {
        self.lock().live.contains_key(&delivery)
    }

    /// Deliveries the database does not know yet.
    pub(super) fn unknown(&self) -> usize {
        self.lock().live.len()
    }

    /// What the last process left is dealt with: when this returns, nothing of it is in
    /// the file any more, so that it can prove nothing to another database whose keys
    /// and generations repeat.
    pub fn begin_anew(&self) -> Result<(), Error> {
        let mut inner = self.lock();
        inner.live.clear();
        // A turn that was cut short may have left records of the next epoch.
        let epoch = inner.epoch + 3;
        self.turn_to(&mut inner, epoch)
    }

    /// Moves what still matters to the other half.
    fn turn(&self, inner: &mut Inner) -> Result<(), Error> {
        let epoch = inner.epoch + 1;
        self.turn_to(inner, epoch)
    }

    /// Writes what still matters as the beginning of an epoch; the header then points
    /// there.
    fn turn_to(&self, inner: &mut Inner, epoch: u64) -> Result<(), Error> {
        inner.buffer.clear();
        for record in inner.live.values() {
            encode(record, epoch, &mut inner.buffer);
        }
        if inner.buffer.len() as u64 > HALF_BYTES / 2 {
            return Err(Error::Full { path: self.shared.path.clone() });
        }
        let sync = || self.shared.file.sync_data().map_err(|source| self.fail(source));
        self.write(&inner.buffer, half_at(epoch))?;
        sync()?;
        self.write(&header(epoch), page_at(epoch))?;
        sync()?;
        (inner.epoch, inner.used) = (epoch, inner.buffer.len() as u64);
        Ok(())
    }

    fn write(&self, bytes: &[u8], at: u64) -> Result<(), Error> {
        self.shared.file.write_all_at(bytes, at).map_err(|source| self.fail(source))
    }

    fn fail(&self, source: io::Error) -> Error {
        Error::Io { path: self.shared.path.clone(), source }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Syncs whenever somebody asks, until the journal is dropped or a sync fails.
fn keep_syncing(journal: &Weak<Shared>, rung: &Receiver<()>) {
    while rung.recv().is_ok()
        && let Some(shared) = journal.upgrade()
    {
        let noted = shared.inner.lock().unwrap_or_else(PoisonError::into_inner).noted;
        let synced = shared.file.sync_data();
        shared.durable.send_modify(|durable| match &synced {
            Ok(()) => durable.until = noted,
            Err(error) => durable.failed = Some(error.raw_os_error().unwrap_or(libc::EIO)),
        });
        if synced.is_err() {
            return;
        }
    }
}

/// Takes the disk space before anything is sent, so that a full disk cannot lose a reply.
fn allocate(file: &File) -> io::Result<()> {
    let whole = 2 * PAGE_BYTES + 2 * HALF_BYTES;
    if file.metadata()?.len() == whole {
        return Ok(());
    }
    if let Err(error) = fill(file, whole) {
        // A half-taken journal must not hold the space that the database needs.
        let _ = file.set_len(0);
        return Err(error);
    }
    file.set_len(whole)?;
    file.write_all_at(&header(1), page_at(1))?;
    file.sync_all()
}

/// Writes zeros to the end, so that the file system has given every block.
fn fill(file: &File, whole: u64) -> io::Result<()> {
    let zeros = vec![0; 64 * 1024];
    let mut at = 0;
    while at < whole {
        let piece = zeros.len().min((whole - at) as usize);
        file.write_all_at(&zeros[..piece], at)?;
        at += piece as u64;
    }
    file.sync_all()
}

fn half_at(epoch: u64) -> u64 {
    2 * PAGE_BYTES + epoch % 2 * HALF_BYTES
}

fn page_at(epoch: u64) -> u64 {
    epoch % 2 * PAGE_BYTES
}

fn header(epoch: u64) -> Vec<u8> {
    let mut page = MAGIC.to_vec();
    page.extend_from_slice(&epoch.to_le_bytes());
    let sum = crc32fast::hash(&page);
    page.extend_from_slice(&sum.to_le_bytes());
    page
}

/// The newest of the two header pages whose checksum holds.
fn newest_epoch(file: &File) -> io::Result<u64> {
    let mut newest = 1;
    for page in 0..2 {
        let mut bytes = [0; 20];
        file.read_exact_at(&mut bytes, page * PAGE_BYTES)?;
        let (epoch, _) = bytes[8..].split_first_chunk::<8>().expect("the page has 20 bytes");
        let epoch = u64::from_le_bytes(*epoch);
        if header(epoch) == bytes {
            newest = newest.max(epoch);
        }
    }
    Ok(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replied(delivery: i64, words: &str) -> Record {
        let note = Note::Replied { code: 250, words: words.to_owned() };
        Record { delivery, generation: 7, at: 1_700_000_000_000, note }
    }

    fn begun(delivery: i64) -> Record {
        Record { delivery, generation: 7, at: 1, note: Note::Begun }
    }

    fn reopen(directory: &Path) -> Vec<Record> {
        let (_, mut left) = Journal::open(directory).unwrap();
        left.sort_by_key(|record| record.delivery);
        left
    }

    #[test]
    fn what_was_noted_is_there_after_the_process_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, left) = Journal::open(directory.path()).unwrap();
        assert!(left.is_empty());
        journal.note([begun(1)]).unwrap();
        journal.note([replied(1, "250 2.0.0 Ok"), begun(2)]).unwrap();
        journal.note([replied(3, "")]).unwrap();
        drop(journal);
        let left = reopen(directory.path());
        assert_eq!(left, [replied(1, "250 2.0.0 Ok"), begun(2), replied(3, "")]);
    }

    #[tokio::test]
    async fn a_reply_is_synced_without_being_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(directory.path()).unwrap();
        let place = journal.note([begun(1), replied(1, "250 2.0.0 Ok")]).unwrap();
        assert_eq!(place, 2);
        journal.synced(place).await.unwrap();
        assert!(journal.is_synced(place) && !journal.is_synced(place + 1));
        let begun = journal.note([begun(2)]).unwrap();
        journal.sync().await.unwrap();
        assert!(journal.is_synced(begun));
    }

    #[test]
    fn turning_keeps_what_the_database_does_not_know() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(directory.path()).unwrap();
        journal.note([begun(-1), replied(-2, "kept")]).unwrap();
        let words = "x".repeat(900);
        for delivery in 0..20_000 {
            journal.note([begun(delivery)]).unwrap();
            journal.note([replied(delivery, &words)]).unwrap();
            journal.forget([delivery]);
        }
        assert_eq!(journal.unknown(), 2);
        drop(journal);
        let left = reopen(directory.path());
        assert!(left.contains(&begun(-1)) && left.contains(&replied(-2, "kept")));
    }

    #[test]
    fn a_journal_full_of_unrecorded_mails_stops_the_sending() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(directory.path()).unwrap();
        let words = "x".repeat(1000);
        let full = (0..20_000).find(|n| journal.note([replied(*n, &words)]).is_err());
        assert!(full.is_some());
    }

    #[test]
    fn what_was_dealt_with_is_not_in_the_file_any_more() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(directory.path()).unwrap();
        journal.note([replied(1, "250 Ok"), begun(2), begun(3)]).unwrap();
        // A turn is cut short: its records are there, and its header is not.
        let mut half = Vec::new();
        (2..9).for_each(|delivery| encode(&begun(delivery), 2, &mut half));
        journal.write(&half, half_at(2)).unwrap();
        drop(journal);
        let (journal, left) = Journal::open(directory.path()).unwrap();
        assert_eq!(left.len(), 3);
        journal.begin_anew().unwrap();
        assert_eq!(journal.unknown(), 0);
        drop(journal);
        let (journal, left) = Journal::open(directory.path()).unwrap();
        assert_eq!(left, []);
        journal.note([begun(4)]).unwrap();
        drop(journal);
        assert_eq!(reopen(directory.path()), [begun(4)]);
    }

    #[test]
    fn a_torn_header_leaves_the_other() {
        let directory = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(directory.path()).unwrap();
        journal.note([begun(1)]).unwrap();
        drop(journal);
        let file = OpenOptions::new().write(true).open(directory.path().join(FILE)).unwrap();
        file.write_all_at(&header(2)[..15], page_at(2)).unwrap();
        assert_eq!(reopen(directory.path()), [begun(1)]);
    }
}
