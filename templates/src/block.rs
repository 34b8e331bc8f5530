//! The building blocks of a mail. Each knows its HTML and its plain text.

use maud::{Markup, html};

use crate::language::direction;
use crate::look::{Look, TABLE};

pub mod article;
pub mod button;
pub mod contents;
pub mod editorial;
pub mod event;
pub mod footer;
pub mod heading;
pub mod masthead;
pub mod picture;
pub mod preheader;
pub mod quote;
pub mod words;

/// A row of the column, on the column's ground.
pub fn row(look: &Look<'_>, padding: &str, inside: &Markup) -> Markup {
    html! {
        tr { td class="s" bgcolor=(look.plan.light.sheet) style=(look.sheet(padding)) { (inside) } }
    }
}

/// A row in another language than the mail's, or in the same.
pub fn row_in(look: &Look<'_>, language: Option<&str>, padding: &str, inside: &Markup) -> Markup {
    let Some(tag) = language.filter(|tag| *tag != look.language.tag()) else {
        return row(look, padding, inside);
    };
    let dir = direction(tag).name();
    let align = if dir == "rtl" { "right" } else { "left" };
    html! {
        tr {
            td class="s" lang=(tag) dir=(dir) align=(align) bgcolor=(look.plan.light.sheet)
                style=(look.sheet(padding)) { (inside) }
        }
    }
}

/// A thin line over the column's width, with space around it.
pub fn line(look: &Look<'_>) -> Markup {
    let colour = look.plan.light.line;
    row(
        look,
        "28px 24px 0 24px",
        &html! {
            table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) {
                tr {
                    td class="r" height="1" style={ "border-top:1px solid " (colour) ";font-size:1px;line-height:1px" } {}
                }
            }
        },
    )
}

/// Space, in pixels.
pub fn space(look: &Look<'_>, height: u8) -> Markup {
    let light = &look.plan.light;
    html! {
        tr {
            td class="s" bgcolor=(light.sheet) height=(height)
                style={ "background-color:" (light.sheet) ";height:" (height) "px;font-size:1px;line-height:1px" } {}
        }
    }
}
