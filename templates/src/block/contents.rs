//! The list of contents of a long issue, with links to places in its web version.

use maud::{Markup, html};

use crate::block;
use crate::flow::{Flow, Level};
use crate::issue::{self, Block, CONTENTS_ABOVE, Issue};
use crate::language::direction;
use crate::look::{Look, TABLE};

/// More articles than this are listed by section, where there are sections.
const LISTED: usize = 12;

/// A line of the list.
pub struct Entry<'a> {
    /// The words.
    pub title: &'a str,
    /// The place on the page.
    pub anchor: String,
    /// Language tag of the words, where they name theirs.
    pub language: Option<&'a str>,
}

/// What the list says; empty for a short issue.
pub fn entries(issue: &Issue) -> Vec<Entry<'_>> {
    let mut articles = Vec::new();
    // A section is found where its first article is.
    let mut sections = Vec::new();
    for section in &issue.sections {
        let before = articles.len();
        for block in &section.blocks {
            if let Block::Article(article) = block {
                let anchor = issue::article_anchor(articles.len());
                let language = article.language.as_deref();
                articles.push(Entry { title: &article.title, anchor, language });
            }
        }
        if let Some(title) = section.title.as_deref()
            && articles.len() > before
        {
            let anchor = issue::article_anchor(before);
            sections.push(Entry { title, anchor, language: None });
        }
    }
    if articles.len() <= CONTENTS_ABOVE {
        return Vec::new();
    }
    if articles.len() > LISTED && sections.len() > 1 {
        return sections;
    }
    articles.truncate(LISTED);
    articles
}

/// A box with the list.
pub fn html(issue: &Issue, whole: &str, look: &Look<'_>) -> Markup {
    let entries = entries(issue);
    if entries.is_empty() {
        return html! {};
    }
    let light = &look.plan.light;
    let font = &look.plan.fonts.body;
    block::row(
        look,
        "26px 24px 0 24px",
        &html! {
            table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) {
                tr {
                    td class="n" bgcolor=(light.tint)
                        style={ "background-color:" (light.tint) ";padding:18px 20px 12px 20px" (look.round()) } {
                        h2 class="h" style=(look.h3) { (look.words.contents) }
                        ul class="l" style={ "margin:0;padding:0 0 0 20px;color:" (light.link) } {
                            @for entry in &entries {
                                li class="l" style={ "margin:0 0 8px 0;font-family:" (font) ";font-size:16px;line-height:1.5;color:" (light.link) } {
                                    (link(entry, whole, look))
                                }
                            }
                        }
                    }
                }
            }
        },
    )
}

/// A line's link; words in another language than the mail's say which.
fn link(entry: &Entry<'_>, whole: &str, look: &Look<'_>) -> Markup {
    let foreign = entry.language.filter(|tag| *tag != look.language.tag());
    let dir = foreign.map(|tag| direction(tag).name());
    html! {
        a class="l" lang=[foreign] dir=[dir] href={ (whole) "#" (entry.anchor) } style=(look.link) { (entry.title) }
    }
}

/// The same as text.
pub fn text(issue: &Issue, whole: &str, look: &Look<'_>, flow: &mut Flow) {
    let entries = entries(issue);
    if !entries.is_empty() {
        flow.heading(Level::Two, look.words.contents);
        for entry in entries {
            flow.link(entry.title, &format!("{whole}#{}", entry.anchor));
        }
    }
}
