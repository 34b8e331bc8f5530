//! One article record: what a source yields and an issue shows.
//!
//! The types here are plain data and serialise to the JSON that `article show --json`
//! prints and the table `article` keeps ([`entry`]). Reading pages and feeds is `source`'s work.

pub mod entry;
pub mod slug;

use std::fmt;
use std::str::FromStr;

use rundbrief_templates::publication::dialled;
use serde::{Deserialize, Serialize};
use url::Url;

/// The key of an article: what `article list` prints and other commands take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ArticleId(i64);

crate::column!(ArticleId, i64);

impl ArticleId {
    /// Wraps a key as the database gives it.
    pub const fn new(id: i64) -> Self {
        Self(id)
    }

    /// The key as the database stores it.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for ArticleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ArticleId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.trim().parse().map(Self)
    }
}

/// One article, as a source read it. Text fields are plain text with single spaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The headline; never empty in a stored article.
    pub title: String,
    /// The path above the title (breadcrumb, rubric), outermost first.
    #[serde(default)]
    pub kicker: Vec<String>,
    /// The line below the title.
    #[serde(default)]
    pub subtitle: Option<String>,
    /// Whole sentences that stand for the article in a mail.
    #[serde(default)]
    pub teaser: String,
    /// The text: sanitised HTML without pictures and without its title.
    #[serde(default)]
    pub body: Html,
    /// The pictures in the order of the page.
    #[serde(default)]
    pub images: Vec<Image>,
    /// The links of the body, each address once, in order.
    #[serde(default)]
    pub links: Vec<Link>,
    /// When and where, if the article announces something.
    #[serde(default)]
    pub event: Option<Event>,
    /// When the source says it was published.
    #[serde(default)]
    pub published_at: Option<jiff::Timestamp>,
    /// Where the article stands on the web.
    #[serde(default)]
    pub url: Option<WebAddress>,
    /// A language tag such as `de` or `en-GB`.
    #[serde(default)]
    pub language: Option<String>,
    /// Who wrote it.
    #[serde(default)]
    pub authors: Vec<String>,
    /// Rubrics and keywords the source names; rules sort by them.
    #[serde(default)]
    pub categories: Vec<String>,
}

/// A picture of an article.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Where the picture comes from; readers never load it from there.
    pub url: String,
    /// The alternative text; empty when the source gives none.
    #[serde(default)]
    pub alt: String,
    /// The line below the picture, without the credit.
    #[serde(default)]
    pub caption: Option<String>,
    /// Who took it: the name alone, without "Foto:".
    #[serde(default)]
    pub credit: Option<String>,
    /// Pixels: of our copy when there is one, else what the source says.
    #[serde(default)]
    pub width: Option<u32>,
    /// Pixels, as with the width.
    #[serde(default)]
    pub height: Option<u32>,
    /// The file name under which our own copy is served (`/picture/NAME`): its hash and
    /// kind. `None` while it could not be had; such a picture is shown nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The name of its copy for narrow places; `None` where the picture is narrow itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub small: Option<String>,
    /// Why there is no copy of our own; `None` while nobody tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
}

/// A link in the text of an article.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The target.
    pub url: WebAddress,
    /// The words that carry the link.
    pub text: String,
}

/// What an article announces.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When it begins.
    pub start: Moment,
    /// When it ends, if that is said.
    #[serde(default)]
    pub end: Option<Moment>,
    /// Where it is, if that is said.
    #[serde(default)]
    pub place: Option<String>,
}

/// A day or a time as a source writes it: `2026-12-03`, `2026-12-03T16:00:00` (the wall clock
/// where the newsletter is read) or `2026-12-03T15:00:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Moment {
    /// A whole day.
    Day(jiff::civil::Date),
    /// A time on the wall clock, no zone given.
    Local(jiff::civil::DateTime),
    /// An instant.
    Instant(jiff::Timestamp),
}

/// A text that is no day and no time.
#[derive(Debug, thiserror::Error)]
#[error("{0:?} is no date; write 2026-12-03, 2026-12-03T16:00 or 2026-12-03T16:00+01:00")]
pub struct NoMoment(String);

impl Moment {
    /// The day on the wall clock of `zone`.
    pub fn day(self, zone: &jiff::tz::TimeZone) -> jiff::civil::Date {
        match self {
            Self::Day(day) => day,
            Self::Local(local) => local.date(),
            Self::Instant(instant) => zone.to_datetime(instant).date(),
        }
    }

    /// The time of day on the wall clock of `zone`; `None` for a whole day.
    pub fn time(self, zone: &jiff::tz::TimeZone) -> Option<jiff::civil::Time> {
        match self {
            Self::Day(_) => None,
            Self::Local(local) => Some(local.time()),
            Self::Instant(instant) => Some(zone.to_datetime(instant).time()),
        }
    }

    /// The instant in `zone`; a whole day counts from its first moment.
    pub fn instant(self, zone: &jiff::tz::TimeZone) -> Option<jiff::Timestamp> {
        let local = match self {
            Self::Day(day) => day.to_datetime(jiff::civil::Time::midnight()),
            Self::Local(local) => local,
            Self::Instant(instant) => return Some(instant),
        };
        zone.to_ambiguous_zoned(local).compatible().ok().map(|zoned| zoned.timestamp())
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let text = text.trim();
        let has_time = text.len() > 10;
        if has_time && let Ok(instant) = text.parse() {
            return Ok(Self::Instant(instant));
        }
        if has_time && let Ok(local) = text.parse() {
            return Ok(Self::Local(local));
        }
        text.parse().map(Self::Day).map_err(|_| NoMoment(text.to_owned()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(day) => day.fmt(f),
            Self::Local(local) => local.fmt(f),
            Self::Instant(instant) => instant.fmt(f),
        }
    }
}

impl TryFrom<String> for Moment {
    type Error = NoMoment;

    fn try_from(text: String) -> Result<Self, NoMoment> {
        text.parse()
    }
}

impl From<Moment> for String {
    fn from(moment: Moment) -> Self {
        moment.to_string()
    }
}

/// HTML that went through `source::sanitise`, which alone makes it from foreign text; the
/// other way in is our own database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Html(String);

impl Html {
    /// For `source::sanitise` only: everything else would let foreign markup through.
    pub(crate) fn sanitised(html: String) -> Self {
        Self(html)
    }

    /// The markup, safe to be written into a page as it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Digits that a telephone number has at least, as in 115.
const NUMBER_MIN: usize = 3;

/// An address a reader can follow: `https`, `http`, `mailto` or `tel`, absolute and normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebAddress(String);

/// Why a text is no address a reader can follow.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0:?} is no web address; it needs to begin with https://, http://, mailto: or tel: and to say what follows"
)]
pub struct NoWebAddress(String);

/// Takes a name and a password out of an address; says whether there were any.
pub fn hide_credentials(url: &mut Url) -> bool {
    let any = !url.username().is_empty() || url.password().is_some();
    // Both refuse only addresses without a host, which have none of them.
    any && url.set_username("").is_ok() && url.set_password(None).is_ok()
}

impl WebAddress {
    /// Reads an absolute address; a name and a password before the host are left out.
    pub fn parse(text: &str) -> Result<Self, NoWebAddress> {
        let refuse = || NoWebAddress(text.chars().take(200).collect());
        let mut url = Url::parse(text.trim()).map_err(|_| refuse())?;
        hide_credentials(&mut url);
        let address = match url.scheme() {
            "http" | "https" if url.has_host() => Some(Self(url.into())),
            "mailto" if !url.path().is_empty() || url.query().is_some() => Some(Self(url.into())),
            "tel" => number(url.path()).map(|number| Self(format!("tel:{number}"))),
            _ => None,
        };
        address.ok_or_else(refuse)
    }

    /// The address as it stands in a `href`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `http` or `https`.
    pub fn is_web(&self) -> bool {
        self.0.starts_with("http")
    }
}

/// What is dialled of the path of a `tel:` address; blanks, brackets and parameters go.
fn number(path: &str) -> Option<String> {
    let path = path.split(';').next().unwrap_or_default();
    let mut parts = path.split('%');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    // Two digits behind a percent sign are a character that is none to dial.
    plain.extend(parts.filter_map(|part| part.get(2..)));
    let number = dialled(&plain);
    let digits = number.chars().filter(char::is_ascii_digit).count();
    (digits >= NUMBER_MIN).then_some(number)
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for WebAddress {
    type Error = NoWebAddress;

    fn try_from(text: String) -> Result<Self, NoWebAddress> {
        Self::parse(&text)
    }
}

impl From<WebAddress> for String {
    fn from(address: WebAddress) -> Self {
        address.0
    }
}

#[cfg(test)]
mod tests {
    use super::{Moment, Record, WebAddress};

    #[test]
    fn a_record_survives_its_json() {
        let record = Record {
            title: "Neue Radwege".to_owned(),
            url: Some(WebAddress::parse("https://example.org/radwege").unwrap()),
            published_at: Some("2026-11-23T08:00:00Z".parse().unwrap()),
            ..Record::default()
        };
        let json = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&json).unwrap(), record);
        assert!(json.contains(r#""published_at":"2026-11-23T08:00:00Z""#));
    }

    #[test]
    fn a_telephone_number_is_what_is_dialled() {
        let number = |text: &str| WebAddress::parse(text).map(String::from).ok();
        let right = Some("tel:+4930123".to_owned());
        assert_eq!(number("tel:+49 30 123"), right);
        assert_eq!(number("tel:+49%20(0)30%2F123;ext=7"), right);
        assert_eq!(number("tel:115").as_deref(), Some("tel:115"));
        assert_eq!(number("mailto:?subject=Hafen").as_deref(), Some("mailto:?subject=Hafen"));
        for bad in ["tel:", "tel:+", "tel:keine", "mailto:"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_that_runs_a_script_is_none() {
        for bad in ["javascript:alert(1)", "/relative", "data:text/html,x", "ftp://example.org", ""]
        {
            assert!(WebAddress::parse(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<WebAddress>(r#""javascript:1""#).is_err());
        assert_eq!(
            WebAddress::parse(" HTTPS://Example.ORG/ä ").unwrap().as_str(),
            "https://example.org/%C3%A4"
        );
    }

    #[test]
    fn a_moment_keeps_what_the_source_said() {
        let berlin = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        let day: Moment = "2026-12-03".parse().unwrap();
        assert_eq!(day.time(&berlin), None);
        let local: Moment = "2026-12-03T16:00".parse().unwrap();
        let instant: Moment = "2026-12-03T16:00:00+01:00".parse().unwrap();
        assert_eq!(local.instant(&berlin), instant.instant(&berlin));
        assert_eq!(instant.to_string(), "2026-12-03T15:00:00Z");
        assert!("am Donnerstag".parse::<Moment>().is_err());
    }
}
