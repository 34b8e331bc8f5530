//! A frozen letter: bytes that are the same for all, and what each reader alone has.
//!
//! Cut once, spliced for every reader by copying. The form in the database is
//! our own framing, so that a worker reads a letter without parsing a mail.

use aws_lc_rs::digest;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Begins every stored letter; the number changes with the framing.
const MAGIC: &[u8; 8] = b"RBLETT1\n";
const FIXED: u8 = b'F';
const PERSONAL: u8 = b'P';
/// Segments of a stored letter: each slot stands a few times, so more is damage.
const SEGMENTS_MAX: usize = 1_000;

/// What a reader alone has, as it stands in the mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Personal {
    /// The value of `To:`, encoded.
    To,
    /// The delivery's token: Message-ID, unsubscribing by mail.
    Delivery,
    /// The token that unsubscribes.
    Unsubscribe,
    /// The token of the preferences.
    Preferences,
    /// The greeting, quoted-printable, in the text part.
    GreetingText,
    /// The greeting, quoted-printable, escaped for HTML.
    GreetingHtml,
}

impl Personal {
    /// Each of them; its place here is its digit in marks and in the stored form.
    const ALL: [Self; 6] = [
        Self::To,
        Self::Delivery,
        Self::Unsubscribe,
        Self::Preferences,
        Self::GreetingText,
        Self::GreetingHtml,
    ];

    fn digit(self) -> u8 {
        let place = Self::ALL.iter().position(|one| *one == self);
        b'0' + u8::try_from(place.unwrap_or_default()).expect("there are fewer than ten")
    }

    fn of(digit: u8) -> Option<Self> {
        Self::ALL.get(usize::from(digit.checked_sub(b'0')?)).copied()
    }
}

/// The marks that stand in a message until it is cut. The nonce cannot be guessed
/// by whoever wrote an article.
#[derive(Debug, Clone)]
pub struct Marks {
    prefix: String,
}

impl Marks {
    /// Marks with this nonce.
    pub fn new(nonce: u128) -> Self {
        Self { prefix: format!("cut-{nonce:032x}-") }
    }

    /// What stands where this belongs: ASCII, without `=`, of fixed length.
    pub fn mark(&self, personal: Personal) -> String {
        format!("{}{}", self.prefix, char::from(personal.digit()))
    }
}

/// A piece of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Segment {
    /// The same for all.
    Fixed(Bytes),
    /// The reader's own.
    Personal(Personal),
}

/// What a worker must know to fill a letter, beside the segments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The issue.
    pub issue: i64,
    /// Its newsletter.
    pub newsletter: i64,
    /// The language of the greeting.
    pub language: rundbrief_templates::language::Language,
}

/// An issue rendered and frozen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What filling it takes.
    pub head: Head,
    segments: Vec<Segment>,
}

/// Why stored bytes are no letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stored letter is damaged {0}; nothing is sent from it")]
pub struct Damaged(&'static str);

impl Letter {
    /// Cuts a formatted message at its marks.
    pub fn cut(head: Head, message: &[u8], marks: &Marks) -> Self {
        let prefix = marks.prefix.as_bytes();
        let whole = Bytes::copy_from_slice(message);
        let mut segments = Vec::new();
        let mut from = 0;
        let mut at = 0;
        while let Some(found) = find(&whole[at..], prefix) {
            let start = at + found;
            at = start + prefix.len();
            let Some(personal) = whole.get(at).copied().and_then(Personal::of) else { continue };
            at += 1;
            if start > from {
                segments.push(Segment::Fixed(whole.slice(from..start)));
            }
            segments.push(Segment::Personal(personal));
            from = at;
        }
        if from < whole.len() {
            segments.push(Segment::Fixed(whole.slice(from..)));
        }
        Self { head, segments }
    }

    /// Its pieces in their order.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Bytes that are the same for all: nearly the size of each mail.
    pub fn fixed_bytes(&self) -> usize {
        let fixed = |segment: &Segment| match segment {
            Segment::Fixed(bytes) => bytes.len(),
            Segment::Personal(_) => 0,
        };
        self.segments.iter().map(fixed).sum()
    }

    /// The form in the database.
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = serde_json::to_vec(&self.head).expect("a head has only numbers and words");
        let mut out = Vec::with_capacity(self.fixed_bytes() + head.len() + 256);
        out.extend_from_slice(MAGIC);
        put(&head, &mut out);
        for segment in &self.segments {
            match segment {
                Segment::Fixed(bytes) => {
                    out.push(FIXED);
                    put(bytes, &mut out);
                }
                Segment::Personal(personal) => out.extend_from_slice(&[PERSONAL, personal.digit()]),
            }
        }
        out
    }

    /// Reads what [`Letter::to_bytes`] wrote. `hash` is [`content_hash`] of it, as
    /// it was written down when the issue was frozen.
    ///
    /// # Errors
    /// The bytes are not the ones that were frozen.
    pub fn from_bytes(frozen: &[u8], hash: &[u8]) -> Result<Self, Damaged> {
        if content_hash(frozen) != hash {
            return Err(Damaged("(its hash is another)"));
        }
        let whole = Bytes::copy_from_slice(frozen);
        let rest = frozen.strip_prefix(MAGIC).ok_or(Damaged("at its start"))?;
        let mut at = frozen.len() - rest.len();
        let head = take(&whole, &mut at)?;
        let head = serde_json::from_slice(&head).map_err(|_| Damaged("in its head"))?;
        let mut segments = Vec::new();
        while at < whole.len() && segments.len() < SEGMENTS_MAX {
            let kind = whole[at];
            at += 1;
            segments.push(match kind {
                FIXED => Segment::Fixed(take(&whole, &mut at)?),
                PERSONAL => {
                    let personal = whole.get(at).copied().and_then(Personal::of);
                    at += 1;
                    Segment::Personal(personal.ok_or(Damaged("in a slot"))?)
                }
                _ => return Err(Damaged("between its pieces")),
            });
        }
        if at != whole.len() {
            return Err(Damaged("at its end"));
        }
        Ok(Self { head, segments })
    }

    /// Appends one reader's mail: CRLF lines, not yet dot-stuffed, not yet signed.
    pub fn splice(&self, reader: &Reader, out: &mut Vec<u8>) {
        for segment in &self.segments {
            out.extend_from_slice(match segment {
                Segment::Fixed(bytes) => bytes,
                Segment::Personal(personal) => reader.get(*personal),
            });
        }
    }
}

/// SHA-256: what an approval and a stored letter are known by.
pub fn content_hash(frozen: &[u8]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, frozen);
    hash.as_ref().try_into().expect("SHA-256 has 32 octets")
}

/// One reader's own pieces, each encoded for its place. Made by `letter::address`;
/// reused from reader to reader, so that filling allocates nothing.
#[derive(Debug, Default, Clone)]
pub struct Reader {
    /// See [`Personal::To`].
    pub to: Vec<u8>,
    /// See [`Personal::Delivery`].
    pub delivery: Vec<u8>,
    /// See [`Personal::Unsubscribe`].
    pub unsubscribe: Vec<u8>,
    /// See [`Personal::Preferences`].
    pub preferences: Vec<u8>,
    /// See [`Personal::GreetingText`].
    pub greeting_text: Vec<u8>,
    /// See [`Personal::GreetingHtml`].
    pub greeting_html: Vec<u8>,
}

impl Reader {
    fn get(&self, personal: Personal) -> &[u8] {
        match personal {
            Personal::To => &self.to,
            Personal::Delivery => &self.delivery,
            Personal::Unsubscribe => &self.unsubscribe,
            Personal::Preferences => &self.preferences,
            Personal::GreetingText => &self.greeting_text,
            Personal::GreetingHtml => &self.greeting_html,
        }
    }
}

fn put(bytes: &[u8], out: &mut Vec<u8>) {
    let length = u32::try_from(bytes.len()).expect("a mail has far less than 4 GiB");
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take(whole: &Bytes, at: &mut usize) -> Result<Bytes, Damaged> {
    let damaged = Damaged("in a length");
    let length = whole.get(*at..*at + 4).ok_or(damaged)?;
    let length = u32::from_be_bytes(length.try_into().map_err(|_| damaged)?) as usize;
    let start = *at + 4;
    let end = start.checked_add(length).filter(|end| *end <= whole.len()).ok_or(damaged)?;
    *at = end;
    Ok(whole.slice(start..end))
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use rundbrief_templates::language::Language;

    use super::*;

    fn head() -> Head {
        Head { issue: 12, newsletter: 3, language: Language::German }
    }

    fn letter() -> Letter {
        let marks = Marks::new(7);
        let message = format!(
            "To: {}\r\n\r\nHallo cut-{:032x}-0 {}x{}",
            marks.mark(Personal::To),
            8,
            marks.mark(Personal::GreetingText),
            marks.mark(Personal::Unsubscribe),
        );
        Letter::cut(head(), message.as_bytes(), &marks)
    }

    #[test]
    fn a_message_is_cut_at_its_own_marks_only() {
        let letter = letter();
        assert_eq!(letter.segments().len(), 6);
        let reader = Reader {
            to: b"<a@example.org>".to_vec(),
            greeting_text: b"Guten Tag,".to_vec(),
            unsubscribe: b"TOKEN".to_vec(),
            ..Reader::default()
        };
        let mut out = Vec::new();
        letter.splice(&reader, &mut out);
        let wanted = format!("To: <a@example.org>\r\n\r\nHallo cut-{:032x}-0 Guten Tag,xTOKEN", 8);
        assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }

    #[test]
    fn a_stored_letter_comes_back_and_a_damaged_one_does_not() {
        let letter = letter();
        let frozen = letter.to_bytes();
        let hash = content_hash(&frozen);
        assert_eq!(Letter::from_bytes(&frozen, &hash), Ok(letter));
        for at in 0..frozen.len() {
            let mut damaged = frozen.clone();
            damaged[at] ^= 1;
            assert!(Letter::from_bytes(&damaged, &hash).is_err(), "byte {at}");
            // Even where hash and bytes were both exchanged nothing panics.
            let _ = Letter::from_bytes(&damaged, &content_hash(&damaged));
            let cut = &frozen[..at];
            assert!(Letter::from_bytes(cut, &hash).is_err());
            let _ = Letter::from_bytes(cut, &content_hash(cut));
        }
    }
}
