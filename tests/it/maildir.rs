//! The watched Maildir: everything in it is stored once, and nothing is deleted.

use std::path::Path;

use rundbrief::bounce::maildir;
use rundbrief::read;
use rundbrief::store::value::Millis;

use crate::app::App;

crate::app::on_both![
    what_lies_in_new_is_stored_once_and_moves_to_cur,
    a_folder_that_is_no_maildir_is_named,
];

fn make(maildir: &Path) {
    for part in ["new", "cur", "tmp"] {
        std::fs::create_dir_all(maildir.join(part)).unwrap();
    }
}

async fn stored(app: &App) -> i64 {
    let text = "select count(*) from bounce where intake = 'maildir'";
    read!(app.store, |db| sqlx::query_scalar(text).fetch_one(db).await).unwrap()
}

async fn what_lies_in_new_is_stored_once_and_moves_to_cur(app: App) {
    let maildir = app.directory().join("Maildir");
    make(&maildir);
    let mail = |n: u32| format!("Subject: {n}\r\n\r\nno report at all\r\n");
    for n in 0..120 {
        std::fs::write(maildir.join("new").join(format!("{n}.host")), mail(n)).unwrap();
    }
    // As after a kill between storing and moving: the same mail again.
    std::fs::write(maildir.join("new/again.host"), mail(7)).unwrap();
    std::fs::write(maildir.join("new/.hidden"), "not a mail").unwrap();
    assert_eq!(maildir::step(&app.store, &maildir, Millis(1)).await.unwrap(), 100);
    assert_eq!(maildir::step(&app.store, &maildir, Millis(1)).await.unwrap(), 21);
    assert_eq!(maildir::step(&app.store, &maildir, Millis(1)).await.unwrap(), 0);
    assert_eq!(stored(&app).await, 120);
    let cur: Vec<_> = std::fs::read_dir(maildir.join("cur")).unwrap().collect();
    assert_eq!(cur.len(), 121);
    assert!(maildir.join("cur/7.host:2,S").is_file());
}

async fn a_folder_that_is_no_maildir_is_named(app: App) {
    let error = maildir::step(&app.store, app.directory(), Millis(1)).await.unwrap_err();
    let said = format!("{error:#}");
    assert!(said.contains("[bounce] maildir") && said.contains("Is it a Maildir"), "{said}");
}
