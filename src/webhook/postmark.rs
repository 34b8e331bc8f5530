//! Postmark: one record a request; it is guarded by a user and password.

use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use crate::bounce::reason::Reason;

/// The event of a body.
pub fn read(body: &Value) -> Vec<Event> {
    let of = |name: &str| field::text(body, &[name]);
    let (kind, hard, reason) = match of("RecordType").as_deref() {
        Some("Bounce") => bounced(of("Type").as_deref().unwrap_or_default()),
        Some("Delivery") => (Kind::Delivered, None, None),
        Some("SpamComplaint") => (Kind::Complained, None, None),
        Some("SubscriptionChange") => change(body),
        Some("Open" | "Click" | "Inbound") => (Kind::Ignored, None, None),
        Some(_) | None => (Kind::Unclear, None, None),
    };
    let mut event = Event::new(kind, body);
    event.id = of("ID").or_else(|| of("MessageID")).zip(of("RecordType")).map(|(id, kind)| {
        let changed = of("ChangedAt").unwrap_or_default();
        format!("{kind} {id} {changed}")
    });
    event.recipient = of("Email").or_else(|| of("Recipient"));
    event.message_id = of("MessageID");
    event.reply = of("Details");
    event.note = of("Description");
    event.hard = hard;
    event.reason = reason;
    vec![event]
}

/// Postmark's own list of types.
fn bounced(kind: &str) -> (Kind, Option<bool>, Option<Reason>) {
    match kind {
        "HardBounce" => (Kind::Bounced, Some(true), None),
        "BadEmailAddress" => (Kind::Bounced, Some(true), Some(Reason::UserUnknown)),
        "AddressChange" => (Kind::Bounced, None, Some(Reason::HasMoved)),
        "Transient" => (Kind::Deferred, Some(false), None),
        "SoftBounce" | "Undeliverable" => (Kind::Bounced, Some(false), None),
        "DnsError" => (Kind::Bounced, Some(false), Some(Reason::Network)),
        "Blocked" => (Kind::Bounced, Some(false), Some(Reason::Blocked)),
        "DMARCPolicy" => (Kind::Bounced, Some(false), Some(Reason::Authentication)),
        "SpamNotification" | "VirusNotification" => {
            (Kind::Bounced, Some(false), Some(Reason::SpamContent))
        }
        "ManuallyDeactivated" | "Unconfirmed" => {
            (Kind::Rejected, Some(false), Some(Reason::Rejected))
        }
        "SMTPApiError" | "TemplateRenderingFailed" => {
            (Kind::Failed, Some(false), Some(Reason::ContentError))
        }
        "SpamComplaint" => (Kind::Complained, None, None),
        "Unsubscribe" => (Kind::Unsubscribed, None, None),
        "AutoResponder" | "ChallengeVerification" => (Kind::AutoReplied, None, None),
        "Subscribe" | "OpenRelayTest" | "InboundError" => (Kind::Ignored, None, None),
        _ => (Kind::Unclear, None, None),
    }
}

/// Somebody was put on Postmark's list of those who get nothing, or taken off it.
fn change(body: &Value) -> (Kind, Option<bool>, Option<Reason>) {
    if field::flag(body, &["SuppressSending"]) == Some(false) {
        return (Kind::Ignored, None, None);
    }
    match field::text(body, &["SuppressionReason"]).as_deref() {
        Some("HardBounce") => (Kind::Bounced, Some(true), None),
        Some("SpamComplaint") => (Kind::Complained, None, None),
        Some("ManualSuppression") => (Kind::Unsubscribed, None, None),
        Some(_) | None => (Kind::Unclear, None, None),
    }
}
