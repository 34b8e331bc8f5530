//! Postal: one event a request, signed with the installation's RSA key.

use aws_lc_rs::signature::{self, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::event::{Event, Kind};
use super::field;
use super::proof::{Refusal, Request};

/// Checks the signature; `key` is the public key in DER. It covers no moment: an
/// event that comes again is known. Postal's own keys have 1024 bits by default.
///
/// # Errors
/// It is missing or wrong.
pub fn verify(request: &Request<'_>, key: &[u8]) -> Result<(), Refusal> {
    let (given, algorithm) = match request.header("x-postal-signature-256") {
        Ok(given) => (given, &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        Err(_) => (
            request.header("x-postal-signature")?,
            &signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        ),
    };
    let given: String = given.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let given = STANDARD.decode(given).map_err(|_| Refusal::Wrong("signature"))?;
    UnparsedPublicKey::new(algorithm, key)
        .verify(request.body, &given)
        .map_err(|_| Refusal::Wrong("signature"))
}

/// The event of a body.
pub fn read(body: &Value) -> Vec<Event> {
    let of = |path: &[&str]| field::text(body, path);
    // A bounce mail that came back names the message it is about.
    let returned = field::at(body, &["payload", "bounce"]).is_some_and(Value::is_object);
    let kind = match of(&["event"]).as_deref() {
        _ if returned => Kind::Bounced,
        Some("MessageSent") => Kind::Delivered,
        Some("MessageDelayed" | "MessageHeld") => Kind::Deferred,
        Some("MessageDeliveryFailed") => Kind::Failed,
        Some("MessageBounced") => Kind::Bounced,
        Some(
            "MessageLinkClicked" | "MessageLoaded" | "DomainDNSError" | "SendLimitApproaching",
        )
        | Some("SendLimitExceeded") => Kind::Ignored,
        Some(_) | None => Kind::Unclear,
    };
    let about = if returned { "original_message" } else { "message" };
    let mut event = Event::new(kind, body);
    event.id = of(&["uuid"]);
    event.recipient = of(&["payload", about, "to"]);
    event.message_id = of(&["payload", about, "message_id"]);
    event.reply = of(&["payload", "output"]);
    event.note = of(&["payload", "details"]);
    vec![event]
}
