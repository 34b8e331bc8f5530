//! An issue rendered and frozen: MIME parts with slots, spliced per reader.
//!
//! Rendered once, however many readers: the templates write HTML and text with
//! marks, [`mime`] encodes them with holes, [`headers`] puts the header before,
//! [`splice`] cuts the whole into what is the same for all and what is not. A
//! reader's mail is then a matter of copying, and [`dkim`] signs it.

pub mod address;
pub mod dkim;
pub mod headers;
pub mod mime;
pub mod reader;
pub mod splice;

use rundbrief_templates::mail::Mail;
use rundbrief_templates::slot::{Slot, Slots};

use address::Office;
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
}

/// Freezes a rendered mail. `slots` are the marks it was rendered with; `nonce` is
/// fresh randomness.
///
/// # Errors
/// A header cannot be written.
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
    let boundary = format!("=_{nonce:032x}");
    let body = mime::alternative(text, html, &boundary);
    let message = headers::message(&cover.headers, office, &marks, body)?;
    Ok(Letter::cut(cover.head.clone(), &message, &marks))
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
