//! Invites somebody to work as an editor.

use jiff::civil::Date;

use crate::brand::Brand;
use crate::date;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, Piece, press, quoted, text};

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Invitation<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// Who invites, by name.
    pub invited_by: &'a str,
    /// The role, in the reader's language, as in "Redaktion".
    pub role: &'a str,
    /// Where the invited sets a password; works once.
    pub url: &'a str,
    /// The last day the link works.
    pub valid_until: Date,
}

/// The mail.
pub fn render(mail: &Invitation<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let until = date::long_day(mail.valid_until, language);
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Einladung in die Redaktion von {name}"),
            title: "Sie sind eingeladen".to_owned(),
            pieces: vec![
                text(format!("{} lädt Sie ein, an {name} mitzuarbeiten.", mail.invited_by)),
                Piece::Facts(vec![
                    ("Newsletter".to_owned(), mail.publication.name.clone()),
                    ("Ihre Rolle".to_owned(), mail.role.to_owned()),
                    ("Gültig bis".to_owned(), until.clone()),
                ]),
                press("Einladung annehmen", mail.url),
                text(
                    "Auf der Seite, die sich öffnet, wählen Sie ein Passwort oder einen Passkey. Der Link funktioniert einmal und nur für Sie: Bitte leiten Sie diese E-Mail nicht weiter.",
                ),
                text(
                    "Sie erwarten keine Einladung? Dann löschen Sie diese E-Mail. Es wird kein Zugang eingerichtet.",
                ),
            ],
            reason: format!(
                "Sie erhalten diese E-Mail, weil {} Sie eingeladen hat.",
                mail.invited_by
            ),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Invitation to edit {name}"),
            title: "You are invited".to_owned(),
            pieces: vec![
                text(format!("{} invites you to work on {name}.", mail.invited_by)),
                Piece::Facts(vec![
                    ("Newsletter".to_owned(), mail.publication.name.clone()),
                    ("Your role".to_owned(), mail.role.to_owned()),
                    ("Valid until".to_owned(), until.clone()),
                ]),
                press("Accept invitation", mail.url),
                text(
                    "On the page that opens you choose a password or a passkey. The link works once and is yours alone: please do not forward this email.",
                ),
                text(
                    "You do not expect an invitation? Then delete this email. No account will be set up.",
                ),
            ],
            reason: format!("You receive this email because {} invited you.", mail.invited_by),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}
