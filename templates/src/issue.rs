//! One edition of a newsletter: the records that go in and the mail that comes out.
//!
//! Text is plain everywhere: what looks like markup is shown as written.

use jiff::civil::{Date, DateTime};

use crate::brand::Brand;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::slot::Slots;

mod render;
mod shorten;
mod tidy;

/// The most bytes an issue's HTML may have: Gmail clips near 102 kB, and
/// relays that rewrite links need room. Longer issues are shortened.
pub const HTML_BYTES: usize = 75_000;

/// More articles than this bring a list of contents.
pub const CONTENTS_ABOVE: usize = 4;

/// One edition of a newsletter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Whose newsletter it is.
    pub publication: Publication,
    /// The edition's number, as the masthead says it.
    pub number: Option<u32>,
    /// The day on the masthead.
    pub date: Date,
    /// Subject of the mail; at most 60 characters are seen on a phone.
    pub subject: String,
    /// The heading of the issue; the subject where there is none.
    pub title: Option<String>,
    /// What the inbox shows beside the subject; 90 to 130 characters are best.
    pub preheader: String,
    /// A few words of the editors before the first article.
    pub editorial: Option<Editorial>,
    /// The articles, in the order they are read.
    pub sections: Vec<Section>,
    /// Address of the issue in the browser; `None` leaves a slot.
    pub web_version: Option<String>,
    /// Why the reader gets this, as in "Sie haben den Newsletter am … bestellt";
    /// `None` says that they subscribed to the newsletter.
    pub reason: Option<String>,
}

/// A few words of the editors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Editorial {
    /// Paragraphs of text and links.
    pub paragraphs: Vec<Paragraph>,
    /// Who signs it, line by line.
    pub signature: Vec<String>,
}

/// A paragraph of running text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paragraph(pub Vec<Span>);

impl From<&str> for Paragraph {
    fn from(text: &str) -> Self {
        Self(vec![Span::Text(text.to_owned())])
    }
}

/// A piece of a paragraph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Plain words.
    Text(String),
    /// Words that matter.
    Strong(String),
    /// A link within the text.
    Link(Link),
}

/// Articles under one heading, or under none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Section {
    /// The heading; without one the articles' headings take its level.
    pub title: Option<String>,
    /// What stands in it.
    pub blocks: Vec<Block>,
}

/// One building block of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// An article.
    Article(Article),
    /// Something that takes place; neighbours form one list.
    Event(Event),
    /// A sentence somebody said.
    Quote(Quote),
    /// A link that asks to be pressed.
    Button(Link),
    /// Running text between articles.
    Text(Vec<Paragraph>),
    /// A line between two thoughts.
    Divider,
}

/// How much room an article takes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Form {
    /// Large picture, large heading, a button.
    Lead,
    /// Picture above the heading.
    #[default]
    Above,
    /// Small picture beside the text, above it on a phone.
    Beside,
    /// Heading and a sentence or two, no picture.
    Short,
}

/// A teaser of one article.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Article {
    /// How much room it takes.
    pub form: Form,
    /// The subject area, as in "Verkehr".
    pub kicker: Option<String>,
    /// The heading.
    pub title: String,
    /// A line below the heading.
    pub subtitle: Option<String>,
    /// Plain text; blank lines part paragraphs.
    pub teaser: String,
    /// The picture.
    pub image: Option<Image>,
    /// Where the whole article is.
    pub url: Option<String>,
    /// Words of the link to it; `None` says "Weiterlesen: title".
    pub link_text: Option<String>,
    /// Further links below the teaser.
    pub links: Vec<Link>,
    /// Language tag (BCP 47), where it is not the issue's.
    pub language: Option<String>,
}

/// A picture with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `https:` or `cid:` address of a JPEG, PNG or GIF.
    pub url: String,
    /// What it shows; empty only for pure ornament.
    pub alt: String,
    /// Words below it.
    pub caption: Option<String>,
    /// Who made it, as in "Jana Muster / Stadt Musterhafen".
    pub credit: Option<String>,
    /// Width of the file in pixels; below 16 the picture is left out.
    pub width: u32,
    /// Height of the file in pixels; below 16 the picture is left out.
    pub height: u32,
}

/// Something that takes place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it is.
    pub title: String,
    /// When, in the newsletter's time zone.
    pub when: When,
    /// Where.
    pub place: Option<String>,
    /// A sentence or two.
    pub text: Option<String>,
    /// Where there is more about it.
    pub url: Option<String>,
    /// Address of the calendar file (`.ics`).
    pub calendar_url: Option<String>,
    /// Language tag (BCP 47), where it is not the issue's.
    pub language: Option<String>,
}

/// When an event is, on the clock of the newsletter's time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// From a moment, perhaps to another.
    Moment {
        /// The beginning.
        start: DateTime,
        /// The end, if it is known.
        end: Option<DateTime>,
    },
    /// Whole days.
    Days {
        /// The first day.
        first: Date,
        /// The last day; the same or `None` for one day.
        last: Option<Date>,
    },
}

impl When {
    /// The day it begins.
    pub fn first_day(self) -> Date {
        match self {
            Self::Moment { start, .. } => start.date(),
            Self::Days { first, .. } => first,
        }
    }
}

/// A sentence somebody said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quote {
    /// The words, without quotation marks.
    pub text: String,
    /// Who said them.
    pub source: Option<String>,
    /// Language tag (BCP 47), where it is not the issue's.
    pub language: Option<String>,
}

/// Words and where they lead.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Link {
    /// The words; they name the target.
    pub text: String,
    /// `https:`, `mailto:` or `tel:`; anything else leaves the words alone.
    pub url: String,
}

/// The place of an article on the web page of the issue, counted from 0 over all
/// sections. The list of contents links to it there: links within a mail do
/// nothing in the apps of Gmail, Outlook, Samsung and GMX (caniemail.com).
pub fn article_anchor(index: usize) -> String {
    format!("a{}", index + 1)
}

/// Whoever publishes, fit to be shown.
pub(crate) fn tidy_publication(publication: &Publication) -> Publication {
    tidy::publication(publication)
}

/// What an inbox shows beside the subject: the preheader, and headlines behind a short one.
pub fn beside(issue: &Issue, brand: &Brand, language: Language) -> String {
    render::beside(&tidy::issue(issue), brand, language)
}

/// The mail of an issue, with slots where a reader's own data goes.
pub fn render(issue: &Issue, brand: &Brand, language: Language, slots: &Slots) -> Mail {
    let issue = tidy::issue(issue);
    let mut effort = shorten::Effort::Full;
    loop {
        let fitted = shorten::apply(&issue, effort);
        let mail = render::mail(&fitted, brand, language, slots);
        match effort.less() {
            Some(less) if mail.html.len() > HTML_BYTES => effort = less,
            Some(_) | None => return mail,
        }
    }
}
