//! One e-mail address, parsed strictly (RFC 5321 section 4.1.2, RFC 5322 section 3.4.1, RFC 6531).
//!
//! Does not ask DNS, and does not guess what was meant: surrounding white space
//! is the caller's to trim.

use std::fmt;

use icu_normalizer::ComposingNormalizerBorrowed;
use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

/// Octets before the `@` (RFC 5321 section 4.5.3.1.1).
pub const LOCAL_MAX: usize = 64;
/// Octets of a whole address: a path has 256, two of them brackets (RFC 5321 section 4.5.3.1.3).
pub const ADDRESS_MAX: usize = 254;
/// Octets looked at before anything else: U-labels may be longer than the A-labels they become.
const INPUT_MAX: usize = 1024;

/// An address that mail can be sent to. Neither `Debug` nor an error shows it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EmailAddress {
    /// Local part as written (NFC), domain as lower-case A-labels.
    text: String,
    /// Where the `@` stands in `text`.
    at: usize,
    /// `text` in lower case where that differs.
    normal: Option<String>,
}

/// Why a text is no address. Never contains the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nothing there.
    #[error("is empty")]
    Empty,
    /// Longer than [`ADDRESS_MAX`].
    #[error("is longer than {ADDRESS_MAX} octets")]
    TooLong,
    /// No `@`.
    #[error("has no @")]
    NoAt,
    /// Nothing before the `@`.
    #[error("has nothing before the @")]
    NoLocal,
    /// More than [`LOCAL_MAX`] octets before the `@`.
    #[error("has more than {LOCAL_MAX} octets before the @")]
    LocalTooLong,
    /// A character that cannot stand before the `@`.
    #[error("has a character before the @ that cannot stand there: {}", .0.escape_default())]
    LocalCharacter(char),
    /// A dot at the beginning, at the end, or two in a row.
    #[error("has a misplaced dot before the @")]
    LocalDots,
    /// A quoted local part that does not end, or is empty.
    #[error("has an unfinished quotation before the @")]
    LocalQuotes,
    /// Nothing after the `@`.
    #[error("has nothing after the @")]
    NoDomain,
    /// `[192.0.2.1]`: lawful in SMTP, no place for a newsletter.
    #[error("names a machine by its number; a domain is needed")]
    Literal,
    /// Not a domain name (RFC 1123, RFC 5890).
    #[error("has no valid domain after the @")]
    Domain,
    /// One label only, such as `localhost`.
    #[error("has a domain without a dot")]
    DomainOneLabel,
}

impl EmailAddress {
    /// Reads an address, whole or not at all.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.is_empty() {
            return Err(Error::Empty);
        }
        if text.len() > INPUT_MAX {
            return Err(Error::TooLong);
        }
        let (local, domain) = text.rsplit_once('@').ok_or(Error::NoAt)?;
        let local = parse_local(local)?;
        let domain = parse_domain(domain)?;
        let text = format!("{local}@{domain}");
        if text.len() > ADDRESS_MAX {
            return Err(Error::TooLong);
        }
        let normal = lower_case(&text);
        Ok(Self { at: local.len(), text, normal })
    }

    /// The address as it goes onto the envelope and into `To:`.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key for uniqueness: the whole address in lower case. Two addresses
    /// with the same key are the same person.
    pub fn normal(&self) -> &str {
        self.normal.as_deref().unwrap_or(&self.text)
    }

    /// Before the `@`, as written.
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// After the `@`: lower-case A-labels.
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// Whether a server must offer SMTPUTF8 (RFC 6531) to take it.
    pub fn needs_smtputf8(&self) -> bool {
        !self.text.is_ascii()
    }

    /// Enough for its owner to know it again, too little for anybody else:
    /// `a…@example.org`.
    pub fn masked(&self) -> String {
        let first = self.local().chars().find(|c| *c != '"').unwrap_or('…');
        format!("{first}…@{}", self.domain())
    }
}

impl fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EmailAddress(…)")
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.text
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

impl From<&EmailAddress> for lettre::Address {
    fn from(address: &EmailAddress) -> Self {
        // `parse` asked lettre already; its check is not repeated per mail.
        Self::new_dangerous(address.local(), address.domain())
    }
}

/// Checks a local part and spells it in one way: NFC, no quotes that are not needed.
fn parse_local(written: &str) -> Result<String, Error> {
    let local = ComposingNormalizerBorrowed::new_nfc().normalize(written);
    if local.is_empty() {
        return Err(Error::NoLocal);
    }
    if let Some(bad) = local.chars().find(|c| unwanted(*c)) {
        return Err(Error::LocalCharacter(bad));
    }
    let local = match local.strip_prefix('"') {
        Some(rest) => parse_quoted(rest)?,
        None => {
            check_dot_atom(&local)?;
            local.into_owned()
        }
    };
    if local.len() > LOCAL_MAX {
        return Err(Error::LocalTooLong);
    }
    // A second opinion, and the promise that lettre takes what this type holds.
    if lettre::Address::new(&local, "example.org").is_err() {
        let odd = local.chars().find(|c| !c.is_ascii()).unwrap_or('"');
        return Err(Error::LocalCharacter(odd));
    }
    Ok(local)
}

/// Reads `a b"` of `"a b"@example.org` (RFC 5321 `Quoted-string`); the quotes
/// go where the content needs none.
fn parse_quoted(rest: &str) -> Result<String, Error> {
    let mut content = String::new();
    let mut characters = rest.chars();
    loop {
        match characters.next().ok_or(Error::LocalQuotes)? {
            '"' => break,
            '\\' => content.push(characters.next().ok_or(Error::LocalQuotes)?),
            c => content.push(c),
        }
    }
    if content.is_empty() || characters.next().is_some() {
        return Err(Error::LocalQuotes);
    }
    if check_dot_atom(&content).is_ok() {
        return Ok(content);
    }
    let escaped = content.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(format!("\"{escaped}\""))
}

/// RFC 5322 `dot-atom`, with RFC 6532's characters beyond ASCII.
fn check_dot_atom(local: &str) -> Result<(), Error> {
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    if dots || local.is_empty() {
        return Err(Error::LocalDots);
    }
    match local.chars().find(|c| !is_atom(*c)) {
        Some(bad) => Err(Error::LocalCharacter(bad)),
        None => Ok(()),
    }
}

fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c) || !c.is_ascii()
}

/// Characters that nobody can see, or that a wrong encoding left behind.
pub(crate) fn unwanted(c: char) -> bool {
    c.is_control()
        || (c != ' ' && c.is_whitespace())
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFF}' | '\u{E0000}'..='\u{E007F}')
}

/// Checks a domain and gives its lower-case A-labels (RFC 5891, UTS 46).
fn parse_domain(written: &str) -> Result<String, Error> {
    if written.is_empty() {
        return Err(Error::NoDomain);
    }
    if written.starts_with('[') || written.parse::<std::net::IpAddr>().is_ok() {
        return Err(Error::Literal);
    }
    if written.chars().any(unwanted) {
        return Err(Error::Domain);
    }
    let domain = Uts46::new()
        .to_ascii(
            written.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .map_err(|_| Error::Domain)?;
    let (_, last) = domain.rsplit_once('.').ok_or(Error::DomainOneLabel)?;
    if last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Error::Domain);
    }
    if lettre::Address::new("a", &domain).is_err() {
        return Err(Error::Domain);
    }
    Ok(domain.into_owned())
}

/// The text in lower case, where that is another text.
fn lower_case(text: &str) -> Option<String> {
    if text.is_ascii() {
        let differs = text.bytes().any(|b| b.is_ascii_uppercase());
        return differs.then(|| text.to_ascii_lowercase());
    }
    let lower = text.to_lowercase();
    let lower = ComposingNormalizerBorrowed::new_nfc().normalize(&lower).into_owned();
    (lower != text).then_some(lower)
}

#[cfg(test)]
mod tests;
