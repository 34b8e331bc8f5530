//! Content as it may go over the wire (RFC 5321, sections 2.3.8 and 4.5): only
//! CRLF, lines of at most 998 bytes, no NUL, and dots stuffed. The letter is
//! written that way; this is the last gate, so it mends instead of trusting.

use memchr::{memchr_iter, memchr3};

/// The longest line without its CRLF, in bytes (RFC 5322, section 2.1.1).
pub const LINE_BYTES: usize = 998;

/// Whether the content may be written as it is: every line ends with CRLF, the
/// last one too, no stray CR, LF or NUL, no line over [`LINE_BYTES`].
pub fn is_clean(content: &[u8]) -> bool {
    let mut start = 0;
    while let Some(found) = memchr3(b'\r', b'\n', 0, &content[start..]) {
        let end = start + found;
        if found > LINE_BYTES || content[end] != b'\r' || content.get(end + 1) != Some(&b'\n') {
            return false;
        }
        start = end + 2;
    }
    start == content.len()
}

/// Mends content into its clean form: CR, LF and CRLF all become CRLF, NUL
/// disappears, lines that are too long are broken, and the last line ends.
pub fn clean(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 64);
    let mut length = 0;
    let mut bytes = content.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            0 => {}
            b'\r' | b'\n' => {
                if byte == b'\r' && bytes.peek() == Some(&b'\n') {
                    bytes.next();
                }
                out.extend_from_slice(b"\r\n");
                length = 0;
            }
            other => {
                if length == LINE_BYTES {
                    out.extend_from_slice(b"\r\n");
                    length = 0;
                }
                out.push(other);
                length += 1;
            }
        }
    }
    if length > 0 {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Appends clean content with its dots stuffed and the final dot behind it.
/// Returns where in `out` the final dot's line begins.
pub fn stuff(content: &[u8], out: &mut Vec<u8>) -> usize {
    out.reserve(content.len() + 64);
    if content.first() == Some(&b'.') {
        out.push(b'.');
    }
    let mut copied = 0;
    for end in memchr_iter(b'\n', content) {
        if content.get(end + 1) == Some(&b'.') {
            out.extend_from_slice(&content[copied..=end]);
            out.push(b'.');
            copied = end + 1;
        }
    }
    out.extend_from_slice(&content[copied..]);
    let dot = out.len();
    out.extend_from_slice(b".\r\n");
    dot
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A receiver as RFC 5321 describes it, line by line, sharing no code with the sender.
    fn receive(wire: &[u8]) -> Result<Vec<u8>, String> {
        let mut mail = Vec::new();
        let mut at = 0;
        loop {
            let end = (at..wire.len())
                .find(|i| wire[*i..].starts_with(b"\r\n"))
                .ok_or("no end of line")?;
            let line = &wire[at..end];
            at = end + 2;
            if line == b"." {
                return if at == wire.len() {
                    Ok(mail)
                } else {
                    Err("bytes behind the dot".to_owned())
                };
            }
            let line = if line.first() == Some(&b'.') { &line[1..] } else { line };
            if line.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')) {
                return Err("a bare CR, LF or a NUL".to_owned());
            }
            if line.len() > 998 {
                return Err("a line of more than 998 bytes".to_owned());
            }
            mail.extend_from_slice(line);
            mail.extend_from_slice(b"\r\n");
        }
    }

    /// Bytes that are mostly trouble.
    fn trouble() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b".".to_vec()),
            Just(b"\r\n.".to_vec()),
            Just(b"\r\n.\r\n".to_vec()),
            Just(b"\n.\n".to_vec()),
            Just(b"\r.\r".to_vec()),
            Just(b"\0".to_vec()),
            Just(b"\r\r\n".to_vec()),
            (990usize..1010).prop_map(|n| vec![b'a'; n]),
            prop::collection::vec(any::<u8>(), 0..40),
            "[ -~]{0,60}\r\n".prop_map(String::into_bytes),
        ];
        prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_the_content_the_receiver_gets_it_clean(content in trouble()) {
            let clean = clean(&content);
            prop_assert!(is_clean(&clean));
            let mut wire = Vec::new();
            let dot = stuff(&clean, &mut wire);
            prop_assert_eq!(&wire[dot..], b".\r\n");
            prop_assert_eq!(receive(&wire).unwrap(), clean);
        }

        #[test]
        fn clean_content_stays_as_it_is(content in trouble()) {
            let once = clean(&content);
            prop_assert_eq!(clean(&once), once);
        }

        #[test]
        fn nothing_but_breaks_and_nul_is_lost(content in trouble()) {
            let keep = |bytes: &[u8]| -> Vec<u8> {
                bytes.iter().copied().filter(|b| !matches!(b, 0 | b'\r' | b'\n')).collect()
            };
            prop_assert_eq!(keep(&clean(&content)), keep(&content));
        }

        #[test]
        fn clean_means_what_the_receiver_accepts(content in trouble()) {
            let mut wire = Vec::new();
            stuff(&content, &mut wire);
            let accepted = receive(&wire).is_ok_and(|got| got == content);
            prop_assert_eq!(is_clean(&content), accepted);
        }
    }
}
