//! Full mailboxes, worked off by a process that is killed twice on the way: none is
//! lost, none counts twice, nothing is deleted before it is stored.
//! `MAILS=100000 cargo nextest run --no-capture -E 'test(many::sqlite)'` does it with as
//! many and prints what each process cost.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rundbrief::config::mailbox::{Account, After, Login};
use rundbrief::config::secret::Secret;
use rundbrief::config::transport::Tls;
use rundbrief::read;

use crate::app::{App, on_both};
use crate::dovecot::Dovecot;

on_both![
    a_full_maildir_survives_kills,
    a_full_mailbox_in_a_file_survives_kills,
    a_full_mailbox_by_imap_survives_kills,
    a_full_mailbox_by_pop3_survives_kills,
];

/// How many mails; a few batches in the suite.
fn many() -> usize {
    std::env::var("MAILS").map_or(330, |count| count.parse().unwrap())
}

fn bounce(n: usize) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.org\nSubject: Undelivered Mail Returned to Sender\n\
         Message-ID: <{n}@mx.example.org>\n\n<reader{n}@example.org>: 550 5.1.1 User unknown\n\n\
         {}",
        "Some words of the mail that came back.\n".repeat(20)
    )
}

async fn stored(app: &App) -> usize {
    let text = "select count(*) from bounce";
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    usize::try_from(count).unwrap()
}

/// A directory of its own, as nobody else, such as the mail server, may look into it.
fn home(app: &App) -> PathBuf {
    app.directory().join("home")
}

fn rundbrief(app: &App, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
    command.args(arguments).current_dir(home(app)).env_remove("RUNDBRIEF_CONFIG");
    command.env("RUNDBRIEF_LOG__LEVEL", "error").stdin(Stdio::null());
    command
}

/// What a process has used: its time and its peak of memory, as the system says them.
fn used(child: &Child) -> String {
    let about = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", child.id()));
    let stat = about("stat").unwrap_or_default();
    let ticks = |at: usize| stat.split(' ').nth(at).and_then(|n| n.parse::<u32>().ok());
    let ticks = ticks(13).zip(ticks(14)).map_or(0, |(user, system)| user + system);
    let status = about("status").unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    format!("{ticks} ticks, {peak}")
}

/// Lets processes work, kills two of them on the way, and lets a third end.
/// `left` says how many mails still lie in the mailbox.
async fn survives(app: &App, inlet: &str, left: impl Fn() -> usize) {
    let config = format!(
        "directory = \".\"\n[database]\naddress = {:?}\n[web]\naddress = \"http://127.0.0.1:8025\"\n\
         [mail]\ndomain = \"news.example.de\"\nreturn_path = \"bounce@news.example.de\"\n{inlet}",
        app.database
    );
    fs::create_dir(home(app)).unwrap();
    fs::write(home(app).join("rundbrief.toml"), config).unwrap();
    let made = rundbrief(app, &["init"]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pause = Duration::from_micros(500 + many() as u64);
    let mut kills = 0;
    for goal in [many() / 6, many() / 2, usize::MAX] {
        let mut child = rundbrief(app, &["run", "--once"]).spawn().unwrap();
        let mut said = String::new();
        let ended = loop {
            let enough = stored(app).await >= goal;
            if enough {
                child.kill().unwrap();
            }
            if let Some(ended) = child.try_wait().unwrap() {
                break ended;
            }
            said = used(&child);
            tokio::time::sleep(pause).await;
        };
        let now = stored(app).await;
        let left = left();
        println!("{now} stored, {left} left; {said}");
        assert!(now + left >= many(), "{now} stored, {left} left");
        assert!(ended.success() || goal < many(), "{ended}");
        kills += usize::from(now < many());
    }
    assert!(kills > 0, "no process died in the middle");
    assert_eq!((stored(app).await, left()), (many(), 0));
}

fn count(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

async fn a_full_maildir_survives_kills(app: App) {
    let maildir = app.directory().join("Maildir");
    for name in ["new", "cur", "tmp"] {
        fs::create_dir_all(maildir.join(name)).unwrap();
    }
    (0..many()).for_each(|n| fs::write(maildir.join(format!("new/{n:07}.h")), bounce(n)).unwrap());
    let inlet = format!("[bounce]\nmaildir = {maildir:?}\n");
    survives(&app, &inlet, || count(&maildir.join("new"))).await;
    assert_eq!(count(&maildir.join("cur")), many());
}

async fn a_full_mailbox_in_a_file_survives_kills(app: App) {
    let path = app.directory().join("mbox");
    let from = "From MAILER-DAEMON Mon Mar  2 08:00:00 2026\n";
    let text: String = (0..many()).map(|n| format!("{from}{}\n", bounce(n))).collect();
    fs::write(&path, text).unwrap();
    let left = || if fs::metadata(&path).unwrap().len() > 0 { many() } else { 0 };
    survives(&app, &format!("[bounce.mbox]\npath = {path:?}\n"), left).await;
}

fn section(name: &str, account: &Account) -> String {
    let Secret::File(password) = &account.password else { panic!("a file with the password") };
    format!(
        "[bounce.{name}]\nhost = {:?}\nport = {}\nuser = {:?}\npassword = {{ file = {password:?} }}\n\
         ca_file = {:?}\n",
        account.host,
        account.port,
        account.user,
        account.ca_file.as_ref().unwrap()
    )
}

async fn a_full_mailbox_by_imap_survives_kills(app: App) {
    let server = Dovecot::start(app.directory());
    (0..many()).for_each(|n| server.put(&format!("{n:07}.h"), &bounce(n)));
    let account = server.imap(Tls::Implicit, Login::Password, After::Delete);
    survives(&app, &section("imap", &account), || server.count().0).await;
}

async fn a_full_mailbox_by_pop3_survives_kills(app: App) {
    let server = Dovecot::start(app.directory());
    (0..many()).for_each(|n| server.put(&format!("{n:07}.h"), &bounce(n)));
    let account = server.pop3(Tls::Implicit, Login::Password, After::Delete);
    survives(&app, &section("pop3", &account), || server.count().0).await;
}
