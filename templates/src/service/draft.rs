//! Tells editors that a draft waits for them.

use jiff::civil::DateTime;

use crate::brand::Brand;
use crate::date;
use crate::issue::When;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, Piece, press, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Draft<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// Number of the issue.
    pub number: u32,
    /// Its subject.
    pub subject: &'a str,
    /// Articles in it.
    pub articles: u32,
    /// Findings that block it.
    pub blocking: u32,
    /// When it is due, on the clock of the newsletter's time zone.
    pub due: Option<DateTime>,
    /// The issue in the editors' pages.
    pub url: &'a str,
}

/// The mail.
pub fn render(mail: &Draft<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let due = match (mail.due, language) {
        (Some(start), _) => date::when(When::Moment { start, end: None }, language),
        (None, Language::German) => "nach der Freigabe".to_owned(),
        (None, Language::English) => "after approval".to_owned(),
    };
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Entwurf wartet: {name}, Ausgabe {}", mail.number),
            title: format!("Ausgabe {} wartet auf Sie", mail.number),
            pieces: vec![
                text(format!(
                    "Für {name} ist ein Entwurf bereit. Er geht erst hinaus, wenn jemand ihn geprüft und freigegeben hat."
                )),
                Piece::Facts(vec![
                    ("Betreff".to_owned(), mail.subject.to_owned()),
                    ("Beiträge".to_owned(), mail.articles.to_string()),
                    ("Noch zu beheben".to_owned(), mail.blocking.to_string()),
                    ("Geplant für".to_owned(), due),
                ]),
                press("Entwurf prüfen", mail.url),
                text(
                    "Auf der Seite sehen Sie die Ausgabe genau so, wie sie bei den Leserinnen und Lesern ankommt.",
                ),
            ],
            reason: format!(
                "Sie erhalten diese E-Mail, weil Sie zur Redaktion von {name} gehören. Diese Hinweise bestellen Sie in Ihrem Konto ab."
            ),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Draft waiting: {name}, issue {}", mail.number),
            title: format!("Issue {} is waiting for you", mail.number),
            pieces: vec![
                text(format!(
                    "A draft of {name} is ready. It will not go out before somebody has checked and approved it."
                )),
                Piece::Facts(vec![
                    ("Subject".to_owned(), mail.subject.to_owned()),
                    ("Articles".to_owned(), mail.articles.to_string()),
                    ("Still to be mended".to_owned(), mail.blocking.to_string()),
                    ("Due".to_owned(), due),
                ]),
                press("Check draft", mail.url),
                text("The page shows the issue exactly as it will reach its readers."),
            ],
            reason: format!(
                "You receive this email because you are an editor of {name}. You can unsubscribe from these notes in your account."
            ),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
