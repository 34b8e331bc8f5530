//! A sentence somebody said.

use maud::{Markup, html};

use crate::block;
use crate::flow::Flow;
use crate::issue::Quote;
use crate::look::{Look, TABLE};

/// A row with the quote beside a bar.
pub fn html(quote: &Quote, look: &Look<'_>) -> Markup {
    let light = &look.plan.light;
    let font = &look.plan.fonts.heading;
    let (open, close) = look.words.quotes;
    block::row_in(
        look,
        quote.language.as_deref(),
        "32px 24px 0 24px",
        &html! {
            table role="presentation" border="0" cellpadding="0" cellspacing="0" width="100%" style=(TABLE) {
                tr {
                    td class="q" style={ "border-left:4px solid " (light.link) ";padding:4px 0 4px 20px" } {
                        blockquote style="margin:0" {
                            p class="h" style={ "margin:0;font-family:" (font) ";font-size:20px;line-height:1.45;color:" (light.heading) } {
                                (open) (quote.text) (close)
                            }
                        }
                        @if let Some(source) = &quote.source {
                            p class="m" style=(look.small) { (source) }
                        }
                    }
                }
            }
        },
    )
}

/// The same as text.
pub fn text(quote: &Quote, look: &Look<'_>, flow: &mut Flow) {
    let (open, close) = look.words.quotes;
    let words = format!("{open}{}{close}", quote.text);
    match &quote.source {
        Some(source) => flow.lines([words.as_str(), &format!("– {source}")]),
        None => flow.paragraph(&words),
    }
}
