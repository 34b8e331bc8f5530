//! Addresses that get nothing, known by a keyed hash only, so that they stay
//! known when the person's data is gone.

use std::fmt;

use aws_lc_rs::hmac;

use crate::address::EmailAddress;
use crate::standing::Standing;

/// Octets of a hash: SHA-256.
pub const HASH_LENGTH: usize = 32;

/// Hashes addresses. Not printable, not comparable.
#[derive(Clone)]
pub struct Key(hmac::Key);

impl Key {
    pub(crate) fn new(key: hmac::Key) -> Self {
        Self(key)
    }

    /// HMAC-SHA-256 of [`EmailAddress::normal`].
    pub fn hash(&self, address: &EmailAddress) -> AddressHash {
        let tag = hmac::sign(&self.0, address.normal().as_bytes());
        let mut hash = [0; HASH_LENGTH];
        hash.copy_from_slice(tag.as_ref());
        AddressHash(hash)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("suppression::Key(…)")
    }
}

/// An address that cannot be read back.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressHash([u8; HASH_LENGTH]);

impl AddressHash {
    /// As it is stored.
    pub fn as_bytes(&self) -> &[u8; HASH_LENGTH] {
        &self.0
    }

    /// As it was stored; `None` when the length is not [`HASH_LENGTH`].
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Debug for AddressHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AddressHash(…)")
    }
}

/// Why an address gets nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Left every newsletter by their own will.
    Left,
    /// Called our mail spam.
    Complained,
    /// The mailbox does not exist.
    Unreachable,
    /// Had their data erased.
    Erased,
    /// An operator decided so.
    Operator,
}

/// All reasons, in the order of their weight.
pub const ALL: [Reason; 5] =
    [Reason::Unreachable, Reason::Left, Reason::Erased, Reason::Operator, Reason::Complained];

impl Reason {
    /// The word in the database, in JSON and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Complained => "complained",
            Self::Unreachable => "unreachable",
            Self::Erased => "erased",
            Self::Operator => "operator",
        }
    }

    /// The reason of a word, as [`Reason::as_str`] writes it.
    pub fn parse(word: &str) -> Option<Self> {
        ALL.into_iter().find(|reason| reason.as_str() == word)
    }

    /// Whether the person's own new double opt-in lifts it. A complaint and an
    /// operator's decision stay until an operator says otherwise.
    pub fn lifted_by_confirmation(self) -> bool {
        match self {
            Self::Left | Self::Unreachable | Self::Erased => true,
            Self::Complained | Self::Operator => false,
        }
    }

    /// The standing that somebody suppressed for this reason has.
    pub fn standing(self) -> Standing {
        match self {
            Self::Complained => Standing::Complained,
            Self::Unreachable => Standing::Unreachable,
            Self::Left | Self::Erased | Self::Operator => Standing::Left,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, AddressHash, Reason};
    use crate::address::EmailAddress;
    use crate::key::Master;

    fn hash(master: u8, text: &str) -> AddressHash {
        let address = EmailAddress::parse(text).unwrap();
        Master::new([master; 32]).suppression().hash(&address)
    }

    #[test]
    fn one_person_has_one_hash_per_installation() {
        assert_eq!(hash(1, "Anna@example.org"), hash(1, "anna@EXAMPLE.ORG"));
        assert_ne!(hash(1, "anna@example.org"), hash(1, "anne@example.org"));
        assert_ne!(hash(1, "anna@example.org"), hash(2, "anna@example.org"));
    }

    /// Pins the derivation: another result would orphan every stored hash.
    #[test]
    fn the_hash_never_changes() {
        let hex: String = hash(7, "anna@example.org").as_bytes()[..8]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(hex, "e3061cace39896f1");
    }

    #[test]
    fn a_hash_comes_back_as_stored() {
        let one = hash(1, "anna@example.org");
        assert_eq!(AddressHash::from_bytes(one.as_bytes()), Some(one));
        assert_eq!(AddressHash::from_bytes(&[0; 31]), None);
        assert_eq!(format!("{one:?}"), "AddressHash(…)");
    }

    #[test]
    fn every_reason_reads_what_it_writes() {
        for reason in ALL {
            assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        }
        assert!(!Reason::Complained.lifted_by_confirmation());
        assert!(Reason::Left.lifted_by_confirmation());
    }
}
