//! The returned mail and the envelope of the report: what ties a report to a
//! mail of ours, and who the mail was from and to. Nothing here is verified;
//! whoever acts on a token checks its signature first.

use super::address;
use super::mime::{self, Head, Media, Part};
use super::text;

/// The letters of a delivery token: 20 bytes in base32 without padding.
const TOKEN_LETTERS: usize = 32;
/// The most bytes of a quoted mail that are searched for its header.
const MAX_QUOTED: usize = 64 * 1024;

/// Fields that name whom a mail was delivered to, the surest first.
pub(super) const ENVELOPE: [&str; 6] =
    ["x-original-to", "delivered-to", "envelope-to", "x-envelope-to", "x-rcpt-to", "to"];

/// What could tie a report to one of our mails, strongest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ties {
    /// From the address the report was sent to (VERP).
    pub envelope: Option<String>,
    /// From `Original-Envelope-Id`.
    pub envelope_id: Option<String>,
    /// From the Message-ID of the returned mail.
    pub message_id: Option<String>,
    /// The token of a reader in the returned mail's `List-Unsubscribe`.
    pub reader: Option<String>,
}

impl Ties {
    /// The delivery tokens that differ from the strongest.
    pub fn others(&self) -> Vec<String> {
        let first = self.delivery();
        let mut others: Vec<String> = Vec::new();
        for token in [&self.envelope, &self.envelope_id, &self.message_id].into_iter().flatten() {
            if first != Some(token) && !others.contains(token) {
                others.push(token.clone());
            }
        }
        others
    }

    /// The strongest delivery token.
    pub fn delivery(&self) -> Option<&str> {
        self.envelope.as_deref().or(self.envelope_id.as_deref()).or(self.message_id.as_deref())
    }
}

/// What is known of the returned mail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Returned {
    /// Its Message-ID, with angle brackets.
    pub message_id: Option<String>,
    /// Whom it was for, by its own header.
    pub to: Vec<String>,
    /// Whom it was from.
    pub from: Vec<String>,
    /// `List-Unsubscribe` as it stands.
    unsubscribe: Option<String>,
}

/// Reads the header of the returned mail, from its own part or from the end of a
/// notice that quotes it.
pub fn read(parts: &[Part<'_>], quoted_in: Option<&[u8]>) -> Returned {
    let part = parts.iter().find(|part| part.media == Media::Returned);
    if let Some(part) = part {
        let inner = text::decoded(&part.head, part.body);
        let own = part.head.has("received") && !part.head.has("content-disposition");
        let raw = if own { part.raw } else { inner.trim_ascii_start() };
        return mime::split(raw).map_or_else(|_| Returned::default(), |(head, _)| of_head(&head));
    }
    let Some(quoted) = quoted_in else {
        return Returned::default();
    };
    let quoted = &quoted[..quoted.len().min(MAX_QUOTED)];
    const FIRST: [&[u8]; 6] =
        [b"\nReceived:", b"\nReturn-", b"\nMessage-", b"\nDate:", b"\nFrom:", b"\nSubject:"];
    let start = FIRST.iter().filter_map(|first| memchr::memmem::find(quoted, first)).min();
    let Some(start) = start else {
        return Returned::default();
    };
    mime::split(&quoted[start + 1..])
        .map_or_else(|_| Returned::default(), |(head, _)| of_head(&head))
}

fn of_head(head: &Head<'_>) -> Returned {
    let mut to = addresses(head, "to");
    for name in ["cc", "x-envelope-to", "envelope-to", "delivered-to", "apparently-to"] {
        to.append(&mut addresses(head, name));
    }
    if to.len() < 20
        && let Some(received) = head.all("received").last()
    {
        let line = String::from_utf8_lossy(received);
        if let Some((_, whom)) = line.split_once(" for ")
            && let Some(found) = address::find_all(whom).first()
        {
            to.push(whom[found.at..found.end].to_owned());
        }
    }
    let mut from = addresses(head, "from");
    for name in ["return-path", "sender", "reply-to"] {
        from.append(&mut addresses(head, name));
    }
    Returned {
        message_id: head.get("message-id").and_then(message_id),
        to,
        from,
        unsubscribe: head.get("list-unsubscribe").map(text::field),
    }
}

/// The addresses in a field.
pub fn addresses(head: &Head<'_>, name: &str) -> Vec<String> {
    let Some(raw) = head.get(name) else {
        return Vec::new();
    };
    let value = text::field(raw);
    address::find_all(&value)
        .into_iter()
        .map(|found| value[found.at..found.end].to_owned())
        .collect()
}

/// `<…>` out of a field.
pub fn message_id(raw: &[u8]) -> Option<String> {
    let open = memchr::memchr(b'<', raw)?;
    let close = memchr::memchr(b'>', &raw[open..])?;
    let id = std::str::from_utf8(&raw[open..=open + close]).ok()?;
    (id.len() > 2).then(|| id.split_whitespace().collect())
}

/// What ties a report to a mail: the address it came to, its envelope id, the
/// returned mail.
pub fn ties(head: &Head<'_>, envelope_id: Option<&str>, returned: &Returned) -> Ties {
    let envelope = ENVELOPE.iter().find_map(|name| {
        memchr::memchr(b'+', head.get(name)?)?;
        addresses(head, name).iter().find_map(|address| {
            let (local, _) = address.rsplit_once('@')?;
            let (_, extension) = local.split_once('+')?;
            token(extension)
        })
    });
    Ties {
        envelope,
        envelope_id: envelope_id.and_then(token),
        message_id: returned.message_id.as_deref().and_then(|id| {
            let (local, _) = id.strip_prefix('<')?.split_once('@')?;
            token(local)
        }),
        reader: returned.unsubscribe.as_deref().and_then(reader_token),
    }
}

/// A delivery token, lower-cased, if the text looks like one.
pub(super) fn token(text: &str) -> Option<String> {
    let fits = text.len() == TOKEN_LETTERS
        && text.bytes().all(|b| b.is_ascii_alphabetic() || (b'2'..=b'7').contains(&b));
    fits.then(|| text.to_ascii_lowercase())
}

/// The reader's token in `<https://…/u/TOKEN>`.
fn reader_token(field: &str) -> Option<String> {
    let (_, rest) = field.split_once("/u/")?;
    let end = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_'))
        .unwrap_or(rest.len());
    (20..=200).contains(&end).then(|| rest[..end].to_owned())
}
