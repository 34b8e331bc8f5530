//! Our own form, for any system that can sign: HMAC-SHA-256 in lower-case hex over
//! `TIMESTAMP.BODY`, in the headers `X-Rundbrief-Timestamp` (seconds since 1970)
//! and `X-Rundbrief-Signature`. The body is an event, a list of them, or
//! `{"events": […]}`:
//!
//! ```json
//! {"event": "bounced", "id": "17", "recipient": "jane@example.org",
//!  "message_id": "<…>", "status": "5.1.1", "reply": "550 5.1.1 User unknown",
//!  "hard": true}
//! ```
//! `event` is a word of [`Kind`]; all else may be absent. A body of type
//! `message/rfc822` is a mail that came back, whole.

use aws_lc_rs::hmac;
use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use super::proof::{self, Refusal, Request};
use crate::store::value::Millis;

/// How old a request may be, in seconds; every try is signed anew.
const WINDOW: i64 = 5 * 60;

/// Checks age and signature.
///
/// # Errors
/// Says which of them does not hold.
pub fn verify(request: &Request<'_>, key: &hmac::Key, now: Millis) -> Result<(), Refusal> {
    let at = request.header("x-rundbrief-timestamp")?;
    proof::recent(at, WINDOW, now)?;
    let given = request.header("x-rundbrief-signature")?;
    proof::hex(key, &[at.as_bytes(), b".", request.body], given)
}

/// The events of a body.
pub fn read(body: &Value) -> Vec<Event> {
    let events = body.get("events").unwrap_or(body);
    field::batch(events).iter().map(event).collect()
}

fn event(value: &Value) -> Event {
    let of = |name: &str| field::text(value, &[name]);
    let kind = of("event").as_deref().and_then(Kind::parse).unwrap_or(Kind::Unclear);
    let mut event = Event::new(kind, value);
    event.id = of("id");
    event.recipient = of("recipient");
    event.message_id = of("message_id");
    event.status = of("status");
    event.reply = of("reply");
    event.hard = field::flag(value, &["hard"]);
    event
}
