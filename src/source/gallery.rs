//! The pictures of a page: address, alternative text, caption, credit, size.

use scraper::{ElementRef, Selector};
use std::sync::LazyLock;
use url::Url;

use crate::article::Image;
use crate::source::landmark::select;
use crate::source::noise;
use crate::source::{block, credit, prose};

/// Pixels of a side below which a picture is an icon, a spacer or a counter.
const ICON: u32 = 48;
/// Pixels of width beyond which a larger variant brings nothing: twice a mail's column.
const WIDEST: u32 = 1_400;
/// Characters of an alternative text or a caption; what is longer is cut by nobody but refused.
const CAPTION: usize = 1_000;

static IMAGES: LazyLock<Selector> = LazyLock::new(|| select("img"));
static SOURCES: LazyLock<Selector> = LazyLock::new(|| select("source"));
static CAPTIONS: LazyLock<Selector> = LazyLock::new(|| {
    select(
        "figcaption, .caption, .wp-caption-text, .bildunterschrift, .image-caption, .img-caption, .ce-caption, .csc-textpic-caption, .news-img-caption, .caption-text, .bu, .media-caption, .field--name-field-caption, dd",
    )
});
static CREDITS: LazyLock<Selector> = LazyLock::new(|| {
    select(
        ".copyright, .credit, .credits, .bildnachweis, .fotonachweis, .quelle, .bildquelle, .image-credit, .image-copyright, .photo-credit, .photographer, .fotograf, .img-copyright, .media-credit, .urheber, [itemprop=copyrightHolder], [itemprop=creditText]",
    )
});

/// The pictures below an element (or the element itself), with what its caption says.
pub fn read(element: ElementRef<'_>, base: Option<&Url>) -> Vec<Image> {
    let own = (element.value().name() == "img").then_some(element);
    let pictures: Vec<ElementRef<'_>> = own.into_iter().chain(element.select(&IMAGES)).collect();
    let (caption, credit) = caption(element);
    let mut images: Vec<Image> = pictures.into_iter().filter_map(|img| image(img, base)).collect();
    // One caption for several pictures belongs to the last, below which it stands; the credit to all.
    if let Some(last) = images.last_mut() {
        last.caption = last.caption.take().or(caption);
    }
    for image in &mut images {
        image.credit = image.credit.take().or_else(|| credit.clone());
        let same = image.caption.as_deref().is_some_and(|caption| {
            caption.trim_end_matches('.') == image.alt.trim_end_matches('.')
        });
        if same {
            image.caption = None;
        }
    }
    images
}

/// What a caption that stands apart from its picture says: the caption and the credit.
pub fn apart(element: ElementRef<'_>) -> Option<(Option<String>, Option<String>)> {
    let called = element.value().name() != "dd" && CAPTIONS.matches(&element);
    called.then(|| credit::split(&block::text_in(element)))
}

/// The caption and the credit below a figure.
fn caption(element: ElementRef<'_>) -> (Option<String>, Option<String>) {
    if element.value().name() == "img" {
        return (None, None);
    }
    let text = |element: ElementRef<'_>| block::text_in(element);
    let credits: Vec<String> =
        element.select(&CREDITS).map(text).filter(|text| !text.is_empty()).collect();
    let mut whole = element
        .select(&CAPTIONS)
        .find(|element| element.select(&CAPTIONS).next().is_none())
        .or_else(|| element.select(&CAPTIONS).next())
        .map(text)
        .unwrap_or_default();
    let outer = element.select(&CAPTIONS).next().map(text).unwrap_or_default();
    if outer.len() > whole.len() {
        whole = outer;
    }
    for credit in &credits {
        whole = prose::squeeze(&whole.replace(credit.as_str(), " "));
    }
    let (caption, found) = credit::split(&whole);
    let named = credits.first().map(|text| {
        credit::name(text).unwrap_or_else(|| text.trim_start_matches(['©', ' ']).trim().to_owned())
    });
    (
        caption.filter(|caption| {
            caption.chars().count() <= CAPTION && caption.chars().any(char::is_alphanumeric)
        }),
        named.or(found),
    )
}

/// One picture; `None` for icons, spacers, counters, and what has no address. A drawing in
/// SVG counts where words or a figure say that it belongs to the text: it cannot be shown,
/// and the editor hears of it.
fn image(img: ElementRef<'_>, base: Option<&Url>) -> Option<Image> {
    let size = |name: &str| {
        img.attr(name).and_then(|text| text.trim().trim_end_matches("px").parse::<u32>().ok())
    };
    let (width, height) = (size("width"), size("height"));
    let small =
        width.is_some_and(|width| width <= ICON) || height.is_some_and(|height| height <= ICON);
    let named = noise::names(img).any(|name| {
        ["icon", "emoji", "wp-smiley", "avatar", "spacer", "logo", "tracking", "pixel"].iter().any(
            |word| {
                name == *word
                    || name.starts_with(&format!("{word}-"))
                    || name.ends_with(&format!("-{word}"))
            },
        )
    });
    if small || named || img.attr("role") == Some("presentation") && img.attr("alt") == Some("") {
        return None;
    }
    let (url, larger) = address(img, width, base)?;
    if is_drawing(&url) && !belongs(img) {
        return None;
    }
    let title = img.attr("title").map(prose::squeeze).filter(|text| !text.is_empty());
    let alt = prose::squeeze(img.attr("alt").unwrap_or_default());
    let marked = ["data-copyright", "data-credit", "data-photographer", "data-author"]
        .iter()
        .find_map(|name| img.attr(name))
        .map(prose::squeeze)
        .filter(|text| !text.is_empty());
    let credit = marked
        .map(|text| credit::name(&text).unwrap_or(text))
        .or_else(|| title.as_deref().and_then(credit::name));
    let (alt, in_alt) = match credit::split(&alt) {
        (Some(rest), Some(name)) if credit.is_none() => (rest, Some(name)),
        _ => (alt, None),
    };
    Some(Image {
        url,
        alt: alt.chars().take(CAPTION).collect(),
        caption: None,
        credit: credit.or(in_alt),
        width: width.filter(|_| !larger),
        height: height.filter(|_| !larger),
        file: None,
        small: None,
        failure: None,
    })
}

/// The best address: the widest variant up to `WIDEST`, a lazily loaded one, the link of a
/// thumbnail; and whether it is another file than `width` and `height` speak of.
fn address(img: ElementRef<'_>, width: Option<u32>, base: Option<&Url>) -> Option<(String, bool)> {
    let lazy = ["data-src", "data-lazy-src", "data-original", "data-full", "data-srcset-src"]
        .iter()
        .find_map(|name| img.attr(name));
    let plain = lazy
        .or_else(|| img.attr("src"))
        .map(str::trim)
        .filter(|src| !src.is_empty() && !src.starts_with("data:"));
    let picture =
        img.parent().and_then(ElementRef::wrap).filter(|parent| parent.value().name() == "picture");
    let sets = [img.attr("srcset"), img.attr("data-srcset"), img.attr("data-lazy-srcset")]
        .into_iter()
        .flatten();
    let of_picture = picture
        .into_iter()
        .flat_map(|picture| picture.select(&SOURCES))
        .filter(|source| {
            !source.attr("type").is_some_and(|kind| kind.contains("avif") || kind.contains("svg"))
        })
        .filter_map(|source| source.attr("srcset").or_else(|| source.attr("data-srcset")));
    let widest = sets.chain(of_picture).filter_map(widest).max_by_key(|(_, width)| *width);
    let link = img
        .ancestors()
        .take(3)
        .filter_map(ElementRef::wrap)
        .filter(|above| above.value().name() == "a")
        .filter_map(|a| a.attr("href"))
        .find(|href| is_picture(href));
    let (chosen, larger) = match (widest, link, plain) {
        (Some((wide, variant)), _, _)
            if plain.is_none() || width.is_none_or(|width| variant > width) =>
        {
            (wide, true)
        }
        (_, Some(link), plain)
            if plain.is_none() || width.is_some_and(|width| width < WIDEST / 2) =>
        {
            (link.to_owned(), true)
        }
        (_, _, plain) => (plain?.to_owned(), false),
    };
    let url = match base {
        Some(base) => base.join(&chosen).ok()?,
        None => match Url::parse(&chosen) {
            Ok(url) => url,
            Err(_) => return Some((chosen, larger)),
        },
    };
    matches!(url.scheme(), "http" | "https" | "file").then(|| (url.into(), larger))
}

/// The widest candidate of a `srcset` that is not wasteful, with its width.
fn widest(set: &str) -> Option<(String, u32)> {
    let candidates = set.split(", ").flat_map(|part| part.split(",\n")).filter_map(|part| {
        let mut words = part.trim().trim_end_matches(',').split_whitespace();
        let (url, size) = (words.next()?, words.next().unwrap_or("1x"));
        let width = match size.strip_suffix('w') {
            Some(width) => width.parse().ok()?,
            None => {
                500 * size
                    .strip_suffix('x')?
                    .parse::<f32>()
                    .ok()
                    .map(|times| times.clamp(0.0, 4.0) as u32)?
            }
        };
        (!url.starts_with("data:")).then(|| (url.to_owned(), width))
    });
    let all: Vec<(String, u32)> = candidates.collect();
    let fitting = all.iter().filter(|(_, width)| *width <= WIDEST).max_by_key(|(_, width)| *width);
    fitting.or_else(|| all.iter().min_by_key(|(_, width)| *width)).cloned()
}

/// Whether an address ends as a drawing's does.
fn is_drawing(url: &str) -> bool {
    url.split(['?', '#']).next().unwrap_or("").to_lowercase().ends_with(".svg")
}

/// Whether a picture has words, or stands in a figure.
fn belongs(img: ElementRef<'_>) -> bool {
    let mut above = img.ancestors().filter_map(ElementRef::wrap);
    img.attr("alt").is_some_and(|alt| !alt.trim().is_empty())
        || above.any(|element| element.value().name() == "figure")
}

/// Whether an address ends as a picture file does.
fn is_picture(href: &str) -> bool {
    let path = href.split(['?', '#']).next().unwrap_or("").to_lowercase();
    [".jpg", ".jpeg", ".png", ".gif", ".webp"].iter().any(|kind| path.ends_with(kind))
}
