//! Azure Communication Services by Event Grid: a list of events, guarded by a
//! token; a new subscription is validated by echoing its code.

use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use crate::bounce::reason::Reason;

/// The code of a validation event, to be sent back.
pub fn validation(body: &Value) -> Option<String> {
    field::batch(body).iter().find_map(|value| {
        let kind = field::text(value, &["eventType"])?;
        (kind == "Microsoft.EventGrid.SubscriptionValidationEvent")
            .then(|| field::text(value, &["data", "validationCode"]))
            .flatten()
    })
}

/// The events of a body, in Event Grid's schema or as CloudEvents.
pub fn read(body: &Value) -> Vec<Event> {
    field::batch(body).iter().map(event).collect()
}

fn event(value: &Value) -> Event {
    let of = |path: &[&str]| field::text(value, path);
    let name = of(&["eventType"]).or_else(|| of(&["type"])).unwrap_or_default();
    let status = of(&["data", "status"]).unwrap_or_default();
    let (kind, hard, reason) = match name.strip_prefix("Microsoft.Communication.") {
        Some("EmailDeliveryReportReceived") => reported(&status),
        Some(_) => (Kind::Ignored, None, None),
        None => (Kind::Unclear, None, None),
    };
    let mut event = Event::new(kind, value);
    event.id = of(&["id"]);
    event.recipient = of(&["data", "recipient"]);
    event.message_id = of(&["data", "internetMessageId"]).or_else(|| of(&["data", "messageId"]));
    event.reply = of(&["data", "deliveryStatusDetails", "statusMessage"]);
    event.note = Some(status);
    event.hard = hard;
    event.reason = reason;
    event
}

/// Azure's own list of states.
fn reported(status: &str) -> (Kind, Option<bool>, Option<Reason>) {
    match status {
        "Delivered" => (Kind::Delivered, None, None),
        "Bounced" => (Kind::Bounced, Some(true), None),
        "Failed" => (Kind::Failed, Some(false), None),
        "FilteredSpam" | "Quarantined" => (Kind::Bounced, Some(false), Some(Reason::SpamContent)),
        "Suppressed" => (Kind::Rejected, Some(false), Some(Reason::Rejected)),
        "Expanded" => (Kind::Ignored, None, None),
        _ => (Kind::Unclear, None, None),
    }
}
