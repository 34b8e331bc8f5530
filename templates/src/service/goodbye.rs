//! Confirms that a reader has left.

use crate::brand::Brand;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, link, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Goodbye<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// The page where anybody subscribes.
    pub subscribe_url: &'a str,
}

/// The mail.
pub fn render(mail: &Goodbye<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Abgemeldet: {name}"),
            title: "Sie sind abgemeldet".to_owned(),
            pieces: vec![
                text(format!(
                    "Sie bekommen {name} nicht mehr. Das gilt ab sofort; dies ist die letzte E-Mail an diese Adresse."
                )),
                text(
                    "Damit wir Ihnen nicht versehentlich wieder schreiben, bleibt von Ihrer Adresse eine verschlüsselte Prüfsumme gespeichert, aus der sie sich nicht zurückrechnen lässt.",
                ),
                text(
                    "Haben Sie sich aus Versehen abgemeldet? Dann bestellen Sie den Newsletter einfach neu:",
                ),
                link("Wieder abonnieren", mail.subscribe_url),
            ],
            reason: format!("Sie erhalten diese E-Mail, weil Sie {name} abbestellt haben."),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Unsubscribed: {name}"),
            title: "You are unsubscribed".to_owned(),
            pieces: vec![
                text(format!(
                    "You will not get {name} any more. This applies at once; this is the last email to this address."
                )),
                text(
                    "To keep us from writing to you again by mistake, we store an encrypted checksum of your address from which the address cannot be computed.",
                ),
                text("Did you unsubscribe by mistake? Then simply subscribe again:"),
                link("Subscribe again", mail.subscribe_url),
            ],
            reason: format!("You receive this email because you unsubscribed from {name}."),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
