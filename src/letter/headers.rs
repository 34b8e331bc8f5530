//! The header of a newsletter's mail: who, when, and everything a mailing list says
//! of itself (RFC 2369, 2919, 8058, and what large receivers ask for).
//!
//! What differs by reader stands here as a mark. The envelope is delivery's.

use std::time::{Duration, SystemTime};

use jiff::Zoned;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MessageBuilder, MultiPart};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_templates::language::Language;

use super::address::Office;
use super::splice::{Marks, Personal};

/// Columns of a header line (RFC 5322, section 2.1.1).
const COLUMNS: usize = 78;
/// Characters of an encoded word (RFC 2047, section 2), without `=?utf-8?q?` and `?=`.
const WORD: usize = 75 - 12;
/// Characters of the stable last part of `Feedback-ID`.
const SENDER_ID: std::ops::RangeInclusive<usize> = 5..=15;
/// Characters of a usual token; longer ones make a longer line, no wrong one.
const TOKEN: usize = 32;

/// What the header says.
#[derive(Debug)]
pub struct Headers<'a> {
    /// Name in `From:`.
    pub sender: &'a str,
    /// Address in `From:`.
    pub address: &'a EmailAddress,
    /// Where answers go.
    pub reply_to: &'a EmailAddress,
    /// One line.
    pub subject: &'a str,
    /// When the issue was frozen, in the newsletter's zone: a retry has the same.
    pub date: &'a Zoned,
    /// Of the issue.
    pub language: Language,
    /// The newsletter's name.
    pub list: &'a str,
    /// Its identifier (RFC 2919).
    pub list_id: &'a str,
    /// Where help is.
    pub help_url: &'a str,
    /// The issue in the browser.
    pub web_version: &'a str,
    /// Short name of the newsletter.
    pub slug: &'a str,
    /// Number of the issue.
    pub number: i64,
}

/// Puts the header before a body and formats the message, marks and all.
///
/// # Errors
/// lettre refuses a header; its message says which.
pub fn message(
    headers: &Headers<'_>,
    office: &Office,
    marks: &Marks,
    body: MultiPart,
) -> anyhow::Result<Vec<u8>> {
    let from = Mailbox::new(Some(headers.sender.to_owned()), headers.address.into());
    let reply_to = Mailbox::new(None, headers.reply_to.into());
    let seconds = u64::try_from(headers.date.timestamp().as_second()).unwrap_or_default();
    let message_id = format!("<{}@{}>", marks.mark(Personal::Delivery), office.domain);
    let envelope =
        lettre::address::Envelope::new(Some(headers.address.into()), vec![headers.address.into()])?;
    let builder = Message::builder()
        .envelope(envelope)
        .from(from)
        .raw_header(raw("To", marks.mark(Personal::To)))
        .reply_to(reply_to)
        .subject(headers.subject)
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(message_id));
    let mut message = of_a_list(builder, headers, office, marks).multipart(body)?;
    keep_subject(&mut message, headers.subject);
    // lettre writes UTC; a reader sees the hour of the newsletter's zone.
    let local = jiff::fmt::rfc2822::to_string(headers.date)?;
    message.headers_mut().insert_raw(raw("Date", local));
    Ok(message.formatted())
}

/// lettre leaves ASCII as it is, even where it reads as an encoded word.
pub(super) fn keep_subject(message: &mut Message, subject: &str) {
    if subject.contains("=?") && subject.contains("?=") {
        message.headers_mut().insert_raw(raw("Subject", encoded_subject(subject)));
    }
}

fn of_a_list(
    builder: MessageBuilder,
    headers: &Headers<'_>,
    office: &Office,
    marks: &Marks,
) -> MessageBuilder {
    let mut list_id = String::new();
    let id = format!("<{}>", headers.list_id);
    named(headers.list, &id, "List-Id: ".len(), &mut list_id);
    let mut unsubscribe =
        vec![format!("<{}{}>", office.unsubscribe_prefix(), marks.mark(Personal::Unsubscribe))];
    if let Some(mailbox) = &office.unsubscribe {
        let token = marks.mark(Personal::Delivery);
        unsubscribe.push(format!("<mailto:{}+{token}@{}>", mailbox.local(), mailbox.domain()));
    }
    let width = "List-Unsubscribe: <>,".len() + office.unsubscribe_prefix().len() + TOKEN;
    let first = if width > COLUMNS { "\r\n " } else { "" };
    let unsubscribe = format!("{first}{}", unsubscribe.join(",\r\n "));
    builder
        .raw_header(raw("List-Id", list_id))
        .raw_header(raw("List-Unsubscribe", unsubscribe))
        .raw_header(raw("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()))
        .raw_header(link("List-Help", headers.help_url))
        .raw_header(link("List-Archive", headers.web_version))
        .raw_header(raw("Feedback-ID", feedback_id(headers)))
        .raw_header(raw("Precedence", "bulk".to_owned()))
        .raw_header(raw("X-Auto-Response-Suppress", "OOF, AutoReply".to_owned()))
        .raw_header(raw("Content-Language", headers.language.tag().to_owned()))
}

/// `issue:newsletter:kind:sender` (Gmail's feedback loop): nothing personal, the
/// last part always the same for one sender.
fn feedback_id(headers: &Headers<'_>) -> String {
    let domain = headers.address.domain().replace('.', "-");
    let from = domain.len().saturating_sub(*SENDER_ID.end());
    let mut sender = domain[from..].trim_start_matches('-').to_owned();
    while sender.len() < *SENDER_ID.start() {
        sender.push('0');
    }
    format!("{}:{}:newsletter:{sender}", headers.number, headers.slug)
}

fn link(name: &'static str, url: &str) -> HeaderValue {
    let fits = name.len() + url.len() + 4 <= COLUMNS;
    raw(name, format!("{}<{url}>", if fits { "" } else { "\r\n " }))
}

/// A field whose value is ASCII and folded already.
pub(super) fn raw(name: &'static str, value: String) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.clone(), value)
}

/// A name and an identifier in brackets, as in `To:` and `List-Id:`; folded when
/// it does not fit behind the `used` columns of the field's name.
pub fn named(name: &str, identifier: &str, used: usize, out: &mut String) {
    let start = out.len();
    phrase(name, used, out);
    let last =
        out[start..].rfind('\n').map_or(used + out.len() - start, |at| out.len() - start - at - 1);
    if out.len() > start {
        out.push_str(if last + 1 + identifier.len() > COLUMNS { "\r\n " } else { " " });
    }
    out.push_str(identifier);
}

/// A display name (RFC 5322 `phrase`): as it is where that is allowed, quoted, or in
/// encoded words.
fn phrase(name: &str, used: usize, out: &mut String) {
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~ ".contains(c);
    // What looks like an encoded word must not stand there as it is.
    if name.len() <= COLUMNS / 2 && name.chars().all(atom) && !name.contains("=?") {
        out.push_str(name);
    } else if name.len() <= COLUMNS / 2 && name.chars().all(|c| matches!(c, ' '..='~')) {
        out.push('"');
        for c in name.chars() {
            if matches!(c, '"' | '\\') {
                out.push('\\');
            }
            out.push(c);
        }
        out.push('"');
    } else {
        encoded_words(name, WORD.min(COLUMNS - used - 12), out);
    }
}

fn encoded_subject(subject: &str) -> String {
    let mut out = String::new();
    encoded_words(subject, WORD.min(COLUMNS - "Subject: ".len() - 12), &mut out);
    out
}

/// RFC 2047, encoding Q as in section 5 (3); a character never stands in two words.
/// `first` is the room of the first one.
fn encoded_words(text: &str, first: usize, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut used = 0;
    let mut room = first;
    for c in text.chars() {
        let plain = c.is_ascii_alphanumeric() || "!*+-/".contains(c) || c == ' ';
        let width = if plain { 1 } else { 3 * c.len_utf8() };
        if used == 0 || used + width > room {
            out.push_str(if used == 0 { "=?utf-8?q?" } else { "?=\r\n =?utf-8?q?" });
            room = if used == 0 { first } else { WORD };
            used = 0;
        }
        used += width;
        if c == ' ' {
            out.push('_');
        } else if plain {
            out.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                out.push('=');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    if used > 0 {
        out.push_str("?=");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn to(name: &str) -> String {
        let mut out = String::new();
        named(name, "<leserin@example.org>", 4, &mut out);
        out
    }

    #[test]
    fn a_name_is_written_as_plainly_as_it_may() {
        assert_eq!(to("Anna Beispiel"), "Anna Beispiel <leserin@example.org>");
        assert_eq!(to("Dr. Anna \"A\""), "\"Dr. Anna \\\"A\\\"\" <leserin@example.org>");
        assert_eq!(to("Jürgen"), "=?utf-8?q?J=C3=BCrgen?= <leserin@example.org>");
        assert_eq!(to(""), "<leserin@example.org>");
        assert!(to(&"Ä".repeat(30)).contains("?=\r\n =?utf-8?q?"));
    }

    #[test]
    fn a_subject_that_reads_as_an_encoded_word_stays_as_written() {
        let subject = "Neu: =?utf-8?q?x?= und mehr davon, bis die Zeile so lang wird wie keine";
        let mail = format!("Subject: {}\r\n\r\n", encoded_subject(subject));
        assert!(mail.lines().all(|line| line.len() <= COLUMNS), "{mail}");
        let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap();
        assert_eq!(parsed.subject(), Some(subject));
    }

    proptest! {
        #[test]
        fn a_name_comes_back(name in "[ -~äöüßÄé€😀]{0,90}") {
            let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
            let mail = format!("To: {}\r\n\r\n", to(&name));
            for line in mail.lines() {
                prop_assert!(line.len() <= COLUMNS, "{line}");
            }
            let parsed = mail_parser::MessageParser::default().parse(mail.as_bytes()).unwrap();
            let first = parsed.to().unwrap().first().unwrap().clone();
            prop_assert_eq!(first.name().unwrap_or_default(), name);
            prop_assert_eq!(first.address(), Some("leserin@example.org"));
        }
    }
}
