//! A report as it is printed and stored: the JSON of `bounce inspect`.

use serde::{Deserialize, Serialize};

use super::report::Report;

/// A report in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// failure, delay, complaint, autoreply, challenge, other, unclear.
    pub kind: String,
    /// Who it is about.
    pub recipients: Vec<Recipient>,
    /// The Message-ID of the returned mail.
    pub message_id: Option<String>,
    /// The token of a delivery, unverified.
    pub token: Option<String>,
    /// Other tokens of deliveries in it, unverified.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// The token of a reader in the returned mail's `List-Unsubscribe`, unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reader: Option<String>,
    /// The type of a complaint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
    /// Why it was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

/// One recipient in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    /// Who it was in the end.
    pub address: String,
    /// Who it was at first, when that differs.
    pub original: Option<String>,
    /// The enhanced status code.
    pub status: Option<String>,
    /// failed, delayed, delivered.
    pub action: String,
    /// The server's own words.
    pub reply: Option<String>,
    /// The reason's word.
    pub reason: String,
    /// Whether the address is dead.
    pub hard: Option<bool>,
}

impl From<&Report> for Record {
    fn from(report: &Report) -> Self {
        let recipients = report.recipients.iter().map(|recipient| Recipient {
            address: recipient.address.clone(),
            original: recipient.original.clone(),
            status: recipient.status.map(|status| status.to_string()),
            action: recipient.action.as_str().to_owned(),
            reply: recipient.reply.clone(),
            reason: recipient.reason.as_str().to_owned(),
            hard: recipient.hard,
        });
        Self {
            kind: report.kind.as_str().to_owned(),
            recipients: recipients.collect(),
            message_id: report.message_id.clone(),
            token: report.ties.delivery().map(str::to_owned),
            tokens: report.ties.others(),
            reader: report.ties.reader.clone(),
            feedback: report.feedback.clone(),
            limit: report.limit.map(|limit| limit.to_string()),
        }
    }
}
