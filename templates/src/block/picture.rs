//! A picture with its alternative text, its caption and its credit.
//!
//! Its size is set by `width`, never by `max-width` alone: Thunderbird
//! overrides the latter on every picture outside of a link. It is never shown
//! larger than it is, on no screen.

use maud::{Markup, html};

use crate::flow::Flow;
use crate::issue::Image;
use crate::look::{Look, SIDE};
use crate::words::Words;

/// Widths up to this keep their pixels where no style is applied.
const SMALL: u32 = 290;
/// Width of the column on the widest phone. A file of fewer pixels keeps the width it has
/// elsewhere; any other fills the phone's column.
const PHONE: u32 = 479 - 2 * SIDE;

/// How wide a picture is shown where there is this much room.
pub fn shown_width(image: &Image, room: u32) -> u32 {
    image.width.min(room)
}

/// The picture and the words below it.
pub fn html(image: &Image, room: u32, look: &Look<'_>) -> Markup {
    html! {
        (alone(image, room, look))
        @if let Some(words) = below(image, look.words) {
            p class="m" style=(look.small) { (words) }
        }
    }
}

fn alone(image: &Image, room: u32, look: &Look<'_>) -> Markup {
    let width = shown_width(image, room);
    let height = height(image, width);
    let size = if width <= SMALL {
        format!("width:{width}px")
    } else {
        format!("width:100%;max-width:{width}px")
    };
    let style = format!(
        "display:block;border:0;{size};height:auto{};font-family:{};font-size:16px;line-height:1.4;color:{}",
        look.round(),
        look.plan.fonts.body,
        look.plan.light.muted,
    );
    let class = if image.width < PHONE && width <= SMALL { "m" } else { "g m" };
    let picture = html! {
        img class=(class) src=(image.url) alt=(image.alt) width=(width) height=(height) style=(style);
    };
    html! {
        @if width > SMALL && width < room {
            div style={ "max-width:" (width) "px" } { (picture) }
        } @else {
            (picture)
        }
    }
}

fn height(image: &Image, width: u32) -> u64 {
    let (width, whole) = (u64::from(width), u64::from(image.width.max(1)));
    ((u64::from(image.height) * width + whole / 2) / whole).max(1)
}

/// Caption and credit in one line: "Der Südkai am Montag. Foto: Jana Muster".
fn below(image: &Image, words: &Words) -> Option<String> {
    let credit = image.credit.as_deref().map(|credit| credited(credit, words));
    match (image.caption.as_deref(), credit) {
        (Some(caption), Some(credit)) => {
            let stop = if caption.ends_with(['.', '!', '?', '“', '”']) { "" } else { "." };
            Some(format!("{caption}{stop} {credit}"))
        }
        (Some(caption), None) => Some(caption.to_owned()),
        (None, credit) => credit,
    }
}

/// "Foto: Jana Muster", unless the credit says already what it is.
fn credited(credit: &str, words: &Words) -> String {
    const SAID: [&str; 9] =
        ["foto", "bild", "grafik", "illustration", "quelle", "photo", "picture", "©", "(c)"];
    let lower = credit.to_lowercase();
    let said = SAID.iter().any(|said| {
        lower
            .strip_prefix(said)
            .is_some_and(|rest| rest.starts_with([':', ' ', 's']) || *said == "©" || *said == "(c)")
    });
    if said { credit.to_owned() } else { format!("{}: {credit}", words.photo) }
}

/// What the picture shows, says, and who made it, in brackets, and where it is.
///
/// Both parts of the mail so name the same addresses: rspamd counts them and
/// holds an odd number against a mail.
pub fn text(image: &Image, words: &Words, flow: &mut Flow) {
    let below = below(image, words);
    match (image.alt.as_str(), below) {
        ("", None) => return,
        ("", Some(below)) => flow.paragraph(&format!("[{below}]")),
        (alt, below) => {
            let stop = if alt.ends_with(['.', '!', '?']) { "" } else { "." };
            let below = below.map(|below| format!("{stop} {below}")).unwrap_or_default();
            flow.paragraph(&format!("[{}: {alt}{below}]", words.picture));
        }
    }
    if !image.url.starts_with("cid:") {
        flow.alone(&image.url);
    }
}
