//! Where articles come from: feeds, pages, folders, and what is pushed.
//!
//! Reading is pure and lives in the files below; this file holds the table of sources and
//! when each is due. [`collect`] fetches one. Loops are the daemon's.

pub mod album;
pub mod block;
pub mod byline;
pub mod charset;
pub mod collect;
pub mod credit;
pub mod date;
pub mod describe;
pub mod feed;
pub mod fetch;
pub mod finding;
pub mod folder;
pub mod gallery;
pub mod head;
pub mod inline;
pub mod kicker;
pub mod landmark;
pub mod noise;
pub mod page;
pub mod phrases;
pub mod picture;
pub mod prose;
pub mod reach;
pub mod salvage;
pub mod sanitise;
pub mod selector;
pub mod text;
pub mod walk;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::types::Json;

use crate::source::fetch::Validators;
use crate::source::selector::Written;
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{key, on, read, row, words};

/// For how long a fetch keeps a source from being fetched by another process.
const LEASE: Duration = Duration::from_secs(15 * 60);
/// The longest a failing source waits for its next try.
const PATIENCE: Duration = Duration::from_secs(24 * 60 * 60);

key! {
    /// The key of a source.
    SourceId
}

words! {
    /// What a source is.
    Kind {
        /// RSS, Atom or JSON Feed.
        Feed = "feed",
        /// A web page: one article, or an overview that links to them.
        Page = "page",
        /// A folder of Markdown, HTML and text.
        Folder = "folder",
        /// Articles that are handed in.
        Push = "push",
    }
}

/// What a source is told beside its address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Definition {
    /// CSS selectors for its pages.
    pub selectors: Written,
    /// Categories every article of it gets beside its own.
    pub categories: Vec<String>,
    /// Seconds between two fetches; none: by hand only.
    pub every: Option<u64>,
    /// Entries taken at a time, the first of the feed or folder.
    pub items: Option<usize>,
    /// For feeds: read the page behind each entry, not the excerpt in the feed.
    pub full: bool,
}

/// A source as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its key.
    pub id: SourceId,
    /// Its name, as commands and rules call it.
    pub slug: String,
    /// What it is.
    pub kind: Kind,
    /// A web address or a folder.
    pub address: String,
    /// See [`Definition`].
    pub definition: Definition,
    /// What the last answer said of itself.
    pub validators: Validators,
    /// When to fetch it again.
    pub next_at: Option<Millis>,
    /// When it was fetched.
    pub fetched_at: Option<Millis>,
    /// Why the last fetch failed.
    pub failure: Option<String>,
    /// How often it failed in a row.
    pub failures: i64,
}

row! {
    /// A row as it is stored.
    Row {
        /// See [`Source`].
        id: SourceId,
        /// See [`Source`].
        slug: String,
        /// See [`Source`].
        kind: Kind,
        /// See [`Source`].
        address: String,
        /// See [`Source`].
        definition: Json<Definition>,
        /// See [`Source`].
        etag: Option<String>,
        /// See [`Source`].
        last_modified: Option<String>,
        /// See [`Source`].
        next_at: Option<Millis>,
        /// See [`Source`].
        fetched_at: Option<Millis>,
        /// See [`Source`].
        failure: Option<String>,
        /// See [`Source`].
        failures: i64,
    }
}

impl From<Row> for Source {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            slug: row.slug,
            kind: row.kind,
            address: row.address,
            definition: row.definition.0,
            validators: Validators { etag: row.etag, last_modified: row.last_modified },
            next_at: row.next_at,
            fetched_at: row.fetched_at,
            failure: row.failure,
            failures: row.failures,
        }
    }
}

/// Adds a source, or changes the one of this name; says whether it is new. One that is fetched
/// by itself is due at once.
///
/// # Errors
/// The database failed.
pub async fn add(
    tx: &mut Tx,
    slug: &str,
    kind: Kind,
    address: &str,
    definition: &Definition,
    now: Millis,
) -> sqlx::Result<bool> {
    let (created,): (Millis,) = on!(*tx, |c| sqlx::query_as(
        "insert into source (slug, kind, address, definition, next_at, created_at)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (slug) do update
         set kind = excluded.kind,
             address = excluded.address,
             definition = excluded.definition,
             next_at = excluded.next_at,
             etag = null,
             last_modified = null,
             failure = null,
             failures = 0
         returning created_at"
    )
    .bind(slug)
    .bind(kind)
    .bind(address)
    .bind(Json(definition))
    .bind(definition.every.map(|_| now))
    .bind(now)
    .fetch_one(c)
    .await)?;
    Ok(created == now)
}

/// The source of this name.
///
/// # Errors
/// The database failed.
pub async fn find(store: &Store, slug: &str) -> sqlx::Result<Option<Source>> {
    let row: Option<Row> = read!(store, |db| sqlx::query_as(
        "select id, slug, kind, address, definition, etag, last_modified,
                next_at, fetched_at, failure, failures
         from source
         where slug = $1"
    )
    .bind(slug)
    .fetch_optional(db)
    .await)?;
    Ok(row.map(Source::from))
}

/// All sources by name; an installation has few.
///
/// # Errors
/// The database failed.
pub async fn list(store: &Store) -> sqlx::Result<Vec<Source>> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select id, slug, kind, address, definition, etag, last_modified,
                next_at, fetched_at, failure, failures
         from source
         order by slug"
    )
    .fetch_all(db)
    .await)?;
    Ok(rows.into_iter().map(Source::from).collect())
}

/// Sources whose hour has come, the longest waiting first.
///
/// # Errors
/// The database failed.
pub async fn due(store: &Store, now: Millis) -> sqlx::Result<Vec<Source>> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select id, slug, kind, address, definition, etag, last_modified,
                next_at, fetched_at, failure, failures
         from source
         where next_at <= $1
         order by next_at, id"
    )
    .bind(now)
    .fetch_all(db)
    .await)?;
    Ok(rows.into_iter().map(Source::from).collect())
}

/// Takes a source that is due; of several processes one gets `true`. Should that one die, the
/// source is due again after [`LEASE`].
///
/// # Errors
/// The database failed.
pub async fn claim(tx: &mut Tx, source: &Source, now: Millis) -> sqlx::Result<bool> {
    let taken = on!(*tx, |c| sqlx::query(
        "update source
         set next_at = $3
         where id = $1 and next_at = $2"
    )
    .bind(source.id)
    .bind(source.next_at)
    .bind(now.after(LEASE))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(taken == 1)
}

/// Records that a source was fetched.
///
/// # Errors
/// The database failed.
pub async fn fetched(
    tx: &mut Tx,
    source: &Source,
    validators: &Validators,
    now: Millis,
) -> sqlx::Result<()> {
    let next = source.definition.every.map(|every| now.after(Duration::from_secs(every)));
    on!(*tx, |c| sqlx::query(
        "update source
         set etag = $2,
             last_modified = $3,
             next_at = $4,
             fetched_at = $5,
             failure = null,
             failures = 0
         where id = $1"
    )
    .bind(source.id)
    .bind(&validators.etag)
    .bind(&validators.last_modified)
    .bind(next)
    .bind(now)
    .execute(c)
    .await
    .map(|_| ()))
}

/// Records that a fetch failed; the next try comes later each time, within a day.
///
/// # Errors
/// The database failed.
pub async fn failed(tx: &mut Tx, source: &Source, reason: &str, now: Millis) -> sqlx::Result<()> {
    let doubled = 1_u64 << source.failures.clamp(0, 10);
    let wait =
        source.definition.every.map(|every| Duration::from_secs(every.saturating_mul(doubled)));
    let longest =
        source.definition.every.map_or(PATIENCE, |every| PATIENCE.max(Duration::from_secs(every)));
    on!(*tx, |c| sqlx::query(
        "update source
         set next_at = $2,
             failure = $3,
             failures = failures + 1
         where id = $1"
    )
    .bind(source.id)
    .bind(wait.map(|wait| now.after(wait.min(longest))))
    .bind(reason)
    .execute(c)
    .await
    .map(|_| ()))
}
