//! Content as it may go over the wire (RFC 5321, sections 2.3.8 and 4.5): only
//! CRLF, lines of at most 998 bytes, no NUL, and dots stuffed. The letter is
//! written that way; this is the last gate, so it mends instead of trusting.

use memchr::{memmem, memrchr};

/// The longest line without its CRLF, in bytes (RFC 5322, section 2.1.1).
pub const LINE_BYTES: usize = 998;

/// Whether the content may be written as it is: every line ends with CRLF, the
/// last one too, no stray CR, LF or NUL, no line over [`LINE_BYTES`].
pub fn is_clean(content: &[u8]) -> bool {
    let Some((first, rest)) = content.split_first() else {
        return true;
    };
    // Without branches, so that many bytes are looked at in one step.
    let stray = content.iter().zip(rest).fold(false, |stray, (byte, next)| {
        stray | ((*byte == b'\r') != (*next == b'\n')) | (*next == 0)
    });
    !stray && !matches!(first, 0 | b'\n') && content.ends_with(b"\n") && lines_fit(content)
}

/// Whether no line is over [`LINE_BYTES`]: the last line end within reach is found
/// from behind, and those before it need no look.
fn lines_fit(content: &[u8]) -> bool {
    let mut rest = content;
    while rest.len() > LINE_BYTES + b"\r\n".len() {
        let Some(end) = memrchr(b'\n', &rest[..LINE_BYTES + b"\r\n".len()]) else {
            return false;
        };
        rest = &rest[end + 1..];
    }
    true
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
    for end in memmem::find_iter(content, b"\n.") {
        out.extend_from_slice(&content[copied..=end]);
        out.push(b'.');
        copied = end + 1;
    }
    out.extend_from_slice(&content[copied..]);
    let dot = out.len();
    out.extend_from_slice(b".\r\n");
    dot
}
