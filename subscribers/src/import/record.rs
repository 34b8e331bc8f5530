//! One record of a CSV file (RFC 4180, read generously): cells between
//! separators, quoted where they contain one. Line ends are `\n` by now.

/// The cells of one record; kept from record to record for its room.
#[derive(Default)]
pub(super) struct Cells {
    octets: Vec<u8>,
    ends: Vec<usize>,
}

impl Cells {
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.octets[start..*end])
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    fn clear(&mut self) {
        self.octets.clear();
        self.ends.clear();
    }

    fn end_cell(&mut self) {
        self.ends.push(self.octets.len());
    }
}

/// What splitting came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// A record.
    Record {
        /// Octets of the input that it took, with its line end.
        used: usize,
        /// Lines that it took.
        lines: u64,
        /// False when a quotation did not end, or something followed its end.
        sound: bool,
    },
    /// The record does not end within the input.
    More,
}

enum State {
    CellStart,
    Plain,
    Quoted,
    QuoteInQuoted,
}

/// Splits the first record of `input` into cells. `whole` says that nothing
/// follows the input.
pub(super) fn split(input: &[u8], separator: u8, whole: bool, cells: &mut Cells) -> Split {
    cells.clear();
    let mut state = State::CellStart;
    let mut sound = true;
    let mut lines = 1;
    let mut at = 0;
    while let Some(&octet) = input.get(at) {
        let ends_cell = octet == separator || octet == b'\n';
        match state {
            State::CellStart if octet == b'"' => {
                state = State::Quoted;
                at += 1;
            }
            State::CellStart | State::Plain | State::QuoteInQuoted if ends_cell => {
                cells.end_cell();
                at += 1;
                if octet == b'\n' {
                    return Split::Record { used: at, lines, sound };
                }
                state = State::CellStart;
            }
            State::CellStart | State::Plain => {
                let rest = &input[at..];
                let end = |o: &u8| *o == separator || *o == b'\n';
                let length = rest.iter().position(end).unwrap_or(rest.len());
                cells.octets.extend_from_slice(&rest[..length]);
                state = State::Plain;
                at += length;
            }
            State::Quoted => {
                let rest = &input[at..];
                let quote = rest.iter().position(|o| *o == b'"');
                let text = &rest[..quote.unwrap_or(rest.len())];
                lines += text.iter().filter(|o| **o == b'\n').count() as u64;
                cells.octets.extend_from_slice(text);
                at += text.len();
                if quote.is_some() {
                    at += 1;
                    state = State::QuoteInQuoted;
                }
            }
            State::QuoteInQuoted if octet == b'"' => {
                cells.octets.push(b'"');
                state = State::Quoted;
                at += 1;
            }
            State::QuoteInQuoted => {
                sound = false;
                state = State::Plain;
            }
        }
    }
    if !whole {
        return Split::More;
    }
    if matches!(state, State::Quoted) {
        sound = false;
    }
    cells.end_cell();
    Split::Record { used: at, lines, sound }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Strategy, prop, prop_assert_eq, proptest};

    use super::{Cells, Split, split};

    fn records(input: &[u8], separator: u8) -> Vec<Vec<Vec<u8>>> {
        let mut all = Vec::new();
        let mut rest = input;
        let mut cells = Cells::default();
        while !rest.is_empty() {
            if rest[0] == b'\n' {
                rest = &rest[1..];
                continue;
            }
            let Split::Record { used, .. } = split(rest, separator, true, &mut cells) else {
                panic!("a whole input always ends");
            };
            all.push(cells.iter().map(<[u8]>::to_vec).collect());
            rest = &rest[used..];
        }
        all
    }

    fn csv_crate(input: &[u8], separator: u8) -> Vec<Vec<Vec<u8>>> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(separator)
            .from_reader(input)
            .into_byte_records()
            .map(|record| record.unwrap().iter().map(<[u8]>::to_vec).collect())
            .collect()
    }

    fn near_csv() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec![
            "a", "b c", ";", ";", "\n", "\n", "\"", "\"\"", "\";\"", "\"\n", ",", "ü", " ", "'",
        ]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    #[test]
    fn a_broken_quotation_is_noticed() {
        let mut cells = Cells::default();
        let mut sound = |input: &str| match split(input.as_bytes(), b';', true, &mut cells) {
            Split::Record { sound, lines, .. } => (sound, lines),
            Split::More => panic!("whole"),
        };
        assert_eq!(sound("a;\"b\nc\"\n"), (true, 2));
        assert_eq!(sound("a;\"b\"c;d\n"), (false, 1));
        assert_eq!(sound("a;\"b\nc"), (false, 2));
        assert_eq!(split(b"a;\"b\n", b';', false, &mut cells), Split::More);
    }

    proptest! {
        #[test]
        fn cells_are_as_the_csv_crate_reads_them(input in near_csv()) {
            prop_assert_eq!(records(&input, b';'), csv_crate(&input, b';'));
        }

        #[test]
        fn what_the_csv_crate_writes_is_read_back(
            rows in prop::collection::vec(prop::collection::vec("[a-z;\"\n ü,]{0,8}", 2..4), 0..8)
        ) {
            let mut writer = csv::WriterBuilder::new().flexible(true).delimiter(b';').from_writer(Vec::new());
            for row in &rows {
                writer.write_record(row).unwrap();
            }
            let written = writer.into_inner().unwrap();
            let expected: Vec<Vec<Vec<u8>>> = rows
                .iter()
                .map(|row| row.iter().map(|cell| cell.as_bytes().to_vec()).collect())
                .collect();
            prop_assert_eq!(records(&written, b';'), expected);
        }
    }
}
