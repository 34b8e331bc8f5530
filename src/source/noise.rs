//! What of a page is no article: navigation, cookie banner, footer, sidebar, share buttons.
//!
//! Elements and roles first; then class and id names that German and English sites and their
//! systems (TYPO3, Contao, WordPress, Drupal, Joomla) use. A name alone never hides an element
//! that holds the title or most of the text.

use std::collections::{HashMap, HashSet};

use ego_tree::NodeId;
use ego_tree::iter::Edge;
use scraper::{ElementRef, Html, Node};

/// Share of a page's running text above which a name does not hide an element, in percent.
const MOST: usize = 40;

/// Characters of a piece of text below which it is a label and no running text.
const LEAST: usize = 25;
/// Elements within elements that a page may have.
const DEEPEST: usize = 400;

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
    "comments-area",
    "comment-list",
    "comment-respond",
    "commentlist",
    "kommentare",
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
    "respond",
    "search",
    "searchform",
    "suche",
    "login",
    "toc",
    "inhaltsverzeichnis",
    "readspeaker",
    "rs-skip",
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
pub struct Noise {
    found: HashSet<NodeId>,
    weights: Weights,
}

impl Noise {
    /// Finds them; `title` is never among them, nor what holds it.
    pub fn of(page: &Html, title: Option<ElementRef<'_>>) -> Self {
        let mut keep: HashSet<NodeId> = HashSet::new();
        if let Some(title) = title {
            keep.insert(title.id());
            keep.extend(title.ancestors().map(|node| node.id()));
        }
        let weights = Weights::of(page);
        let total = weights.get(page.root_element()).max(1);
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
            if hides || (weak() && weights.get(element) * 100 <= total * MOST) {
                found.insert(element.id());
            }
        }
        Self { found, weights }
    }

    /// Characters of running text below an element: paragraphs and items, without links.
    pub fn weight(&self, element: ElementRef<'_>) -> usize {
        self.weights.get(element)
    }

    /// Whether the element itself is noise.
    pub fn is(&self, element: ElementRef<'_>) -> bool {
        self.found.contains(&element.id())
    }

    /// Whether the element lies in noise or is noise.
    pub fn hides(&self, element: ElementRef<'_>) -> bool {
        self.is(element) || element.ancestors().any(|node| self.found.contains(&node.id()))
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
                let word = *word;
                let tail = name.strip_suffix(word).is_some_and(|front| {
                    front.ends_with('-') && word != "widget" && word != "menu" && word != "tools"
                });
                let front = name
                    .strip_prefix(word)
                    .is_some_and(|rest| rest.starts_with('-') && (word.len() > 4 || word == "nav"));
                name == word || tail || front
            })
    })
}

/// Characters of running text below each element: paragraphs and items, without links.
#[derive(Debug, Default)]
struct Weights(HashMap<NodeId, usize>);

impl Weights {
    /// Weighs a page in one pass.
    fn of(page: &Html) -> Self {
        let mut weights = HashMap::new();
        // Of each open element: its key, whether text counts in it, its weight so far.
        let mut open: Vec<(NodeId, bool, usize)> = Vec::new();
        for edge in page.root_element().traverse() {
            match edge {
                Edge::Open(node) => match node.value() {
                    Node::Element(element) => {
                        let above = open.last().is_some_and(|(_, counts, _)| *counts);
                        let counts = match element.name() {
                            "a" => false,
                            name if crate::source::block::is_inline(name) => above,
                            name => counts(name),
                        };
                        open.push((node.id(), counts, 0));
                    }
                    Node::Text(text) => {
                        let length = text.trim().chars().count();
                        if let Some((_, true, weight)) = open.last_mut().filter(|_| length >= LEAST)
                        {
                            *weight += length;
                        }
                    }
                    Node::Document
                    | Node::Fragment
                    | Node::Doctype(_)
                    | Node::Comment(_)
                    | Node::ProcessingInstruction(_) => {}
                },
                Edge::Close(node) if node.value().is_element() => {
                    if let Some((id, _, weight)) = open.pop() {
                        if let Some((_, _, above)) = open.last_mut() {
                            *above += weight;
                        }
                        weights.insert(id, weight);
                    }
                }
                Edge::Close(_) => {}
            }
        }
        Self(weights)
    }

    fn get(&self, element: ElementRef<'_>) -> usize {
        self.0.get(&element.id()).copied().unwrap_or(0)
    }
}

/// The blocks whose text is running text.
fn counts(name: &str) -> bool {
    matches!(name, "p" | "li" | "dd" | "td" | "div" | "blockquote" | "section" | "article" | "main")
}

/// Whether elements are nested deeper than any page needs; such a page is not walked.
pub fn is_too_deep(page: &Html) -> bool {
    let mut depth = 0_usize;
    page.root_element().traverse().any(|edge| {
        match edge {
            Edge::Open(_) => depth += 1,
            Edge::Close(_) => depth = depth.saturating_sub(1),
        }
        depth > DEEPEST
    })
}
