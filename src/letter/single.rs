//! A mail that is no issue: to one person, about one thing. It carries no list's
//! headers, and says that a program wrote it, so that no program answers.

use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{self, SHA256};
use jiff::Zoned;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox, Message, MultiPart, SinglePart};
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_templates::language::Language;
use rundbrief_templates::mail::Mail;

use super::enclosure::{self, Enclosure};
use super::headers::{self, named, raw};
use super::mime;

/// Everything about it that is not in its body.
#[derive(Debug)]
pub struct Cover<'a> {
    /// Name in `From:`.
    pub sender: &'a str,
    /// Address in `From:`.
    pub address: &'a EmailAddress,
    /// Where answers go: an address.
    pub reply_to: &'a EmailAddress,
    /// Whom it is for.
    pub to: &'a EmailAddress,
    /// When it is sent, in the newsletter's zone.
    pub date: &'a Zoned,
    /// Of its words.
    pub language: Language,
    /// The token that names it, for its Message-ID; also parts its parts.
    pub token: &'a str,
    /// Domain of Message-IDs.
    pub domain: &'a str,
    /// Marks our own in a loop.
    pub looped: &'a str,
    /// Pictures that go along where the mail shows them: the logo.
    pub pictures: &'a [Enclosure],
}

/// The message: CRLF lines, not dot-stuffed, not signed. A mail may be attached as it came.
///
/// # Errors
/// lettre refuses a header; its message says which.
pub fn message(cover: &Cover<'_>, mail: &Mail, attached: Option<&[u8]>) -> anyhow::Result<Vec<u8>> {
    let encode = |part: &str| mime::quoted_printable(part, &[]);
    let nonce = nonce(cover.token);
    let shown = enclosure::shown(&mail.html, cover.pictures, cover.domain).into_iter();
    let pictures = shown.map(|one| one.part(cover.domain)).collect::<anyhow::Result<Vec<_>>>()?;
    let said = mime::alternative(encode(&mail.text), encode(&mail.html), pictures, nonce)?;
    let body = match attached {
        None => said,
        Some(attached) => {
            let boundary = format!("=_m{nonce:032x}");
            MultiPart::mixed().boundary(boundary).multipart(said).singlepart(whole(attached)?)
        }
    };
    let from = Mailbox::new(Some(cover.sender.to_owned()), cover.address.into());
    let mut to = String::new();
    named("", &format!("<{}>", cover.to.as_str()), "To: ".len(), &mut to);
    let seconds = u64::try_from(cover.date.timestamp().as_second()).unwrap_or_default();
    let envelope =
        lettre::address::Envelope::new(Some(cover.address.into()), vec![cover.address.into()])?;
    let mut message = Message::builder()
        .envelope(envelope)
        .from(from)
        .raw_header(raw("To", to))
        .reply_to(Mailbox::new(None, cover.reply_to.into()))
        .subject(mail.subject.as_str())
        .date(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
        .message_id(Some(format!("<{}@{}>", cover.token, cover.domain)))
        .raw_header(raw("Auto-Submitted", "auto-generated".to_owned()))
        .raw_header(raw("X-Auto-Response-Suppress", "All".to_owned()))
        .raw_header(raw("X-Loop", cover.looped.to_owned()))
        .raw_header(raw("Content-Language", cover.language.tag().to_owned()))
        .multipart(body)?;
    headers::keep_subject(&mut message, &mail.subject);
    message.headers_mut().insert_raw(raw("Date", jiff::fmt::rfc2822::to_string(cover.date)?));
    Ok(message.formatted())
}

/// What parts its parts: whoever wrote an attached mail cannot know the token.
fn nonce(token: &str) -> u128 {
    let digest = digest::digest(&SHA256, token.as_bytes());
    digest.as_ref()[..16].iter().fold(0, |nonce, octet| nonce << 8 | u128::from(*octet))
}

/// A mail as a part of another (RFC 2046 section 5.2.1): never encoded.
fn whole(mail: &[u8]) -> anyhow::Result<SinglePart> {
    let mut lines = Vec::with_capacity(mail.len() + mail.len() / 40);
    for line in mail.trim_ascii_end().split(|byte| *byte == b'\n') {
        lines.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
        lines.extend_from_slice(b"\r\n");
    }
    let encoding = if lines.is_ascii() {
        ContentTransferEncoding::SevenBit
    } else {
        ContentTransferEncoding::EightBit
    };
    Ok(SinglePart::builder()
        .header(ContentType::parse("message/rfc822")?)
        .body(Body::dangerous_pre_encoded(lines, encoding)))
}
