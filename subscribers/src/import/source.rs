//! Octets in, text out: encodings and line ends. What comes out has `\n` line
//! ends only, and is UTF-8 except for stray Windows-1252, which
//! [`decode`] reads cell by cell.

use std::borrow::Cow;
use std::io::{self, Read};

use encoding_rs::{Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// Octets read at a time.
const CHUNK: usize = 64 * 1024;

/// How a file is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// UTF-16, low octet first: what Excel calls "Unicode text".
    Utf16Le,
    /// UTF-16, high octet first.
    Utf16Be,
    /// Windows-1252, and with it ISO 8859-1.
    Windows1252,
}

impl Encoding {
    /// Its name, for reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
            Self::Windows1252 => "Windows-1252",
        }
    }
}

/// A file being read.
pub(super) struct Source<R> {
    inner: R,
    /// `None` until the first chunk has shown the encoding.
    encoding: Option<Encoding>,
    decoder: Option<Decoder>,
    chunk: Vec<u8>,
    after_return: bool,
    pub(super) ended: bool,
}

impl<R: Read> Source<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            encoding: None,
            decoder: None,
            chunk: vec![0; CHUNK],
            after_return: false,
            ended: false,
        }
    }

    /// The encoding by mark or by the place of zero octets; UTF-8 otherwise.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding.unwrap_or(Encoding::Utf8)
    }

    /// Appends one chunk of text, or notes the end.
    pub(super) fn fill(&mut self, text: &mut Vec<u8>) -> io::Result<()> {
        let length = self.read_chunk()?;
        self.ended = length < self.chunk.len();
        let start = text.len();
        let mut octets = &self.chunk[..length];
        if self.encoding.is_none() {
            let (encoding, mark) = recognise(octets);
            self.encoding = Some(encoding);
            octets = &octets[mark..];
            self.decoder = match encoding {
                Encoding::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
                Encoding::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
                Encoding::Utf8 | Encoding::Windows1252 => None,
            };
        }
        match &mut self.decoder {
            None => text.extend_from_slice(octets),
            Some(decoder) => {
                let room = decoder.max_utf8_buffer_length(octets.len()).unwrap_or(CHUNK * 4);
                text.resize(start + room, 0);
                let (_, _, written, _) =
                    decoder.decode_to_utf8(octets, &mut text[start..], self.ended);
                text.truncate(start + written);
            }
        }
        self.unify_line_ends(text, start);
        Ok(())
    }

    /// Reads until the chunk is full or the file ends, so that a slow pipe does
    /// not hide what the first line looks like.
    fn read_chunk(&mut self) -> io::Result<usize> {
        let mut length = 0;
        while length < self.chunk.len() {
            match self.inner.read(&mut self.chunk[length..]) {
                Ok(0) => break,
                Ok(read) => length += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(length)
    }

    /// Makes `\r\n` and a lone `\r` (old Macintosh) into `\n`, from `start` on.
    fn unify_line_ends(&mut self, text: &mut Vec<u8>, start: usize) {
        if !self.after_return && !text[start..].contains(&b'\r') {
            return;
        }
        let mut to = start;
        for from in start..text.len() {
            let octet = text[from];
            let second_half = octet == b'\n' && self.after_return;
            self.after_return = octet == b'\r';
            if !second_half {
                text[to] = if octet == b'\r' { b'\n' } else { octet };
                to += 1;
            }
        }
        text.truncate(to);
    }
}

/// The encoding of a beginning, and how many octets its mark takes.
fn recognise(octets: &[u8]) -> (Encoding, usize) {
    match octets {
        [0xEF, 0xBB, 0xBF, ..] => (Encoding::Utf8, 3),
        [0xFF, 0xFE, ..] => (Encoding::Utf16Le, 2),
        [0xFE, 0xFF, ..] => (Encoding::Utf16Be, 2),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => (Encoding::Utf16Le, 0),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => (Encoding::Utf16Be, 0),
        _ => (Encoding::Utf8, 0),
    }
}

/// The text of one cell, and whether it was Windows-1252.
pub(super) fn decode(cell: &[u8]) -> (Cow<'_, str>, bool) {
    match str::from_utf8(cell) {
        Ok(text) => (Cow::Borrowed(text), false),
        Err(_) => {
            let (text, _) = WINDOWS_1252.decode_without_bom_handling(cell);
            (text, true)
        }
    }
}
