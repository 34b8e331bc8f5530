//! The archive: newsletters, their issues, and each article as a page.
//!
//! An article's page has the form a reader knows from the publisher's site:
//! breadcrumb, title, subtitle, pictures with alternative text and credit, the
//! body, links, a way back. It runs under the sandboxing policy.

use anyhow::Context as _;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::tz::TimeZone;
use maud::{Markup, html};
use rundbrief_templates::date;
use rundbrief_templates::language::Language;
use serde::Deserialize;

use super::error::Error;
use super::page::{self, House, Page};
use super::words::{self, Words};
use super::{SANDBOX, Site, raw};
use crate::article::{Event, Image, Record};
use crate::issue::archive::{self, Edition, PAGE, Piece};
use crate::issue::content::{Block, Content, Form, Quote};
use crate::issue::{calendar, render};
use crate::newsletter::{self, Newsletter};

/// Where a list goes on.
#[derive(Debug, Deserialize)]
pub struct Onward {
    before: Option<i64>,
}

/// `/archive`: the newsletters that have appeared.
pub async fn index(State(site): State<Site>, headers: HeaderMap) -> Result<Page, Error> {
    let shelves = archive::shelves(&site.store).await?;
    let language = super::language_of(&headers);
    let words = words::of(language);
    let body = html! {
        h1 { (words.archive) }
        @if shelves.is_empty() { p class="lead" { (words.no_newsletters) } }
        ul class="list" {
            @for shelf in &shelves {
                li {
                    h2 lang=(shelf.language) { a href=(format!("/archive/{}", shelf.slug)) { (shelf.title) } }
                }
            }
        }
    };
    Ok(page::plain(language, words.archive, body))
}

/// `/archive/{newsletter}`: its issues, newest first.
pub async fn newsletter(
    State(site): State<Site>,
    Path(slug): Path<String>,
    Query(onward): Query<Onward>,
) -> Result<Page, Error> {
    let shelf = Shelf::find(&site, &slug).await?;
    let below = onward.before.unwrap_or(i64::MAX);
    let editions = archive::editions(&site.store, shelf.newsletter.id.0, below).await?;
    let words = shelf.words();
    let title = words.archive;
    let more = (editions.len() as i64 == PAGE).then(|| editions.last()).flatten();
    let body = html! {
        h1 { (title) }
        @if editions.is_empty() { p class="lead" { (words.no_issues) } }
        ul class="list" {
            @for edition in &editions {
                li {
                    p class="kicker" { (shelf.line(edition)) }
                    h2 { a href=(shelf.address(edition)) { (edition.subject) } }
                    p { (edition.preheader) }
                }
            }
        }
        @if onward.before.is_some() || more.is_some() {
            nav class="pages" aria-label=(title) {
                @if let Some(last) = more { a rel="next" href=(format!("?before={}", last.number)) { (words.older) } }
                @if onward.before.is_some() { a href=(format!("/archive/{slug}")) { (words.newest) } }
            }
        }
    };
    Ok(page::of(shelf.house(), shelf.language(), title, body).policy(SANDBOX).kept())
}

/// `/archive/{newsletter}/{number}`: an issue with its articles.
pub async fn issue(
    State(site): State<Site>,
    Path((slug, number)): Path<(String, i64)>,
) -> Result<Page, Error> {
    let shelf = Shelf::find(&site, &slug).await?;
    let edition = shelf.edition(&site, number).await?;
    let pieces = archive::pieces(&site.store, edition.id).await?;
    let words = shelf.words();
    let content: Content = serde_json::from_str(&edition.content)
        .with_context(|| format!("content of issue {}", edition.id))?;
    let body = html! {
        (crumbs(words, &[(&shelf.title(), Some(shelf.root())), (&shelf.number(&edition), None)]))
        p class="kicker" { (shelf.line(&edition)) }
        h1 { (edition.subject) }
        p class="lead" { (edition.preheader) }
        (editorial(&content))
        (sections(&shelf, &edition, &content, &pieces))
        p class="way-back" { a href=(shelf.root()) { (words.back_to_archive) } }
    };
    Ok(page::of(shelf.house(), shelf.language(), &edition.subject, body).policy(SANDBOX).kept())
}

/// What stands under each heading: runs of articles as lists, the rest between them.
fn sections(shelf: &Shelf, edition: &Edition, content: &Content, pieces: &[Piece]) -> Markup {
    // The mail's list of contents leads to these places.
    let mut articles = 0;
    let mut entry = |block: &Block, top: bool| {
        let item = block.item()?;
        let piece = pieces.iter().find(|piece| piece.id == item.article)?;
        let listed = item.form != Form::Event || piece.record.event.is_none();
        articles += usize::from(listed);
        let place = listed.then(|| rundbrief_templates::issue::article_anchor(articles - 1));
        Some(html! { li id=[place] { (teaser(shelf, edition, piece, top)) } })
    };
    html! {
        @for section in &content.sections {
            @if let Some(title) = &section.title { h2 { (title) } }
            @for run in section.blocks.chunk_by(|one, next| one.item().is_some() && next.item().is_some()) {
                @match run {
                    [Block::Quote(quote)] => (said(quote, shelf.language())),
                    [Block::Button(button)] => p { a class="button" href=(button.url.as_str()) { (button.text) } },
                    [Block::Divider] => hr;,
                    run => ul class="list" {
                        @for block in run { (entry(block, section.title.is_none()).unwrap_or_default()) }
                    },
                }
            }
        }
    }
}

fn said(quote: &Quote, language: Language) -> Markup {
    let (open, close) = rundbrief_templates::words::of(language).quotes;
    html! {
        figure class="quote" {
            blockquote lang=[quote.language.as_deref()] { p { (open) (quote.text) (close) } }
            @if let Some(by) = &quote.by { figcaption { (by) } }
        }
    }
}

/// The words of the editors, without the greeting that a reader's mail has.
fn editorial(content: &Content) -> Markup {
    html! {
        @if let Some(words) = &content.editorial {
            div class="editorial" {
                @for paragraph in render::paragraphs(words) { p { (paragraph) } }
                @if !content.signature.is_empty() {
                    p {
                        @for (index, line) in content.signature.iter().enumerate() {
                            @if index > 0 { br; }
                            (line)
                        }
                    }
                }
            }
        }
    }
}

/// `/archive/{newsletter}/{number}/{article}`: the article, by slug or key; with `.ics`
/// behind its slug, its event as a calendar file.
pub async fn article(
    State(site): State<Site>,
    Path((slug, number, name)): Path<(String, i64, String)>,
) -> Result<Response, Error> {
    let shelf = Shelf::find(&site, &slug).await?;
    let edition = shelf.edition(&site, number).await?;
    let pieces = archive::pieces(&site.store, edition.id).await?;
    if let Some(name) = name.strip_suffix(".ics") {
        return calendar(&site, &shelf, &edition, pieces.iter().find(|piece| piece.name == name));
    }
    let by_key = |piece: &&Piece| piece.id.to_string() == name;
    if let Some(piece) = pieces.iter().find(|piece| piece.name == name) {
        Ok(whole(&shelf, &edition, piece).into_response())
    } else if let Some(piece) = pieces.iter().find(by_key) {
        let address = format!("{}/{}", shelf.address(&edition), piece.name);
        Ok(Redirect::permanent(&address).into_response())
    } else {
        Err(Error::NotFound)
    }
}

/// An event as a calendar file.
fn calendar(
    site: &Site,
    shelf: &Shelf,
    edition: &Edition,
    piece: Option<&Piece>,
) -> Result<Response, Error> {
    let piece = piece.ok_or(Error::NotFound)?;
    let base = site.address.as_str();
    let url = format!("{base}{}/{}", shelf.address(edition), piece.name);
    let host = base.split("://").nth(1).unwrap_or(base);
    let stamp = edition.frozen_at.timestamp();
    let file = calendar::file(piece.id, &piece.record, &url, host, &shelf.zone, stamp);
    let kind = [(header::CONTENT_TYPE, "text/calendar; charset=utf-8")];
    Ok((kind, file.ok_or(Error::NotFound)?).into_response())
}

/// A newsletter's place in the archive.
struct Shelf {
    newsletter: Newsletter,
    publication: rundbrief_templates::publication::Publication,
    zone: TimeZone,
}

/// An article's page as a file that stands alone, before the issue is public.
pub fn file(newsletter: &Newsletter, edition: &Edition, piece: &Piece, base: &str) -> String {
    whole(&Shelf::of(newsletter.clone()), edition, piece).alone(base)
}

impl Shelf {
    fn of(newsletter: Newsletter) -> Shelf {
        let publication = newsletter.definition.publication();
        let zone = newsletter.definition.time_zone.zone();
        Shelf { newsletter, publication, zone }
    }

    async fn find(site: &Site, slug: &str) -> Result<Shelf, Error> {
        let newsletter = newsletter::find(&site.store, slug).await?;
        let newsletter = newsletter.filter(|n| n.definition.slug.as_str() == slug);
        Ok(Shelf::of(newsletter.ok_or(Error::NotFound)?))
    }

    async fn edition(&self, site: &Site, number: i64) -> Result<Edition, Error> {
        let found = archive::edition(&site.store, self.newsletter.id.0, number).await?;
        found.ok_or(Error::NotFound)
    }

    fn slug(&self) -> &str {
        self.newsletter.definition.slug.as_str()
    }

    fn title(&self) -> String {
        self.publication.name.clone()
    }

    fn language(&self) -> Language {
        self.newsletter.definition.language
    }

    fn words(&self) -> &'static Words {
        words::of(self.language())
    }

    fn house(&self) -> House<'_> {
        House { slug: self.slug(), publication: &self.publication }
    }

    fn root(&self) -> String {
        format!("/archive/{}", self.slug())
    }

    fn address(&self, edition: &Edition) -> String {
        format!("/archive/{}/{}", self.slug(), edition.number)
    }

    fn number(&self, edition: &Edition) -> String {
        format!("{} {}", self.words().issue, edition.number)
    }

    /// "Ausgabe 12 · 23. November 2026".
    fn line(&self, edition: &Edition) -> String {
        let day = self.zone.to_datetime(edition.frozen_at.timestamp()).date();
        format!("{} · {}", self.number(edition), date::day(day, self.language()))
    }
}

fn crumbs(words: &Words, path: &[(&str, Option<String>)]) -> Markup {
    html! {
        nav class="crumbs" aria-label=(words.you_are_here.trim_end_matches(':')) {
            span { (words.you_are_here) " " }
            ol {
                @for (name, address) in path {
                    li {
                        @match address {
                            Some(address) => a href=(address) { (name) },
                            None => span aria-current="page" { (name) },
                        }
                    }
                }
            }
        }
    }
}

/// An article as it stands in its issue: a picture, the title as the link, the teaser.
fn teaser(shelf: &Shelf, edition: &Edition, piece: &Piece, top: bool) -> Markup {
    let record = &piece.record;
    let address = format!("{}/{}", shelf.address(edition), piece.name);
    let image = record.images.iter().find(|image| image.file.is_some());
    let class = if image.is_some() { "teaser pictured" } else { "teaser" };
    let link = html! { a href=(address) { (record.title) } };
    html! {
        article class=(class) lang=[foreign(record, shelf.language())] {
            @if let Some(image) = image { figure { (picture(image)) (caption(image, shelf.words())) } }
            div {
                @if !record.kicker.is_empty() { p class="kicker" { (record.kicker.join(" / ")) } }
                @if top { h2 { (link) } } @else { h3 { (link) } }
                @if let Some(event) = &record.event { p { strong { (when(event, shelf)) } } }
                p { (record.teaser) }
            }
        }
    }
}

fn whole(shelf: &Shelf, edition: &Edition, piece: &Piece) -> Page {
    let record = &piece.record;
    let words = shelf.words();
    let issue = shelf.address(edition);
    let mut shown = record.images.iter().filter(|image| image.file.is_some());
    let first = shown.next();
    let rest: Vec<&Image> = shown.collect();
    let path = [
        (&*shelf.title(), Some(shelf.root())),
        (&*shelf.number(edition), Some(issue.clone())),
        (&*record.title, None),
    ];
    let body = html! {
        (crumbs(words, &path))
        article lang=[foreign(record, shelf.language())] {
            header {
                @if !record.kicker.is_empty() { p class="kicker" { (record.kicker.join(" / ")) } }
                h1 { (record.title) }
                @if let Some(subtitle) = &record.subtitle { p class="subtitle" { (subtitle) } }
                (facts(record, shelf))
            }
            @if let Some(event) = &record.event { (announced(event, shelf)) }
            @if let Some(image) = first { figure { (picture(image)) (caption(image, words)) } }
            (raw::body(&record.body))
            @if !rest.is_empty() {
                h2 { (words.pictures) }
                ul class="gallery" {
                    @for image in rest { li { figure { (picture(image)) (caption(image, words)) } } }
                }
            }
        }
        @if let Some(url) = record.url.as_ref().filter(|url| url.is_web()) {
            p { a href=(url.as_str()) { (words.original) } }
        }
        p class="way-back" { a href=(issue) { (words.back_to_issue) } }
    };
    page::of(shelf.house(), shelf.language(), &record.title, body).policy(SANDBOX).kept()
}

/// The article's language where it is not the newsletter's.
fn foreign(record: &Record, language: Language) -> Option<&str> {
    record.language.as_deref().filter(|tag| Language::parse(tag) != Some(language))
}

fn facts(record: &Record, shelf: &Shelf) -> Markup {
    let day = record.published_at.map(|at| shelf.zone.to_datetime(at).date());
    html! {
        @if day.is_some() || !record.authors.is_empty() {
            p class="facts" {
                @if let Some(day) = day { time datetime=(day) { (date::day(day, shelf.language())) } }
                @if day.is_some() && !record.authors.is_empty() { " · " }
                @if !record.authors.is_empty() { (shelf.words().by) " " (record.authors.join(", ")) }
            }
        }
    }
}

fn announced(event: &Event, shelf: &Shelf) -> Markup {
    let words = shelf.words();
    html! {
        dl class="event" {
            dt { (words.when) } dd { (when(event, shelf)) }
            @if let Some(place) = &event.place { dt { (words.place) } dd { (place) } }
        }
    }
}

fn when(event: &Event, shelf: &Shelf) -> String {
    use rundbrief_templates::issue::When;
    let zone = &shelf.zone;
    let first = event.start.day(zone);
    let last = event.end.map(|end| end.day(zone));
    let when = match event.start.time(zone) {
        Some(time) => When::Moment {
            start: first.to_datetime(time),
            end: event.end.and_then(|end| Some(end.day(zone).to_datetime(end.time(zone)?))),
        },
        None => When::Days { first, last },
    };
    date::when(when, shelf.language())
}

fn picture(image: &Image) -> Markup {
    html! {
        @if let Some(file) = &image.file {
            img src=(format!("/picture/{file}")) alt=(image.alt) width=[image.width] height=[image.height] loading="lazy";
        }
    }
}

fn caption(image: &Image, words: &Words) -> Markup {
    let caption = image.caption.as_deref().filter(|text| !text.is_empty());
    html! {
        @if caption.is_some() || image.credit.is_some() {
            figcaption {
                @if let Some(caption) = caption {
                    (caption)
                    @if !caption.ends_with(['.', '!', '?', '…']) { "." }
                    " "
                }
                @if let Some(credit) = &image.credit { span class="credit" { (words.photo) ": " (credit) } }
            }
        }
    }
}
