//! Both databases behind one type: the same tables, the same promises.

use rundbrief::store::open::Location;
use rundbrief::store::value::Millis;
use rundbrief::store::{Kind, Store, migration};
use rundbrief::{on, read};

use crate::app::{App, on_both};

on_both![
    a_committed_row_is_read_and_a_dropped_one_is_gone,
    a_migrated_database_opens_again,
    a_pool_for_reads_sees_what_was_committed,
    after_a_conflict_the_transaction_goes_on,
];

const SUPPRESS: &str = "insert into suppression (address_hash, reason, at) values ($1, 'left', $2) \
                        on conflict (address_hash) do nothing";
const COUNT: &str = "select count(*) from suppression";

async fn count(store: &Store) -> i64 {
    let (count,): (i64,) = read!(store, |db| sqlx::query_as(COUNT).fetch_one(db).await).unwrap();
    count
}

async fn a_committed_row_is_read_and_a_dropped_one_is_gone(app: App) {
    let mut tx = app.store.begin().await.unwrap();
    on!(tx, |c| sqlx::query(SUPPRESS)
        .bind(vec![1_u8; 32])
        .bind(Millis(1))
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    let mut dropped = app.store.begin().await.unwrap();
    on!(dropped, |c| sqlx::query(SUPPRESS)
        .bind(vec![2_u8; 32])
        .bind(Millis(2))
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    drop(dropped);
    assert_eq!(count(&app.store).await, 1);
}

async fn a_migrated_database_opens_again(app: App) {
    let location: Location = app.database.parse().unwrap();
    let again = Store::open(&location).await.unwrap();
    again.ping().await.unwrap();
    let (version,): (i64,) =
        read!(again, |db| sqlx::query_as("select max(version) from _sqlx_migrations")
            .fetch_one(db)
            .await)
        .unwrap();
    assert_eq!(version, migration::NEWEST);
    again.close().await;
}

async fn a_pool_for_reads_sees_what_was_committed(app: App) {
    assert_eq!(count(&app.store).await, 0);
    let mut tx = app.store.begin().await.unwrap();
    on!(tx, |c| sqlx::query(SUPPRESS)
        .bind(vec![3_u8; 32])
        .bind(Millis(1))
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    assert_eq!(count(&app.store).await, 0, "an open transaction is seen by nobody");
    tx.commit().await.unwrap();
    assert_eq!(count(&app.store).await, 1);
}

async fn after_a_conflict_the_transaction_goes_on(app: App) {
    let mut tx = app.store.begin().await.unwrap();
    for _twice in 0..2 {
        on!(tx, |c| sqlx::query(SUPPRESS)
            .bind(vec![4_u8; 32])
            .bind(Millis(1))
            .execute(c)
            .await
            .map(drop))
        .unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(count(&app.store).await, 1);
}

/// Table, column, whether it may be null.
type Column = (String, String, bool);

const SQLITE_COLUMNS: &str = "select t.name, c.name, c.\"notnull\" = 0 and c.pk = 0 \
     from sqlite_master t join pragma_table_info(t.name) c \
     where t.type = 'table' and t.name not like 'sqlite%' and t.name not like '\\_sqlx%' escape '\\' \
     order by 1, 2";
const POSTGRES_COLUMNS: &str = "select table_name::text, column_name::text, is_nullable = 'YES' \
     from information_schema.columns \
     where table_schema = 'public' and table_name not like '\\_sqlx%' \
     order by table_name collate \"C\", column_name collate \"C\"";

async fn columns(store: &Store) -> Vec<Column> {
    let text = match store.kind() {
        Kind::Sqlite => SQLITE_COLUMNS,
        Kind::Postgres => POSTGRES_COLUMNS,
    };
    read!(store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap()
}

#[test]
fn both_databases_have_the_same_columns() {
    crate::app::on_postgres(|app| async move {
        let file = app.directory().join("twin.db");
        let twin = Store::open(&Location::Sqlite(file)).await.unwrap();
        let (ours, theirs) = (columns(&app.store).await, columns(&twin).await);
        assert!(ours.len() > 100, "the query finds the schema");
        let missing = |a: &[Column], b: &[Column]| -> Vec<Column> {
            a.iter().filter(|column| !b.contains(column)).cloned().collect()
        };
        assert_eq!(missing(&ours, &theirs), [], "in PostgreSQL only");
        assert_eq!(missing(&theirs, &ours), [], "in SQLite only");
    });
}
