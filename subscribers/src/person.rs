//! How a person wants to be addressed. All of it may be missing.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::unwanted;

/// Characters of a name; the longest lawful German ones stay below 80.
pub const NAME_MAX: usize = 100;

/// The form of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Salutation {
    /// Not known: the greeting uses the name, or nobody's.
    #[default]
    #[serde(rename = "")]
    Unknown,
    /// Frau, Ms.
    Ms,
    /// Herr, Mr.
    Mr,
    /// Wants neither.
    Neutral,
}

/// All forms of address.
pub const SALUTATIONS: [Salutation; 4] =
    [Salutation::Unknown, Salutation::Ms, Salutation::Mr, Salutation::Neutral];

impl Salutation {
    /// The word in the database, in JSON and in exports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Ms => "ms",
            Self::Mr => "mr",
            Self::Neutral => "neutral",
        }
    }

    /// The form of address of a word, as [`Salutation::as_str`] writes it.
    pub fn parse(word: &str) -> Option<Self> {
        SALUTATIONS.into_iter().find(|one| one.as_str() == word)
    }

    /// The form of address that a list or a form means by a word, in German or English.
    pub fn recognise(word: &str) -> Option<Self> {
        let word = word.trim().trim_end_matches('.').to_lowercase();
        match word.as_str() {
            "" => Some(Self::Unknown),
            "frau" | "fr" | "ms" | "mrs" | "miss" | "madam" | "w" | "f" | "weiblich" | "female" => {
                Some(Self::Ms)
            }
            "herr" | "herrn" | "hr" | "mr" | "sir" | "m" | "männlich" | "male" => Some(Self::Mr),
            "divers" | "d" | "mx" | "neutral" | "keine" | "keine angabe" | "none" | "ohne"
            | "x" => Some(Self::Neutral),
            _ => None,
        }
    }
}

/// A given or a family name; empty when not known.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Name(String);

/// Why a text is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Longer than [`NAME_MAX`].
    #[error("is longer than {NAME_MAX} characters")]
    TooLong,
    /// Something nobody can see, or left behind by a wrong encoding.
    #[error("has a character that no name has: {}", .0.escape_default())]
    Character(char),
    /// A web or mail address: names are shown in mails, and must not advertise.
    #[error("looks like an address")]
    Address,
}

impl Name {
    /// Reads a name; white space around and runs of it inside are made one space.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let mut name = String::with_capacity(text.len().min(NAME_MAX));
        for word in text.split_whitespace() {
            if !name.is_empty() {
                name.push(' ');
            }
            name.push_str(word);
            if name.len() > NAME_MAX * 4 {
                return Err(NameError::TooLong);
            }
        }
        if name.chars().count() > NAME_MAX {
            return Err(NameError::TooLong);
        }
        if let Some(bad) = name.chars().find(|c| unwanted(*c) || "<>{}|\\^".contains(*c)) {
            return Err(NameError::Character(bad));
        }
        let lower = name.to_lowercase();
        if lower.contains("://") || lower.contains("www.") || lower.contains('@') {
            return Err(NameError::Address);
        }
        Ok(Self(name))
    }

    /// The name, perhaps empty.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is not known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(…)")
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

/// A language by its primary subtag (RFC 5646): `de`, `en`, `nds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Language([u8; 3]);

/// A word that names no language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no language; de and en are")]
pub struct NoLanguage;

impl Language {
    /// The language of a tag (`de`, `de-AT`, `EN_gb`) or of its name in German,
    /// English or its own tongue.
    pub fn recognise(word: &str) -> Result<Self, NoLanguage> {
        let word = word.trim().to_lowercase();
        let tag = match word.as_str() {
            "deutsch" | "german" => "de",
            "englisch" | "english" => "en",
            "französisch" | "french" | "français" => "fr",
            "italienisch" | "italian" | "italiano" => "it",
            "spanisch" | "spanish" | "español" => "es",
            "niederländisch" | "dutch" | "nederlands" => "nl",
            "polnisch" | "polish" | "polski" => "pl",
            "türkisch" | "turkish" | "türkçe" => "tr",
            "ukrainisch" | "ukrainian" => "uk",
            "russisch" | "russian" => "ru",
            "arabisch" | "arabic" => "ar",
            other => other.split(['-', '_']).next().unwrap_or_default(),
        };
        let lawful = matches!(tag.len(), 2 | 3) && tag.bytes().all(|b| b.is_ascii_lowercase());
        if !lawful {
            return Err(NoLanguage);
        }
        let mut octets = [0; 3];
        octets[..tag.len()].copy_from_slice(tag.as_bytes());
        Ok(Self(octets))
    }

    /// The tag.
    pub fn as_str(&self) -> &str {
        let length = if self.0[2] == 0 { 2 } else { 3 };
        str::from_utf8(&self.0[..length]).expect("a tag is ASCII")
    }
}

impl From<Language> for String {
    fn from(language: Language) -> Self {
        language.as_str().to_owned()
    }
}

impl TryFrom<String> for Language {
    type Error = NoLanguage;

    fn try_from(text: String) -> Result<Self, NoLanguage> {
        Self::recognise(&text)
    }
}

/// Everything known about how to address a person.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Person {
    /// The form of address.
    pub salutation: Salutation,
    /// Given name.
    pub given: Name,
    /// Family name.
    pub family: Name,
    /// The language they read; `None`: the newsletter's.
    pub language: Option<Language>,
}

/// Words that begin a family name.
const PARTICLES: [&str; 10] = ["von", "vom", "zu", "zum", "van", "de", "del", "di", "da", "le"];

/// Splits a whole name: `Beispiel, Anna`, or the last word, with the particles
/// before it, as the family name.
pub fn split_name(whole: &str) -> (&str, &str) {
    let whole = whole.trim();
    if let Some((family, given)) = whole.split_once(',') {
        return (given.trim(), family.trim());
    }
    let particle =
        PARTICLES.iter().filter_map(|particle| whole.find(&format!(" {particle} "))).min();
    match particle.or_else(|| whole.rfind(' ')) {
        Some(at) => (whole[..at].trim(), whole[at..].trim()),
        None => (whole, ""),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{Language, NAME_MAX, Name, NameError, SALUTATIONS, Salutation, split_name};

    #[test]
    fn names_are_tidied_and_checked() {
        let name = |text: &str| Name::parse(text).map(|name| name.as_str().to_owned());
        assert_eq!(name("  Anna \t Maria\u{A0}"), Ok("Anna Maria".to_owned()));
        assert_eq!(name("Müller-Lüdenscheidt"), Ok("Müller-Lüdenscheidt".to_owned()));
        assert_eq!(name("O’Neill"), Ok("O’Neill".to_owned()));
        assert_eq!(name("M\u{FFFD}ller"), Err(NameError::Character('\u{FFFD}')));
        assert_eq!(name("An\u{202E}na"), Err(NameError::Character('\u{202E}')));
        assert_eq!(name("<b>Anna"), Err(NameError::Character('<')));
        assert_eq!(name("Gewinn: https://example.org"), Err(NameError::Address));
        assert_eq!(name("anna@example.org"), Err(NameError::Address));
        assert_eq!(name(&"ä".repeat(NAME_MAX)).unwrap().chars().count(), NAME_MAX);
        assert_eq!(name(&"ä".repeat(NAME_MAX + 1)), Err(NameError::TooLong));
        assert_eq!(format!("{:?}", Name::parse("Anna").unwrap()), "Name(…)");
    }

    #[test]
    fn forms_of_address_are_recognised_in_two_languages() {
        for word in ["Frau", "FR.", "w", "Mrs", "female"] {
            assert_eq!(Salutation::recognise(word), Some(Salutation::Ms), "{word}");
        }
        for word in ["Herr", "Herrn", "Mr.", "männlich"] {
            assert_eq!(Salutation::recognise(word), Some(Salutation::Mr), "{word}");
        }
        assert_eq!(Salutation::recognise("Keine Angabe"), Some(Salutation::Neutral));
        assert_eq!(Salutation::recognise("Firma"), None);
        for salutation in SALUTATIONS {
            assert_eq!(Salutation::parse(salutation.as_str()), Some(salutation));
            assert_eq!(Salutation::recognise(salutation.as_str()), Some(salutation));
        }
    }

    #[test]
    fn languages_are_recognised_by_tag_and_name() {
        for (word, tag) in
            [("de", "de"), ("DE_at", "de"), ("en-GB", "en"), ("Deutsch", "de"), ("nds", "nds")]
        {
            assert_eq!(Language::recognise(word).unwrap().as_str(), tag, "{word}");
        }
        for word in ["", "x", "klingonisch", "d3", "ü"] {
            assert!(Language::recognise(word).is_err(), "{word}");
        }
    }

    #[test]
    fn whole_names_are_split() {
        assert_eq!(split_name("Anna Beispiel"), ("Anna", "Beispiel"));
        assert_eq!(split_name("Anna Maria Beispiel"), ("Anna Maria", "Beispiel"));
        assert_eq!(split_name("Beispiel, Anna"), ("Anna", "Beispiel"));
        assert_eq!(split_name("Anna von der Heide"), ("Anna", "von der Heide"));
        assert_eq!(split_name("Anna"), ("Anna", ""));
        assert_eq!(split_name(""), ("", ""));
    }

    proptest! {
        #[test]
        fn a_name_stays_as_it_was_read(text in any::<String>()) {
            if let Ok(name) = Name::parse(&text) {
                let again = Name::parse(name.as_str()).unwrap();
                prop_assert_eq!(&again, &name);
                prop_assert!(!name.as_str().contains(['\r', '\n', '\0', '<']));
            }
        }
    }
}
