//! The languages a mail can be written in, and the direction of any language.

use serde::{Deserialize, Serialize};

/// A language that the standing words exist in.
///
/// A third one: add it here, and the compiler names every place that wants it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Language {
    /// German, with the formal address.
    #[serde(rename = "de")]
    German,
    /// English, with British dates.
    #[serde(rename = "en")]
    English,
}

impl Language {
    /// Every language there is.
    pub const ALL: [Self; 2] = [Self::German, Self::English];

    /// The language tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::German => "de",
            Self::English => "en",
        }
    }

    /// What it calls itself.
    pub fn name(self) -> &'static str {
        match self {
            Self::German => "Deutsch",
            Self::English => "English",
        }
    }

    /// The language of a tag such as `de-AT`, if the standing words exist in it.
    pub fn parse(tag: &str) -> Option<Self> {
        let first = primary(tag);
        Self::ALL.into_iter().find(|known| known.tag() == first)
    }
}

/// Which way a language runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Left to right.
    Ltr,
    /// Right to left.
    Rtl,
}

impl Direction {
    /// The value of the HTML attribute `dir`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ltr => "ltr",
            Self::Rtl => "rtl",
        }
    }
}

/// Which way text of this language tag runs.
pub fn direction(tag: &str) -> Direction {
    match primary(tag).as_str() {
        "ar" | "arc" | "ckb" | "dv" | "fa" | "he" | "ps" | "sd" | "ug" | "ur" | "yi" => {
            Direction::Rtl
        }
        _ => Direction::Ltr,
    }
}

fn primary(tag: &str) -> String {
    tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase()
}
