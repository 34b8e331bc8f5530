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
const BUCKETS: usize = 4096;

/// What a phrase says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Why it did not arrive; stronger than any code.
    Reason(Reason),
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
}

/// An indexed set of phrases.
pub struct Table {
    text: Cow<'static, str>,
    phrases: Vec<Phrase>,
    /// Where each bucket starts in `order`; one more at the end.
    starts: Vec<u32>,
    order: Vec<u32>,
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
            phrases.push(Phrase {
                at: (line.as_ptr() as usize - text.as_ptr() as usize) as u32,
                len: line.len() as u16,
                meaning,
                rank,
            });
        }
        Ok(Self::index(text, phrases))
    }

    fn index(text: Cow<'static, str>, phrases: Vec<Phrase>) -> Self {
        let words = text.as_bytes();
        let mut starts = vec![0u32; BUCKETS + 1];
        for phrase in &phrases {
            starts[bucket(&words[phrase.at as usize..]) + 1] += 1;
        }
        for at in 0..BUCKETS {
            starts[at + 1] += starts[at];
        }
        let mut next = starts.clone();
        let mut order = vec![0u32; phrases.len()];
        for (id, phrase) in (0u32..).zip(&phrases) {
            let slot = &mut next[bucket(&words[phrase.at as usize..])];
            order[*slot as usize] = id;
            *slot += 1;
        }
        Self { text, phrases, starts, order }
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
        let table = self.text.as_bytes();
        let mut before = b' ';
        for at in 0..bytes.len().saturating_sub(2) {
            let byte = bytes[at];
            let start = begins_word(before, byte);
            before = byte;
            if !start {
                continue;
            }
            let hash = bucket(&bytes[at..]);
            let (from, to) = (self.starts[hash] as usize, self.starts[hash + 1] as usize);
            for &id in &self.order[from..to] {
                let phrase = &self.phrases[id as usize];
                let from = phrase.at as usize;
                let words = &table[from..from + usize::from(phrase.len)];
                if let Some(len) = matches_at(words, &bytes[at..]) {
                    found(Hit { at, end: at + len, meaning: phrase.meaning, rank: phrase.rank });
                }
            }
        }
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

fn bucket(bytes: &[u8]) -> usize {
    let key = u32::from(bytes[0]) | u32::from(bytes[1]) << 8 | u32::from(bytes[2]) << 16;
    (key.wrapping_mul(0x9e37_79b1) >> 20) as usize & (BUCKETS - 1)
}

/// How long the match of a phrase at the start of a text is.
fn matches_at(phrase: &[u8], text: &[u8]) -> Option<usize> {
    let Some(star) = memchr::memchr(b'*', phrase) else {
        return text.starts_with(phrase).then_some(phrase.len());
    };
    if !text.starts_with(&phrase[..star]) {
        return None;
    }
    let mut used = star;
    for piece in phrase[star + 1..].split(|b| *b == b'*') {
        let window = &text[used..text.len().min(used + GAP + piece.len())];
        used += memchr::memmem::find(window, piece)? + piece.len();
    }
    Some(used)
}

/// Lower case, letter by letter, keeping every byte in its place, so that a place
/// in the folded text is the same place in the text itself.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars()
        .map(|c| {
            let mut lower = c.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(l), None) if l.len_utf8() == c.len_utf8() => l,
                _ => c,
            }
        })
        .collect()
}

fn section(name: &str) -> Option<Meaning> {
    if let Some(reason) = Reason::parse(name) {
        return Some(Meaning::Reason(reason));
    }
    if let Some(reason) = name.strip_prefix("weak: ").and_then(Reason::parse) {
        return Some(Meaning::Weak(reason));
    }
    Some(match name {
        "before recipient" => Meaning::BeforeRecipient,
        "at recipient" => Meaning::AtRecipient,
        "complaint" => Meaning::Complaint,
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
