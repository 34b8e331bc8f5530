//! An issue rendered and frozen: MIME parts with slots, spliced per reader.
//!
//! Rendered once, however many readers: the templates write HTML and text with
//! marks, [`mime`] encodes them with holes, [`headers`] puts the header before,
//! [`splice`] cuts the whole into what is the same for all and what is not. A
//! reader's mail is then a matter of copying, and [`dkim`] signs it.

pub mod address;
pub mod dkim;
pub mod enclosure;
pub mod headers;
pub mod mime;
pub mod reader;
pub mod single;
pub mod splice;

use rundbrief_templates::mail::Mail;
use rundbrief_templates::slot::{Slot, Slots};

use address::Office;
use enclosure::Enclosure;
use headers::Headers;
use mime::Hole;
use splice::{Head, Letter, Marks, Personal};

/// Everything about an issue's mail that is not in its body.
#[derive(Debug)]
pub struct Cover<'a> {
    /// The and the newsletter's keys.
    pub head: Head,
    /// The header.
    pub headers: Headers<'a>,
    /// Pictures that go along where the mail shows them; empty where they are linked.
    pub pictures: &'a [Enclosure],
}

/// Freezes a rendered mail. `slots` are the marks it was rendered with; `nonce` is
/// fresh randomness.
///
/// # Errors
/// A header cannot be written, or a picture that should go along is not there.
pub fn freeze(
    cover: &Cover<'_>,
    mail: &Mail,
    slots: &Slots,
    office: &Office,
    nonce: u128,
) -> anyhow::Result<Letter> {
    let marks = Marks::new(nonce);
    let encode = |part: &str, greeting: Personal| {
        let part = with_addresses(part, slots, office, cover.headers.web_version);
        mime::quoted_printable(&part, &holes(&part, slots, &marks, greeting))
    };
    let text = encode(&mail.text, Personal::GreetingText);
    let html = encode(&mail.html, Personal::GreetingHtml);
    let shown = enclosure::shown(&mail.html, cover.pictures, &office.domain);
    anyhow::ensure!(
        shown.len() == different(&mail.html),
        "a picture that should go along is not in the database; add its article again"
    );
    let pictures = shown.iter().map(|picture| picture.part(&office.domain));
    let pictures = pictures.collect::<anyhow::Result<Vec<_>>>()?;
    let body = mime::alternative(text, html, pictures, nonce)?;
    let message = headers::message(&cover.headers, office, &marks, body)?;
    Ok(Letter::cut(cover.head.clone(), &message, &marks))
}

/// How many pictures HTML shows that are in the mail itself.
fn different(html: &str) -> usize {
    let sources = html.split("src=\"cid:").skip(1).filter_map(|rest| rest.split('"').next());
    sources.collect::<std::collections::BTreeSet<_>>().len()
}

/// Puts the part of an address that is the same for all before its slot, so that only
/// the token is a reader's own. None of them holds a character that HTML escapes.
fn with_addresses(part: &str, slots: &Slots, office: &Office, web_version: &str) -> String {
    let unsubscribe = slots.mark(Slot::Unsubscribe);
    let preferences = slots.mark(Slot::Preferences);
    part.replace(&unsubscribe, &format!("{}{unsubscribe}", office.unsubscribe_prefix()))
        .replace(&preferences, &format!("{}{preferences}", office.preferences_prefix()))
        .replace(&slots.mark(Slot::WebVersion), web_version)
}

fn holes(part: &str, slots: &Slots, marks: &Marks, greeting: Personal) -> Vec<Hole> {
    let mut holes = Vec::new();
    for (slot, personal) in [
        (Slot::Salutation, greeting),
        (Slot::Unsubscribe, Personal::Unsubscribe),
        (Slot::Preferences, Personal::Preferences),
    ] {
        let stands = slots.mark(slot);
        holes.extend(
            part.match_indices(&stands)
                .map(|(at, _)| Hole { at: at..at + stands.len(), mark: marks.mark(personal) }),
        );
    }
    holes.sort_by_key(|hole| hole.at.start);
    holes
}
