//! A transport that refuses an issue whoever reads it: the next one is tried, and when
//! all refuse, the issue pauses once and nobody failed.

use std::collections::BTreeMap;

use lettre::transport::smtp::authentication::Credentials;
use rundbrief::delivery::line;
use rundbrief::delivery::worker::Round;
use rundbrief::read;
use rundbrief::smtp::relay::{Login, Relay as Target, Security, Setup};

use crate::app::{App, on_both};
use crate::delivery::{
    books, copies, execute, forget_issues, issue, readers, state, transport, until_idle,
    worker_with,
};
use crate::relay::{Fault, Offer, Relay};

on_both![
    the_only_transport_refuses_and_the_issue_pauses,
    the_first_refuses_and_the_second_carries_it,
    every_transport_refuses_and_the_issue_pauses_once,
    a_log_in_that_is_refused_is_a_refusal,
];

const READERS: usize = 40;

/// Refusals of an issue: what is said, and where.
const REFUSALS: [Fault; 8] = [
    Fault::AtMail("550 5.1.8 Sender unknown"),
    Fault::AtMail("530 5.7.0 Log in first"),
    Fault::AtMail("535 5.7.8 Log in again"),
    Fault::AtMail("552 5.3.4 Too big"),
    Fault::Says("550 5.7.515 Not authenticated"),
    Fault::Says("550 5.7.26 Unauthenticated"),
    Fault::Says("552 5.3.4 Message too big"),
    Fault::Says("554 Message size exceeds the limit"),
];

fn words(fault: Fault) -> &'static str {
    let (Fault::AtMail(words) | Fault::Says(words)) = fault else {
        panic!("{fault:?} says nothing");
    };
    words
}

async fn why(app: &App) -> String {
    let text = "select coalesce(paused_why, '') from issue";
    read!(app.store, |db| sqlx::query_scalar(text).fetch_one(db).await).unwrap()
}

/// How often somebody was told that it paused.
async fn alarms(app: &App) -> i64 {
    let text = "select count(*) from audit where actor = 'guard' and act = 'pause'";
    read!(app.store, |db| sqlx::query_scalar(text).fetch_one(db).await).unwrap()
}

async fn untried(app: &App) -> i64 {
    let text = "select count(*) from delivery where attempts = 0 and state = 'queued'";
    read!(app.store, |db| sqlx::query_scalar(text).fetch_one(db).await).unwrap()
}

async fn the_only_transport_refuses_and_the_issue_pauses(app: App) {
    for (n, fault) in REFUSALS.into_iter().enumerate() {
        forget_issues(&app).await;
        execute(&app.store, "delete from pace").await;
        let relay = Relay::start(Offer { fault, ..Offer::default() }).await;
        let issue = issue(&app, &readers(READERS)).await;
        let mut worker = worker_with(&app, vec![transport("only", relay.port)]).await;
        assert_eq!(until_idle(&mut worker).await, Round::Idle(None), "{fault:?}");
        assert_eq!(state(&app).await, "paused", "{fault:?}");
        assert_eq!(why(&app).await, format!("only: {}", words(fault)));
        assert_eq!(alarms(&app).await, n as i64 + 1, "{fault:?}");
        assert_eq!((books(&app, issue).await.queued, untried(&app).await), (40, 40), "{fault:?}");

        // Somebody mends it and resumes: everybody gets it, and at once.
        relay.play(Fault::None);
        execute(&app.store, "update issue set state = 'sending', paused_why = null").await;
        worker.waker().wake();
        until_idle(&mut worker).await;
        assert_eq!(books(&app, issue).await.accepted, READERS as i64, "{fault:?}");
        assert!(copies(&relay).values().all(|n| *n == 1));
    }
}

async fn the_first_refuses_and_the_second_carries_it(app: App) {
    for fault in REFUSALS {
        forget_issues(&app).await;
        execute(&app.store, "delete from pace").await;
        let first = Relay::start(Offer { fault, ..Offer::default() }).await;
        let second = Relay::start(Offer::default()).await;
        let issue = issue(&app, &readers(READERS)).await;
        let lines = vec![transport("first", first.port), transport("second", second.port)];
        let mut worker = worker_with(&app, lines).await;
        until_idle(&mut worker).await;
        assert_eq!(books(&app, issue).await.accepted, READERS as i64, "{fault:?}");
        let counts: BTreeMap<_, _> = copies(&second);
        assert!(counts.len() == READERS && counts.values().all(|n| *n == 1), "{fault:?}");
        assert_eq!((alarms(&app).await, state(&app).await.as_str()), (0, "finished"), "{fault:?}");
    }
}

async fn every_transport_refuses_and_the_issue_pauses_once(app: App) {
    let offer = |text| Offer { fault: Fault::AtMail(text), ..Offer::default() };
    let first = Relay::start(offer("550 5.1.8 Sender unknown")).await;
    let second = Relay::start(offer("530 5.7.0 Log in first")).await;
    let issue = issue(&app, &readers(READERS)).await;
    let lines = vec![transport("first", first.port), transport("second", second.port)];
    let mut worker = worker_with(&app, lines).await;
    until_idle(&mut worker).await;
    assert_eq!(state(&app).await, "paused");
    let said = "first: 550 5.1.8 Sender unknown; second: 530 5.7.0 Log in first";
    assert_eq!((why(&app).await.as_str(), alarms(&app).await), (said, 1));
    assert_eq!((books(&app, issue).await.queued, untried(&app).await), (40, 40));

    // The first is mended: resuming begins there.
    first.play(Fault::None);
    execute(&app.store, "update issue set state = 'sending', paused_why = null").await;
    worker.waker().wake();
    until_idle(&mut worker).await;
    assert_eq!(books(&app, issue).await.accepted, READERS as i64);
    assert_eq!(copies(&first).len(), READERS);
}

/// A transport with a password, right or wrong.
fn logged_in(name: &str, relay: &Relay, password: &str) -> (line::Setup, tempfile::NamedTempFile) {
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), &relay.authority).unwrap();
    let login = Credentials::new("user".to_owned(), password.to_owned());
    let setup = Setup {
        host: "localhost".to_owned(),
        security: Security::StartTls,
        ca_file: Some(authority.path().to_owned()),
        login: Some(Login::Password(login, None)),
        ..Setup::plain("localhost", relay.port)
    };
    let relay = Target::new(setup).unwrap();
    (line::Setup { relay, ..transport(name, 0) }, authority)
}

async fn a_log_in_that_is_refused_is_a_refusal(app: App) {
    let offer =
        || Offer { keywords: vec!["PIPELINING", "AUTH PLAIN"], starttls: true, ..Offer::default() };
    let (first, second) = (Relay::start(offer()).await, Relay::start(offer()).await);
    let wrong = || {
        let (one, two) = (logged_in("first", &first, "no"), logged_in("second", &second, "no"));
        (vec![one.0, two.0], (one.1, two.1))
    };
    let issue = issue(&app, &readers(READERS)).await;
    let (lines, _authorities) = wrong();
    let mut worker = worker_with(&app, lines).await;
    until_idle(&mut worker).await;
    let said = "535 5.7.8 Wrong user or password";
    assert_eq!(why(&app).await, format!("first: {said}; second: {said}"));
    assert_eq!((alarms(&app).await, untried(&app).await), (1, 40));
    worker.drain(std::time::Duration::ZERO).await.unwrap();

    // The second's password is right after the restart; the first still refuses.
    execute(&app.store, "update issue set state = 'sending', paused_why = null").await;
    execute(&app.store, "update delivery set next_at = 0").await;
    let (one, two) = (logged_in("first", &first, "no"), logged_in("second", &second, "pass"));
    let mut worker = worker_with(&app, vec![one.0, two.0]).await;
    until_idle(&mut worker).await;
    assert_eq!((alarms(&app).await, state(&app).await.as_str()), (1, "finished"));
    assert_eq!((books(&app, issue).await.accepted, copies(&second).len()), (40, READERS));
}
