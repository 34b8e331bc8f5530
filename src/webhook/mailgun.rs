//! Mailgun: one event a request. The signature inside the body covers a moment
//! and a token, so a token is taken once.

use aws_lc_rs::hmac;
use serde_json::{Map, Value};

use super::event::{Event, Kind};
use super::field;
use super::proof::{self, Refusal};
use crate::bounce::reason::Reason;
use crate::store::value::Millis;

/// How old a request may be, in seconds: Mailgun tries again for eight hours.
const WINDOW: i64 = 9 * 60 * 60;

/// Checks age and signature; yields the token, to be taken once.
///
/// # Errors
/// Says which of them does not hold.
pub fn verify(body: &Value, key: &hmac::Key, now: Millis) -> Result<String, Refusal> {
    let of = |name: &'static str| {
        field::text(body, &["signature", name])
            .or_else(|| field::text(body, &[name]))
            .ok_or(Refusal::Missing(name))
    };
    let (at, token, given) = (of("timestamp")?, of("token")?, of("signature")?);
    proof::recent(&at, WINDOW, now)?;
    proof::hex(key, &[at.as_bytes(), token.as_bytes()], &given)?;
    Ok(token)
}

/// The body as JSON; the older form comes as a web form.
pub fn form(body: &[u8]) -> Value {
    let pairs = url::form_urlencoded::parse(body);
    Value::Object(
        pairs.map(|(k, v)| (k.into_owned(), Value::from(v.into_owned()))).collect::<Map<_, _>>(),
    )
}

/// The event of a body, in either form.
pub fn read(body: &Value) -> Vec<Event> {
    match body.get("event-data") {
        Some(data) => vec![event(data)],
        None => vec![older(body)],
    }
}

fn event(data: &Value) -> Event {
    let of = |path: &[&str]| field::text(data, path);
    let reason = of(&["reason"]).unwrap_or_default();
    let temporary = of(&["severity"]).as_deref() == Some("temporary");
    let kind = match of(&["event"]).as_deref() {
        Some("delivered") => Kind::Delivered,
        Some("failed") if temporary => Kind::Deferred,
        Some("failed") if reason.starts_with("suppress-") => Kind::Rejected,
        Some("failed") => Kind::Bounced,
        Some("rejected") => Kind::Rejected,
        Some("complained") => Kind::Complained,
        Some("unsubscribed") => Kind::Unsubscribed,
        Some("accepted" | "opened" | "clicked" | "stored" | "list_member_uploaded") => {
            Kind::Ignored
        }
        Some(_) | None => Kind::Unclear,
    };
    let mut event = Event::new(kind, data);
    event.id = of(&["id"]);
    event.recipient = of(&["recipient"])
        .or_else(|| of(&["message", "headers", "to"]).map(|text| field::address(&text)));
    event.message_id = of(&["message", "headers", "message-id"]);
    event.reply = of(&["delivery-status", "message"])
        .or_else(|| of(&["delivery-status", "description"]))
        .or_else(|| of(&["reject", "reason"]));
    event.status = of(&["delivery-status", "enhanced-code"]);
    event.code = of(&["delivery-status", "code"]);
    event.note = Some(reason).filter(|reason| !reason.is_empty());
    if kind == Kind::Bounced {
        event.hard = Some(true);
        if event.note.as_deref() == Some("old") {
            event.reason = Some(Reason::Expired);
            event.hard = Some(false);
        }
    }
    event
}

fn older(body: &Value) -> Event {
    let of = |name: &str| field::text(body, &[name]);
    let kind = match of("event").as_deref() {
        Some("delivered") => Kind::Delivered,
        Some("bounced") => Kind::Bounced,
        Some("dropped") => Kind::Rejected,
        Some("complained") => Kind::Complained,
        Some("unsubscribed") => Kind::Unsubscribed,
        Some("opened" | "clicked" | "accepted" | "stored") => Kind::Ignored,
        Some(_) | None => Kind::Unclear,
    };
    let mut event = Event::new(kind, body);
    event.recipient = of("recipient");
    event.message_id = of("Message-Id").or_else(|| of("message-id"));
    event.reply = of("error").or_else(|| of("description"));
    event.code = of("code");
    event.note = of("reason");
    event
}
