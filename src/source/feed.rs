//! RSS, Atom and JSON Feed to records. A feed that is broken as a whole is cut at its entries:
//! the good ones come in, the others are named with their line.

use feed_rs::model;
use jiff::Timestamp;
use url::Url;

use crate::article::{Image, Record, WebAddress};
use crate::source::block::{self, Block};
use crate::source::finding::{Finding, Reading};
use crate::source::head::{self, Head};
use crate::source::{page, prose, salvage};

/// Entries of one feed that are read; the newest stand first in nearly all feeds.
pub const ENTRIES: usize = 500;
/// Characters of a feed's identifier for an entry; a longer one is no identifier.
const GUID: usize = 2_000;

/// One entry: the feed's own identifier and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The entry's identifier: the feed's, else its address, else made of its title.
    pub guid: String,
    /// The article and remarks.
    pub reading: Reading,
}

/// A feed as read.
#[derive(Debug, Default)]
pub struct Feed {
    /// Its entries in its own order.
    pub entries: Vec<Entry>,
    /// What could not be read, with its line.
    pub findings: Vec<Finding>,
}

/// Why a text is no feed at all.
#[derive(Debug, thiserror::Error)]
#[error(
    "line {line}: this is no feed: {reason}. RSS, Atom and JSON Feed are read; is the address that of the feed, or that of a page?"
)]
pub struct NoFeed {
    line: usize,
    reason: String,
}

/// Reads a feed from text that was decoded already.
pub fn read(text: &str, address: Option<&Url>) -> Result<Feed, NoFeed> {
    let text = without_encoding(text);
    match parse(&text, address) {
        Ok(model) => {
            let mut feed = Feed::default();
            take(&mut feed, model, address, None);
            Ok(feed)
        }
        Err(error) => match salvage::named(&text).and_then(|named| parse(&named, address).ok()) {
            Some(model) => {
                let mut feed = Feed::default();
                take(&mut feed, model, address, None);
                Ok(feed)
            }
            None => salvaged(&text, address, &error),
        },
    }
}

fn parse(
    text: &str,
    address: Option<&Url>,
) -> Result<model::Feed, feed_rs::parser::ParseFeedError> {
    let parser = feed_rs::parser::Builder::new()
        .base_uri(address.map(Url::as_str))
        .sanitize_content(false)
        .build();
    parser.parse(text.as_bytes())
}

/// The text says UTF-8 from here on, whatever its prologue said of its bytes.
fn without_encoding(text: &str) -> String {
    let text = text.trim_start_matches(['\u{feff}', ' ', '\n', '\r', '\t']);
    match text.strip_prefix("<?xml").and_then(|rest| rest.split_once("?>")) {
        // As many lines as before, so that findings name the right one.
        Some((prologue, rest)) => "\n".repeat(prologue.matches('\n').count()) + rest,
        None => text.to_owned(),
    }
}

/// What of a broken feed can be read.
fn salvaged(
    text: &str,
    address: Option<&Url>,
    error: &feed_rs::parser::ParseFeedError,
) -> Result<Feed, NoFeed> {
    let mut feed = Feed::default();
    let json = text.starts_with('{');
    let (pieces, faults) =
        if json { salvage::json(text) } else { (salvage::xml(text), Vec::new()) };
    if pieces.is_empty() && faults.is_empty() {
        return Err(NoFeed { line: line_of(text, error), reason: error.to_string() });
    }
    feed.findings.extend(
        faults
            .into_iter()
            .map(|(line, reason)| Finding::at(line, format!("the entry was left out: {reason}"))),
    );
    for piece in pieces {
        match parse(&piece.feed, address) {
            Ok(model) => take(&mut feed, model, address, Some(piece.line)),
            Err(error) => match parse(&salvage::mend(&piece.feed), address) {
                Ok(model) => {
                    feed.findings.push(Finding::at(
                        piece.line,
                        format!("the entry was read after mending it: {error}"),
                    ));
                    take(&mut feed, model, address, Some(piece.line));
                }
                Err(error) => {
                    let line = piece.line + line_of(&piece.feed, &error).saturating_sub(1);
                    feed.findings
                        .push(Finding::at(line, format!("the entry was left out: {error}")));
                }
            },
        }
    }
    if feed.findings.is_empty() {
        feed.findings.push(Finding::at(
            line_of(text, error),
            format!("the feed is broken outside of its entries: {error}"),
        ));
    }
    Ok(feed)
}

/// The line a parser's error speaks of, where it says so.
fn line_of(text: &str, error: &feed_rs::parser::ParseFeedError) -> usize {
    if let feed_rs::parser::ParseFeedError::JsonSerde(error) = error {
        return error.line().max(1);
    }
    let position =
        error.to_string().rsplit("position ").next().and_then(|rest| {
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
        });
    let known = position.and_then(|at| text.get(..at.min(text.len())));
    known.map_or(1, |before| 1 + before.matches('\n').count())
}

fn take(feed: &mut Feed, model: model::Feed, address: Option<&Url>, line: Option<usize>) {
    let language = model.language;
    for entry in model.entries {
        if feed.entries.len() >= ENTRIES {
            feed.findings
                .push(Finding::new(format!("more than {ENTRIES} entries; the rest was left out")));
            return;
        }
        let entry = record(entry, address, language.as_deref());
        if entry.reading.record.title.is_empty() {
            feed.findings.push(Finding {
                line,
                reason: format!("an entry without title and text was left out: {:?}", entry.guid),
            });
        } else if feed.entries.iter().all(|known| known.guid != entry.guid) {
            feed.entries.push(entry);
        }
    }
}

/// One entry as a record.
fn record(entry: model::Entry, address: Option<&Url>, language: Option<&str>) -> Entry {
    let alternate = entry
        .links
        .iter()
        .find(|link| link.rel.as_deref() == Some("alternate"))
        .or_else(|| entry.links.iter().find(|link| link.rel.is_none()))
        .or(entry.links.first());
    let link = alternate.and_then(|link| match address {
        Some(base) => base.join(&link.href).ok(),
        None => Url::parse(&link.href).ok(),
    });
    let base = entry
        .base
        .as_deref()
        .and_then(|base| Url::parse(base).ok())
        .or_else(|| link.clone())
        .or_else(|| address.cloned());
    let mut record = Record {
        title: entry.title.as_ref().map(plain).unwrap_or_default(),
        published_at: entry
            .published
            .or(entry.updated)
            .and_then(|at| Timestamp::from_millisecond(at.timestamp_millis()).ok()),
        url: link
            .as_ref()
            .and_then(|link| WebAddress::parse(link.as_str()).ok())
            .filter(WebAddress::is_web),
        language: entry.language.as_deref().or(language).and_then(head::tag_of),
        authors: entry
            .authors
            .iter()
            .filter_map(|person| person.name.as_deref().map(prose::squeeze))
            .filter(|name| !name.is_empty() && !name.contains('@'))
            .collect(),
        ..Record::default()
    };
    record.categories = categories(&entry);
    record.kicker = record.categories.first().cloned().into_iter().collect();
    let summary =
        entry.summary.as_ref().map(|text| markup(&text.content, text.content_type.as_ref()));
    let content = entry
        .content
        .as_ref()
        .and_then(|content| Some(markup(content.body.as_deref()?, content.content_type.as_ref())));
    let (blocks, images, findings) = page::fragment(
        content.as_deref().or(summary.as_deref()).unwrap_or_default(),
        base.as_ref(),
        &record.title,
    );
    record.images = images;
    media(&entry, base.as_ref(), &mut record);
    if let Some(summary) = summary.as_deref().filter(|_| content.is_some()) {
        record.teaser = teaser(summary, base.as_ref(), &record.title);
    }
    page::finish(&mut record, &blocks, &Head::default());
    if record.title.is_empty() {
        // A feed of notes has texts without titles.
        record.title = prose::sentences(&record.teaser)
            .first()
            .map(|first| first.chars().take(100).collect())
            .unwrap_or_default();
    }
    let made =
        || record.url.as_ref().map_or_else(|| record.title.clone(), |url| url.as_str().to_owned());
    let guid = if entry.id.is_empty() || entry.id.len() > GUID { made() } else { entry.id };
    Entry { guid, reading: Reading { record, findings } }
}

/// The names of its categories, each once.
fn categories(entry: &model::Entry) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for category in &entry.categories {
        let name = prose::squeeze(category.label.as_deref().unwrap_or(&category.term));
        if !name.is_empty() && !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// A title's text; titles carry markup and entities whatever their type says.
fn plain(text: &model::Text) -> String {
    if text.content.contains(['<', '&']) {
        block::text_of(&text.content)
    } else {
        prose::squeeze(&text.content)
    }
}

/// Content as markup; plain text by its lines.
fn markup(content: &str, kind: &str) -> String {
    let tagged = content.contains("</")
        || content.contains("/>")
        || content.contains("<p")
        || content.contains("<br")
        || content.contains("&lt;");
    if !tagged && (kind.starts_with("text/plain") || !content.contains('&')) {
        let paragraphs =
            content.split("\n\n").map(|part| format!("<p>{}</p>", prose::escape(part)));
        return paragraphs.collect();
    }
    content.to_owned()
}

/// The summary as teaser, when it is whole sentences and no beginning that breaks off.
fn teaser(summary: &str, base: Option<&Url>, title: &str) -> String {
    let (blocks, _, _) = page::fragment(summary, base, title);
    let text: Vec<String> = blocks.iter().map(Block::text).collect();
    let text = text.join(" ");
    let broken = ["…", "...", "[…]", "[...]"]
        .iter()
        .any(|end| text.trim_end_matches([' ', ']', '»']).ends_with(end.trim_end_matches(']')));
    if prose::ends_sentence(&text) && !broken {
        prose::teaser([text.as_str()])
    } else {
        String::new()
    }
}

/// Pictures that come beside the text: enclosures and Media RSS.
fn media(entry: &model::Entry, base: Option<&Url>, record: &mut Record) {
    for object in &entry.media {
        let said =
            |text: &Option<model::Text>| text.as_ref().map(plain).filter(|text| !text.is_empty());
        let credit = object
            .credits
            .first()
            .map(|credit| prose::squeeze(&credit.entity))
            .filter(|name| !name.is_empty());
        for content in &object.content {
            let picture = content
                .content_type
                .as_ref()
                .is_some_and(|kind| kind.as_ref().starts_with("image/"));
            let Some(url) = content.url.as_ref().filter(|_| picture) else {
                continue;
            };
            let url = base
                .and_then(|base| base.join(url.as_str()).ok())
                .map_or_else(|| url.to_string(), Into::into);
            if record.images.iter().all(|known| known.url != url) {
                let alt =
                    said(&object.description).or_else(|| said(&object.title)).unwrap_or_default();
                record.images.push(Image {
                    url,
                    alt,
                    credit: credit.clone(),
                    width: content.width,
                    height: content.height,
                    ..Image::default()
                });
            }
        }
        let first = object.thumbnails.first().filter(|_| record.images.is_empty());
        if let Some(thumbnail) = first {
            let alt = said(&object.description).unwrap_or_default();
            record.images.push(Image {
                url: thumbnail.image.uri.clone(),
                alt,
                credit,
                ..Image::default()
            });
        }
    }
}
