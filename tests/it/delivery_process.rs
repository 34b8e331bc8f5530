//! Delivery as a process: killed at random moments, stopped, asked twice.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rundbrief::delivery::sums;
use rundbrief::read;

use crate::app::{App, on_both};
use crate::delivery::{copies, execute, issue, readers};
use crate::relay::{Fault, Offer, Relay};

on_both![
    a_killed_process_loses_nobody,
    a_window_of_mails_is_the_bound_on_copies,
    a_stopped_process_gives_back_and_says_so,
    a_relay_that_is_down_is_said_and_nobody_failed,
];

pub(crate) const CONNECTIONS: usize = 4;

pub(crate) fn initialise(app: &App) {
    let ended = Command::new(env!("CARGO_BIN_EXE_rundbrief"))
        .current_dir(app.directory())
        .args(["init", "--directory", ".", "--database", &app.database])
        .output()
        .unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
}

fn send(app: &App, port: u16) -> Child {
    send_in_flight(app, port, 1)
}

fn send_in_flight(app: &App, port: u16, mails: usize) -> Child {
    let mut command = command(app, port);
    command.env("RUNDBRIEF_TRANSPORT__RELAY__MAILS_IN_FLIGHT", mails.to_string());
    command.spawn().unwrap()
}

/// `rundbrief send` with a relay on this port.
pub(crate) fn command(app: &App, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
    command
        .current_dir(app.directory())
        .args(["send", "1", "--json"])
        .env("RUNDBRIEF_TRANSPORT__RELAY__HOST", "127.0.0.1")
        .env("RUNDBRIEF_TRANSPORT__RELAY__PORT", port.to_string())
        .env("RUNDBRIEF_TRANSPORT__RELAY__TLS", "none")
        .env("RUNDBRIEF_TRANSPORT__RELAY__CONNECTIONS", CONNECTIONS.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Waits for the end of a process: its code, its last line, its remarks.
pub(crate) async fn ended(child: Child) -> (Option<i32>, serde_json::Value, String) {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let last = said
        .lines()
        .last()
        .map_or(serde_json::Value::Null, |line| serde_json::from_str(line).unwrap());
    (output.status.code(), last, String::from_utf8(output.stderr).unwrap())
}

async fn a_killed_process_loses_nobody(app: App) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(2), ..Offer::default() }).await;
    let total = 1200;
    let issue = issue(&app, &readers(total)).await;
    initialise(&app);
    let mut kills = 0;
    for more in [1, 40, 7, 90, 25, 160] {
        let enough = relay.caught().len() + more;
        let mut child = send(&app, relay.port);
        while relay.caught().len() < enough && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let sums = sums::of(&app.store, issue).await.unwrap();
        assert!(sums.total == 0 || sums.add_up(), "{sums:?}");
    }
    let caught = relay.caught().len();
    assert!((1..total).contains(&caught), "{caught} mails are no middle of {total}");
    let (code, report, remarks) = ended(send(&app, relay.port)).await;
    assert_eq!(code, Some(0), "{remarks}");
    let unknown = report["unknown"].as_i64().unwrap();
    assert!(unknown as usize <= kills * CONNECTIONS, "{report}");
    assert_eq!(report["accepted"].as_i64().unwrap() + unknown, total as i64, "{report}");

    // A quarter of an hour without evidence passes, and the policy sends them again.
    execute(&app.store, "update delivery set changed_at = 1 where state = 'unknown'").await;
    let (code, report, remarks) = ended(send(&app, relay.port)).await;
    assert_eq!(code, Some(0), "{remarks}");
    assert_eq!(report["state"], "finished", "{report} {remarks}");
    assert_eq!(report["accepted"], total, "{report}");
    let copies = copies(&relay);
    assert_eq!(copies.len(), total, "somebody was lost");
    let doubled: usize = copies.values().map(|n| n - 1).sum();
    assert!(doubled <= kills * CONNECTIONS, "{doubled} copies after {kills} kills");
}

/// Killed twice and dropped once with three mails in flight on each connection. Each
/// time at most a window for each connection is in doubt, and nobody else gets two.
async fn a_window_of_mails_is_the_bound_on_copies(app: App) {
    const IN_FLIGHT: usize = 3;
    const KILLS: [usize; 2] = [30, 150];
    let offer = Offer {
        keywords: vec!["PIPELINING", "CHUNKING", "8BITMIME"],
        delay: Duration::from_millis(2),
        ..Offer::default()
    };
    let relay = Relay::start(offer).await;
    let total = 900;
    let issue = issue(&app, &readers(total)).await;
    initialise(&app);
    for more in KILLS {
        let enough = relay.caught().len() + more;
        let mut child = send_in_flight(&app, relay.port, IN_FLIGHT);
        while relay.caught().len() < enough && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let caught = relay.caught().len();
    assert!((180..total).contains(&caught), "{caught} mails are no middle of {total}");
    assert!(relay.lines().iter().any(|line| line.starts_with("BDAT")), "no chunk was sent");
    let mut child = send_in_flight(&app, relay.port, IN_FLIGHT);
    while relay.caught().len() < caught + 100 && child.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let sessions = relay.connections();
    relay.play(Fault::DropsAfterDot { accepted: true });
    let (_, _, remarks) = ended(child).await;
    let dropped = relay.connections() - sessions + CONNECTIONS;
    // A worker died on the one kind; the session that lost the others told of them.
    let killed = unknown(&app, "deaths > 0").await;
    let lost = unknown(&app, "deaths = 0").await;
    assert!(killed <= KILLS.len() * CONNECTIONS * IN_FLIGHT, "{killed} {remarks}");
    assert!((1..=dropped * IN_FLIGHT).contains(&lost), "{lost} of {dropped} sessions {remarks}");
    relay.play(Fault::None);
    execute(&app.store, "update delivery set changed_at = 1 where state = 'unknown'").await;
    execute(&app.store, "update delivery set next_at = 0 where state = 'queued'").await;
    let (code, report, remarks) = ended(send_in_flight(&app, relay.port, IN_FLIGHT)).await;
    assert_eq!(code, Some(0), "{remarks}");
    assert_eq!(report["accepted"], total, "{report} {remarks}");
    assert!(sums::of(&app.store, issue).await.unwrap().add_up());
    let copies = copies(&relay);
    assert_eq!(copies.len(), total, "somebody was lost");
    let doubled: usize = copies.values().map(|n| n - 1).sum();
    assert!(doubled <= killed + lost, "{doubled} copies, {killed} and {lost} in doubt");
}

/// How many deliveries of this kind are in doubt.
async fn unknown(app: &App, kind: &'static str) -> usize {
    let text = format!("select count(*) from delivery where state = 'unknown' and {kind}");
    let text = sqlx::AssertSqlSafe(text);
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    usize::try_from(count).unwrap()
}

async fn a_stopped_process_gives_back_and_says_so(app: App) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(5), ..Offer::default() }).await;
    let issue = issue(&app, &readers(2000)).await;
    initialise(&app);
    for _ in 0..5 {
        let enough = relay.caught().len() + 50;
        let mut child = send(&app, relay.port);
        while relay.caught().len() < enough && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let (code, report, remarks) = ended(child).await;
        assert_eq!(code, Some(0), "{remarks}");
        assert!(remarks.contains("stopping"), "{remarks}");
        assert_eq!(report["accepted"].as_u64().unwrap() as usize, relay.caught().len());
        assert_eq!(report["queued"].as_i64().unwrap() + report["accepted"].as_i64().unwrap(), 2000);
        assert!(sums::of(&app.store, issue).await.unwrap().add_up());
    }
    assert!(copies(&relay).values().all(|n| *n == 1));
}

async fn a_relay_that_is_down_is_said_and_nobody_failed(app: App) {
    let relay = Relay::start(Offer { fault: Fault::Refuses, ..Offer::default() }).await;
    let issue = issue(&app, &readers(20)).await;
    initialise(&app);
    let (code, report, remarks) = ended(send(&app, relay.port)).await;
    assert_eq!(code, Some(75), "{remarks}");
    assert!(remarks.contains("554 5.3.2 No service"), "{remarks}");
    assert_eq!((&report["queued"], &report["failed"]), (&20.into(), &0.into()));

    let (first, second) = (send(&app, relay.port), send(&app, relay.port));
    let codes = [ended(first).await, ended(second).await];
    let refused = codes.iter().filter(|(_, _, said)| said.contains("another rundbrief")).count();
    assert!(refused <= 1 && codes.iter().all(|(code, _, _)| *code == Some(75)), "{codes:?}");
    assert_eq!(sums::of(&app.store, issue).await.unwrap().queued, 20);
}
