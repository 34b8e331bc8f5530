//! Complaints: abuse feedback reports (RFC 5965) and what looks like them.

use super::address;
use super::mime::{Head, Media, Part};
use super::text;

/// What a feedback report says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Complaint {
    /// `Feedback-Type`, lower case: abuse, fraud, virus, not-spam, auth-failure, opt-out …
    pub feedback: String,
    /// `Original-Rcpt-To` and its like: who complained, if it is said.
    pub recipients: Vec<String>,
    /// `Original-Envelope-Id`, if there.
    pub envelope_id: Option<String>,
}

/// The feedback report among the parts of a mail.
pub fn read(parts: &[Part<'_>]) -> Option<Complaint> {
    let part = parts.iter().find(|part| part.media == Media::Feedback)?;
    Some(of_text(&text::body(&part.head, part.body)))
}

/// Complaints that carry no fields: those of Hotmail, known by their subject, and
/// the wish to leave that Apple's mail programs send.
pub fn of_outside(head: &Head<'_>, subject: bool) -> Option<Complaint> {
    let feedback = if head.has("x-apple-unsubscribe") {
        "opt-out"
    } else if subject {
        "abuse"
    } else {
        return None;
    };
    Some(Complaint { feedback: feedback.to_owned(), ..Complaint::default() })
}

/// Reads the fields of a report.
pub fn of_text(report: &str) -> Complaint {
    let mut complaint = Complaint { feedback: "abuse".to_owned(), ..Complaint::default() };
    for line in report.lines().take(500) {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "feedback-type" => complaint.feedback = value.trim().to_ascii_lowercase(),
            "original-rcpt-to" | "removal-recipient" | "recipient" => {
                if let Some(address) = address::of_field(value)
                    && !complaint.recipients.iter().any(|r| address::same(r, &address))
                {
                    complaint.recipients.push(address);
                }
            }
            "original-envelope-id" => complaint.envelope_id = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    complaint
}
