//! The heading of the issue, the salutation and the words of the editors.

use maud::{Markup, html};

use crate::block::{self, words};
use crate::flow::{Flow, Level};
use crate::issue::Issue;
use crate::look::{self, Look};
use crate::slot::{Slot, Slots};

/// A row with heading, salutation and editorial.
pub fn html(issue: &Issue, look: &Look<'_>, slots: &Slots) -> Markup {
    block::row(
        look,
        "34px 24px 0 24px",
        &html! {
            h1 class="h" style=(look.h1) { (issue.title.as_deref().unwrap_or(&issue.subject)) }
            @if let Some(editorial) = &issue.editorial {
                p class="t" style=(look.text) { (slots.mark(Slot::Salutation)) }
                (words::html(&editorial.paragraphs, look))
                @if !editorial.signature.is_empty() {
                    p class="t" style=(look::lowered(&look.text_last, 14)) {
                        @for (index, line) in editorial.signature.iter().enumerate() {
                            @if index > 0 { br; }
                            (line)
                        }
                    }
                }
            }
        },
    )
}

/// The same as text.
pub fn text(issue: &Issue, slots: &Slots, flow: &mut Flow) {
    flow.heading(Level::One, issue.title.as_deref().unwrap_or(&issue.subject));
    if let Some(editorial) = &issue.editorial {
        flow.mark(&slots.mark(Slot::Salutation));
        words::text(&editorial.paragraphs, flow);
        if !editorial.signature.is_empty() {
            flow.lines(editorial.signature.iter().map(String::as_str));
        }
    }
}
