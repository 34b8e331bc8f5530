//! Mails of which nobody can know, to their end: lost again and again, of a cancelled
//! issue, given up on.

use std::process::Command;
use std::time::Duration;

use rundbrief::delivery::missing;
use rundbrief::delivery::state::{Cause, State};
use rundbrief::delivery::worker::Round;
use rundbrief::delivery::{DeliveryId, settle, sums, unknown};
use rundbrief::issue::IssueId;
use rundbrief_subscribers::key::Master;

use crate::app::{App, on_both};
use crate::delivery::{books, execute, issue, now, readers, state, until_idle, worker};
use crate::relay::{Fault, Offer, Relay};

on_both![
    a_relay_that_never_answers_gets_three_copies,
    a_cancelled_issue_ends_what_nobody_knows,
    what_was_given_up_is_sent_again_when_it_is_named,
    who_complained_or_may_still_get_it_is_not_missing,
];

/// A relay that keeps mails and drops the connection.
async fn silent() -> Relay {
    let fault = Fault::DropsAfterDot { accepted: true };
    Relay::start(Offer { fault, ..Offer::default() }).await
}

async fn settle_now(app: &App) -> u64 {
    let now = now().after(Duration::from_millis(1));
    tokio::time::sleep(Duration::from_millis(1)).await;
    settle::settle(&app.store, Duration::ZERO, now).await.unwrap()
}

async fn a_relay_that_never_answers_gets_three_copies(app: App) {
    let relay = silent().await;
    let issue = issue(&app, &readers(1)).await;
    let mut worker = worker(&app, relay.port).await;
    for copies in 1..=3 {
        while sums::of(&app.store, issue).await.unwrap().unknown < 1 {
            worker.round().await.unwrap();
        }
        assert_eq!(relay.caught().len(), copies);
        assert_eq!(settle_now(&app).await, 1);
    }
    assert_eq!(until_idle(&mut worker).await, Round::Idle(None));
    assert_eq!((relay.caught().len(), state(&app).await.as_str()), (3, "finished"));
    let listed = unknown::page(&app.store, issue, DeliveryId(0), 9).await.unwrap();
    assert_eq!((listed[0].state, listed[0].cause), (State::Failed, Some(Cause::Unknown)));
    let missing = missing::page(&app.store, issue, DeliveryId(0), 9).await.unwrap();
    assert!(missing[0].can_be_sent_again(), "an editor may try once more");
}

/// A command of ours: what it printed, or said.
async fn command(app: &App, line: &str) -> Result<String, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
    command.current_dir(app.directory()).args(line.split(' '));
    command.env_remove("RUNDBRIEF_CONFIG");
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said = [ended.stdout, ended.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    if ended.status.success() { Ok(said) } else { Err(said) }
}

async fn init(app: &App) {
    let line = format!("init --directory . --database {}", app.database);
    command(app, &line).await.unwrap();
}

async fn page(app: &App) -> String {
    let at = app.serve_editors(Master::new([9; 32])).await;
    reqwest::get(format!("http://{at}/report/1")).await.unwrap().text().await.unwrap()
}

async fn a_cancelled_issue_ends_what_nobody_knows(app: App) {
    let relay = silent().await;
    let issue = issue(&app, &readers(3)).await;
    let ask = "update newsletter set definition = '{\"policies\": {\"unknown\": \"ask\"}}'";
    execute(&app.store, ask).await;
    let mut worker = worker(&app, relay.port).await;
    while sums::of(&app.store, issue).await.unwrap().unknown < 3 {
        worker.round().await.unwrap();
    }
    worker.drain(Duration::ZERO).await.unwrap();
    init(&app).await;
    execute(&app.store, "update issue set state = 'cancelled'").await;
    let shown = page(&app).await;
    assert!(shown.contains("cancelled, so none of these") && !shown.contains("Send again"));
    let refused = command(&app, "issue unknown 1 --send-again").await.unwrap_err();
    assert!(refused.contains("issue 1 was cancelled, so nothing of it is sent again"), "{refused}");
    assert_eq!(settle_now(&app).await, 3);
    assert_eq!(sums::open(&app.store).await.unwrap(), 0, "nothing remains");
    assert_eq!(books(&app, issue).await.failed, 3);
    let missing = missing::page(&app.store, issue, DeliveryId(0), 9).await.unwrap();
    assert!(missing.iter().all(|one| !one.can_be_sent_again()));
}

/// One of each: unknown, left, poison.
async fn three(app: &App) -> IssueId {
    let relay = Relay::start(Offer::default()).await;
    let issue = issue(app, &readers(3)).await;
    until_idle(&mut worker(app, relay.port).await).await;
    for change in [
        "update delivery set state = 'unknown' where id = 1",
        "update delivery set state = 'failed', cause = 'unknown' where id = 2",
        "update delivery set state = 'failed', cause = 'poison' where id = 3",
        "update issue set state = 'sending', finished_at = null",
    ] {
        execute(&app.store, change).await;
    }
    issue
}

async fn what_was_given_up_is_sent_again_when_it_is_named(app: App) {
    let issue = three(&app).await;
    init(&app).await;
    let listed = command(&app, "issue unknown 1").await.unwrap();
    assert!(listed.contains(", left,") && listed.contains(", poison,"), "{listed}");
    let shown = page(&app).await;
    assert!(shown.contains("poison: three workers died on it"), "{shown}");
    assert_eq!(shown.matches("<p>left</p>").count(), 1);
    let said = command(&app, "issue unknown 1 --send-again").await.unwrap();
    assert!(said.contains("1 mails queued once more"), "{said}");
    let sums = books(&app, issue).await;
    assert_eq!((sums.queued, sums.failed), (1, 2));
    let named = "issue unknown 1 --send-again reader1@example.org reader2@example.org";
    command(&app, named).await.unwrap();
    assert_eq!(books(&app, issue).await.queued, 3);
}

async fn who_complained_or_may_still_get_it_is_not_missing(app: App) {
    let issue = three(&app).await;
    execute(&app.store, "update delivery set state = 'failed', cause = 'unknown'").await;
    for (evidence, again) in
        [("delayed", false), ("complained", false), ("bounced", false), ("refused", true)]
    {
        let change = format!("update delivery set evidence = '{evidence}' where id = 2");
        execute(&app.store, change.leak()).await;
        let rows = missing::page(&app.store, issue, DeliveryId(0), 9).await.unwrap();
        let offered: Vec<bool> = rows.iter().map(missing::Row::can_be_sent_again).collect();
        assert_eq!(offered, [true, again, true], "{evidence}");
    }
    execute(&app.store, "update delivery set evidence = 'delayed' where id = 2").await;
    init(&app).await;
    command(&app, "issue resend 1 --missing").await.unwrap();
    assert_eq!(books(&app, issue).await.queued, 2, "those that were offered");
}
