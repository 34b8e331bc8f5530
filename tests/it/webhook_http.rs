//! Providers' requests as they come over HTTP, and what their delivered events settle.

use std::sync::Arc;
use std::time::Instant;

use aws_lc_rs::hmac;
use rundbrief::config::secret::Secret;
use rundbrief::config::webhook::Webhook;
use rundbrief::daemon::pulse::Pulse;
use rundbrief::read;
use rundbrief::smtp::mark::Mark;
use rundbrief::web::{self, Site};
use rundbrief::webhook::Provider;
use rundbrief::webhook::door::Door;
use rundbrief::webhook::event::{Event, Kind};
use serde_json::{Value, json};

use crate::app::{App, on_both};
use crate::returned::{FULL, World, day, failure, master, verp};

on_both![
    what_is_too_large_forged_or_of_another_type_leaves_nothing,
    a_delivered_event_settles_what_nobody_could_know_and_nothing_else,
];

/// Larger than any request that is read.
const HUGE: usize = 9 * 1024 * 1024;

/// A door for three classes of proof: carried, keyed over the bytes, keyed in the body.
fn door(app: &App) -> Door {
    use std::os::unix::fs::PermissionsExt as _;
    let path = app.directory().join("webhook.secret");
    std::fs::write(&path, "secret").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let open = |provider: Provider| {
        let secret = Some(Secret::File(path.clone()));
        (provider.to_string(), Webhook { provider, secret, topics: vec![] })
    };
    let all = [Provider::Postmark, Provider::Generic, Provider::Mailgun, Provider::Mailtrap];
    Door::open(&all.map(open).into()).unwrap()
}

async fn serve(app: &App) -> String {
    let site = Site {
        store: app.store.clone(),
        key: master(),
        address: "http://127.0.0.1:8025".parse().unwrap(),
        webhooks: Arc::new(door(app)),
        pulse: Arc::new(Pulse::new(Instant::now())),
        open_house: false,
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, web::router(site)).await });
    format!("http://{at}/webhook")
}

fn hex(text: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"secret");
    hmac::sign(&key, text).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn stored(app: &App) -> i64 {
    let text = "select count(*) from bounce";
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    count
}

async fn what_is_too_large_forged_or_of_another_type_leaves_nothing(app: App) {
    let at = serve(&app).await;
    // A connection for each: one that was refused in mid-body serves no other request.
    let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
    let post = |name: &str, kind: &str, headers: &[(&str, String)], body: Vec<u8>| {
        let request = client.post(format!("{at}/{name}")).header("content-type", kind).body(body);
        let request = headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, value.as_str()));
        async move {
            // A server that hangs up in mid-body has refused as well.
            request.send().await.map_or(413, |answer| answer.status().as_u16())
        }
    };
    let carried = [("authorization", "Bearer secret".to_owned())];
    let bounce =
        json!({"RecordType": "Bounce", "Type": "HardBounce", "ID": 7, "Email": "a@example.org"});
    let body = bounce.to_string().into_bytes();
    let signed = [("mailtrap-signature", hex(&body))];
    for (name, headers) in [("postmark", &carried), ("mailtrap", &signed)] {
        let huge = vec![b' '; HUGE];
        assert_eq!(post(name, "application/json", headers, huge).await, 413, "{name}");
        assert_eq!(post(name, "application/json", &[], body.clone()).await, 401, "{name}");
    }
    let wrong = [("authorization", "Bearer secreT".to_owned())];
    assert_eq!(post("postmark", "application/json", &wrong, body.clone()).await, 401);
    let changed = [body.as_slice(), b" "].concat();
    assert_eq!(post("mailtrap", "application/json", &signed, changed).await, 401);
    // Mailgun's form, with the signature in the body: none, and one of another moment.
    let form = b"event=bounced&recipient=a%40example.org&timestamp=1&token=t&signature=00".to_vec();
    assert_eq!(post("mailgun", "application/x-www-form-urlencoded", &[], form.clone()).await, 401);
    assert_eq!(post("mailgun", "text/plain", &[], form).await, 401, "no JSON: no signature");
    // Old, though the signature is right.
    let old = [
        ("x-rundbrief-timestamp", "1700000000".to_owned()),
        ("x-rundbrief-signature", hex(&[b"1700000000.".as_slice(), &body].concat())),
    ];
    assert_eq!(post("generic", "application/json", &old, body.clone()).await, 401);
    assert_eq!(post("nobody", "application/json", &carried, body.clone()).await, 404);
    let got = client.get(format!("{at}/postmark")).send().await.unwrap();
    assert_eq!(got.status(), 405);
    assert_eq!(stored(&app).await, 0);

    // The proof decides, not what a type is called; the same once more is the same.
    for kind in ["text/plain", "application/json"] {
        assert_eq!(post("postmark", kind, &carried, body.clone()).await, 200, "{kind}");
        assert_eq!(stored(&app).await, 1, "{kind}");
    }
    // Believed and no JSON: kept for a person.
    assert_eq!(post("postmark", "text/html", &carried, b"<html>".to_vec()).await, 200);
    assert_eq!(stored(&app).await, 2);
}

async fn a_delivered_event_settles_what_nobody_could_know_and_nothing_else(app: App) {
    let world = World::new(&app, 4).await;
    let (issue, deliveries) = world.issue(1, "unknown", day(0)).await;
    let at = serve(&app).await;
    let client = reqwest::Client::new();
    let tell = async |token: &str| {
        let body =
            json!({"RecordType": "Delivery", "MessageID": "x", "Metadata": {"delivery": token}});
        let request =
            client.post(format!("{at}/postmark")).header("authorization", "Bearer secret");
        assert_eq!(request.body(body.to_string()).send().await.unwrap().status(), 200);
    };
    let fate = async |n: usize| -> (String, Option<String>) {
        read!(app.store, |db| sqlx::query_as("select state, evidence from delivery where id = $1")
            .bind(deliveries[n])
            .fetch_one(db)
            .await)
        .unwrap()
    };
    let mut tx = app.store.begin().await.unwrap();
    // Events are of now; the deliveries of this world are of a day to come.
    rundbrief::on!(tx, |c| sqlx::query("update delivery set changed_at = $1")
        .bind(crate::delivery::now())
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    for (n, state) in [(1, "accepted"), (2, "failed")] {
        rundbrief::on!(tx, |c| sqlx::query("update delivery set state = $2 where id = $1")
            .bind(deliveries[n])
            .bind(state)
            .execute(c)
            .await
            .map(drop))
        .unwrap();
    }
    tx.commit().await.unwrap();
    for (n, delivery) in deliveries.iter().enumerate().take(3) {
        tell(&world.token(issue, *delivery, n)).await;
        tell(&world.token(issue, *delivery, n)).await;
    }
    // A token of another reader proves nothing.
    tell(&world.token(issue, deliveries[3], 0)).await;
    let delivered = Some("delivered".to_owned());
    assert_eq!(fate(0).await, ("accepted".to_owned(), delivered.clone()));
    assert_eq!(fate(1).await, ("accepted".to_owned(), delivered));
    assert_eq!(fate(2).await, ("failed".to_owned(), None));
    assert_eq!(fate(3).await, ("unknown".to_owned(), None));
    assert_eq!(stored(&app).await, 0, "nothing to read, nothing to decide");
    // What comes back later outweighs it.
    world.receive(&failure(&verp(&world.token(issue, deliveries[0], 0)), FULL), day(1)).await;
    world.step(day(1)).await;
    assert_eq!(fate(0).await, ("accepted".to_owned(), Some("bounced".to_owned())));
}

/// What each provider sends back of the header that its relay was given.
fn echo(mark: Mark, token: &str) -> (Provider, Value) {
    match mark {
        Mark::Ses => (
            Provider::Ses,
            json!({"Type": "Notification", "Message": json!({"eventType": "Bounce",
                "mail": {"messageId": "x", "tags": {"delivery": [token]}},
                "bounce": {"bounceType": "Permanent", "bouncedRecipients": [{"emailAddress": "a@example.org"}]}
            }).to_string()}),
        ),
        Mark::Sendgrid => (
            Provider::Sendgrid,
            json!([{"event": "bounce", "email": "a@example.org", "delivery": token}]),
        ),
        Mark::Mailgun => (
            Provider::Mailgun,
            json!({"event-data": {"event": "failed", "severity": "permanent",
                "recipient": "a@example.org", "user-variables": {"delivery": token}}}),
        ),
        Mark::Postmark => (
            Provider::Postmark,
            json!({"RecordType": "Bounce", "Type": "HardBounce", "Email": "a@example.org",
                "Metadata": {"delivery": token}}),
        ),
        Mark::Brevo => (
            Provider::Brevo,
            json!({"event": "hard_bounce", "email": "a@example.org",
                "X-Mailin-custom": format!("delivery:{token}")}),
        ),
        Mark::Mailjet => (
            Provider::Mailjet,
            json!({"event": "bounce", "email": "a@example.org", "hard_bounce": true,
                "CustomID": token}),
        ),
        Mark::Sparkpost => (
            Provider::Sparkpost,
            json!([{"msys": {"message_event": {"type": "bounce", "rcpt_to": "a@example.org",
                "bounce_class": "10", "rcpt_meta": {"delivery": token}}}}]),
        ),
        Mark::Mailtrap => (
            Provider::Mailtrap,
            json!({"events": [{"event": "bounce", "email": "a@example.org",
                "custom_variables": {"delivery": token}}]}),
        ),
        Mark::Postal => (
            Provider::Postal,
            json!({"event": "MessageDeliveryFailed", "payload": {"status": "HardFail",
                "message": {"to": "a@example.org", "tag": token}}}),
        ),
    }
}

#[test]
fn every_providers_own_header_ties_its_events() {
    let token = "abcdefghijklmnopqrstuvwxyz234567";
    for mark in Mark::ALL {
        assert!(mark.header(token).contains(token));
        let (provider, body) = echo(*mark, token);
        let events = rundbrief::webhook::read(provider, &body).unwrap();
        let [event] = &events[..] else { panic!("{mark}: {events:?}") };
        let failed = matches!(event.kind, Kind::Bounced | Kind::Failed);
        assert!(failed, "{mark}: {}", event.kind);
        assert_eq!(Event::token(event).as_deref(), Some(token), "{mark}");
    }
}
