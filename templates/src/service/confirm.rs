//! Asks a new reader to confirm: the second step of double opt-in (§ 7 UWG).

use jiff::civil::Date;

use crate::brand::Brand;
use crate::date;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, press, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Confirm<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// Where the reader confirms; only a button there does it.
    pub url: &'a str,
    /// The last day the link works.
    pub valid_until: Date,
}

/// The mail.
pub fn render(mail: &Confirm<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let until = date::long_day(mail.valid_until, language);
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Bitte bestätigen: {name}"),
            title: "Bitte bestätigen Sie Ihr Abonnement".to_owned(),
            pieces: vec![
                text(format!(
                    "Diese E-Mail-Adresse wurde für den Newsletter {name} eingetragen. Bitte bestätigen Sie, dass Sie ihn lesen möchten."
                )),
                press("Abonnement bestätigen", mail.url),
                text(format!(
                    "Der Link gilt bis {until}. Auf der Seite, die sich öffnet, bestätigen Sie mit einem Knopf. Sie können den Newsletter später jederzeit abbestellen."
                )),
                text(
                    "Sie haben nichts bestellt? Dann tun Sie einfach nichts: Ohne Bestätigung bekommen Sie keinen Newsletter, und die Adresse wird gelöscht.",
                ),
            ],
            reason: format!(
                "Sie erhalten diese E-Mail einmalig, weil diese Adresse für {name} eingetragen wurde."
            ),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Please confirm: {name}"),
            title: "Please confirm your subscription".to_owned(),
            pieces: vec![
                text(format!(
                    "This email address was entered for the newsletter {name}. Please confirm that you would like to read it."
                )),
                press("Confirm subscription", mail.url),
                text(format!(
                    "The link works until {until}. On the page that opens, a button confirms. You can unsubscribe from the newsletter at any time later."
                )),
                text(
                    "You did not ask for this? Then simply do nothing: without a confirmation you will not get a newsletter, and the address will be deleted.",
                ),
            ],
            reason: format!(
                "You receive this email once because this address was entered for {name}."
            ),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
