//! PostgreSQL says that an issue changed, and a lost connection costs a wake-up at most.

use rundbrief::on;

use crate::app::{App, on_postgres, on_sqlite};
use crate::delivery::{execute, issue, readers};

#[test]
fn a_change_of_an_issue_is_heard() {
    on_postgres(heard);
}

async fn heard(app: App) {
    issue(&app, &readers(1)).await;
    let mut listener = app.store.listen().await.unwrap().expect("PostgreSQL tells");
    for change in [
        "update issue set state = 'sending'",
        "update issue set state = 'paused', paused_from = 'sending'",
        "update issue set state = 'sending', paused_from = null",
        "update issue set send_at = 5",
        "update issue set state = 'cancelled'",
    ] {
        execute(&app.store, change).await;
        listener.heard().await.unwrap();
    }
    // A connection that is lost comes back, and that counts as heard.
    let text = "
        select count(pg_terminate_backend(pid))
        from pg_stat_activity
        where datname = current_database() and query like 'LISTEN%'";
    let mut tx = app.store.begin().await.unwrap();
    on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap();
    listener.heard().await.unwrap();
    execute(&app.store, "update issue set state = 'sending'").await;
    listener.heard().await.unwrap();
}

#[test]
fn sqlite_tells_nobody() {
    on_sqlite(|app| async move {
        assert!(app.store.listen().await.unwrap().is_none());
    });
}
