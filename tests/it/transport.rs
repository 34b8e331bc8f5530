//! Several transports: order, failover, and never one mail through two.

use std::collections::BTreeMap;
use std::time::Duration;

use rundbrief::delivery::settle;
use rundbrief::delivery::worker::Round;
use rundbrief::read;

use crate::app::{App, on_both};
use crate::delivery::{
    books, copies, execute, issue, now, readers, transport, until_idle, worker_with,
};
use crate::relay::{Fault, Offer, Relay};

on_both![
    the_first_that_works_carries_it_and_says_so,
    a_mail_that_may_have_left_by_one_waits_for_its_policy,
    the_first_is_asked_again_and_takes_over,
    a_relay_that_closes_after_some_mails_is_no_trouble,
    a_newsletter_chooses_and_an_unknown_name_pauses_it,
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
