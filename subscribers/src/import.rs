//! Reads a list of people from a CSV file, however it was written down: a row
//! at a time, in bounded memory but for one number per address.
//!
//! A row that cannot be used says line, column and reason, and the rest goes
//! on. What is done with the rows is the caller's.

pub mod column;
pub mod layout;
mod record;
pub mod row;
pub mod source;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::collections::hash_map::{Entry, RandomState};
use std::fmt;
use std::hash::BuildHasher as _;
use std::io::{self, Read};

use self::column::Column;
use self::layout::Layout;
use self::record::{Cells, Split};
use self::row::Row;
use self::source::Source;
use crate::{address, person};

/// Octets of one record; a longer one is a quotation that was never ended, or
/// no list at all.
pub const RECORD_MAX: usize = 256 * 1024;
/// Columns of one record that are looked at.
pub const COLUMNS_MAX: usize = 256;

/// What the caller knows about the file and need not be guessed.
#[derive(Debug, Default, Clone)]
pub struct Options {
    /// The separator: `,`, `;`, tab or `|`.
    pub separator: Option<u8>,
    /// What the columns hold, in their order.
    pub columns: Option<Vec<Column>>,
}

/// Why a file cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading failed.
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    /// Nothing in it.
    #[error("is empty")]
    Empty,
    /// An office file instead of a CSV file.
    #[error("is a spreadsheet or another binary file; save it as CSV (UTF-8) and import that")]
    Binary,
    /// The beginning shows no end of the first line.
    #[error(
        "has a first line of more than 64 KiB, or one with a quotation mark that is never closed; is it a list?"
    )]
    FirstLine,
    /// No column of addresses.
    #[error(
        "has no column with e-mail addresses. Its first line reads: {}. \
         Name the column `E-Mail`, or say what the columns hold: --columns email,given_name,family_name",
        .headings.join(" | ")
    )]
    NoAddressColumn {
        /// The first line's cells, shortened.
        headings: Vec<String>,
    },
    /// `--columns` without an address.
    #[error("columns must name `email` exactly once")]
    Columns,
}

/// One thing that was wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Line of the file, from 1; of a record over several lines the first.
    pub line: u64,
    /// The column, from 1, and its heading where there is one.
    pub column: Option<(usize, String)>,
    /// What is wrong. Never shows a cell.
    pub reason: Reason,
}

/// What can be wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The address.
    #[error("the address {0}")]
    Address(address::Error),
    /// A name, left out.
    #[error("the name {0}; left out")]
    Name(person::NameError),
    /// The form of address, left out.
    #[error("the form of address is not understood (Frau, Herr, divers); left out")]
    Salutation,
    /// The language, left out.
    #[error("the language {0}; left out")]
    Language(person::NoLanguage),
    /// The standing. The row is refused: it may say that somebody left.
    #[error(
        "the standing is not understood (active, pending, paused, left, unreachable, complained)"
    )]
    Standing,
    /// More cells than headings: names may have moved into wrong columns.
    #[error("has {found} cells where the headings are {expected}; only the address was taken")]
    Cells {
        /// Cells in this row.
        found: usize,
        /// Columns by the first line.
        expected: usize,
    },
    /// A quotation that does not end where it should.
    #[error("has a quotation mark that is never closed")]
    Quotes,
    /// Longer than [`RECORD_MAX`].
    #[error("is longer than {} KiB", RECORD_MAX / 1024)]
    TooLong,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)?;
        if let Some((number, heading)) = &self.column {
            write!(f, ", column {number}")?;
            if !heading.is_empty() {
                write!(f, " ({heading})")?;
            }
        }
        write!(f, ": {}", self.reason)
    }
}

/// What a line of the file came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Somebody.
    Row(Row),
    /// Nobody, for this reason.
    Rejected(Finding),
}

/// A file being read. An iterator over its lines; after an error of reading it ends.
pub struct Reader<R> {
    source: Source<R>,
    text: Vec<u8>,
    at: usize,
    line: u64,
    layout: Layout,
    cells: Cells,
    seen: Seen,
    legacy_rows: u64,
    ended: bool,
}

impl<R: Read> Reader<R> {
    /// Looks at the beginning of a file and finds out how it is written.
    pub fn open(read: R, options: &Options) -> Result<Self, Error> {
        let mut source = Source::new(read);
        let mut text = Vec::new();
        source.fill(&mut text)?;
        let (layout, used, line) = layout::find(&text, source.encoding(), source.ended, options)?;
        Ok(Self {
            source,
            text,
            at: used,
            line,
            layout,
            cells: Cells::default(),
            seen: Seen::default(),
            legacy_rows: 0,
            ended: false,
        })
    }

    /// How the file is written, as far as its beginning shows.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Rows so far that were not UTF-8 and were read as Windows-1252.
    pub fn legacy_rows(&self) -> u64 {
        self.legacy_rows
    }

    /// Reads on until there is a line worth reporting.
    fn advance(&mut self) -> io::Result<Option<Line>> {
        loop {
            self.skip_empty_lines()?;
            if self.at == self.text.len() && self.source.ended {
                return Ok(None);
            }
            let line = self.line;
            let rejected = |reason| Some(Line::Rejected(Finding { line, column: None, reason }));
            match self.split_record()? {
                Taken::Record => {
                    if let Some(read) = self.read_row(line) {
                        return Ok(Some(read));
                    }
                }
                Taken::BrokenQuotes => return Ok(rejected(Reason::Quotes)),
                Taken::TooLong => return Ok(rejected(Reason::TooLong)),
            }
        }
    }

    fn skip_empty_lines(&mut self) -> io::Result<()> {
        loop {
            while self.text.get(self.at) == Some(&b'\n') {
                self.at += 1;
                self.line += 1;
            }
            if self.at < self.text.len() || self.source.ended {
                return Ok(());
            }
            self.refill()?;
        }
    }

    /// Takes one record off the text. A quotation that goes wrong over several
    /// lines costs its first line only: what follows is read anew.
    fn split_record(&mut self) -> io::Result<Taken> {
        loop {
            let rest = &self.text[self.at..];
            let separator = self.layout.separator;
            match record::split(rest, separator, self.source.ended, &mut self.cells) {
                Split::Record { used, lines, sound } if sound || lines == 1 => {
                    self.at += used;
                    self.line += lines;
                    return Ok(Taken::Record);
                }
                Split::More if rest.len() < RECORD_MAX => self.refill()?,
                Split::Record { .. } | Split::More => {
                    let line_end = rest.iter().position(|octet| *octet == b'\n');
                    if let Some(length) = line_end {
                        self.at += length + 1;
                        self.line += 1;
                        return Ok(Taken::BrokenQuotes);
                    }
                    self.drop_line()?;
                    return Ok(Taken::TooLong);
                }
            }
        }
    }

    /// Passes over the rest of a line, without keeping it.
    fn drop_line(&mut self) -> io::Result<()> {
        loop {
            let rest = &self.text[self.at..];
            if let Some(length) = rest.iter().position(|octet| *octet == b'\n') {
                self.at += length + 1;
                self.line += 1;
                return Ok(());
            }
            self.at = self.text.len();
            if self.source.ended {
                return Ok(());
            }
            self.refill()?;
        }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.text.drain(..self.at);
        self.at = 0;
        self.source.fill(&mut self.text)
    }

    fn read_row(&mut self, line: u64) -> Option<Line> {
        let (read, legacy) = row::read(&self.cells, &self.layout, line)?;
        self.legacy_rows += u64::from(legacy);
        Some(match read {
            Ok(mut row) => {
                row.duplicate_of = self.seen.before(row.address.normal(), line);
                Line::Row(row)
            }
            Err(finding) => Line::Rejected(finding),
        })
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = io::Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.advance().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// What was taken off the text.
enum Taken {
    Record,
    BrokenQuotes,
    TooLong,
}

/// Which addresses came already, by a 64-bit hash: 16 octets an address. Two
/// addresses may share one, once in a million files of ten million rows; so a
/// duplicate is reported, and still handed on.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    lines: HashMap<u64, u32>,
}

impl Seen {
    /// The line of the same address before, if there was one.
    fn before(&mut self, normal: &str, line: u64) -> Option<u64> {
        match self.lines.entry(self.hasher.hash_one(normal)) {
            Entry::Occupied(first) => Some(u64::from(*first.get())),
            Entry::Vacant(free) => {
                free.insert(u32::try_from(line).unwrap_or(u32::MAX));
                None
            }
        }
    }
}
