//! How a file is written, from its beginning: separator, line of headings,
//! which column holds what.

use super::column::{self, Column};
use super::record::{self, Cells, Split};
use super::row;
use super::source::{self, Encoding};
use super::{COLUMNS_MAX, Error, Options};
use crate::address::EmailAddress;

/// Records that the guess looks at.
const SAMPLE: usize = 20;
/// Separators, the likelier first.
const SEPARATORS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Headings and characters of each that an error shows.
const SHOWN: (usize, usize) = (12, 30);

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The encoding, as far as the beginning shows.
    pub encoding: Encoding,
    /// What separates cells.
    pub separator: u8,
    /// What each column holds.
    pub columns: Vec<Column>,
    /// The headings; empty when the first line is somebody already.
    pub headings: Vec<String>,
}

/// Finds the layout of a file by its first chunk of text; also, how many octets
/// of it are no rows, and the number of the line after them.
pub(super) fn find(
    text: &[u8],
    encoding: Encoding,
    whole: bool,
    options: &Options,
) -> Result<(Layout, usize, u64), Error> {
    if text.starts_with(b"PK\x03\x04") || text.starts_with(b"\xD0\xCF\x11\xE0") || text.contains(&0)
    {
        return Err(Error::Binary);
    }
    let (declared, mut used, mut line) = declared_separator(text);
    let blank = text[used..].iter().take_while(|o| **o == b'\n').count();
    used += blank;
    line += blank as u64;
    let text = &text[used..];
    let separator = options.separator.or(declared);
    let sample = match separator {
        Some(separator) => Sample::take(text, separator, whole),
        None => SEPARATORS
            .iter()
            .map(|separator| Sample::take(text, *separator, whole))
            .rev()
            .max_by_key(Sample::score)
            .ok_or(Error::Empty)?,
    };
    let none = if whole { Error::Empty } else { Error::FirstLine };
    let first = sample.records.first().ok_or(none)?;
    let (columns, has_headings) = match &options.columns {
        Some(columns) => by_option(columns, first)?,
        None => by_sample(&sample)?,
    };
    let headings = if has_headings {
        used += sample.first_used;
        line += sample.first_lines;
        first.iter().map(|h| h.trim().to_owned()).collect()
    } else {
        Vec::new()
    };
    let encoding = if sample.legacy { Encoding::Windows1252 } else { encoding };
    let layout = Layout { encoding, separator: sample.separator, columns, headings };
    Ok((layout, used, line))
}

/// Excel's own first line, `sep=;`.
fn declared_separator(text: &[u8]) -> (Option<u8>, usize, u64) {
    match text {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator, b'\n', ..]
            if SEPARATORS.contains(separator) =>
        {
            (Some(*separator), 6, 2)
        }
        _ => (None, 0, 1),
    }
}

/// The first records, as one separator makes them.
struct Sample {
    separator: u8,
    records: Vec<Vec<String>>,
    first_used: usize,
    first_lines: u64,
    legacy: bool,
}

impl Sample {
    fn take(text: &[u8], separator: u8, whole: bool) -> Self {
        let mut sample =
            Self { separator, records: Vec::new(), first_used: 0, first_lines: 0, legacy: false };
        let mut cells = Cells::default();
        let mut rest = text;
        while sample.records.len() < SAMPLE && !rest.is_empty() {
            if rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Split::Record { used, lines, .. } =
                record::split(rest, separator, whole, &mut cells)
            else {
                break;
            };
            let mut record = Vec::with_capacity(cells.len().min(COLUMNS_MAX));
            for cell in cells.iter().take(COLUMNS_MAX) {
                let (text, legacy) = source::decode(cell);
                sample.legacy |= legacy;
                record.push(text.trim().to_owned());
            }
            if sample.records.is_empty() {
                (sample.first_used, sample.first_lines) = (used, lines);
            }
            sample.records.push(record);
            rest = &rest[used..];
        }
        sample
    }

    /// Addresses that come out alone in a cell, then headings we know, then
    /// cells in the first line.
    fn score(&self) -> (usize, usize, usize) {
        let with_address = |record: &&Vec<String>| record.iter().any(|cell| is_address(cell));
        let addresses = self.records.iter().filter(with_address).count();
        let first = self.records.first().map_or(&[][..], Vec::as_slice);
        let known = column::of_headings(first);
        let known = known.iter().filter(|c| **c != Column::Other).count();
        (addresses, known, first.len())
    }
}

fn is_address(cell: &str) -> bool {
    EmailAddress::parse(row::mailbox(cell).1).is_ok()
}

/// Columns as the caller says. A first line without an `@` where the address
/// should stand is a line of headings.
fn by_option(columns: &[Column], first: &[String]) -> Result<(Vec<Column>, bool), Error> {
    let mut places = columns.iter().enumerate().filter(|(_, c)| **c == Column::Address);
    let ((place, _), None) = (places.next().ok_or(Error::Columns)?, places.next()) else {
        return Err(Error::Columns);
    };
    let headings = first.get(place).is_none_or(|cell| !cell.contains('@'));
    Ok((columns.to_vec(), headings))
}

/// Columns by headings we know; else the column where addresses stand, and
/// nothing else, as a guess at names would greet people wrongly.
fn by_sample(sample: &Sample) -> Result<(Vec<Column>, bool), Error> {
    let first = &sample.records[0];
    let known = column::of_headings(first);
    if known.contains(&Column::Address) {
        return Ok((known, true));
    }
    let width = sample.records.iter().map(Vec::len).max().unwrap_or(0);
    let addresses_in = |place: usize| {
        let cells = sample.records.iter().filter_map(|record| record.get(place));
        cells.filter(|cell| is_address(cell)).count()
    };
    let best = (0..width)
        .rev()
        .max_by_key(|place| addresses_in(*place))
        .filter(|place| addresses_in(*place) > 0);
    let Some(place) = best else {
        return Err(Error::NoAddressColumn { headings: shown(first) });
    };
    let headings = !first.iter().any(|cell| cell.contains('@'));
    let mut columns = if headings { known } else { Vec::new() };
    columns.resize(width, Column::Other);
    columns[place] = Column::Address;
    Ok((columns, headings))
}

/// Headings fit to be shown in an error.
fn shown(headings: &[String]) -> Vec<String> {
    let short =
        |heading: &String| heading.chars().filter(|c| !c.is_control()).take(SHOWN.1).collect();
    headings.iter().take(SHOWN.0).map(short).collect()
}
