//! Writes the markup of one block anew: known tags under their modern names, absolute links,
//! single spaces; pictures, empty elements and everything else left out.

use ego_tree::NodeRef;
use scraper::{ElementRef, Node};
use url::Url;

use crate::article::WebAddress;
use crate::source::noise::Noise;
use crate::source::prose;

/// The markup of a block's content.
pub fn write(element: ElementRef<'_>, base: Option<&Url>, noise: &Noise) -> String {
    let mut out = String::new();
    for child in element.children() {
        node(child, base, noise, &mut out);
    }
    tidy(&out)
}

/// Appends one node; text keeps its spaces until `tidy`.
pub fn node(node: NodeRef<'_, Node>, base: Option<&Url>, noise: &Noise, out: &mut String) {
    match node.value() {
        Node::Text(text) => out.push_str(&prose::escape(text)),
        Node::Element(_) => {
            if let Some(element) = ElementRef::wrap(node) {
                tag(element, base, noise, out);
            }
        }
        Node::Document
        | Node::Fragment
        | Node::Doctype(_)
        | Node::Comment(_)
        | Node::ProcessingInstruction(_) => {}
    }
}

fn tag(element: ElementRef<'_>, base: Option<&Url>, noise: &Noise, out: &mut String) {
    let name = element.value().name();
    if noise.is(element)
        || matches!(
            name,
            "img"
                | "picture"
                | "video"
                | "audio"
                | "iframe"
                | "embed"
                | "object"
                | "input"
                | "hr"
                | "wbr"
                | "source"
                | "script"
                | "style"
        )
    {
        return;
    }
    if name == "br" {
        out.push_str("<br>");
        return;
    }
    let mut inner = String::new();
    for child in element.children() {
        node(child, base, noise, &mut inner);
    }
    let (new, attributes) = modern(element, base);
    if new.is_empty() && matches!(name, "div" | "section" | "article" | "address" | "figcaption") {
        // A block in a line would glue words together.
        inner.insert(0, ' ');
        inner.push(' ');
    }
    let empty = inner.trim().is_empty();
    if empty && !matches!(new, "td" | "th") || new.is_empty() {
        out.push_str(&inner);
        return;
    }
    // A foreign language within a text keeps its mark, for screen readers.
    let lang = attributes_of(element, &["lang", "dir"]);
    out.push_str(&format!("<{new}{attributes}{lang}>{inner}</{new}>"));
}

/// The element's name and attributes as they are written anew; no name: only its content stays.
fn modern<'a>(element: ElementRef<'a>, base: Option<&Url>) -> (&'a str, String) {
    match element.value().name() {
        "a" => match href(element, base) {
            Some(url) => (
                "a",
                format!(
                    " href=\"{}\"{}",
                    prose::escape(url.as_str()),
                    attributes_of(element, &["hreflang"])
                ),
            ),
            None => ("", String::new()),
        },
        "b" | "strong" => ("strong", String::new()),
        "i" | "em" => ("em", String::new()),
        "strike" | "s" => ("s", String::new()),
        "abbr" | "acronym" => ("abbr", attributes_of(element, &["title"])),
        "td" => ("td", attributes_of(element, &["colspan", "rowspan"])),
        "th" => ("th", attributes_of(element, &["colspan", "rowspan", "scope"])),
        "ol" => ("ol", attributes_of(element, &["start"])),
        "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => ("strong", String::new()),
        "p" | "div" | "section" if is_first_in_item(element) => ("", String::new()),
        "p" | "li" | "ul" | "dl" | "dt" | "dd" | "table" | "thead" | "tbody" | "tfoot" | "tr"
        | "caption" | "blockquote" | "pre" | "code" | "sub" | "sup" | "del" | "ins" | "q"
        | "cite" => (element.value().name(), String::new()),
        _ => ("", String::new()),
    }
}

/// Those of the attributes the element has, written.
fn attributes_of(element: ElementRef<'_>, names: &[&str]) -> String {
    let value = |name: &&str| element.attr(name).filter(|value| !value.is_empty());
    let known = names.iter().filter_map(|name| value(name).map(|value| (name, value)));
    known.map(|(name, value)| format!(" {name}=\"{}\"", prose::escape(value))).collect()
}

/// A lone paragraph in a list item or a cell, which needs no tag of its own.
fn is_first_in_item(element: ElementRef<'_>) -> bool {
    let parent = element.parent().and_then(ElementRef::wrap);
    parent.is_some_and(|parent| {
        matches!(parent.value().name(), "li" | "td" | "th" | "dd" | "dt")
            && parent.child_elements().count() == 1
    })
}

/// The absolute target of a link a reader can follow.
pub fn href(element: ElementRef<'_>, base: Option<&Url>) -> Option<WebAddress> {
    let href = element.attr("href")?.trim();
    if href.is_empty() || href.starts_with('#') {
        return None;
    }
    let absolute = match base {
        Some(base) => base.join(href).ok()?,
        None => Url::parse(href).ok()?,
    };
    WebAddress::parse(absolute.as_str()).ok()
}

/// Single spaces, none beside a break or at the ends; no break at the ends.
pub fn tidy(html: &str) -> String {
    let mut text = prose::squeeze(html);
    for (from, to) in [(" <br>", "<br>"), ("<br> ", "<br>")] {
        while text.contains(from) {
            text = text.replace(from, to);
        }
    }
    let mut text = text.as_str();
    loop {
        let shorter = text.trim().trim_start_matches("<br>").trim_end_matches("<br>").trim();
        if shorter.len() == text.len() {
            return text.to_owned();
        }
        text = shorter;
    }
}
