//! Brings a reader the link to everything that is stored about them (Art. 15, 20 DSGVO).

use jiff::civil::Date;

use crate::brand::Brand;
use crate::date;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, press, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Export<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// Where the data can be had.
    pub url: &'a str,
    /// The last day the link works.
    pub valid_until: Date,
}

/// The mail.
pub fn render(mail: &Export<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let until = date::long_day(mail.valid_until, language);
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Ihre Daten bei {name}"),
            title: "Ihre Daten sind bereit".to_owned(),
            pieces: vec![
                text(format!(
                    "Sie haben Auskunft über Ihre Daten bei {name} verlangt. Hier ist alles, was zu dieser Adresse gespeichert ist: als Seite zum Lesen und als Datei (JSON)."
                )),
                press("Meine Daten ansehen", mail.url),
                text(format!(
                    "Der Link gilt bis {until} und nur für Sie: Bitte leiten Sie diese E-Mail nicht weiter. Auf derselben Seite können Sie Ihre Daten löschen lassen und sich abmelden."
                )),
                text(
                    "Sie haben nichts verlangt? Dann löschen Sie diese E-Mail. Niemand außer Ihnen hat den Link.",
                ),
            ],
            reason: format!(
                "Sie erhalten diese E-Mail, weil auf der Seite von {name} Auskunft für diese Adresse verlangt wurde."
            ),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Your data at {name}"),
            title: "Your data is ready".to_owned(),
            pieces: vec![
                text(format!(
                    "You asked for your data at {name}. Here is everything that is stored about this address: as a page to read and as a file (JSON)."
                )),
                press("See my data", mail.url),
                text(format!(
                    "The link works until {until} and is yours alone: please do not forward this email. On the same page you can have your data erased and unsubscribe."
                )),
                text(
                    "You did not ask for it? Then delete this email. Nobody but you has the link.",
                ),
            ],
            reason: format!(
                "You receive this email because the data of this address was asked for on the page of {name}."
            ),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
