//! What a provider proves itself with: a keyed hash, a token, a moment. Every
//! comparison takes the same time whatever is compared.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::store::value::Millis;

/// A provider's request, before anybody believes it.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Names in lower case, in the order they came.
    pub headers: &'a [(String, String)],
    /// What follows the question mark, still encoded.
    pub query: &'a str,
    /// The bytes as they came.
    pub body: &'a [u8],
}

/// Holds tokens and addresses, so it is not printed.
impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({} bytes)", self.body.len())
    }
}

/// Why a request is not believed. Nothing of it was stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// What proves the request is not there.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// It is there and does not fit.
    #[error("{0} does not fit")]
    Wrong(&'static str),
    /// It was made too long ago, or in the future.
    #[error("it is too old, or the clocks differ")]
    Stale,
    /// The same token came with another event.
    #[error("its token was used before")]
    Replayed,
    /// A topic that the configuration does not list.
    #[error("its topic is not in the configuration")]
    Topic,
}

impl Request<'_> {
    /// A header by its name in lower case.
    ///
    /// # Errors
    /// It is missing, or stands there more than once.
    pub fn header(&self, name: &'static str) -> Result<&str, Refusal> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Ok(value),
            (None, _) => Err(Refusal::Missing(name)),
            (Some(_), Some(_)) => Err(Refusal::Wrong(name)),
        }
    }

    /// Whether the request carries the secret: as a password with its user
    /// (`USER:PASSWORD`), as a bearer token, or as `?key=` where a provider can
    /// send nothing else.
    ///
    /// # Errors
    /// None of them is there, or it is another.
    pub fn guarded(&self, secret: &[u8]) -> Result<(), Refusal> {
        let given = match self.header("authorization") {
            Ok(value) => authorization(value).ok_or(Refusal::Wrong("authorization"))?,
            Err(Refusal::Missing(_)) => self.key().ok_or(Refusal::Missing("authorization"))?,
            Err(refusal) => return Err(refusal),
        };
        same(&given, secret, "authorization")
    }

    fn key(&self) -> Option<Vec<u8>> {
        url::form_urlencoded::parse(self.query.as_bytes())
            .find(|(name, _)| name == "key")
            .map(|(_, value)| value.into_owned().into_bytes())
    }
}

/// What stands behind `Basic` or `Bearer`.
fn authorization(value: &str) -> Option<Vec<u8>> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("basic") {
        STANDARD.decode(rest).ok()
    } else if scheme.eq_ignore_ascii_case("bearer") {
        Some(rest.as_bytes().to_vec())
    } else {
        None
    }
}

/// Compares hashes of both, so that not even the length shows.
pub fn equal(given: &[u8], secret: &[u8]) -> bool {
    let hash = |bytes| aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes);
    constant_time::verify_slices_are_equal(hash(given).as_ref(), hash(secret).as_ref()).is_ok()
}

fn same(given: &[u8], secret: &[u8], what: &'static str) -> Result<(), Refusal> {
    if equal(given, secret) { Ok(()) } else { Err(Refusal::Wrong(what)) }
}

/// Checks a keyed hash over the parts, written in hex.
///
/// # Errors
/// It is another.
pub fn hex(key: &hmac::Key, parts: &[&[u8]], given: &str) -> Result<(), Refusal> {
    let given = unhex(given.trim()).ok_or(Refusal::Wrong("signature"))?;
    tag(key, parts, &given)
}

/// Checks a keyed hash over the parts, written in base64.
///
/// # Errors
/// It is another.
pub fn base64(key: &hmac::Key, parts: &[&[u8]], given: &str) -> Result<(), Refusal> {
    let given = STANDARD.decode(given.trim()).map_err(|_| Refusal::Wrong("signature"))?;
    tag(key, parts, &given)
}

fn tag(key: &hmac::Key, parts: &[&[u8]], given: &[u8]) -> Result<(), Refusal> {
    let mut context = hmac::Context::with_key(key);
    parts.iter().for_each(|part| context.update(part));
    let ours = context.sign();
    constant_time::verify_slices_are_equal(ours.as_ref(), given)
        .map_err(|_| Refusal::Wrong("signature"))
}

/// Checks that a moment, in seconds since 1970, lies within the window.
///
/// # Errors
/// It is no number, too old, or in the future.
pub fn recent(seconds: &str, window: i64, now: Millis) -> Result<(), Refusal> {
    let at: i64 = seconds.trim().parse().map_err(|_| Refusal::Wrong("timestamp"))?;
    let age = (now.0 / 1000).saturating_sub(at);
    if (-AHEAD..=window).contains(&age) { Ok(()) } else { Err(Refusal::Stale) }
}

/// How far a provider's clock may be ahead of ours, in seconds.
const AHEAD: i64 = 5 * 60;

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.as_bytes()
        .chunks_exact(2)
        .map(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request<'a>(headers: &'a [(String, String)], query: &'a str) -> Request<'a> {
        Request { headers, query, body: b"{}" }
    }

    fn header(name: &str, value: &str) -> Vec<(String, String)> {
        vec![(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn the_secret_is_taken_in_each_dress_and_no_other() {
        let secret = b"user:password";
        let basic = header("authorization", &format!("Basic {}", STANDARD.encode(secret)));
        assert_eq!(request(&basic, "").guarded(secret), Ok(()));
        let bearer = header("authorization", "Bearer user:password");
        assert_eq!(request(&bearer, "").guarded(secret), Ok(()));
        assert_eq!(request(&[], "a=b&key=user%3Apassword").guarded(secret), Ok(()));
        let wrong = header("authorization", "Bearer user:passwore");
        assert_eq!(request(&wrong, "").guarded(secret), Err(Refusal::Wrong("authorization")));
        assert_eq!(request(&[], "").guarded(secret), Err(Refusal::Missing("authorization")));
        // A wrong header is not mended by a right query.
        assert!(request(&wrong, "key=user:password").guarded(secret).is_err());
        let twice = [bearer, basic].concat();
        assert!(request(&twice, "").guarded(secret).is_err());
    }

    #[test]
    fn a_moment_is_recent_inside_its_window_only() {
        let now = Millis(1_000_000_000);
        assert_eq!(recent("1000000", 300, now), Ok(()));
        assert_eq!(recent("999700", 300, now), Ok(()));
        assert_eq!(recent("999699", 300, now), Err(Refusal::Stale));
        assert_eq!(recent("1000301", 300, now), Err(Refusal::Stale));
        assert_eq!(recent("99999999999999999999", 300, now), Err(Refusal::Wrong("timestamp")));
    }

    #[test]
    fn one_changed_bit_is_refused() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
        let good = hmac::sign(&key, b"1.body");
        let text: String = good.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex(&key, &[b"1", b".", b"body"], &text), Ok(()));
        assert!(hex(&key, &[b"1", b".", b"bodY"], &text).is_err());
        assert!(hex(&key, &[b"1.body"], &text[2..]).is_err());
        assert!(hex(&key, &[b"1.body"], "zz").is_err());
        assert_eq!(base64(&key, &[b"1.body"], &STANDARD.encode(good)), Ok(()));
    }
}
