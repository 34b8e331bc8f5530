//! The fields of a newsletter's definition: what may stand in each.
//!
//! Each type has one way in, which serde uses as well, so that a mistake carries
//! the line it stands in. Refusals say what is allowed.

use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::schedule;
use crate::source::reach;

/// Characters of a title, a name, a heading: more than that does not fit a header or a page.
const LINE_MAX: usize = 150;
/// Characters of a slug, which stands in addresses and in List-Id.
const SLUG_MAX: usize = 40;
/// Articles that one issue may hold: beyond that no mail stays under Gmail's 102 kB.
const ISSUE_MAX: u32 = 100;
/// Days that an event may be ahead, or an article old.
const DAYS_MAX: u32 = 730;
/// Days that a probe may wait: later, the next issues have told.
const PROBE_MAX: u32 = 30;
/// The highest score of soft bounces: more than that is never reached.
const SCORE_MAX: f64 = 50.0;
/// Mails of a first wave: more is no beginning.
const WAVE_MAX: u32 = 100_000;
/// Minutes that a policy may wait: a week.
const MINUTES_MAX: u32 = 7 * 24 * 60;

/// Makes a newtype over a text with one way in, used by serde as well.
macro_rules! parsed {
    ($name:ident) => {
        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = String;
            fn try_from(text: String) -> Result<Self, String> {
                Self::parse(&text)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

/// A short name: lower-case letters, digits and single hyphens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slug(String);
parsed!(Slug);

impl Slug {
    /// Reads a short name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let word = |word: &str| {
            !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        if text.len() <= SLUG_MAX && text.split('-').all(word) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "{text:?} is no short name; use up to {SLUG_MAX} lower-case letters, digits and hyphens, as in \"musterhafen\""
            ))
        }
    }
}

/// One line of text, not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Line(String);
parsed!(Line);

impl Line {
    /// Reads a line; white space around it goes.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let length = text.chars().count();
        if text.is_empty() {
            Err("is empty; a text is needed here".to_owned())
        } else if text.chars().any(char::is_control) {
            Err("has a line break or another control character; one line is allowed".to_owned())
        } else if length > LINE_MAX {
            Err(format!("has {length} characters; at most {LINE_MAX} are allowed"))
        } else {
            Ok(Self(text.to_owned()))
        }
    }
}

/// A public web address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address(String);
parsed!(Address);

impl Address {
    /// Reads an address that begins with `https://` and that every reader reaches.
    pub fn parse(text: &str) -> Result<Self, String> {
        let refuse = |why: &str| format!("{text:?} {why}; allowed: https://HOST/… that is public");
        let url = url::Url::parse(text).map_err(|_| refuse("is no web address"))?;
        if url.scheme() != "https" || !url.has_host() {
            return Err(refuse("is no web address that begins with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a name or a password before its host, which every reader would see; leave it out".to_owned());
        }
        match reach::hidden(&url) {
            Some(why) => Err(refuse(&format!("is {why}"))),
            None => Ok(Self(url.into())),
        }
    }
}

/// The identifier of a mailing list (RFC 2919): a domain name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ListId(String);
parsed!(ListId);

impl ListId {
    /// Reads labels parted by dots.
    pub fn parse(text: &str) -> Result<Self, String> {
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        if text.len() <= 255 && text.contains('.') && text.split('.').all(label) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!(
                "{text:?} is no list identifier; use a name such as \"newsletter.example.de\""
            ))
        }
    }
}

/// A time zone of the system's database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(String);
parsed!(Zone);

impl Zone {
    /// Reads an IANA name.
    pub fn parse(text: &str) -> Result<Self, String> {
        schedule::zone(text).map(|_| Self(text.to_owned())).map_err(|error| error.to_string())
    }

    /// The zone's rules; UTC where the system has forgotten them since.
    pub fn zone(&self) -> TimeZone {
        schedule::zone(&self.0).unwrap_or(TimeZone::UTC)
    }
}

/// A cron expression.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expression(String);
parsed!(Expression);

impl Expression {
    /// Reads five crontab fields.
    pub fn parse(text: &str) -> Result<Self, String> {
        schedule::Schedule::parse(text, TimeZone::UTC)
            .map(|_| Self(text.trim().to_owned()))
            .map_err(|error| error.to_string())
    }
}

/// Makes a newtype over a number with a range.
macro_rules! ranged {
    ($(#[$doc:meta])* $name:ident, $range:expr, $unit:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "u32", into = "u32")]
        pub struct $name(u32);

        impl $name {
            /// A number that stands in the code, where its range is plain.
            pub(super) const fn new(number: u32) -> Self {
                Self(number)
            }

            /// The number.
            pub fn get(self) -> u32 {
                self.0
            }
        }

        impl TryFrom<u32> for $name {
            type Error = String;
            fn try_from(number: u32) -> Result<Self, String> {
                let range = $range;
                if range.contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(format!(
                        "{number} is out of range; allowed: {} to {} {}",
                        range.start(), range.end(), $unit
                    ))
                }
            }
        }

        impl From<$name> for u32 {
            fn from(number: $name) -> u32 {
                number.0
            }
        }
    };
}

ranged!(
    /// How many articles or events.
    Count, 0..=ISSUE_MAX, "articles"
);
ranged!(
    /// How many mails go out first.
    Mails, 0..=WAVE_MAX, "mails"
);
ranged!(
    /// How many days.
    Days, 1..=DAYS_MAX, "days"
);
ranged!(
    /// How many minutes.
    Minutes, 0..=MINUTES_MAX, "minutes"
);

ranged!(
    /// How many hard bounces.
    HardBounces, 1..=2, "hard bounces"
);
ranged!(
    /// How many days until a probe.
    ProbeDays, 0..=PROBE_MAX, "days"
);

/// A score of soft bounces.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Score(f64);

impl Score {
    /// A number that stands in the code, where its range is plain.
    pub(super) const fn new(number: f64) -> Self {
        Self(number)
    }

    /// The number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Score {
    type Error = String;
    fn try_from(number: f64) -> Result<Self, String> {
        if (1.0..=SCORE_MAX).contains(&number) {
            Ok(Self(number))
        } else {
            Err(format!("{number} is out of range; allowed: 1.0 to {SCORE_MAX:.1}"))
        }
    }
}

impl From<Score> for f64 {
    fn from(score: Score) -> f64 {
        score.0
    }
}

impl Count {
    /// As many as there are.
    pub fn any() -> Self {
        Self(ISSUE_MAX)
    }
}
