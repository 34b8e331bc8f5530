//! The house the tests live in: both databases are there, fresh and migrated.

use rundbrief::read;
use rundbrief::store::Kind;

use crate::app::App;

crate::app::on_both![a_test_meets_an_empty_migrated_database];

async fn a_test_meets_an_empty_migrated_database(app: App) {
    assert!(app.directory().is_dir());
    app.store.ping().await.unwrap();
    let newsletters = "select cast(count(*) as bigint) from newsletter";
    let count: i64 =
        read!(app.store, |db| sqlx::query_scalar(newsletters).fetch_one(db).await).unwrap();
    assert_eq!(count, 0);
    let postgres = app.database.starts_with("postgres://");
    assert_eq!(app.store.kind(), if postgres { Kind::Postgres } else { Kind::Sqlite });
}
