//! Writes a list as CSV that a program reads and a spreadsheet opens without
//! running anything: no cell begins like a formula.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::address::EmailAddress;
use crate::person::Person;
use crate::standing::Standing;

/// The headings; the import knows them again.
pub const HEADINGS: [&str; 7] =
    ["email", "salutation", "given_name", "family_name", "language", "standing", "since"];

/// For whom the file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Commas, UTF-8 without a mark: RFC 4180.
    Plain,
    /// Semicolons, UTF-8 with a mark: what a German spreadsheet opens by a double click.
    Spreadsheet,
}

/// One line of an export.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Where mail goes.
    pub address: &'a EmailAddress,
    /// How to address them.
    pub person: &'a Person,
    /// Where the subscription stands.
    pub standing: Standing,
    /// Since when, in RFC 3339.
    pub since: &'a str,
}

/// A file being written.
pub struct Writer<W: Write> {
    csv: csv::Writer<W>,
}

impl<W: Write> Writer<W> {
    /// Begins a file with its headings.
    pub fn new(mut write: W, style: Style) -> io::Result<Self> {
        let separator = match style {
            Style::Plain => b',',
            Style::Spreadsheet => {
                write.write_all("\u{FEFF}".as_bytes())?;
                b';'
            }
        };
        let mut csv = csv::WriterBuilder::new()
            .delimiter(separator)
            .terminator(csv::Terminator::CRLF)
            .from_writer(write);
        csv.write_record(HEADINGS)?;
        Ok(Self { csv })
    }

    /// Writes one line.
    pub fn write(&mut self, line: Line<'_>) -> io::Result<()> {
        let language = line.person.language;
        let cells = [
            line.address.as_str(),
            line.person.salutation.as_str(),
            line.person.given.as_str(),
            line.person.family.as_str(),
            language.as_ref().map_or("", |language| language.as_str()),
            line.standing.as_str(),
            line.since,
        ];
        let guarded = cells.map(guard);
        self.csv.write_record(guarded.iter().map(|cell| cell.as_bytes()))?;
        Ok(())
    }

    /// Writes what is left and gives the file back.
    pub fn finish(mut self) -> io::Result<W> {
        self.csv.flush()?;
        self.csv.into_inner().map_err(|error| error.into_error())
    }
}

/// Whether a spreadsheet would take a cell for a formula, were it not for
/// apostrophes before it.
fn like_formula(cell: &str) -> bool {
    let rest = cell.trim_start_matches('\'');
    rest.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// Puts an apostrophe before what looks like a formula (OWASP, CSV injection).
pub fn guard(cell: &str) -> Cow<'_, str> {
    if like_formula(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// Takes the apostrophe of [`guard`] away.
pub fn unguard(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if like_formula(rest) => rest,
        Some(_) | None => cell,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy as _, any, prop, prop_assert, prop_assert_eq, proptest};

    use super::{HEADINGS, Line, Style, Writer, guard, unguard};
    use crate::address::EmailAddress;
    use crate::import;
    use crate::person::{Language, Name, Person, Salutation};
    use crate::standing::Standing;

    fn person(given: &str, family: &str) -> Person {
        Person {
            salutation: Salutation::Ms,
            given: Name::parse(given).unwrap(),
            family: Name::parse(family).unwrap(),
            language: Some(Language::recognise("de").unwrap()),
        }
    }

    fn export(address: &EmailAddress, person: &Person, style: Style) -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), style).unwrap();
        let line =
            Line { address, person, standing: Standing::Paused, since: "2026-11-23T12:00:00Z" };
        writer.write(line).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn an_export_is_plain_csv() {
        let address = EmailAddress::parse("anna@example.org").unwrap();
        let file = export(&address, &person("Anna, \"Änne\"", "=1+2"), Style::Plain);
        assert_eq!(
            String::from_utf8(file).unwrap(),
            "email,salutation,given_name,family_name,language,standing,since\r\n\
             anna@example.org,ms,\"Anna, \"\"Änne\"\"\",'=1+2,de,paused,2026-11-23T12:00:00Z\r\n"
        );
    }

    proptest! {
        #[test]
        fn what_is_exported_is_imported_as_it_was(
            local in "[=+'-]{0,3}[a-z]{1,5}",
            given in "['=+@ -]{0,3}[A-Zäöü;,\"']{0,6}".prop_filter("no name", |n| Name::parse(n).is_ok()),
            family in "[A-ZÄÖÜ ;,-]{0,6}",
            style in prop::sample::select(vec![Style::Plain, Style::Spreadsheet]),
        ) {
            let address = EmailAddress::parse(&format!("{local}@example.org")).unwrap();
            let person = person(&given, &family);
            let file = export(&address, &person, style);
            let mut reader = import::Reader::open(&file[..], &import::Options::default()).unwrap();
            let Some(Ok(import::Line::Row(row))) = reader.next() else {
                panic!("one row");
            };
            prop_assert_eq!(row.address, address);
            prop_assert_eq!(row.person, person);
            prop_assert_eq!(row.standing, Some(Standing::Paused));
            prop_assert!(row.notes.is_empty());
            prop_assert!(reader.next().is_none());
        }

        #[test]
        fn no_cell_begins_like_a_formula(cell in any::<String>()) {
            let guarded = guard(&cell);
            prop_assert!(!guarded.starts_with(['=', '+', '-', '@', '\t', '\r']));
            prop_assert_eq!(unguard(&guarded), cell.as_str());
        }
    }

    #[test]
    fn the_headings_are_those_of_the_import() {
        assert_eq!(HEADINGS[0], import::column::Column::Address.to_string());
        assert_eq!(HEADINGS[5], import::column::Column::Standing.to_string());
    }
}
