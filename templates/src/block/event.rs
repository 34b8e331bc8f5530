//! Something that takes place: a calendar leaf, when, what, where.

use maud::{Markup, html};

use crate::block::{self, words};
use crate::date;
use crate::flow::{Flow, Level};
use crate::issue::{Event, Link};
use crate::language::direction;
use crate::look::{self, Look, TABLE};

/// Width of the calendar leaf.
const LEAF: u32 = 68;

/// A row with one event.
pub fn html(event: &Event, level: Level, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let (day, month) = date::leaf(event.when.first_day(), look.language);
    let heading = &look.plan.fonts.heading;
    let leaf = |size: u8| {
        format!(
            "margin:0;font-family:{heading};font-size:{size}px;line-height:1.25;color:{}",
            light.heading
        )
    };
    let (lang, dir) = dates(event, look);
    let inside = html! {
        table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) {
            tr {
                td width=(LEAF) valign="top" style={ "width:" (LEAF) "px;padding:3px 0 0 0;vertical-align:top" } {
                    table aria-hidden="true" lang=[lang] dir=[dir] role="presentation" border="0" cellpadding="0" cellspacing="0" width="56" {
                        tr {
                            td class="n" align="center" bgcolor=(light.tint)
                                style={ "background-color:" (light.tint) ";padding:7px 2px 8px 2px;text-align:center" (look.round()) } {
                                p class="h" style={ (leaf(22)) ";font-weight:700" } { (day) }
                                p class="h" style=(leaf(14)) { (month) }
                            }
                        }
                    }
                }
                td valign="top" { (body(event, level, look)) }
            }
        }
    };
    block::row_in(look, event.language.as_deref(), "22px 24px 0 24px", &inside)
}

/// Language and direction of dates, where the event's words have others: they are written
/// as the mail writes them.
fn dates(event: &Event, look: &Look<'_>) -> (Option<&'static str>, Option<&'static str>) {
    let own = look.language.tag();
    let foreign = event.language.as_deref().is_some_and(|tag| tag != own);
    (foreign.then_some(own), foreign.then(|| direction(own).name()))
}

fn body(event: &Event, level: Level, look: &Look<'_>) -> Markup {
    let style = &look.h3;
    let (lang, dir) = dates(event, look);
    html! {
        @match level {
            Level::One | Level::Two => h2 class="h" style=(style) { (event.title) },
            Level::Three => h3 class="h" style=(style) { (event.title) },
        }
        p class="t" style=(look.text_last) {
            strong lang=[lang] dir=[dir] { (date::when(event.when, look.language)) }
            @if let Some(place) = &event.place { br; (place) }
        }
        @if let Some(text) = &event.text {
            p class="t" style=(look::lowered(&look.text_last, 6)) { (text) }
        }
        @for link in links(event, look) {
            p class="t" style=(look::lowered(&look.text_last, 8)) { (words::link(&link, look)) }
        }
    }
}

/// Both name the event, so that no two links of a mail read the same.
fn links(event: &Event, look: &Look<'_>) -> Vec<Link> {
    let named = |words: &str, url: &Option<String>| {
        url.clone().map(|url| Link { text: format!("{words}: {}", event.title), url })
    };
    let more = named(look.words.about_event, &event.url);
    let calendar = named(look.words.calendar, &event.calendar_url);
    more.into_iter().chain(calendar).collect()
}

/// The same as text.
pub fn text(event: &Event, level: Level, look: &Look<'_>, flow: &mut Flow) {
    flow.heading(level, &event.title);
    let when = date::when(event.when, look.language);
    match &event.place {
        Some(place) => flow.lines([when.as_str(), place.as_str()]),
        None => flow.lines([when.as_str()]),
    }
    if let Some(text) = &event.text {
        flow.paragraph(text);
    }
    if let Some(url) = &event.url {
        flow.link(look.words.about_event, url);
    }
    if let Some(url) = &event.calendar_url {
        flow.link(look.words.calendar, url);
    }
}
