//! Several transports: order, failover, and never one mail through two.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rundbrief::delivery::breaker::Gate;
use rundbrief::delivery::pool::ReturnPath;
use rundbrief::delivery::worker::{Round, Setup, Worker};
use rundbrief::delivery::{line, settle};
use rundbrief::letter::dkim::Key;
use rundbrief::read;
use rundbrief::smtp::mark::Mark;
use rundbrief::smtp::relay::{Relay as Target, Setup as Line};
use rundbrief_subscribers::key::Master;

use crate::app::{App, on_both};
use crate::delivery::{
    books, copies, execute, issue, now, readers, state, transport, until_idle, worker_with,
};
use crate::dkim::ed25519_pem;
use crate::relay::{Fault, Offer, Relay};

on_both![
    the_first_that_works_carries_it_and_says_so,
    a_mail_that_may_have_left_by_one_waits_for_its_policy,
    the_first_is_asked_again_and_takes_over,
    a_relay_that_closes_after_some_mails_is_no_trouble,
    a_restart_does_not_burst,
    a_newsletter_chooses_and_an_unknown_name_pauses_it,
    a_limit_on_what_we_send_is_waited_for_or_gone_around,
    a_reader_whom_the_relay_hangs_up_on_is_deferred_alone,
    what_the_provider_replaces_is_not_signed,
];

/// How many deliveries each transport was marked for last.
async fn carried(app: &App) -> BTreeMap<String, i64> {
    let text = "select transport, count(*) from delivery where state = 'accepted' group by 1";
    let found: Vec<(String, i64)> =
        read!(app.store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap();
    found.into_iter().collect()
}

async fn the_first_that_works_carries_it_and_says_so(app: App) {
    let down = Relay::start(Offer { fault: Fault::Refuses, ..Offer::default() }).await;
    let up = Relay::start(Offer::default()).await;
    let issue = issue(&app, &readers(300)).await;
    let lines = vec![transport("first", down.port), transport("second", up.port)];
    let mut worker = worker_with(&app, lines).await;
    until_idle(&mut worker).await;
    // What had been marked for the first waits two seconds at most.
    execute(&app.store, "update delivery set next_at = 0 where state = 'queued'").await;
    assert_eq!(until_idle(&mut worker).await, Round::Idle(None));
    assert_eq!(books(&app, issue).await.accepted, 300);
    assert_eq!(carried(&app).await, BTreeMap::from([("second".to_owned(), 300)]));
    assert!(copies(&up).values().all(|n| *n == 1));
    assert!(worker.trouble().unwrap().starts_with("first: 554 5.3.2 No service"));
}

async fn a_mail_that_may_have_left_by_one_waits_for_its_policy(app: App) {
    let fault = Fault::DropsAfterDot { accepted: true };
    let (lossy, good) = (
        Relay::start(Offer { fault, ..Offer::default() }).await,
        Relay::start(Offer::default()).await,
    );
    let issue = issue(&app, &readers(200)).await;
    let lines = vec![transport("lossy", lossy.port), transport("good", good.port)];
    let mut worker = worker_with(&app, lines).await;
    while books(&app, issue).await.accepted + books(&app, issue).await.unknown < 200 {
        worker.round().await.unwrap();
    }
    let sums = books(&app, issue).await;
    let (first, second) = (copies(&lossy), copies(&good));
    assert_eq!(first.len() as i64, sums.unknown, "{sums:?}");
    assert!(sums.unknown >= 5, "the breaker opened without losing anything");
    assert!(first.keys().all(|reader| !second.contains_key(reader)), "one mail through two");
    let text = "select count(*) from attempt where transport = 'lossy' and outcome = 'unknown'";
    let (noted,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(noted, sums.unknown);
    // Its time for evidence is over: only now the policy may send it again.
    let later = now().after(Duration::from_millis(1));
    settle::settle(&app.store, Duration::ZERO, later).await.unwrap();
    while books(&app, issue).await.accepted < 200 {
        worker.round().await.unwrap();
    }
    assert_eq!(copies(&good).len(), 200);
}

async fn the_first_is_asked_again_and_takes_over(app: App) {
    let first = Relay::start(Offer { fault: Fault::Refuses, ..Offer::default() }).await;
    let second = Relay::start(Offer::default()).await;
    let issue = issue(&app, &readers(100)).await;
    let lines = || vec![transport("first", first.port), transport("second", second.port)];
    let mut worker = worker_with(&app, lines()).await;
    while copies(&second).len() < 20 {
        worker.round().await.unwrap();
    }
    worker.drain(Duration::from_secs(5)).await.unwrap();
    let by_second = copies(&second).len();
    // A restart knows that the first was down, and tries it with one session.
    first.play(Fault::None);
    let asked = first.connections();
    execute(&app.store, "update delivery set next_at = 0 where state = 'queued'").await;
    let mut worker = worker_with(&app, lines()).await;
    while first.connections() == asked {
        worker.round().await.unwrap();
    }
    assert_eq!(first.connections(), asked + 1, "one probe, not a burst");
    until_idle(&mut worker).await;
    assert_eq!(books(&app, issue).await.accepted, 100);
    assert!(copies(&first).len() + by_second <= 100 && !copies(&first).is_empty());
    assert_eq!(copies(&first).len() + copies(&second).len(), 100);
}

async fn a_relay_that_closes_after_some_mails_is_no_trouble(app: App) {
    let relay = Relay::start(Offer { fault: Fault::ClosesAfter(7), ..Offer::default() }).await;
    let issue = issue(&app, &readers(200)).await;
    let mut worker = worker_with(&app, vec![transport("relay", relay.port)]).await;
    assert_eq!(until_idle(&mut worker).await, Round::Idle(None));
    assert_eq!(books(&app, issue).await.accepted, 200);
    assert!(copies(&relay).values().all(|n| *n == 1));
    assert!(relay.connections() > 20, "{}", relay.connections());
    assert_eq!(worker.trouble(), None);
    let text = "select max(attempts) from delivery";
    let (attempts,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(attempts, 1, "a closed connection uses no attempt");
}

async fn a_restart_does_not_burst(app: App) {
    const RATE: f64 = 5.0;
    let relay = Relay::start(Offer::default()).await;
    let issue = issue(&app, &readers(60)).await;
    let limited = || vec![line::Setup { rate: Some(RATE), ..transport("relay", relay.port) }];
    let began = now();
    for _ in 0..8 {
        let mut worker = worker_with(&app, limited()).await;
        for _ in 0..5 {
            worker.round().await.unwrap();
        }
        worker.drain(Duration::from_secs(1)).await.unwrap();
    }
    let seconds = (now().0 - began.0) as f64 / 1000.0;
    let caught = relay.caught().len();
    // What the rate allows in that time, the bucket's own and one for the rounding.
    assert!(caught as f64 <= RATE * seconds + RATE + 1.0, "{caught} mails in {seconds} s");
    assert!(caught > 0, "nothing goes out");
    assert_eq!(books(&app, issue).await.accepted, caught as i64);

    // A domain that throttled is still slowed after a restart.
    execute(&app.store, "update delivery set domain = 'slow.example.net', next_at = 0").await;
    relay.play(Fault::Says("450 4.7.1 Slower"));
    let mut worker = worker_with(&app, vec![transport("relay", relay.port)]).await;
    until_idle(&mut worker).await;
    worker.drain(Duration::from_secs(1)).await.unwrap();
    let slowed = line::seen(&app.store).await.unwrap()[0].kept.pace.slowed().count();
    assert_eq!(slowed, 1);
    relay.play(Fault::None);
    let before = relay.caught().len();
    execute(&app.store, "update delivery set next_at = 0").await;
    let mut worker = worker_with(&app, vec![transport("relay", relay.port)]).await;
    until_idle(&mut worker).await;
    let after = relay.caught().len() - before;
    assert!(after <= 3, "{after} mails at once to a domain that throttles");
}

async fn a_newsletter_chooses_and_an_unknown_name_pauses_it(app: App) {
    let (first, second) =
        (Relay::start(Offer::default()).await, Relay::start(Offer::default()).await);
    issue(&app, &readers(10)).await;
    execute(&app.store, "update newsletter set definition = '{\"transports\": [\"gone\"]}'").await;
    let lines = vec![transport("first", first.port), transport("second", second.port)];
    let mut worker = worker_with(&app, lines).await;
    until_idle(&mut worker).await;
    let text = "select state, paused_why from issue";
    let (state, why): (String, Option<String>) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    let why = why.unwrap();
    assert_eq!(state, "paused");
    assert!(why.contains("\"gone\"") && why.contains("[transport.gone]"), "{why}");
    assert!(first.caught().is_empty() && second.caught().is_empty());

    execute(&app.store, "update newsletter set definition = '{\"transports\": [\"second\"]}'")
        .await;
    execute(&app.store, "update issue set state = 'sending'").await;
    tokio::time::sleep(Duration::from_millis(450)).await;
    until_idle(&mut worker).await;
    assert_eq!((first.caught().len(), second.caught().len()), (0, 10));
}

async fn a_limit_on_what_we_send_is_waited_for_or_gone_around(app: App) {
    let fault = Fault::Says("550 5.4.5 Daily user sending limit exceeded. See");
    let (full, other) = (
        Relay::start(Offer { fault, ..Offer::default() }).await,
        Relay::start(Offer::default()).await,
    );
    let issue = issue(&app, &readers(60)).await;
    let mut worker = worker_with(&app, vec![transport("full", full.port)]).await;
    assert!(matches!(until_idle(&mut worker).await, Round::Blocked(_)));
    let sums = books(&app, issue).await;
    assert_eq!((sums.queued, sums.failed, sums.deferred), (60, 0, 0));
    assert_eq!(state(&app).await, "sending", "there is nothing to resume");
    assert!(worker.trouble().unwrap().contains("sending limit"));
    worker.drain(Duration::ZERO).await.unwrap();

    let lines = vec![transport("full", full.port), transport("other", other.port)];
    let mut worker = worker_with(&app, lines).await;
    while books(&app, issue).await.accepted < 60 {
        execute(&app.store, "update delivery set next_at = 0 where state = 'queued'").await;
        until_idle(&mut worker).await;
    }
    assert!(copies(&other).values().all(|n| *n == 1));
    let text = "select max(attempts) from delivery";
    let (attempts,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(attempts, 1, "a limit uses no attempt");
}

async fn a_reader_whom_the_relay_hangs_up_on_is_deferred_alone(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let mut addresses = readers(29);
    addresses.insert(11, "bye@example.net".to_owned());
    let issue = issue(&app, &addresses).await;
    let mut worker = worker_with(&app, vec![transport("relay", relay.port)]).await;
    let begun = Instant::now();
    while books(&app, issue).await.deferred == 0 {
        worker.round().await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(60), "it is tried for ever");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let sums = books(&app, issue).await;
    assert_eq!((sums.accepted, sums.deferred, sums.failed), (29, 1, 0));
    let text = "select address, attempts from delivery d join subscriber s on s.id = d.subscriber_id where d.state = 'deferred'";
    let late: Vec<(String, i64)> =
        read!(app.store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap();
    assert_eq!(late, [("bye@example.net".to_owned(), 1)]);
    worker.drain(Duration::ZERO).await.unwrap();
    let kept = &line::seen(&app.store).await.unwrap()[0].kept;
    assert_eq!(kept.breaker.gate(now()), Gate::Closed);
}

async fn what_the_provider_replaces_is_not_signed(app: App) {
    let relay = Relay::start(Offer::default()).await;
    issue(&app, &readers(2)).await;
    execute(
        &app.store,
        "update newsletter set definition = '{\"sender\": {\"address\": \"town@example.org\"}, \"policies\": {}}'",
    )
    .await;
    let ses = Line { mark: Some(Mark::Ses), ..Line::plain("127.0.0.1", relay.port) };
    let by = line::Setup { relay: Target::new(ses).unwrap(), ..transport("ses", relay.port) };
    let setup = Setup {
        transports: vec![by],
        order: vec!["ses".to_owned()],
        return_path: ReturnPath { local: "bounce".to_owned(), domain: "example.org".to_owned() },
        keys: vec![Arc::new(Key::parse("example.org", "a", &ed25519_pem()).unwrap())],
        key: Master::new([7; 32]).token(),
        clock: now,
        evidence: Duration::ZERO,
    };
    let started = Worker::start(app.store.clone(), app.directory(), setup).await;
    until_idle(&mut started.unwrap().0).await;
    assert_eq!(relay.caught().len(), 2);
    for mail in relay.caught() {
        let text = String::from_utf8(mail.content).unwrap();
        assert!(text.contains("\r\nMessage-ID: <"), "{text}");
        let (_, signature) = text.split_once("\r\n h=").expect(&text);
        let (names, _) = signature.split_once(';').unwrap();
        assert!(names.contains("subject") && !names.contains("message-id"), "{text}");
    }
}

#[test]
fn a_newsletter_that_names_an_unknown_transport_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rundbrief"));
        command.current_dir(directory.path()).env_remove("RUNDBRIEF_CONFIG");
        let output = command.args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(run(&["init"]).0, Some(0));
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/newsletter.toml");
    let text = std::fs::read_to_string(example).unwrap();
    for (named, code) in [("relay", 0), ("relais", 65)] {
        let text = text.replace("# transports = []", &format!("transports = [\"{named}\"]"));
        let line = 1 + text.lines().position(|line| line.starts_with("transports")).unwrap();
        std::fs::write(directory.path().join("newsletter.toml"), &text).unwrap();
        let (ended, said) = run(&["newsletter", "apply", "newsletter.toml"]);
        assert_eq!(ended, Some(code), "{said}");
        let refused = format!(
            "newsletter.toml:{line}: transports: there is no transport \"relais\". rundbrief.toml has: relay"
        );
        assert_eq!(said.contains(&refused), code == 65, "{said}");
    }
}
