//! Goes through the article's element once, in order, and sorts what it meets: blocks of
//! text, pictures, credits, what is left out. Decides what ends the article.

use ego_tree::NodeId;
use scraper::{ElementRef, Node};
use url::Url;

use crate::article::Image;
use crate::source::block::{self, Block};
use crate::source::finding::Finding;
use crate::source::noise::Noise;
use crate::source::{credit, date, kicker, phrases, prose};
use crate::source::{gallery, inline};

/// Nested elements a walk follows; deeper markup is a mistake or an attack.
const DEPTH: usize = 200;
/// Characters of a date line, a credit or a caption standing alone.
const LINE: usize = 200;

/// What a walk has gathered.
pub struct Walk<'a> {
    base: Option<&'a Url>,
    noise: &'a Noise,
    /// Texts begin after this element; none: at once.
    title: Option<NodeId>,
    /// Elements that were read as something else, such as the subtitle.
    taken: Vec<NodeId>,
    line: String,
    over: bool,
    above: bool,
    /// The article's blocks.
    pub blocks: Vec<Block>,
    /// Its pictures.
    pub images: Vec<Image>,
    /// A date that stood alone above the text.
    pub published: Option<jiff::Timestamp>,
    /// Who wrote it, from such a line.
    pub authors: Vec<String>,
    /// What was left out.
    pub findings: Vec<Finding>,
}

impl<'a> Walk<'a> {
    /// Prepares a walk.
    pub fn new(
        base: Option<&'a Url>,
        noise: &'a Noise,
        title: Option<NodeId>,
        taken: Vec<NodeId>,
    ) -> Self {
        Self {
            base,
            noise,
            title,
            taken,
            line: String::new(),
            over: false,
            above: true,
            authors: Vec::new(),
            blocks: Vec::new(),
            images: Vec::new(),
            published: None,
            findings: Vec::new(),
        }
    }

    /// The title lies elsewhere: text counts from the first element on.
    pub fn begin(&mut self) {
        self.title = None;
    }

    /// Whether pictures above the title, but in the same element, belong to the article.
    pub fn keep_pictures_above(&mut self, keep: bool) {
        self.above = keep;
    }

    /// The pictures between a title and the text, where the text's element holds no title.
    pub fn images_between(&mut self, title: Option<ElementRef<'_>>, root: ElementRef<'_>) {
        let Some(title) = title else {
            return;
        };
        let common = title
            .ancestors()
            .filter_map(ElementRef::wrap)
            .find(|above| root.ancestors().any(|node| node.id() == above.id()));
        let inside =
            |element: &ElementRef<'_>| element.ancestors().any(|node| node.id() == root.id());
        let figures = common
            .into_iter()
            .flat_map(|common| common.descendent_elements())
            .take_while(|element| element.id() != root.id());
        for element in figures.filter(|element| matches!(element.value().name(), "figure" | "img"))
        {
            let within = element
                .ancestors()
                .filter_map(ElementRef::wrap)
                .any(|above| above.value().name() == "figure");
            if !inside(&element) && !within && !self.noise.hides(element) {
                self.pictures(element);
            }
        }
    }

    /// Walks an element.
    pub fn through(&mut self, element: ElementRef<'_>) {
        self.flow(element, 0);
        self.flush();
    }

    fn flow(&mut self, element: ElementRef<'_>, depth: usize) {
        if depth > DEPTH {
            self.findings.push(Finding::new(format!(
                "elements nested more than {DEPTH} deep were left out"
            )));
            return;
        }
        for child in element.children() {
            match child.value() {
                Node::Text(text) => self.line.push_str(&prose::escape(text)),
                Node::Element(_) => {
                    if let Some(child) = ElementRef::wrap(child) {
                        self.element(child, depth);
                    }
                }
                Node::Document
                | Node::Fragment
                | Node::Doctype(_)
                | Node::Comment(_)
                | Node::ProcessingInstruction(_) => {}
            }
        }
    }

    fn element(&mut self, element: ElementRef<'_>, depth: usize) {
        if Some(element.id()) == self.title {
            // What stood before the title is no text of the article; its pictures are.
            self.line.clear();
            self.blocks.clear();
            if !self.above {
                self.images.clear();
            }
            self.title = None;
            return;
        }
        if self.taken.contains(&element.id()) {
            return;
        }
        if self.noise.is(element) {
            self.flush();
            return;
        }
        if let Some((caption, credit)) = gallery::apart(element)
            && let Some(last) = self.images.last_mut()
        {
            last.caption = last.caption.take().or(caption);
            if let Some(name) = credit {
                self.credit(&block::text_in(element), &name);
            }
            return;
        }
        let name = element.value().name();
        match name {
            "br" => self.line.push_str("<br>"),
            "img" | "picture" => self.pictures(element),
            "figure" => self.figure(element, depth),
            "iframe" | "video" | "audio" | "embed" | "object" => self.embedded(element),
            "hr" | "input" | "link" | "meta" => self.flush(),
            _ if block::is_inline(name) => {
                let opaque = element.descendent_elements().skip(1).any(|inner| {
                    !block::is_inline(inner.value().name()) && inner.value().name() != "br"
                });
                if opaque {
                    self.flow(element, depth + 1);
                } else {
                    inline::node(*element, self.base, self.noise, &mut self.line);
                }
            }
            _ => {
                self.flush();
                self.block(element, name, depth);
                self.flush();
            }
        }
    }

    fn block(&mut self, element: ElementRef<'_>, name: &str, depth: usize) {
        match name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.pictures_below(element);
                let inner = inline::write(element, self.base, self.noise);
                self.heading(name.as_bytes()[1] - b'0', &inner);
            }
            "p" => {
                self.flow(element, depth + 1);
                self.flush();
            }
            "ul" | "ol" | "dl" if !is_wrapper(element) => self.whole(element, name),
            "table" if is_data(element) => self.whole(element, name),
            "blockquote" | "pre" => self.whole(element, name),
            _ if is_captioned(element, self.noise) => self.figure(element, depth),
            _ => self.flow(element, depth + 1),
        }
    }

    /// Ends the line in hand: one paragraph, or several where it breaks twice.
    fn flush(&mut self) {
        let line = std::mem::take(&mut self.line);
        let line = inline::tidy(&line);
        for part in line.split("<br><br>") {
            self.paragraph(&inline::tidy(part));
        }
    }

    fn paragraph(&mut self, inner: &str) {
        let text = block::text_of(inner);
        if text.is_empty() || !text.chars().any(char::is_alphanumeric) || self.leaves_out(&text) {
            return;
        }
        if text.chars().count() <= LINE {
            if let Some(name) = credit::name(&text) {
                self.credit(&text, &name);
                return;
            }
            if date::is_dateline(&text) && self.blocks.is_empty() {
                self.published = self.published.or_else(|| date::instant(&text));
                self.authors.extend(date::byline(&text).map(str::to_owned));
                return;
            }
        }
        self.blocks.push(Block::Paragraph(inner.to_owned()));
    }

    fn heading(&mut self, level: u8, inner: &str) {
        let text = block::text_of(inner);
        if !text.is_empty() && !self.leaves_out(&text) {
            self.blocks.push(Block::Heading(level, inner.to_owned()));
        }
    }

    fn whole(&mut self, element: ElementRef<'_>, name: &str) {
        self.pictures_below(element);
        let inner = inline::write(element, self.base, self.noise);
        let text = block::text_of(&inner);
        if text.is_empty() || self.leaves_out(&text) {
            return;
        }
        let inner = match name {
            "pre" => format!("<pre>{}</pre>", prose::escape(&element.text().collect::<String>())),
            _ => format!("<{name}>{inner}</{name}>"),
        };
        self.blocks.push(Block::Whole(inner));
    }

    /// Whether a line is no part of the article; an end stops the walk's text.
    fn leaves_out(&mut self, text: &str) -> bool {
        if self.over
            || self.title.is_some() && self.blocks.is_empty() && kicker::of_line(text).is_some()
        {
            return true;
        }
        if phrases::is_way_back(text) || phrases::ends_article(text) {
            // A way back above the text ends nothing.
            self.over = self.title.is_none()
                && self
                    .blocks
                    .iter()
                    .any(|block| matches!(block, Block::Paragraph(_) | Block::Whole(_)));
            return true;
        }
        phrases::is_standing(text)
            || phrases::asks_for_cookies(text)
            || phrases::you_are_here(text).is_some() && text.chars().count() < LINE
    }

    fn pictures(&mut self, element: ElementRef<'_>) {
        let images = gallery::read(element, self.base);
        self.add(images);
    }

    fn pictures_below(&mut self, element: ElementRef<'_>) {
        if !self.over {
            self.pictures(element);
        }
    }

    /// A picture with its caption; what else stands in it goes on as text.
    fn figure(&mut self, element: ElementRef<'_>, depth: usize) {
        let nested =
            element.descendent_elements().skip(1).any(|inner| inner.value().name() == "figure");
        if nested {
            // A gallery: each picture with its own caption; what stands below it is for all.
            self.flow(element, depth + 1);
            return;
        }
        let images = gallery::read(element, self.base);
        if images.is_empty() {
            self.flow(element, depth + 1);
            return;
        }
        self.add(images);
        for element in element
            .descendent_elements()
            .filter(|element| matches!(element.value().name(), "iframe" | "video"))
        {
            self.embedded(element);
        }
    }

    fn add(&mut self, images: Vec<Image>) {
        for image in images {
            if !self.over && self.images.iter().all(|known| known.url != image.url) {
                self.images.push(image);
            }
        }
    }

    /// A credit that stands alone: for the picture above it, or for all without one.
    fn credit(&mut self, text: &str, name: &str) {
        let all = credit::is_for_all(text);
        let open = self.images.iter_mut().rev().filter(|image| image.credit.is_none());
        for image in open.take(if all { usize::MAX } else { 1 }) {
            image.credit = Some(name.to_owned());
        }
    }

    fn embedded(&mut self, element: ElementRef<'_>) {
        let source = element
            .attr("src")
            .or_else(|| element.attr("data-src"))
            .or_else(|| element.attr("data"))
            .unwrap_or("no address");
        if !self.over {
            self.findings.push(Finding::new(format!(
                "embedded {} left out: {}",
                element.value().name(),
                source.chars().take(LINE).collect::<String>()
            )));
        }
    }
}

/// Lists that only lay out: galleries, teasers, items that hold whole sections.
fn is_wrapper(element: ElementRef<'_>) -> bool {
    let mut inner = element.descendent_elements().skip(1);
    let pictures = element
        .descendent_elements()
        .any(|inner| matches!(inner.value().name(), "img" | "figure" | "picture"));
    pictures
        || inner.any(|inner| {
            matches!(inner.value().name(), "h1" | "h2" | "h3" | "h4" | "table" | "article")
        })
}

/// Tables that hold data: with heads, or with short cells in rows and columns.
fn is_data(table: ElementRef<'_>) -> bool {
    let mut columns = 0;
    let mut rows = 0;
    let mut long = false;
    for element in table.descendent_elements().skip(1) {
        match element.value().name() {
            "th" => return true,
            "img" | "table" | "h1" | "h2" | "h3" => return false,
            "tr" => {
                rows += 1;
                columns = columns.max(element.child_elements().count());
            }
            "td" => long |= element.text().map(str::len).sum::<usize>() > 400,
            _ => {}
        }
    }
    columns >= 2 && rows >= 2 && !long
}

/// Boxes that systems without `figure` put around a picture and its caption.
fn is_captioned(element: ElementRef<'_>, noise: &Noise) -> bool {
    let name = element.value().name();
    let known = crate::source::noise::names(element).any(|name| {
        [
            "wp-caption",
            "image-container",
            "img-container",
            "ce-image",
            "csc-textpic-image",
            "image-wrapper",
            "media-image",
            "bildbox",
            "bild",
            "image",
            "figure",
            "gallery-item",
            "slide",
            "swiper-slide",
            "image-box",
            "mediaelement-image",
        ]
        .contains(&name.as_str())
    });
    known
        && matches!(name, "div" | "dl" | "li" | "span" | "td" | "section")
        && noise.weight(element) < LINE
        && element.descendent_elements().filter(|inner| inner.value().name() == "img").count() == 1
}
