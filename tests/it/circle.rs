//! The whole circle: an issue goes to a real Postfix, which takes every mail and
//! sends some back later; each bounce ends at the delivery it is about.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rundbrief::bounce::{maildir, verdict};
use rundbrief::config::mailbox::{Listen, Lmtp, Protocol};
use rundbrief::delivery::line;
use rundbrief::delivery::pool::ReturnPath;
use rundbrief::delivery::worker::{Round, Setup, Worker};
use rundbrief::errand::letter::Desk;
use rundbrief::errand::send;
use rundbrief::intake::listener::{Listener, Mailboxes};
use rundbrief::smtp::relay::{Relay, Setup as Line};
use rundbrief::store::Store;
use rundbrief::store::value::Millis;
use rundbrief::{newsletter, on, read};
use rundbrief_subscribers::key::Master;

use crate::app::{App, on_both};
use crate::delivery::{issue, now, readers};
use crate::errand;
use crate::postfix::{self, Bounces, Postfix};

on_both![
    bounces_that_are_handed_over_by_lmtp_end_at_their_deliveries,
    bounces_that_are_handed_over_by_smtp_end_at_their_deliveries,
    bounces_in_a_maildir_end_at_their_deliveries,
];

/// How long Postfix may take to send everything back.
const BACK: Duration = Duration::from_secs(60);

fn master() -> Master {
    Master::new([7; 32])
}

/// Twelve readers whose mails arrive, three who are gone, two whose mailboxes are full.
fn addresses() -> Vec<String> {
    let mut all = readers(12);
    all.extend((0..3).map(|n| format!("reader{n}@gone.example.net")));
    all.extend((0..2).map(|n| format!("reader{n}@full.example.net")));
    all
}

async fn deliver(app: &App, port: u16) {
    let setup = Setup {
        transports: vec![line::Setup {
            name: "postfix".to_owned(),
            relay: Relay::new(Line::plain("127.0.0.1", port)).unwrap(),
            connections: 2,
            unsynced: 8,
            rate: None,
            domain_rate: None,
        }],
        order: vec!["postfix".to_owned()],
        return_path: ReturnPath {
            local: "bounce".to_owned(),
            domain: "news.example.de".to_owned(),
        },
        keys: Vec::new(),
        key: master().token(),
        clock: now,
        evidence: Duration::ZERO,
    };
    let (mut worker, _) = Worker::start(app.store.clone(), app.directory(), setup).await.unwrap();
    while worker.round().await.unwrap() == Round::Busy {}
    let text = "select count(*) from delivery where state = 'accepted'";
    let (accepted,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(accepted, 17, "Postfix takes every mail at first");
}

async fn stored(store: &Store) -> i64 {
    let text = "select count(*) from bounce";
    let (count,): (i64,) = read!(store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    count
}

/// Decides about what came back, and looks whether each bounce found its delivery.
async fn judge(app: &App, log: &str) {
    let ours = verdict::Ours { key: master().token(), unsubscribe: None };
    while verdict::step(&app.store, &ours, now()).await.unwrap().read > 0 {}
    let text = "select s.domain, count(*), count(distinct d.id), min(d.evidence), min(b.kind)
                from bounce b
                join delivery d on d.id = b.delivery_id
                join subscriber s on s.id = d.subscriber_id
                group by s.domain order by s.domain";
    let found: Vec<(String, i64, i64, Option<String>, String)> =
        read!(app.store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap();
    let row = |domain: &str, n| {
        (domain.to_owned(), n, n, Some("bounced".to_owned()), "failure".to_owned())
    };
    assert_eq!(found, [row("full.example.net", 2), row("gone.example.net", 3)], "{log}");
    // Each report names the very reader of its delivery.
    let text = "select s.address, b.report from bounce b
                join delivery d on d.id = b.delivery_id
                join subscriber s on s.id = d.subscriber_id";
    let found: Vec<(String, sqlx::types::Json<serde_json::Value>)> =
        read!(app.store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap();
    for (address, report) in found {
        let recipient = &report.0["recipients"][0];
        assert_eq!(recipient["address"], address.as_str());
        let gone = address.ends_with("@gone.example.net");
        assert_eq!(recipient["hard"], gone, "{recipient}");
        assert_eq!(recipient["reason"], if gone { "user unknown" } else { "mailbox full" });
    }
    let text = "select count(*) from bounce where verdict in ('forged', 'stale', 'untied', 'new')";
    let (strangers,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(strangers, 0);
}

/// Four days later, as the clock of probes reads it.
fn later() -> Millis {
    Millis(now().0 + 4 * 24 * 60 * 60 * 1000)
}

/// The probes to those who are gone go out, come back, and are the last word.
async fn ask_again(app: &App, postfix: &Postfix) {
    let example = include_str!("../../deploy/newsletter.toml");
    let definition = newsletter::parse(example, "newsletter.toml".as_ref()).unwrap();
    let mut tx = app.store.begin().await.unwrap();
    on!(tx, |c| sqlx::query("update newsletter set definition = $1")
        .bind(sqlx::types::Json(&definition))
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    let desk = Desk { key: master().token(), ..errand::desk(app) };
    let done = send::step(&desk, &errand::lines(&[postfix.port]), later, || true).await.unwrap();
    assert_eq!(done.accepted, 3, "one to each who is gone: {}", postfix.log());
    let started = Instant::now();
    while stored(&app.store).await < 8 {
        assert!(started.elapsed() < BACK, "probes did not come back: {}", postfix.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let ours = verdict::Ours { key: master().token(), unsubscribe: None };
    while verdict::step(&app.store, &ours, later()).await.unwrap().read > 0 {}
    let text = "select count(*) from errand e
                join subscription s on s.subscriber_id = e.subscriber_id
                where e.outcome = 'bounced' and s.standing = 'unreachable'";
    let (given_up,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(given_up, 3);
}

async fn handed_over(app: App, protocol: Protocol) {
    if !postfix::is_possible() {
        return;
    }
    let ours = Mailboxes::new(["bounce@news.example.de"]);
    let listen = Listen::Tcp("127.0.0.1:0".parse().unwrap());
    let listener =
        Listener::bind(&Lmtp { listen, protocol }, "news.example.de", ours).await.unwrap();
    let mut bounces = Bounces::Lmtp(listener.port().unwrap());
    if protocol == Protocol::Smtp {
        bounces = Bounces::Smtp(listener.port().unwrap());
    }
    let postfix = Postfix::start(app.directory(), &bounces);
    let store = Arc::new(app.store.clone());
    let served = Arc::clone(&store);
    let accepting = tokio::spawn(async move {
        loop {
            let client = listener.accept().await.unwrap();
            let store = Arc::clone(&served);
            tokio::spawn(async move { client.serve(&store, now).await });
        }
    });
    issue(&app, &addresses()).await;
    deliver(&app, postfix.port).await;
    let started = Instant::now();
    while stored(&app.store).await < 5 {
        assert!(started.elapsed() < BACK, "bounces are missing: {}", postfix.log());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    judge(&app, &postfix.log()).await;
    if protocol == Protocol::Lmtp {
        ask_again(&app, &postfix).await;
    }
    accepting.abort();
}

async fn bounces_that_are_handed_over_by_lmtp_end_at_their_deliveries(app: App) {
    handed_over(app, Protocol::Lmtp).await;
}

async fn bounces_that_are_handed_over_by_smtp_end_at_their_deliveries(app: App) {
    handed_over(app, Protocol::Smtp).await;
}

async fn bounces_in_a_maildir_end_at_their_deliveries(app: App) {
    if !postfix::is_possible() {
        return;
    }
    let postfix = Postfix::start(app.directory(), &Bounces::Maildir);
    issue(&app, &addresses()).await;
    deliver(&app, postfix.port).await;
    let started = Instant::now();
    let mut taken = 0;
    while taken < 5 {
        assert!(started.elapsed() < BACK, "bounces are missing: {}", postfix.log());
        if postfix.maildir().join("new").exists() {
            taken += maildir::step(&app.store, &postfix.maildir(), now()).await.unwrap();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(stored(&app.store).await, 5);
    judge(&app, &postfix.log()).await;
}
