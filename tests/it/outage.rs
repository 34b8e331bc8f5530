//! PostgreSQL itself fails while an issue goes out: the server is killed and comes back,
//! a connection's process is killed in the middle of a commit. No worker dies, so nobody
//! is lost and nobody gets two.

use std::process::Child;
use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor};

use crate::app::{App, on_own_postgres};
use crate::delivery::{books, copies, issue, readers};
use crate::postgres::{Server, kill};
use crate::relay::{Offer, Relay};
use crate::role::{end, prepare, rundbrief, signed_on};

/// Two workers who wait for an issue.
async fn workers(app: &App, relay: &Relay) -> Vec<Child> {
    let begin = |name| {
        let directory = prepare(app, name, relay.port);
        rundbrief(&directory, &["run", "--role", "worker"]).spawn().unwrap()
    };
    let workers = ["left", "right"].map(begin);
    while signed_on(app).await < 2 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    workers.into()
}

async fn caught(relay: &Relay, workers: &mut [Child], enough: usize) {
    while relay.caught().len() < enough {
        let alive = workers.iter_mut().all(|worker| worker.try_wait().unwrap().is_none());
        assert!(alive, "a worker ended");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Everything is recorded, and everybody got one.
async fn finish(app: &App, relay: &Relay, mut workers: Vec<Child>, total: usize) {
    caught(relay, &mut workers, total).await;
    let mut said = Vec::new();
    for worker in workers {
        said.push(end(worker).await);
    }
    let sums = books(app, rundbrief::issue::IssueId(1)).await;
    assert_eq!(sums.accepted as usize, total, "{sums:?} {said:?}");
    let copies = copies(relay);
    assert_eq!(copies.len(), total, "somebody was lost");
    assert!(copies.values().all(|n| *n == 1), "somebody got two");
    // A short outage is over before the pool of connections has given up.
    let noticed = |said: &String| {
        said.contains("daemon: works again") || said.contains("error returned from database")
    };
    assert!(said.iter().all(noticed), "{said:?}");
}

#[test]
fn a_server_that_is_killed_and_comes_back_costs_nobody_anything() {
    on_own_postgres(killed);
}

async fn killed(app: App, server: Server) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(2), ..Offer::default() }).await;
    let mut workers = workers(&app, &relay).await;
    let total = 5000;
    issue(&app, &readers(total)).await;
    for enough in [1, 400, 900] {
        caught(&relay, &mut workers, enough).await;
        server.kill();
        // What was marked goes out, and its replies wait in the journal.
        tokio::time::sleep(Duration::from_millis(1500)).await;
        server.again();
    }
    assert!(relay.caught().len() < total, "the server was killed too late");
    finish(&app, &relay, workers, total).await;
}

#[test]
fn a_commit_that_is_killed_half_way_is_read_back() {
    on_own_postgres(half_way);
}

/// Where a commit stands still, and whether it counts when its process is killed there.
const HALF_WAY: [(&str, &str); 2] = [
    // Before it is written: it never was.
    ("commit_siblings = 0", "commit_delay = 100000"),
    // It is written and nobody was told: a standby that does not exist has to say yes.
    ("synchronous_standby_names = 'nobody'", "commit_delay = 0"),
];

async fn half_way(app: App, server: Server) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(2), ..Offer::default() }).await;
    let mut workers = workers(&app, &relay).await;
    let total = 5000;
    issue(&app, &readers(total)).await;
    for (round, (first, second)) in HALF_WAY.into_iter().cycle().take(6).enumerate() {
        caught(&relay, &mut workers, 1 + round * 150).await;
        set(&server, &[first, second]).await;
        let text = "
            select pid
            from pg_stat_activity
            where application_name = 'rundbrief' and state = 'active' and query = 'COMMIT'";
        let mut watch = server.connect().await.unwrap();
        let pid: i32 = loop {
            let found: Option<i32> =
                sqlx::query_scalar(text).fetch_optional(&mut watch).await.unwrap();
            if let Some(pid) = found {
                break pid;
            }
        };
        kill(pid);
        set(&server, &["commit_delay = 0", "synchronous_standby_names = ''"]).await;
    }
    assert!(relay.caught().len() < total, "nothing was left to send");
    finish(&app, &relay, workers, total).await;
}

/// Changes settings, as soon as the server lets somebody in.
async fn set(server: &Server, settings: &[&str]) {
    loop {
        if let Ok(mut connection) = server.connect().await {
            let mut done = Vec::new();
            for setting in settings {
                let text = AssertSqlSafe(format!("alter system set {setting}"));
                done.push(connection.execute(text).await.is_ok());
            }
            done.push(connection.execute("select pg_reload_conf()").await.is_ok());
            if done.iter().all(|done| *done) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
