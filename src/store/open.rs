//! Opening: where the database is, how its connections are set, migrating it.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::{Inner, Kind, Store, migration};

/// How long a writer waits for another process's write before it gives up.
const BUSY: Duration = Duration::from_secs(10);
/// Readers beside the one writer; pages and previews share them.
const SQLITE_READERS: u32 = 4;
/// Connections of one process; a hundred workers still fit a default server's limit.
const POSTGRES_CONNECTIONS: u32 = 8;
/// How long a caller waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(30);
/// Memory that SQLite's writer may cache, in KiB (negative by SQLite's convention).
const WRITER_CACHE: &str = "-8192";
/// The same of each reader: pages find their rows by a few steps in an index.
const READER_CACHE: &str = "-2048";

/// Where the database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A file; its folder must exist.
    Sqlite(PathBuf),
    /// A `postgres://` address.
    Postgres(String),
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address names neither database.
    #[error("database address {0:?} is neither sqlite:PATH nor postgres://USER@HOST/NAME")]
    Address(String),
    /// The database refuses or cannot be reached.
    #[error("{place}: {why}. {hint}")]
    Connect {
        /// File or host and name, without a password.
        place: String,
        /// What the driver said.
        why: sqlx::Error,
        /// What to do next.
        hint: &'static str,
    },
    /// A migration failed, or the database is newer than this program.
    #[error("{place}: {why}. Is this program older than the one that wrote the database?")]
    Migrate {
        /// File or host and name, without a password.
        place: String,
        /// What the migrator said.
        why: sqlx::migrate::MigrateError,
    },
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Location::Postgres(text.to_owned()));
        }
        match text.strip_prefix("sqlite:").map(|path| path.trim_start_matches("//")) {
            Some(path) if !path.is_empty() => Ok(Location::Sqlite(PathBuf::from(path))),
            Some(_) | None => Err(Error::Address(text.to_owned())),
        }
    }
}

impl Location {
    /// Which database this is.
    pub fn kind(&self) -> Kind {
        match self {
            Location::Sqlite(_) => Kind::Sqlite,
            Location::Postgres(_) => Kind::Postgres,
        }
    }

    /// The place as a message may name it: no password.
    pub fn place(&self) -> String {
        match self {
            Location::Sqlite(path) => path.display().to_string(),
            Location::Postgres(address) => match PgConnectOptions::from_str(address) {
                Ok(o) => format!(
                    "PostgreSQL {}:{}/{}",
                    o.get_host(),
                    o.get_port(),
                    o.get_database().unwrap_or("")
                ),
                Err(_) => "PostgreSQL".to_owned(),
            },
        }
    }
}

impl Store {
    /// Opens the database, creates the file if it is SQLite's, and migrates it.
    ///
    /// # Errors
    /// See [`Error`]; each says where and what to do.
    pub async fn open(location: &Location) -> Result<Store, Error> {
        let store = match location {
            Location::Sqlite(path) => sqlite(path).await.map_err(|why| Error::Connect {
                place: location.place(),
                why,
                hint: "Does its folder exist, and may this user write there?",
            })?,
            Location::Postgres(address) => {
                postgres(address).await.map_err(|why| Error::Connect {
                    place: location.place(),
                    why,
                    hint: "Is PostgreSQL running, and do user, password and database exist?",
                })?
            }
        };
        let migrator = migration::migrator(store.kind());
        let done = match &store.inner {
            Inner::Sqlite { writer, .. } => migrator.run(writer).await,
            Inner::Postgres(pool) => migrator.run(pool).await,
        };
        done.map_err(|why| Error::Migrate { place: location.place(), why })?;
        Ok(store)
    }
}

async fn sqlite(path: &Path) -> sqlx::Result<Store> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        .pragma("temp_store", "memory");
    let writing = options
        .clone()
        .pragma("cache_size", WRITER_CACHE)
        .create_if_missing(true)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        // With NORMAL a power cut takes back commits that were reported.
        .synchronous(SqliteSynchronous::Full);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(ACQUIRE)
        .idle_timeout(None)
        .max_lifetime(None)
        .after_release(|connection, _| Box::pin(is_usable(connection)))
        .connect_with(writing)
        .await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(ACQUIRE)
        .connect_lazy_with(options.pragma("cache_size", READER_CACHE).read_only(true));
    Ok(Store { inner: Inner::Sqlite { writer, readers } })
}

/// Whether a connection comes back without a transaction. When a disk is full SQLite
/// rolls back by itself, the driver then fails to, and would refuse every `begin`.
async fn is_usable(connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    if connection.is_in_transaction() {
        // A rollback may still be on its way; this comes behind it.
        connection.ping().await?;
    }
    Ok(!connection.is_in_transaction())
}

async fn postgres(address: &str) -> sqlx::Result<Store> {
    let options = PgConnectOptions::from_str(address)?
        .application_name("rundbrief")
        .options([("synchronous_commit", "on"), ("idle_in_transaction_session_timeout", "60000")]);
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(ACQUIRE)
        .connect_with(options)
        .await?;
    Ok(Store { inner: Inner::Postgres(pool) })
}
