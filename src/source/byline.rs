//! Who wrote an article, when, and under which heading, as the page marks it for readers:
//! microformats and the lines of WordPress and Drupal. Only inside of the article's own element.

use scraper::ElementRef;

use crate::source::landmark::select;
use crate::source::{block, date, noise};

/// Characters of a name or a heading; what is longer is a sentence.
const NAME: usize = 80;
/// Elements inside of an article that speak of somebody else's texts.
const OTHERS: &[&str] = &["comment", "comments", "related", "teaser", "widget"];

/// What such lines say.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Byline {
    /// Names of people.
    pub authors: Vec<String>,
    /// Names of headings the article is filed under.
    pub categories: Vec<String>,
    /// When it was published.
    pub published: Option<jiff::Timestamp>,
}

/// Reads the lines around a title.
pub fn read(title: ElementRef<'_>) -> Byline {
    let scope = |names: &[&str]| {
        title.ancestors().filter_map(ElementRef::wrap).find(|above| {
            names.contains(&above.value().name()) || above.attr("role") == Some(names[0])
        })
    };
    let Some(article) = scope(&["article"]).or_else(|| scope(&["main"])) else {
        return Byline::default();
    };
    let texts = |selector: &str| -> Vec<String> {
        let selector = select(selector);
        let found = article.select(&selector).filter(|found| is_own(*found, article));
        let mut texts: Vec<String> = Vec::new();
        for text in found.map(|found| block::text_in(found)) {
            if !text.is_empty() && text.chars().count() <= NAME && !texts.contains(&text) {
                texts.push(text);
            }
        }
        texts
    };
    let lines = texts("[class*=submitted]");
    let mut authors: Vec<String> = texts(
        "[rel~=author], [itemprop=author] [itemprop=name], .vcard .fn, .p-author, .byline .author, .entry-meta .author",
    );
    if authors.is_empty() {
        authors.extend(lines.iter().filter_map(|line| date::byline(line)).map(str::to_owned));
    }
    // The first name stands for the person; a login such as "admin" names nobody.
    authors.retain(|name| name.starts_with(char::is_uppercase));
    Byline {
        authors,
        categories: texts("[rel~=category]"),
        published: lines.iter().find_map(|line| date::instant(line)),
    }
}

/// Whether an element belongs to this article, not to one beside or below it.
fn is_own(element: ElementRef<'_>, article: ElementRef<'_>) -> bool {
    element
        .ancestors()
        .filter_map(ElementRef::wrap)
        .take_while(|above| above.id() != article.id())
        .all(|above| {
            !matches!(above.value().name(), "article" | "aside" | "nav")
                && !noise::names(above).any(|name| OTHERS.contains(&name.as_str()))
        })
}

#[cfg(test)]
mod tests {
    use scraper::Html;

    use super::{Byline, read};
    use crate::source::landmark::select;

    fn of(html: &str) -> Byline {
        let page = Html::parse_document(html);
        let title = page.select(&select("h1")).next().expect("a title");
        read(title)
    }

    #[test]
    fn a_blog_names_author_and_category() {
        let said = of(
            r#"<article><h1>Fest</h1><p class="entry-meta">Von <span class="author vcard">
            <a class="url fn n" href="/a" rel="author">Ayşe Muster</a></span></p><p>Text.</p>
            <footer><a rel="category tag" href="/f">Feste</a> <a rel="tag" href="/t">Kuchen</a></footer>
            <div class="comments"><a rel="author">Karl Fremd</a></div></article>"#,
        );
        assert_eq!(said.authors, ["Ayşe Muster"]);
        assert_eq!(said.categories, ["Feste"]);
    }

    #[test]
    fn a_line_of_who_and_when_is_read() {
        let line = |text: &str| {
            of(&format!(
                "<main><h1>Neu</h1><div class=\"node__submitted\">{text}</div><p>Text.</p></main>"
            ))
        };
        let german = line("Gespeichert von <span>Petra Muster</span> am Mi., 12.05.2026 - 10:00");
        assert_eq!(german.authors, ["Petra Muster"]);
        assert_eq!(
            german.published.map(|at| at.to_string()).as_deref(),
            Some("2026-05-12T12:00:00Z")
        );
        assert_eq!(line("Gespeichert von admin am 12. Mai 2026").authors, Vec::<String>::new());
        let english = line("Submitted by Jo Sample on 12 May 2026");
        assert_eq!(english.authors, ["Jo Sample"]);
        assert!(english.published.is_some());
    }
}
