//! The one list of what survives of foreign HTML, and the one way to make `article::Html`.
//!
//! Pictures do not survive: they become records of their own. Neither do styles, classes,
//! scripts, forms or frames, names and passwords in addresses, or characters that turn
//! round the order of what is read. What is not listed loses its tag and keeps its text.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::{Builder, UrlRelative};
use url::Url;

use crate::article::{self, Html};
use crate::source::prose;

/// The elements of an article's body.
pub const TAGS: &[&str] = &[
    "a",
    "abbr",
    "blockquote",
    "br",
    "caption",
    "cite",
    "code",
    "dd",
    "del",
    "dl",
    "dt",
    "em",
    "h2",
    "h3",
    "h4",
    "ins",
    "li",
    "ol",
    "p",
    "pre",
    "q",
    "s",
    "strong",
    "sub",
    "sup",
    "table",
    "tbody",
    "td",
    "tfoot",
    "th",
    "thead",
    "tr",
    "ul",
];

/// The attributes, per element; `*` stands for every element.
pub const ATTRIBUTES: &[(&str, &[&str])] = &[
    ("*", &["lang", "dir"]),
    ("a", &["href", "hreflang"]),
    ("abbr", &["title"]),
    ("ol", &["start"]),
    ("td", &["colspan", "rowspan"]),
    ("th", &["colspan", "rowspan", "scope"]),
];

/// Where a link may lead; relative addresses were made absolute before.
pub const SCHEMES: &[&str] = &["http", "https", "mailto", "tel"];

/// The elements that take their text with them.
pub const WITH_CONTENT: &[&str] = &[
    "script", "style", "template", "noscript", "iframe", "object", "svg", "math", "select",
    "textarea", "title",
];

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut attributes: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut generic = HashSet::new();
    for (tag, names) in ATTRIBUTES {
        match *tag {
            "*" => generic.extend(names.iter().copied()),
            tag => attributes.entry(tag).or_default().extend(names.iter().copied()),
        }
    }
    let mut builder = Builder::empty();
    builder
        .tags(TAGS.iter().copied().collect())
        .tag_attributes(attributes)
        .generic_attributes(generic)
        .url_schemes(SCHEMES.iter().copied().collect())
        .clean_content_tags(WITH_CONTENT.iter().copied().collect())
        .url_relative(UrlRelative::Deny)
        .link_rel(None)
        .strip_comments(true)
        .attribute_filter(|_, attribute, value| match attribute {
            "href" => Some(without_credentials(value)),
            _ => Some(value.into()),
        });
    builder
});

/// What survives of a fragment.
pub fn clean(fragment: &str) -> Html {
    let clean = SANITISER.clean(fragment).to_string();
    let mut clean = prose::without_secrets(&clean);
    // After parsing, since a character can be written in many ways.
    clean.retain(|c| !prose::reorders(c));
    Html::sanitised(clean)
}

/// An address as it is, but for a name and a password before its host: they are a secret
/// that is not the readers', or there to make `https://bank.example@elsewhere/` look like
/// what it is not.
fn without_credentials(address: &str) -> Cow<'_, str> {
    let Ok(mut url) = Url::parse(address) else { return address.into() };
    if article::hide_credentials(&mut url) { String::from(url).into() } else { address.into() }
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn only_what_is_listed_survives() {
        let html = clean(
            r#"<p onclick="x()" class="c" style="color:red">Ein <b>Satz</b> mit <a href="javascript:alert(1)">Falle</a>, <a href="/rel">Rest</a> und <a href="https://example.org/?a=1&b=2" target="_blank">Ziel</a>.</p><script>alert(1)</script><img src=x onerror=alert(1)><h1>Titel</h1>"#,
        );
        insta::assert_snapshot!(html.as_str(), @r#"<p>Ein Satz mit <a>Falle</a>, <a>Rest</a> und <a href="https://example.org/?a=1&amp;b=2">Ziel</a>.</p>Titel"#);
    }

    #[test]
    fn an_address_keeps_no_password_and_words_keep_their_order() {
        let html = clean(
            "<p lang=\"de\">Ab&#x202e;cde\u{2067} <a href=\"https://anna:geheim@example.org/a?b=1&amp;c=2\">Plan</a> <a href=\"https://bank.example@evil.example/\">Bank</a> <a href=\"mailto:a@example.org\">Post</a></p>",
        );
        insta::assert_snapshot!(html.as_str(), @r#"<p lang="de">Abcde <a href="https://example.org/a?b=1&amp;c=2">Plan</a> <a href="https://evil.example/">Bank</a> <a href="mailto:a@example.org">Post</a></p>"#);
    }

    #[test]
    fn words_that_write_an_address_out_keep_no_password() {
        let html = clean(
            "<p><a href=\"https://a:b@example.org/x\">https://anna:ge@heim@example.org/x</a>, http://u:p@h.example und https://example.org/a@b, a@example.org</p>",
        );
        insta::assert_snapshot!(html.as_str(), @r#"<p><a href="https://example.org/x">https://example.org/x</a>, http://h.example und https://example.org/a@b, a@example.org</p>"#);
    }

    #[test]
    fn known_tricks_leave_nothing_that_runs() {
        for trick in [
            "<svg><style><img src=x onerror=alert(1)></style></svg>",
            "<math><mtext><table><mglyph><style><!--</style><img title=\"--&gt;&lt;img src=1 onerror=alert(1)&gt;\">",
            "<noscript><p title=\"</noscript><img src=x onerror=alert(1)>\">",
            "<a href=\"java\nscript:alert(1)\">x</a>",
            "<a href=\"&#106;avascript:alert(1)\">x</a>",
            "<iframe srcdoc=\"<script>alert(1)</script>\"></iframe>",
            "<form action=https://example.org><input name=q></form>",
            "<p><![CDATA[<script>alert(1)</script>]]></p>",
            "<template><script>alert(1)</script></template>",
        ] {
            let out = clean(trick);
            let lower = out.as_str().to_lowercase();
            for bad in
                ["<script", "<img", "<svg", "<style", "javascript:", "<form", "<iframe", "<math"]
            {
                assert!(!lower.contains(bad), "{trick} → {lower}");
            }
        }
    }
}
