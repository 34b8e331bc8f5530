//! A web page: by the CSS selectors of its source, and by itself where none are given.
//!
//! The order: what the page says of itself, where its title is, what is no article, which
//! element holds the text, then one walk through it. Nothing here knows a particular site.

use scraper::{ElementRef, Html};
use url::Url;

use crate::article::{Image, Record, WebAddress};
use crate::source::block::{self, Block};
use crate::source::finding::{Finding, Reading};
use crate::source::head::Head;
use crate::source::noise::Noise;
use crate::source::selector::Selectors;
use crate::source::walk::Walk;
use crate::source::{byline, date, describe, gallery, kicker, landmark, noise, phrases, prose};

/// Characters of a subtitle.
const SUBTITLE: usize = 200;
/// Characters of HTML below which nothing is searched for with the reader for hard cases.
const SCRAP: usize = 200;

/// What is said of a page that is a mistake or an attack.
const TOO_DEEP: &str = "elements nested hundreds deep; such a page is not read";

/// Reads one article from a page. `address` is where it came from; without it relative
/// addresses are lost.
pub fn read(html: &str, address: Option<&Url>, selectors: &Selectors) -> Reading {
    let page = Html::parse_document(html);
    if noise::is_too_deep(&page) {
        return Reading { record: Record::default(), findings: vec![Finding::new(TOO_DEEP)] };
    }
    let base = base(&page, address);
    let base = base.as_ref();
    let head = Head::of(&page, base);
    let title = selectors
        .title
        .as_ref()
        .and_then(|title| page.select(title).next())
        .or_else(|| landmark::title(&page, &head));
    let noise = Noise::of(&page, title);
    let mut record = Record {
        title: title.map(|title| block::text_in(title)).unwrap_or_else(|| head.title()),
        language: head.language.clone(),
        published_at: head.published,
        event: head.event.clone(),
        url: head.canonical.clone().or_else(|| {
            address.and_then(|url| WebAddress::parse(url.as_str()).ok().filter(WebAddress::is_web))
        }),
        authors: head.authors.clone(),
        categories: head.categories.clone(),
        ..Record::default()
    };
    let mut findings = Vec::new();
    let subtitle = title.and_then(|title| marked_subtitle(title, &noise));
    record.subtitle = subtitle.map(|element| block::text_in(element));
    record.kicker = landmark::path(&page, &record.title);
    if record.kicker.is_empty() {
        record.kicker = kicker::path(head.path.clone(), &record.title);
    }
    if record.kicker.is_empty()
        && let Some(rubric) = title.and_then(rubric)
    {
        record.kicker.push(rubric);
    }
    let mut walk = Walk::new(
        base,
        &noise,
        title.map(|title| title.id()),
        subtitle.iter().map(|element| element.id()).collect(),
    );
    let mut blocks = article(&page, title, &noise, selectors, &mut walk, &mut findings);
    if blocks.is_empty() && html.len() > SCRAP {
        blocks = hard_case(html, base);
    }
    sign(&mut record, &page, title, &noise, &mut walk);
    record.images = walk.images;
    findings.append(&mut walk.findings);
    if record.subtitle.is_none() {
        record.subtitle = take_subtitle(&mut blocks, &record.title);
    }
    selected(&page, selectors, base, &mut record, &mut findings);
    finish(&mut record, &blocks, &head);
    if record.title.is_empty() {
        findings.push(Finding::new("no title found: name it with the selector `title`"));
    }
    if record.body.is_empty() {
        findings.push(Finding::new("no text found: name its element with the selector `body`"));
    }
    Reading { record, findings }
}

/// Reads a piece of HTML without a page around it: a feed's content, Markdown turned HTML.
/// Gives blocks and pictures; `title` is dropped where the piece repeats it.
pub fn fragment(
    html: &str,
    base: Option<&Url>,
    title: &str,
) -> (Vec<Block>, Vec<Image>, Vec<Finding>) {
    let page = Html::parse_fragment(html);
    if noise::is_too_deep(&page) {
        return (Vec::new(), Vec::new(), vec![Finding::new(TOO_DEEP)]);
    }
    let noise = Noise::of(&page, None);
    let mut walk = Walk::new(base, &noise, None, Vec::new());
    walk.through(page.root_element());
    let mut blocks = walk.blocks;
    if let Some(first) = blocks.first()
        && matches!(first, Block::Heading(..))
        && first.text() == title
    {
        blocks.remove(0);
    }
    (blocks, walk.images, walk.findings)
}

/// What all readers of HTML do last: body, teaser, links, language.
pub fn finish(record: &mut Record, blocks: &[Block], head: &Head) {
    record.body = block::body(blocks);
    record.links = block::links(&record.body);
    if record.teaser.is_empty() {
        record.teaser = block::teaser(blocks);
    }
    if record.teaser.is_empty() {
        record.teaser = head.description.clone().unwrap_or_default();
    }
    if record.language.is_none() {
        let text: Vec<String> = blocks.iter().map(Block::text).collect();
        record.language = prose::language(&text.join(" ")).map(str::to_owned);
    }
    if record.images.is_empty()
        && let Some((url, alt)) = &head.image
    {
        record.images.push(Image { url: url.clone(), alt: alt.clone(), ..Image::default() });
    }
}

/// The address relative ones are resolved against: what the page says, joined to where it came
/// from. A file from the disk stands where it says of itself that it stands on the web.
fn base(page: &Html, address: Option<&Url>) -> Option<Url> {
    let written =
        page.select(&landmark::select("base[href]")).next().and_then(|base| base.attr("href"));
    let web = address.filter(|address| address.scheme() != "file");
    let said = || {
        let selector = landmark::select("link[rel~=canonical], meta[property='og:url']");
        let own = page.select(&selector).next()?;
        Url::parse(own.attr("href").or_else(|| own.attr("content"))?).ok()
    };
    let stands = web.cloned().or_else(said);
    match (written, &stands) {
        (Some(href), Some(stands)) => stands.join(href).ok().or_else(|| Some(stands.clone())),
        (Some(href), None) => Url::parse(href).ok().or_else(|| address.cloned()),
        (None, Some(stands)) => Some(stands.clone()),
        (None, None) => address.cloned(),
    }
}

/// Who wrote it, when, and under which heading, where the page does not say so for machines.
fn sign(
    record: &mut Record,
    page: &Html,
    title: Option<ElementRef<'_>>,
    noise: &Noise,
    walk: &mut Walk<'_>,
) {
    let machine = time_element(page);
    let said = title.map(byline::read).unwrap_or_default();
    record.published_at = record.published_at.or(machine).or(walk.published).or(said.published);
    record.published_at = record.published_at.or_else(|| named_date(page, noise));
    for authors in [said.authors, std::mem::take(&mut walk.authors)] {
        if record.authors.is_empty() {
            record.authors = authors;
        }
    }
    if record.categories.is_empty() {
        record.categories = said.categories;
    }
}

/// The blocks: of the selected elements, else of the element the page's shape suggests.
fn article<'a>(
    page: &'a Html,
    title: Option<ElementRef<'a>>,
    noise: &Noise,
    selectors: &Selectors,
    walk: &mut Walk<'_>,
    findings: &mut Vec<Finding>,
) -> Vec<Block> {
    let chosen: Vec<ElementRef<'a>> =
        selectors.body.iter().flat_map(|body| page.select(body)).collect();
    if selectors.body.is_some() && chosen.is_empty() {
        findings.push(Finding::new(
            "the selector `body` matches nothing on this page; it was read without",
        ));
    }
    let outermost: Vec<ElementRef<'a>> = chosen
        .iter()
        .filter(|element| {
            !element.ancestors().any(|above| chosen.iter().any(|other| other.id() == above.id()))
        })
        .copied()
        .collect();
    if outermost.is_empty() {
        let (root, named) = landmark::root(page, title, noise);
        walk.keep_pictures_above(named);
        let inside = |title: &ElementRef<'_>| title.ancestors().any(|node| node.id() == root.id());
        if title.is_some_and(|title| !inside(&title)) {
            walk.begin();
            walk.images_between(title, root);
        } else if title.is_none() {
            walk.begin();
        }
        walk.through(root);
    } else {
        walk.begin();
        outermost.into_iter().for_each(|element| walk.through(element));
    }
    std::mem::take(&mut walk.blocks)
}

/// Text from a page whose shape says nothing, by its density alone.
fn hard_case(html: &str, base: Option<&Url>) -> Vec<Block> {
    let reader = dom_smoothie::Readability::new(html, base.map(Url::as_str), None);
    let article = reader.and_then(|mut reader| reader.parse());
    article.map(|article| fragment(&article.content, base, &article.title).0).unwrap_or_default()
}

/// What the selectors of the source name goes before what was found.
fn selected(
    page: &Html,
    selectors: &Selectors,
    base: Option<&Url>,
    record: &mut Record,
    findings: &mut Vec<Finding>,
) {
    let mut text = |name: &str, selector: &Option<scraper::Selector>| {
        let selector = selector.as_ref()?;
        let texts: Vec<String> = page
            .select(selector)
            .map(|element| block::text_in(element))
            .filter(|text| !text.is_empty())
            .collect();
        if texts.is_empty() {
            findings
                .push(Finding::new(format!("the selector `{name}` matches nothing on this page")));
        }
        (!texts.is_empty()).then_some(texts)
    };
    text("title", &selectors.title);
    if let Some(steps) = text("kicker", &selectors.kicker) {
        let steps = match steps.as_slice() {
            [one] => kicker::split(phrases::you_are_here(one).unwrap_or(one)),
            many => many.to_vec(),
        };
        record.kicker = kicker::path(steps, &record.title);
    }
    if let Some(mut texts) = text("subtitle", &selectors.subtitle) {
        record.subtitle = Some(texts.swap_remove(0));
    }
    if let Some(texts) = text("teaser", &selectors.teaser) {
        record.teaser = texts.join(" ");
    }
    if let Some(selector) = &selectors.date {
        let found = page.select(selector).find_map(|element| {
            element
                .attr("datetime")
                .or_else(|| element.attr("content"))
                .and_then(date::instant)
                .or_else(|| date::instant(&block::text_in(element)))
        });
        match found {
            Some(at) => record.published_at = Some(at),
            None => {
                findings.push(Finding::new("the selector `date` leads to no date on this page"))
            }
        }
    }
    if let Some(selector) = &selectors.images {
        record.images =
            page.select(selector).flat_map(|element| gallery::read(element, base)).collect();
    }
}

/// The subtitle by its name: in the title's header, or right behind the title.
fn marked_subtitle<'a>(title: ElementRef<'a>, noise: &Noise) -> Option<ElementRef<'a>> {
    const NAMES: &[&str] = &[
        "subtitle",
        "sub-title",
        "subline",
        "subheadline",
        "sub-headline",
        "subheader",
        "untertitel",
        "unterzeile",
        "subhead",
        "alternativeheadline",
    ];
    let fits = |element: &ElementRef<'_>| {
        let text = block::text_in(*element);
        !noise.hides(*element)
            && !text.is_empty()
            && text.chars().count() <= SUBTITLE
            && !date::is_dateline(&text)
    };
    let named = |element: &ElementRef<'_>| {
        let prop = element.attr("itemprop").unwrap_or_default().to_lowercase();
        noise::names(*element).chain([prop]).any(|name| {
            NAMES.iter().any(|word| {
                name == *word
                    || name.ends_with(&format!("-{word}"))
                    || name.starts_with(&format!("{word}-"))
            })
        })
    };
    let parent = title.parent().and_then(ElementRef::wrap)?;
    let header = title
        .ancestors()
        .take(3)
        .filter_map(ElementRef::wrap)
        .find(|above| matches!(above.value().name(), "header" | "hgroup"));
    let scope = header.or_else(|| parent.parent().and_then(ElementRef::wrap)).unwrap_or(parent);
    let after = |element: &ElementRef<'_>| {
        element.id() != title.id() && !element.ancestors().any(|node| node.id() == title.id())
    };
    let by_name = scope
        .descendent_elements()
        .skip(1)
        .filter(after)
        .find(|element| named(element) && fits(element));
    by_name.or_else(|| {
        let mut siblings = title.next_siblings().filter_map(ElementRef::wrap);
        let next = siblings.next()?;
        let in_header = header.is_some_and(|header| header.id() == parent.id());
        (in_header
            && matches!(next.value().name(), "h2" | "h3" | "p")
            && fits(&next)
            && !prose::ends_sentence(&block::text_in(next)))
        .then_some(next)
    })
}

/// A rubric above the title in its header: "Pressemitteilung", "Dachzeile".
fn rubric(title: ElementRef<'_>) -> Option<String> {
    const NAMES: &[&str] = &[
        "kicker",
        "dachzeile",
        "overline",
        "topline",
        "roofline",
        "eyebrow",
        "rubrik",
        "supertitle",
        "spitzmarke",
        "preheadline",
        "pretitle",
    ];
    let parent = title.parent().and_then(ElementRef::wrap)?;
    let scope = parent.parent().and_then(ElementRef::wrap).unwrap_or(parent);
    let named = scope.descendent_elements().skip(1).find(|element| {
        noise::names(*element).any(|name| {
            NAMES.iter().any(|word| name == *word || name.ends_with(&format!("-{word}")))
        })
    });
    let text = block::text_in(named?);
    (!text.is_empty() && text.chars().count() <= 80).then_some(text)
}

/// The first block as subtitle: a short line without a full stop before the text. A heading
/// whose level comes again heads a section and stays.
fn take_subtitle(blocks: &mut Vec<Block>, title: &str) -> Option<String> {
    while blocks.first().is_some_and(|block| block.text() == title) {
        blocks.remove(0);
    }
    let first = blocks.first()?;
    let text = first.text();
    let line = text.chars().count() <= SUBTITLE && !prose::ends_sentence(&text)
        || matches!(first, Block::Heading(..)) && text.ends_with(['!', '?']);
    let fits =
        line && !date::is_dateline(&text) && !describe::is_description(&text) && blocks.len() > 1;
    let alone = match first {
        Block::Heading(level, _) => !blocks[1..]
            .iter()
            .any(|block| matches!(block, Block::Heading(other, _) if other == level)),
        Block::Paragraph(inner) => {
            !inner.contains("<a ")
                && !inner.contains("<br>")
                && text.chars().count() <= SUBTITLE / 2
        }
        Block::Whole(_) => false,
    };
    (fits && alone).then(|| blocks.remove(0).text())
}

/// The date of the first `time` element outside of menus.
fn time_element(page: &Html) -> Option<jiff::Timestamp> {
    let selector = landmark::select("time[datetime]");
    let mut times = page.select(&selector).filter(|time| !in_navigation(*time));
    times.find_map(|time| time.attr("datetime").and_then(date::instant))
}

/// A date line that its class calls one, outside of menus.
fn named_date(page: &Html, noise: &Noise) -> Option<jiff::Timestamp> {
    let selector = landmark::select("[class*=date], [class*=datum], [class*=published], time");
    let named =
        page.select(&selector).filter(|element| !noise.is(*element) || !in_navigation(*element));
    let texts = named.map(|element| block::text_in(element));
    texts.filter(|text| date::is_dateline(text)).find_map(|text| date::instant(&text))
}

fn in_navigation(element: ElementRef<'_>) -> bool {
    element
        .ancestors()
        .filter_map(ElementRef::wrap)
        .any(|above| matches!(above.value().name(), "nav" | "aside" | "footer"))
}
