//! DKIM (RFC 6376, RFC 8463): signs a finished mail, relaxed/relaxed, with every
//! key of the sender's domain: RSA and Ed25519 side by side, old and new selector
//! during a rotation.
//!
//! Written on aws-lc-rs directly: the body is hashed once for all keys, and what
//! else there is to do is little beside the signature itself. Does not verify.

use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use aws_lc_rs::{digest, encoding::AsDer as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// Header fields that are signed when present, in lower case. The first ones are
/// listed twice, so that nobody can add a second one (RFC 6376, section 8.15).
const OVERSIGNED: [&str; 3] = ["from", "to", "subject"];
const SIGNED: [&str; 12] = [
    "date",
    "message-id",
    "mime-version",
    "content-type",
    "content-language",
    "reply-to",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
    "list-help",
    "list-archive",
    "feedback-id",
];
/// Bits below which receivers refuse an RSA key (RFC 8301 asks for 2048).
const RSA_BITS_MIN: usize = 2048;
/// Bytes that one string of a TXT record holds.
const STRING_BYTES: usize = 255;
/// Columns of a header line (RFC 5322, section 2.1.1).
const COLUMNS: usize = 78;

/// A private key with its place in DNS.
pub struct Key {
    domain: String,
    selector: String,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// Why a key cannot be used; never shows the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No PEM block of a private key.
    #[error(
        "is no private key in PEM (\"-----BEGIN PRIVATE KEY-----\"); make one with: openssl genpkey -algorithm rsa -pkeyopt rsa_keygen_bits:2048"
    )]
    Pem,
    /// Neither RSA nor Ed25519, or damaged.
    #[error("is neither an RSA nor an Ed25519 private key, or is damaged")]
    Kind,
    /// An RSA key that receivers refuse.
    #[error("has {0} bits; receivers want an RSA key of {RSA_BITS_MIN} bits or more")]
    Short(usize),
}

impl Key {
    /// Reads a private key in PEM: PKCS#8 (RSA, Ed25519) or PKCS#1 (RSA).
    ///
    /// # Errors
    /// It is none, or too short.
    pub fn parse(domain: &str, selector: &str, pem: &str) -> Result<Self, Error> {
        let (label, der) = unarmour(pem).ok_or(Error::Pem)?;
        let pair = if label == "RSA PRIVATE KEY" {
            Pair::Rsa(Box::new(RsaKeyPair::from_der(&der).map_err(|_| Error::Kind)?))
        } else if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der) {
            Pair::Ed25519(pair)
        } else {
            Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(&der).map_err(|_| Error::Kind)?))
        };
        if let Pair::Rsa(pair) = &pair
            && pair.public_modulus_len() * 8 < RSA_BITS_MIN
        {
            return Err(Error::Short(pair.public_modulus_len() * 8));
        }
        Ok(Self { domain: domain.to_ascii_lowercase(), selector: selector.to_owned(), pair })
    }

    /// The name in DNS that receivers ask for the public key.
    pub fn record_name(&self) -> String {
        format!("{}._domainkey.{}", self.selector, self.domain)
    }

    /// The TXT record that belongs there.
    pub fn record(&self) -> String {
        let public = match &self.pair {
            Pair::Rsa(pair) => {
                let der = pair.public_key().as_der();
                STANDARD.encode(der.expect("a parsed key has a public half").as_ref())
            }
            Pair::Ed25519(pair) => STANDARD.encode(pair.public_key().as_ref()),
        };
        format!("v=DKIM1; k={}; p={public}", self.pair.name())
    }

    /// The same as a zone file takes it: strings of at most 255 bytes, one behind the other
    /// (RFC 1035, section 3.3.14; RFC 6376, section 3.6.2.2).
    pub fn zone_record(&self) -> String {
        let record = self.record();
        let strings = record.as_bytes().chunks(STRING_BYTES);
        let quoted = strings.map(|string| format!("\"{}\"", String::from_utf8_lossy(string)));
        quoted.collect::<Vec<_>>().join(" ")
    }

    /// Whether it may sign for mails from this domain: it is the domain or a parent.
    pub fn signs_for(&self, domain: &str) -> bool {
        let parent = domain.strip_suffix(&self.domain);
        parent.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dkim::Key({}, {})", self.record_name(), self.pair.name())
    }
}

impl Pair {
    fn name(&self) -> &'static str {
        match self {
            Pair::Rsa(_) => "rsa",
            Pair::Ed25519(_) => "ed25519",
        }
    }

    fn sign(&self, text: &[u8]) -> String {
        match self {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
                    .expect("the buffer has the modulus' length");
                STANDARD.encode(signature)
            }
            // RFC 8463, section 3: the SHA-256 of the text is what is signed.
            Pair::Ed25519(pair) => {
                let hash = digest::digest(&digest::SHA256, text);
                STANDARD.encode(pair.sign(hash.as_ref()))
            }
        }
    }
}

/// Writes one `DKIM-Signature` field for each key, to stand before `mail`, which
/// has CRLF lines. `at` becomes `t=`.
pub fn sign<'k>(
    keys: impl IntoIterator<Item = &'k Key>,
    mail: &[u8],
    at: Timestamp,
    out: &mut Vec<u8>,
) {
    sign_without(&[], keys, mail, at, out);
}

/// As [`sign`]; these fields, in lower case, are not covered, because somebody on the way
/// puts others in their place.
pub fn sign_without<'k>(
    replaced: &[&str],
    keys: impl IntoIterator<Item = &'k Key>,
    mail: &[u8],
    at: Timestamp,
    out: &mut Vec<u8>,
) {
    let mut keys = keys.into_iter().peekable();
    if keys.peek().is_none() {
        return;
    }
    let (header, body) = split(mail);
    let body_hash = STANDARD.encode(body_hash(body));
    let fields = fields(header);
    let mut names = Vec::with_capacity(20);
    let mut canonical = Vec::with_capacity(2048);
    let signed = SIGNED.iter().filter(|name| !replaced.contains(*name));
    for (name, times) in
        OVERSIGNED.iter().map(|name| (*name, 2)).chain(signed.map(|name| (*name, 1)))
    {
        let found = fields.iter().filter(|field| field.0.eq_ignore_ascii_case(name.as_bytes()));
        // From the bottom up (RFC 6376, section 5.4.2).
        let mut count = 0;
        for field in found.rev() {
            canonical_field(field.0, field.1, &mut canonical);
            canonical.extend_from_slice(b"\r\n");
            count += 1;
        }
        names.extend(std::iter::repeat_n(
            name,
            if count == 0 { times - 1 } else { count + times - 1 },
        ));
    }
    let names = names.join(":");
    for key in keys {
        let unsigned = unsigned(key, at, &names, &body_hash);
        let start = canonical.len();
        canonical_field(b"DKIM-Signature", unsigned.as_bytes(), &mut canonical);
        let signature = key.pair.sign(&canonical);
        canonical.truncate(start);
        out.extend_from_slice(b"DKIM-Signature:");
        out.extend_from_slice(unsigned.as_bytes());
        fold(&signature, out);
        out.extend_from_slice(b"\r\n");
    }
}

/// The field's value up to and with `b=`, folded.
fn unsigned(key: &Key, at: Timestamp, names: &str, body_hash: &str) -> String {
    let mut value = format!(
        " v=1; a={}-sha256; c=relaxed/relaxed;\r\n d={};\r\n s={}; t={};\r\n bh={body_hash};\r\n h=",
        key.pair.name(),
        key.domain,
        key.selector,
        at.as_second(),
    );
    let mut column = 3;
    for (i, name) in names.split(':').enumerate() {
        if i > 0 {
            value.push(':');
            column += 1;
        }
        if column + name.len() + 1 > COLUMNS {
            value.push_str("\r\n  ");
            column = 2;
        }
        value.push_str(name);
        column += name.len();
    }
    value.push_str(";\r\n b=");
    value
}

/// A signature in lines that fit; white space in `b=` does not count.
fn fold(signature: &str, out: &mut Vec<u8>) {
    let mut column = 3;
    for chunk in signature.as_bytes().chunks(COLUMNS - 4) {
        if column > 3 {
            out.extend_from_slice(b"\r\n ");
        }
        out.extend_from_slice(chunk);
        column += chunk.len();
    }
}

fn split(mail: &[u8]) -> (&[u8], &[u8]) {
    match mail.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(at) => (&mail[..at + 2], &mail[at + 4..]),
        None => (mail, b""),
    }
}

/// Name and value (folded, without its last CRLF) of each field.
fn fields(header: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut fields = Vec::with_capacity(24);
    let mut from = 0;
    for at in 1..=header.len() {
        let ends =
            at == header.len() || (header[at - 1] == b'\n' && !matches!(header[at], b' ' | b'\t'));
        if ends {
            let field = header[from..at].strip_suffix(b"\r\n").unwrap_or(&header[from..at]);
            if let Some(colon) = field.iter().position(|byte| *byte == b':') {
                fields.push((&field[..colon], &field[colon + 1..]));
            }
            from = at;
        }
    }
    fields
}

/// RFC 6376, section 3.4.2, without the final CRLF.
fn canonical_field(name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend(name.trim_ascii().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let mut space = false;
    let mut first = true;
    for byte in value {
        if matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            space = true;
            continue;
        }
        if space && !first {
            out.push(b' ');
        }
        out.push(*byte);
        space = false;
        first = false;
    }
}

/// SHA-256 of the body in its relaxed form (RFC 6376, section 3.4.4).
fn body_hash(body: &[u8]) -> [u8; 32] {
    let mut hash = digest::Context::new(&digest::SHA256);
    let mut empty_lines = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        let end = line.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1);
        if end == 0 {
            empty_lines += 1;
            continue;
        }
        for _ in 0..empty_lines {
            hash.update(b"\r\n");
        }
        empty_lines = 0;
        hash_line(&line[..end], &mut hash);
        hash.update(b"\r\n");
    }
    hash.finish().as_ref().try_into().expect("SHA-256 has 32 octets")
}

/// Each run of white space as one blank; most lines have none and go in whole.
fn hash_line(line: &[u8], hash: &mut digest::Context) {
    let mut from = 0;
    let mut at = 0;
    while at < line.len() {
        if !is_space(line[at]) {
            at += 1;
            continue;
        }
        let run = line[at..].iter().take_while(|byte| is_space(**byte)).count();
        if run > 1 || line[at] == b'\t' {
            hash.update(&line[from..at]);
            hash.update(b" ");
            from = at + run;
        }
        at += run;
    }
    hash.update(&line[from..]);
}

fn is_space(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

/// The label and the content of the first private key in a PEM text.
fn unarmour(pem: &str) -> Option<(&'static str, Vec<u8>)> {
    let labels = ["PRIVATE KEY", "RSA PRIVATE KEY"];
    labels.into_iter().find_map(|label| {
        let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
        let (content, _) = rest.split_once(&format!("-----END {label}-----"))?;
        let content: String = content.split_ascii_whitespace().collect();
        STANDARD.decode(content).ok().map(|der| (label, der))
    })
}
