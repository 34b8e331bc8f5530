//! One record as a person.

use std::borrow::Cow;

use super::column::Column;
use super::layout::Layout;
use super::record::Cells;
use super::{COLUMNS_MAX, Finding, Reason, source};
use crate::address::EmailAddress;
use crate::export;
use crate::person::{self, Language, Name, Person, Salutation};
use crate::standing::Standing;

/// Somebody on the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line of the file, from 1.
    pub line: u64,
    /// Where mail goes.
    pub address: EmailAddress,
    /// How to address them.
    pub person: Person,
    /// What the file says about the subscription; `None`: nothing.
    pub standing: Option<Standing>,
    /// What was left out, and why.
    pub notes: Vec<Finding>,
    /// The line that had the same address before.
    pub duplicate_of: Option<u64>,
}

/// Reads a record; `None` when all cells are empty. Says also whether it was
/// Windows-1252.
pub(super) fn read(
    cells: &Cells,
    layout: &Layout,
    line: u64,
) -> Option<(Result<Row, Finding>, bool)> {
    let mut legacy = false;
    let mut texts: Vec<Cow<'_, str>> = Vec::with_capacity(layout.columns.len());
    for cell in cells.iter().take(COLUMNS_MAX) {
        let (text, old) = source::decode(cell);
        legacy |= old;
        texts.push(text);
    }
    if texts.iter().all(|text| tidy(text).is_empty()) {
        return None;
    }
    let full = texts.iter().rposition(|text| !tidy(text).is_empty());
    let found = full.map_or(0, |last| last + 1);
    let row = RowReader { layout, line, texts: &texts };
    Some((row.read(found), legacy))
}

/// A cell without what surrounds it by accident, and without our own guard
/// against formulas.
fn tidy(cell: &str) -> &str {
    let blank = |c: char| c.is_whitespace() || matches!(c, '\u{FEFF}' | '\u{200B}');
    export::unguard(cell.trim_matches(blank))
}

/// The name and the address in `Anna Beispiel <anna@example.org>` (RFC 5322 section 3.4), as
/// address books write them; no name beside a bare address.
pub(super) fn mailbox(cell: &str) -> (&str, &str) {
    match cell.strip_suffix('>').and_then(|cell| cell.rsplit_once('<')) {
        Some((name, address)) => (name.trim().trim_matches('"'), address.trim()),
        None => ("", cell),
    }
}

struct RowReader<'a> {
    layout: &'a Layout,
    line: u64,
    texts: &'a [Cow<'a, str>],
}

impl RowReader<'_> {
    fn read(&self, found: usize) -> Result<Row, Finding> {
        let (_, text) = mailbox(self.cell(Column::Address).unwrap_or_default());
        let address = EmailAddress::parse(text)
            .map_err(|error| self.finding(Column::Address, Reason::Address(error)))?;
        let standing = self.standing()?;
        let mut notes = Vec::new();
        let expected = self.layout.columns.len();
        let person = if found > expected {
            notes.push(Finding {
                line: self.line,
                column: None,
                reason: Reason::Cells { found, expected },
            });
            Person::default()
        } else {
            self.person(&mut notes)
        };
        Ok(Row { line: self.line, address, person, standing, notes, duplicate_of: None })
    }

    fn person(&self, notes: &mut Vec<Finding>) -> Person {
        let salutation = match self.cell(Column::Salutation).map(Salutation::recognise) {
            None => Salutation::Unknown,
            Some(Some(salutation)) => salutation,
            Some(None) => {
                notes.push(self.finding(Column::Salutation, Reason::Salutation));
                Salutation::Unknown
            }
        };
        let language = match self.cell(Column::Language).map(Language::recognise) {
            None => None,
            Some(Ok(language)) => Some(language),
            Some(Err(error)) => {
                notes.push(self.finding(Column::Language, Reason::Language(error)));
                None
            }
        };
        let (beside, _) = mailbox(self.cell(Column::Address).unwrap_or_default());
        let (whole_given, whole_family) =
            person::split_name(self.cell(Column::Name).unwrap_or(beside));
        let mut name = |column, whole| {
            let (column, text) = match self.cell(column) {
                Some(text) => (column, text),
                None => (Column::Name, whole),
            };
            Name::parse(text).unwrap_or_else(|error| {
                notes.push(self.finding(column, Reason::Name(error)));
                Name::default()
            })
        };
        Person {
            salutation,
            given: name(Column::Given, whole_given),
            family: name(Column::Family, whole_family),
            language,
        }
    }

    fn standing(&self) -> Result<Option<Standing>, Finding> {
        let Some(word) = self.cell(Column::Standing) else {
            return Ok(None);
        };
        match recognise_standing(word) {
            Some(standing) => Ok(Some(standing)),
            None => Err(self.finding(Column::Standing, Reason::Standing)),
        }
    }

    /// The cell of a column, unless it is empty.
    fn cell(&self, column: Column) -> Option<&str> {
        let place = self.place(column)?;
        let text = tidy(self.texts.get(place)?);
        (!text.is_empty()).then_some(text)
    }

    fn place(&self, column: Column) -> Option<usize> {
        self.layout.columns.iter().position(|c| *c == column)
    }

    fn finding(&self, column: Column, reason: Reason) -> Finding {
        let heading = |place: usize| {
            let heading = self.layout.headings.get(place);
            (place + 1, heading.cloned().unwrap_or_default())
        };
        Finding { line: self.line, column: self.place(column).map(heading), reason }
    }
}

/// The standing that another system means by a word.
fn recognise_standing(word: &str) -> Option<Standing> {
    let word = word.to_lowercase();
    Some(match word.as_str() {
        "active" | "aktiv" | "subscribed" | "angemeldet" | "abonniert" | "bestätigt"
        | "confirmed" | "enabled" | "ja" | "yes" => Standing::Active,
        "pending" | "unconfirmed" | "unbestätigt" | "offen" | "wartet" | "opt-in" => {
            Standing::Pending
        }
        "paused" | "pausiert" | "pause" => Standing::Paused,
        "left" | "unsubscribed" | "abgemeldet" | "ausgetragen" | "gekündigt" | "inactive"
        | "inaktiv" | "disabled" | "nein" | "no" | "opt-out" | "optout" | "blocked"
        | "gesperrt" | "blocklisted" | "blacklisted" | "suppressed" | "archived" => Standing::Left,
        "unreachable" | "bounced" | "bounce" | "hardbounce" | "hard bounce" | "cleaned"
        | "unzustellbar" | "invalid" | "ungültig" => Standing::Unreachable,
        "complained" | "complaint" | "spam" | "beschwerde" | "abuse" => Standing::Complained,
        _ => return None,
    })
}
