//! Providers before the door: who proves themselves is stored once and answered,
//! who does not leaves nothing behind.

use std::collections::BTreeMap;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{hmac, rsa};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::PublicKeyData as _;
use rundbrief::config::secret::Secret;
use rundbrief::config::webhook::Webhook;
use rundbrief::read;
use rundbrief::store::value::Millis;
use rundbrief::webhook::Provider;
use rundbrief::webhook::certificate;
use rundbrief::webhook::door::{Answer, Counts, Door, Error};
use rundbrief::webhook::proof::{Refusal, Request};

use crate::app::{App, on_both};
use crate::returned::master;

on_both![
    every_provider_proves_itself_and_is_stored_once,
    a_changed_byte_or_an_old_moment_is_refused,
    a_topic_that_is_not_listed_is_refused,
    a_used_token_of_mailgun_carries_no_second_event,
    a_whole_mail_may_be_handed_in,
    an_azure_subscription_is_validated_by_echo,
    what_is_believed_and_not_understood_is_kept,
];

/// 2 March 2026, 8:00 UTC.
const NOW: Millis = Millis(1_772_438_400_000);
const TOPIC: &str = "arn:aws:sns:eu-central-1:000000000000:bounces";
const CERTIFICATE: &str = "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-1.pem";

/// What providers keep to themselves.
struct Keys {
    rsa: rsa::KeyPair,
    ecdsa: EcdsaKeyPair,
}

struct Signed {
    headers: Vec<(String, String)>,
    query: String,
    body: Vec<u8>,
}

impl Signed {
    fn request(&self) -> Request<'_> {
        Request { headers: &self.headers, query: &self.query, body: &self.body }
    }
}

fn keys() -> Keys {
    let document = EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    Keys { rsa: rsa::KeyPair::generate(rsa::KeySize::Rsa2048).unwrap(), ecdsa: document }
}

fn rsa_public(keys: &Keys) -> Vec<u8> {
    keys.rsa.public_key().as_der().unwrap().as_ref().to_vec()
}

/// A door with every provider, under the provider's word.
fn door(app: &App, keys: &Keys) -> Door {
    let mut webhooks = BTreeMap::new();
    for provider in Provider::ALL {
        let secret = match provider {
            Provider::Ses => None,
            Provider::Sendgrid => {
                Some(STANDARD.encode(keys.ecdsa.public_key().as_der().unwrap().as_ref()))
            }
            Provider::Postal => Some(format!("v=DKIM1; p={};", STANDARD.encode(rsa_public(keys)))),
            Provider::Resend => Some(format!("whsec_{}", STANDARD.encode("secret"))),
            Provider::Mailgun
            | Provider::Postmark
            | Provider::Brevo
            | Provider::Mailjet
            | Provider::Sparkpost
            | Provider::Mailtrap
            | Provider::Mailersend
            | Provider::Azure
            | Provider::Kumomta
            | Provider::Generic => Some("secret".to_owned()),
        };
        let secret = secret.map(|text| {
            let path = app.directory().join(format!("{provider}.secret"));
            std::fs::write(&path, text).unwrap();
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            Secret::File(path)
        });
        let topics = if *provider == Provider::Ses { vec![TOPIC.to_owned()] } else { vec![] };
        webhooks.insert(provider.to_string(), Webhook { provider: *provider, secret, topics });
    }
    let door = Door::open(&webhooks).unwrap();
    door.certificates().learn(CERTIFICATE.parse().unwrap(), rsa_public(keys));
    door
}

fn keyed(secret: &str, parts: &[&[u8]]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()), &parts.concat())
}

fn hex(tag: &hmac::Tag) -> String {
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn rsa_signed(keys: &Keys, text: &[u8]) -> String {
    let mut signed = vec![0; keys.rsa.public_modulus_len()];
    let random = SystemRandom::new();
    keys.rsa.sign(&signature::RSA_PKCS1_SHA256, &random, text, &mut signed).unwrap();
    STANDARD.encode(signed)
}

/// A body of the provider's fixtures, proven as the provider does at `at` seconds.
fn signed(provider: Provider, body: &serde_json::Value, keys: &Keys, at: i64) -> Signed {
    let mut body = body.clone();
    let time = at.to_string();
    if provider == Provider::Mailgun {
        let tag = hex(&keyed("secret", &[time.as_bytes(), b"token-1"]));
        body["signature"] =
            serde_json::json!({"timestamp": time, "token": "token-1", "signature": tag});
    }
    if provider == Provider::Ses {
        sign_envelope(&mut body, keys, at);
    }
    let body = body.to_string().into_bytes();
    let headers: Vec<(&str, String)> = match provider {
        Provider::Ses | Provider::Mailgun => vec![],
        Provider::Sendgrid => {
            let text = [time.as_bytes(), &body].concat();
            let given = keys.ecdsa.sign(&SystemRandom::new(), &text).unwrap();
            vec![
                ("x-twilio-email-event-webhook-timestamp", time),
                ("x-twilio-email-event-webhook-signature", STANDARD.encode(given)),
            ]
        }
        Provider::Postal => vec![("x-postal-signature-256", rsa_signed(keys, &body))],
        Provider::Resend => {
            let tag = keyed("secret", &[b"msg_1.", time.as_bytes(), b".", &body]);
            let given = format!("v1,AAAA v1,{}", STANDARD.encode(tag));
            vec![
                ("svix-id", "msg_1".to_owned()),
                ("svix-timestamp", time),
                ("svix-signature", given),
            ]
        }
        Provider::Mailtrap => vec![("mailtrap-signature", hex(&keyed("secret", &[&body])))],
        Provider::Mailersend => vec![("signature", hex(&keyed("secret", &[&body])))],
        Provider::Generic => {
            let tag = hex(&keyed("secret", &[time.as_bytes(), b".", &body]));
            vec![("x-rundbrief-timestamp", time), ("x-rundbrief-signature", tag)]
        }
        Provider::Postmark
        | Provider::Brevo
        | Provider::Mailjet
        | Provider::Sparkpost
        | Provider::Azure
        | Provider::Kumomta => vec![("authorization", "Bearer secret".to_owned())],
    };
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Signed { headers, query: String::new(), body }
}

fn sign_envelope(envelope: &mut serde_json::Value, keys: &Keys, at: i64) {
    let at = jiff::Timestamp::from_second(at).unwrap();
    envelope["Timestamp"] = at.to_string().into();
    envelope["SigningCertURL"] = CERTIFICATE.into();
    envelope["SignatureVersion"] = "2".into();
    let mut text = String::new();
    for name in ["Message", "MessageId", "Timestamp", "TopicArn", "Type"] {
        text += &format!("{name}\n{}\n", envelope[name].as_str().unwrap());
    }
    envelope["Signature"] = rsa_signed(keys, text.as_bytes()).into();
}

/// The first case of the provider's fixtures, and how many of its events are followed.
fn first(provider: Provider) -> (serde_json::Value, usize) {
    let path = format!("{}/tests/bounces/webhooks/{provider}.json", env!("CARGO_MANIFEST_DIR"));
    let cases: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let expected = cases[0]["expected"].as_array().unwrap();
    let followed = |e: &&serde_json::Value| e["event"] != "delivered" && e["event"] != "ignored";
    (cases[0]["body"].clone(), expected.iter().filter(followed).count())
}

async fn stored(app: &App) -> i64 {
    let text = "select count(*) from bounce where intake = 'webhook' and verdict = 'new'";
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    count
}

async fn every_provider_proves_itself_and_is_stored_once(app: App) {
    let keys = keys();
    let door = door(&app, &keys);
    let mut total = 0;
    for provider in Provider::ALL {
        let (body, followed) = first(*provider);
        let name = provider.to_string();
        let one = signed(*provider, &body, &keys, NOW.0 / 1000);
        let answer = door.receive(&app.store, &master().token(), &name, &one.request(), NOW).await;
        let Ok(Answer::Stored(counts)) = answer else { panic!("{provider}: {answer:?}") };
        assert_eq!((counts.new, counts.known), (followed, 0), "{provider}");
        total += followed;
        assert_eq!(stored(&app).await, total as i64, "{provider}");
        // The provider heard no answer, and says it again.
        let again = door.receive(&app.store, &master().token(), &name, &one.request(), NOW).await;
        let Ok(Answer::Stored(counts)) = again else { panic!("{provider}: {again:?}") };
        assert_eq!((counts.new, counts.known), (0, followed), "{provider}");
        assert_eq!(stored(&app).await, total as i64, "{provider}");
    }
}

async fn a_changed_byte_or_an_old_moment_is_refused(app: App) {
    let keys = keys();
    let door = door(&app, &keys);
    for provider in Provider::ALL {
        let name = provider.to_string();
        let (body, _) = first(*provider);
        let carried = matches!(
            provider,
            Provider::Postmark
                | Provider::Brevo
                | Provider::Mailjet
                | Provider::Sparkpost
                | Provider::Azure
                | Provider::Kumomta
        );
        let mut changed = signed(*provider, &body, &keys, NOW.0 / 1000);
        let text = String::from_utf8(changed.body).unwrap();
        if carried {
            changed.headers[0].1 = "Bearer secreT".to_owned();
        }
        // Mailgun's signature covers the moment and the token only.
        let (from, to) = if *provider == Provider::Mailgun {
            ("token-1", "token-2")
        } else {
            ("example.org", "example.com")
        };
        changed.body = text.replacen(from, to, 1).into_bytes();
        let answer =
            door.receive(&app.store, &master().token(), &name, &changed.request(), NOW).await;
        assert!(matches!(answer, Err(Error::Refused(Refusal::Wrong(_)))), "{provider}: {answer:?}");
        let bare = Signed { headers: vec![], ..signed(*provider, &body, &keys, NOW.0 / 1000) };
        if !bare.headers.is_empty() {
            let answer =
                door.receive(&app.store, &master().token(), &name, &bare.request(), NOW).await;
            assert!(matches!(answer, Err(Error::Refused(Refusal::Missing(_)))), "{provider}");
        }
        let timeless = carried
            || matches!(provider, Provider::Mailtrap | Provider::Mailersend | Provider::Postal);
        if !timeless {
            let old = signed(*provider, &body, &keys, NOW.0 / 1000 - 3 * 24 * 60 * 60);
            let answer =
                door.receive(&app.store, &master().token(), &name, &old.request(), NOW).await;
            assert!(
                matches!(answer, Err(Error::Refused(Refusal::Stale))),
                "{provider}: {answer:?}"
            );
        }
    }
    let nobody = signed(Provider::Generic, &first(Provider::Generic).0, &keys, NOW.0 / 1000);
    let answer =
        door.receive(&app.store, &master().token(), "nobody", &nobody.request(), NOW).await;
    assert!(matches!(answer, Err(Error::Unknown)));
    assert_eq!(stored(&app).await, 0);
}

async fn a_topic_that_is_not_listed_is_refused(app: App) {
    let keys = keys();
    let door = door(&app, &keys);
    let (mut body, _) = first(Provider::Ses);
    body["TopicArn"] = "arn:aws:sns:eu-central-1:000000000000:others".into();
    let foreign = signed(Provider::Ses, &body, &keys, NOW.0 / 1000);
    let answer = door.receive(&app.store, &master().token(), "ses", &foreign.request(), NOW).await;
    assert!(matches!(answer, Err(Error::Refused(Refusal::Topic))), "{answer:?}");
    let own = signed(Provider::Ses, &first(Provider::Ses).0, &keys, NOW.0 / 1000);
    for place in [
        "https://sns.eu-central-1.amazonaws.com.example.org/x.pem",
        "https://evil.example/sns.eu-central-1.amazonaws.com/x.pem",
        "http://sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.eu-central-1.amazonaws.com:8443/x.pem",
        "https://a:b%40-@sns.eu-central-1.amazonaws.com/x.pem",
        "https://sns.x/.amazonaws.com/x.pem",
    ] {
        let text = String::from_utf8(own.body.clone()).unwrap().replace(CERTIFICATE, place);
        let moved = Signed { headers: vec![], query: String::new(), body: text.into_bytes() };
        let answer =
            door.receive(&app.store, &master().token(), "ses", &moved.request(), NOW).await;
        assert!(matches!(answer, Err(Error::Refused(Refusal::Wrong(_)))), "{place}: {answer:?}");
    }
    assert_eq!(stored(&app).await, 0);
}

async fn a_used_token_of_mailgun_carries_no_second_event(app: App) {
    let keys = keys();
    let door = door(&app, &keys);
    let (mut body, _) = first(Provider::Mailgun);
    let one = signed(Provider::Mailgun, &body, &keys, NOW.0 / 1000);
    door.receive(&app.store, &master().token(), "mailgun", &one.request(), NOW).await.unwrap();
    body["event-data"]["id"] = "another".into();
    body["event-data"]["recipient"] = "joe@example.net".into();
    let two = signed(Provider::Mailgun, &body, &keys, NOW.0 / 1000);
    let answer = door.receive(&app.store, &master().token(), "mailgun", &two.request(), NOW).await;
    assert!(matches!(answer, Err(Error::Refused(Refusal::Replayed))), "{answer:?}");
    assert_eq!(stored(&app).await, 1);
}

async fn a_whole_mail_may_be_handed_in(app: App) {
    let door = door(&app, &keys());
    let mail =
        b"From: MAILER-DAEMON@mx.example.org\r\nSubject: Undelivered Mail\r\n\r\nUser unknown\r\n";
    let time = (NOW.0 / 1000).to_string();
    let tag = hex(&keyed("secret", &[time.as_bytes(), b".", mail]));
    let headers = [
        ("content-type", "message/rfc822".to_owned()),
        ("x-rundbrief-timestamp", time),
        ("x-rundbrief-signature", tag),
    ];
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value)).into();
    let handed = Signed { headers, query: String::new(), body: mail.to_vec() };
    for (new, known) in [(1, 0), (0, 1)] {
        let answer = door
            .receive(&app.store, &master().token(), "generic", &handed.request(), NOW)
            .await
            .unwrap();
        assert_eq!(answer, Answer::Stored(Counts { new, known, passed: 0 }));
    }
}

async fn an_azure_subscription_is_validated_by_echo(app: App) {
    let door = door(&app, &keys());
    let body = serde_json::json!([{
        "id": "1", "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "data": {"validationCode": "ABC-1"}
    }]);
    let asked = Signed {
        headers: vec![],
        query: "key=secret".to_owned(),
        body: body.to_string().into_bytes(),
    };
    let answer =
        door.receive(&app.store, &master().token(), "azure", &asked.request(), NOW).await.unwrap();
    assert_eq!(answer, Answer::Say("{\"validationResponse\":\"ABC-1\"}".to_owned()));
}

async fn what_is_believed_and_not_understood_is_kept(app: App) {
    let door = door(&app, &keys());
    for body in ["{\"event\": \"teleported\"}", "no json at all"] {
        let odd = Signed {
            headers: vec![("authorization".to_owned(), "Bearer secret".to_owned())],
            query: String::new(),
            body: body.as_bytes().to_vec(),
        };
        let answer = door
            .receive(&app.store, &master().token(), "brevo", &odd.request(), NOW)
            .await
            .unwrap();
        assert_eq!(answer, Answer::Stored(Counts { new: 1, known: 0, passed: 0 }), "{body}");
    }
    let text = "select count(*) from bounce where kind = 'unclear'";
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(count, 2);
}

#[test]
fn the_public_key_comes_out_of_a_certificate() {
    let made = rcgen::generate_simple_self_signed(["sns.example.org".to_owned()]).unwrap();
    let key = certificate::public_key(made.cert.pem().as_bytes()).unwrap();
    assert_eq!(key, made.signing_key.subject_public_key_info());
    assert!(certificate::public_key(b"no certificate").is_err());
}
