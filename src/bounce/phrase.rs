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
/// Buckets of an index, a power of two.
const BUCKETS: usize = 4096;
/// The bytes by which phrases of at least six are found.
const LONG_KEY: u64 = 0x0000_ffff_ffff_ffff;
/// The bytes by which shorter ones are found.
const SHORT_KEY: u64 = 0x0000_0000_00ff_ffff;

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
    /// Words only an automatic reply has.
    AwayText,
    /// The receiver wants the sender to prove something first.
    Challenge,
    /// A notice about spam, viruses or attachments to somebody who is not the sender.
    Filter,
    /// A subject of a complaint without the fields of one.
    Complaint,
    /// A person wants to leave.
    Leave,
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

struct Phrase {
    /// Where it stands in the table's text.
    at: u32,
    len: u16,
    meaning: Meaning,
    rank: u16,
    /// Its first eight bytes before any `*`, and which of them count: one
    /// comparison tells most other words away.
    lead: u64,
    lead_mask: u64,
    starred: bool,
}

/// An indexed set of phrases.
pub struct Table {
    text: Cow<'static, str>,
    phrases: Vec<Phrase>,
    long: Index,
    short: Index,
}

/// Phrases by a hash of their first bytes.
struct Index {
    /// Where each bucket starts in `order`; one more at the end.
    starts: Vec<u32>,
    order: Vec<u32>,
    mask: u64,
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
        let mut phrases = Vec::with_capacity(text.len() / 20);
        let mut meaning = None;
        let mut rank = 0;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
                rank += 1;
                meaning = Some(section(name).ok_or_else(|| Wrong {
                    line: index + 1,
                    what: format!("there is no section \"{name}\""),
                })?);
                continue;
            }
            let Some(meaning) = meaning else {
                return Err(Wrong {
                    line: index + 1,
                    what: "a phrase before the first [section]".to_owned(),
                });
            };
            let first = line.split('*').next().unwrap_or(line);
            if first.len() < 3 {
                return Err(Wrong {
                    line: index + 1,
                    what: "a phrase needs three letters before its first *".to_owned(),
                });
            }
            let (lead, lead_mask) = lead(first.as_bytes());
            phrases.push(Phrase {
                at: (line.as_ptr() as usize - text.as_ptr() as usize) as u32,
                len: line.len() as u16,
                meaning,
                rank,
                lead,
                lead_mask,
                starred: first.len() < line.len(),
            });
        }
        let long = Index::of(&phrases, LONG_KEY, |mask| mask & LONG_KEY == LONG_KEY);
        let short = Index::of(&phrases, SHORT_KEY, |mask| mask & LONG_KEY != LONG_KEY);
        Ok(Self { text, phrases, long, short })
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
        let mut before = b' ';
        for (at, &byte) in bytes.iter().enumerate() {
            let start = begins_word(before, byte);
            before = byte;
            if !start {
                continue;
            }
            let (here, _) = lead(&bytes[at..]);
            for id in self.long.at(here).iter().chain(self.short.at(here)) {
                let phrase = &self.phrases[*id as usize];
                if here & phrase.lead_mask != phrase.lead {
                    continue;
                }
                if let Some(len) = self.matches(phrase, &bytes[at..]) {
                    let Phrase { meaning, rank, .. } = *phrase;
                    found(Hit { at, end: at + len, meaning, rank });
                }
            }
        }
    }

    /// How long the match of a phrase at the start of a text is.
    fn matches(&self, phrase: &Phrase, text: &[u8]) -> Option<usize> {
        let from = phrase.at as usize;
        let words = &self.text.as_bytes()[from..from + usize::from(phrase.len)];
        if !phrase.starred {
            return text.starts_with(words).then_some(words.len());
        }
        let mut pieces = words.split(|byte| *byte == b'*');
        let first = pieces.next()?;
        if !text.starts_with(first) {
            return None;
        }
        let mut used = first.len();
        for piece in pieces {
            let window = &text[used..text.len().min(used + GAP + piece.len())];
            used += memchr::memmem::find(window, piece)? + piece.len();
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

/// Whether a word may start between two bytes: scripts without spaces start one
/// at every character.
const fn begins_word(before: u8, byte: u8) -> bool {
    if byte >= 0xe3 {
        return true;
    }
    let letter_before = before.is_ascii_alphanumeric() || before >= 0x80;
    byte > b' ' && byte & 0xc0 != 0x80 && !letter_before
}

/// Up to eight bytes as one number, and which of them are there.
fn lead(bytes: &[u8]) -> (u64, u64) {
    if let Some(eight) = bytes.first_chunk::<8>() {
        return (u64::from_le_bytes(*eight), u64::MAX);
    }
    let mut eight = [0; 8];
    eight[..bytes.len()].copy_from_slice(bytes);
    (u64::from_le_bytes(eight), (1 << (8 * bytes.len())) - 1)
}

impl Index {
    /// Indexes the phrases whose lead is as asked for, by the bytes in `mask`.
    fn of(phrases: &[Phrase], mask: u64, wanted: impl Fn(u64) -> bool) -> Self {
        let chosen = || (0u32..).zip(phrases).filter(|(_, p)| wanted(p.lead_mask));
        let mut starts = vec![0u32; BUCKETS + 1];
        for (_, phrase) in chosen() {
            starts[bucket(phrase.lead & mask) + 1] += 1;
        }
        for at in 0..BUCKETS {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut order = vec![0u32; starts[BUCKETS] as usize];
        for (id, phrase) in chosen() {
            let slot = &mut next[bucket(phrase.lead & mask)];
            order[*slot as usize] = id;
            *slot += 1;
        }
        Self { starts, order, mask }
    }

    /// The phrases that may begin with these bytes.
    fn at(&self, lead: u64) -> &[u32] {
        let bucket = bucket(lead & self.mask);
        &self.order[self.starts[bucket] as usize..self.starts[bucket + 1] as usize]
    }
}

fn bucket(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 52) as usize & (BUCKETS - 1)
}

/// Lower case, letter by letter, keeping every byte in its place, so that a place
/// in the folded text is the same place in the text itself.
pub fn fold(text: &str) -> String {
    let mut folded = text.to_ascii_lowercase();
    if folded.is_ascii() {
        return folded;
    }
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_ascii()) {
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
        "after content" => Meaning::AfterContent,
        "subject" => Meaning::Subject,
        "daemon" => Meaning::Daemon,
        "failed" => Meaning::Failed,
        "delayed" => Meaning::Delayed,
        "arrived" => Meaning::Arrived,
        "quoted" => Meaning::Quoted,
        "away" => Meaning::Away,
        "away text" => Meaning::AwayText,
        "challenge" => Meaning::Challenge,
        "filter" => Meaning::Filter,
        "receipt" => Meaning::Receipt,
        _ => return None,
    })
}
