//! A mail that a person wrote: who, in answer to what, and whether they ask to leave.
//! Pure. Decides nothing; what a program wrote is told apart, so that nothing of it is
//! ever handed on.

use rundbrief_subscribers::address::EmailAddress;

use super::autoreply::{self, Header};
use super::mime::{self, Head};
use super::phrase::{self, Meaning};
use super::{report, returned, text};

/// Words that ask to leave when they are all that somebody wrote.
const ALONE: [&str; 10] =
    ["stop", "stopp", "ende", "end", "quit", "remove", "raus", "weg", "cancel", "arrêt"];
/// Of the mails it answers, how many are looked at.
const ANSWERED: usize = 20;
/// The longest note of absence, in bytes.
const LONGEST_NOTE: usize = 1500;

/// What a person wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Letter {
    /// Whom it is from.
    pub from: Option<EmailAddress>,
    /// The sender as shown: name and address.
    pub shown: String,
    /// Its subject.
    pub subject: String,
    /// Their own words, without what they quote.
    pub words: String,
    /// A program wrote it, or it came over a list, or by way of us.
    pub automatic: bool,
    /// Tokens in the Message-IDs it answers, unverified, the nearest first.
    pub answers: Vec<String>,
    /// The local parts, lower-cased, with a plus and what follows, that it was sent to.
    pub to: Vec<String>,
}

/// Reads a mail. One that is beyond the limits says nothing.
pub fn read(raw: &[u8]) -> Letter {
    let raw = raw.trim_ascii_start();
    let Ok((head, parts)) = mime::open(raw) else {
        return Letter { automatic: true, ..Letter::default() };
    };
    let one_line = |name: &str| {
        let value = head.get(name).map(text::field).unwrap_or_default();
        value.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let from = returned::addresses(&head, "from");
    Letter {
        from: from.first().and_then(|from| EmailAddress::parse(from).ok()),
        shown: one_line("from"),
        subject: one_line("subject"),
        words: own_words(&report::words(&parts)),
        automatic: from.is_empty() || is_automatic(&head, &from),
        answers: answers(&head),
        to: recipients(&head),
    }
}

impl Letter {
    /// Whether they ask to leave, by the phrases of the table and those that `taught` knows.
    pub fn leaves(&self, taught: impl Fn(&str) -> bool) -> bool {
        let asks =
            |text: &str| says_leave(text) || taught(text) || ALONE.contains(&bare(text).as_str());
        // In "Re: Newsletter abbestellen?" the words are ours, not theirs.
        asks(&self.words) || !is_answer(&self.subject) && asks(&self.subject)
    }
}

/// Whether a phrase of the table asks to leave, and none that it stands in says no.
fn says_leave(text: &str) -> bool {
    let hits = phrase::table().all(text);
    let stays =
        |at| hits.iter().any(|hit| hit.meaning == Meaning::Stay && (hit.at..hit.end).contains(&at));
    hits.iter().any(|hit| hit.meaning == Meaning::Leave && !stays(hit.at))
}

/// Whether somebody's own words are a note of absence that a program sent: short, with
/// two things only such notes say, no question and no wish to leave.
pub(crate) fn is_away(text: &str) -> bool {
    let own = own_words_within(text, LONGEST_NOTE);
    if own.len() > LONGEST_NOTE || own.contains('?') {
        return false;
    }
    let mut hits = phrase::table().all(&own.split_whitespace().collect::<Vec<_>>().join(" "));
    hits.retain(|hit| hit.meaning == Meaning::AwayNote);
    hits.sort_by_key(|hit| hit.at);
    hits.dedup_by(|next, before| next.at < before.end);
    hits.len() >= 2 && !says_leave(&own)
}

/// Whether somebody's own words speak of absence, and of no wish to leave.
pub(crate) fn tells_absence(text: &str) -> bool {
    let own = own_words_within(text, LONGEST_NOTE);
    let hits = phrase::table().all(&own.split_whitespace().collect::<Vec<_>>().join(" "));
    // People who ask something use some of the words as well.
    let asks = own.contains('?');
    let tells = |hit: &phrase::Hit| {
        hit.meaning == Meaning::AwayNote || hit.meaning == Meaning::AwayText && !asks
    };
    hits.iter().any(tells) && !says_leave(&own)
}

/// Whether a text has a mail copied into it, below words that speak of no failure.
pub(crate) fn copies(text: &str) -> bool {
    let own = own_words(text);
    own.len() < text.trim().len()
        && !phrase::table().all(&own).iter().any(|hit| hit.meaning == Meaning::Failed)
}

/// Lower case, without what stands around the words.
fn bare(text: &str) -> String {
    phrase::fold(text.trim_matches(|c: char| !c.is_alphanumeric()))
}

/// Whether a subject says that a mail answers another, or passes it on.
pub(crate) fn is_answer(subject: &str) -> bool {
    begins_with(subject, &["re:", "aw:", "antw:", "sv:", "r:", "vs:"]) || is_forward(subject)
}

/// Whether a subject says that a mail passes another on.
pub(crate) fn is_forward(subject: &str) -> bool {
    begins_with(subject, &["fwd:", "fw:", "wg:", "tr:", "rv:", "doorst:", "i:", "pd:", "vb:"])
}

fn begins_with(subject: &str, prefixes: &[&str]) -> bool {
    let subject = subject.trim_start().as_bytes();
    prefixes.iter().any(|prefix| mime::starts(subject, prefix.as_bytes()))
}

/// Whether anything in the head says that no person wrote it to us.
fn is_automatic(head: &Head<'_>, from: &[String]) -> bool {
    let says = |name: &str, words: &[&[u8]]| {
        head.get(name).is_some_and(|value| words.iter().any(|word| mime::starts(value, word)))
    };
    let submitted = head.get("auto-submitted").is_some_and(|value| !mime::starts(value, b"no"));
    const MARKS: [&str; 6] = [
        "x-loop",
        "list-id",
        "list-unsubscribe",
        "mailing-list",
        "feedback-id",
        "x-failed-recipients",
    ];
    let nobody = head.get("return-path").is_some_and(|path| path.trim_ascii() == b"<>");
    const PROGRAMS: [&str; 5] =
        ["mailer-daemon", "postmaster", "noreply", "no-reply", "donotreply"];
    let local = from.first().and_then(|from| from.split('@').next()).unwrap_or_default();
    let report =
        head.get("content-type").is_some_and(|value| mime::starts(value, b"multipart/report"));
    submitted
        || nobody
        || report
        || says("precedence", &[b"bulk", b"list", b"junk", b"auto"])
        || MARKS.iter().any(|mark| head.has(mark))
        || PROGRAMS.iter().any(|program| local.eq_ignore_ascii_case(program))
        || autoreply::header(head) == Header::Replied
}

fn answers(head: &Head<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in ["in-reply-to", "references"] {
        let Some(field) = head.get(name) else { continue };
        let field = String::from_utf8_lossy(field);
        for id in field.split('<').skip(1).collect::<Vec<_>>().into_iter().rev().take(ANSWERED) {
            let Some((local, _)) = id.split_once('@') else { continue };
            if let Some(token) = returned::token(local.trim())
                && !found.contains(&token)
            {
                found.push(token);
            }
        }
    }
    found
}

/// Where it was sent to, as the mail server or its head says.
fn recipients(head: &Head<'_>) -> Vec<String> {
    let mut to = Vec::new();
    for name in returned::ENVELOPE {
        to.extend(returned::addresses(head, name).into_iter().map(|to| to.to_ascii_lowercase()));
    }
    to
}

/// What they wrote themselves: no quoted lines, no line that introduces them, no
/// signature, nothing behind a mail that is copied below.
fn own_words(text: &str) -> String {
    own_words_within(text, usize::MAX)
}

/// The same, up to the line with which it gets longer than so many bytes.
fn own_words_within(text: &str, most: usize) -> String {
    const COPIES: [&str; 8] =
        ["-----", "_____", "von: ", "from: ", "gesendet: ", "sent: ", "de: ", "*von:*"];
    let mut own = Vec::new();
    let mut length = 0;
    let mut lines = text.lines().map(str::trim).peekable();
    while let Some(line) = lines.next()
        && length <= most
    {
        if line == "--" || begins_with(line, &COPIES) {
            break;
        }
        let introduces = introduces(line)
            || begins_introduction(line) && lines.peek().is_some_and(|next| introduces(next));
        if !line.starts_with('>') && !introduces {
            length += line.len() + 1;
            own.push(line);
        }
    }
    own.join("\n").trim().to_owned()
}

/// "Am Montag schrieb Anna:", whole or its second line.
fn introduces(line: &str) -> bool {
    const WROTE: [&str; 8] = [
        "schrieb",
        "wrote",
        "a écrit",
        "escribió",
        "ha scritto",
        "schreef",
        "napisał",
        "geschrieben",
    ];
    line.ends_with(':') && {
        let folded = phrase::fold(line);
        WROTE.iter().any(|wrote| folded.contains(wrote))
    }
}

/// The first line of one that goes on below.
fn begins_introduction(line: &str) -> bool {
    begins_with(line, &["am ", "on ", "le ", "el ", "il ", "op "])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(head: &str, body: &str) -> Letter {
        read(format!("From: Anna <anna@example.org>\r\n{head}\r\n{body}").as_bytes())
    }

    fn leaves(subject: &str, body: &str) -> bool {
        mail(&format!("Subject: {subject}\r\n"), body).leaves(|_| false)
    }

    #[test]
    fn who_asks_to_leave_is_understood() {
        for (subject, body) in [
            ("", "Bitte abmelden. Danke!"),
            ("Abmelden", ""),
            ("unsubscribe", ""),
            ("Re: Newsletter", "STOP"),
            ("Re: Newsletter", "Stopp!\n\n-- \nAnna"),
            ("AW: News", "Bitte nehmen Sie mich aus dem Verteiler.\nAnna"),
            ("Re: News", "please remove me from this list"),
            ("Re: News", "> Newsletter\n> abbestellen\nbitte abbestellen"),
            ("Frage", "Wie bestelle ich den Newsletter ab?"),
            ("Frage", "Löschen Sie bitte meine Daten."),
            ("Frage", "Warum kann ich mich nicht abmelden?"),
        ] {
            assert!(leaves(subject, body), "{subject} / {body}");
        }
    }

    #[test]
    fn a_quoted_footer_asks_for_nothing() {
        for (subject, body) in [
            (
                "Re: News",
                "Schöner Text!\n\nAm Montag schrieb die Redaktion:\n> Newsletter abbestellen",
            ),
            (
                "Re: News",
                "Danke.\n\nAm Mo., 23. Nov. 2026 um 08:00 Uhr\nschrieb Redaktion <a@example.org>:\n\n> abmelden",
            ),
            ("Re: News", "Thanks\n-----Original Message-----\nFrom: x\nunsubscribe here"),
            (
                "AW: News",
                "Danke\n\nVon: Redaktion\nGesendet: Montag\nAn: Anna\n\nNewsletter abbestellen",
            ),
            ("Re: Bitte abmelden?", "Nein, ich bleibe."),
            ("Frage", "Ich möchte mich nicht abmelden, nur die Adresse ändern."),
            ("Frage", "Bitte melden Sie mich nicht ab!"),
            ("Re: News", "Please do not unsubscribe me."),
            ("Re: Radwege", "Der Stop an der Ampel dauert zu lange."),
        ] {
            assert!(!leaves(subject, body), "{subject} / {body}");
        }
    }

    #[test]
    fn what_no_person_wrote_is_told_apart() {
        for head in [
            "Auto-Submitted: auto-generated\r\n",
            "Auto-Submitted: auto-replied (vacation)\r\n",
            "X-Loop: bounce@news.example.de\r\n",
            "Precedence: bulk\r\n",
            "List-Id: <x.example.org>\r\n",
            "Return-Path: <>\r\n",
            "X-Autoreply: yes\r\n",
            "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n",
        ] {
            assert!(mail(head, "Hallo").automatic, "{head}");
        }
        assert!(!mail("Auto-Submitted: no\r\nReturn-Path: <anna@example.org>\r\n", "x").automatic);
        assert!(read(b"From: MAILER-DAEMON@example.org\r\n\r\nx").automatic);
        assert!(read(b"Subject: x\r\n\r\nx").automatic, "nobody wrote it");
    }

    #[test]
    fn what_it_answers_is_found_nearest_first() {
        let (a, b) = ("a".repeat(32), "b".repeat(32));
        let head = format!(
            "In-Reply-To: <{a}@news.example.de>\r\nReferences: <x@example.org>\r\n <{b}@news.example.de> <{a}@news.example.de>\r\n"
        );
        assert_eq!(mail(&head, "x").answers, [a, b]);
    }
}
