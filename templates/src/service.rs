//! The mails of the service: to readers about their subscription, to editors
//! about their work. None of them advertises, and none carries text that a
//! visitor supplied.
//!
//! Each is a struct with a `render`. The words of a mail stand in its own file
//! in every language, since they are read as a whole.

use maud::{Markup, html};

use crate::block::footer::{self, Foot};
use crate::block::masthead::{self, Head};
use crate::block::{self, button, preheader};
use crate::brand::Brand;
use crate::clean;
use crate::flow::{Flow, Level};
use crate::issue::Link;
use crate::language::Language;
use crate::look::{Look, TABLE};
use crate::mail::Mail;
use crate::publication::Publication;
use crate::sheet::{self, Sheet};

pub mod address;
pub mod confirm;
pub mod draft;
pub mod export;
pub mod goodbye;
pub mod invitation;
pub mod preferences;
pub mod probe;
pub mod reply;
pub mod report;
pub mod welcome;

/// A mail of the service in the making.
struct Note<'a> {
    publication: &'a Publication,
    subject: String,
    title: String,
    pieces: Vec<Piece>,
    /// Why the reader gets it.
    reason: String,
    /// Links in the foot, before those of the publication.
    links: Vec<Link>,
}

/// A part of it.
enum Piece {
    Text(String),
    Button(String, String),
    Link(String, String),
    Facts(Vec<(String, String)>),
}

/// Makes a paragraph.
fn text(words: impl Into<String>) -> Piece {
    Piece::Text(words.into())
}

/// Makes a button; the address is one of ours.
fn press(words: &str, url: &str) -> Piece {
    Piece::Button(words.to_owned(), clean::url(url).unwrap_or_default())
}

/// Makes a link in a paragraph of its own; the address is one of ours.
fn link(words: &str, url: &str) -> Piece {
    Piece::Link(words.to_owned(), clean::url(url).unwrap_or_default())
}

fn render(note: &Note<'_>, brand: &Brand, language: Language) -> Mail {
    let look = Look::new(brand, language);
    let publication = crate::issue::tidy_publication(note.publication);
    let head = Head { publication: &publication, number: None, day: None };
    let foot = Foot {
        publication: &publication,
        reason: clean::line(&note.reason),
        links: note.links.clone(),
    };
    let subject = clean::line(&note.subject);
    let title = clean::line(&note.title);
    let imprint = &publication.imprint;
    let published = format!("{} {}, {}", look.words.published_by, imprint.name, imprint.place);
    let said: Vec<String> = note.pieces.iter().filter_map(sentence).collect();
    let further = said.iter().skip(1).map(String::as_str);
    let first = said.first().map_or("", String::as_str);
    let preheader = preheader::filled(first, further.chain([published.as_str()]));
    let sheet = Sheet {
        title: &subject,
        label: &format!("{}: {subject}", publication.name),
        preheader: &preheader,
        rows: html! {
            (masthead::html(&head, &look))
            (block::row(&look, "34px 24px 0 24px", &body(&title, &note.pieces, &look)))
            (footer::end(&look))
        },
        foot: footer::html(&foot, &look),
    };
    let mut flow = Flow::new();
    flow.heading(Level::One, &title);
    for piece in &note.pieces {
        piece_text(piece, &mut flow);
    }
    let masthead = [Some(&publication.name), publication.claim.as_ref()];
    flow.rule();
    flow.lines(masthead.into_iter().flatten().map(String::as_str));
    footer::text(&foot, &look, &mut flow);
    Mail { text: flow.finish(), html: sheet::document(&sheet, &look).into_string(), subject }
}

fn sentence(piece: &Piece) -> Option<String> {
    match piece {
        Piece::Text(words) => Some(clean::line(words)),
        Piece::Button(..) | Piece::Link(..) | Piece::Facts(_) => None,
    }
}

fn body(title: &str, pieces: &[Piece], look: &Look<'_>) -> Markup {
    html! {
        h1 class="h" style=(look.h1) { (title) }
        @for piece in pieces {
            @match piece {
                Piece::Text(words) => p class="t" style=(look.text) { (clean::line(words)) },
                Piece::Button(words, url) => div style="padding:8px 0 22px 0" { (button::html(&clean::line(words), url, look)) },
                Piece::Link(words, url) => p class="t" style=(look.text) {
                    a class="l" href=(url) style=(look.link) { (clean::line(words)) }
                },
                Piece::Facts(facts) => (facts_html(facts, look)),
            }
        }
    }
}

/// A table with a heading in each row.
fn facts_html(facts: &[(String, String)], look: &Look<'_>) -> Markup {
    let line = look.plan.light.line;
    let cell = format!("border-bottom:1px solid {line};padding:8px 0;{}", look.text_last);
    html! {
        table border="0" cellpadding="0" cellspacing="0" width="100%" style={ (TABLE) ";margin:0 0 20px 0" } {
            @for (name, value) in facts {
                tr {
                    th class="m r" scope="row" align="left" valign="top" style={ (cell) ";font-weight:400;text-align:left;padding-right:16px;color:" (look.plan.light.muted) } {
                        (clean::line(name))
                    }
                    td class="t r" align="left" valign="top" style={ (cell) ";font-weight:700" } { (clean::line(value)) }
                }
            }
        }
    }
}

fn piece_text(piece: &Piece, flow: &mut Flow) {
    match piece {
        Piece::Text(words) => flow.paragraph(&clean::line(words)),
        Piece::Button(words, url) | Piece::Link(words, url) => flow.link(&clean::line(words), url),
        Piece::Facts(facts) => {
            let lines: Vec<String> = facts
                .iter()
                .map(|(name, value)| format!("{}: {}", clean::line(name), clean::line(value)))
                .collect();
            flow.lines(lines.iter().map(String::as_str));
        }
    }
}

/// A name in the quotation marks of the language.
fn quoted(name: &str, language: Language) -> String {
    let (open, close) = crate::words::of(language).quotes;
    format!("{open}{name}{close}")
}
