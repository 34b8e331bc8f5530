//! What of a page is no article: navigation, cookie banner, footer, sidebar, share buttons.
//!
//! Elements and roles first; then class and id names that German and English sites and their
//! systems (TYPO3, Contao, WordPress, Drupal, Joomla) use. A name alone never hides an element
//! that holds the title or most of the text.

use std::collections::HashSet;

use ego_tree::NodeId;
use scraper::{ElementRef, Html};

/// Share of a page's running text above which a name does not hide an element, in percent.
const MOST: usize = 40;

/// Names of what asks, advertises or belongs to the browser: hidden however much text it has.
const STRONG: &[&str] = &[
    "cookie",
    "cookies",
    "cookiebar",
    "cookiebanner",
    "cookie-banner",
    "cookieconsent",
    "cookieman",
    "cookiebot",
    "cookie-law-info",
    "consent",
    "cc-window",
    "cmplz",
    "gdpr",
    "dsgvo",
    "borlabs",
    "borlabscookie",
    "usercentrics",
    "onetrust",
    "klaro",
    "tarteaucitron",
    "ccm",
    "skip-link",
    "skiplink",
    "skiplinks",
    "skip-links",
    "skipnav",
    "sr-only",
    "visually-hidden",
    "visuallyhidden",
    "screen-reader-text",
    "invisible",
    "modal",
    "popup",
    "lightbox-overlay",
    "offcanvas",
];
/// Names of what stands beside an article.
const WEAK: &[&str] = &[
    "nav",
    "navigation",
    "navbar",
    "menu",
    "submenu",
    "mainmenu",
    "mainnav",
    "main-nav",
    "subnav",
    "metanav",
    "metanavigation",
    "footer",
    "site-footer",
    "page-footer",
    "footer-wrapper",
    "colophon",
    "site-header",
    "masthead",
    "topbar",
    "header-top",
    "sidebar",
    "side-bar",
    "aside",
    "marginal",
    "marginalspalte",
    "randspalte",
    "right-column",
    "col-right",
    "rechts",
    "spalte-rechts",
    "spalte_rechts",
    "widget",
    "widget-area",
    "share",
    "sharing",
    "social",
    "socialmedia",
    "social-media",
    "social-share",
    "shariff",
    "sharedaddy",
    "addtoany",
    "share-buttons",
    "sharebar",
    "heateor",
    "jp-relatedposts",
    "breadcrumb",
    "breadcrumbs",
    "breadcrump",
    "brotkrumen",
    "brotkrume",
    "rootline",
    "pathway",
    "klickpfad",
    "pagination",
    "pager",
    "paging",
    "page-nav",
    "post-navigation",
    "nav-links",
    "navigation-post",
    "prevnext",
    "prev-next",
    "pagebrowser",
    "f3-widget-paginator",
    "related",
    "related-posts",
    "related-news",
    "relatedposts",
    "related-articles",
    "news-related",
    "verwandt",
    "more-news",
    "weitere-meldungen",
    "teaserlist",
    "teaser-list",
    "recommendations",
    "yarpp",
    "comments",
    "comment-respond",
    "respond",
    "comment-list",
    "search",
    "searchform",
    "suche",
    "login",
    "toc",
    "inhaltsverzeichnis",
    "readspeaker",
    "rs_skip",
    "rsbtn",
    "print-link",
    "printlink",
    "toolbar",
    "tools",
    "page-tools",
    "seitenfunktionen",
    "servicebar",
    "newsletter-signup",
    "newsletter-box",
    "subscribe",
    "advert",
    "advertisement",
    "ads",
    "werbung",
    "author-box",
    "author-bio",
    "entry-footer",
    "post-footer",
    "post-tags",
    "tag-links",
    "tags-links",
    "cat-links",
    "tagcloud",
    "entry-meta",
    "post-meta",
    "article-meta",
    "byline",
    "posted-on",
    "meta-info",
    "news-list-date",
    "news-list-category",
    "news-backlink-wrap",
    "back-link",
    "backlink",
    "lang-switch",
    "language-switcher",
    "languages",
    "totop",
    "to-top",
    "back-to-top",
    "scroll-top",
    "feedback",
];

/// The elements of a page that are no part of an article.
#[derive(Debug, Default)]
pub struct Noise(HashSet<NodeId>);

impl Noise {
    /// Finds them; `title` is never among them, nor what holds it.
    pub fn of(page: &Html, title: Option<ElementRef<'_>>) -> Self {
        let mut keep: HashSet<NodeId> = HashSet::new();
        if let Some(title) = title {
            keep.insert(title.id());
            keep.extend(title.ancestors().map(|node| node.id()));
        }
        let total = prose_weight(page.root_element()).max(1);
        let mut found = HashSet::new();
        for element in page.root_element().descendent_elements() {
            if keep.contains(&element.id()) && !is_always(element) {
                continue;
            }
            let hides = is_always(element)
                || has_role(element)
                || is_hidden(element)
                || is_named(element, STRONG);
            let weak = || {
                is_named(element, WEAK)
                    || (element.value().name() == "header" && !in_article(element))
            };
            if hides || (weak() && prose_weight(element) * 100 <= total * MOST) {
                found.insert(element.id());
            }
        }
        Self(found)
    }

    /// Whether the element itself is noise.
    pub fn is(&self, element: ElementRef<'_>) -> bool {
        self.0.contains(&element.id())
    }

    /// Whether the element lies in noise or is noise.
    pub fn hides(&self, element: ElementRef<'_>) -> bool {
        self.is(element) || element.ancestors().any(|node| self.0.contains(&node.id()))
    }
}

/// Elements that never hold an article's text.
fn is_always(element: ElementRef<'_>) -> bool {
    matches!(
        element.value().name(),
        "script"
            | "style"
            | "template"
            | "nav"
            | "aside"
            | "form"
            | "button"
            | "select"
            | "textarea"
            | "dialog"
            | "svg"
            | "canvas"
            | "noscript"
            | "head"
            | "footer"
            | "datalist"
            | "menu"
    )
}

fn has_role(element: ElementRef<'_>) -> bool {
    let role = element.attr("role").unwrap_or_default();
    matches!(
        role,
        "navigation"
            | "banner"
            | "contentinfo"
            | "search"
            | "complementary"
            | "dialog"
            | "alertdialog"
            | "menu"
            | "menubar"
            | "toolbar"
    )
}

/// Hidden by attribute; what an accordion folds away still counts.
fn is_hidden(element: ElementRef<'_>) -> bool {
    let style = element.attr("style").unwrap_or_default().replace(' ', "").to_lowercase();
    let hidden = element.attr("hidden").is_some()
        || element.attr("aria-hidden") == Some("true")
        || style.contains("display:none")
        || style.contains("visibility:hidden");
    let folded = names(element).any(|name| {
        ["accordion", "akkordeon", "collapse", "tab", "panel", "toggle"]
            .iter()
            .any(|fold| name.contains(fold))
    });
    hidden && !folded && element.value().name() != "img"
}

fn in_article(element: ElementRef<'_>) -> bool {
    element.ancestors().filter_map(ElementRef::wrap).any(|above| {
        matches!(above.value().name(), "article" | "main" | "section")
            || above.attr("role") == Some("main")
    })
}

/// Class names and the id, lower case.
pub fn names(element: ElementRef<'_>) -> impl Iterator<Item = String> + '_ {
    let value = element.value();
    value
        .classes()
        .chain(value.id())
        .map(|name| name.to_lowercase().replace("__", "-").replace('_', "-"))
}

/// Whether a class or the id is one of the words, or begins or ends with one.
fn is_named(element: ElementRef<'_>, words: &[&str]) -> bool {
    if matches!(element.value().name(), "html" | "body" | "main" | "article")
        || crate::source::block::is_inline(element.value().name())
            && element.value().name() != "span"
    {
        return false;
    }
    names(element).any(|name| {
        let states = ["has-", "no-", "with-", "is-", "without-", "js-"];
        !states.iter().any(|state| name.starts_with(state))
            && words.iter().any(|word| {
                let word = word.replace('_', "-");
                let tail = name.strip_suffix(word.as_str()).is_some_and(|front| {
                    front.ends_with('-') && word != "widget" && word != "menu" && word != "tools"
                });
                let front = name
                    .strip_prefix(word.as_str())
                    .is_some_and(|rest| rest.starts_with('-') && (word.len() > 4 || word == "nav"));
                name == word || tail || front
            })
    })
}

/// Characters of running text below an element: paragraphs and items, without links.
pub fn prose_weight(element: ElementRef<'_>) -> usize {
    let mut weight = 0;
    for node in element.descendants() {
        let Some(text) = node.value().as_text() else {
            continue;
        };
        let mut above = node.ancestors().filter_map(ElementRef::wrap);
        let counted = above
            .by_ref()
            .map(|element| element.value().name())
            .find(|name| !crate::source::block::is_inline(name) || *name == "a");
        if counted.is_some_and(|name| {
            matches!(
                name,
                "p" | "li" | "dd" | "td" | "div" | "blockquote" | "section" | "article" | "main"
            )
        }) {
            let length = text.trim().chars().count();
            weight += if length >= 25 { length } else { 0 };
        }
    }
    weight
}
