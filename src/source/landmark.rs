//! Where on a page the article is: its title, its path, the element that holds its text.

use std::sync::LazyLock;

use scraper::{ElementRef, Html, Selector};

use crate::source::head::Head;
use crate::source::noise::{self, Noise};
use crate::source::{block, kicker, phrases, prose};

/// Share of a container's text that one `article` in it must hold to be the article, percent.
const SHARE: usize = 60;
/// Elements that hold an article's content, best first; ids and classes of common systems.
const CONTAINERS: &[&str] = &[
    "[itemprop=articleBody]",
    "main article",
    "article",
    "main",
    "[role=main]",
    ".news-single, .news-detail, .mod_newsreader, .mod_eventreader, .item-page, .entry-content, .post-content, .article-content, .article-body, .node__content, .field--name-body, .single-post, .newsdetail, .artikel, .c-article",
    "#main, #content, #inhalt, #maincontent, #main-content, #content-main, #contentarea, #hauptinhalt, #contents, .main-content, .content-main, .inhalt, .content",
];

static PATHS: LazyLock<Selector> = LazyLock::new(|| select("nav, ol, ul, div, p, span, section"));
static TITLES: LazyLock<Selector> =
    LazyLock::new(|| select("h1, h2, [itemprop=headline], .entry-title, .page-title, .title"));
static STEPS: LazyLock<Selector> = LazyLock::new(|| select("li"));
static LEAVES: LazyLock<Selector> = LazyLock::new(|| select("a, span, strong, em, b"));

/// A selector written here.
pub fn select(text: &str) -> Selector {
    Selector::parse(text).expect("selectors written in the source are valid; a test uses each")
}

/// The element of the title: the heading the document's own title speaks of, else the first `h1`.
pub fn title<'a>(page: &'a Html, head: &Head) -> Option<ElementRef<'a>> {
    let rough = Noise::of(page, None);
    let headings: Vec<(ElementRef<'_>, String)> = page
        .select(&TITLES)
        .map(|element| (element, block::text_in(element)))
        .filter(|(_, text)| !text.is_empty() && text.chars().count() <= 300)
        .collect();
    let level = |element: ElementRef<'_>| match element.value().name() {
        "h1" => 4,
        "h2" => 1,
        _ if element.attr("itemprop") == Some("headline") => 3,
        _ => 0,
    };
    let score = |element: ElementRef<'_>, text: &str| {
        let named = head.names_title(text);
        let seen = !rough.hides(element);
        let site = is_of_the_site(element);
        level(element) + if named { 6 } else { 0 } + if seen { 3 } else { 0 }
            - if site { 8 } else { 0 }
    };
    // Old pages have no `h1` of their own: their first visible heading is the title.
    let own = |(element, _): &(ElementRef<'_>, String)| {
        element.value().name() == "h1" && !is_of_the_site(*element) && !rough.hides(*element)
    };
    let none = !headings.iter().any(own);
    let mut best: Option<(ElementRef<'_>, i32)> = None;
    for (element, text) in &headings {
        let score = score(*element, text);
        // "Cookie settings" or "Navigation" in a hidden heading is no title.
        let least = match element.value().name() {
            "h1" => 3,
            "h2" if none => 4,
            _ => 6,
        };
        if score >= least && best.is_none_or(|(_, most)| score > most) {
            best = Some((*element, score));
        }
    }
    best.map(|(element, _)| element)
}

/// Whether a heading names the site: it leads to the front door or stands in the page's head.
fn is_of_the_site(heading: ElementRef<'_>) -> bool {
    const HEADS: &[&str] = &[
        "logo",
        "header",
        "branding",
        "site-branding",
        "kopf",
        "banner",
        "masthead",
        "navbar-brand",
    ];
    let home = |href: &str| {
        matches!(
            href.trim_end_matches(['/', '#']),
            "" | "." | ".." | "index.html" | "index.htm" | "index.php"
        ) || url::Url::parse(href).is_ok_and(|url| url.path() == "/")
    };
    let leads_home = heading.select(&LEAVES).any(|leaf| leaf.attr("href").is_some_and(home));
    let around = heading.ancestors().filter_map(ElementRef::wrap).take(5);
    let in_head = around
        .take_while(|above| !matches!(above.value().name(), "article" | "main" | "body"))
        .any(|above| noise::names(above).any(|name| HEADS.contains(&name.as_str())));
    let own_header = heading
        .ancestors()
        .filter_map(ElementRef::wrap)
        .any(|above| matches!(above.value().name(), "article" | "main"));
    leads_home
        || (in_head && !own_header)
        || noise::names(heading).any(|name| name.contains("logo") || name == "site-title")
}

/// The element that holds the article's text, and whether it says of itself that it does.
pub fn root<'a>(
    page: &'a Html,
    title: Option<ElementRef<'a>>,
    noise: &Noise,
) -> (ElementRef<'a>, bool) {
    let total = noise.weight(page.root_element()).max(1);
    let mut best: Option<ElementRef<'a>> = None;
    for container in CONTAINERS {
        let selector = select(container);
        let found = page.select(&selector).filter(|element| !noise.hides(*element));
        let Some(heaviest) =
            found.max_by_key(|element| (holds(*element, title), noise.weight(*element)))
        else {
            continue;
        };
        let weight = noise.weight(heaviest);
        let outer = best_container(page, noise).map_or(total, |outer| noise.weight(outer)).max(1);
        if weight > 0 && (holds(heaviest, title) || weight * 100 >= outer * SHARE) {
            best = Some(heaviest);
            break;
        }
    }
    match best {
        Some(named) => (named, true),
        None => (descend(page, noise), false),
    }
}

fn holds(element: ElementRef<'_>, title: Option<ElementRef<'_>>) -> bool {
    title.is_some_and(|title| title.ancestors().any(|node| node.id() == element.id()))
}

/// `main`, where there is one.
fn best_container<'a>(page: &'a Html, noise: &Noise) -> Option<ElementRef<'a>> {
    page.select(&select("main, [role=main]")).find(|element| !noise.hides(*element))
}

/// From the body down, as long as one child holds all running text.
fn descend<'a>(page: &'a Html, noise: &Noise) -> ElementRef<'a> {
    let mut here = page.select(&select("body")).next().unwrap_or_else(|| page.root_element());
    loop {
        let mut heavy =
            here.child_elements().filter(|child| !noise.is(*child) && noise.weight(*child) > 0);
        match (heavy.next(), heavy.next()) {
            (Some(only), None) if only.value().name() != "p" => here = only,
            _ => return here,
        }
    }
}

/// The path above the title, as the page shows it.
pub fn path(page: &Html, title: &str) -> Vec<String> {
    let named = |element: &ElementRef<'_>| {
        let label = element.attr("aria-label").unwrap_or_default().to_lowercase();
        let kind = format!(
            "{} {}",
            element.attr("typeof").unwrap_or_default(),
            element.attr("itemtype").unwrap_or_default()
        );
        let words = [
            "breadcrumb",
            "breadcrump",
            "brotkrum",
            "brotkrüm",
            "brotkruem",
            "rootline",
            "navipfad",
            "seitenpfad",
            "pathway",
            "klickpfad",
            "navpath",
            "crumb",
            "you-are-here",
            "sie-sind-hier",
            "siesindhier",
        ];
        noise::names(*element)
            .any(|name| name == "pfad" || words.iter().any(|word| name.contains(word)))
            || words.iter().any(|word| label.contains(word))
            || label.contains("sie sind hier")
            || label.contains("pfad")
            || kind.contains("BreadcrumbList")
    };
    let by_name = page
        .select(&PATHS)
        .filter(named)
        .map(steps)
        .map(|steps| kicker::path(steps, title))
        .find(|path| !path.is_empty());
    by_name.unwrap_or_else(|| {
        let written = page.select(&PATHS).filter_map(|element| {
            let text = block::text_in(element);
            let here = text.chars().count() <= 200 && phrases::you_are_here(&text).is_some();
            here.then(|| kicker::path(steps(element), title))
        });
        written
            .min_by_key(|path| if path.is_empty() { usize::MAX } else { path.len() })
            .unwrap_or_default()
    })
}

/// The steps of a path's element: its items, else its links, else its text.
fn steps(element: ElementRef<'_>) -> Vec<String> {
    let text = |element: ElementRef<'_>| block::text_in(element);
    let items: Vec<String> =
        element.select(&STEPS).map(text).filter(|text| !text.is_empty()).collect();
    if items.len() >= 2 {
        return items;
    }
    let whole = prose::squeeze(&text(element));
    let written = kicker::split(phrases::you_are_here(&whole).unwrap_or(&whole));
    if written.len() >= 2 {
        return written;
    }
    let leaves: Vec<String> = element
        .select(&LEAVES)
        .filter(|leaf| leaf.select(&LEAVES).next().is_none())
        .map(text)
        .filter(|text| text.chars().any(char::is_alphanumeric))
        .collect();
    if leaves.len() >= 2 { leaves } else { written }
}
