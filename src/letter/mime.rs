//! Quoted-printable with holes, and the parts of a message.
//!
//! A hole always begins at the start of an encoded line and ends where a soft
//! line break or a line's end stands, so that whatever is put there can be
//! encoded by itself. Knows neither headers nor readers.

use std::ops::Range;

use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, MultiPart, SinglePart};

/// Columns of an encoded line, its soft break included (RFC 2045, section 6.7).
const COLUMNS: usize = 76;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// Writes quoted-printable and knows how full the line is.
#[derive(Debug, Default)]
pub struct Encoder {
    column: usize,
}

impl Encoder {
    /// An encoder at the start of a line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Encodes text whose lines end in `\n`; the end of `text` is not the end of
    /// a line unless it says so.
    pub fn push(&mut self, text: &str, out: &mut Vec<u8>) {
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\n' => self.line_end(out),
                // Alone or in front of a line end, a carriage return is noise.
                '\r' => {}
                ' ' | '\t' if matches!(rest.peek(), Some('\n' | '\r')) => self.coded(c, out),
                // A dot or "From " at the start of a line means something to relays.
                '.' | 'F' if self.column == 0 => self.coded(c, out),
                ' ' | '\t' | '!'..='<' | '>'..='~' => self.plain(c as u8, out),
                _ => self.coded(c, out),
            }
        }
    }

    /// Ends the encoded line but not the text's, unless a line has just begun.
    pub fn soft_break(&mut self, out: &mut Vec<u8>) {
        if self.column > 0 {
            out.extend_from_slice(b"=\r\n");
            self.column = 0;
        }
    }

    fn line_end(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.column = 0;
    }

    fn plain(&mut self, byte: u8, out: &mut Vec<u8>) {
        self.room(1, out);
        // What the break moved to the start of a line is at the start of a line.
        if self.column == 0 && matches!(byte, b'.' | b'F') {
            return self.coded(char::from(byte), out);
        }
        out.push(byte);
        self.column += 1;
    }

    /// A character's bytes stay on one line: some old clients decode line by line.
    fn coded(&mut self, c: char, out: &mut Vec<u8>) {
        let mut bytes = [0; 4];
        let bytes = c.encode_utf8(&mut bytes).as_bytes();
        self.room(bytes.len() * 3, out);
        for byte in bytes {
            out.extend_from_slice(&[
                b'=',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]);
        }
        self.column += bytes.len() * 3;
    }

    fn room(&mut self, width: usize, out: &mut Vec<u8>) {
        if self.column + width > COLUMNS - 1 {
            self.soft_break(out);
        }
    }
}

/// A place in a text that is filled later, and what stands there meanwhile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hole {
    /// Where it is in the text.
    pub at: Range<usize>,
    /// What to write instead: ASCII without `=`, at most a line long.
    pub mark: String,
}

/// Encodes a text with holes, in their order.
pub fn quoted_printable(text: &str, holes: &[Hole]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 9 / 8);
    let mut encoder = Encoder::new();
    let mut from = 0;
    for hole in holes {
        encoder.push(&text[from..hole.at.start], &mut out);
        encoder.soft_break(&mut out);
        out.extend_from_slice(hole.mark.as_bytes());
        from = hole.at.end;
        // The hole's content ends somewhere in the line; only a line's end may
        // follow without a soft break.
        if !text[from..].starts_with('\n') {
            out.extend_from_slice(b"=\r\n");
        }
    }
    encoder.push(&text[from..], &mut out);
    // White space at the very end would be at a line's end.
    if let Some(last @ (b' ' | b'\t')) = out.last().copied() {
        out.pop();
        encoder.coded(char::from(last), &mut out);
    }
    out
}

/// `multipart/alternative` of a text and an HTML part, both already encoded; pictures
/// stand beside the HTML in a `multipart/related`. Boundaries hold `=_`, which neither
/// quoted-printable nor base64 can.
///
/// # Errors
/// Never in practice: the content type of the related part is ours.
pub fn alternative(
    text: Vec<u8>,
    html: Vec<u8>,
    pictures: Vec<SinglePart>,
    nonce: u128,
) -> anyhow::Result<MultiPart> {
    let whole = MultiPart::alternative()
        .boundary(format!("=_{nonce:032x}"))
        .singlepart(part("text/plain; charset=utf-8; format=flowed", text));
    let html = part("text/html; charset=utf-8", html);
    if pictures.is_empty() {
        return Ok(whole.singlepart(html));
    }
    // RFC 2387, section 3.1: `type` names the part that the others belong to.
    let kind = format!("multipart/related; type=\"text/html\"; boundary=\"=_r{nonce:032x}\"");
    let related = MultiPart::builder().header(ContentType::parse(&kind)?).singlepart(html);
    Ok(whole.multipart(pictures.into_iter().fold(related, MultiPart::singlepart)))
}

fn part(content_type: &'static str, encoded: Vec<u8>) -> SinglePart {
    let encoding = ContentTransferEncoding::QuotedPrintable;
    SinglePart::builder()
        .header(WrittenType(content_type))
        .body(Body::dangerous_pre_encoded(encoded, encoding))
}

/// `Content-Type` as it is written here; lettre's own reorders nothing but quotes.
#[derive(Clone)]
struct WrittenType(&'static str);

impl Header for WrittenType {
    fn name() -> HeaderName {
        ContentType::name()
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Err("is only written".into())
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::dangerous_new_pre_encoded(Self::name(), self.0.to_owned(), self.0.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encode(text: &str) -> String {
        String::from_utf8(quoted_printable(text, &[])).unwrap()
    }

    #[test]
    fn german_is_readable_and_lines_are_short() {
        assert_eq!(encode("Grüße = Gruß\nEnde"), "Gr=C3=BC=C3=9Fe =3D Gru=C3=9F\r\nEnde");
        assert_eq!(encode("weicher Umbruch \nweiter"), "weicher Umbruch=20\r\nweiter");
        assert_eq!(encode("Ende "), "Ende=20");
        assert_eq!(encode(".\nFrom here\n..."), "=2E\r\n=46rom here\r\n=2E..");
        let long = encode(&"ä".repeat(30));
        assert_eq!(long.lines().next().unwrap().len(), 73);
    }

    #[test]
    fn a_hole_begins_a_line_and_ends_at_a_break() {
        let text = "<a href=\"HOLE\">x</a>\nHOLE\n";
        let hole = |at: usize| Hole { at: at..at + 4, mark: "slot-1".to_owned() };
        let out = quoted_printable(text, &[hole(9), hole(21)]);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "<a href=3D\"=\r\nslot-1=\r\n\">x</a>\r\nslot-1\r\n"
        );
    }

    proptest! {
        /// mail-parser, an independent reader, decodes what was meant, and the
        /// wire's rules hold: ASCII, CRLF only, at most 76 columns, no space at a
        /// line's end, no dot at its start.
        #[test]
        fn what_is_encoded_comes_back(text in "(?s)[ -~äöüß€😀\\n\\t =.F]{0,400}") {
            let encoded = quoted_printable(&text, &[]);
            let mut mail = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n".to_vec();
            mail.extend_from_slice(&encoded);
            let parsed = mail_parser::MessageParser::default().parse(&mail).unwrap();
            let decoded = parsed.body_text(0).unwrap().replace("\r\n", "\n");
            prop_assert_eq!(decoded, text);
            let encoded = String::from_utf8(encoded).unwrap();
            prop_assert!(!encoded.replace("\r\n", "").contains(['\r', '\n']));
            for line in encoded.split("\r\n") {
                prop_assert!(line.len() <= COLUMNS, "{}", line.len());
                prop_assert!(!line.ends_with([' ', '\t']));
                prop_assert!(!line.starts_with('.'));
                prop_assert!(line.is_ascii());
            }
        }
    }
}
