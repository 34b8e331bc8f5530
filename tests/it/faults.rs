//! Every way a relay goes wrong ends the same way: nobody is lost or failed, copies stay
//! within the bound, the books add up, and the reason can be read.

use std::time::Duration;

use rundbrief::read;

use crate::app::{App, on_both};
use crate::delivery::{
    books, copies, execute, forget_issues, issue, readers, transport, until_idle, worker_with,
};
use crate::relay::{Fault, Offer, Relay};

on_both![
    a_relay_that_goes_wrong_before_the_dot_costs_nobody_anything,
    a_relay_that_goes_wrong_after_the_dot_leaves_doubt_and_no_more,
    a_relay_that_answers_no_is_quoted,
];

const READERS: usize = 24;

/// An issue through a relay that goes wrong, then through the same one mended. Answers
/// how many deliveries were in doubt between, and what was said about the trouble.
async fn endure(app: &App, fault: Fault) -> (usize, String) {
    forget_issues(app).await;
    execute(&app.store, "delete from pace").await;
    let relay = Relay::start(Offer { fault, ..Offer::default() }).await;
    let issue = issue(app, &readers(READERS)).await;
    let mut worker = worker_with(app, vec![transport("relay", relay.port)]).await;
    until_idle(&mut worker).await;
    let sums = books(app, issue).await;
    assert_eq!((sums.total, sums.failed), (READERS as i64, 0), "{fault:?}");
    let text =
        "select coalesce(max(reply), '') from delivery where state in ('deferred', 'unknown')";
    let (reply,): (String,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    let said = worker.trouble().unwrap_or(reply);
    worker.drain(Duration::from_secs(1)).await.unwrap();
    let doubt = books(app, issue).await.unknown as usize;

    relay.play(Fault::None);
    // Time passes: waits are over, and a domain that throttled has recovered.
    execute(&app.store, "delete from pace").await;
    execute(&app.store, "update delivery set next_at = 0 where state in ('queued', 'deferred')")
        .await;
    execute(&app.store, "update delivery set changed_at = 1 where state = 'unknown'").await;
    let mut worker = worker_with(app, vec![transport("relay", relay.port)]).await;
    until_idle(&mut worker).await;
    assert_eq!(books(app, issue).await.accepted, READERS as i64, "{fault:?}");
    worker.drain(Duration::from_secs(1)).await.unwrap();
    let copies = copies(&relay);
    assert_eq!(copies.len(), READERS, "{fault:?}: somebody was lost");
    let doubled: usize = copies.values().map(|n| n - 1).sum();
    assert!(doubled <= doubt, "{fault:?}: {doubled} copies, {doubt} in doubt");
    (doubt, said)
}

async fn a_relay_that_goes_wrong_before_the_dot_costs_nobody_anything(app: App) {
    for (fault, words) in [
        (Fault::Refuses, "554 5.3.2 No service"),
        (Fault::Drips, "no reply within"),
        (Fault::Endless, "a reply of more than"),
        (Fault::Throttles(0), "421 4.7.0 Enough for now"),
        (Fault::ClosesAfter(0), "the server closed the connection"),
        (Fault::DropsBeforeData, "the server closed the connection"),
    ] {
        let (doubt, said) = endure(&app, fault).await;
        assert_eq!(doubt, 0, "{fault:?}");
        assert!(said.contains(words), "{fault:?}: {said}");
    }
}

async fn a_relay_that_goes_wrong_after_the_dot_leaves_doubt_and_no_more(app: App) {
    for (fault, words) in [
        (Fault::DropsAfterDot { accepted: true }, "the server closed the connection"),
        (Fault::DropsAfterDot { accepted: false }, "the server closed the connection"),
        (Fault::HangsAfterDot, "no reply within"),
        (Fault::HugeLine, "a reply of more than"),
        (Fault::Says("hello there"), "not an SMTP reply: a line without a reply code: hello there"),
    ] {
        let (doubt, said) = endure(&app, fault).await;
        // Five lost sessions open the breaker; as many more may have been at work.
        assert!((5..=9).contains(&doubt), "{fault:?}: {doubt}");
        assert!(said.contains(words), "{fault:?}: {said}");
    }
}

async fn a_relay_that_answers_no_is_quoted(app: App) {
    for (fault, words) in [
        (Fault::Says("451 4.7.1 Come back"), "451 4.7.1 Come back"),
        (Fault::Says("421 4.3.0 Going down"), "421 4.3.0 Going down"),
        (Fault::Says("454 4.7.0 No TLS now"), "454 4.7.0 No TLS now"),
    ] {
        let (doubt, said) = endure(&app, fault).await;
        assert_eq!(doubt, 0, "{fault:?}");
        assert!(said.contains(words), "{fault:?}: {said}");
    }
}
