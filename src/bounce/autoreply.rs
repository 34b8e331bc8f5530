//! What is no bounce though nobody wrote it: automatic replies (RFC 3834 and those
//! that carry no header), challenges, read receipts, notices of filters.

use super::mime::{self, Head};
use super::phrase::{Hit, Meaning};

/// What the header of a mail says about its origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Header {
    /// It says that a program answered.
    Replied,
    /// It says that a program wrote it of its own accord, or nothing.
    Silent,
}

/// Reads the fields by which responders give themselves away. Mail systems set
/// `Auto-Submitted: auto-replied` on bounces as well, so this decides only where
/// nothing failed.
pub fn header(head: &Head<'_>) -> Header {
    let submitted =
        head.get("auto-submitted").is_some_and(|value| mime::starts(value, b"auto-replied"));
    let precedence = head.get("precedence").is_some_and(|value| {
        mime::starts(value, b"auto_reply") || mime::starts(value, b"auto-reply")
    });
    const MARKS: [&str; 8] = [
        "x-autoreply",
        "x-autorespond",
        "x-autoresponder",
        "x-auto-response",
        "x-mail-autoreply",
        "x-vacation",
        "x-ms-exchange-inbox-rules-loop",
        "x-ms-exchange-generated-message-source",
    ];
    if submitted || precedence || MARKS.iter().any(|mark| head.has(mark)) {
        Header::Replied
    } else {
        Header::Silent
    }
}

/// Whether a subject is an automatic reply's: its words stand at the start, behind
/// at most a "Re:".
pub fn subject(folded: &str, hits: &[Hit]) -> bool {
    starts_with(Meaning::Away, folded, hits)
}

/// Whether a subject begins with a word that such subjects have, and others too.
pub fn word(folded: &str, hits: &[Hit]) -> bool {
    starts_with(Meaning::AwayWord, folded, hits)
}

/// Whether a subject is a read receipt's.
pub fn receipt(folded: &str, hits: &[Hit]) -> bool {
    starts_with(Meaning::Receipt, folded, hits)
}

fn starts_with(meaning: Meaning, folded: &str, hits: &[Hit]) -> bool {
    let skip = folded.len()
        - folded
            .trim_start_matches(|c: char| !c.is_alphabetic())
            .trim_start_matches("re: ")
            .trim_start_matches("aw: ")
            .trim_start_matches(|c: char| !c.is_alphabetic())
            .len();
    hits.iter().any(|hit| hit.meaning == meaning && hit.at <= skip)
}
