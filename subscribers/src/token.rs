//! What a link or a return path says about its reader, signed.
//!
//! A token carries numbers, never an address. Nobody can make one without the
//! key, and all comparing takes the same time whatever is compared.

use std::fmt;

use aws_lc_rs::{constant_time, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Signature octets of a delivery's token; with the number 20 octets, 32 characters.
const DELIVERY_TAG: usize = 12;
/// Octets of a delivery's token.
const DELIVERY_LENGTH: usize = 8 + DELIVERY_TAG;
/// Signature octets of a reader's token.
const READER_TAG: usize = 16;
/// Octets of one number in a reader's token: seven bits in each (LEB128), so that
/// usual tokens are short and `List-Unsubscribe` stays within a header's 78 columns.
const NUMBER_MAX: usize = 10;
/// Octets of the longest reader's token: kind, issue, subscriber, newsletter, signature.
const READER_MAX: usize = 1 + 3 * NUMBER_MAX + READER_TAG;
/// What a delivery's signature begins with, so that it is never a reader's.
const DELIVERY_KIND: u8 = b'd';
/// RFC 4648 section 6, in lower case: local parts are often lowered on their way.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Signs tokens. Not printable, not comparable.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("token::Key(…)")
    }
}

/// Ties what comes back to one delivery: in the return path (VERP), as ENVID and
/// in the Message-ID. Read, it is a claim until [`DeliveryToken::vouches`] says so.
#[derive(Clone, Copy)]
pub struct DeliveryToken([u8; DELIVERY_LENGTH]);

impl DeliveryToken {
    /// The token of a delivery: always the same, so a retry is the same mail.
    pub fn new(key: &Key, delivery: i64, issue: i64, subscriber: i64) -> Self {
        let mut signed = [0; 25];
        signed[0] = DELIVERY_KIND;
        signed[1..9].copy_from_slice(&delivery.to_be_bytes());
        signed[9..17].copy_from_slice(&issue.to_be_bytes());
        signed[17..25].copy_from_slice(&subscriber.to_be_bytes());
        let tag = hmac::sign(&key.0, &signed);
        let mut token = [0; DELIVERY_LENGTH];
        token[..8].copy_from_slice(&delivery.to_be_bytes());
        token[8..].copy_from_slice(&tag.as_ref()[..DELIVERY_TAG]);
        Self(token)
    }

    /// The token of an errand, which is no delivery: its number is below zero, so that
    /// neither is ever taken for the other.
    pub fn errand(key: &Key, errand: i64, newsletter: i64, subscriber: i64) -> Self {
        Self::new(key, -errand, newsletter, subscriber)
    }

    /// The errand it claims to be of; `None` when it is a delivery's.
    pub fn of_errand(&self) -> Option<i64> {
        self.delivery().checked_neg().filter(|errand| *errand > 0)
    }

    /// Reads a token in any case; `None` when it has not the form of one.
    pub fn parse(text: &str) -> Option<Self> {
        base32_decode(text).map(Self)
    }

    /// The delivery it claims to be of.
    pub fn delivery(&self) -> i64 {
        let mut octets = [0; 8];
        octets.copy_from_slice(&self.0[..8]);
        i64::from_be_bytes(octets)
    }

    /// Whether we made it, for the claimed delivery with this issue and subscriber.
    pub fn vouches(&self, key: &Key, issue: i64, subscriber: i64) -> bool {
        let ours = Self::new(key, self.delivery(), issue, subscriber);
        constant_time::verify_slices_are_equal(&self.0, &ours.0).is_ok()
    }
}

impl fmt::Display for DeliveryToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for group in self.0.chunks_exact(5) {
            let mut bits = group.iter().fold(0_u64, |bits, b| bits << 8 | u64::from(*b));
            let mut out = [0; 8];
            for place in out.iter_mut().rev() {
                *place = BASE32[(bits & 31) as usize];
                bits >>= 5;
            }
            f.write_str(str::from_utf8(&out).expect("base32 is ASCII"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for DeliveryToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeliveryToken(…)")
    }
}

fn base32_decode(text: &str) -> Option<[u8; DELIVERY_LENGTH]> {
    let text = text.as_bytes();
    if text.len() != DELIVERY_LENGTH / 5 * 8 {
        return None;
    }
    let mut token = [0; DELIVERY_LENGTH];
    for (group, out) in text.chunks_exact(8).zip(token.chunks_exact_mut(5)) {
        let mut bits = 0_u64;
        for character in group {
            let value = match character.to_ascii_lowercase() {
                letter @ b'a'..=b'z' => letter - b'a',
                digit @ b'2'..=b'7' => digit - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        out.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(token)
}

/// What a reader's link is for. One kind never opens the door of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `/u/TOKEN`
    Unsubscribe,
    /// `/p/TOKEN`
    Preferences,
    /// The issue as a page.
    WebVersion,
}

impl Kind {
    fn octet(self) -> u8 {
        match self {
            Self::Unsubscribe => b'u',
            Self::Preferences => b'p',
            Self::WebVersion => b'w',
        }
    }
}

/// A reader's way in from a mail: who, of which newsletter, from which issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderToken {
    /// What the link is for.
    pub kind: Kind,
    /// The issue whose mail carried it; 0 when no issue did.
    pub issue: i64,
    /// Who.
    pub subscriber: i64,
    /// Of which newsletter.
    pub newsletter: i64,
}

impl ReaderToken {
    /// The signed text for a link: base64url, 28 to 63 characters; short where the numbers are small.
    pub fn seal(&self, key: &Key) -> String {
        let mut token = [0; READER_MAX];
        token[0] = self.kind.octet();
        let mut length = 1;
        for number in [self.issue, self.subscriber, self.newsletter] {
            length += put_number(number, &mut token[length..]);
        }
        let tag = hmac::sign(&key.0, &token[..length]);
        token[length..length + READER_TAG].copy_from_slice(&tag.as_ref()[..READER_TAG]);
        URL_SAFE_NO_PAD.encode(&token[..length + READER_TAG])
    }

    /// Reads a token of this kind; `None` when it is of another kind, damaged or
    /// not ours.
    pub fn open(key: &Key, kind: Kind, text: &str) -> Option<Self> {
        // Longer texts are not decoded at all.
        let mut token = [0; READER_MAX + 3];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut token).ok()?;
        let (said, tag) = token[..length].split_at(length.checked_sub(READER_TAG)?);
        let ours = hmac::sign(&key.0, said);
        constant_time::verify_slices_are_equal(tag, &ours.as_ref()[..READER_TAG]).ok()?;
        let (first, mut rest) = said.split_first()?;
        let issue = take_number(&mut rest)?;
        let subscriber = take_number(&mut rest)?;
        let newsletter = take_number(&mut rest)?;
        let whole = *first == kind.octet() && rest.is_empty();
        whole.then_some(Self { kind, issue, subscriber, newsletter })
    }
}

/// Writes a number, lowest seven bits first; the octets it took.
fn put_number(number: i64, out: &mut [u8]) -> usize {
    let mut left = number.cast_unsigned();
    let mut length = 0;
    while left >= 0x80 {
        out[length] = (left & 0x7f) as u8 | 0x80;
        left >>= 7;
        length += 1;
    }
    out[length] = left as u8;
    length + 1
}

/// Reads a number and moves on behind it.
fn take_number(from: &mut &[u8]) -> Option<i64> {
    let mut number = 0_u64;
    for place in 0..NUMBER_MAX {
        let (octet, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(octet & 0x7f) << (7 * place);
        if octet & 0x80 == 0 {
            return Some(number.cast_signed());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::{DeliveryToken, Key, Kind, ReaderToken};
    use crate::key::Master;

    fn key(seed: u8) -> Key {
        Master::new([seed; 32]).token()
    }

    const READER: ReaderToken =
        ReaderToken { kind: Kind::Unsubscribe, issue: 12, subscriber: 345, newsletter: 6 };

    /// Pins both forms: another result would break every link already sent.
    #[test]
    fn tokens_never_change() {
        let delivery = DeliveryToken::new(&key(7), 1, 2, 3);
        assert_eq!(delivery.to_string(), "aaaaaaaaaaaadm2xqnkncffpxgwjxi5b");
        assert_eq!(READER.seal(&key(7)), "dQzZAgbfz3-hY_ix9PbU_N7Z7Tzy");
    }

    #[test]
    fn a_delivery_token_vouches_for_its_own_delivery_only() {
        let token = DeliveryToken::new(&key(1), 10, 20, 30);
        assert!(token.vouches(&key(1), 20, 30));
        assert!(!token.vouches(&key(1), 20, 31));
        assert!(!token.vouches(&key(1), 21, 30));
        assert!(!token.vouches(&key(2), 20, 30));
    }

    #[test]
    fn a_link_of_one_kind_does_not_open_another() {
        let text = READER.seal(&key(1));
        assert_eq!(ReaderToken::open(&key(1), Kind::Unsubscribe, &text), Some(READER));
        assert_eq!(ReaderToken::open(&key(1), Kind::Preferences, &text), None);
        assert_eq!(ReaderToken::open(&key(2), Kind::Unsubscribe, &text), None);
    }

    #[test]
    fn what_is_no_token_is_none() {
        let long = "A".repeat(10_000);
        for text in ["", "a", "ä", "=", &long, &long[..30], &long[..63]] {
            assert_eq!(ReaderToken::open(&key(1), Kind::Unsubscribe, text), None);
        }
        for text in ["", "a", &long, &"1".repeat(32), &"ä".repeat(16)] {
            assert!(DeliveryToken::parse(text).is_none());
        }
    }

    #[test]
    fn an_errands_token_is_no_deliverys() {
        let errand = DeliveryToken::errand(&key(1), 7, 20, 30);
        assert_eq!((errand.of_errand(), errand.delivery()), (Some(7), -7));
        assert!(errand.vouches(&key(1), 20, 30) && !errand.vouches(&key(1), 20, 31));
        let delivery = DeliveryToken::new(&key(1), 7, 20, 30);
        assert_eq!(delivery.of_errand(), None);
        assert_ne!(delivery.to_string(), errand.to_string());
        assert_eq!(DeliveryToken::new(&key(1), i64::MIN, 20, 30).of_errand(), None);
    }

    proptest! {
        #[test]
        fn a_delivery_token_comes_back_in_any_case(delivery: i64, issue: i64, subscriber: i64) {
            let text = DeliveryToken::new(&key(1), delivery, issue, subscriber).to_string();
            prop_assert_eq!(text.len(), 32);
            for text in [text.to_uppercase(), text] {
                let token = DeliveryToken::parse(&text).unwrap();
                prop_assert_eq!(token.delivery(), delivery);
                prop_assert!(token.vouches(&key(1), issue, subscriber));
            }
        }

        #[test]
        fn a_readers_token_comes_back(issue: i64, subscriber: i64, newsletter: i64) {
            let reader = ReaderToken { kind: Kind::Preferences, issue, subscriber, newsletter };
            let text = reader.seal(&key(1));
            prop_assert!(text.len() <= 63);
            prop_assert_eq!(ReaderToken::open(&key(1), Kind::Preferences, &text), Some(reader));
        }

        #[test]
        fn a_changed_character_is_noticed(at in 0..28_usize, to in "[A-Za-z0-9_-]") {
            let text = READER.seal(&key(1));
            let mut changed = text.clone();
            changed.replace_range(at..=at, &to);
            let opened = ReaderToken::open(&key(1), Kind::Unsubscribe, &changed);
            prop_assert_eq!(opened.is_some(), changed == text);
        }

        #[test]
        fn nothing_makes_reading_panic(text in any::<String>()) {
            let _ = ReaderToken::open(&key(1), Kind::Preferences, &text);
            let _ = DeliveryToken::parse(&text);
        }
    }
}
