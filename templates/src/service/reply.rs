//! Hands a reader's reply on to the editorial office; the reply itself is attached.

use crate::brand::Brand;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, Piece, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// Who wrote.
    pub from: &'a str,
    /// What stands above their mail; empty where nothing does.
    pub about: &'a str,
    /// Whether they seem to ask to leave: the command that does it.
    pub leave: Option<&'a str>,
}

/// The mail.
pub fn render(mail: &Reply<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let about = if mail.about.trim().is_empty() { "–" } else { mail.about };
    let facts = |names: [&str; 3]| {
        let values = [Some(mail.from), Some(about), mail.leave];
        let given = names.into_iter().zip(values);
        let given = given.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        Piece::Facts(given.collect())
    };
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Antwort auf {name}: {about}"),
            title: "Jemand hat geantwortet".to_owned(),
            pieces: vec![
                facts(["Von", "Betreff", "Abmelden mit"]),
                text(
                    "Die Antwort kam an die Adresse für Rückläufer und hängt hier unverändert an. Wenn Sie auf diese E-Mail antworten, schreiben Sie der Person.",
                ),
                text(match mail.leave {
                    Some(_) => {
                        "Die Person möchte offenbar abbestellen. Das wartet auf eine Entscheidung."
                    }
                    None => "An der Bestellung der Person hat sich nichts geändert.",
                }),
            ],
            reason: format!(
                "Sie erhalten diese E-Mail, weil Antworten auf {name} an diese Adresse gehen."
            ),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Reply to {name}: {about}"),
            title: "Somebody replied".to_owned(),
            pieces: vec![
                facts(["From", "Subject", "Unsubscribe by"]),
                text(
                    "The reply came to the address for bounces and is attached as it came. If you answer this email, you write to that person.",
                ),
                text(match mail.leave {
                    Some(_) => {
                        "The person seems to ask to be unsubscribed. That waits for a decision."
                    }
                    None => "Nothing about their subscription has changed.",
                }),
            ],
            reason: format!("You receive this email because replies to {name} go to this address."),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
