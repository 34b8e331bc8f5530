//! Resend: one event a request, signed by Svix: HMAC over identifier, moment and body.

use aws_lc_rs::hmac;
use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use super::proof::{self, Refusal, Request};
use crate::bounce::reason::Reason;
use crate::store::value::Millis;

/// How old a request may be, in seconds; every try is signed anew.
const WINDOW: i64 = 5 * 60;

/// Checks age and signature.
///
/// # Errors
/// Says which of them does not hold.
pub fn verify(request: &Request<'_>, key: &hmac::Key, now: Millis) -> Result<(), Refusal> {
    let (id, at) = (request.header("svix-id")?, request.header("svix-timestamp")?);
    proof::recent(at, WINDOW, now)?;
    let parts = [id.as_bytes(), b".", at.as_bytes(), b".", request.body];
    // During a change of the secret there are two signatures.
    let given = request.header("svix-signature")?;
    given
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .map(|one| proof::base64(key, &parts, one))
        .find(Result::is_ok)
        .unwrap_or(Err(Refusal::Wrong("svix-signature")))
}

/// The events of a body: one for each recipient.
pub fn read(body: &Value) -> Vec<Event> {
    let kind = match field::text(body, &["type"]).as_deref() {
        Some("email.bounced") => Kind::Bounced,
        Some("email.complained") => Kind::Complained,
        Some("email.delivered") => Kind::Delivered,
        Some("email.delivery_delayed") => Kind::Deferred,
        Some("email.failed") => Kind::Failed,
        Some("email.suppressed") => Kind::Rejected,
        Some("email.sent" | "email.scheduled" | "email.opened" | "email.clicked")
        | Some("email.received") => Kind::Ignored,
        Some(name) if name.starts_with("contact.") || name.starts_with("domain.") => Kind::Ignored,
        Some(_) | None => Kind::Unclear,
    };
    let mut recipients: Vec<Option<String>> = field::list(body, &["data", "to"])
        .iter()
        .filter_map(Value::as_str)
        .map(|recipient| Some(field::address(recipient)))
        .collect();
    if recipients.is_empty() {
        recipients.push(None);
    }
    recipients.into_iter().map(|recipient| event(body, kind, recipient)).collect()
}

fn event(body: &Value, kind: Kind, recipient: Option<String>) -> Event {
    let of = |path: &[&str]| field::text(body, path);
    let mut event = Event::new(kind, body);
    event.recipient = recipient;
    event.message_id = of(&["data", "message_id"]).or_else(|| of(&["data", "email_id"]));
    // Resend's own words are a note; the receiver's stand beside them.
    event.reply = field::list(body, &["data", "bounce", "diagnosticCode"])
        .first()
        .and_then(Value::as_str)
        .map(str::to_owned)
        .or_else(|| of(&["data", "failed", "reason"]));
    event.note = of(&["data", "bounce", "message"]);
    let note = event.note.as_deref().unwrap_or_default();
    let suppressed = note.contains("suppress");
    event.hard = match of(&["data", "bounce", "type"]).as_deref() {
        _ if suppressed => Some(false),
        Some("Permanent") => Some(true),
        Some("Transient") => Some(false),
        Some(_) => None,
        None => note.contains("hard bounce").then_some(true),
    };
    if suppressed || kind == Kind::Rejected {
        event.reason = Some(Reason::Rejected);
    }
    event
}
