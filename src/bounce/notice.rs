//! A mail system's own words: the text of a notice, taken apart into lines, the
//! addresses it names, and the words that stand beside each.
//!
//! It reads only what stands before the returned mail.

use super::address::{self, Found};
use super::mime;
use super::phrase::{self, Hit, Meaning};
use super::place::{self, Place};
use super::reason::Reason;

/// The most lines of a notice that are looked at.
const MAX_LINES: usize = 3000;
/// The most addresses of a notice that are looked at.
const MAX_ADDRESSES: usize = 1000;
/// How far into such a line its words begin at most, in bytes, if it is a sentence.
const MAX_LEAD: usize = 12;
/// The longest line that can announce the returned mail, in bytes.
const MAX_MARKER: usize = 100;

/// An address a notice names.
#[derive(Debug, Clone)]
pub struct Named {
    /// As it is spelled there.
    pub address: String,
    /// How it stands there.
    pub place: Place,
    /// The line it stands in.
    pub line: usize,
}

struct Line {
    at: usize,
    end: usize,
    /// Whether an empty line stands before it.
    paragraph: bool,
}

/// A notice, taken apart.
pub struct Notice {
    flat: String,
    folded: String,
    lines: Vec<Line>,
    addresses: Vec<Found>,
    hits: Vec<Hit>,
    cut: usize,
    quoted: bool,
}

impl Notice {
    /// Takes a decoded text apart.
    pub fn read(text: &str) -> Self {
        let (flat, lines, quoted) = flatten(text);
        let folded = phrase::fold(&flat);
        let mut addresses = address::find_all(&flat);
        addresses.truncate(MAX_ADDRESSES);
        let mut masked = mask(&folded, &addresses);
        // A phrase does not go on behind an empty line, except in its gaps.
        for line in lines.iter().skip(1).filter(|line| line.paragraph) {
            masked.replace_range(line.at - 1..line.at, "\n");
        }
        let mut hits = Vec::new();
        phrase::table().search(&masked, |hit| hits.push(hit));
        let mut notice = Self { flat, folded, lines, addresses, hits, cut: 0, quoted };
        notice.cut = notice.find_cut();
        notice
    }

    /// What the system wrote, one blank between words, before the returned mail.
    pub fn text(&self) -> &str {
        &self.flat[..self.cut]
    }

    /// What follows: the returned mail, when it was quoted in the same text.
    pub fn has_quoted(&self) -> bool {
        self.quoted || self.cut < self.flat.len()
    }

    /// Whether words of a kind stand in it.
    pub fn says(&self, meaning: Meaning) -> bool {
        self.hits.iter().any(|hit| hit.meaning == meaning && hit.at < self.cut)
    }

    /// Whether its first line already speaks of failure.
    pub fn begins_with_failure(&self) -> bool {
        let end = self.lines.first().map_or(0, |line| line.end);
        self.says_in(Meaning::Failed, 0, end) || self.reason(0, end).is_some()
    }

    /// Whether words of a kind stand between two places.
    pub fn says_in(&self, meaning: Meaning, from: usize, to: usize) -> bool {
        self.hits.iter().any(|hit| hit.meaning == meaning && hit.at >= from && hit.at < to)
    }

    /// Whether bare words of an unknown user stand between two places right behind
    /// `<address>:` and at most a lasting reply code, or right before the name in quotes, as in `unknown user: "name"`.
    pub fn says_of(&self, address: &str, from: usize, to: usize) -> bool {
        let local = phrase::fold(address.split('@').next().unwrap_or(address));
        let told = |hit: &&Hit| {
            let Some((before, after)) =
                self.folded.get(..hit.at).zip(self.folded.get(hit.end..self.cut))
            else {
                return false;
            };
            let quoted = after.trim_start_matches([':', ' ']).strip_prefix('"');
            let named = quoted.and_then(|name| name.strip_prefix(&local));
            let named = !local.is_empty() && named.is_some_and(|rest| rest.starts_with('"'));
            let before = before.trim_end();
            let coded = before.rsplit_once(' ').filter(|(_, code)| {
                code.len() == 3 && code.starts_with('5') && code.parse::<u16>().is_ok()
            });
            named || coded.map_or(before, |(before, _)| before.trim_end()).ends_with(">:")
        };
        self.hits
            .iter()
            .filter(|hit| hit.at >= from && hit.at < to)
            .filter(|hit| {
                let unknown = Reason::UserUnknown;
                hit.meaning == Meaning::Bare(unknown) || hit.meaning == Meaning::Weak(unknown)
            })
            .any(|hit| told(&hit))
    }

    /// The address an alias was written as: "(generated from …)".
    pub fn alias(&self, from: usize, to: usize) -> Option<&str> {
        self.addresses
            .iter()
            .filter(|found| found.at >= from && found.end <= to)
            .find(|found| self.folded[from..found.at].ends_with("generated from "))
            .map(|found| &self.flat[found.at..found.end])
    }

    /// Whether some words say why.
    pub fn says_why(&self) -> bool {
        self.hits.iter().any(|hit| {
            hit.at < self.cut && matches!(hit.meaning, Meaning::Reason(_) | Meaning::Bare(_))
        })
    }

    /// The strongest reason in the words between two places.
    pub fn reason(&self, from: usize, to: usize) -> Option<Reason> {
        strongest(self.hits.iter().filter(|hit| hit.at >= from && hit.at < to))
    }

    /// The strongest reason among the weak words.
    pub fn weak(&self, from: usize, to: usize) -> Option<Reason> {
        weakest(self.hits.iter().filter(|hit| hit.at >= from && hit.at < to))
    }

    /// The words between two places.
    pub fn words(&self, from: usize, to: usize) -> &str {
        self.flat.get(from..to).unwrap_or("").trim()
    }

    /// Where the returned mail begins: a line that announces it, or its first header.
    fn find_cut(&self) -> usize {
        let first_address = self.addresses.first().map_or(usize::MAX, |found| found.at);
        let mut hits = self.hits.iter().filter(|hit| hit.meaning == Meaning::Quoted).peekable();
        for line in &self.lines {
            let words = &self.folded[line.at..line.end];
            while hits.next_if(|hit| hit.at < line.at).is_some() {}
            let announced = hits.peek().filter(|hit| hit.at < line.end);
            let early = announced.is_some_and(|hit| hit.at - line.at <= MAX_LEAD);
            if announced.is_some() && line.at > first_address && is_marker(words, early) {
                return line.at;
            }
        }
        self.flat.len()
    }

    /// The addresses before the returned mail, with their places, without those
    /// that stand for the sender or for help.
    pub fn named(&self) -> Vec<Named> {
        let mut named: Vec<Named> = Vec::new();
        let mut found = self.addresses.iter().peekable();
        let mut echo = false;
        for (number, line) in self.lines.iter().enumerate() {
            if line.at >= self.cut {
                break;
            }
            let words = &self.folded[line.at..line.end];
            echo = place::is_echo(words, echo, line.paragraph);
            let mut from = line.at;
            while let Some(one) = found.next_if(|f| f.at < line.end) {
                let before = &self.folded[from..one.at.max(from)];
                let after = &self.folded[one.end.min(line.end)..line.end];
                from = one.end;
                let Some(place) = place::of(before, after, echo) else {
                    continue;
                };
                named.push(Named {
                    address: self.flat[one.at..one.end].to_owned(),
                    place,
                    line: number,
                });
            }
        }
        named
    }

    /// The places between which the words about a named address stand: from its
    /// line to the next named one. In a transcript the reply stands before it.
    pub fn beside(&self, line: usize, next: Option<usize>) -> (usize, usize) {
        let from = self.lines.get(line).map_or(0, |l| l.at);
        let to = next.and_then(|n| self.lines.get(n)).map_or(self.cut, |l| l.at);
        (from, to.max(from))
    }

    /// Behind the text before the returned mail.
    pub fn end(&self) -> usize {
        self.cut
    }

    /// Whether a line is a server's reply (`550 …`), as in a transcript.
    pub fn is_reply(&self, line: usize) -> bool {
        self.lines.get(line).is_some_and(|l| {
            let words = &self.folded.as_bytes()[l.at..l.end];
            let words = words.strip_prefix(b"<<< ").unwrap_or(words);
            matches!(words, [b'4' | b'5', b'0'..=b'9', b'0'..=b'9', b' ' | b'-', ..])
        })
    }
}

/// The strongest and the weak reason in a text that stands alone, such as a
/// diagnostic: `(words, weak words)`.
pub fn reasons(text: &str) -> (Option<Reason>, Option<Reason>) {
    let (flat, _, _) = flatten(text);
    let addresses = address::find_all(&flat);
    let masked = mask(&phrase::fold(&flat), &addresses);
    let mut hits = Vec::new();
    phrase::table().search(&masked, |hit| hits.push(hit));
    (strongest(hits.iter()), weakest(hits.iter()))
}

fn strongest<'a>(hits: impl Iterator<Item = &'a Hit>) -> Option<Reason> {
    first(hits, |hit| {
        if let Meaning::Reason(reason) | Meaning::Bare(reason) = hit.meaning {
            Some(reason)
        } else {
            None
        }
    })
}

fn weakest<'a>(hits: impl Iterator<Item = &'a Hit>) -> Option<Reason> {
    first(hits, |hit| if let Meaning::Weak(reason) = hit.meaning { Some(reason) } else { None })
}

/// Of what is asked for, that of the first section in the table.
fn first<'a>(
    hits: impl Iterator<Item = &'a Hit>,
    asked: impl Fn(&Hit) -> Option<Reason>,
) -> Option<Reason> {
    let ranked = hits.filter_map(|hit| Some((hit.rank, asked(hit)?)));
    ranked.min_by_key(|(rank, _)| *rank).map(|(_, reason)| reason)
}

/// Joins lines with one blank, takes quote marks away, and remembers the lines; up
/// to the first header of a quoted mail, of which it tells.
fn flatten(text: &str) -> (String, Vec<Line>, bool) {
    let mut quoted = false;
    let mut flat = String::with_capacity(text.len());
    let mut lines = Vec::new();
    let mut paragraph = true;
    for raw in text.lines() {
        let line =
            raw.trim_matches(|c: char| c.is_whitespace() || c == '\u{a0}' || c == '\u{3000}');
        let line = line.trim_start_matches(['>', '|', ' ', '\t']);
        if line.is_empty() {
            paragraph = true;
            continue;
        }
        if lines.len() >= MAX_LINES || (!lines.is_empty() && is_trace(line)) {
            quoted = true;
            break;
        }
        if !flat.is_empty() {
            flat.push(' ');
        }
        let at = flat.len();
        push_words(&mut flat, line);
        lines.push(Line { at, end: flat.len(), paragraph: std::mem::take(&mut paragraph) });
    }
    (flat, lines, quoted)
}

/// Adds a line with one blank between its words and plain quotation marks.
fn push_words(flat: &mut String, line: &str) {
    let plain =
        |pair: &[u8]| matches!(pair, [b'!'..=b'~', b'!'..=b'~' | b' '] | [b' ', b'!'..=b'~']);
    if line.as_bytes().windows(2).all(plain) && !line.contains('`') {
        flat.push_str(line);
        return;
    }
    let mut blank = false;
    for c in line.chars() {
        if c.is_whitespace() || c.is_control() {
            blank = true;
            continue;
        }
        if std::mem::take(&mut blank) {
            flat.push(' ');
        }
        flat.push(match c {
            '\u{2019}' | '\u{2018}' | '`' | '\u{b4}' => '\'',
            c => c,
        });
    }
}

/// Hides addresses and web addresses, whose words mean nothing.
fn mask(folded: &str, addresses: &[Found]) -> String {
    let mut masked = String::with_capacity(folded.len());
    let mut from = 0;
    let mut hide = |range: std::ops::Range<usize>, masked: &mut String| {
        if range.start < from {
            return;
        }
        masked.push_str(&folded[from..range.start]);
        masked.extend(std::iter::repeat_n('_', range.len()));
        from = range.end;
    };
    let mut found = addresses.iter().peekable();
    for web in memchr::memmem::find_iter(folded.as_bytes(), b"://") {
        let start =
            folded[..web].rfind(|c: char| !c.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
        let start = if folded.is_char_boundary(start) { start } else { web };
        let end = folded[web..].find([' ', '>', ')', '"']).map_or(folded.len(), |n| web + n);
        while let Some(one) = found.next_if(|f| f.at < start) {
            hide(one.at..one.end, &mut masked);
        }
        hide(start..end, &mut masked);
    }
    for one in found {
        hide(one.at..one.end, &mut masked);
    }
    masked.push_str(&folded[from..]);
    masked
}

/// Whether a line is a header that only a mail has.
fn is_trace(line: &str) -> bool {
    const TRACE: [&str; 12] = [
        "received: ",
        "received:from",
        "received:by",
        "return-path:",
        "dkim-signature:",
        "domainkey-signature:",
        "x-received:",
        "x-google-",
        "mime-version:",
        "delivered-to:",
        "arc-seal:",
        "x-originating-ip:",
    ];
    let line = line.as_bytes();
    let likely = line.first().is_some_and(|byte| b"rdxma".contains(&byte.to_ascii_lowercase()));
    likely && line.len() > 10 && TRACE.iter().any(|trace| mime::starts(line, trace.as_bytes()))
}

/// Whether a line with announcing words is an announcement and no sentence.
fn is_marker(words: &str, early: bool) -> bool {
    let edge = |c: char| matches!(c, '-' | '=' | '*' | '_' | '|' | '#' | '+' | '~');
    words.len() <= MAX_MARKER
        && !words.contains("was received")
        && !words.contains("message-id")
        && (words.starts_with(edge)
            || words.ends_with(edge)
            || words.ends_with(':')
            || early && words.ends_with(['.', '。']))
}
