//! An issue's records as the plain structs that the templates render.

use jiff::civil::Date;
use rundbrief_templates::issue::{
    Article, Block, Editorial, Event, Form as TeaserForm, Image, Issue as Page, Link, Quote,
    Section, When,
};

use super::archive::Piece;
use super::content::{self, Content, Form, Item};
use crate::article::{self, Moment, Record, WebAddress};
use crate::letter::address::Office;
use crate::newsletter::definition::{Definition, Pictures};
use crate::source::picture::NARROW;
use crate::source::{block, prose};

/// More articles than this are shown with small pictures.
const LARGE_PICTURES: usize = 3;
/// Characters of the words below an event.
const EVENT_TEXT: usize = 240;

/// What an issue looks like from outside its content.
#[derive(Debug, Clone, Copy)]
pub struct Front<'a> {
    /// Which edition.
    pub number: i64,
    /// Subject of the mail.
    pub subject: &'a str,
    /// What the inbox shows beside it.
    pub preheader: &'a str,
    /// The day on the masthead.
    pub date: Date,
}

/// The issue as the templates take it. An article that is not among the pieces is left
/// out; [`super::preflight`] says so.
pub fn page(
    definition: &Definition,
    front: Front<'_>,
    content: &Content,
    pieces: &[Piece],
    office: &Office,
) -> Page {
    let articles = content.items().filter(|(item, _)| item.form != Form::Event).count();
    let small = articles > LARGE_PICTURES;
    let article = |item: &Item, section: Option<&str>| {
        let piece = pieces.iter().find(|piece| piece.id == item.article)?;
        let place = Place { definition, office, number: front.number, section, small };
        Some(match item.form {
            Form::Event => match event(&place, piece) {
                Some(event) => Block::Event(event),
                None => Block::Article(teaser(&place, piece, Form::Short)),
            },
            Form::Lead | Form::Standard | Form::Short => {
                Block::Article(teaser(&place, piece, item.form))
            }
        })
    };
    let placed = |block: &content::Block, section: Option<&str>| match block {
        content::Block::Article(item) => article(item, section),
        content::Block::Quote(quote) => Some(Block::Quote(said(quote))),
        content::Block::Button(button) => Some(Block::Button(pressed(button))),
        content::Block::Divider => Some(Block::Divider),
    };
    let section = |section: &content::Section| Section {
        title: section.title.clone(),
        blocks: section
            .blocks
            .iter()
            .filter_map(|one| placed(one, section.title.as_deref()))
            .collect(),
    };
    Page {
        publication: definition.publication(),
        number: u32::try_from(front.number).ok(),
        date: front.date,
        subject: front.subject.to_owned(),
        title: None,
        preheader: front.preheader.to_owned(),
        editorial: content.editorial.as_deref().map(|words| editorial(words, &content.signature)),
        sections: content.sections.iter().map(section).collect(),
        web_version: Some(office.issue(&definition.slug, front.number)),
        reason: None,
    }
}

struct Place<'a> {
    definition: &'a Definition,
    office: &'a Office,
    number: i64,
    section: Option<&'a str>,
    small: bool,
}

/// The paragraphs of an editorial; blank lines part them.
pub fn paragraphs(words: &str) -> Vec<String> {
    let paragraphs = words.split("\n\n").map(str::trim).filter(|words| !words.is_empty());
    paragraphs.map(|words| words.replace('\n', " ")).collect()
}

fn editorial(words: &str, signature: &[String]) -> Editorial {
    Editorial {
        paragraphs: paragraphs(words).iter().map(|words| words.as_str().into()).collect(),
        signature: signature.to_vec(),
    }
}

fn said(quote: &content::Quote) -> Quote {
    let content::Quote { text, by, language } = quote.clone();
    Quote { text, source: by, language }
}

fn pressed(button: &content::Button) -> Link {
    Link { text: button.text.clone(), url: button.url.as_str().to_owned() }
}

fn teaser(place: &Place<'_>, piece: &Piece, form: Form) -> Article {
    let record = &piece.record;
    let form = match form {
        Form::Lead => TeaserForm::Lead,
        Form::Standard if place.small => TeaserForm::Beside,
        Form::Standard => TeaserForm::Above,
        Form::Short | Form::Event => TeaserForm::Short,
    };
    Article {
        form,
        kicker: kicker(record, place.section),
        title: record.title.clone(),
        subtitle: record.subtitle.clone(),
        teaser: record.teaser.clone(),
        image: record.images.iter().find_map(|image| picture(image, form, place)),
        url: read_on(place, piece, form),
        link_text: None,
        links: Vec::new(),
        language: record.language.clone(),
    }
}

/// The subject area, unless the section says it already.
fn kicker(record: &Record, section: Option<&str>) -> Option<String> {
    let said = record.categories.first().or(record.kicker.first())?.trim();
    let new = !said.is_empty() && section.is_none_or(|section| section != said);
    new.then(|| said.to_owned())
}

/// Our copy of a picture, the small one beside a text; one that could not be had is
/// shown nowhere.
fn picture(image: &article::Image, form: TeaserForm, place: &Place<'_>) -> Option<Image> {
    let file = image.file.as_deref()?;
    let (file, width, height) = match (form, &image.small) {
        (TeaserForm::Beside, Some(small)) => {
            (small.as_str(), NARROW, (image.height? * NARROW).div_ceil(image.width?.max(1)))
        }
        (TeaserForm::Beside, None)
        | (TeaserForm::Lead | TeaserForm::Above | TeaserForm::Short, _) => {
            (file, image.width?, image.height?)
        }
    };
    Some(Image {
        url: match place.definition.pictures {
            Pictures::Linked => place.office.picture(file),
            Pictures::Embedded => place.office.enclosed(file),
        },
        alt: image.alt.clone(),
        caption: image.caption.clone(),
        credit: image.credit.clone(),
        width,
        height,
    })
}

/// Where a teaser leads on; nowhere, if all is said in the mail.
fn read_on(place: &Place<'_>, piece: &Piece, form: TeaserForm) -> Option<String> {
    let ours = || place.office.article(&place.definition.slug, place.number, &piece.name);
    let source = source(&piece.record).map(|source| source.as_str().to_owned());
    let unseen =
        form == TeaserForm::Short && piece.record.images.iter().any(|image| image.file.is_some());
    source.or_else(|| (says_more(&piece.record) || unseen).then(ours))
}

/// The source of an article of which we have no more than the teaser: readers are led there.
pub fn source(record: &Record) -> Option<&WebAddress> {
    record.url.as_ref().filter(|_| record.body.is_empty() || !says_more(record))
}

/// Whether the page of an article has more than its teaser: words, pictures, links.
fn says_more(record: &Record) -> bool {
    let body = block::text_of(record.body.as_str());
    let more = !body.is_empty() && body != prose::squeeze(&record.teaser);
    let pictures = record.images.iter().filter(|image| image.file.is_some()).count();
    more || pictures > 1 || !record.links.is_empty()
}

/// An event's page in our archive; where it has no text of its own, its source.
fn url(place: &Place<'_>, piece: &Piece) -> Option<String> {
    if piece.record.body.is_empty()
        && let Some(source) = &piece.record.url
    {
        return Some(source.as_str().to_owned());
    }
    Some(place.office.article(&place.definition.slug, place.number, &piece.name))
}

fn event(place: &Place<'_>, piece: &Piece) -> Option<Event> {
    let record = &piece.record;
    let event = record.event.as_ref()?;
    let zone = place.definition.time_zone.zone();
    let at = |moment: Moment| Some(moment.day(&zone).to_datetime(moment.time(&zone)?));
    let when = match at(event.start) {
        Some(start) => When::Moment { start, end: event.end.and_then(at) },
        None => {
            When::Days { first: event.start.day(&zone), last: event.end.map(|end| end.day(&zone)) }
        }
    };
    Some(Event {
        title: record.title.clone(),
        when,
        place: event.place.clone(),
        text: Some(super::compose::cut(&record.teaser, EVENT_TEXT)).filter(|text| !text.is_empty()),
        url: url(place, piece),
        calendar_url: Some(format!(
            "{}.ics",
            place.office.article(&place.definition.slug, place.number, &piece.name)
        )),
        language: record.language.clone(),
    })
}
