//! Paragraphs of running text with links in them.

use maud::{Markup, html};

use crate::flow::Flow;
use crate::issue::{Link, Paragraph, Span};
use crate::look::Look;

/// The paragraphs; the last one has no space below.
pub fn html(paragraphs: &[Paragraph], look: &Look<'_>) -> Markup {
    let last = paragraphs.len().saturating_sub(1);
    html! {
        @for (index, paragraph) in paragraphs.iter().enumerate() {
            p class="t" style=(if index == last { &look.text_last } else { &look.text }) {
                @for span in &paragraph.0 {
                    @match span {
                        Span::Text(text) => (text),
                        Span::Strong(text) => strong { (text) },
                        Span::Link(link) => (self::link(link, look)),
                    }
                }
            }
        }
    }
}

/// An underlined link.
pub fn link(link: &Link, look: &Look<'_>) -> Markup {
    html! { a class="l" href=(link.url) style=(look.link) { (link.text) } }
}

/// The paragraphs, each followed by the links that it has.
pub fn text(paragraphs: &[Paragraph], flow: &mut Flow) {
    for paragraph in paragraphs {
        let mut words = String::new();
        let mut links = Vec::new();
        for span in &paragraph.0 {
            match span {
                Span::Text(text) | Span::Strong(text) => words.push_str(text),
                Span::Link(link) => {
                    words.push_str(&link.text);
                    links.push(link);
                }
            }
        }
        flow.paragraph(&words);
        for link in links {
            flow.link(&link.text, &link.url);
        }
    }
}
