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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmWRp4103jGAOf4CodcMWnmh2kXl3Ne6qcRk4\
         Jgb99Z9LQ0hgxFzFLqB3iRQVT75BEdByNFEGOaskYjbRie01JCTQ97s1P8RERzHPA6i6cbD0zdAqg3OY\
         vJ2MPFCBIW39NfvifUreRKe8G+cw7DFWfSkgw0/Bq1Jyzvwtk+icOUrkxGedn4fFocBWztBrIzGpwegz\
         w3ViCDFkh+b1Qr/N2ep/XOqIf9cyA9C7T9FL+wKgIgot0YWVVA1r+NJcRShEx9RP/KDIINDblSuIewBA\
         cW/YC58F/wDYMT/3bpvwMP3lGos9p7nzojqeG6JEyBloD29w5c55lABCWPSj0UsOqQIDAQAB";
    /// SHA-1 with RSA, made by openssl.
    const SIGNATURE: &str = "G4g0fSdO3RClWaIJsjUhfqVm2g4q3YIqVB2wI54RShPaE1vk3n7zTsQRr87Qsto9jk8IuUeeyjZLSKZp\
         xgS3/cV4HTc2v6RyxD056iZuTnFwKp/sW1aeb+vItXDXSrmqFTYJXGGLuPqSWe850CbOCO+jgwc7d4Pu\
         wFx47bn75hVcd9ot3xeTG6J3URpvY6xbTYvpRVbIFK8VQf2X02222L8S9wCwd3N78PIG7huyeYnrPJSy\
         W9+cGFCuYHONAAlt7ZgHUJ0n5RmVzSjdMRuHVaM+1zw/SrfG7zgxfkIij7vOR7neDQVO7ncS78ZKTqBI\
         M6hZp69VzMjrpwCqtb3PtQ==";

    #[test]
    fn the_older_signature_is_checked() {
        let headers = [("x-postal-signature".to_owned(), SIGNATURE.to_owned())];
        let key = STANDARD.decode(KEY).unwrap();
        let body = |body| Request { headers: &headers, query: "", body };
        assert_eq!(verify(&body(b"{\"event\":\"MessageSent\"}"), &key), Ok(()));
        let changed = verify(&body(b"{\"event\":\"MessageHeld\"}"), &key);
        assert_eq!(changed, Err(Refusal::Wrong("signature")));
    }
}
