//! A publication: title, sender, language, zone, brand, imprint, schedule, rules.
//!
//! What a newsletter is stands in its definition (a TOML file that somebody
//! keeps); the table holds the definition as applied and when it is due next.
//! Composing and sending are the issue's.

pub mod definition;
pub mod field;

use std::path::Path;

use jiff::Timestamp;

use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{key, on, read, row};
use definition::Definition;
use field::Slug;

key! {
    /// The key of a newsletter.
    NewsletterId
}

/// A newsletter as the database knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Newsletter {
    /// Its key.
    pub id: NewsletterId,
    /// As applied last.
    pub definition: Definition,
    /// The schedule's next moment; `None` without a schedule.
    pub next_at: Option<Millis>,
    /// Local time of the last moment that fired.
    pub last_slot: Option<String>,
}

/// Why a definition does not stand: `FILE:LINE: what, and what is allowed`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {what}")]
pub struct Fault {
    /// File and line.
    pub place: String,
    /// What was wrong and what is allowed.
    pub what: String,
}

/// What applying a definition did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// There is a new newsletter.
    Created(NewsletterId),
    /// One with this slug is now as the file says.
    Changed(NewsletterId),
    /// It was so already.
    Unchanged(NewsletterId),
}

impl Applied {
    /// The newsletter.
    pub fn id(self) -> NewsletterId {
        match self {
            Applied::Created(id) | Applied::Changed(id) | Applied::Unchanged(id) => id,
        }
    }
}

/// Reads a definition; `name` is what messages call the file.
///
/// # Errors
/// The first field that is wrong, with its line and what is allowed.
pub fn parse(text: &str, name: &Path) -> Result<Definition, Fault> {
    let fault = |line: Option<usize>, what: String| Fault {
        place: match line {
            Some(line) => format!("{}:{line}", name.display()),
            None => name.display().to_string(),
        },
        what,
    };
    let definition: Definition = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| 1 + text[..span.start].matches('\n').count());
        let what: Vec<&str> = error.message().lines().map(str::trim).collect();
        fault(line, what.join("; "))
    })?;
    if let Err(refusal) = definition.brand.brand() {
        let table = text.lines().position(|line| line.trim_start().starts_with("[brand"));
        return Err(fault(table.map(|line| line + 1), refusal.to_string()));
    }
    Ok(definition)
}

row! {
    /// A row as it is stored.
    Row {
        /// See [`Newsletter::id`].
        id: NewsletterId,
        /// The definition as JSON.
        definition: String,
        /// See [`Newsletter::next_at`].
        next_at: Option<Millis>,
        /// See [`Newsletter::last_slot`].
        last_slot: Option<String>,
    }
}

impl Row {
    fn read(self) -> anyhow::Result<Newsletter> {
        let definition = serde_json::from_str(&self.definition).map_err(|error| {
            anyhow::anyhow!(
                "the stored definition of newsletter {} cannot be read: {error}. Apply its file again",
                self.id
            )
        })?;
        Ok(Newsletter { id: self.id, definition, next_at: self.next_at, last_slot: self.last_slot })
    }
}

/// Stores a definition under its slug. The next moment is asked anew only where
/// the schedule or the zone changed, so that applying a file again swallows no
/// moment that is due.
///
/// # Errors
/// The database failed.
pub async fn apply(
    tx: &mut Tx,
    definition: &Definition,
    now: Timestamp,
) -> anyhow::Result<Applied> {
    let known = in_tx(tx, &definition.slug).await?;
    let json = sqlx::types::Json(definition);
    let upcoming = || {
        let moment = definition.schedule()?.next(now)?;
        Some(Millis::from(moment.at))
    };
    let Some(known) = known else {
        let (id,): (NewsletterId,) = on!(*tx, |c| {
            sqlx::query_as(
            "insert into newsletter (slug, title, language, definition, next_at, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $6, $6)
             returning id"
        )
        .bind(definition.slug.as_str())
        .bind(definition.title.as_str())
        .bind(definition.language.tag())
        .bind(json)
        .bind(upcoming())
        .bind(Millis::from(now))
        .fetch_one(c)
        .await
        })?;
        return Ok(Applied::Created(id));
    };
    if known.definition == *definition {
        return Ok(Applied::Unchanged(known.id));
    }
    let same_times = known.definition.schedule == definition.schedule
        && known.definition.time_zone == definition.time_zone;
    let next_at = if same_times { known.next_at } else { upcoming() };
    on!(*tx, |c| sqlx::query(
        "update newsletter
         set title = $2, language = $3, definition = $4, next_at = $5, updated_at = $6
         where id = $1"
    )
    .bind(known.id)
    .bind(definition.title.as_str())
    .bind(definition.language.tag())
    .bind(json)
    .bind(next_at)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(Applied::Changed(known.id))
}

async fn in_tx(tx: &mut Tx, slug: &Slug) -> anyhow::Result<Option<Newsletter>> {
    let row: Option<Row> = on!(*tx, |c| sqlx::query_as(
        "select id, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         where slug = $1"
    )
    .bind(slug.as_str())
    .fetch_optional(c)
    .await)?;
    row.map(Row::read).transpose()
}

/// The newsletter with this slug, or with this number where no slug is so.
///
/// # Errors
/// The database failed.
pub async fn find(store: &Store, name: &str) -> anyhow::Result<Option<Newsletter>> {
    let row: Option<Row> = read!(store, |db| sqlx::query_as(
        "select id, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         where slug = $1 or id = $2
         order by case when slug = $1 then 0 else 1 end
         limit 1"
    )
    .bind(name)
    .bind(name.parse::<i64>().unwrap_or(0))
    .fetch_optional(db)
    .await)?;
    row.map(Row::read).transpose()
}

/// The newsletter with this key.
///
/// # Errors
/// There is none, or the database failed.
pub async fn get(store: &Store, id: NewsletterId) -> anyhow::Result<Newsletter> {
    let row: Row = read!(store, |db| sqlx::query_as(
        "select id, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         where id = $1"
    )
    .bind(id)
    .fetch_one(db)
    .await)?;
    row.read()
}

/// All newsletters by slug; an installation has few.
///
/// # Errors
/// The database failed.
pub async fn list(store: &Store) -> anyhow::Result<Vec<Newsletter>> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select id, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         order by slug"
    )
    .fetch_all(db)
    .await)?;
    rows.into_iter().map(Row::read).collect()
}

/// Newsletters whose schedule's moment has come.
///
/// # Errors
/// The database failed.
pub async fn due(store: &Store, now: Timestamp) -> anyhow::Result<Vec<Newsletter>> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select id, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         where next_at <= $1
         order by next_at"
    )
    .bind(Millis::from(now))
    .fetch_all(db)
    .await)?;
    rows.into_iter().map(Row::read).collect()
}

/// The short names of all sources, to hold a newsletter's rules against.
///
/// # Errors
/// The database failed.
pub async fn source_names(store: &Store) -> sqlx::Result<Vec<String>> {
    let rows: Vec<(String,)> =
        read!(store, |db| sqlx::query_as("select slug from source").fetch_all(db).await)?;
    Ok(rows.into_iter().map(|(slug,)| slug).collect())
}

/// Moves the schedule on from the moment it stands at. Of several processes
/// that see the same moment due, one gets `true`.
///
/// # Errors
/// The database failed.
pub async fn advance(
    tx: &mut Tx,
    newsletter: &Newsletter,
    fired: &crate::schedule::Moment,
    next: Option<Millis>,
) -> anyhow::Result<bool> {
    let done = on!(*tx, |c| sqlx::query(
        "update newsletter
         set next_at = $3, last_slot = $4
         where id = $1 and next_at = $2"
    )
    .bind(newsletter.id)
    .bind(newsletter.next_at)
    .bind(next)
    .bind(fired.local.to_string())
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(done == 1)
}

#[cfg(test)]
mod tests;
