//! Bytes to text: by byte order mark, then the header, then what the document says of itself,
//! then by trying UTF-8, and Windows-1252 for the rest, as browsers do.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use crate::source::finding::Finding;

/// Bytes at the beginning in which a document names its encoding (HTML standard: 1024).
const PRESCAN: usize = 2_048;

/// The text, and a remark where bytes had to be replaced.
pub fn decode(bytes: &[u8], content_type: Option<&str>) -> (String, Option<Finding>) {
    let marked = Encoding::for_bom(bytes).map(|(encoding, _)| encoding);
    let named = || content_type.and_then(|header| label(header.as_bytes()));
    let said = || label(&bytes[..bytes.len().min(PRESCAN)]).map(as_read);
    let tried = || if std::str::from_utf8(bytes).is_ok() { UTF_8 } else { WINDOWS_1252 };
    let encoding = marked.or_else(named).or_else(said).unwrap_or_else(tried);
    let (text, used, broken) = encoding.decode(bytes);
    if !broken {
        return (text.into_owned(), None);
    }
    // A page that says UTF-8 and is not: most such pages are Windows-1252 throughout.
    let line = 1 + bytes[..bad_byte(bytes, used)].iter().filter(|byte| **byte == b'\n').count();
    let (text, guessed) = match used == UTF_8 && !mostly_utf8(bytes) {
        true => (WINDOWS_1252.decode(bytes).0, "; it was read as windows-1252"),
        false => (text, "; such characters were replaced"),
    };
    (text.into_owned(), Some(Finding::at(line, format!("not valid {}{guessed}", used.name()))))
}

/// The encoding named behind `charset=` or `encoding=`.
fn label(head: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    ["charset=", "encoding="].iter().find_map(|key| {
        head.match_indices(key).find_map(|(at, _)| {
            let value = head[at + key.len()..].trim_start_matches(['"', '\'', ' ']);
            let end = value.find(['"', '\'', ' ', ';', '>', '?', '/', ',']).unwrap_or(value.len());
            Encoding::for_label(&value.as_bytes()[..end])
        })
    })
}

/// A document whose bytes could be scanned is not UTF-16, whatever it says (HTML standard).
fn as_read(encoding: &'static Encoding) -> &'static Encoding {
    if encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE {
        UTF_8
    } else {
        encoding
    }
}

/// Where UTF-8 ends being valid.
fn bad_byte(bytes: &[u8], used: &Encoding) -> usize {
    match std::str::from_utf8(bytes) {
        Err(error) if used == UTF_8 => error.valid_up_to(),
        Ok(_) | Err(_) => 0,
    }
}

/// Whether there are more good than bad sequences beyond ASCII.
fn mostly_utf8(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let bad = text.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    text.chars().filter(|c| !c.is_ascii()).count() > 2 * bad
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn mark_header_and_document_name_the_encoding_in_this_order() {
        let latin = b"<meta charset=\"iso-8859-1\">Gr\xfc\xdfe";
        assert!(decode(latin, None).0.ends_with("Grüße"));
        assert!(
            decode(b"Gr\xfc\xdfe", Some("text/html; charset=ISO-8859-15")).0.ends_with("Grüße")
        );
        assert_eq!(
            decode("\u{feff}Grüße".as_bytes(), Some("text/plain; charset=iso-8859-1")).0,
            "Grüße"
        );
        assert_eq!(decode(b"\xff\xfeG\0r\0", None).0, "Gr");
        assert_eq!(decode("Grüße".as_bytes(), None).0, "Grüße");
        assert_eq!(decode(b"Gr\xfc\xdfe \x84so\x93", None).0, "Grüße „so“");
        assert!(
            decode(b"<?xml version='1.0' encoding='windows-1252'?><a>\x80</a>", None)
                .0
                .contains('€')
        );
    }

    #[test]
    fn a_false_claim_is_noticed_with_its_line() {
        let (text, finding) = decode(b"eins\nGr\xfc\xdfe", Some("text/html; charset=utf-8"));
        assert_eq!(text, "eins\nGrüße");
        assert_eq!(finding.unwrap().line, Some(2));
        let (text, finding) = decode(
            "äöüäöü\nx\u{0}"
                .as_bytes()
                .iter()
                .copied()
                .chain([0xff])
                .collect::<Vec<_>>()
                .as_slice(),
            Some("charset=utf-8"),
        );
        assert!(text.starts_with("äöü") && text.ends_with('\u{fffd}'));
        assert_eq!(finding.unwrap().line, Some(2));
    }
}
