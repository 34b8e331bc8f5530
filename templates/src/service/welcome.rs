//! Greets a reader who has confirmed.

use crate::brand::Brand;
use crate::clean;
use crate::issue::Link;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, press, quoted, text};
use crate::words;

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Welcome<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// When issues appear, in the reader's language, as in "jeden zweiten Montag".
    pub rhythm: Option<&'a str>,
    /// The archive of past issues.
    pub archive_url: &'a str,
    /// The reader's preferences.
    pub preferences_url: &'a str,
    /// Unsubscribes the reader.
    pub unsubscribe_url: &'a str,
}

/// The mail.
pub fn render(mail: &Welcome<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let words = words::of(language);
    let rhythm = match (mail.rhythm, language) {
        (Some(rhythm), Language::German) => {
            format!("Die nächste Ausgabe kommt von selbst: {rhythm}.")
        }
        (Some(rhythm), Language::English) => {
            format!("The next issue will come by itself: {rhythm}.")
        }
        (None, Language::German) => "Die nächste Ausgabe kommt von selbst.".to_owned(),
        (None, Language::English) => "The next issue will come by itself.".to_owned(),
    };
    let links =
        [(words.unsubscribe, mail.unsubscribe_url), (words.preferences, mail.preferences_url)];
    let links = links.into_iter().filter_map(|(words, url)| {
        let url = clean::url(url)?;
        Some(Link { text: words.to_owned(), url })
    });
    let links: Vec<Link> = links.collect();
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Willkommen bei {name}"),
            title: "Schön, dass Sie dabei sind".to_owned(),
            pieces: vec![
                text(format!("Ihr Abonnement von {name} ist bestätigt. {rhythm}")),
                press("Bisherige Ausgaben lesen", mail.archive_url),
                text(
                    "Damit Sie keine Ausgabe verpassen, nehmen Sie die Absenderadresse dieser E-Mail in Ihr Adressbuch auf.",
                ),
                text(
                    "Name, Adresse und Themen ändern Sie in Ihren Einstellungen. Dort legen Sie auch eine Pause ein oder bestellen den Newsletter ab.",
                ),
            ],
            reason: format!("Sie erhalten diese E-Mail, weil Sie {name} abonniert haben."),
            links,
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Welcome to {name}"),
            title: "Good to have you with us".to_owned(),
            pieces: vec![
                text(format!("Your subscription to {name} is confirmed. {rhythm}")),
                press("Read past issues", mail.archive_url),
                text(
                    "To make sure that you miss no issue, add the sender of this email to your address book.",
                ),
                text(
                    "You can change your name, address and topics in your preferences. You can also take a break or unsubscribe there.",
                ),
            ],
            reason: format!("You receive this email because you subscribed to {name}."),
            links,
        },
    };
    service::render(&note, brand, language)
}
