//! Whatever comes back is stored once.

use rundbrief::bounce::inbox::{self, Intake, Received};
use rundbrief::read;
use rundbrief::store::value::Millis;

use crate::app::{App, on_both};

on_both![the_same_mail_is_stored_once, a_dropped_transaction_stores_nothing];

const MAIL: &[u8] = b"From: MAILER-DAEMON@mx.example.org\r\nSubject: Undelivered Mail Returned to Sender\r\n\r\n<jane@example.org>: 550 5.1.1 User unknown\r\n";

async fn count(app: &App) -> i64 {
    let text = "select count(*) from bounce";
    let (count,): (i64,) = read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    count
}

async fn the_same_mail_is_stored_once(app: App) {
    let mut tx = app.store.begin().await.unwrap();
    let first = inbox::receive(&mut tx, Intake::Imap, MAIL, Millis(1)).await.unwrap();
    assert!(matches!(first, Received::New(_)));
    let again = inbox::receive(&mut tx, Intake::Pop3, MAIL, Millis(2)).await.unwrap();
    assert_eq!(again, Received::Known);
    tx.commit().await.unwrap();
    let mut tx = app.store.begin().await.unwrap();
    let lines = String::from_utf8_lossy(MAIL).replace("\r\n", "\n");
    let again =
        inbox::receive(&mut tx, Intake::Maildir, lines.as_bytes(), Millis(3)).await.unwrap();
    assert_eq!(again, Received::Known);
    tx.commit().await.unwrap();
    assert_eq!(count(&app).await, 1);
}

async fn a_dropped_transaction_stores_nothing(app: App) {
    let mut tx = app.store.begin().await.unwrap();
    inbox::receive(&mut tx, Intake::Lmtp, MAIL, Millis(1)).await.unwrap();
    drop(tx);
    assert_eq!(count(&app).await, 0);
}
