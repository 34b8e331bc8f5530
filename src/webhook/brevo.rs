//! Brevo: one event a request, or several; it is guarded by a token.

use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use crate::bounce::reason::Reason;

/// The events of a body.
pub fn read(body: &Value) -> Vec<Event> {
    field::batch(body).iter().map(event).collect()
}

fn event(value: &Value) -> Event {
    let of = |name: &str| field::text(value, &[name]);
    let (kind, hard) = match of("event").as_deref() {
        Some("hard_bounce" | "hardBounce") => (Kind::Bounced, Some(true)),
        Some("invalid_email" | "invalid") => (Kind::Bounced, Some(true)),
        Some("soft_bounce" | "softBounce") => (Kind::Bounced, Some(false)),
        Some("blocked") => (Kind::Rejected, Some(false)),
        Some("error") => (Kind::Failed, Some(false)),
        Some("deferred") => (Kind::Deferred, Some(false)),
        Some("delivered") => (Kind::Delivered, None),
        Some("spam" | "complaint") => (Kind::Complained, None),
        Some("unsubscribe" | "unsubscribed") => (Kind::Unsubscribed, None),
        Some(
            "request" | "sent" | "opened" | "open" | "unique_opened" | "uniqueOpened"
            | "proxy_open" | "unique_proxy_open" | "click" | "list_addition" | "contact_updated"
            | "contact_deleted",
        ) => (Kind::Ignored, None),
        Some(_) | None => (Kind::Unclear, None),
    };
    let mut event = Event::new(kind, value);
    event.recipient = of("email");
    event.message_id = of("message-id");
    event.reply = of("reason");
    event.hard = hard;
    event.reason = match of("event").as_deref() {
        Some("invalid_email" | "invalid") => Some(Reason::UserUnknown),
        Some("blocked") => Some(Reason::Rejected),
        Some(_) | None => None,
    };
    event
}
