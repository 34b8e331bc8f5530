//! Files as people have them.

use proptest::prelude::{any, prop, prop_assert, prop_assert_eq, proptest};

use super::column::Column;
use super::row::Row;
use super::source::Encoding;
use super::{Error, Finding, Line, Options, RECORD_MAX, Reader, Reason};
use crate::address;
use crate::person::Salutation;
use crate::standing::Standing;

fn lines(file: &[u8]) -> Vec<Line> {
    let reader = Reader::open(file, &Options::default()).unwrap();
    reader.map(|line| line.unwrap()).collect()
}

fn rows(file: &[u8]) -> Vec<Row> {
    let row = |line| match line {
        Line::Row(row) => row,
        Line::Rejected(finding) => panic!("{finding}"),
    };
    lines(file).into_iter().map(row).collect()
}

/// `line address given family` of each row, `line! reason` of each rejected one.
fn summary(file: &[u8]) -> Vec<String> {
    let say = |line| match line {
        Line::Row(row) => {
            let person = &row.person;
            let (given, family) = (person.given.as_str(), person.family.as_str());
            format!("{} {} {given} {family}", row.line, row.address.as_str())
        }
        Line::Rejected(finding) => finding.to_string(),
    };
    lines(file).into_iter().map(say).collect()
}

const GERMAN: &str = "E-Mail;Vorname;Nachname;Anrede;Sprache\r\n\
    anna@example.org;Änne;Müller;Frau;Deutsch\r\n\
    bert@example.org;Bert;Öhme;Herr;en\r\n";

fn utf16(text: &str, mark: bool, octets: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let mark = mark.then_some('\u{FEFF}').map(String::from).unwrap_or_default();
    let text = mark + text;
    text.encode_utf16().flat_map(octets).collect()
}

#[test]
fn every_usual_encoding_is_read() {
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(GERMAN);
    let files = [
        (GERMAN.as_bytes().to_vec(), Encoding::Utf8),
        (format!("\u{FEFF}{GERMAN}").into_bytes(), Encoding::Utf8),
        (latin.into_owned(), Encoding::Windows1252),
        (utf16(GERMAN, true, u16::to_le_bytes), Encoding::Utf16Le),
        (utf16(GERMAN, true, u16::to_be_bytes), Encoding::Utf16Be),
        (utf16(GERMAN, false, u16::to_le_bytes), Encoding::Utf16Le),
        (utf16(GERMAN, false, u16::to_be_bytes), Encoding::Utf16Be),
    ];
    for (file, encoding) in files {
        let reader = Reader::open(&file[..], &Options::default()).unwrap();
        assert_eq!(reader.layout().encoding, encoding);
        assert_eq!(reader.layout().separator, b';');
        let rows = rows(&file);
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].line, 2);
        assert_eq!(rows[0].person.given.as_str(), "Änne");
        assert_eq!(rows[0].person.family.as_str(), "Müller");
        assert_eq!(rows[0].person.salutation, Salutation::Ms);
        assert_eq!(rows[1].person.language.unwrap().as_str(), "en");
        assert!(rows.iter().all(|row| row.notes.is_empty()));
    }
}

#[test]
fn stray_windows_1252_in_a_utf_8_file_is_read_too() {
    let mut file = "email;Vorname\na@example.org;Jörg\n".as_bytes().to_vec();
    file.extend_from_slice(b"b@example.org;J\xF6rg\n");
    let mut reader = Reader::open(&file[..], &Options::default()).unwrap();
    let given: Vec<_> = reader
        .by_ref()
        .map(|line| match line.unwrap() {
            Line::Row(row) => row.person.given.as_str().to_owned(),
            Line::Rejected(finding) => finding.to_string(),
        })
        .collect();
    assert_eq!(given, ["Jörg", "Jörg"]);
    assert_eq!(reader.legacy_rows(), 1);
}

#[test]
fn every_usual_separator_is_found() {
    for separator in [",", ";", "\t", "|"] {
        let file = GERMAN.replace(';', separator);
        assert_eq!(rows(file.as_bytes()).len(), 2, "{separator:?}");
        let bare = format!("Anna{separator}anna@example.org\nBert{separator}bert@example.org\n");
        assert_eq!(rows(bare.as_bytes()).len(), 2, "{separator:?}");
        let declared = format!("sep={separator}\n{file}");
        assert_eq!(rows(declared.as_bytes())[0].line, 3, "{separator:?}");
    }
}

#[test]
fn a_file_may_have_no_headings() {
    assert_eq!(
        summary(b"anna@example.org\n\nbert@example.org"),
        ["1 anna@example.org  ", "3 bert@example.org  "]
    );
    assert_eq!(
        summary(b"17;Beispiel;anna@example.org\n18;Muster;bert@example.org"),
        ["1 anna@example.org  ", "2 bert@example.org  "]
    );
}

#[test]
fn an_unknown_heading_over_addresses_is_a_heading() {
    assert_eq!(
        summary(b"Nr,Kontakt,Vorname\n1,anna@example.org,Anna\n"),
        ["2 anna@example.org Anna "]
    );
}

#[test]
fn the_caller_may_say_what_the_columns_hold() {
    let options = Options {
        separator: None,
        columns: Some(vec![Column::Family, Column::Given, Column::Address]),
    };
    for file in ["Beispiel;Anna;anna@example.org\n", "A;B;C\nBeispiel;Anna;anna@example.org\n"] {
        let mut reader = Reader::open(file.as_bytes(), &options).unwrap();
        let Some(Ok(Line::Row(row))) = reader.next() else {
            panic!("one row");
        };
        assert_eq!(row.person.family.as_str(), "Beispiel");
        assert!(reader.next().is_none());
    }
    let twice = Options { separator: None, columns: Some(vec![Column::Address, Column::Address]) };
    assert!(matches!(Reader::open(&b"a;b"[..], &twice), Err(Error::Columns)));
}

#[test]
fn a_bad_row_says_where_and_the_rest_goes_on() {
    let file = "E-Mail,Vorname,Status\n\
        anna@example.org,Anna,aktiv\n\
        bert(at)example.org,Bert,aktiv\n\
        carla@example.org,Carla,grün\n\
        ,Dora,\n\
        ,,\n\
        \u{A0} erna@example.org \u{200B},Erna,\n\
        emil@localhost,Emil,aktiv\n";
    assert_eq!(
        summary(file.as_bytes()),
        [
            "2 anna@example.org Anna ",
            "line 3, column 1 (E-Mail): the address has no @",
            "line 4, column 3 (Status): the standing is not understood \
             (active, pending, paused, left, unreachable, complained)",
            "line 5, column 1 (E-Mail): the address is empty",
            "7 erna@example.org Erna ",
            "line 8, column 1 (E-Mail): the address has a domain without a dot",
        ]
    );
}

#[test]
fn an_address_book_writes_the_name_beside_the_address() {
    let file = "Anna Beispiel <anna@example.org>\n\"\"\"Muster, Bert\"\" <bert@example.org>\"\n\
        <carla@example.org>\ndora@example.org\nErna <erna>\n";
    assert_eq!(
        summary(file.as_bytes()),
        [
            "1 anna@example.org Anna Beispiel",
            "2 bert@example.org Bert Muster",
            "3 carla@example.org  ",
            "4 dora@example.org  ",
            "line 5, column 1: the address has no @",
        ]
    );
    let named = "Name;E-Mail\nAnna Beispiel;A. B. <anna@example.org>\n";
    assert_eq!(summary(named.as_bytes()), ["2 anna@example.org Anna Beispiel"]);
}

#[test]
fn what_cannot_be_kept_is_left_out_and_noted() {
    let file = "email,vorname,anrede,sprache\nanna@example.org,https://example.org,Firma,?\n";
    let row = &rows(file.as_bytes())[0];
    let notes: Vec<String> = row.notes.iter().map(Finding::to_string).collect();
    assert_eq!(
        notes,
        [
            "line 2, column 3 (anrede): the form of address is not understood (Frau, Herr, divers); left out",
            "line 2, column 4 (sprache): the language is no language; de and en are; left out",
            "line 2, column 2 (vorname): the name looks like an address; left out",
        ]
    );
    let shifted = "email,vorname\nanna@example.org,Anna,Beispiel\n";
    let row = &rows(shifted.as_bytes())[0];
    assert!(row.person.given.is_empty());
    assert_eq!(row.notes[0].reason, Reason::Cells { found: 3, expected: 2 });
}

#[test]
fn standings_of_other_systems_are_understood() {
    let file = "Email;Status\na@example.org;subscribed\nb@example.org;Unsubscribed\n\
        c@example.org;cleaned\nd@example.org;\n";
    let standings: Vec<_> = rows(file.as_bytes()).iter().map(|row| row.standing).collect();
    assert_eq!(
        standings,
        [Some(Standing::Active), Some(Standing::Left), Some(Standing::Unreachable), None]
    );
}

#[test]
fn duplicates_are_known_by_their_first_line() {
    let file =
        "email\nAnna@example.org\nbert@example.org\nanna@EXAMPLE.org\n\"anna\"@example.org\n";
    let seen: Vec<_> = rows(file.as_bytes()).iter().map(|row| row.duplicate_of).collect();
    assert_eq!(seen, [None, None, Some(2), Some(2)]);
    let quoted = "email\nanna@example.org\n\"\"\"anna\"\"@example.org\"\n";
    assert_eq!(rows(quoted.as_bytes())[1].duplicate_of, Some(2));
}

#[test]
fn a_quotation_that_never_ends_costs_one_line() {
    let file = "email;name\n\"anna@example.org;Anna\nbert@example.org;Bert\n\"carla@example.org\";Carla\n\
        \"dora@example.org;Dora\nemil@example.org;Emil\n";
    assert_eq!(
        summary(file.as_bytes()),
        [
            "line 2: has a quotation mark that is never closed",
            "3 bert@example.org Bert ",
            "4 carla@example.org Carla ",
            "line 5: has a quotation mark that is never closed",
            "6 emil@example.org Emil ",
        ]
    );
}

#[test]
fn a_quotation_may_go_over_lines() {
    let file = "email;notiz\nanna@example.org;\"eins\nzwei\"\nbert@example.org;\n";
    assert_eq!(summary(file.as_bytes()), ["2 anna@example.org  ", "4 bert@example.org  "]);
}

#[test]
fn a_line_without_end_costs_itself() {
    let mut file = b"email\nanna@example.org\n".to_vec();
    file.extend(std::iter::repeat_n(b'x', RECORD_MAX * 3));
    file.extend_from_slice(b"\nbert@example.org\n");
    let read = lines(&file);
    assert!(matches!(&read[1], Line::Rejected(f) if f.reason == Reason::TooLong && f.line == 3));
    assert!(matches!(&read[2], Line::Row(row) if row.line == 4));
}

#[test]
fn old_macintosh_line_ends_are_line_ends() {
    assert_eq!(rows(b"email\ranna@example.org\rbert@example.org").len(), 2);
}

#[test]
fn what_is_no_list_is_refused_with_what_to_do() {
    let open = |file: &[u8]| Reader::open(file, &Options::default()).err().unwrap().to_string();
    assert_eq!(open(b""), "is empty");
    assert_eq!(open(b"\n\n"), "is empty");
    assert!(open(b"PK\x03\x04\x14\0").contains("save it as CSV"));
    assert!(open(b"abc\0def").contains("save it as CSV"));
    assert!(open(&vec![b'x'; 100_000]).contains("first line"));
    let error = open(b"Name;Ort\nAnna;Musterhafen\n");
    assert!(error.contains("Name | Ort"), "{error}");
    assert!(error.contains("--columns email"), "{error}");
}

#[test]
fn an_error_of_reading_ends_the_file() {
    struct Broken;
    impl std::io::Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("disk"))
        }
    }
    use std::io::Read as _;
    let many = "anna@example.org\n".repeat(8000);
    let mut reader = Reader::open(many.as_bytes().chain(Broken), &Options::default());
    assert!(
        matches!(reader, Err(Error::Io(_))) || reader.as_mut().unwrap().any(|line| line.is_err())
    );
}

#[test]
fn a_finding_never_shows_a_cell() {
    let file = "email\nanna beispiel@example.org\n";
    let finding = &summary(file.as_bytes())[0];
    assert!(!finding.contains("anna"), "{finding}");
    assert_eq!(
        lines(file.as_bytes())[0],
        Line::Rejected(Finding {
            line: 2,
            column: Some((1, "email".to_owned())),
            reason: Reason::Address(address::Error::LocalCharacter(' ')),
        })
    );
}

proptest! {
    /// However the file is cut into reads, the rows are the same, and as many
    /// as were written.
    #[test]
    fn many_rows_come_out_as_they_went_in(
        names in prop::collection::vec("[A-Za-zäöüß;,\" \n-]{0,12}", 1..300),
        crlf in any::<bool>(),
    ) {
        let end = if crlf { "\r\n" } else { "\n" };
        let mut file = format!("Vorname;E-Mail{end}");
        for (number, name) in names.iter().enumerate() {
            let quoted = name.replace('"', "\"\"").replace('\n', end);
            file.push_str(&format!("\"{quoted}\";r{number}@example.org{end}"));
        }
        let rows = rows(file.as_bytes());
        prop_assert_eq!(rows.len(), names.len());
        for (number, (row, name)) in rows.iter().zip(&names).enumerate() {
            prop_assert_eq!(row.address.local(), format!("r{number}"));
            let words: Vec<&str> = name.split_whitespace().collect();
            prop_assert_eq!(row.person.given.as_str(), words.join(" "));
        }
    }

    #[test]
    fn nothing_makes_it_panic_or_hang(file in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(reader) = Reader::open(&file[..], &Options::default()) {
            prop_assert!(reader.count() <= file.len());
        }
        let mut marked = b"email;x\na@example.org;\n".to_vec();
        marked.extend_from_slice(&file);
        if let Ok(reader) = Reader::open(&marked[..], &Options::default()) {
            prop_assert!(reader.count() <= marked.len());
        }
    }
}
