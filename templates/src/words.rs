//! The catalogue of standing words: every fixed word of an issue, once per language.
//!
//! The texts of the service mails stand in their own files, each in every
//! language, since they are read as a whole.

use crate::language::Language;

pub mod greeting;

mod english;
mod german;

/// The standing words of one language. A missing one does not compile.
#[derive(Debug)]
pub struct Words {
    /// What a screen reader calls the mail.
    pub newsletter: &'static str,
    /// "Ausgabe", before the number.
    pub issue: &'static str,
    /// Heading of the list of contents.
    pub contents: &'static str,
    /// "Weiterlesen", before the title of what is read.
    pub read_on: &'static str,
    /// Before the credit of a picture, as in "Foto: ".
    pub photo: &'static str,
    /// Before the alternative text of a picture in the plain text.
    pub picture: &'static str,
    /// "Ort", before the place of an event.
    pub place: &'static str,
    /// Words of an event's own page, before its title.
    pub about_event: &'static str,
    /// Words of the link to the calendar file, before the event's title.
    pub calendar: &'static str,
    /// Opening and closing quotation mark.
    pub quotes: (&'static str, &'static str),
    /// Why the reader gets this; the newsletter's name follows in quotation marks …
    pub reason_before: &'static str,
    /// … and these words after it.
    pub reason_after: &'static str,
    /// Link that unsubscribes.
    pub unsubscribe: &'static str,
    /// Link to the preferences.
    pub preferences: &'static str,
    /// Link to the issue in the browser.
    pub web_version: &'static str,
    /// Link to the privacy notice.
    pub privacy: &'static str,
    /// Link to the accessibility statement.
    pub accessibility: &'static str,
    /// Heading of the imprint.
    pub imprint: &'static str,
    /// Before the representative.
    pub represented_by: &'static str,
    /// Before the person responsible for the content.
    pub responsible: &'static str,
    /// Before the supervisory authority.
    pub authority: &'static str,
    /// Before the register entry.
    pub register: &'static str,
    /// Before the VAT number.
    pub vat_id: &'static str,
    /// Before the telephone number.
    pub phone: &'static str,
    /// Before the mail address.
    pub email: &'static str,
    /// What an issue that had to be shortened says, before the link to all of it.
    pub shortened: &'static str,
    /// The words of that link.
    pub whole_issue: &'static str,
    /// Heading over what takes place.
    pub events: &'static str,
    /// Heading over articles that no section asked for.
    pub more: &'static str,
    /// Signs a service mail is published with, before the publisher's name.
    pub published_by: &'static str,
}

/// The standing words of a language.
pub fn of(language: Language) -> &'static Words {
    match language {
        Language::German => &german::WORDS,
        Language::English => &english::WORDS,
    }
}
