//! An issue as it can be shown: lines are lines, addresses are addresses, what
//! is empty is absent.

use crate::clean;
use crate::issue::{
    Article, Block, Editorial, Event, Image, Issue, Link, Paragraph, Quote, Section, Span,
};
use crate::publication::{Imprint, Publication};

/// The most characters of a teaser that stand in for a missing title.
const TITLE_CHARS: usize = 60;

/// A picture with fewer pixels at a side is no picture: missing sizes, lines,
/// and the counting pixels that some articles bring along.
const PICTURE_PIXELS: u32 = 16;

pub(super) fn issue(issue: &Issue) -> Issue {
    let subject = clean::line(&issue.subject);
    Issue {
        publication: publication(&issue.publication),
        number: issue.number,
        date: issue.date,
        title: clean::optional(issue.title.as_deref()).or_else(|| Some(subject.clone())),
        subject,
        preheader: clean::line(&issue.preheader),
        editorial: issue.editorial.as_ref().and_then(editorial),
        sections: issue.sections.iter().filter_map(section).collect(),
        web_version: issue.web_version.as_deref().and_then(clean::url),
        reason: clean::optional(issue.reason.as_deref()),
    }
}

/// The same for whoever publishes; service mails need it too.
pub(super) fn publication(publication: &Publication) -> Publication {
    Publication {
        name: clean::line(&publication.name),
        claim: clean::optional(publication.claim.as_deref()),
        home_url: publication.home_url.as_deref().and_then(clean::url),
        privacy_url: clean::url(&publication.privacy_url).unwrap_or_default(),
        accessibility_url: publication.accessibility_url.as_deref().and_then(clean::url),
        imprint: imprint(&publication.imprint),
    }
}

fn imprint(imprint: &Imprint) -> Imprint {
    let optional = |field: &Option<String>| clean::optional(field.as_deref());
    Imprint {
        name: clean::line(&imprint.name),
        representative: clean::line(&imprint.representative),
        street: clean::line(&imprint.street),
        place: clean::line(&imprint.place),
        country: optional(&imprint.country),
        email: clean::line(&imprint.email),
        phone: clean::line(&imprint.phone),
        responsible: optional(&imprint.responsible),
        authority: optional(&imprint.authority),
        register: optional(&imprint.register),
        vat_id: optional(&imprint.vat_id),
    }
}

fn editorial(editorial: &Editorial) -> Option<Editorial> {
    let tidy = Editorial {
        paragraphs: paragraphs(&editorial.paragraphs),
        signature: editorial
            .signature
            .iter()
            .map(|line| clean::line(line))
            .filter(|line| !line.is_empty())
            .collect(),
    };
    (!tidy.paragraphs.is_empty()).then_some(tidy)
}

fn paragraphs(paragraphs: &[Paragraph]) -> Vec<Paragraph> {
    paragraphs.iter().filter_map(paragraph).collect()
}

/// Blanks at the ends of a span part it from its neighbours, so they are kept.
fn paragraph(paragraph: &Paragraph) -> Option<Paragraph> {
    let words = |text: &str| {
        let line = clean::line(text);
        let before = text.starts_with(char::is_whitespace) && !line.is_empty();
        let after = text.ends_with(char::is_whitespace);
        let (before, after) = (if before { " " } else { "" }, if after { " " } else { "" });
        format!("{before}{line}{after}")
    };
    let spans = paragraph.0.iter().map(|span| match span {
        Span::Text(text) => Span::Text(words(text)),
        Span::Strong(text) => Span::Strong(words(text)),
        Span::Link(to) => link(to).map_or_else(|| Span::Text(words(&to.text)), Span::Link),
    });
    let spans: Vec<Span> = spans.collect();
    let empty = |span: &Span| match span {
        Span::Text(text) | Span::Strong(text) => text.trim().is_empty(),
        Span::Link(_) => false,
    };
    (!spans.iter().all(empty)).then_some(Paragraph(spans))
}

fn section(section: &Section) -> Option<Section> {
    let blocks: Vec<Block> = section.blocks.iter().filter_map(block).collect();
    let title = clean::optional(section.title.as_deref());
    (!blocks.is_empty()).then_some(Section { title, blocks })
}

fn block(block: &Block) -> Option<Block> {
    match block {
        Block::Article(it) => article(it).map(Block::Article),
        Block::Event(it) => event(it).map(Block::Event),
        Block::Quote(it) => quote(it).map(Block::Quote),
        Block::Button(it) => link(it).map(Block::Button).or_else(|| {
            let words = clean::line(&it.text);
            (!words.is_empty()).then(|| Block::Text(vec![Paragraph::from(words.as_str())]))
        }),
        Block::Text(it) => Some(paragraphs(it)).filter(|it| !it.is_empty()).map(Block::Text),
        Block::Divider => Some(Block::Divider),
    }
}

fn article(article: &Article) -> Option<Article> {
    let teaser = clean::paragraphs(&article.teaser);
    let mut title = clean::line(&article.title);
    if title.is_empty() {
        title = super::shorten::text(teaser.first()?, TITLE_CHARS);
    }
    // Where both say the same, once is enough.
    let kicker = clean::optional(article.kicker.as_deref())
        .filter(|kicker| kicker.to_lowercase() != title.to_lowercase());
    Some(Article {
        form: article.form,
        kicker,
        title,
        subtitle: clean::optional(article.subtitle.as_deref()),
        teaser: teaser.join("\n\n"),
        image: article.image.as_ref().and_then(image),
        url: article.url.as_deref().and_then(clean::url),
        link_text: clean::optional(article.link_text.as_deref()),
        links: article.links.iter().filter_map(link).collect(),
        language: tag(article.language.as_deref()),
    })
}

fn image(image: &Image) -> Option<Image> {
    if image.width < PICTURE_PIXELS || image.height < PICTURE_PIXELS {
        return None;
    }
    Some(Image {
        url: clean::picture(&image.url)?,
        alt: clean::line(&image.alt),
        caption: clean::optional(image.caption.as_deref()),
        credit: clean::optional(image.credit.as_deref()),
        width: image.width,
        height: image.height,
    })
}

fn event(event: &Event) -> Option<Event> {
    let title = clean::line(&event.title);
    if title.is_empty() {
        return None;
    }
    Some(Event {
        title,
        when: event.when,
        place: clean::optional(event.place.as_deref()),
        text: clean::optional(event.text.as_deref()),
        url: event.url.as_deref().and_then(clean::url),
        calendar_url: event.calendar_url.as_deref().and_then(clean::url),
        language: tag(event.language.as_deref()),
    })
}

fn quote(quote: &Quote) -> Option<Quote> {
    let text = clean::line(&quote.text);
    (!text.is_empty()).then(|| Quote {
        text,
        source: clean::optional(quote.source.as_deref()),
        language: tag(quote.language.as_deref()),
    })
}

fn link(link: &Link) -> Option<Link> {
    let url = clean::url(&link.url)?;
    let text = clean::line(&link.text);
    (!text.is_empty()).then_some(Link { text, url })
}

/// A language tag (BCP 47) by its form, or none.
fn tag(tag: Option<&str>) -> Option<String> {
    let tag = tag?.trim();
    let mut parts = tag.split('-');
    let first = parts.next()?;
    let primary = (2..=3).contains(&first.len()) && first.bytes().all(|b| b.is_ascii_alphabetic());
    let rest = parts.all(|part| {
        (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    (primary && rest).then(|| tag.to_owned())
}
