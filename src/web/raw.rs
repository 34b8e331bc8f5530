//! The one place where markup enters a page unescaped: bodies that the sanitiser
//! made when the article came in. They are shown under a sandboxing policy only.

use maud::{Markup, PreEscaped};

use crate::article::Html;

/// An article's body.
pub fn body(html: &Html) -> Markup {
    PreEscaped(html.as_str().to_owned())
}
