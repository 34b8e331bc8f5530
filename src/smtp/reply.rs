//! Replies (RFC 5321, section 4.2) and enhanced status codes (RFC 3463), read
//! from bytes as they come, within bounds. Does no I/O.

/// The longest reply that is read, in bytes: a server without end must not fill memory.
pub const REPLY_BYTES: usize = 64 * 1024;
/// The most lines of one reply.
pub const REPLY_LINES: usize = 100;
/// What is kept of a server's words, in bytes.
pub const WORDS_BYTES: usize = 1024;

/// An enhanced status code such as 5.1.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Status {
    /// 2, 4 or 5.
    pub class: u8,
    /// What it is about: 1 address, 2 mailbox, 3 system, 7 policy …
    pub subject: u16,
    /// The detail.
    pub detail: u16,
}

impl Status {
    /// Reads `5.1.1` at the start of a text; the text after it does not matter.
    pub fn leading(text: &str) -> Option<Status> {
        let word = text.trim_start().split(|c: char| !(c.is_ascii_digit() || c == '.')).next()?;
        let mut parts = word.split('.');
        let class = match parts.next()? {
            "2" => 2,
            "4" => 4,
            "5" => 5,
            _ => return None,
        };
        let number = |part: Option<&str>| -> Option<u16> {
            let digits = part?;
            (1..=3).contains(&digits.len()).then(|| digits.parse().ok())?
        };
        let subject = number(parts.next())?;
        let detail = number(parts.next())?;
        parts.next().is_none().then_some(Status { class, subject, detail })
    }
}

/// One complete reply of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    text: String,
}

impl Reply {
    /// A reply from its parts, for what the session itself refuses and for tests.
    pub fn new(code: u16, text: impl Into<String>) -> Reply {
        Reply { code, text: text.into() }
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The lines after their codes.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.split('\n')
    }

    /// The enhanced status code, if the server gave one.
    pub fn status(&self) -> Option<Status> {
        Status::leading(&self.text)
    }

    /// 2xx.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 3xx: more is wanted before there is an answer.
    pub fn is_intermediate(&self) -> bool {
        self.code / 100 == 3
    }

    /// 4xx.
    pub fn is_temporary(&self) -> bool {
        self.code / 100 == 4
    }

    /// 5xx.
    pub fn is_permanent(&self) -> bool {
        self.code / 100 == 5
    }

    /// The server's own words with the code in front, fit to be stored and shown.
    pub fn words(&self) -> String {
        tame(&format!("{} {}", self.code, self.text))
    }
}

/// Escapes control characters and cuts at 1 KiB, at a character's edge.
pub fn tame(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(WORDS_BYTES));
    for c in text.chars() {
        let start = out.len();
        if c == '\n' {
            out.push_str(" / ");
        } else if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > WORDS_BYTES {
            out.truncate(start);
            break;
        }
    }
    out
}

/// Why bytes are no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A line does not start with three digits and a space or hyphen.
    #[error("a line without a reply code: {0}")]
    NoCode(String),
    /// The lines of one reply carry different codes.
    #[error("the lines of one reply carry the codes {0} and {1}")]
    Mixed(u16, u16),
    /// Longer than [`REPLY_BYTES`] or [`REPLY_LINES`].
    #[error("a reply of more than {REPLY_BYTES} bytes or {REPLY_LINES} lines")]
    Endless,
}

/// Collects bytes and yields complete replies; each byte is looked at once.
#[derive(Debug, Default)]
pub struct Reader {
    buffer: Vec<u8>,
    /// Where the current reply starts.
    start: usize,
    /// Where the current line starts.
    line: usize,
    /// No line end before this.
    scanned: usize,
    lines: usize,
    code: Option<u16>,
}

impl Reader {
    /// Adds what was read from the connection.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.start == self.buffer.len() {
            self.forget();
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Throws away everything that was read but not asked for (RFC 3207, section 4.2).
    pub fn forget(&mut self) {
        self.buffer.clear();
        (self.start, self.line, self.scanned, self.lines) = (0, 0, 0, 0);
        self.code = None;
    }

    /// Whether bytes wait that belong to no reply yet asked for.
    pub fn is_empty(&self) -> bool {
        self.start == self.buffer.len()
    }

    /// The next complete reply, or none yet.
    pub fn take(&mut self) -> Result<Option<Reply>, Malformed> {
        loop {
            if self.scanned - self.start > REPLY_BYTES || self.lines > REPLY_LINES {
                return Err(Malformed::Endless);
            }
            let Some(found) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) else {
                self.scanned = self.buffer.len();
                if self.scanned - self.start > REPLY_BYTES {
                    return Err(Malformed::Endless);
                }
                return Ok(None);
            };
            let end = self.scanned + found;
            let line = &self.buffer[self.line..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let (code, last) = head(line)?;
            if let Some(first) = self.code.filter(|first| *first != code) {
                return Err(Malformed::Mixed(first, code));
            }
            self.code = Some(code);
            self.lines += 1;
            (self.line, self.scanned) = (end + 1, end + 1);
            if last {
                if self.lines > REPLY_LINES || self.line - self.start > REPLY_BYTES {
                    return Err(Malformed::Endless);
                }
                return Ok(Some(self.finish(code)));
            }
        }
    }

    fn finish(&mut self, code: u16) -> Reply {
        let whole = &self.buffer[self.start..self.line];
        let mut text = String::with_capacity(whole.len());
        for (n, line) in whole.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if n > 0 {
                text.push('\n');
            }
            let line = line.trim_ascii_end();
            text.push_str(&String::from_utf8_lossy(line.get(4..).unwrap_or_default()));
        }
        (self.start, self.lines, self.code) = (self.line, 0, None);
        Reply { code, text }
    }
}

/// The code of a line and whether it is the reply's last.
fn head(line: &[u8]) -> Result<(u16, bool), Malformed> {
    let refuse = || {
        let shown: Vec<u8> = line.iter().copied().take(80).collect();
        Err(Malformed::NoCode(tame(&String::from_utf8_lossy(&shown))))
    };
    let [a @ b'2'..=b'5', b @ b'0'..=b'9', c @ b'0'..=b'9', rest @ ..] = line else {
        return refuse();
    };
    let digit = |byte: &u8| u16::from(byte - b'0');
    let code = digit(a) * 100 + digit(b) * 10 + digit(c);
    match rest.first() {
        None | Some(b' ') => Ok((code, true)),
        Some(b'-') => Ok((code, false)),
        Some(_) => refuse(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Result<Option<Reply>, Malformed> {
        let mut reader = Reader::default();
        reader.push(bytes);
        reader.take()
    }

    #[test]
    fn a_reply_of_several_lines_is_one() {
        let reply = read(b"250-first\r\n250 2.0.0 second\r\n").unwrap().unwrap();
        assert_eq!(reply.code(), 250);
        assert_eq!(reply.lines().collect::<Vec<_>>(), ["first", "2.0.0 second"]);
        assert_eq!(reply.words(), "250 first / 2.0.0 second");
    }

    #[test]
    fn two_replies_in_one_read_come_one_after_the_other() {
        let mut reader = Reader::default();
        reader.push(b"250 a\r\n354 b\r\n25");
        assert_eq!(reader.take().unwrap().unwrap().code(), 250);
        assert_eq!(reader.take().unwrap().unwrap().code(), 354);
        assert_eq!(reader.take().unwrap(), None);
        reader.push(b"0\r\n");
        assert_eq!(reader.take().unwrap().unwrap(), Reply::new(250, ""));
        assert!(reader.is_empty());
    }

    #[test]
    fn what_is_no_reply_is_refused() {
        for bytes in [
            &b"hello\r\n"[..],
            b"\r\n",
            b"25 x\r\n",
            b"199 x\r\n",
            b"650 x\r\n",
            b"250_x\r\n",
            b"\xff\xfe\r\n",
        ] {
            assert!(matches!(read(bytes), Err(Malformed::NoCode(_))), "{bytes:?}");
        }
        assert_eq!(read(b"250-a\r\n251 b\r\n"), Err(Malformed::Mixed(250, 251)));
    }

    #[test]
    fn endless_replies_end() {
        let long = vec![b'2'; REPLY_BYTES + 1];
        assert_eq!(read(&long), Err(Malformed::Endless));
        let many = b"250-x\r\n".repeat(REPLY_LINES + 1);
        assert_eq!(read(&many), Err(Malformed::Endless));
        let mut just = b"250-x\r\n".repeat(REPLY_LINES - 1);
        just.extend_from_slice(b"250 y\r\n");
        assert!(read(&just).unwrap().is_some());
    }

    #[test]
    fn the_enhanced_status_stands_in_front() {
        let status = |text| Status::leading(text).map(|s| (s.class, s.subject, s.detail));
        assert_eq!(status("5.1.1 <a> unknown"), Some((5, 1, 1)));
        assert_eq!(status("4.7.650 slow"), Some((4, 7, 650)));
        assert_eq!(status("2.0.0"), Some((2, 0, 0)));
        for none in ["", "5.1", "5.1.1.1 x", "3.1.1", "5.1234.1", "mail 5.1.1", "5..1"] {
            assert_eq!(status(none), None, "{none}");
        }
    }

    #[test]
    fn words_are_tame() {
        assert_eq!(tame("a\u{7}\r\nb\u{1b}[31m"), "a\\u{7}\\r / b\\u{1b}[31m");
        assert_eq!(tame(&"ü".repeat(2000)).len(), WORDS_BYTES);
    }

    proptest! {
        #[test]
        fn how_the_bytes_are_cut_does_not_matter(
            lines in prop::collection::vec("[ -~]{0,40}", 1..6),
            code in 200u16..600,
            size in 1usize..9,
        ) {
            let last = lines.len() - 1;
            let mut bytes = Vec::new();
            for (n, line) in lines.iter().enumerate() {
                let mark = if n == last { ' ' } else { '-' };
                bytes.extend_from_slice(format!("{code}{mark}{line}\r\n").as_bytes());
            }
            let whole = read(&bytes).unwrap().unwrap();
            let mut reader = Reader::default();
            let mut got = None;
            for piece in bytes.chunks(size) {
                prop_assert!(got.is_none());
                reader.push(piece);
                got = reader.take().unwrap();
            }
            prop_assert_eq!(got.unwrap(), whole);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = Reader::default();
            for piece in bytes.chunks(7) {
                reader.push(piece);
                if reader.take().is_err() { break; }
            }
        }
    }
}
