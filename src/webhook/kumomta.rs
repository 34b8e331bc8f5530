//! KumoMTA: one log record a request, or lines of them; guarded by a token.

use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use crate::bounce::reason::Reason;

/// The events of a body: one for each recipient of the record.
pub fn read(body: &Value) -> Vec<Event> {
    field::batch(body).iter().flat_map(record).collect()
}

fn record(value: &Value) -> Vec<Event> {
    let of = |path: &[&str]| field::text(value, path);
    let (kind, hard, reason) = match of(&["type"]).as_deref() {
        Some("Delivery") => (Kind::Delivered, None, None),
        Some("Bounce" | "OOB") => (Kind::Bounced, None, None),
        Some("TransientFailure" | "Delayed") => (Kind::Deferred, Some(false), None),
        Some("Expiration") => (Kind::Bounced, Some(false), Some(Reason::Expired)),
        Some("AdminBounce") => (Kind::Failed, Some(false), Some(Reason::Rejected)),
        Some("Feedback") => (Kind::Complained, None, None),
        Some("Reception" | "Rejection" | "AdminRebind" | "DeferredInjectionRebind" | "XferOut")
        | Some("XferIn") => (Kind::Ignored, None, None),
        Some(_) | None => (Kind::Unclear, None, None),
    };
    let recipients = recipients(value, kind);
    recipients
        .into_iter()
        .map(|recipient| {
            let mut event = Event::new(kind, value);
            event.id =
                of(&["id"]).zip(of(&["timestamp"])).zip(of(&["type"])).map(|((id, at), name)| {
                    let tried = of(&["num_attempts"]).unwrap_or_default();
                    format!("{name} {id} {at} {tried}")
                });
            event.recipient = recipient;
            event.message_id = of(&["headers", "Message-ID"]).or_else(|| of(&["id"]));
            event.status = status(value);
            event.reply = of(&["response", "content"]);
            event.code = of(&["response", "code"]);
            event.note = of(&["bounce_classification"]);
            event.hard = hard;
            event.reason = reason;
            event
        })
        .collect()
}

/// Newer records list recipients; a complaint names its own.
fn recipients(value: &Value, kind: Kind) -> Vec<Option<String>> {
    let path: &[&str] = if kind == Kind::Complained {
        &["feedback_report", "original_rcpt_to"]
    } else {
        &["recipient"]
    };
    let found: Vec<_> = field::list(value, path)
        .iter()
        .filter_map(Value::as_str)
        .map(|text| Some(field::address(text)))
        .collect();
    if found.is_empty() { vec![None] } else { found }
}

fn status(value: &Value) -> Option<String> {
    let part = |name| field::text(value, &["response", "enhanced_code", name]);
    Some(format!("{}.{}.{}", part("class")?, part("subject")?, part("detail")?))
}
