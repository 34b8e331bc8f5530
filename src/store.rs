//! One pool, one transaction type, two databases.
//!
//! `Store` hides which database it is. Each noun's module holds its own SQL,
//! one function per query, inside the caller's transaction:
//!
//! ```ignore
//! let rows: Vec<Row> = read!(store, |db| sqlx::query_as(TEXT).bind(id).fetch_all(db).await)?;
//! let mut tx = store.begin().await?;
//! on!(tx, |c| sqlx::query(TEXT).bind(id).execute(c).await)?;
//! tx.commit().await?;
//! ```
//!
//! SQL is written once with `$1`; where the dialects differ two texts stand
//! side by side and [`Tx::kind`] chooses.

pub mod listen;
pub mod lock;
pub mod migration;
pub mod open;
pub mod value;

use sqlx::{PgPool, Postgres, Sqlite, SqlitePool, Transaction};

/// Which database this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The embedded default.
    Sqlite,
    /// Any number of workers.
    Postgres,
}

/// An open database. Cloning shares the pools.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Inner,
}

#[derive(Clone, Debug)]
enum Inner {
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres(PgPool),
}

/// The pool that reads go to; made by [`Store::readers`] for [`read!`](crate::read).
#[derive(Debug)]
pub enum Readers<'a> {
    /// Read-only connections.
    Sqlite(&'a SqlitePool),
    /// The one pool.
    Postgres(&'a PgPool),
}

/// The unit of work. Dropped without [`Tx::commit`], it is rolled back.
#[derive(Debug)]
pub enum Tx {
    /// `begin immediate` on the one writer.
    Sqlite(Transaction<'static, Sqlite>),
    /// Read committed.
    Postgres(Transaction<'static, Postgres>),
}

/// Runs a body on the pool for reads, once per database with concrete types.
///
/// Yields the body's value; `db` is a reference to the pool.
#[macro_export]
macro_rules! read {
    ($store:expr, |$db:ident| $body:expr) => {
        match $store.readers() {
            $crate::store::Readers::Sqlite($db) => $body,
            $crate::store::Readers::Postgres($db) => $body,
        }
    };
}

/// Runs a body on the transaction's connection, once per database with concrete types.
///
/// Yields the body's value; `c` is a mutable reference to the connection.
#[macro_export]
macro_rules! on {
    ($tx:expr, |$c:ident| $body:expr) => {
        match &mut $tx {
            $crate::store::Tx::Sqlite(tx) => {
                let $c = &mut **tx;
                $body
            }
            $crate::store::Tx::Postgres(tx) => {
                let $c = &mut **tx;
                $body
            }
        }
    };
}

impl Store {
    /// Which database this is.
    pub fn kind(&self) -> Kind {
        match &self.inner {
            Inner::Sqlite { .. } => Kind::Sqlite,
            Inner::Postgres(_) => Kind::Postgres,
        }
    }

    /// The pool for reads outside a transaction. On SQLite these connections cannot write.
    pub fn readers(&self) -> Readers<'_> {
        match &self.inner {
            Inner::Sqlite { readers, .. } => Readers::Sqlite(readers),
            Inner::Postgres(pool) => Readers::Postgres(pool),
        }
    }

    /// Begins a unit of work. On SQLite it holds the write lock from the start,
    /// so make no network call while it is open.
    ///
    /// # Errors
    /// The database cannot be reached, or another process held the write lock
    /// for longer than the busy timeout.
    pub async fn begin(&self) -> sqlx::Result<Tx> {
        match &self.inner {
            Inner::Sqlite { writer, .. } => {
                Ok(Tx::Sqlite(writer.begin_with("begin immediate").await?))
            }
            Inner::Postgres(pool) => Ok(Tx::Postgres(pool.begin().await?)),
        }
    }

    /// Asks the database whether it answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> sqlx::Result<()> {
        let (_one,): (i64,) =
            read!(self, |db| sqlx::query_as("select cast(1 as bigint)").fetch_one(db).await)?;
        Ok(())
    }

    /// Closes every connection; on SQLite the last one folds the log into the file.
    pub async fn close(&self) {
        match &self.inner {
            Inner::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Inner::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Which database this is.
    pub fn kind(&self) -> Kind {
        match self {
            Tx::Sqlite(_) => Kind::Sqlite,
            Tx::Postgres(_) => Kind::Postgres,
        }
    }

    /// For a chunk against large tables: on PostgreSQL it goes by their indexes until the
    /// transaction ends. The planner would read a whole table for each chunk, and so
    /// the square of a long list. SQLite always does.
    ///
    /// # Errors
    /// The database failed.
    pub async fn by_index(&mut self) -> sqlx::Result<()> {
        match self {
            Tx::Sqlite(_) => Ok(()),
            Tx::Postgres(tx) => {
                let text = "
                    select set_config(name, 'off', true)
                    from unnest(array['enable_hashjoin', 'enable_mergejoin', 'enable_seqscan']) as name";
                sqlx::query(text).execute(&mut **tx).await.map(drop)
            }
        }
    }

    /// Makes everything durable.
    ///
    /// # Errors
    /// Whether it was committed is unknown when the connection broke: read back.
    pub async fn commit(self) -> sqlx::Result<()> {
        match self {
            Tx::Sqlite(tx) => tx.commit().await,
            Tx::Postgres(tx) => tx.commit().await,
        }
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// The connection broke; the database rolls back by itself then.
    pub async fn rollback(self) -> sqlx::Result<()> {
        match self {
            Tx::Sqlite(tx) => tx.rollback().await,
            Tx::Postgres(tx) => tx.rollback().await,
        }
    }
}
