//! Amazon SES by SNS: the notification inside the envelope, and the envelope's
//! signature. Fetches nothing: the certificate is an argument.

use aws_lc_rs::signature::{self, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::Url;

use super::event::{Event, Kind};
use super::field;
use super::proof::Refusal;
use crate::bounce::reason::Reason;
use crate::store::value::Millis;

/// How old a notification may be: SNS tries a web address again for some hours.
const WINDOW: i64 = 24 * 60 * 60 * 1000;
/// How far the clocks may differ, in milliseconds.
const AHEAD: i64 = 5 * 60 * 1000;

/// What the envelope wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Envelope {
    /// Events to read.
    Notification,
    /// The topic asks whether we want it; this address says yes.
    Confirm(Url),
    /// The topic goes away.
    Gone,
}

/// Where the envelope says its certificate is, if that is SNS itself.
///
/// # Errors
/// Another host, another scheme, no certificate: somebody else signed this.
pub fn certificate_address(envelope: &Value) -> Result<Url, Refusal> {
    let text = field::text(envelope, &["SigningCertURL"])
        .or_else(|| field::text(envelope, &["SigningCertUrl"]))
        .ok_or(Refusal::Missing("SigningCertURL"))?;
    let url =
        of_sns(&text).ok_or(Refusal::Wrong("SigningCertURL is not at sns.*.amazonaws.com"))?;
    if !url.path().ends_with(".pem") || url.query().is_some() {
        return Err(Refusal::Wrong("SigningCertURL names no certificate"));
    }
    Ok(url)
}

/// The address, if it is one of SNS.
fn of_sns(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str()?;
    let rest = host.strip_prefix("sns.")?;
    let region =
        rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let good = url.scheme() == "https"
        && url.port().is_none()
        && url.username().is_empty()
        && url.password().is_none()
        && !region.is_empty()
        && region.chars().all(plain);
    good.then_some(url)
}

/// Checks topic, age and signature against the certificate's public key.
///
/// `key` is the subject public key info in DER.
///
/// # Errors
/// Says which of them does not hold.
pub fn verify(
    envelope: &Value,
    topics: &[String],
    key: &[u8],
    now: Millis,
) -> Result<Envelope, Refusal> {
    check_topic(envelope, topics)?;
    let at = field::text(envelope, &["Timestamp"]).ok_or(Refusal::Missing("Timestamp"))?;
    let at: jiff::Timestamp = at.parse().map_err(|_| Refusal::Wrong("Timestamp"))?;
    let age = now.0.saturating_sub(at.as_millisecond());
    if !(-AHEAD..=WINDOW).contains(&age) {
        return Err(Refusal::Stale);
    }
    let kind = field::text(envelope, &["Type"]).ok_or(Refusal::Missing("Type"))?;
    let signed = signed_text(envelope, &kind)?;
    let signature = field::text(envelope, &["Signature"]).ok_or(Refusal::Missing("Signature"))?;
    let signature = STANDARD.decode(signature).map_err(|_| Refusal::Wrong("Signature"))?;
    let algorithm = match field::text(envelope, &["SignatureVersion"]).as_deref() {
        Some("2") => &signature::RSA_PKCS1_2048_8192_SHA256,
        Some("1") => &signature::RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Some(_) | None => return Err(Refusal::Wrong("SignatureVersion")),
    };
    UnparsedPublicKey::new(algorithm, key)
        .verify(signed.as_bytes(), &signature)
        .map_err(|_| Refusal::Wrong("Signature"))?;
    Ok(match kind.as_str() {
        "SubscriptionConfirmation" => {
            let url = field::text(envelope, &["SubscribeURL"]);
            let url = url.ok_or(Refusal::Missing("SubscribeURL"))?;
            Envelope::Confirm(of_sns(&url).ok_or(Refusal::Wrong("SubscribeURL"))?)
        }
        "UnsubscribeConfirmation" => Envelope::Gone,
        _ => Envelope::Notification,
    })
}

/// Refuses a topic that the configuration does not list.
///
/// # Errors
/// The envelope's topic is another, or it names none.
pub fn check_topic(envelope: &Value, topics: &[String]) -> Result<(), Refusal> {
    let topic = field::text(envelope, &["TopicArn"]).ok_or(Refusal::Missing("TopicArn"))?;
    if topics.contains(&topic) { Ok(()) } else { Err(Refusal::Topic) }
}

/// The text that SNS signs: names and values of some fields, each on a line.
fn signed_text(envelope: &Value, kind: &str) -> Result<String, Refusal> {
    let names: &[&str] = match kind {
        "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
            &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
        }
        _ => return Err(Refusal::Wrong("Type")),
    };
    let mut text = String::new();
    for name in names {
        match envelope.get(name).and_then(Value::as_str) {
            Some(value) => {
                text.push_str(name);
                text.push('\n');
                text.push_str(value);
                text.push('\n');
            }
            // Only a notification's subject may be absent.
            None if *name == "Subject" => {}
            None => return Err(Refusal::Wrong("a signed field is missing")),
        }
    }
    Ok(text)
}

/// The events of a notification, with or without the envelope around it.
///
/// # Errors
/// The message inside is no JSON: words for a person.
pub fn read(body: &Value) -> Result<Vec<Event>, String> {
    let Some(message) = body.get("Message").and_then(Value::as_str) else {
        return Ok(notification(body, None));
    };
    // What SNS sends of itself is plain text.
    if field::text(body, &["Type"]).is_some_and(|kind| kind != "Notification") {
        return Ok(Vec::new());
    }
    let id = field::text(body, &["MessageId"]);
    if message.starts_with("Successfully validated SNS topic") {
        return Ok(Vec::new());
    }
    match serde_json::from_str(message) {
        Ok(inner) => Ok(notification(&inner, id.as_deref())),
        Err(error) => Err(format!("the message inside the envelope is no JSON: {error}")),
    }
}

fn notification(inner: &Value, id: Option<&str>) -> Vec<Event> {
    let kind = field::text(inner, &["eventType"])
        .or_else(|| field::text(inner, &["notificationType"]))
        .unwrap_or_default();
    let mut events = match kind.as_str() {
        "Bounce" => bounce(inner),
        "Complaint" => complaint(inner),
        "Delivery" => each(inner, &["delivery", "recipients"], Kind::Delivered, |event| {
            event.reply = field::text(inner, &["delivery", "smtpResponse"]);
        }),
        "DeliveryDelay" => delay(inner),
        "Reject" => each(inner, &["mail", "destination"], Kind::Rejected, |event| {
            event.reply = field::text(inner, &["reject", "reason"]);
            event.reason = Some(Reason::SpamContent);
        }),
        "Rendering Failure" => each(inner, &["mail", "destination"], Kind::Failed, |event| {
            event.reply = field::text(inner, &["failure", "errorMessage"]);
            event.reason = Some(Reason::ContentError);
        }),
        "Send"
        | "Open"
        | "Click"
        | "Received"
        | "Subscription"
        | "AmazonSnsSubscriptionSucceeded" => vec![Event::new(Kind::Ignored, inner)],
        _ => vec![Event::new(Kind::Unclear, inner)],
    };
    if events.is_empty() {
        events.push(Event::new(Kind::Unclear, inner));
    }
    let sent = message_id(inner);
    for event in &mut events {
        event.message_id.clone_from(&sent);
        event.id = id.map(str::to_owned);
    }
    events
}

fn bounce(inner: &Value) -> Vec<Event> {
    let of = |name: &str| field::text(inner, &["bounce", name]).unwrap_or_default();
    let (kind, sub) = (of("bounceType"), of("bounceSubType"));
    let reason = match sub.as_str() {
        "NoEmail" => Some(Reason::UserUnknown),
        "MailboxFull" => Some(Reason::MailboxFull),
        "MessageTooLarge" => Some(Reason::TooBig),
        "ContentRejected" | "AttachmentRejected" => Some(Reason::SpamContent),
        _ => None,
    };
    field::list(inner, &["bounce", "bouncedRecipients"])
        .iter()
        .map(|recipient| {
            let mut event = Event::new(Kind::Bounced, inner);
            event.recipient = field::text(recipient, &["emailAddress"]);
            event.status = field::text(recipient, &["status"]);
            event.reply = field::text(recipient, &["diagnosticCode"]);
            event.note = Some(format!("{kind}: {sub}"));
            event.reason = reason;
            event.hard = match kind.as_str() {
                "Permanent" => Some(true),
                "Transient" => Some(false),
                _ => None,
            };
            event
        })
        .collect()
}

fn complaint(inner: &Value) -> Vec<Event> {
    field::list(inner, &["complaint", "complainedRecipients"])
        .iter()
        .map(|recipient| {
            let mut event = Event::new(Kind::Complained, inner);
            event.recipient = field::text(recipient, &["emailAddress"]);
            event.note = field::text(inner, &["complaint", "complaintFeedbackType"]);
            event
        })
        .collect()
}

fn delay(inner: &Value) -> Vec<Event> {
    field::list(inner, &["deliveryDelay", "delayedRecipients"])
        .iter()
        .map(|recipient| {
            let mut event = Event::new(Kind::Deferred, inner);
            event.recipient = field::text(recipient, &["emailAddress"]);
            event.status = field::text(recipient, &["status"]);
            event.reply = field::text(recipient, &["diagnosticCode"]);
            event.note = field::text(inner, &["deliveryDelay", "delayType"]);
            event
        })
        .collect()
}

fn each(inner: &Value, path: &[&str], kind: Kind, fill: impl Fn(&mut Event)) -> Vec<Event> {
    field::list(inner, path)
        .iter()
        .filter_map(Value::as_str)
        .map(|recipient| {
            let mut event = Event::new(kind, inner);
            event.recipient = Some(recipient.to_owned());
            fill(&mut event);
            event
        })
        .collect()
}

/// The Message-ID as the mail was handed in; SES shows it among the headers.
fn message_id(inner: &Value) -> Option<String> {
    let named = |header: &&Value| {
        field::text(header, &["name"]).is_some_and(|name| name.eq_ignore_ascii_case("Message-ID"))
    };
    let headers = field::list(inner, &["mail", "headers"]);
    headers
        .iter()
        .find(named)
        .and_then(|header| field::text(header, &["value"]))
        .or_else(|| field::text(inner, &["mail", "commonHeaders", "messageId"]))
        .or_else(|| field::text(inner, &["mail", "messageId"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const KEY: &str = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAmWRp4103jGAOf4CodcMWnmh2kXl3Ne6qcRk4\
         Jgb99Z9LQ0hgxFzFLqB3iRQVT75BEdByNFEGOaskYjbRie01JCTQ97s1P8RERzHPA6i6cbD0zdAqg3OY\
         vJ2MPFCBIW39NfvifUreRKe8G+cw7DFWfSkgw0/Bq1Jyzvwtk+icOUrkxGedn4fFocBWztBrIzGpwegz\
         w3ViCDFkh+b1Qr/N2ep/XOqIf9cyA9C7T9FL+wKgIgot0YWVVA1r+NJcRShEx9RP/KDIINDblSuIewBA\
         cW/YC58F/wDYMT/3bpvwMP3lGos9p7nzojqeG6JEyBloD29w5c55lABCWPSj0UsOqQIDAQAB";
    /// SHA-1 with RSA, made by openssl.
    const SIGNATURE: &str = "eJe1u7CfRU2DbYH/XfOVbbl8Kzif3V5RA3OWUd4QQqezvlOoQ/oet3vnu23wAFLBxCLzqQTY9BmUuSZO\
         77MJrI2zdLfLuoUe74CTD93fmEYoTihv636Zz1DEUsxwt25vZi4z0FYsIjWvUy05d2Fz/iAxFjrL69Q9\
         k/8DcCycKU6tGoa3keXhxf76Ot6PYo40hvFl/JBy6vlxWnfQwewZEt1H5cRmtA7fg/TwS7WTTX8T00Jx\
         eR9sWVrVqFj9PDrbguLZNrAudX6BhjZHGXn3cTbi/qAxNML0QUp4CGbWvCE7llEumujkgEDHSlBZI16k\
         I1ATARSilZ+aD2ge+HYtgA==";
    const TOPIC: &str = "arn:aws:sns:eu-central-1:000000000000:bounces";

    #[test]
    fn the_older_signature_is_checked_with_the_subject_in_it() {
        let mut envelope = json!({
            "Type": "Notification", "MessageId": "1", "TopicArn": TOPIC, "Message": "hello",
            "Subject": "A subject", "Timestamp": "2026-03-02T08:00:00.000Z",
            "SignatureVersion": "1", "Signature": SIGNATURE,
        });
        let (key, topics) = (STANDARD.decode(KEY).unwrap(), [TOPIC.to_owned()]);
        let now = Millis(1_772_438_400_000);
        let check = |envelope: &Value| verify(envelope, &topics, &key, now);
        assert_eq!(check(&envelope), Ok(Envelope::Notification));
        envelope["SignatureVersion"] = "2".into();
        assert_eq!(check(&envelope), Err(Refusal::Wrong("Signature")));
        envelope["SignatureVersion"] = "1".into();
        envelope["Subject"] = "Another subject".into();
        assert_eq!(check(&envelope), Err(Refusal::Wrong("Signature")));
        envelope.as_object_mut().unwrap().remove("Subject");
        assert_eq!(check(&envelope), Err(Refusal::Wrong("Signature")));
    }
}
