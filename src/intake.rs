//! Where mails that came back are fetched from, or handed over.
//!
//! Every way in stores first, in the same transaction as its progress, and deletes
//! after: a crash in between finds the mail again, and it counts once. None of them
//! loops; `daemon` calls their steps. What a mail says is none of their business.

pub mod connect;
pub mod imap;
pub mod listener;
pub mod mbox;
pub mod pop3;

pub mod progress;

use crate::bounce::inbox::{self, Intake, Received};
use crate::store::Tx;
use crate::store::value::Millis;

/// Mails stored in one transaction at most.
pub const BATCH_MAILS: usize = 100;
/// Bytes of mail in memory at a time, about.
pub const BATCH_BYTES: usize = 16 * 1024 * 1024;

/// What one step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// Mails stored now.
    pub new: usize,
    /// Mails that were stored before, on this way or another.
    pub known: usize,
    /// Whether more is waiting.
    pub more: bool,
}

impl Step {
    /// Stores a mail and counts it.
    ///
    /// # Errors
    /// The database refuses.
    pub async fn store(
        &mut self,
        tx: &mut Tx,
        intake: Intake,
        raw: &[u8],
        now: Millis,
    ) -> sqlx::Result<()> {
        match inbox::receive(tx, intake, raw, now).await? {
            Received::New(_) => self.new += 1,
            Received::Known => self.known += 1,
        }
        Ok(())
    }
}
