//! One master key, and a sub-key for each purpose, so that no two of them can
//! ever sign for one another. Reading the key's file is the caller's.

use std::fmt;

use aws_lc_rs::hmac;

/// Octets of a master key.
pub const MASTER_LENGTH: usize = 32;

/// The installation's secret. Not printable, not comparable.
#[derive(Clone)]
pub struct Master([u8; MASTER_LENGTH]);

impl Master {
    /// Takes 32 octets of randomness.
    pub fn new(octets: [u8; MASTER_LENGTH]) -> Self {
        Self(octets)
    }

    /// The key that tokens are signed with.
    pub fn token(&self) -> crate::token::Key {
        crate::token::Key::new(self.derive("rundbrief token 1"))
    }

    /// The key that suppressed addresses are hashed with.
    pub fn suppression(&self) -> crate::suppression::Key {
        crate::suppression::Key::new(self.derive("rundbrief suppression 1"))
    }

    /// HMAC-SHA-256 of a label: the sub-key for one purpose.
    fn derive(&self, label: &str) -> hmac::Key {
        let master = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let octets = hmac::sign(&master, label.as_bytes());
        hmac::Key::new(hmac::HMAC_SHA256, octets.as_ref())
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Master(…)")
    }
}
