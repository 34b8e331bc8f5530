//! MailerSend: one activity a request, signed with HMAC over the body.

use aws_lc_rs::hmac;
use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use super::proof::{self, Refusal, Request};

/// Checks the signature. It covers no moment: an event that comes again is known.
///
/// # Errors
/// It is missing or wrong.
pub fn verify(request: &Request<'_>, key: &hmac::Key) -> Result<(), Refusal> {
    proof::hex(key, &[request.body], request.header("signature")?)
}

/// The event of a body.
pub fn read(body: &Value) -> Vec<Event> {
    let name = field::text(body, &["type"]).unwrap_or_default();
    let (kind, hard) = match name.strip_prefix("activity.").unwrap_or(&name) {
        "delivered" => (Kind::Delivered, None),
        "hard_bounced" => (Kind::Bounced, Some(true)),
        "soft_bounced" => (Kind::Bounced, Some(false)),
        "deferred" => (Kind::Deferred, Some(false)),
        "spam_complaint" => (Kind::Complained, None),
        "unsubscribed" => (Kind::Unsubscribed, None),
        "sent" | "opened" | "opened_unique" | "clicked" | "clicked_unique" | "survey_opened"
        | "survey_submitted" => (Kind::Ignored, None),
        _ => (Kind::Unclear, None),
    };
    let of = |path: &[&str]| field::text(body, path);
    let mut event = Event::new(kind, body);
    event.id = of(&["data", "id"]).map(|id| format!("{name} {id}"));
    event.recipient = of(&["data", "email", "recipient", "email"]);
    event.message_id = of(&["data", "email", "message", "id"]);
    event.reply =
        of(&["data", "morph", "readable_reason"]).or_else(|| of(&["data", "morph", "reason"]));
    event.hard = hard;
    vec![event]
}
