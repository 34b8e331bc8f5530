//! Mailjet: one event or a group; it is guarded by a user and password.

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
    let error = of("error").unwrap_or_default();
    let kind = match of("event").as_deref() {
        Some("sent") => Kind::Delivered,
        // Mailjet calls a greylisting a bounce and tries again.
        Some("bounce") if error == "greylisted" => Kind::Deferred,
        Some("bounce") => Kind::Bounced,
        Some("blocked") => Kind::Rejected,
        Some("spam") => Kind::Complained,
        Some("unsub") => Kind::Unsubscribed,
        Some("open" | "click") => Kind::Ignored,
        Some(_) | None => Kind::Unclear,
    };
    let mut event = Event::new(kind, value);
    event.recipient = of("email");
    event.message_id = of("Message_GUID").or_else(|| of("MessageID"));
    event.reply = of("smtp_reply").or_else(|| of("comment"));
    event.note = of("error");
    event.hard = field::flag(value, &["hard_bounce"]);
    event.reason = cause(&error);
    event
}

/// Mailjet's own list of errors.
fn cause(error: &str) -> Option<Reason> {
    match error {
        "user unknown" | "recipient does not exist" => Some(Reason::UserUnknown),
        "mailbox inactive" | "account has been temporarily suspended" => Some(Reason::Suspended),
        "quota exceeded" => Some(Reason::MailboxFull),
        "invalid domain" | "no mail host" | "typofix" => Some(Reason::HostUnknown),
        "relay/access denied" | "preblocked" | "duplicate in campaign" => Some(Reason::Rejected),
        "greylisted" | "connection rate limit" => Some(Reason::RateLimited),
        "sender blocked" => Some(Reason::Blocked),
        "content blocked" | "spam preblocked" | "bad or empty template" => {
            Some(Reason::SpamContent)
        }
        "policy issue" => Some(Reason::Policy),
        "system issue" | "protocol issue" => Some(Reason::System),
        "connection issue" => Some(Reason::Network),
        "template language error" => Some(Reason::ContentError),
        _ => None,
    }
}
