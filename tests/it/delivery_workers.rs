//! Several workers on one PostgreSQL: four deliver one issue, two of them are
//! killed, one is stopped for longer than its lease.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rundbrief::delivery::sums;

use crate::app::{App, on_postgres};
use crate::delivery::{copies, execute, issue, readers};
use crate::relay::{Offer, Relay};

const CONNECTIONS: usize = 2;
/// Longer than a worker lives without a sign (settle::WORKER_LIVES).
const STOPPED: Duration = Duration::from_secs(33);

fn rundbrief(directory: &Path, port: u16) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
    command
        .current_dir(directory)
        .env("RUNDBRIEF_TRANSPORT__RELAY__HOST", "127.0.0.1")
        .env("RUNDBRIEF_TRANSPORT__RELAY__PORT", port.to_string())
        .env("RUNDBRIEF_TRANSPORT__RELAY__TLS", "none")
        .env("RUNDBRIEF_TRANSPORT__RELAY__CONNECTIONS", CONNECTIONS.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn send(directory: &Path, port: u16) -> Child {
    rundbrief(directory, port).args(["send", "1"]).spawn().unwrap()
}

fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
}

async fn end(child: Child) {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn four_workers_deliver_one_issue_and_nobody_gets_two() {
    on_postgres(four_workers);
}

async fn four_workers(app: App) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(6), ..Offer::default() }).await;
    let total = 2500;
    let issue = issue(&app, &readers(total)).await;
    let directories: Vec<PathBuf> = (0..4)
        .map(|n| {
            let directory = app.directory().join(format!("worker{n}"));
            std::fs::create_dir(&directory).unwrap();
            let init = ["init", "--directory", ".", "--database", &app.database];
            let made = rundbrief(&directory, relay.port).args(init).output().unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            directory
        })
        .collect();
    let mut workers: Vec<Child> = directories.iter().map(|d| send(d, relay.port)).collect();
    while relay.caught().len() < 300 {
        let over = workers.iter_mut().all(|worker| worker.try_wait().unwrap().is_some());
        assert!(!over, "the workers ended early");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    for worker in &mut workers[..2] {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    let (stopped, last) = (workers.remove(2), workers.remove(2));
    signal(&stopped, "-STOP");
    end(last).await;
    let done = relay.caught().len();
    assert!(done < total, "nothing was left for the others");
    tokio::time::sleep(STOPPED).await;
    // Somebody lives, sees three who do not, and takes what they had claimed.
    end(send(&directories[3], relay.port)).await;
    signal(&stopped, "-CONT");
    end(stopped).await;
    // The killed ones come back and read their journals.
    end(send(&directories[0], relay.port)).await;
    end(send(&directories[1], relay.port)).await;
    let sums = sums::of(&app.store, issue).await.unwrap();
    assert!(sums.add_up() && sums.unknown as usize <= 2 * CONNECTIONS, "{sums:?}");
    assert_eq!(sums.accepted + sums.unknown, total as i64, "{sums:?}");
    execute(&app.store, "update delivery set changed_at = 1 where state = 'unknown'").await;
    end(send(&directories[3], relay.port)).await;
    let sums = sums::of(&app.store, issue).await.unwrap();
    assert_eq!(sums.accepted, total as i64, "{sums:?}");
    let copies = copies(&relay);
    assert_eq!(copies.len(), total, "somebody was lost");
    let doubled: usize = copies.values().map(|n| n - 1).sum();
    assert!(doubled <= 2 * CONNECTIONS, "{doubled} copies");
}
