//! Where everything that comes back is stored, once, before anybody answers for it
//! or deletes it elsewhere. What a row is worth is decided later: here it is *new*.

use aws_lc_rs::digest::{self, SHA256};

use super::mime;
use super::record::Record;
use super::report::{self, Report};
use crate::store::Tx;
use crate::store::value::Millis;
use crate::{key, on, words};

key! {
    /// One thing that came back.
    BounceId
}

words! {
    /// The way something came back.
    Intake {
        /// A file named on the command line.
        File = "file",
        /// A Maildir that is watched.
        Maildir = "maildir",
        /// A mailbox in one file.
        Mbox = "mbox",
        /// A mailbox at a server, by IMAP.
        Imap = "imap",
        /// A mailbox at a server, by POP3.
        Pop3 = "pop3",
        /// Handed over by the mail server, by LMTP.
        Lmtp = "lmtp",
        /// Handed over by the mail server, by SMTP.
        Smtp = "smtp",
        /// A provider's event.
        Webhook = "webhook",
        /// Said by the receiver while we were still talking.
        Refusal = "refusal",
    }
}

/// Whether it was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// It was not, and is now.
    New(BounceId),
    /// It was.
    Known,
}

/// Stores a mail that came back, unless it is there already.
///
/// # Errors
/// The database refuses; nothing was stored then.
pub async fn receive(
    tx: &mut Tx,
    intake: Intake,
    raw: &[u8],
    now: Millis,
) -> sqlx::Result<Received> {
    let report = report::read(raw);
    store(tx, intake, &digest(raw), &report, raw, now).await
}

/// Stores what was read elsewhere, unless its digest is there already.
///
/// # Errors
/// The database refuses; nothing was stored then.
pub async fn store(
    tx: &mut Tx,
    intake: Intake,
    digest: &[u8; 32],
    report: &Report,
    raw: &[u8],
    now: Millis,
) -> sqlx::Result<Received> {
    const TEXT: &str = "insert into bounce (digest, intake, kind, report, raw, verdict, received_at) \
                        values ($1, $2, $3, $4, $5, 'new', $6) \
                        on conflict (digest) do nothing returning id";
    // A mail beyond the limit is read by nobody; its beginning is kept to look at.
    let raw = &raw[..raw.len().min(mime::MAX_BYTES)];
    let row: Option<(BounceId,)> = on!(*tx, |c| sqlx::query_as(TEXT)
        .bind(digest.as_slice())
        .bind(intake)
        .bind(report.kind.as_str())
        .bind(sqlx::types::Json(Record::from(report)))
        .bind(raw)
        .bind(now)
        .fetch_optional(c)
        .await)?;
    Ok(row.map_or(Received::Known, |(id,)| Received::New(id)))
}

/// What makes it the same mail on whichever way it comes again: all its bytes, but
/// neither line endings, empty lines at its end nor what mailboxes write into the head.
pub fn digest(raw: &[u8]) -> [u8; 32] {
    let mut context = digest::Context::new(&SHA256);
    let mut head = true;
    let mut skipping = false;
    let end = raw.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n')).map_or(0, |at| at + 1);
    for line in raw[..end].split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if head {
            let folded = line.first().is_some_and(|first| matches!(first, b' ' | b'\t'));
            head = !line.is_empty();
            skipping = if folded { skipping } else { of_mailbox(line) };
            if skipping {
                continue;
            }
        }
        context.update(line);
        context.update(b"\n");
    }
    let mut octets = [0; 32];
    octets.copy_from_slice(context.finish().as_ref());
    octets
}

/// Whether a line of the head is a mailbox's own note: read, numbered, its length.
fn of_mailbox(line: &[u8]) -> bool {
    const NAMES: [&[u8]; 7] = [
        b"status:",
        b"x-status:",
        b"x-uid:",
        b"x-uidl:",
        b"x-keywords:",
        b"content-length:",
        b"x-mozilla-status:",
    ];
    NAMES
        .iter()
        .any(|name| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_mail_is_the_same_on_whichever_way_it_comes() {
        let plain = digest(b"Subject: x\n\nbody\nStatus: y\n");
        assert_eq!(plain, digest(b"Subject: x\r\n\r\nbody\r\nStatus: y\r\n"));
        assert_eq!(plain, digest(b"Status: RO\nSubject: x\nX-UID: 7\n\t8\n\nbody\nStatus: y"));
        assert_ne!(plain, digest(b"Subject: x\n\nbody\nStatus: z\n"));
        assert_ne!(plain, digest(b"Subject: x\n y\n\nbody\nStatus: y\n"));
        assert_ne!(digest(b""), plain);
    }
}
