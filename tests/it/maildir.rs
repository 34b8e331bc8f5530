//! A watched Maildir, on both databases: stored first, then moved, counted once.

use std::fs;

use rundbrief::bounce::list::{self, Filter};
use rundbrief::bounce::maildir;
use rundbrief_subscribers::standing::Standing;

use crate::app::{App, on_both};
use crate::returned::{UNKNOWN, World, day, failure, verp};

on_both![
    a_mail_in_a_maildir_becomes_a_standing,
    a_crash_between_storing_and_moving_counts_once,
    a_full_maildir_is_taken_in_batches,
    a_mail_that_cannot_be_moved_holds_up_none,
    what_is_no_maildir_is_said,
];

fn make(app: &App) -> std::path::PathBuf {
    let maildir = app.directory().join("Maildir");
    for name in ["new", "cur", "tmp"] {
        fs::create_dir_all(maildir.join(name)).unwrap();
    }
    maildir
}

async fn a_mail_in_a_maildir_becomes_a_standing(app: App) {
    let maildir = make(&app);
    let world = World::new(&app, 1).await;
    for n in 0..2 {
        let (issue, deliveries) = world.issue(n + 1, "accepted", day(n)).await;
        let to = verp(&world.token(issue, deliveries[0], 0));
        fs::write(maildir.join(format!("new/1.{n}.host")), failure(&to, UNKNOWN)).unwrap();
        assert_eq!(maildir::step(&app.store, &maildir, day(n)).await.unwrap(), 1);
        assert_eq!(world.step(day(n)).await.applied, 1);
    }
    assert_eq!(world.stands(0).await, Standing::Unreachable);
    assert_eq!(fs::read_dir(maildir.join("new")).unwrap().count(), 0);
    assert!(maildir.join("cur/1.0.host:2,S").is_file());
    assert_eq!(maildir::step(&app.store, &maildir, day(3)).await.unwrap(), 0);
}

async fn a_crash_between_storing_and_moving_counts_once(app: App) {
    let maildir = make(&app);
    let mail = failure("bounce@news.example.de", UNKNOWN);
    fs::write(maildir.join("new/1.host"), &mail).unwrap();
    maildir::step(&app.store, &maildir, day(0)).await.unwrap();
    // As after a crash: stored, and still in `new`; and once more as another file.
    fs::rename(maildir.join("cur/1.host:2,S"), maildir.join("new/1.host")).unwrap();
    fs::write(maildir.join("new/2.host"), &mail).unwrap();
    fs::remove_dir_all(maildir.join("cur")).unwrap();
    assert_eq!(maildir::step(&app.store, &maildir, day(0)).await.unwrap(), 2);
    assert_eq!(fs::read_dir(maildir.join("cur")).unwrap().count(), 2);
    let stored = list::page(&app.store, &Filter::default(), None, 10).await.unwrap();
    assert_eq!(stored.len(), 1);
}

async fn a_full_maildir_is_taken_in_batches(app: App) {
    let maildir = make(&app);
    for n in 0..150 {
        let mail = failure("bounce@news.example.de", &format!("{UNKNOWN} {n}"));
        fs::write(maildir.join(format!("new/{n:04}.host")), mail).unwrap();
    }
    fs::write(maildir.join("new/.hidden"), "no mail").unwrap();
    std::os::unix::fs::symlink("/etc/hostname", maildir.join("new/link")).unwrap();
    assert_eq!(maildir::step(&app.store, &maildir, day(0)).await.unwrap(), 100);
    assert_eq!(maildir::step(&app.store, &maildir, day(0)).await.unwrap(), 50);
    assert_eq!(maildir::step(&app.store, &maildir, day(0)).await.unwrap(), 0);
    assert!(maildir.join("new/.hidden").is_file());
    assert!(maildir.join("new/link").is_symlink());
}

async fn what_is_no_maildir_is_said(app: App) {
    let nowhere = app.directory().join("nowhere");
    let error = maildir::step(&app.store, &nowhere, day(0)).await.unwrap_err();
    assert!(format!("{error:#}").contains("is this a Maildir"), "{error:#}");
}

async fn a_mail_that_cannot_be_moved_holds_up_none(app: App) {
    let maildir = make(&app);
    // Its place in `cur` is taken by something that a mail cannot replace.
    fs::create_dir_all(maildir.join("cur/0.host:2,S/full")).unwrap();
    for n in 0..3 {
        let mail = failure("bounce@news.example.de", &format!("{UNKNOWN} {n}"));
        fs::write(maildir.join(format!("new/{n}.host")), mail).unwrap();
    }
    assert_eq!(maildir::step(&app.store, &maildir, day(0)).await.unwrap(), 2);
    assert!(maildir.join("new/0.host").is_file());
    let error = maildir::step(&app.store, &maildir, day(0)).await.unwrap_err();
    assert!(format!("{error:#}").contains("may this user write there"), "{error:#}");
    let stored = list::page(&app.store, &Filter::default(), None, 10).await.unwrap();
    assert_eq!(stored.len(), 3);
}
