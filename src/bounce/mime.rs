//! Just enough MIME for a bounce: heads, bodies and leaf parts as slices of the
//! mail, found without copying, with hard limits.
//!
//! It does not descend into a returned message, builds no tree and decodes
//! nothing (`text` does). A mail whose boundaries are broken is one plain part.

use memchr::{memchr, memmem};

/// The largest mail that is read, in bytes. A larger one waits for a person.
pub const MAX_BYTES: usize = 5 * 1024 * 1024;
/// The most parts a mail may have.
pub const MAX_PARTS: usize = 200;
/// The deepest nesting of multiparts.
pub const MAX_DEPTH: usize = 20;
/// The longest head of a mail or part, in bytes; an endless header ends here.
pub const MAX_HEAD: usize = 512 * 1024;
/// The most header fields kept of one head.
const MAX_FIELDS: usize = 1000;
/// The longest boundary that is believed (RFC 2046 section 5.1.1 allows 70).
const MAX_BOUNDARY: usize = 200;

/// Why a mail was not taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// Larger than [`MAX_BYTES`].
    #[error("the mail is larger than 5 MB")]
    Bytes,
    /// A head longer than [`MAX_HEAD`].
    #[error("a header of the mail is longer than 512 kB")]
    Head,
    /// More parts than [`MAX_PARTS`].
    #[error("the mail has more than 200 parts")]
    Parts,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("the mail is nested deeper than 20 levels")]
    Depth,
}

/// What a leaf part is, as far as a bounce cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Media {
    /// `text/plain`, or nothing said.
    Plain,
    /// `text/html`.
    Html,
    /// `message/delivery-status` and its international twin (RFC 3464, 6533).
    DeliveryStatus,
    /// `message/feedback-report` (RFC 5965).
    Feedback,
    /// `message/disposition-notification` (RFC 8098).
    Disposition,
    /// `message/rfc822`, `text/rfc822-headers` and what carries a mail otherwise.
    Returned,
    /// Anything else.
    Other,
}

/// The header fields of a mail or part, in order, as they stand.
#[derive(Debug, Clone, Default)]
pub struct Head<'a> {
    fields: Vec<(&'a [u8], &'a [u8])>,
}

/// One leaf part.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// What it is.
    pub media: Media,
    /// Its own header fields.
    pub head: Head<'a>,
    /// Its body, still encoded.
    pub body: &'a [u8],
    /// All of it, head and body.
    pub raw: &'a [u8],
}

impl<'a> Head<'a> {
    /// The first field of that name, folded and encoded as it stands.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.fields
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }

    /// Every field of that name.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'a [u8]> + 's {
        self.fields
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name.as_bytes()))
            .map(|(_, value)| *value)
    }

    /// Whether a field of that name is there.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Whether there is no field at all.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Every field, in order.
    pub fn fields(&self) -> &[(&'a [u8], &'a [u8])] {
        &self.fields
    }
}

/// Splits a mail or part into its head and the body behind the empty line.
/// A first line that is no field starts the body.
pub fn split(raw: &[u8]) -> Result<(Head<'_>, &[u8]), Limit> {
    let mut fields: Vec<(&[u8], &[u8])> = Vec::with_capacity(24);
    let mut at = 0;
    while at < raw.len() {
        let end = memchr(b'\n', &raw[at..]).map_or(raw.len(), |n| at + n + 1);
        let line = &raw[at..end];
        match line {
            b"\n" | b"\r\n" => return Ok((Head { fields }, &raw[end..])),
            [b' ' | b'\t', ..] if !fields.is_empty() => extend(&mut fields, raw, end),
            _ if at == 0 && line.starts_with(b"From ") => {}
            // A parameter on a line of its own that somebody forgot to fold.
            _ if fields.last().is_some_and(|(_, value)| value.ends_with(b";"))
                && field(line).is_none() =>
            {
                extend(&mut fields, raw, end);
            }
            _ => match field(line) {
                Some(found) if fields.len() < MAX_FIELDS => fields.push(found),
                Some(_) => {}
                None => return Ok((Head { fields }, &raw[at..])),
            },
        }
        at = end;
        if at > MAX_HEAD {
            return Err(Limit::Head);
        }
    }
    Ok((Head { fields }, &raw[raw.len()..]))
}

/// Lengthens the last field by the continuation line that ends at `end`.
fn extend<'a>(fields: &mut [(&'a [u8], &'a [u8])], raw: &'a [u8], end: usize) {
    if let Some((_, value)) = fields.last_mut() {
        let start = value.as_ptr() as usize - raw.as_ptr() as usize;
        *value = raw[start..end].trim_ascii_end();
    }
}

/// One line as a field: a name of printable ASCII (blanks before the colon are
/// forgiven), a colon, a value.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = memchr(b':', &line[..line.len().min(200)])?;
    let name = line[..colon].trim_ascii_end();
    if name.is_empty() || !name.iter().all(|b| (33..=126).contains(b)) {
        return None;
    }
    let value = &line[colon + 1..];
    let skip = value.len() - value.trim_ascii_start().len();
    // The slice keeps its place in the mail even when it is empty.
    Some((name, value[skip.min(value.len())..].trim_ascii_end()))
}

/// A mail's own head, and its leaf parts in order. Returned messages are leaves.
pub fn open(raw: &[u8]) -> Result<(Head<'_>, Vec<Part<'_>>), Limit> {
    if raw.len() > MAX_BYTES {
        return Err(Limit::Bytes);
    }
    let mut leaves = Vec::with_capacity(4);
    let (head, body) = split(raw)?;
    descend(raw, head.clone(), body, 0, &mut 1, &mut leaves)?;
    Ok((head, leaves))
}

fn descend<'a>(
    raw: &'a [u8],
    head: Head<'a>,
    body: &'a [u8],
    depth: usize,
    seen: &mut usize,
    leaves: &mut Vec<Part<'a>>,
) -> Result<(), Limit> {
    let declared = head.get("content-type").unwrap_or(b"");
    if starts(declared, b"multipart/")
        && let Some(boundary) = parameter(declared, "boundary")
    {
        let before = leaves.len();
        for part in pieces(body, boundary) {
            if depth >= MAX_DEPTH {
                return Err(Limit::Depth);
            }
            *seen += 1;
            if *seen > MAX_PARTS {
                return Err(Limit::Parts);
            }
            let (head, body) = split(part)?;
            descend(part, head, body, depth + 1, seen, leaves)?;
        }
        if leaves.len() > before {
            return Ok(());
        }
    }
    let media = media(&head, declared, depth);
    leaves.push(Part { media, head, body, raw });
    Ok(())
}

/// What stands between the boundaries. Lazy, so that a million parts cost
/// nothing behind the limit.
fn pieces<'a>(body: &'a [u8], boundary: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + 'a {
    let mut marker = Vec::with_capacity(boundary.len() + 2);
    marker.extend_from_slice(b"--");
    marker.extend_from_slice(boundary);
    let finder = memmem::Finder::new(&marker).into_owned();
    let mut rest = next_boundary(body, &finder);
    std::iter::from_fn(move || {
        let from = rest?;
        if body[from..].starts_with(b"--") {
            rest = None;
            return None;
        }
        let start = memchr(b'\n', &body[from..]).map_or(body.len(), |n| from + n + 1);
        let tail = &body[start..];
        match next_boundary(tail, &finder) {
            Some(next) => {
                rest = Some(start + next);
                let end = next - finder.needle().len();
                Some(&tail[..end])
            }
            None => {
                rest = None;
                (!tail.is_empty()).then_some(tail)
            }
        }
    })
}

/// Where the next boundary line's marker ends: a marker at the start of a line,
/// followed by a line end, blanks or `--`.
fn next_boundary(body: &[u8], finder: &memmem::Finder<'_>) -> Option<usize> {
    finder
        .find_iter(body)
        .filter(|&at| at == 0 || body[at - 1] == b'\n')
        .map(|at| at + finder.needle().len())
        .find(|&end| {
            let after = &body[end..];
            matches!(after, [] | [b'\r' | b'\n' | b' ' | b'\t', ..]) || after.starts_with(b"--")
        })
}

fn media(head: &Head<'_>, declared: &[u8], depth: usize) -> Media {
    if starts(declared, b"message/delivery-status")
        || starts(declared, b"message/global-delivery-status")
    {
        return Media::DeliveryStatus;
    }
    if starts(declared, b"message/feedback-report") {
        return Media::Feedback;
    }
    if starts(declared, b"message/disposition-notification")
        || starts(declared, b"message/global-disposition-notification")
    {
        return Media::Disposition;
    }
    let returned = [
        &b"message/rfc822"[..],
        b"message/global",
        b"text/rfc822",
        b"message/partial",
        b"message/news",
    ];
    if returned.iter().any(|r| starts(declared, r)) {
        return Media::Returned;
    }
    // Some systems put the returned message's own header where the part's belongs.
    if depth > 0 && head.has("received") {
        return Media::Returned;
    }
    if starts(declared, b"text/html") {
        return Media::Html;
    }
    if declared.is_empty() || starts(declared, b"text") {
        return Media::Plain;
    }
    // What has no usable boundary may still be a text to read.
    if starts(declared, b"multipart/") {
        return Media::Plain;
    }
    Media::Other
}

/// Whether `value` begins with `prefix`, whatever the case.
pub fn starts(value: &[u8], prefix: &[u8]) -> bool {
    value.len() >= prefix.len() && value[..prefix.len()].eq_ignore_ascii_case(prefix)
}

/// The value of a parameter of a structured field (`boundary`, `charset`), unquoted.
pub fn parameter<'a>(field: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut rest = field;
    while let Some(semicolon) = memchr(b';', rest) {
        rest = rest[semicolon + 1..].trim_ascii_start();
        if !starts(rest, name.as_bytes()) {
            continue;
        }
        let Some(value) = rest[name.len()..].trim_ascii_start().strip_prefix(b"=") else {
            continue;
        };
        return unquote(value.trim_ascii_start());
    }
    // A forgotten semicolon before the parameter is common in old bounces.
    let at = memmem::find(field, format!("{name}=").as_bytes())?;
    unquote(&field[at + name.len() + 1..])
}

fn unquote(value: &[u8]) -> Option<&[u8]> {
    let value = match value.strip_prefix(b"\"") {
        Some(quoted) => &quoted[..memchr(b'"', quoted).unwrap_or(quoted.len())],
        None => {
            let end = value.iter().position(|b| b.is_ascii_whitespace() || *b == b';');
            &value[..end.unwrap_or(value.len())]
        }
    };
    let value = value.trim_ascii_end();
    (!value.is_empty() && value.len() <= MAX_BOUNDARY).then_some(value)
}
