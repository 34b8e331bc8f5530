//! Asks an address that was said not to exist whether it does: whoever reads this
//! has nothing to do.

use crate::brand::Brand;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, link, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// The reader's preferences, where they also leave.
    pub preferences_url: &'a str,
}

/// The mail.
pub fn render(mail: &Probe<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Wir prüfen, ob {name} Sie erreicht"),
            title: "Wir prüfen, ob Sie erreichbar sind".to_owned(),
            pieces: vec![
                text(format!(
                    "Eine Ausgabe von {name} kam als unzustellbar zurück. Das kann ein Irrtum gewesen sein."
                )),
                text(
                    "Wenn Sie diese E-Mail lesen, ist alles in Ordnung: Sie müssen nichts tun und bekommen den Newsletter weiter.",
                ),
                text(
                    "Kommt auch diese E-Mail zurück, schicken wir an diese Adresse nichts mehr. Adresse ändern, pausieren oder abbestellen können Sie hier:",
                ),
                link("Einstellungen öffnen", mail.preferences_url),
            ],
            reason: format!("Sie erhalten diese E-Mail einmalig, weil Sie {name} abonniert haben."),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Checking whether {name} reaches you"),
            title: "We are checking whether you can be reached".to_owned(),
            pieces: vec![
                text(format!(
                    "An issue of {name} came back as undeliverable. That may have been a mistake."
                )),
                text(
                    "If you read this email, all is well: there is nothing to do, and you will go on getting the newsletter.",
                ),
                text(
                    "If this email comes back as well, we will send nothing more to this address. You can change your address, take a break or unsubscribe here:",
                ),
                link("Open your preferences", mail.preferences_url),
            ],
            reason: format!("You receive this email once because you subscribed to {name}."),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
