//! From the bytes of a part or header field to text: transfer encodings,
//! charsets, encoded words, HTML. Lenient and bounded: what cannot be decoded
//! stays as it stands.

use std::borrow::Cow;

use encoding_rs::Encoding;

use super::mime::{self, Head};

/// The most bytes of a text part that are read; what a mail system says comes first.
pub const MAX_TEXT: usize = 64 * 1024;
/// The most bytes of a header field that are read; many recipients fill some.
const MAX_FIELD: usize = 16 * 1024;
/// The longest encoded word; RFC 2047 allows 75 bytes, not everybody keeps to that.
const MAX_WORD: usize = 402;

/// A part's body as text: decoded, converted to UTF-8, cut at [`MAX_TEXT`].
pub fn body<'a>(head: &Head<'_>, raw: &'a [u8]) -> Cow<'a, str> {
    let encoding = head.get("content-transfer-encoding").unwrap_or(b"");
    let raw = &raw[..raw.len().min(MAX_TEXT)];
    let charset = head.get("content-type").and_then(|field| mime::parameter(field, "charset"));
    if mime::starts(encoding, b"base64") {
        return Cow::Owned(convert(&unbase64(raw), charset).into_owned());
    }
    // Some systems encode and do not say so; "=" before a line end gives them away.
    let quoted = mime::starts(encoding, b"quoted-printable")
        || (encoding.is_empty() && memchr::memmem::find(raw, b"=20\n").is_some());
    if quoted {
        return Cow::Owned(convert(&unquote_printable(raw), charset).into_owned());
    }
    convert(raw, charset)
}

/// The bytes of a part without their transfer encoding.
pub fn decoded<'a>(head: &Head<'_>, raw: &'a [u8]) -> Cow<'a, [u8]> {
    let encoding = head.get("content-transfer-encoding").unwrap_or(b"");
    if mime::starts(encoding, b"base64") {
        Cow::Owned(unbase64(raw))
    } else if mime::starts(encoding, b"quoted-printable") {
        Cow::Owned(unquote_printable(raw))
    } else {
        Cow::Borrowed(raw)
    }
}

/// Bytes in a charset to text. UTF-8 is tried first: most mails that name an
/// eight-bit charset wrongly are UTF-8, and no other text looks like it.
pub fn convert<'a>(raw: &'a [u8], charset: Option<&[u8]>) -> Cow<'a, str> {
    let shifted = memchr::memchr(0x1b, raw).is_some();
    if !shifted && let Ok(text) = std::str::from_utf8(raw) {
        return Cow::Borrowed(text);
    }
    let named = charset.and_then(Encoding::for_label);
    let encoding = match named {
        Some(encoding) if encoding != encoding_rs::UTF_8 || !shifted => encoding,
        _ if shifted => encoding_rs::ISO_2022_JP,
        _ => encoding_rs::WINDOWS_1252,
    };
    encoding.decode_without_bom_handling(raw).0
}

/// A header field's value: unfolded, encoded words decoded (RFC 2047), cut at
/// [`MAX_FIELD`].
pub fn field(raw: &[u8]) -> String {
    let raw = &raw[..raw.len().min(MAX_FIELD)];
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    let mut after_word = false;
    // Where an encoded word may begin.
    let mut from = 0;
    while let Some(at) = memchr::memchr(b'=', &rest[from..]).map(|n| from + n) {
        let Some((word, used)) = encoded_word(&rest[at..]) else {
            from = at + 1;
            continue;
        };
        let before = &rest[..at];
        if !(after_word && before.iter().all(u8::is_ascii_whitespace)) {
            push_unfolded(&mut out, before);
        }
        out.push_str(&word);
        rest = &rest[at + used..];
        from = 0;
        after_word = true;
    }
    push_unfolded(&mut out, rest);
    out
}

fn push_unfolded(out: &mut String, raw: &[u8]) {
    let text = convert(raw, None);
    if !text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | b'\t')) {
        out.push_str(&text);
        return;
    }
    out.extend(text.chars().filter(|c| !matches!(c, '\r' | '\n')).map(|c| match c {
        '\t' => ' ',
        c => c,
    }));
}

/// `=?charset?B|Q?text?=` at the start: its text and length.
fn encoded_word(raw: &[u8]) -> Option<(String, usize)> {
    if raw.get(1) != Some(&b'?') {
        return None;
    }
    let raw = &raw[..raw.len().min(MAX_WORD)];
    let mut marks = memchr::memchr_iter(b'?', raw);
    marks.next()?;
    let (charset_end, kind_end) = (marks.next()?, marks.next()?);
    let text_end = marks.find(|at| raw.get(at + 1) == Some(&b'='))?;
    let text = &raw[kind_end + 1..text_end];
    let bytes = match raw.get(charset_end + 1)? {
        b'B' | b'b' => unbase64(text),
        b'Q' | b'q' => {
            let spaced: Vec<u8> = text.iter().map(|b| if *b == b'_' { b' ' } else { *b }).collect();
            unquote_printable(&spaced)
        }
        _ => return None,
    };
    let word = convert(&bytes, Some(&raw[2..charset_end])).into_owned();
    Some((word, text_end + 2))
}

fn unbase64(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len() / 4 * 3 + 3);
    let (mut bits, mut held) = (0u32, 0u32);
    for &byte in raw {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => break,
            _ => continue,
        };
        bits = bits << 6 | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push((bits >> held) as u8);
        }
    }
    out
}

fn unquote_printable(raw: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(n) = memchr::memchr(b'=', &raw[at..]) {
        out.extend_from_slice(&raw[at..at + n]);
        at += n;
        match &raw[at + 1..] {
            [b'\r', b'\n', ..] => at += 3,
            [b'\n', ..] => at += 2,
            [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                at += 3;
            }
            _ => {
                out.push(b'=');
                at += 1;
            }
        }
    }
    out.extend_from_slice(&raw[at..]);
    out
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit - b'A' + 10,
    }
}

/// HTML to lines of text: tags gone, blocks on lines of their own, the common
/// entities read, scripts and styles left out.
pub fn from_html(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if rest.starts_with('&') {
            let (text, used) = entity(rest);
            out.push_str(text);
            rest = &rest[used..];
            continue;
        }
        let Some(end) = rest.find('>') else { break };
        let tag = &rest[1..end];
        let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '/');
        let name = tag[..name_end.unwrap_or(tag.len())].to_ascii_lowercase();
        // A plain-text address in angle brackets is not a tag.
        if tag.contains('@') && !tag.contains([' ', '=', '"']) {
            out.push_str(&rest[..=end]);
        }
        rest = &rest[end + 1..];
        match name.as_str() {
            "style" | "script" | "head" => {
                rest = rest
                    .match_indices("</")
                    .map(|(at, _)| &rest[at..])
                    .find(|tail| mime::starts(&tail.as_bytes()[2..], name.as_bytes()))
                    .unwrap_or("");
            }
            "b" | "i" | "u" | "a" | "span" | "font" | "strong" | "em" | "/b" | "/i" | "/u"
            | "/a" | "/span" | "/font" | "/strong" | "/em" => {}
            _ => out.push('\n'),
        }
    }
    if !rest.starts_with('<') {
        out.push_str(rest);
    }
    out
}

fn entity(rest: &str) -> (&'static str, usize) {
    const KNOWN: [(&str, &str); 24] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
        ("&quot;", "\""),
        ("&nbsp;", " "),
        ("&#39;", "'"),
        ("&#64;", "@"),
        ("&apos;", "'"),
        ("&rsquo;", "'"),
        ("&lsquo;", "'"),
        ("&#8217;", "'"),
        ("&#x2019;", "'"),
        ("&ldquo;", "\""),
        ("&rdquo;", "\""),
        ("&bdquo;", "\""),
        ("&#160;", " "),
        ("&Auml;", "Ä"),
        ("&Ouml;", "Ö"),
        ("&auml;", "ä"),
        ("&ouml;", "ö"),
        ("&uuml;", "ü"),
        ("&szlig;", "ß"),
        ("&Uuml;", "Ü"),
        ("&eacute;", "é"),
    ];
    KNOWN
        .iter()
        .find(|(name, _)| rest.starts_with(name))
        .map_or(("&", 1), |(name, text)| (text, name.len()))
}
