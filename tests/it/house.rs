//! The house the tests live in: both databases are there, fresh, and gone after.

use std::str::FromStr;

use sqlx::{Connection, PgConnection, SqliteConnection};

use crate::app::App;

crate::app::on_both![a_test_meets_an_empty_database];

async fn a_test_meets_an_empty_database(app: App) {
    assert!(app.directory().is_dir());
    if app.database.starts_with("postgres:") {
        let mut c = PgConnection::connect(&app.database).await.unwrap();
        sqlx::query("create table trace (n bigint)").execute(&mut c).await.unwrap();
    } else {
        let options = sqlx::sqlite::SqliteConnectOptions::from_str(&app.database);
        let mut c = SqliteConnection::connect_with(&options.unwrap().create_if_missing(true))
            .await
            .unwrap();
        sqlx::query("create table trace (n bigint)").execute(&mut c).await.unwrap();
    }
}
