//! The teaser of an article in its four forms.
//!
//! The heading is no link: the one link of an article says where it leads, and
//! a list of contents may then carry the headings themselves.

use maud::{Markup, html};

use crate::block::{self, button, picture, words};
use crate::flow::{Flow, Level};
use crate::issue::{Article, Form, Link};
use crate::look::{self, INNER, Look};
use crate::raw;

/// Width of a picture beside the text, the gap, and the text.
const BESIDE: u32 = 176;
const GAP: u32 = 24;
const REST: u32 = INNER - BESIDE - GAP;

/// Where an article stands.
pub struct Place<'a> {
    /// Its anchor in the mail.
    pub anchor: &'a str,
    /// Level of its heading.
    pub level: Level,
}

/// A row with the teaser.
pub fn html(article: &Article, place: &Place<'_>, look: &Look<'_>) -> Markup {
    let inside = match (article.form, &article.image) {
        (Form::Beside, Some(image)) => html! {
            (raw::open_columns(INNER, BESIDE + GAP))
            div class="f" style={ "display:inline-block;width:100%;max-width:" (BESIDE + GAP) "px;vertical-align:top" } {
                (picture::html(image, BESIDE, look))
            }
            (raw::next_column(REST))
            div class="f gap" style={ "display:inline-block;width:100%;max-width:" (REST) "px;vertical-align:top" } {
                (body(article, place, false, look))
            }
            (raw::close_column())
        },
        (Form::Lead | Form::Above, Some(image)) => html! {
            (picture::html(image, INNER, look))
            (body(article, place, true, look))
        },
        (Form::Short, _) | (_, None) => body(article, place, false, look),
    };
    let padding = match article.form {
        Form::Short => "24px 24px 0 24px",
        Form::Lead | Form::Above | Form::Beside => "28px 24px 0 24px",
    };
    block::row_in(look, article.language.as_deref(), padding, &inside)
}

/// Kicker, heading, words and links; `below` a picture they keep their distance.
fn body(article: &Article, place: &Place<'_>, below: bool, look: &Look<'_>) -> Markup {
    let mut link = read_on(article, look);
    let pressed = match article.form {
        Form::Lead => link.take(),
        Form::Above | Form::Beside | Form::Short => None,
    };
    let paragraphs: Vec<&str> = teaser(article).collect();
    let last = paragraphs.len().saturating_sub(1);
    let links = link.iter().chain(&article.links);
    let linked = links.clone().next().is_some() || pressed.is_some();
    html! {
        @if let Some(kicker) = &article.kicker {
            p class="l" style=(look::lowered(&look.kicker, if below { 20 } else { 0 })) { (kicker) }
        }
        (heading(article, place, below && article.kicker.is_none(), look))
        @if let Some(subtitle) = &article.subtitle {
            p class="m" style=(look.subtitle) { (subtitle) }
        }
        @for (index, paragraph) in paragraphs.iter().enumerate() {
            p class="t" style=(if index == last && !linked { &look.text_last } else { &look.text }) { (paragraph) }
        }
        @if let Some(link) = &pressed {
            (button::html(&link.text, &link.url, look))
        }
        @for (index, link) in links.enumerate() {
            p class="t" style=(look::lowered(&look.text_last, if index > 0 || pressed.is_some() { 10 } else { 0 })) {
                (words::link(link, look))
            }
        }
    }
}

fn heading(article: &Article, place: &Place<'_>, below: bool, look: &Look<'_>) -> Markup {
    let style = match article.form {
        Form::Lead => look.h2.replacen("font-size:23px", "font-size:27px", 1),
        Form::Above => look.h2.clone(),
        Form::Beside | Form::Short => look.h3.clone(),
    };
    let style = look::lowered(&style, if below { 20 } else { 0 });
    html! {
        @match place.level {
            Level::One | Level::Two => h2 id=(place.anchor) class="h" style=(style) { (article.title) },
            Level::Three => h3 id=(place.anchor) class="h" style=(style) { (article.title) },
        }
    }
}

fn teaser(article: &Article) -> impl Iterator<Item = &str> {
    article.teaser.split("\n\n").filter(|text| !text.is_empty())
}

fn read_on(article: &Article, look: &Look<'_>) -> Option<Link> {
    let url = article.url.clone()?;
    let text = match &article.link_text {
        Some(text) => text.clone(),
        None => format!("{}: {}", look.words.read_on, article.title),
    };
    Some(Link { text, url })
}

/// The same as text.
pub fn text(article: &Article, level: Level, look: &Look<'_>, flow: &mut Flow) {
    match &article.kicker {
        Some(kicker) => flow.heading(level, &format!("{kicker}: {}", article.title)),
        None => flow.heading(level, &article.title),
    }
    if let Some(subtitle) = &article.subtitle {
        flow.paragraph(subtitle);
    }
    if let (Form::Lead | Form::Above | Form::Beside, Some(image)) = (article.form, &article.image) {
        picture::text(image, look.words, flow);
    }
    for paragraph in teaser(article) {
        flow.paragraph(paragraph);
    }
    if let Some(url) = &article.url {
        flow.link(article.link_text.as_deref().unwrap_or(look.words.read_on), url);
    }
    for link in &article.links {
        flow.link(&link.text, &link.url);
    }
}
