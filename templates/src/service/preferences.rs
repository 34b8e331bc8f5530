//! Brings the link to the preferences to somebody who asked for it.

use jiff::civil::Date;

use crate::brand::Brand;
use crate::date;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, press, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Preferences<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// The reader's preferences.
    pub url: &'a str,
    /// The last day the link works.
    pub valid_until: Date,
}

/// The mail.
pub fn render(mail: &Preferences<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let until = date::long_day(mail.valid_until, language);
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Ihre Einstellungen für {name}"),
            title: "Der Link zu Ihren Einstellungen".to_owned(),
            pieces: vec![
                text(format!(
                    "Sie haben den Link zu Ihren Einstellungen für {name} angefordert. Dort können Sie Name, Adresse und Themen ändern, eine Pause einlegen oder den Newsletter abbestellen."
                )),
                press("Einstellungen öffnen", mail.url),
                text(format!(
                    "Der Link gilt bis {until} und nur für Sie: Bitte leiten Sie diese E-Mail nicht weiter."
                )),
                text(
                    "Sie haben nichts angefordert? Dann löschen Sie diese E-Mail. Es ändert sich nichts.",
                ),
            ],
            reason: format!(
                "Sie erhalten diese E-Mail, weil auf der Seite von {name} der Link für diese Adresse angefordert wurde."
            ),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Your preferences for {name}"),
            title: "The link to your preferences".to_owned(),
            pieces: vec![
                text(format!(
                    "You asked for the link to your preferences for {name}. There you can change your name, address and topics, take a break or unsubscribe."
                )),
                press("Open preferences", mail.url),
                text(format!(
                    "The link works until {until} and is yours alone: please do not forward this email."
                )),
                text("You did not ask for it? Then delete this email. Nothing will change."),
            ],
            reason: format!(
                "You receive this email because the link for this address was asked for on the page of {name}."
            ),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
