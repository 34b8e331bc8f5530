//! Mailboxes at a real server: what came back is stored once, and deleted only then.

use std::time::Duration;

use rundbrief::config::mailbox::{Account, After, Imap, Login, Mbox, Pop3};
use rundbrief::config::transport::Tls;
use rundbrief::intake::{Step, imap, mbox, pop3};
use rundbrief::store::value::Millis;
use rundbrief::{on, read};

use crate::app::{App, on_both};
use crate::dovecot::Dovecot;

on_both![
    imap_stores_and_deletes,
    imap_logs_in_by_token_and_by_starttls,
    imap_flags_and_moves,
    imap_reads_again_when_the_server_numbers_anew,
    imap_after_a_crash_deletes_what_is_stored_and_doubles_nothing,
    imap_waits_for_news,
    imap_leaves_a_mail_beyond_the_limit,
    imap_works_many_mails_in_batches,
    pop3_stores_and_deletes,
    pop3_keeps_and_reads_nothing_twice,
    pop3_logs_in_by_token_and_by_starttls,
    pop3_after_a_crash_deletes_what_is_stored_and_doubles_nothing,
    the_same_mail_on_several_ways_counts_once,
    a_mailbox_in_a_file_is_read_and_emptied,
    a_mailbox_in_a_file_goes_on_where_it_was_left,
];

const NOW: Millis = Millis(1_772_438_400_000);

fn bounce(n: usize) -> String {
    format!(
        "From: MAILER-DAEMON@mx.example.org\nSubject: Undelivered Mail Returned to Sender\n\
         Message-ID: <{n}@mx.example.org>\n\n<reader{n}@example.org>: 550 5.1.1 User unknown\n"
    )
}

async fn stored(app: &App) -> i64 {
    let text = "select count(*) from bounce";
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    count
}

async fn failures(app: &App) -> i64 {
    let text = "select count(*) from bounce where kind = 'failure'";
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    count
}

fn inbox(account: Account) -> Imap {
    Imap { account, folder: "INBOX".to_owned() }
}

/// Steps until there is nothing more, as the daemon does.
async fn drain(mailbox: &mut imap::Mailbox, app: &App) -> Step {
    let mut sum = Step::default();
    loop {
        let step = mailbox.step(&app.store, NOW).await.unwrap();
        sum.new += step.new;
        sum.known += step.known;
        if !step.more {
            return sum;
        }
    }
}

async fn read_imap(account: Account, app: &App) -> Step {
    let mut mailbox = imap::Mailbox::open(&inbox(account)).await.unwrap();
    let sum = drain(&mut mailbox, app).await;
    mailbox.close().await;
    sum
}

async fn imap_stores_and_deletes(app: App) {
    let server = Dovecot::start(app.directory());
    (0..3).for_each(|n| server.put(&n.to_string(), &bounce(n)));
    let account = server.imap(Tls::Implicit, Login::Password, After::Delete);
    let sum = read_imap(account.clone(), &app).await;
    assert_eq!((sum.new, sum.known), (3, 0), "{}", server.log());
    assert_eq!((stored(&app).await, failures(&app).await), (3, 3));
    assert_eq!(server.count(), (0, 0));
    // One more, and an old one that comes again.
    server.put("3", &bounce(3));
    server.put("again", &bounce(1));
    let sum = read_imap(account, &app).await;
    assert_eq!((sum.new, sum.known), (1, 1));
    assert_eq!(stored(&app).await, 4);
    assert_eq!(server.count(), (0, 0));
}

async fn imap_logs_in_by_token_and_by_starttls(app: App) {
    let server = Dovecot::start(app.directory());
    server.put("0", &bounce(0));
    let sum = read_imap(server.imap(Tls::Starttls, Login::Xoauth2, After::Keep), &app).await;
    assert_eq!(sum.new, 1, "{}", server.log());
    server.put("1", &bounce(1));
    let sum = read_imap(server.imap(Tls::None, Login::Password, After::Keep), &app).await;
    assert_eq!(
        (sum.new, sum.known),
        (1, 0),
        "another way of logging in is the same place or known"
    );
    let mut wrong = server.imap(Tls::Implicit, Login::Password, After::Keep);
    wrong.login = Login::Xoauth2;
    let refused = imap::Mailbox::open(&inbox(wrong)).await.unwrap_err();
    assert!(format!("{refused:#}").contains("XOAUTH2"), "{refused:#}");
    let mut stranger = server.imap(Tls::Implicit, Login::Password, After::Keep);
    stranger.ca_file = None;
    let refused = imap::Mailbox::open(&inbox(stranger)).await.unwrap_err();
    assert!(format!("{refused:#}").contains("certificate"), "{refused:#}");
}

async fn imap_flags_and_moves(app: App) {
    let server = Dovecot::start(app.directory());
    (0..2).for_each(|n| server.put(&n.to_string(), &bounce(n)));
    read_imap(server.imap(Tls::Implicit, Login::Password, After::Keep), &app).await;
    assert_eq!(server.count(), (2, 0));
    server.put("2", &bounce(2));
    read_imap(server.imap(Tls::Implicit, Login::Password, After::Seen), &app).await;
    assert_eq!(server.count(), (3, 3), "what was stored before is seen, too");
    // A folder that is not there: nothing is lost, the mails stay.
    server.put("3", &bounce(3));
    let moved = server.imap(Tls::Implicit, Login::Password, After::Move("Done".to_owned()));
    let mut mailbox = imap::Mailbox::open(&inbox(moved.clone())).await.unwrap();
    assert!(mailbox.step(&app.store, NOW).await.is_err());
    assert_eq!(server.count().0, 4);
    for folder in ["", "new", "cur", "tmp"] {
        std::fs::create_dir_all(server.mail(".Done").join(folder)).unwrap();
        std::os::unix::fs::chown(
            server.mail(".Done").join(folder),
            Some(std::os::unix::fs::MetadataExt::uid(
                &std::fs::metadata(server.mail("new")).unwrap(),
            )),
            None,
        )
        .unwrap();
    }
    read_imap(moved, &app).await;
    assert_eq!(server.count().0, 0, "{}", server.log());
    let done = |folder: &str| std::fs::read_dir(server.mail(".Done").join(folder)).unwrap().count();
    assert_eq!(done("new") + done("cur"), 4);
    assert_eq!(stored(&app).await, 4);
}

async fn imap_reads_again_when_the_server_numbers_anew(app: App) {
    let server = Dovecot::start(app.directory());
    (0..3).for_each(|n| server.put(&n.to_string(), &bounce(n)));
    let account = server.imap(Tls::Implicit, Login::Password, After::Keep);
    assert_eq!(read_imap(account.clone(), &app).await.new, 3);
    // Everything has another number, and one mail under the old numbers is new.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    server.renumber();
    server.put("3", &bounce(3));
    let sum = read_imap(account.clone(), &app).await;
    assert_eq!((sum.new, sum.known), (1, 3), "{}", server.log());
    assert_eq!(read_imap(account, &app).await, Step::default());
    assert_eq!(stored(&app).await, 4);
}

async fn imap_after_a_crash_deletes_what_is_stored_and_doubles_nothing(app: App) {
    let server = Dovecot::start(app.directory());
    (0..3).for_each(|n| server.put(&n.to_string(), &bounce(n)));
    // Stored, and the process died before it deleted: the same as keeping.
    read_imap(server.imap(Tls::Implicit, Login::Password, After::Keep), &app).await;
    server.put("3", &bounce(3));
    let account = server.imap(Tls::Implicit, Login::Password, After::Delete);
    let sum = read_imap(account.clone(), &app).await;
    assert_eq!((sum.new, sum.known), (1, 0), "what is stored is deleted, not read again");
    assert_eq!(server.count(), (0, 0));
    // The database lost the commit (restored from a backup): the mail is read again.
    server.put("4", &bounce(4));
    let mut tx = app.store.begin().await.unwrap();
    let text = "update intake_progress set position = 0";
    on!(tx, |c| sqlx::query(text).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    assert_eq!(read_imap(account, &app).await.new, 1);
    assert_eq!(stored(&app).await, 5);
}

async fn imap_waits_for_news(app: App) {
    let server = Dovecot::start(app.directory());
    let account = server.imap(Tls::Implicit, Login::Password, After::Delete);
    let mut mailbox = imap::Mailbox::open(&inbox(account)).await.unwrap();
    assert_eq!(drain(&mut mailbox, &app).await, Step::default());
    // Nothing comes: the wait ends by itself, and the session goes on.
    mailbox = mailbox.wait(Duration::from_millis(200)).await.unwrap();
    let waiting = tokio::spawn(mailbox.wait(imap::IDLE));
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.put("0", &bounce(0));
    let woken = tokio::time::timeout(Duration::from_secs(60), waiting).await;
    let mut mailbox = woken.expect("IDLE hears of it").unwrap().unwrap();
    assert_eq!(drain(&mut mailbox, &app).await.new, 1);
    mailbox.close().await;
}

async fn imap_leaves_a_mail_beyond_the_limit(app: App) {
    let server = Dovecot::start(app.directory());
    let line = format!("{}\n", "x".repeat(99));
    server.put("large", &(bounce(0) + &line.repeat(60_000)));
    server.put("small", &bounce(1));
    let account = server.imap(Tls::Implicit, Login::Password, After::Delete);
    assert_eq!(read_imap(account.clone(), &app).await.new, 2);
    assert_eq!(server.count().0, 1, "only its beginning is stored, so it stays");
    assert_eq!(read_imap(account, &app).await, Step::default());
    let text = "select count(*) from bounce where kind = 'unclear'";
    let (unclear,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(unclear, 1);
}

async fn imap_works_many_mails_in_batches(app: App) {
    let server = Dovecot::start(app.directory());
    (0..250).for_each(|n| server.put(&n.to_string(), &bounce(n)));
    let account = server.imap(Tls::None, Login::Password, After::Delete);
    let mut mailbox = imap::Mailbox::open(&inbox(account.clone())).await.unwrap();
    let step = mailbox.step(&app.store, NOW).await.unwrap();
    assert_eq!((step.new, step.more), (100, true));
    // The process dies here; another goes on.
    drop(mailbox);
    assert_eq!(read_imap(account, &app).await.new, 150);
    assert_eq!((stored(&app).await, server.count().0), (250, 0));
}

async fn pop3_stores_and_deletes(app: App) {
    let server = Dovecot::start(app.directory());
    (0..250).for_each(|n| server.put(&n.to_string(), &bounce(n)));
    server.put("dots", &(bounce(250) + "\n.\n..\n.dot\n"));
    let pop3 = Pop3 { account: server.pop3(Tls::Implicit, Login::Password, After::Delete) };
    let step = pop3::step(&pop3, &app.store, NOW).await.unwrap();
    assert_eq!((step.new, step.known, step.more), (251, 0, false), "{}", server.log());
    assert_eq!((stored(&app).await, server.count().0), (251, 0));
    let text = "select raw from bounce where report like '%reader250@%' limit 1";
    let cast = "select raw from bounce where report::text like '%reader250@%' limit 1";
    let (raw,): (Vec<u8>,) = match app.store.kind() {
        rundbrief::store::Kind::Sqlite => {
            read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap()
        }
        rundbrief::store::Kind::Postgres => {
            read!(app.store, |db| sqlx::query_as(cast).fetch_one(db).await).unwrap()
        }
    };
    assert!(raw.ends_with(b"\r\n\r\n.\r\n..\r\n.dot\r\n"), "dots are unstuffed");
}

async fn seen(app: &App) -> i64 {
    let text = "select count(*) from intake_seen";
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    count
}

async fn pop3_keeps_and_reads_nothing_twice(app: App) {
    let server = Dovecot::start(app.directory());
    (0..3).for_each(|n| server.put(&n.to_string(), &bounce(n)));
    let keep = Pop3 { account: server.pop3(Tls::Implicit, Login::Password, After::Keep) };
    assert_eq!(pop3::step(&keep, &app.store, NOW).await.unwrap().new, 3);
    assert_eq!(pop3::step(&keep, &app.store, NOW).await.unwrap(), Step::default());
    assert_eq!((server.count().0, seen(&app).await), (3, 3));
    let delete = Pop3 { account: server.pop3(Tls::Implicit, Login::Password, After::Delete) };
    assert_eq!(pop3::step(&delete, &app.store, NOW).await.unwrap(), Step::default());
    assert_eq!(server.count().0, 0);
    pop3::step(&delete, &app.store, NOW).await.unwrap();
    assert_eq!(seen(&app).await, 0, "what is gone is forgotten");
}

async fn pop3_logs_in_by_token_and_by_starttls(app: App) {
    let server = Dovecot::start(app.directory());
    server.put("0", &bounce(0));
    let pop3 = Pop3 { account: server.pop3(Tls::Starttls, Login::Xoauth2, After::Delete) };
    let step = pop3::step(&pop3, &app.store, NOW).await.unwrap();
    assert_eq!(step.new, 1, "{}", server.log());
    let mut wrong = pop3.clone();
    wrong.account.login = Login::Password;
    let refused = pop3::step(&wrong, &app.store, NOW).await.unwrap_err();
    assert!(format!("{refused:#}").starts_with("PASS: the server said"), "{refused:#}");
}

async fn pop3_after_a_crash_deletes_what_is_stored_and_doubles_nothing(app: App) {
    let server = Dovecot::start(app.directory());
    (0..3).for_each(|n| server.put(&n.to_string(), &bounce(n)));
    // Stored, and the session broke before QUIT: the server deleted nothing.
    let keep = Pop3 { account: server.pop3(Tls::Implicit, Login::Password, After::Keep) };
    pop3::step(&keep, &app.store, NOW).await.unwrap();
    server.put("3", &bounce(3));
    let delete = Pop3 { account: server.pop3(Tls::Implicit, Login::Password, After::Delete) };
    let step = pop3::step(&delete, &app.store, NOW).await.unwrap();
    assert_eq!((step.new, step.known), (1, 0));
    assert_eq!((stored(&app).await, server.count().0), (4, 0));
}

async fn the_same_mail_on_several_ways_counts_once(app: App) {
    let server = Dovecot::start(app.directory());
    server.put("0", &bounce(0));
    let imap = read_imap(server.imap(Tls::Implicit, Login::Password, After::Keep), &app).await;
    assert_eq!(imap.new, 1);
    let pop3 = Pop3 { account: server.pop3(Tls::Implicit, Login::Password, After::Keep) };
    let step = pop3::step(&pop3, &app.store, NOW).await.unwrap();
    assert_eq!((step.new, step.known), (0, 1));
    let path = app.directory().join("mbox");
    std::fs::write(&path, format!("From x Mon\nStatus: RO\n{}\n", bounce(0))).unwrap();
    let mbox = Mbox { path, after: After::Keep };
    let step = mbox::step(&mbox, &app.store, NOW).await.unwrap();
    assert_eq!((step.new, step.known), (0, 1));
    assert_eq!(stored(&app).await, 1);
}

fn mbox_of(numbers: std::ops::Range<usize>) -> String {
    numbers
        .map(|n| format!("From MAILER-DAEMON Mon Mar  2 08:00:00 2026\n{}\n", bounce(n)))
        .collect()
}

async fn a_mailbox_in_a_file_is_read_and_emptied(app: App) {
    let path = app.directory().join("mbox");
    let delete = Mbox { path: path.clone(), after: After::Delete };
    assert_eq!(mbox::step(&delete, &app.store, NOW).await.unwrap(), Step::default());
    std::fs::write(&path, mbox_of(0..150)).unwrap();
    let step = mbox::step(&delete, &app.store, NOW).await.unwrap();
    assert_eq!((step.new, step.more), (100, true));
    assert!(std::fs::metadata(&path).unwrap().len() > 0, "not before all is stored");
    let step = mbox::step(&delete, &app.store, NOW).await.unwrap();
    assert_eq!((step.new, step.more), (50, false));
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
    // New mails in the emptied file, more than before.
    std::fs::write(&path, mbox_of(149..400)).unwrap();
    let mut sum = 0;
    loop {
        let step = mbox::step(&delete, &app.store, NOW).await.unwrap();
        sum += step.new;
        if !step.more {
            break;
        }
    }
    assert_eq!((sum, stored(&app).await), (250, 400));
    assert!(!app.directory().join("mbox.lock").exists());
}

async fn a_mailbox_in_a_file_goes_on_where_it_was_left(app: App) {
    let path = app.directory().join("mbox");
    let keep = Mbox { path: path.clone(), after: After::Keep };
    std::fs::write(&path, mbox_of(0..2)).unwrap();
    assert_eq!(mbox::step(&keep, &app.store, NOW).await.unwrap().new, 2);
    std::fs::write(&path, mbox_of(0..5)).unwrap();
    let step = mbox::step(&keep, &app.store, NOW).await.unwrap();
    assert_eq!((step.new, step.known), (3, 0));
    // The mail server holds its lock: nothing is read, nothing is lost.
    std::fs::write(path.with_extension("lock"), format!("{}\n", std::process::id())).unwrap();
    std::fs::rename(path.with_extension("lock"), app.directory().join("mbox.lock")).unwrap();
    let held = mbox::step(&keep, &app.store, NOW).await.unwrap_err();
    assert!(format!("{held:#}").contains("mbox.lock"), "{held:#}");
    // The lock of a process that died is no lock.
    std::fs::write(app.directory().join("mbox.lock"), "4194304999\n").unwrap();
    std::fs::write(&path, mbox_of(5..6)).unwrap();
    let step = mbox::step(&keep, &app.store, NOW).await.unwrap();
    assert_eq!(step.new, 1, "another file is read from its beginning");
    assert_eq!(stored(&app).await, 6);
}

#[tokio::test]
async fn who_only_holds_a_session_open_is_shown_out_sooner() {
    use rundbrief::smtp::server::{Limits, Protocol, Session};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let idle = Duration::from_millis(1);
    let limits = Limits { mail_bytes: 200, silence: Duration::MAX, idle };
    let (mut client, server) = tokio::io::duplex(1024);
    client.write_all(b"LHLO me\r\n").await.unwrap();
    let mut session = Session::greet(server, Protocol::Lmtp, "catch", limits).await.unwrap();
    assert!(session.next().await.unwrap().is_none());
    drop(session);
    let mut said = String::new();
    client.read_to_string(&mut said).await.unwrap();
    assert!(said.ends_with("421 4.4.2 Silent for too long\r\n"), "{said}");
}
