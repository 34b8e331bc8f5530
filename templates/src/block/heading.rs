//! The heading of a section, in the form of the brand.

use maud::{Markup, html};

use crate::block;
use crate::brand::Headings;
use crate::look::{Look, TABLE};

/// A row with the heading.
pub fn html(title: &str, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let style = |size: u8, extra: &str| {
        format!(
            "margin:0;font-family:{};font-size:{size}px;line-height:1.3;font-weight:{};color:{}{extra}",
            look.plan.fonts.heading, look.plan.fonts.weight, light.heading
        )
    };
    match look.plan.headings {
        Headings::Bar => row_of(
            look,
            &html! {
                td class="q" style={ "border-left:5px solid " (light.link) ";padding:2px 0 2px 14px" } {
                    h2 class="h" style=(style(24, "")) { (title) }
                }
            },
        ),
        Headings::Tint => html! {
            (block::space(look, 40))
            tr {
                td class="n" bgcolor=(light.tint) style={ "background-color:" (light.tint) ";padding:14px 24px" } {
                    h2 class="h" style=(style(23, "")) { (title) }
                }
            }
        },
        Headings::Centred => row_of(
            look,
            &html! {
                td align="center" style="text-align:center" {
                    h2 class="h" style=(style(26, "")) { (title) }
                    table role="presentation" align="center" border="0" cellpadding="0" cellspacing="0" width="56" style="margin:0 auto;width:56px" {
                        tr {
                            td class="q" height="10" style={ "border-bottom:3px solid " (light.link) ";height:10px;font-size:1px;line-height:1px" } {}
                        }
                    }
                }
            },
        ),
        Headings::Rule => row_of(
            look,
            &html! {
                td class="r" style={ "border-top:3px solid " (light.line) ";padding:10px 0 0 0" } {
                    h2 class="h" style=(style(21, ";font-style:italic")) { (title) }
                }
            },
        ),
    }
}

fn row_of(look: &Look<'_>, cell: &Markup) -> Markup {
    block::row(
        look,
        "44px 24px 0 24px",
        &html! {
            table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) { tr { (cell) } }
        },
    )
}
