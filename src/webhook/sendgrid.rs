//! SendGrid: a list of events, signed with ECDSA over timestamp and body.

use aws_lc_rs::signature::{self, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use super::proof::{self, Refusal, Request};
use crate::bounce::reason::Reason;
use crate::store::value::Millis;

/// How old a request may be, in seconds: SendGrid tries again for a day.
const WINDOW: i64 = 25 * 60 * 60;

/// Checks age and signature; `key` is the public key in DER.
///
/// # Errors
/// Says which of them does not hold.
pub fn verify(request: &Request<'_>, key: &[u8], now: Millis) -> Result<(), Refusal> {
    let at = request.header("x-twilio-email-event-webhook-timestamp")?;
    proof::recent(at, WINDOW, now)?;
    let given = request.header("x-twilio-email-event-webhook-signature")?;
    let given = STANDARD.decode(given).map_err(|_| Refusal::Wrong("signature"))?;
    let signed = [at.as_bytes(), request.body].concat();
    UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_ASN1, key)
        .verify(&signed, &given)
        .map_err(|_| Refusal::Wrong("signature"))
}

/// The events of a body.
pub fn read(body: &Value) -> Vec<Event> {
    field::batch(body).iter().map(event).collect()
}

fn event(value: &Value) -> Event {
    let name = field::text(value, &["event"]);
    let reason = field::text(value, &["reason"]);
    let kind = match name.as_deref() {
        Some("bounce" | "blocked") => Kind::Bounced,
        Some("dropped") => Kind::Rejected,
        Some("deferred") => Kind::Deferred,
        Some("delivered") => Kind::Delivered,
        Some("spamreport") => Kind::Complained,
        Some("unsubscribe" | "group_unsubscribe") => Kind::Unsubscribed,
        Some("processed" | "open" | "click" | "group_resubscribe") => Kind::Ignored,
        // A row of the list of bounces: it names no event.
        None if reason.is_some() => Kind::Bounced,
        Some(_) | None => Kind::Unclear,
    };
    let mut event = Event::new(kind, value);
    event.id = field::text(value, &["sg_event_id"]);
    event.recipient = field::text(value, &["email"]);
    event.message_id = field::text(value, &["smtp-id"]);
    event.status = field::text(value, &["status"]);
    if kind == Kind::Rejected {
        event.reason = dropped(reason.as_deref().unwrap_or_default());
        event.hard = event.reason.map(Reason::is_hard);
        event.note = reason;
    } else {
        event.reply = reason.or_else(|| field::text(value, &["response"]));
        if field::text(value, &["type"]).as_deref() == Some("blocked") {
            event.hard = Some(false);
        }
    }
    event
}

/// Why SendGrid did not even try.
fn dropped(reason: &str) -> Option<Reason> {
    let reason = reason.to_ascii_lowercase();
    if reason.starts_with("invalid") {
        Some(Reason::UserUnknown)
    } else if reason.contains("spam content") {
        Some(Reason::SpamContent)
    } else if reason.contains("quota") {
        Some(Reason::RateLimited)
    } else {
        Some(Reason::Rejected)
    }
}
