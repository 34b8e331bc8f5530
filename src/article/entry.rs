//! The table of articles: an entry of a source is one article, however often it comes; a
//! changed one is a new revision, and all revisions stay.

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;
use sqlx::types::Json;

use crate::article::{ArticleId, Record};
use crate::source::SourceId;
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{on, read, row};

/// The origin of what an editor adds by hand.
pub const BY_HAND: &str = "hand";

/// Who an entry is: where it came from and what it is called there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The source, if there is one.
    pub source: Option<SourceId>,
    /// The source's name, or [`BY_HAND`].
    pub origin: String,
    /// The source's own identifier, else the address, else a file's name.
    pub guid: String,
}

/// What storing an entry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is a new article.
    New(ArticleId),
    /// It was known and is different now.
    Changed(ArticleId),
    /// It was known and is the same.
    Same(ArticleId),
}

impl Stored {
    /// The article.
    pub fn id(self) -> ArticleId {
        match self {
            Self::New(id) | Self::Changed(id) | Self::Same(id) => id,
        }
    }

    /// `new`, `changed` or `same`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New(_) => "new",
            Self::Changed(_) => "changed",
            Self::Same(_) => "same",
        }
    }
}

/// An article as it is listed and shown.
#[derive(Debug, Clone, Serialize)]
pub struct Article {
    /// The key that commands take.
    pub article: ArticleId,
    /// What it says.
    #[serde(flatten)]
    pub record: Record,
    /// The source's name, or [`BY_HAND`].
    pub source: String,
    /// How often it has changed, plus one.
    pub revision: i64,
}

row! {
    /// A row as it is stored.
    Row {
        /// The key.
        id: ArticleId,
        /// See [`Article::source`].
        origin: String,
        /// See [`Article::revision`].
        revision: i64,
        /// The record.
        record: Json<Record>,
    }
}

impl From<Row> for Article {
    fn from(row: Row) -> Self {
        Self { article: row.id, record: row.record.0, source: row.origin, revision: row.revision }
    }
}

row! {
    /// What is known of an entry before it is stored.
    Known {
        /// The key.
        id: ArticleId,
        /// See [`Article::revision`].
        revision: i64,
        /// See [`hash`].
        content_hash: Vec<u8>,
        /// The record.
        record: Json<Record>,
    }
}

/// What of a record counts as its content: all but our copies of its pictures.
pub fn hash(record: &Record) -> Vec<u8> {
    let mut bare = record.clone();
    for image in &mut bare.images {
        image.file = None;
        image.small = None;
        image.width = None;
        image.height = None;
        image.failure = None;
    }
    let json = serde_json::to_vec(&bare).expect("a record has text keys only");
    digest(&SHA256, &json).as_ref().to_vec()
}

/// The entry as it is stored now.
///
/// # Errors
/// The database failed.
pub async fn known(store: &Store, identity: &Identity) -> sqlx::Result<Option<Known>> {
    read!(store, |db| sqlx::query_as(KNOWN)
        .bind(&identity.origin)
        .bind(&identity.guid)
        .fetch_optional(db)
        .await)
}

const KNOWN: &str = "select id, revision, content_hash, record
    from article
    where origin = $1 and guid = $2";

/// Stores an entry: once, and as a new revision where it changed. `first_seen_at` stays; a
/// record that differs only in our copies of its pictures is replaced without a revision.
///
/// # Errors
/// The database failed.
pub async fn put(
    tx: &mut Tx,
    identity: &Identity,
    record: &Record,
    now: Millis,
) -> sqlx::Result<Stored> {
    let content = hash(record);
    if let Some((id,)) = insert(tx, identity, record, &content, now).await? {
        revise(tx, id, 1, record, &content, now).await?;
        return Ok(Stored::New(id));
    }
    let known: Known = on!(*tx, |c| sqlx::query_as(KNOWN)
        .bind(&identity.origin)
        .bind(&identity.guid)
        .fetch_one(c)
        .await)?;
    if known.content_hash != content {
        let (revision,): (i64,) = on!(*tx, |c| sqlx::query_as(
            "update article
             set revision = revision + 1,
                 content_hash = $2,
                 title = $3,
                 url = $4,
                 language = $5,
                 record = $6,
                 published_at = $7,
                 updated_at = $8,
                 source_id = $9
             where id = $1
             returning revision"
        )
        .bind(known.id)
        .bind(&content)
        .bind(&record.title)
        .bind(record.url.as_ref().map(|url| url.as_str()))
        .bind(&record.language)
        .bind(Json(record))
        .bind(record.published_at.map(Millis::from))
        .bind(now)
        .bind(identity.source)
        .fetch_one(c)
        .await)?;
        revise(tx, known.id, revision, record, &content, now).await?;
        return Ok(Stored::Changed(known.id));
    }
    if known.record.0 != *record {
        redress(tx, known.id, known.revision, record).await?;
    }
    Ok(Stored::Same(known.id))
}

async fn insert(
    tx: &mut Tx,
    identity: &Identity,
    record: &Record,
    content: &[u8],
    now: Millis,
) -> sqlx::Result<Option<(ArticleId,)>> {
    on!(*tx, |c| sqlx::query_as(
        "insert into article
             (source_id, guid, origin, content_hash, title, url, language, record,
              published_at, first_seen_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
         on conflict (origin, guid) do nothing
         returning id"
    )
    .bind(identity.source)
    .bind(&identity.guid)
    .bind(&identity.origin)
    .bind(content)
    .bind(&record.title)
    .bind(record.url.as_ref().map(|url| url.as_str()))
    .bind(&record.language)
    .bind(Json(record))
    .bind(record.published_at.map(Millis::from))
    .bind(now)
    .fetch_optional(c)
    .await)
}

async fn revise(
    tx: &mut Tx,
    id: ArticleId,
    revision: i64,
    record: &Record,
    content: &[u8],
    now: Millis,
) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "insert into article_revision (article_id, revision, content_hash, record, seen_at)
         values ($1, $2, $3, $4, $5)"
    )
    .bind(id)
    .bind(revision)
    .bind(content)
    .bind(Json(record))
    .bind(now)
    .execute(c)
    .await
    .map(|_| ()))
}

/// Puts in pictures that could be had only now.
async fn redress(tx: &mut Tx, id: ArticleId, revision: i64, record: &Record) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query("update article set record = $2 where id = $1")
        .bind(id)
        .bind(Json(record))
        .execute(c)
        .await
        .map(|_| ()))?;
    on!(*tx, |c| sqlx::query(
        "update article_revision set record = $3 where article_id = $1 and revision = $2"
    )
    .bind(id)
    .bind(revision)
    .bind(Json(record))
    .execute(c)
    .await
    .map(|_| ()))
}

/// One article.
///
/// # Errors
/// The database failed.
pub async fn get(store: &Store, id: ArticleId) -> sqlx::Result<Option<Article>> {
    let row: Option<Row> = read!(store, |db| sqlx::query_as(
        "select id, origin, revision, record
         from article
         where id = $1"
    )
    .bind(id)
    .fetch_optional(db)
    .await)?;
    Ok(row.map(Article::from))
}

/// Articles, the youngest first, of one origin or of all; `before` is the last key of the page
/// before.
///
/// # Errors
/// The database failed.
pub async fn list(
    store: &Store,
    origin: Option<&str>,
    before: Option<ArticleId>,
    limit: i64,
) -> sqlx::Result<Vec<Article>> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select id, origin, revision, record
         from article
         where id < $1 and ($2 = '' or origin = $2)
         order by id desc
         limit $3"
    )
    .bind(before.map_or(i64::MAX, ArticleId::get))
    .bind(origin.unwrap_or(""))
    .bind(limit)
    .fetch_all(db)
    .await)?;
    Ok(rows.into_iter().map(Article::from).collect())
}
