//! What a column holds, by its heading in German or English, as spreadsheets,
//! address books and other newsletter systems write it.

use std::fmt;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The e-mail address.
    Address,
    /// Given name.
    Given,
    /// Family name.
    Family,
    /// The whole name.
    Name,
    /// Form of address.
    Salutation,
    /// Language.
    Language,
    /// Where the subscription stood in the other system.
    Standing,
    /// Something we have no use for.
    Other,
}

/// Words for columns, in the order of [`Column`]; the first is also what
/// `--columns` takes.
const WORDS: [(Column, &str, &[&str]); 8] = [
    (
        Column::Address,
        "email",
        &[
            "mail",
            "emailadresse",
            "emailaddress",
            "mailadresse",
            "mailaddress",
            "email1value",
            "primäreemailadresse",
            "primaryemail",
            "emailadresse1",
            "email1",
            "empfänger",
            "subscriber",
            "abonnent",
            "useremail",
            "contactemail",
            "kontaktemail",
            "emailprivat",
            "emaildienstlich",
        ],
    ),
    (
        Column::Given,
        "given_name",
        &["givenname", "vorname", "rufname", "firstname", "fname", "first", "forename", "vornamen"],
    ),
    (
        Column::Family,
        "family_name",
        &[
            "familyname",
            "nachname",
            "familienname",
            "zuname",
            "lastname",
            "lname",
            "last",
            "surname",
        ],
    ),
    (
        Column::Name,
        "name",
        &[
            "fullname",
            "vollername",
            "vollständigername",
            "displayname",
            "anzeigename",
            "vorundnachname",
            "vornamenachname",
            "namevorname",
            "contactname",
            "kontaktname",
        ],
    ),
    (Column::Salutation, "salutation", &["anrede", "geschlecht", "gender", "sex", "formofaddress"]),
    (
        Column::Language,
        "language",
        &["sprache", "lang", "locale", "sprachcode", "languagecode", "korrespondenzsprache"],
    ),
    (
        Column::Standing,
        "standing",
        &["status", "abostatus", "subscriptionstatus", "zustand", "memberrating status"],
    ),
    (Column::Other, "-", &[]),
];

impl Column {
    /// The column of a word of `--columns`.
    pub fn parse(word: &str) -> Option<Self> {
        let named = WORDS.iter().find(|(_, name, _)| *name == word);
        named.map(|(column, _, _)| *column)
    }

    /// The words that [`Column::parse`] takes.
    pub fn words() -> impl Iterator<Item = &'static str> {
        WORDS.iter().map(|(_, name, _)| *name)
    }

    /// The column of a heading; case, blanks and punctuation do not matter.
    pub(super) fn of_heading(heading: &str) -> Self {
        let letters = |text: &str| -> String {
            let lower = text.to_lowercase();
            lower.chars().filter(|c| c.is_alphanumeric()).collect()
        };
        let heading = letters(heading);
        let fits = |(_, name, others): &&(Self, &str, &[&str])| {
            letters(name) == heading || others.contains(&heading.as_str())
        };
        if heading.is_empty() {
            return Self::Other;
        }
        WORDS.iter().find(fits).map_or(Self::Other, |(column, _, _)| *column)
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = WORDS.iter().find(|(column, _, _)| column == self);
        f.write_str(named.map_or("-", |(_, name, _)| name))
    }
}

/// The columns of a line of headings: each kind once, the first one wins. Beside
/// a given name, `Name` is the family name, as German lists have it.
pub(super) fn of_headings(headings: &[String]) -> Vec<Column> {
    let mut columns: Vec<Column> =
        headings.iter().map(|heading| Column::of_heading(heading)).collect();
    let has = |columns: &[Column], column| columns.contains(&column);
    if has(&columns, Column::Given) && !has(&columns, Column::Family) {
        for column in columns.iter_mut().filter(|c| **c == Column::Name) {
            *column = Column::Family;
        }
    }
    for at in 1..columns.len() {
        if columns[..at].contains(&columns[at]) {
            columns[at] = Column::Other;
        }
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::{Column, of_headings};

    fn columns(headings: &str) -> String {
        let headings: Vec<String> = headings.split(';').map(str::to_owned).collect();
        let columns = of_headings(&headings);
        let words: Vec<String> = columns.iter().map(Column::to_string).collect();
        words.join(" ")
    }

    #[test]
    fn headings_are_recognised_in_two_languages() {
        let cases = [
            (
                "E-Mail;Vorname;Nachname;Anrede;Sprache",
                "email given_name family_name salutation language",
            ),
            ("Email Address;First Name;Last Name", "email given_name family_name"),
            ("EMAIL;VORNAME;NACHNAME;STATUS", "email given_name family_name standing"),
            ("Name;Vorname;E-Mail-Adresse", "family_name given_name email"),
            ("Name;E-mail 1 - Value", "name email"),
            ("Kundennummer;Primäre E-Mail-Adresse;", "- email -"),
            ("email;E-Mail", "email -"),
            (
                "email;salutation;given_name;family_name;language;standing;since",
                "email salutation given_name family_name language standing -",
            ),
        ];
        for (headings, expected) in cases {
            assert_eq!(columns(headings), expected, "{headings}");
        }
    }

    #[test]
    fn every_word_names_its_column() {
        for word in Column::words() {
            assert_eq!(Column::parse(word).unwrap().to_string(), word);
        }
    }
}
