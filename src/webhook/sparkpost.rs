//! SparkPost: a batch of events, each in a wrapper of its class; it is guarded by
//! a user and password or a token.

use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use crate::bounce::reason::Reason;

/// The events of a body.
pub fn read(body: &Value) -> Vec<Event> {
    field::batch(body).iter().map(event).collect()
}

fn event(outer: &Value) -> Event {
    let Some(Value::Object(wrapper)) = outer.get("msys") else {
        return Event::new(Kind::Unclear, outer);
    };
    // An empty wrapper asks whether anybody is here.
    let Some(value) = wrapper.values().next() else {
        return Event::new(Kind::Ignored, outer);
    };
    let of = |name: &str| field::text(value, &[name]);
    let class = of("bounce_class").and_then(|class| class.parse().ok()).unwrap_or(0);
    let kind = match of("type").as_deref() {
        Some("bounce" | "out_of_band") => bounced(class),
        Some("delay") => Kind::Deferred,
        Some("delivery") => Kind::Delivered,
        Some("spam_complaint") => Kind::Complained,
        Some("policy_rejection" | "generation_rejection") => Kind::Rejected,
        Some("generation_failure") => Kind::Failed,
        Some("list_unsubscribe" | "link_unsubscribe") => Kind::Unsubscribed,
        Some(
            "injection" | "sms_status" | "initial_open" | "open" | "click" | "amp_open"
            | "amp_click" | "amp_initial_open" | "relay_injection" | "relay_delivery"
            | "relay_rejection" | "relay_tempfail" | "relay_permfail" | "ab_test_completed"
            | "ab_test_cancelled" | "ingest_success" | "ingest_error",
        ) => Kind::Ignored,
        Some(_) | None => Kind::Unclear,
    };
    let mut event = Event::new(kind, value);
    event.id = of("event_id");
    event.recipient = of("raw_rcpt_to").or_else(|| of("rcpt_to"));
    event.message_id = of("transmission_id").or_else(|| of("message_id"));
    event.reply = of("raw_reason").or_else(|| of("reason"));
    event.code = of("error_code");
    (event.reason, event.hard) = match kind {
        Kind::Bounced => cause(class),
        // The template cannot be made into a mail.
        Kind::Failed => (Some(Reason::ContentError), Some(false)),
        Kind::Delivered
        | Kind::Deferred
        | Kind::Rejected
        | Kind::Complained
        | Kind::Unsubscribed
        | Kind::AutoReplied
        | Kind::Ignored
        | Kind::Unclear => (None, None),
    };
    event
}

/// Some classes of bounce are none.
fn bounced(class: u32) -> Kind {
    match class {
        60 | 100 => Kind::AutoReplied,
        80 => Kind::Ignored,
        90 => Kind::Unsubscribed,
        _ => Kind::Bounced,
    }
}

/// SparkPost's own classes.
fn cause(class: u32) -> (Option<Reason>, Option<bool>) {
    match class {
        10 | 30 => (Some(Reason::UserUnknown), Some(true)),
        21 => (Some(Reason::Network), Some(false)),
        22 => (Some(Reason::MailboxFull), Some(false)),
        23 => (Some(Reason::TooBig), Some(false)),
        24 => (Some(Reason::Expired), Some(false)),
        25 => (Some(Reason::Rejected), Some(false)),
        50 | 51 => (Some(Reason::Blocked), Some(false)),
        52 | 53 => (Some(Reason::SpamContent), Some(false)),
        54 => (Some(Reason::Policy), Some(false)),
        20 | 40 | 70 => (None, Some(false)),
        _ => (None, None),
    }
}
