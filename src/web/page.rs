//! The frame that all pages share, and what they look like.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};
use rundbrief_templates::language::Language;
use rundbrief_templates::publication::Publication;

use super::words;

/// Where the style sheet is; its address in pages changes with its content.
pub const STYLE_PATH: &str = "/assets/page.css";
/// Where the icon is.
pub const ICON_PATH: &str = "/assets/icon.svg";

const STYLE: &str = include_str!("assets/page.css");
const ICON: &str = include_str!("assets/icon.svg");
/// A year: the address changes when the file does.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A page as it is answered.
#[derive(Debug)]
pub struct Page {
    status: StatusCode,
    markup: Markup,
    policy: Option<&'static str>,
    kept: bool,
}

impl Page {
    /// Under this content security policy instead of the strict one.
    pub fn policy(mut self, policy: &'static str) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The same for everybody: caches may keep it for five minutes.
    pub fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    /// With another status than 200.
    pub fn status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

impl Page {
    /// The page as a file that stands alone: the style inside, addresses with our own
    /// before them.
    pub fn alone(self, base: &str) -> String {
        let link = format!("<link rel=\"stylesheet\" href=\"{}\">", *STYLE_ADDRESS);
        let text = self.markup.into_string().replace(&link, &format!("<style>{STYLE}</style>"));
        text.replace("href=\"/", &format!("href=\"{base}/"))
            .replace("src=\"/", &format!("src=\"{base}/"))
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let mut response = (self.status, Html(self.markup.into_string())).into_response();
        let headers = response.headers_mut();
        if let Some(policy) = self.policy {
            let policy = HeaderValue::from_static(policy);
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        if self.kept {
            let kept = HeaderValue::from_static("public, max-age=300");
            headers.insert(header::CACHE_CONTROL, kept);
        } else {
            // Its address may be somebody's own.
            headers.insert("x-robots-tag", HeaderValue::from_static("noindex"));
        }
        response
    }
}

/// Whose page it is: the head and foot of a newsletter's pages.
#[derive(Clone, Copy, Debug)]
pub struct House<'a> {
    /// The newsletter's short name, which its archive's address ends with.
    pub slug: &'a str,
    /// Who publishes it.
    pub publication: &'a Publication,
}

/// A page of a newsletter.
pub fn of(house: House<'_>, language: Language, title: &str, body: Markup) -> Page {
    let publication = house.publication;
    let head = html! {
        a class="name" href=(format!("/archive/{}", house.slug)) { (publication.name) }
        @if let Some(claim) = &publication.claim { p class="claim" { (claim) } }
    };
    let title = format!("{title} · {}", publication.name);
    page(language.tag(), &title, head, body, foot(publication, language))
}

/// A page of the whole installation, in the visitor's language.
pub fn plain(language: Language, title: &str, body: Markup) -> Page {
    let head = html! { a class="name" href="/archive" { (words::of(language).archive) } };
    page(language.tag(), title, head, body, html! {})
}

/// A page in both languages: what stands in it says which part is which.
pub fn bare(status: StatusCode, title: &str, body: Markup) -> Page {
    page("de", title, html! {}, body, html! {}).status(status)
}

fn page(language: &str, title: &str, head: Markup, body: Markup, foot: Markup) -> Page {
    let markup = html! {
        (DOCTYPE)
        html lang=(language) dir="ltr" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) }
                link rel="icon" href=(ICON_PATH) type="image/svg+xml";
                link rel="stylesheet" href=(*STYLE_ADDRESS);
            }
            body {
                @let bilingual = if language == "de" { "Zum Inhalt" } else { "Skip to content" };
                a class="skip" href="#content" { (bilingual) }
                header class="masthead" { (head) }
                main id="content" tabindex="-1" { (body) }
                footer class="foot" { (foot) }
            }
        }
    };
    Page { status: StatusCode::OK, markup, policy: None, kept: false }
}

/// Who answers for it: the imprint, in the body of every page.
fn foot(publication: &Publication, language: Language) -> Markup {
    let words = words::of(language);
    let imprint = &publication.imprint;
    html! {
        h2 { (words.imprint) }
        p {
            strong { (imprint.name) } br;
            @if !imprint.representative.is_empty() { (words.represented_by) " " (imprint.representative) br; }
            (imprint.street) br;
            (imprint.place)
            @if let Some(country) = &imprint.country { br; (country) }
        }
        p {
            @if !imprint.phone.is_empty() { (words.phone) ": " (imprint.phone) br; }
            (words.email) ": " a href=(format!("mailto:{}", imprint.email)) { (imprint.email) }
        }
        ul class="links" {
            @if let Some(home) = &publication.home_url { li { a href=(home) { (words.home) } } }
            li { a href=(publication.privacy_url) { (words.privacy) } }
            @if let Some(url) = &publication.accessibility_url { li { a href=(url) { (words.accessibility) } } }
        }
    }
}

static STYLE_ADDRESS: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = DefaultHasher::new();
    STYLE.hash(&mut hasher);
    format!("{STYLE_PATH}?{:x}", hasher.finish())
});

/// The style sheet.
pub async fn style() -> impl IntoResponse {
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, FOR_EVER)], STYLE)
}

/// The icon in the tab.
pub async fn icon() -> impl IntoResponse {
    let kind = HeaderValue::from_static("image/svg+xml");
    let kept = HeaderValue::from_static("public, max-age=86400");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, kept)], ICON)
}
