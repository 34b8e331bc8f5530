//! What is found in the articles of an issue, and in the quotes and buttons between them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use url::Url;

use super::archive::Piece;
use super::compose::cut;
use super::content::{Block, Form};
use super::freeze::Material;
use super::preflight::Finding;
use super::render;
use super::wording::{left_behind, loud, says_nothing, shows_nothing, words_of};
use crate::article::{Image, Record};
use crate::letter::address::Office;
use crate::source::reach;

/// Characters of an alternative text that are still listened to.
const ALT_MAX: usize = 150;
/// How what was mended at its source comes into a draft.
const AT_SOURCE: &str = "at its source, read it again, then issue edit --refresh";
/// Characters of a quote that name it.
const PLACE: usize = 40;

/// What is found in the articles, in their order.
pub fn articles(
    material: &Material<'_>,
    titles: &BTreeMap<String, String>,
    now: Timestamp,
    today: Date,
    findings: &mut Vec<Finding>,
) {
    if material.pieces.is_empty() {
        findings.push(Finding::blocks(
            "issue",
            "has no articles",
            "compose it again, or cancel it",
        ));
    }
    for (item, _) in material.issue.content.0.items() {
        let Some(piece) = material.pieces.iter().find(|piece| piece.id == item.article) else {
            let place = format!("article {}", item.article);
            findings.push(Finding::blocks(place, "is gone", "compose the issue again"));
            continue;
        };
        let record = &piece.record;
        words_of(&record.title, &record.title, today, findings);
        words_of(&record.title, &record.teaser, today, findings);
        other_words(record, findings);
        loud(&record.title, &record.title, findings);
        over(material, record, item.form, now, findings);
        pictures(record, findings);
        links(material, titles, record, findings);
    }
}

/// What is quoted and what is pressed between the articles.
pub fn between(
    material: &Material<'_>,
    titles: &BTreeMap<String, String>,
    today: Date,
    findings: &mut Vec<Finding>,
) {
    for block in material.issue.content.0.blocks() {
        match block {
            Block::Quote(quote) => {
                let place = format!("quote {:?}", cut(&quote.text, PLACE));
                words_of(&place, &quote.text, today, findings);
                words_of(&place, quote.by.as_deref().unwrap_or_default(), today, findings);
                loud(&place, &quote.text, findings);
            }
            Block::Button(button) => {
                let place = format!("button {:?}", button.text);
                words_of(&place, &button.text, today, findings);
                loud(&place, &button.text, findings);
                let url = button.url.as_str();
                if says_nothing(&button.text) {
                    let remedy = proposal(material, titles, url);
                    let what = format!("leads to {url} and does not say so");
                    findings.push(Finding::look(place.clone(), what, &remedy));
                }
                leads(&place, url, material.office, findings);
            }
            Block::Article(_) | Block::Divider => {}
        }
    }
}

/// An event that is over is not announced; an article may well look back at one.
fn over(
    material: &Material<'_>,
    record: &Record,
    form: Form,
    now: Timestamp,
    findings: &mut Vec<Finding>,
) {
    let zone = material.definition.time_zone.zone();
    let last = record.event.as_ref().map(|event| event.end.unwrap_or(event.start));
    let over = last.is_some_and(|last| {
        last.day(&zone) < zone.to_datetime(now).date()
            || last.time(&zone).is_some() && last.instant(&zone).is_some_and(|at| at < now)
    });
    let remedy = &format!("leave it out, or correct its date {AT_SOURCE}");
    match form {
        Form::Event if over => {
            findings.push(Finding::blocks(&record.title, "is announced and is over", remedy));
        }
        Form::Lead | Form::Standard | Form::Short if over => {
            let what = "is about an event that is over";
            findings.push(Finding::look(&record.title, what, remedy));
        }
        Form::Event | Form::Lead | Form::Standard | Form::Short => {}
    }
}

/// What else of an article a reader sees, in the mail or on its page: whole texts may name
/// any year.
fn other_words(record: &Record, findings: &mut Vec<Finding>) {
    let title = &record.title;
    let own = [record.subtitle.as_deref(), Some(record.body.as_str())].into_iter().flatten();
    let place = record.event.as_ref().and_then(|event| event.place.as_deref());
    let links = record.links.iter().map(|link| &*link.text);
    let lists = record.kicker.iter().chain(&record.authors).map(String::as_str);
    let texts: Vec<&str> = own.chain(lists).chain(place).chain(links).collect();
    left_behind(&format!("{title}: text"), &texts.join("\n"), findings);
    for image in &record.images {
        let texts = [Some(&image.alt), image.caption.as_ref(), image.credit.as_ref()];
        for text in texts.into_iter().flatten() {
            left_behind(&format!("{title}: picture {}", name(image)), text, findings);
        }
    }
}

fn pictures(record: &Record, findings: &mut Vec<Finding>) {
    for image in &record.images {
        let place = format!("{}: picture {}", record.title, name(image));
        if image.file.is_none() {
            let why = image.failure.as_deref().unwrap_or("it could not be had");
            let remedy = format!("mend it {AT_SOURCE}");
            findings.push(Finding::look(place, format!("is left out: {why}"), &remedy));
            continue;
        }
        let alt = image.alt.trim();
        if alt.is_empty() {
            let remedy = format!("say in a few words what it shows {AT_SOURCE}");
            findings.push(Finding::blocks(place.clone(), "has no alternative text", &remedy));
        } else if shows_nothing(alt) {
            let what = format!("has the alternative text {alt:?}, which says nothing");
            let remedy = format!("say what it shows {AT_SOURCE}");
            findings.push(Finding::look(place.clone(), what, &remedy));
        } else if alt.chars().count() > ALT_MAX {
            let what = format!("has an alternative text of over {ALT_MAX} characters");
            let remedy = format!("put the rest into the caption {AT_SOURCE}");
            findings.push(Finding::look(place.clone(), what, &remedy));
        }
        if image.credit.as_deref().is_none_or(|credit| credit.trim().is_empty()) {
            let remedy = format!("name who made it (§ 13 UrhG) {AT_SOURCE}");
            findings.push(Finding::look(place, "has no credit", &remedy));
        }
    }
}

fn name(image: &Image) -> &str {
    image.url.rsplit('/').next().filter(|name| !name.is_empty()).unwrap_or(&image.url)
}

fn links(
    material: &Material<'_>,
    titles: &BTreeMap<String, String>,
    record: &Record,
    findings: &mut Vec<Finding>,
) {
    for link in &record.links {
        if says_nothing(&link.text) {
            let what = format!("has a link {:?} to {}", link.text, link.url);
            let remedy = proposal(material, titles, link.url.as_str());
            findings.push(Finding::look(&record.title, what, &remedy));
        }
        leads(&record.title, link.url.as_str(), material.office, findings);
    }
    if let Some(url) = render::source(record) {
        leads(&record.title, url.as_str(), material.office, findings);
    }
}

/// Words for a link whose own do not name its target.
fn proposal(material: &Material<'_>, titles: &BTreeMap<String, String>, url: &str) -> String {
    let page = || titles.get(url).map(String::as_str);
    match target(material.pieces, url).or_else(page) {
        Some(title) => format!("call it by its target: {title:?}"),
        None => "let its words name the target".to_owned(),
    }
}

/// Whether a reader gets to an address.
fn leads(place: &str, url: &str, office: &Office, findings: &mut Vec<Finding>) {
    if let Some(why) = private(url, office) {
        let what = format!("links to {url}, {why}");
        findings.push(Finding::blocks(place, what, "link to its public address"));
    }
}

/// The title of the article that an address belongs to, if the issue has it.
fn target<'p>(pieces: &'p [Piece], url: &str) -> Option<&'p str> {
    let of = |piece: &&Piece| piece.record.url.as_ref().is_some_and(|own| own.as_str() == url);
    pieces.iter().find(of).map(|piece| piece.record.title.as_str())
}

/// Why no reader reaches an address; our own is looked at once for all.
fn private(address: &str, office: &Office) -> Option<&'static str> {
    let url = Url::parse(address).ok()?;
    if office.owns(&url) { None } else { reach::hidden(&url) }
}
