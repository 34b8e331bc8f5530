//! Asks the owner of a new address to confirm that a subscription moves there.

use jiff::civil::Date;

use crate::brand::Brand;
use crate::date;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, press, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Address<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// Where the reader confirms; only a button there does it.
    pub url: &'a str,
    /// The last day the link works.
    pub valid_until: Date,
}

/// The mail.
pub fn render(mail: &Address<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let until = date::long_day(mail.valid_until, language);
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Neue Adresse bestätigen: {name}"),
            title: "Bitte bestätigen Sie Ihre neue Adresse".to_owned(),
            pieces: vec![
                text(format!(
                    "Ein Abonnement von {name} soll künftig an diese E-Mail-Adresse gehen. Bitte bestätigen Sie, dass es Ihre ist."
                )),
                press("Neue Adresse bestätigen", mail.url),
                text(format!(
                    "Der Link gilt bis {until}. Bis Sie bestätigen, geht der Newsletter weiter an die alte Adresse. Abmelden können Sie sich jederzeit."
                )),
                text(
                    "Sie wissen von nichts? Dann tun Sie einfach nichts: Ohne Bestätigung ändert sich nichts, und diese Adresse wird gelöscht.",
                ),
            ],
            reason: format!(
                "Sie erhalten diese E-Mail einmalig, weil diese Adresse als neue Adresse für {name} eingetragen wurde."
            ),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Confirm your new address: {name}"),
            title: "Please confirm your new address".to_owned(),
            pieces: vec![
                text(format!(
                    "A subscription to {name} is to go to this email address from now on. Please confirm that it is yours."
                )),
                press("Confirm new address", mail.url),
                text(format!(
                    "The link works until {until}. Until you confirm, the newsletter still goes to the old address. You can unsubscribe at any time."
                )),
                text(
                    "You know nothing about this? Then simply do nothing: without a confirmation nothing changes, and this address will be deleted.",
                ),
            ],
            reason: format!(
                "You receive this email once because this address was entered as the new address for {name}."
            ),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
