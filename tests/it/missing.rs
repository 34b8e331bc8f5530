//! Who did not get an issue, why, and how they still do; what nobody can know.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use rundbrief::delivery::missing::{self, Why};
use rundbrief::delivery::worker::Worker;
use rundbrief::delivery::{DeliveryId, again, expand, settle, sums};
use rundbrief::issue::{self, Issue, IssueId};
use rundbrief::read;
use rundbrief::subscriber::SubscriptionId;
use serde_json::Value;

use crate::app::{App, on_both};
use crate::delivery::{books, copies, execute, issue, now, readers, state, until_idle, worker};
use crate::relay::{Fault, Offer, Relay};

on_both![
    who_did_not_get_it_is_listed_with_the_reason_and_gets_it_once,
    the_books_are_right_after_everything_that_can_happen,
    books_that_differ_stop_the_issue,
    an_editor_settles_what_nobody_can_know,
];

/// Ten readers and one for each reason why not.
async fn sent(app: &App, relay: &Relay) -> (Issue, Worker) {
    let mut addresses = readers(10);
    for (n, name) in ["no", "full", "away", "gone", "barred", "late", "asked"].iter().enumerate() {
        addresses.push(format!("{name}@d{n}.example.net"));
    }
    let id = issue(app, &addresses).await;
    while expand::step(&app.store, id, now()).await.unwrap() != expand::Progress::Idle {}
    stand(app, "paused", "away").await;
    stand(app, "left", "gone").await;
    stand(app, "left", "barred").await;
    let mut worker = worker(app, relay.port).await;
    until_idle(&mut worker).await;
    stand(app, "active", "away").await;
    stand(app, "active", "barred").await;
    execute(
        &app.store,
        "insert into suppression (address_hash, reason, at)
         select address_hash, 'complained', 0 from subscriber where address like 'barred%'",
    )
    .await;
    for (change, name) in [
        ("state = 'failed', cause = 'expired'", "late"),
        ("state = 'failed', cause = 'unknown'", "asked"),
        ("evidence = 'bounced'", "reader3"),
    ] {
        write(app, &format!("update delivery set {change}"), name).await;
    }
    (issue::get(&app.store, id).await.unwrap().unwrap(), worker)
}

async fn stand(app: &App, standing: &str, name: &str) {
    let text = format!("update subscription set standing = '{standing}'");
    write(app, &text, name).await;
}

async fn write(app: &App, text: &str, name: &str) {
    let whom = "where subscriber_id = (select id from subscriber where address like";
    let text: &'static str = format!("{text} {whom} '{name}@%')").leak();
    execute(&app.store, text).await;
}

async fn whys(app: &App, issue: &Issue) -> BTreeMap<String, (Why, bool)> {
    let page = missing::page(&app.store, issue.id, DeliveryId(0), 100).await.unwrap();
    let name = |address: &str| address.split('@').next().unwrap().to_owned();
    page.iter()
        .map(|row| {
            let again = row.can_be_sent_again();
            (name(row.address.as_deref().unwrap()), (row.why(issue), again))
        })
        .collect()
}

/// Both lists to their ends: how many were queued.
async fn resend(app: &App, issue: &Issue) -> (u64, u64) {
    let mut queued = (0, 0);
    let mut after = 0;
    loop {
        let now = now().timestamp();
        let step = again::missing(&app.store, issue, after, now).await.unwrap();
        queued.0 += step.queued;
        let Some(next) = step.next else { break };
        after = next;
    }
    after = 0;
    loop {
        let step = again::joined(&app.store, issue, after, now().timestamp()).await.unwrap();
        queued.1 += step.queued;
        let Some(next) = step.next else { return queued };
        after = next;
    }
}

/// A new reader.
async fn join(app: &App) {
    execute(
        &app.store,
        "insert into subscriber (address, address_normal, address_hash, domain, created_at, updated_at)
         select 'new@example.org', 'new@example.org', substr(address_hash, 2), 'example.org', 0, 0
         from subscriber
         where id = 1",
    )
    .await;
    execute(
        &app.store,
        "insert into subscription (subscriber_id, newsletter_id, standing, since)
         select max(id), 1, 'active', 5 from subscriber",
    )
    .await;
}

async fn who_did_not_get_it_is_listed_with_the_reason_and_gets_it_once(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let (issue, mut worker) = sent(&app, &relay).await;
    let listed = whys(&app, &issue).await;
    let wanted = [
        ("asked", Why::Left, true),
        ("away", Why::Back, true),
        ("barred", Why::Suppressed, false),
        ("full", Why::Later, false),
        ("gone", Why::Away, false),
        ("late", Why::Expired, true),
        ("no", Why::Refused, false),
        ("reader3", Why::CameBack, false),
    ];
    let wanted: BTreeMap<String, (Why, bool)> =
        wanted.into_iter().map(|(name, why, again)| (name.to_owned(), (why, again))).collect();
    assert_eq!(listed, wanted);

    // Somebody joins; they are named, and queued once.
    join(&app).await;
    let joined = missing::joined(&app.store, issue.id, issue.newsletter_id, SubscriptionId(0));
    let joined: Vec<_> = joined.await.unwrap().into_iter().map(|one| one.address).collect();
    assert_eq!(joined, ["new@example.org"]);

    execute(
        &app.store,
        "update delivery set state = 'failed', cause = 'permanent' where state = 'deferred'",
    )
    .await;
    until_idle(&mut worker).await;
    assert_eq!(state(&app).await, "finished");
    let before = books(&app, issue.id).await;
    let already = relay.caught().len();
    assert_eq!(resend(&app, &issue).await, (3, 1));
    assert_eq!(resend(&app, &issue).await, (0, 0), "a second time adds nobody");
    let after = books(&app, issue.id).await;
    assert_eq!((after.total, after.queued), (before.total + 1, 4));
    assert_eq!(state(&app).await, "sending");
    while state(&app).await != "finished" {
        worker.round().await.unwrap();
    }
    assert_eq!(resend(&app, &issue).await, (0, 0), "nor a third time");
    assert_eq!(state(&app).await, "finished");
    let mut got: Vec<String> = relay.caught()[already..].iter().map(|m| m.to.clone()).collect();
    got.sort();
    let wanted = ["asked@d6.example.net", "away@d2.example.net", "late@d5.example.net"];
    assert_eq!(got[..3], wanted);
    assert_eq!(got[3], "new@example.org");
    // The one whose fate was unknown had it from the first time: the same mail.
    let ids = relay.caught().into_iter().filter(|mail| mail.to.starts_with("asked"));
    let ids: Vec<String> = ids
        .map(|mail| {
            let text = String::from_utf8(mail.content).unwrap();
            text.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(ids[0], ids[1]);
    assert!(
        copies(&relay)
            .iter()
            .all(|(to, n)| *n == 1 || to.starts_with("asked") || to.starts_with("late"))
    );
}

/// Counted row by row, what the triggers kept.
async fn counted(app: &App, issue: IssueId) -> Vec<(String, i64)> {
    let text = "
        select state, count(*) from delivery where issue_id = $1 group by state
        union all
        select evidence, count(*)
        from delivery
        where issue_id = $1 and evidence in ('bounced', 'complained')
        group by evidence";
    read!(app.store, |db| sqlx::query_as(text).bind(issue).fetch_all(db).await).unwrap()
}

async fn the_books_are_right_after_everything_that_can_happen(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let (issue, _worker) = sent(&app, &relay).await;
    for change in [
        "update delivery set evidence = 'complained' where id % 3 = 0",
        "update delivery set evidence = null where id % 6 = 0",
        "update delivery set state = 'unknown' where id % 4 = 0",
        "update delivery set state = 'claimed' where id % 8 = 0",
        "update delivery set state = 'failed', cause = 'permanent' where id % 5 = 0",
        "update delivery set cause = 'poison' where id % 10 = 0",
        "delete from delivery where id % 7 = 0",
    ] {
        execute(&app.store, change).await;
        let counted = counted(&app, issue.id).await;
        let of = |word: &str| counted.iter().find(|(w, _)| w == word).map_or(0, |(_, n)| *n);
        let sums = sums::of(&app.store, issue.id).await.unwrap();
        let books = [
            ("queued", sums.queued),
            ("claimed", sums.claimed),
            ("sending", sums.sending),
            ("accepted", sums.accepted),
            ("deferred", sums.deferred),
            ("failed", sums.failed),
            ("unknown", sums.unknown),
            ("cancelled", sums.cancelled),
            ("bounced", sums.bounced),
            ("complained", sums.complained),
        ];
        for (word, rows) in books {
            assert_eq!(rows, of(word), "{word} after {change}");
        }
        sums::fold(&app.store).await.unwrap();
        assert_eq!(sums::of(&app.store, issue.id).await.unwrap(), sums);
    }
}

async fn books_that_differ_stop_the_issue(app: App) {
    let issue = issue(&app, &readers(3)).await;
    while expand::step(&app.store, issue, now()).await.unwrap() != expand::Progress::Idle {}
    execute(&app.store, "update delivery set state = 'accepted'").await;
    execute(&app.store, "update tally set deliveries = deliveries + 1 where place = 'accepted'")
        .await;
    execute(&app.store, "update issue set total = 4").await;
    assert!(!settle::finish(&app.store, issue, now()).await.unwrap());
    let stored = issue::get(&app.store, issue).await.unwrap().unwrap();
    assert_eq!(stored.paused_why.as_deref(), Some("the books differ from the ledger"));
}

/// A command of ours: what it printed, line by line.
async fn command(app: &App, line: &str) -> Result<Vec<Value>, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
    command.current_dir(app.directory()).args(line.split(' ')).arg("--json");
    command.env_remove("RUNDBRIEF_CONFIG");
    let ended = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    if !ended.status.success() {
        return Err(String::from_utf8(ended.stderr).unwrap());
    }
    let said = String::from_utf8(ended.stdout).unwrap();
    Ok(said.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

async fn an_editor_settles_what_nobody_can_know(app: App) {
    let fault = Fault::DropsAfterDot { accepted: true };
    let relay = Relay::start(Offer { fault, ..Offer::default() }).await;
    let issue = issue(&app, &readers(3)).await;
    let init = format!("init --directory . --database {}", app.database);
    command(&app, &init).await.unwrap();
    let mut worker = worker(&app, relay.port).await;
    while sums::of(&app.store, issue).await.unwrap().unknown < 3 {
        worker.round().await.unwrap();
    }
    worker.drain(Duration::ZERO).await.unwrap();
    let report = command(&app, "issue report 1").await.unwrap();
    let named = report[0]["unknown_deliveries"].as_array().unwrap();
    assert_eq!(named.len(), 3);
    assert_eq!(named[0]["address"], "reader0@example.org");
    assert_eq!(named[0]["worker"], 1);
    assert!(!named[0]["words"].as_str().unwrap().is_empty(), "{report:?}");

    let refused = command(&app, "issue unknown 1 --leave reader9@example.org").await.unwrap_err();
    assert!(refused.contains("the mail to reader9@example.org is not unknown"), "{refused}");
    let left = command(&app, "issue unknown 1 --leave reader0@example.org").await.unwrap();
    assert_eq!(left[0]["deliveries"], 1);
    let again = "issue unknown 1 --send-again READER1@example.org";
    assert_eq!(command(&app, again).await.unwrap()[0]["deliveries"], 1);
    let twice = command(&app, again).await.unwrap_err();
    assert!(twice.contains("is not unknown"), "{twice}");
    let sums = books(&app, issue).await;
    assert_eq!((sums.queued, sums.unknown, sums.failed), (1, 1, 1));

    let listed = command(&app, "issue missing 1").await.unwrap();
    let whys: Vec<&str> = listed.iter().map(|line| line["why"].as_str().unwrap()).collect();
    assert_eq!(whys, ["left unknown", "unknown"]);
    let all = command(&app, "issue unknown 1 --send-again").await.unwrap();
    assert_eq!(all[0]["deliveries"], 1, "not the one that was left");
    let left = "issue unknown 1 --send-again reader0@example.org";
    assert_eq!(command(&app, left).await.unwrap()[0]["deliveries"], 1);
    assert_eq!(command(&app, "issue resend 1 --missing").await.unwrap()[0]["missing"], 0);
    relay.play(Fault::None);
    let mut worker = self::worker(&app, relay.port).await;
    until_idle(&mut worker).await;
    assert_eq!(state(&app).await, "finished");
    assert!(copies(&relay).values().all(|n| *n == 2), "each once more");
    assert_eq!(command(&app, "issue unknown 1").await.unwrap(), [] as [Value; 0]);
}
