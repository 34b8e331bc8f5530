//! Processes with a role: on other machines one can only deliver.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rundbrief::delivery::settle::Identity;
use rundbrief::read;

use crate::app::{App, on_postgres, on_sqlite};
use crate::delivery::{books, copies, issue, readers};
use crate::relay::{Offer, Relay};

pub(crate) fn rundbrief(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
    command.current_dir(directory).args(arguments).env_remove("RUNDBRIEF_CONFIG");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// A process's own directory; its transport has its name.
pub(crate) fn prepare(app: &App, name: &str, port: u16) -> PathBuf {
    prepare_at(app, name, port, &app.database)
}

/// The same with another way to the database.
pub(crate) fn prepare_at(app: &App, name: &str, port: u16, database: &str) -> PathBuf {
    let directory = app.directory().join(name);
    std::fs::create_dir(&directory).unwrap();
    let config = format!(
        "directory = \".\"\n[database]\naddress = {:?}\n[web]\nlisten = \"127.0.0.1:0\"\n\
         address = \"http://127.0.0.1:8025\"\n[mail]\ndomain = \"news.example.de\"\n\
         return_path = \"bounce@news.example.de\"\n[transport.{name}]\nhost = \"127.0.0.1\"\n\
         port = {port}\ntls = \"none\"\nconnections = 2\n",
        database
    );
    std::fs::write(directory.join("rundbrief.toml"), config).unwrap();
    let made = rundbrief(&directory, &["init"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    directory
}

pub(crate) async fn signed_on(app: &App) -> i64 {
    let text = "select count(*) from worker where stopped_at is null";
    read!(app.store, |db| sqlx::query_scalar(text).fetch_one(db).await).unwrap()
}

pub(crate) async fn end(child: Child) -> String {
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    let output = tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn workers_on_other_machines_deliver_and_do_nothing_else() {
    on_postgres(workers);
}

async fn workers(app: App) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(4), ..Offer::default() }).await;
    let worker = ["run", "--role", "worker"];
    let mut children = Vec::new();
    for (name, arguments) in [("main", &worker[..1]), ("left", &worker[..]), ("right", &worker[..])]
    {
        let directory = prepare(&app, name, relay.port);
        children.push(rundbrief(&directory, arguments).spawn().unwrap());
    }
    let alive = |children: &mut Vec<Child>| {
        assert!(children.iter_mut().all(|child| child.try_wait().unwrap().is_none()), "one ended");
    };
    while signed_on(&app).await < 3 {
        alive(&mut children);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let total = 400;
    let issue = issue(&app, &readers(total)).await;
    while relay.caught().len() < total {
        alive(&mut children);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut said = Vec::new();
    for child in children {
        said.push(end(child).await);
    }
    assert_eq!(books(&app, issue).await.accepted, total as i64);
    assert!(copies(&relay).values().all(|n| *n == 1));
    let text = "select transport, count(*) from delivery group by transport";
    let by: Vec<(String, i64)> =
        read!(app.store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap();
    let by: BTreeMap<String, i64> = by.into_iter().collect();
    assert_eq!(by.keys().map(String::as_str).collect::<Vec<_>>(), ["left", "main", "right"]);
    assert!(said[0].contains("web: listening"), "{}", said[0]);
    assert!(said[1..].iter().all(|said| !said.contains("web:")), "{}", said[1]);
    assert_eq!(signed_on(&app).await, 0);
}

#[test]
fn on_sqlite_there_is_one_process() {
    on_sqlite(|app| async move {
        let directory = prepare(&app, "alone", 25);
        let ended = rundbrief(&directory, &["run", "--role", "worker"]).output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(78), "{said}");
        assert!(said.contains("PostgreSQL"), "{said}");
    });
}

/// Containers may share the machine's name and the path of their directories.
#[test]
fn two_directories_are_never_one_worker() {
    let name = |directory: &tempfile::TempDir| {
        let host = Identity::of(directory.path()).unwrap().host;
        host.rsplit_once('#').unwrap().1.to_owned()
    };
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert_eq!(name(&one), name(&one));
    assert_ne!(name(&one), name(&other));
}
