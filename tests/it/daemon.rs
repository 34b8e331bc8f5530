//! The daemon as a process: killed at random moments, its books checked; asked to
//! stop; watched as systemd watches it. The mail server is the demo's catcher.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rundbrief::delivery::sums::{self, Sums};
use rundbrief::demo::catcher::Catcher;
use rundbrief::issue::IssueId;
use rundbrief::read;

use crate::app::App;

crate::app::on_both![
    killed_at_random_moments_it_loses_nobody_and_its_books_add_up,
    asked_to_stop_it_drains_says_how_many_remain_and_logs_no_address,
    a_second_daemon_is_refused_by_name,
    systemd_hears_ready_watchdog_and_stopping,
];

/// Readers of the one issue.
const READERS: usize = 500;
/// How often the process is killed.
const KILLS: usize = 4;
/// Sessions: the bound on copies for each kill.
const CONNECTIONS: usize = 4;
/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

const NEWSLETTER: &str = r#"
slug = "musterhafen"
title = "Neues aus Musterhafen"
language = "de"
time_zone = "Europe/Berlin"
privacy_url = "https://example.de/datenschutz"
[sender]
name = "Stadt Musterhafen"
address = "newsletter@example.de"
reply_to = "redaktion@example.de"
[imprint]
name = "Stadt Musterhafen"
representative = "Oberbürgermeisterin Dr. Jana Muster"
street = "Am Hafen 1"
place = "12345 Musterhafen"
email = "stadt@example.de"
phone = "+49 12345 6789"
[policies]
undo_minutes = 0
"#;

const ARTICLE: &str = "---\ntitle: Neue Radwege am Hafen\ndate: 2026-11-19\n---\n\
    Seit Montag rollt es sich leichter durch Musterhafen. Der Radweg am Hafen ist fertig, drei \
    Wochen früher als geplant. Er führt vom Bahnhof über die Speicherstraße bis zum Leuchtturm.\n";

struct Daemon {
    app: App,
    catcher: Catcher,
    logs: Vec<PathBuf>,
}

impl Daemon {
    /// A configuration in the test's directory, and a mail server.
    async fn prepare(app: App) -> Daemon {
        let catcher = Catcher::start(&app.directory().join("Maildir")).await.unwrap();
        let config = format!(
            "directory = \".\"\n[database]\naddress = {:?}\n[web]\nlisten = \"127.0.0.1:0\"\n\
             address = \"http://127.0.0.1:8025\"\n[mail]\ndomain = \"news.example.de\"\n\
             return_path = \"bounce@news.example.de\"\n[transport.catcher]\nhost = \"127.0.0.1\"\n\
             port = {}\ntls = \"none\"\nconnections = {CONNECTIONS}\n",
            app.database,
            catcher.at.port()
        );
        std::fs::write(app.directory().join("rundbrief.toml"), config).unwrap();
        let daemon = Daemon { app, catcher, logs: Vec::new() };
        daemon.command(&["init"]).await;
        daemon
    }

    /// An issue for all readers, queued.
    async fn queue(&self) {
        let write = |name: &str, text: &str| {
            std::fs::write(self.app.directory().join(name), text).unwrap();
        };
        write("newsletter.toml", NEWSLETTER);
        write("article.md", ARTICLE);
        let readers: String = (0..READERS).map(|n| format!("reader{n}@example.org\n")).collect();
        write("readers.csv", &format!("email\n{readers}"));
        self.command(&["newsletter", "apply", "newsletter.toml"]).await;
        self.command(&["article", "add", "article.md"]).await;
        self.command(&["subscriber", "import", "readers.csv", "--newsletter", "musterhafen"]).await;
        self.command(&["issue", "compose", "musterhafen"]).await;
        self.command(&["issue", "queue", "1"]).await;
    }

    fn binary(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
        command.args(arguments).current_dir(self.app.directory()).env_remove("RUNDBRIEF_CONFIG");
        command
    }

    async fn command(&self, arguments: &[&str]) {
        let mut command = self.binary(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
    }

    fn start(&mut self, variables: &[(&str, &str)]) -> Child {
        let log = self.app.directory().join(format!("{}.log", self.logs.len()));
        let file = std::fs::File::create(&log).unwrap();
        self.logs.push(log);
        let mut command = self.binary(&["run"]);
        command.envs(variables.iter().copied()).stdout(Stdio::null()).stderr(file);
        command.spawn().unwrap()
    }

    fn log(&self) -> String {
        let all = self.logs.iter().map(|log| std::fs::read_to_string(log).unwrap());
        all.collect()
    }

    async fn until(&self, what: &str, mut done: impl AsyncFnMut() -> bool) {
        let started = Instant::now();
        while !done().await {
            assert!(started.elapsed() < PATIENCE, "{what} takes too long: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn sums(&self) -> Sums {
        sums::of(&self.app.store, IssueId(1)).await.unwrap()
    }

    /// Mails by reader.
    fn copies(&self) -> HashMap<String, usize> {
        let mut copies = HashMap::new();
        for mail in self.catcher.mails() {
            for to in mail.to {
                *copies.entry(to).or_default() += 1;
            }
        }
        copies
    }
}

fn signal(child: &Child, name: &str) {
    let done = Command::new("kill").args(["-s", name, &child.id().to_string()]).status().unwrap();
    assert!(done.success());
}

async fn ended(mut child: Child) -> std::process::ExitStatus {
    tokio::task::spawn_blocking(move || child.wait()).await.unwrap().unwrap()
}

async fn killed_at_random_moments_it_loses_nobody_and_its_books_add_up(app: App) {
    let mut daemon = Daemon::prepare(app).await;
    daemon.queue().await;
    let chance = RandomState::new();
    for kill in 0..KILLS {
        let child = daemon.start(&[]);
        let more = chance.hash_one(kill) as usize % (READERS / (KILLS + 1));
        let at = (daemon.catcher.count() + more).min(READERS - 20);
        daemon.until("sending", async || daemon.catcher.count() >= at).await;
        signal(&child, "KILL");
        ended(child).await;
        let sums = daemon.sums().await;
        assert!(sums.total == 0 || sums.add_up(), "after kill {kill} at {at}: {sums:?}");
    }
    let child = daemon.start(&[]);
    // What nobody can know is settled after a quarter of an hour; that is waited for elsewhere.
    let done = async || {
        let sums = daemon.sums().await;
        sums.total > 0 && sums.accepted + sums.unknown == sums.total
    };
    daemon.until("the rest", done).await;
    signal(&child, "TERM");
    assert!(ended(child).await.success(), "{}", daemon.log());
    let sums = daemon.sums().await;
    assert!(sums.add_up() && sums.total == READERS as i64, "{sums:?}");
    assert!(sums.unknown <= (KILLS * CONNECTIONS) as i64, "{sums:?}");
    let copies = daemon.copies();
    let doubled: usize = copies.values().map(|n| n - 1).sum();
    assert!(doubled <= KILLS * CONNECTIONS, "{doubled} copies too many");
    let without = READERS - copies.len();
    assert!(without as i64 <= sums.unknown, "{without} readers without a mail, {sums:?}");
    let accepted = "
        select r.address
        from delivery d
        join subscriber r on r.id = d.subscriber_id
        where d.state = 'accepted'";
    let accepted: Vec<String> =
        read!(daemon.app.store, |db| sqlx::query_scalar(accepted).fetch_all(db).await).unwrap();
    assert!(accepted.iter().all(|address| copies.contains_key(address)), "accepted, not arrived");
}

async fn asked_to_stop_it_drains_says_how_many_remain_and_logs_no_address(app: App) {
    let mut daemon = Daemon::prepare(app).await;
    daemon.queue().await;
    let child = daemon.start(&[("RUNDBRIEF_LOG__LEVEL", "debug")]);
    daemon.until("sending", async || daemon.catcher.count() >= 20).await;
    signal(&child, "TERM");
    assert_eq!(ended(child).await.code(), Some(0));
    let sums = daemon.sums().await;
    assert!(sums.add_up(), "{sums:?}");
    assert_eq!((sums.claimed, sums.sending, sums.unknown), (0, 0, 0), "{sums:?}");
    assert_eq!(sums.accepted as usize, daemon.copies().len(), "what arrived is on the books");
    let log = daemon.log();
    let said = format!("daemon: stopped remaining={}", sums.open());
    assert!(log.contains(&said), "{said} is not in: {log}");
    let leaks: Vec<&str> = log.lines().filter(|line| line.contains('@')).collect();
    assert!(leaks.is_empty(), "addresses in the log: {leaks:?}");
}

async fn a_second_daemon_is_refused_by_name(app: App) {
    let mut daemon = Daemon::prepare(app).await;
    let first = daemon.start(&[]);
    daemon.until("ready", async || daemon.log().contains("daemon: ready")).await;
    let second = daemon.start(&[]);
    assert_eq!(ended(second).await.code(), Some(75));
    let said = daemon.log();
    assert!(said.contains(&format!("process {}", first.id())), "{said}");
    signal(&first, "TERM");
    assert!(ended(first).await.success());
}

async fn systemd_hears_ready_watchdog_and_stopping(app: App) {
    let mut daemon = Daemon::prepare(app).await;
    let path = daemon.app.directory().join("notify");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let path = path.display().to_string();
    let child = daemon.start(&[("NOTIFY_SOCKET", &path), ("WATCHDOG_USEC", "600000")]);
    let mut heard = Vec::new();
    let listen = async |heard: &mut Vec<String>, wanted: &str| {
        while !heard.iter().any(|words| words.contains(wanted)) {
            let mut bytes = [0; 512];
            let heard_now = tokio::time::timeout(PATIENCE, socket.recv(&mut bytes)).await;
            let length = heard_now.unwrap_or_else(|_| panic!("no {wanted}: {heard:?}")).unwrap();
            heard.push(String::from_utf8_lossy(&bytes[..length]).into_owned());
        }
    };
    listen(&mut heard, "READY=1").await;
    heard.clear();
    listen(&mut heard, "WATCHDOG=1").await;
    signal(&child, "TERM");
    listen(&mut heard, "STOPPING=1").await;
    assert!(ended(child).await.success(), "{}", daemon.log());
}
