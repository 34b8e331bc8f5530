//! The blocks an article's body is made of, and how they become a record's body, teaser and
//! links. Text, pages, feeds and Markdown all end here.

use crate::article::{Html, Link, WebAddress};
use crate::source::{prose, sanitise};

/// The level below which no heading of a body goes.
const DEEPEST: u8 = 4;

/// Nodes of an element that are looked through for its text; a title or a path has few.
const NODES: usize = 2_000;

/// One block; its markup is trusted by nobody until `body` has sanitised it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    /// A heading with its level on the page.
    Heading(u8, String),
    /// A paragraph's inner markup.
    Paragraph(String),
    /// A list, quotation, table or preformatted text, with its own outer tag.
    Whole(String),
}

impl Block {
    /// A paragraph of plain text; addresses in it become links.
    pub fn plain(text: &str) -> Self {
        Self::Paragraph(link_addresses(text))
    }

    /// The text without markup.
    pub fn text(&self) -> String {
        let (Self::Heading(_, html) | Self::Paragraph(html) | Self::Whole(html)) = self;
        text_of(html)
    }
}

/// The text of a piece of markup, in one line.
pub fn text_of(html: &str) -> String {
    let fragment = scraper::Html::parse_fragment(html);
    collect(fragment.root_element(), usize::MAX)
}

/// The text of an element, in one line; of a very large one its beginning.
pub fn text_in(element: scraper::ElementRef<'_>) -> String {
    collect(element, NODES)
}

fn collect(element: scraper::ElementRef<'_>, nodes: usize) -> String {
    let mut text = String::new();
    for node in element.descendants().take(nodes) {
        match node.value() {
            scraper::Node::Text(piece) if !in_code(node) => text.push_str(piece),
            scraper::Node::Element(element) if !is_inline(element.name()) => text.push(' '),
            scraper::Node::Text(_)
            | scraper::Node::Element(_)
            | scraper::Node::Document
            | scraper::Node::Fragment
            | scraper::Node::Doctype(_)
            | scraper::Node::Comment(_)
            | scraper::Node::ProcessingInstruction(_) => {}
        }
    }
    prose::squeeze(&text)
}

/// Whether a text is a script or a style sheet.
fn in_code(node: ego_tree::NodeRef<'_, scraper::Node>) -> bool {
    let parent = node.parent().and_then(scraper::ElementRef::wrap);
    parent.is_some_and(|parent| matches!(parent.value().name(), "script" | "style"))
}

/// Whether an element stands in the line.
pub fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "acronym"
            | "b"
            | "bdi"
            | "bdo"
            | "big"
            | "cite"
            | "code"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "ins"
            | "kbd"
            | "label"
            | "mark"
            | "q"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strike"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "tt"
            | "u"
            | "var"
            | "wbr"
            | "data"
            | "nobr"
    )
}

/// The body: sanitised, headings from `h2` on without a gap.
pub fn body(blocks: &[Block]) -> Html {
    let mut html = String::new();
    let mut path: Vec<u8> = Vec::new();
    for block in blocks {
        match block {
            Block::Heading(level, inner) => {
                path.retain(|above| above < level);
                path.push(*level);
                let level =
                    u8::try_from(path.len()).map_or(DEEPEST, |depth| (depth + 1).min(DEEPEST));
                html.push_str(&format!("<h{level}>{inner}</h{level}>\n"));
            }
            Block::Paragraph(inner) => html.push_str(&format!("<p>{inner}</p>\n")),
            Block::Whole(outer) => {
                html.push_str(outer);
                html.push('\n');
            }
        }
    }
    sanitise::clean(html.trim_end())
}

/// Whole sentences from the first paragraphs.
pub fn teaser(blocks: &[Block]) -> String {
    let paragraphs: Vec<String> = blocks
        .iter()
        .filter(|block| matches!(block, Block::Paragraph(_)))
        .map(|block| prose::without_secrets(&block.text()))
        .collect();
    // An address block or a date is no teaser while there are sentences.
    let prose: Vec<&str> =
        paragraphs.iter().map(String::as_str).filter(|text| prose::ends_sentence(text)).collect();
    match prose.is_empty() {
        true => prose::teaser(paragraphs.iter().map(String::as_str)),
        false => prose::teaser(prose),
    }
}

/// The links of a sanitised body, each address once.
pub fn links(body: &Html) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    let fragment = scraper::Html::parse_fragment(body.as_str());
    for element in fragment.root_element().descendent_elements() {
        let Some(url) = element.attr("href").and_then(|href| WebAddress::parse(href).ok()) else {
            continue;
        };
        let text = prose::squeeze(&element.text().collect::<String>());
        if !text.is_empty() && links.iter().all(|link| link.url != url) {
            links.push(Link { url, text });
        }
    }
    links
}

/// Escapes plain text and makes its web and mail addresses links; line breaks stay breaks.
fn link_addresses(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let words = line.split(' ').map(link_word);
        words.collect::<Vec<_>>().join(" ")
    });
    lines.collect::<Vec<_>>().join("<br>")
}

/// One word of plain text as markup.
fn link_word(word: &str) -> String {
    let bare = word.trim_start_matches(['(', '<', '„', '"', '[']);
    let before = &word[..word.len() - bare.len()];
    let bare = bare.trim_end_matches(['.', ',', ';', ':', ')', '>', '“', '”', '"', '!', '?', ']']);
    let after = &word[before.len() + bare.len()..];
    let href = if bare.starts_with("https://") || bare.starts_with("http://") {
        bare.to_owned()
    } else if bare.starts_with("www.") && bare.matches('.').count() >= 2 {
        format!("https://{bare}")
    } else if is_mail_address(bare) {
        format!("mailto:{bare}")
    } else {
        return prose::escape(word);
    };
    match WebAddress::parse(&href) {
        Ok(url) => format!(
            "{}<a href=\"{}\">{}</a>{}",
            prose::escape(before),
            prose::escape(url.as_str()),
            prose::escape(bare),
            prose::escape(after)
        ),
        Err(_) => prose::escape(word),
    }
}

/// Whether a word is plainly a mail address; doubtful ones stay text.
fn is_mail_address(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+');
    word.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && local.chars().all(plain)
            && domain.contains('.')
            && !domain.ends_with('.')
            && domain.chars().all(plain)
    })
}

#[cfg(test)]
mod tests {
    use super::{Block, body, links, text_of};

    #[test]
    fn headings_begin_at_two_and_skip_nothing() {
        let blocks = [
            Block::Heading(3, "A".into()),
            Block::Heading(5, "B".into()),
            Block::Heading(3, "C".into()),
            Block::Heading(2, "D".into()),
        ];
        assert_eq!(body(&blocks).as_str(), "<h2>A</h2>\n<h3>B</h3>\n<h2>C</h2>\n<h2>D</h2>");
    }

    #[test]
    fn addresses_in_plain_text_become_links() {
        let body = body(&[Block::plain(
            "Mehr <hier>: https://example.org/a?b=1&c=2, www.example.de (redaktion@example.org).",
        )]);
        let urls: Vec<String> = links(&body).into_iter().map(|link| link.url.into()).collect();
        assert_eq!(
            urls,
            [
                "https://example.org/a?b=1&c=2",
                "https://www.example.de/",
                "mailto:redaktion@example.org"
            ]
        );
        assert!(body.as_str().contains("&lt;hier&gt;"));
    }

    #[test]
    fn text_keeps_words_of_neighbouring_blocks_apart() {
        assert_eq!(text_of("<ul><li>eins</li><li>z<b>w</b>ei</li></ul>"), "eins zwei");
    }
}
