//! The phrases mail systems use, and a search for all of them in one pass.
//!
//! The table is `phrases.txt`: sections in the order of their weight, one phrase
//! a line, lower case, `*` for up to [`GAP`] bytes of anything. A phrase starts at
//! the start of a word and matches as a stem ("undeliver" finds "undeliverable").
//! What an editor decides in review is added in front of it.

use std::borrow::Cow;
use std::sync::OnceLock;

use super::reason::Reason;

/// The most bytes a `*` in a phrase stands for.
pub const GAP: usize = 100;
/// Buckets of the index, a power of two.
const BUCKETS: usize = 1 << 12;
/// The most phrases of a table: their numbers are kept in two bytes.
const MAX_PHRASES: usize = u16::MAX as usize;
/// The bytes of a phrase that one comparison sees.
const LEAD: usize = size_of::<u128>();
/// How many of them a phrase is looked up by: the most that it has. Many phrases
/// begin with "message" or "recipient".
const KEYS: [usize; 4] = [13, 9, 6, SHORTEST];
/// The fewest bytes of a phrase before its first `*`.
const SHORTEST: usize = 3;

/// What a phrase says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Why it did not arrive; stronger than any code.
    Reason(Reason),
    /// Why it did not arrive, in words too bare to prove it alone.
    Bare(Reason),
    /// Why it did not arrive, when no code says more.
    Weak(Reason),
    /// Said before a recipient was named.
    BeforeRecipient,
    /// Said in answer to the recipient's name.
    AtRecipient,
    /// Said after the recipient was taken, about the content.
    AfterContent,
    /// A subject of a mail system's notice.
    Subject,
    /// A name such notices come from.
    Daemon,
    /// Words only a notice of failure has.
    Failed,
    /// It is still being tried.
    Delayed,
    /// It arrived, or was passed on.
    Arrived,
    /// From here on the returned mail is quoted.
    Quoted,
    /// A subject of an automatic reply.
    Away,
    /// A word in such subjects that people use as well.
    AwayWord,
    /// Words only an automatic reply has.
    AwayText,
    /// Words of a note of absence; two of them are one.
    AwayNote,
    /// The receiver wants the sender to prove something first.
    Challenge,
    /// A notice about spam, viruses or attachments to somebody who is not the sender.
    Filter,
    /// A subject of a complaint without the fields of one.
    Complaint,
    /// A person wants to leave.
    Leave,
    /// A person does not want to leave.
    Stay,
    /// A subject of a read receipt.
    Receipt,
}

/// One phrase found.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// Where it starts, in bytes.
    pub at: usize,
    /// Where it ends.
    pub end: usize,
    /// What it says.
    pub meaning: Meaning,
    /// Its section's place in the table: the smaller, the stronger.
    pub rank: u16,
}

#[derive(Clone, Copy)]
struct Phrase {
    /// Where it stands in the table's text.
    at: u32,
    len: u16,
    /// How many bytes before any `*` one comparison sees.
    lead: u8,
    /// Whether the lead is not all of it.
    goes_on: bool,
    meaning: Meaning,
    rank: u16,
}

/// An indexed set of phrases.
pub struct Table {
    text: Cow<'static, str>,
    phrases: Vec<Phrase>,
    index: Index,
}

/// Phrases by a hash of their first bytes: numbers only, so that building it touches
/// little memory. `bounce inspect` builds it anew each time.
struct Index {
    /// For a hash of the three first bytes: which of [`KEYS`] such phrases have.
    keys: Box<[u8; BUCKETS]>,
    /// Where each bucket starts in `slots`; one more at the end.
    starts: Vec<u16>,
    slots: Vec<Slot>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// More of the hash: tells most other phrases of the bucket away.
    tag: u16,
    number: u16,
}

/// A line of a table that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct Wrong {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong and what is allowed.
    pub what: String,
}

/// The table that is built in.
pub fn table() -> &'static Table {
    static TABLE: OnceLock<Table> = OnceLock::new();
    TABLE.get_or_init(|| {
        Table::parse(Cow::Borrowed(include_str!("phrases.txt")))
            .expect("a test reads the built-in table")
    })
}

impl Table {
    /// Reads a table: `[section]` lines, phrases, `#` comments, empty lines.
    pub fn parse(text: Cow<'static, str>) -> Result<Self, Wrong> {
        let mut phrases = Vec::with_capacity(memchr::memchr_iter(b'\n', text.as_bytes()).count());
        let mut meaning = None;
        let mut rank = 0;
        let ends = memchr::memchr_iter(b'\n', text.as_bytes()).chain([text.len()]);
        let mut from = 0;
        for (index, end) in ends.enumerate() {
            let line = text[from..end].trim_ascii();
            from = text.len().min(end + 1);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| Wrong { line: index + 1, what: what.to_owned() };
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                rank += 1;
                let known = section(name);
                meaning =
                    Some(known.ok_or_else(|| wrong(&format!("there is no section \"{name}\"")))?);
                continue;
            }
            let meaning = meaning.ok_or_else(|| wrong("a phrase before the first [section]"))?;
            let first = memchr::memchr(b'*', line.as_bytes()).unwrap_or(line.len());
            if first < SHORTEST {
                return Err(wrong("a phrase needs three letters before its first *"));
            }
            if phrases.len() == MAX_PHRASES || line.len() > usize::from(u16::MAX) {
                return Err(wrong("too much: 65,535 phrases of 65,535 bytes are the most"));
            }
            phrases.push(Phrase {
                at: (line.as_ptr() as usize - text.as_ptr() as usize) as u32,
                len: line.len() as u16,
                lead: first.min(LEAD) as u8,
                goes_on: first < line.len() || line.len() > LEAD,
                meaning,
                rank,
            });
        }
        let index = Index::of(&phrases, &text);
        Ok(Self { text, phrases, index })
    }

    /// How many phrases there are.
    pub fn len(&self) -> usize {
        self.phrases.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.phrases.is_empty()
    }

    /// Calls `found` for every phrase in a text that was made with [`fold`].
    pub fn search(&self, folded: &str, mut found: impl FnMut(Hit)) {
        let bytes = folded.as_bytes();
        let mut inside = false;
        for (at, &byte) in bytes.iter().enumerate() {
            let class = CLASSES[usize::from(byte)];
            let start = class.always || class.begins && !inside;
            inside = class.letter;
            if !start {
                continue;
            }
            let here = lead(&bytes[at..]);
            self.index.at(here, |number| {
                let phrase = &self.phrases[usize::from(number)];
                if let Some(len) = self.matches(phrase, here, &bytes[at..]) {
                    found(Hit { at, end: at + len, meaning: phrase.meaning, rank: phrase.rank });
                }
            });
        }
    }

    /// How long the match of a phrase at the start of a text is, whose first bytes are
    /// `here`.
    fn matches(&self, phrase: &Phrase, here: u128, text: &[u8]) -> Option<usize> {
        let from = phrase.at as usize;
        let whole = &self.text.as_bytes()[from..];
        if (here ^ lead(whole)) & first_bytes(phrase.lead.into()) != 0 {
            return None;
        }
        if !phrase.goes_on {
            return Some(usize::from(phrase.len));
        }
        let mut pieces = whole[..usize::from(phrase.len)].split(|byte| *byte == b'*');
        let first = pieces.next()?;
        if !text.starts_with(first) {
            return None;
        }
        let mut used = first.len();
        for piece in pieces {
            let window = &text[used..text.len().min(used + GAP + piece.len())];
            used += find(window, piece)? + piece.len();
        }
        Some(used)
    }

    /// All phrases in a text of any case.
    pub fn all(&self, text: &str) -> Vec<Hit> {
        let mut hits = Vec::new();
        self.search(&fold(text), |hit| hits.push(hit));
        hits
    }
}

/// What a byte does to the search for words.
#[derive(Clone, Copy)]
struct Class {
    /// It belongs to a word.
    letter: bool,
    /// It begins a word, or stands alone, where the byte before is no letter.
    begins: bool,
    /// It begins one wherever it stands: scripts without spaces.
    always: bool,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class { letter: false, begins: false, always: false }; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = Class {
            letter: (byte as u8).is_ascii_alphanumeric() || byte >= 0x80,
            begins: byte > b' ' as usize && byte & 0xc0 != 0x80,
            always: byte >= 0xe3,
        };
        byte += 1;
    }
    classes
};

/// Up to [`LEAD`] bytes as one number.
fn lead(bytes: &[u8]) -> u128 {
    if let Some(full) = bytes.first_chunk::<LEAD>() {
        return u128::from_le_bytes(*full);
    }
    let mut full = [0; LEAD];
    full[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(full)
}

/// The mask of the first bytes of a lead.
const fn first_bytes(count: usize) -> u128 {
    if count >= LEAD { u128::MAX } else { (1 << (8 * count)) - 1 }
}

/// Where a short text stands in a short one. Its second byte is looked for: the
/// first is a blank, mostly.
fn find(text: &[u8], piece: &[u8]) -> Option<usize> {
    let Some(second) = piece.get(1) else {
        return piece.first().map_or(Some(0), |first| memchr::memchr(*first, text));
    };
    memchr::memchr_iter(*second, text)
        .filter_map(|at| at.checked_sub(1))
        .find(|at| text[*at..].starts_with(piece))
}

impl Index {
    /// Indexes phrases by as many of their first bytes as one of [`KEYS`] says.
    fn of(phrases: &[Phrase], text: &str) -> Self {
        let mut keys = Box::new([0; BUCKETS]);
        let mut starts = vec![0u16; BUCKETS + 1];
        let mut hashes = Vec::with_capacity(phrases.len());
        for phrase in phrases {
            let lead = lead(&text.as_bytes()[phrase.at as usize..]);
            let key = KEYS.iter().position(|key| usize::from(phrase.lead) >= *key);
            let key = key.expect("a phrase has the shortest key's bytes");
            keys[bucket(hash(lead, SHORTEST))] |= 1 << key;
            let hash = hash(lead, KEYS[key]);
            starts[bucket(hash) + 1] += 1;
            hashes.push(hash);
        }
        for at in 0..BUCKETS {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut slots = vec![Slot::default(); phrases.len()];
        for (number, hash) in hashes.into_iter().enumerate() {
            let slot = &mut next[bucket(hash)];
            slots[usize::from(*slot)] = Slot { tag: hash as u16, number: number as u16 };
            *slot += 1;
        }
        Self { keys, starts, slots }
    }

    /// Calls `found` for the numbers of the phrases that may begin with these bytes.
    fn at(&self, lead: u128, mut found: impl FnMut(u16)) {
        let keys = self.keys[bucket(hash(lead, SHORTEST))];
        if keys == 0 {
            return;
        }
        for (_, key) in KEYS.into_iter().enumerate().filter(|(nth, _)| keys & 1 << nth != 0) {
            let hash = hash(lead, key);
            let bucket = bucket(hash);
            let range = usize::from(self.starts[bucket])..usize::from(self.starts[bucket + 1]);
            for slot in &self.slots[range] {
                if slot.tag == hash as u16 {
                    found(slot.number);
                }
            }
        }
    }
}

/// Of the first bytes of a lead: 32 bits, of which the upper name the bucket.
const fn hash(lead: u128, bytes: usize) -> u32 {
    let key = lead & first_bytes(bytes);
    let folded = key as u64 ^ ((key >> 64) as u64).rotate_left(24) ^ (bytes as u64) << 56;
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// The bucket of a hash.
const fn bucket(hash: u32) -> usize {
    (hash >> 20) as usize
}

/// Lower case, letter by letter, keeping every byte in its place, so that a place
/// in the folded text is the same place in the text itself.
pub fn fold(text: &str) -> String {
    let mut folded = text.to_ascii_lowercase();
    if folded.is_ascii() {
        return folded;
    }
    // What is Chinese, Japanese or Korean has one case.
    let has_case =
        |c: char| !c.is_ascii() && !matches!(c, '\u{2e80}'..='\u{a63f}' | '\u{ac00}'..='\u{d7a3}');
    for (at, c) in text.char_indices().filter(|(_, c)| has_case(*c)) {
        let mut lower = c.to_lowercase();
        if let (Some(l), None) = (lower.next(), lower.next())
            && l != c
            && l.len_utf8() == c.len_utf8()
        {
            folded.replace_range(at..at + c.len_utf8(), l.encode_utf8(&mut [0; 4]));
        }
    }
    folded
}

fn section(name: &str) -> Option<Meaning> {
    if let Some(reason) = Reason::parse(name) {
        return Some(Meaning::Reason(reason));
    }
    if let Some(reason) = name.strip_prefix("bare: ").and_then(Reason::parse) {
        return Some(Meaning::Bare(reason));
    }
    if let Some(reason) = name.strip_prefix("weak: ").and_then(Reason::parse) {
        return Some(Meaning::Weak(reason));
    }
    Some(match name {
        "before recipient" => Meaning::BeforeRecipient,
        "at recipient" => Meaning::AtRecipient,
        "complaint" => Meaning::Complaint,
        "leave" => Meaning::Leave,
        "stay" => Meaning::Stay,
        "after content" => Meaning::AfterContent,
        "subject" => Meaning::Subject,
        "daemon" => Meaning::Daemon,
        "failed" => Meaning::Failed,
        "delayed" => Meaning::Delayed,
        "arrived" => Meaning::Arrived,
        "quoted" => Meaning::Quoted,
        "away" => Meaning::Away,
        "away word" => Meaning::AwayWord,
        "away text" => Meaning::AwayText,
        "away note" => Meaning::AwayNote,
        "challenge" => Meaning::Challenge,
        "filter" => Meaning::Filter,
        "receipt" => Meaning::Receipt,
        _ => return None,
    })
}
