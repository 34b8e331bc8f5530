//! Mailtrap: a list of events or lines of them, signed with HMAC over the body.

use aws_lc_rs::hmac;
use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use super::proof::{self, Refusal, Request};
use crate::bounce::reason::Reason;

/// Checks the signature. It covers no moment: an event that comes again is known.
///
/// # Errors
/// It is missing or wrong.
pub fn verify(request: &Request<'_>, key: &hmac::Key) -> Result<(), Refusal> {
    proof::hex(key, &[request.body], request.header("mailtrap-signature")?)
}

/// The events of a body.
pub fn read(body: &Value) -> Vec<Event> {
    let events = body.get("events").unwrap_or(body);
    field::batch(events).iter().map(event).collect()
}

fn event(value: &Value) -> Event {
    let of = |name: &str| field::text(value, &[name]);
    let kind = match of("event").as_deref() {
        Some("delivery") => Kind::Delivered,
        Some("bounce") => Kind::Bounced,
        Some("soft bounce" | "suspension") => Kind::Deferred,
        Some("reject") => Kind::Rejected,
        Some("spam" | "spam_complaint") => Kind::Complained,
        Some("unsubscribe") => Kind::Unsubscribed,
        Some("open" | "click") => Kind::Ignored,
        Some(_) | None => Kind::Unclear,
    };
    let mut event = Event::new(kind, value);
    event.id = of("event_id").zip(of("event")).map(|(id, name)| format!("{name} {id}"));
    event.recipient = of("email");
    event.message_id = of("message_id");
    event.reply = of("response");
    event.code = of("response_code");
    event.note = of("reason").or_else(|| of("bounce_category"));
    event.hard = match (kind, of("bounce_category").as_deref()) {
        (Kind::Bounced, Some("hard" | "invalid" | "badmailbox" | "baddomain")) => Some(true),
        (Kind::Deferred | Kind::Rejected, _) => Some(false),
        (_, _) => None,
    };
    if kind == Kind::Rejected {
        event.reason = Some(Reason::Rejected);
    }
    event
}
