//! Tells editors what became of an issue, in numbers that add up.

use crate::brand::Brand;
use crate::language::Language;
use crate::mail::Mail;
use crate::publication::Publication;
use crate::service::{self, Note, Piece, press, quoted, text};

/// What became of the mails of an issue; the sums of the ledger.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Readers that the issue was meant for.
    pub total: u64,
    /// Mails that the receiving server took.
    pub accepted: u64,
    /// Of these, mails that came back.
    pub bounced: u64,
    /// Of these, mails that readers complained about.
    pub complained: u64,
    /// Mails that failed.
    pub failed: u64,
    /// Mails that are tried again.
    pub deferred: u64,
    /// Mails that still wait for their first try.
    pub waiting: u64,
    /// Mails that nobody can know about.
    pub unknown: u64,
    /// Mails that were called off.
    pub cancelled: u64,
}

/// What the mail needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Which newsletter.
    pub publication: &'a Publication,
    /// Number of the issue.
    pub number: u32,
    /// Its subject.
    pub subject: &'a str,
    /// The numbers.
    pub sums: Sums,
    /// The report in the editors' pages.
    pub url: &'a str,
}

/// The mail.
pub fn render(mail: &Report<'_>, brand: &Brand, language: Language) -> Mail {
    let name = quoted(&mail.publication.name, language);
    let note = match language {
        Language::German => Note {
            publication: mail.publication,
            subject: format!("Bericht: {name}, Ausgabe {}", mail.number),
            title: format!("Ausgabe {} ist verschickt", mail.number),
            pieces: vec![
                text(format!(
                    "{} von {} E-Mails wurden angenommen. So steht es um „{}“:",
                    number(mail.sums.accepted, language),
                    number(mail.sums.total, language),
                    mail.subject
                )),
                Piece::Facts(facts(&mail.sums, language)),
                press("Ganzen Bericht ansehen", mail.url),
                text(
                    "Angenommen heißt: Der Server der Empfängerin oder des Empfängers hat die E-Mail übernommen. Was später zurückkommt, zählt der Bericht weiter mit. Wer was gelesen hat, wird nicht erfasst.",
                ),
            ],
            reason: format!(
                "Sie erhalten diese E-Mail, weil Sie zur Redaktion von {name} gehören. Diese Berichte bestellen Sie in Ihrem Konto ab."
            ),
            links: Vec::new(),
        },
        Language::English => Note {
            publication: mail.publication,
            subject: format!("Report: {name}, issue {}", mail.number),
            title: format!("Issue {} has been sent", mail.number),
            pieces: vec![
                text(format!(
                    "{} of {} emails were accepted. This is how “{}” stands:",
                    number(mail.sums.accepted, language),
                    number(mail.sums.total, language),
                    mail.subject
                )),
                Piece::Facts(facts(&mail.sums, language)),
                press("See the whole report", mail.url),
                text(
                    "Accepted means that the recipient's server has taken the email. The report goes on counting what comes back later. Nobody records who has read what.",
                ),
            ],
            reason: format!(
                "You receive this email because you are an editor of {name}. You can unsubscribe from these reports in your account."
            ),
            links: Vec::new(),
        },
    };
    service::render(&note, brand, language)
}

/// Each with its name; nothing is left out, so that the reader can add up.
fn facts(sums: &Sums, language: Language) -> Vec<(String, String)> {
    let names = match language {
        Language::German => [
            "Insgesamt",
            "Angenommen",
            "davon zurückgekommen",
            "davon mit Beschwerde",
            "Gescheitert",
            "Wird erneut versucht",
            "Noch nicht versucht",
            "Ungewiss",
            "Zurückgezogen",
        ],
        Language::English => [
            "Total",
            "Accepted",
            "of these, came back",
            "of these, with a complaint",
            "Failed",
            "Will be tried again",
            "Not yet tried",
            "Uncertain",
            "Called off",
        ],
    };
    let values = [
        sums.total,
        sums.accepted,
        sums.bounced,
        sums.complained,
        sums.failed,
        sums.deferred,
        sums.waiting,
        sums.unknown,
        sums.cancelled,
    ];
    let facts = names.into_iter().zip(values);
    facts.map(|(name, value)| (name.to_owned(), number(value, language))).collect()
}

/// "3.012" or "3,012".
fn number(value: u64, language: Language) -> String {
    let mark = match language {
        Language::German => '.',
        Language::English => ',',
    };
    let digits = value.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(mark);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        let german = |value| number(value, Language::German);
        assert_eq!([german(0), german(999), german(3012)], ["0", "999", "3.012"]);
        assert_eq!(number(10_000_000, Language::English), "10,000,000");
    }
}
