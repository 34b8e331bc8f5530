//! Made-up content in every size and shape, for tests, previews and judges.
//!
//! The town of Musterhafen does not exist.

use jiff::civil::{Date, date};

use crate::issue::Issue;
use crate::language::Language;
use crate::publication::{Imprint, Publication};

mod english;
mod german;
pub mod hard;
pub mod service;

/// The kinds of issues that there are samples of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sample {
    /// One article.
    Short,
    /// Three articles, two events, a quote.
    Usual,
    /// Twenty-five articles in four sections.
    Long,
    /// No picture at all.
    NoPictures,
    /// Pictures without a size, without an address, with a forbidden one, a tiny one.
    BrokenPictures,
    /// Words that are longer than a phone is wide.
    Compounds,
    /// An article and an event in Arabic, an article in French, a list of contents.
    RightToLeft,
    /// Emoji in every field.
    Emoji,
    /// An article of one word.
    OneWord,
    /// Quotation marks, angle brackets, ampersands and reordering marks in every field.
    Hostile,
    /// Working markup and scripts in every field.
    Markup,
}

impl Sample {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Short,
        Self::Usual,
        Self::Long,
        Self::NoPictures,
        Self::BrokenPictures,
        Self::Compounds,
        Self::RightToLeft,
        Self::Emoji,
        Self::OneWord,
        Self::Hostile,
        Self::Markup,
    ];

    /// A short name for files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Short => "short",
            Self::Usual => "usual",
            Self::Long => "long",
            Self::NoPictures => "no-pictures",
            Self::BrokenPictures => "broken-pictures",
            Self::Compounds => "compounds",
            Self::RightToLeft => "right-to-left",
            Self::Emoji => "emoji",
            Self::OneWord => "one-word",
            Self::Hostile => "hostile",
            Self::Markup => "markup",
        }
    }

    /// The issue.
    pub fn issue(self, language: Language) -> Issue {
        match self {
            Self::Short => words(language).short(),
            Self::Usual => words(language).usual(),
            Self::Long => words(language).long(),
            Self::NoPictures => hard::no_pictures(words(language).usual()),
            Self::BrokenPictures => hard::broken_pictures(words(language).usual()),
            Self::Compounds => hard::compounds(words(language).short(), language),
            Self::RightToLeft => hard::right_to_left(words(language).usual()),
            Self::Emoji => hard::emoji(words(language).usual()),
            Self::OneWord => hard::one_word(words(language).short()),
            Self::Hostile => hard::everywhere(words(language).usual(), hard::HOSTILE),
            Self::Markup => hard::everywhere(words(language).usual(), hard::MARKUP),
        }
    }
}

/// The samples' content in one language.
struct Content {
    short: fn() -> Issue,
    usual: fn() -> Issue,
    long: fn() -> Issue,
}

impl Content {
    fn short(&self) -> Issue {
        (self.short)()
    }

    fn usual(&self) -> Issue {
        (self.usual)()
    }

    fn long(&self) -> Issue {
        (self.long)()
    }
}

fn words(language: Language) -> Content {
    match language {
        Language::German => {
            Content { short: german::short, usual: german::usual, long: german::long }
        }
        Language::English => {
            Content { short: english::short, usual: english::usual, long: english::long }
        }
    }
}

/// The day of every sample.
pub const DAY: Date = date(2026, 11, 23);

/// Who publishes the samples.
pub fn publication(language: Language) -> Publication {
    let (name, claim, privacy, accessibility, representative) = match language {
        Language::German => (
            "Hafenpost",
            "Neues aus Rathaus und Quartieren",
            "datenschutz",
            "barrierefreiheit",
            "Oberbürgermeisterin Dr. Jana Muster",
        ),
        Language::English => (
            "Harbour Post",
            "News from the town hall and the neighbourhoods",
            "en/privacy",
            "en/accessibility",
            "Dr Jana Muster, Lord Mayor",
        ),
    };
    let site = "https://www.musterhafen.example.org";
    Publication {
        name: name.to_owned(),
        claim: Some(claim.to_owned()),
        home_url: Some(site.to_owned()),
        privacy_url: format!("{site}/{privacy}"),
        accessibility_url: Some(format!("{site}/{accessibility}")),
        imprint: Imprint {
            name: "Stadt Musterhafen".to_owned(),
            representative: representative.to_owned(),
            street: "Rathausplatz 1".to_owned(),
            place: "12345 Musterhafen".to_owned(),
            country: None,
            email: "redaktion@musterhafen.example.org".to_owned(),
            phone: "+49 (0)1234 56-0".to_owned(),
            responsible: Some("Kim Beispiel".to_owned()),
            authority: None,
            register: None,
            vat_id: None,
        },
    }
}
