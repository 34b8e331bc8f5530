//! Forward-only migrations. One list for both databases: a step without its
//! twin does not compile.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

use super::Kind;

/// One step: version, what it does, its text for SQLite and for PostgreSQL.
type Step = (i64, &'static str, &'static str, &'static str);

macro_rules! step {
    ($version:literal, $name:literal, $file:literal) => {
        (
            $version,
            $name,
            include_str!(concat!("migrations/sqlite/", $file)),
            include_str!(concat!("migrations/postgres/", $file)),
        )
    };
}

const STEPS: &[Step] = &[step!(1, "foundation", "0001_foundation.sql")];

/// The version that a migrated database has.
pub const NEWEST: i64 = STEPS[STEPS.len() - 1].0;

/// The migrations of one kind of database.
pub fn migrator(kind: Kind) -> Migrator {
    let migrations = STEPS.iter().map(|(version, name, sqlite, postgres)| {
        let text = match kind {
            Kind::Sqlite => *sqlite,
            Kind::Postgres => *postgres,
        };
        let name = Cow::Borrowed(*name);
        Migration::new(*version, name, MigrationType::Simple, text.into_sql_str(), false)
    });
    Migrator::with_migrations(migrations.collect())
}
