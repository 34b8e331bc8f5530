//! A publication: title, sender, language, zone, brand, imprint, schedule, rules.
//!
//! What a newsletter is stands in its definition (a TOML file that somebody
//! keeps); the table holds the definition as applied and when it is due next.
//! Composing and sending are the issue's.

pub mod definition;
pub mod field;

use std::path::Path;

use jiff::Timestamp;

use crate::config::layer;
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
    if let Some((table, field, what)) = definition.faults().into_iter().next() {
        let line = layer::line_of(text, &table.split('.').chain([field]).collect::<Vec<_>>());
        return Err(fault(line, format!("{table}.{field}: {what}")));
    }
    if let Err(refusal) = definition.brand.brand() {
        let table = text.lines().position(|line| line.trim_start().starts_with("[brand"));
        return Err(fault(table.map(|line| line + 1), refusal.to_string()));
    }
    Ok(definition)
}

/// A stored definition that this program cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the stored definition of newsletter {slug:?} cannot be read: {why}. Apply its file again: rundbrief newsletter apply FILE"
)]
pub struct Damaged {
    /// The newsletter's short name.
    pub slug: String,
    /// What does not stand.
    pub why: String,
}

/// Newsletters, and those of them that cannot be read: one does not hide the others.
#[derive(Debug, Default, PartialEq)]
pub struct Found {
    /// As asked for.
    pub newsletters: Vec<Newsletter>,
    /// What an operator has to mend.
    pub damaged: Vec<Damaged>,
}

row! {
    /// A row as it is stored.
    Row {
        /// See [`Newsletter::id`].
        id: NewsletterId,
        /// The short name.
        slug: String,
        /// The definition as JSON.
        definition: String,
        /// See [`Newsletter::next_at`].
        next_at: Option<Millis>,
        /// See [`Newsletter::last_slot`].
        last_slot: Option<String>,
    }
}

impl Row {
    fn read(self) -> Result<Newsletter, Damaged> {
        let definition = serde_json::from_str(&self.definition)
            .map_err(|error| Damaged { slug: self.slug, why: error.to_string() })?;
        Ok(Newsletter { id: self.id, definition, next_at: self.next_at, last_slot: self.last_slot })
    }
}

impl Found {
    fn of(rows: Vec<Row>) -> Found {
        let mut found = Found::default();
        for row in rows {
            match row.read() {
                Ok(newsletter) => found.newsletters.push(newsletter),
                Err(damaged) => found.damaged.push(damaged),
            }
        }
        found
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
    let known = match in_tx(tx, &definition.slug).await? {
        Some(row) => Some((row.id, row.read().ok())),
        None => None,
    };
    let json = sqlx::types::Json(definition);
    let upcoming = || {
        let moment = definition.schedule()?.next(now)?;
        Some(Millis::from(moment.at))
    };
    let Some((id, known)) = known else {
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
    if known.as_ref().is_some_and(|known| known.definition == *definition) {
        return Ok(Applied::Unchanged(id));
    }
    // What cannot be read any more had times as well, but nobody knows which.
    let next_at = match known {
        Some(known)
            if known.definition.schedule == definition.schedule
                && known.definition.time_zone == definition.time_zone =>
        {
            known.next_at
        }
        Some(_) | None => upcoming(),
    };
    on!(*tx, |c| sqlx::query(
        "update newsletter
         set title = $2, language = $3, definition = $4, next_at = $5, updated_at = $6
         where id = $1"
    )
    .bind(id)
    .bind(definition.title.as_str())
    .bind(definition.language.tag())
    .bind(json)
    .bind(next_at)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    Ok(Applied::Changed(id))
}

async fn in_tx(tx: &mut Tx, slug: &Slug) -> sqlx::Result<Option<Row>> {
    on!(*tx, |c| sqlx::query_as(
        "select id, slug, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         where slug = $1"
    )
    .bind(slug.as_str())
    .fetch_optional(c)
    .await)
}

/// The newsletter with this slug, or with this number where no slug is so.
///
/// # Errors
/// The database failed.
pub async fn find(store: &Store, name: &str) -> anyhow::Result<Option<Newsletter>> {
    let row: Option<Row> = read!(store, |db| sqlx::query_as(
        "select id, slug, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         where slug = $1 or id = $2
         order by case when slug = $1 then 0 else 1 end
         limit 1"
    )
    .bind(name)
    .bind(name.parse::<i64>().unwrap_or(0))
    .fetch_optional(db)
    .await)?;
    Ok(row.map(Row::read).transpose()?)
}

/// The newsletter with this key.
///
/// # Errors
/// There is none, or the database failed.
pub async fn get(store: &Store, id: NewsletterId) -> anyhow::Result<Newsletter> {
    let row: Row = read!(store, |db| sqlx::query_as(
        "select id, slug, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         where id = $1"
    )
    .bind(id)
    .fetch_one(db)
    .await)?;
    Ok(row.read()?)
}

/// All newsletters by slug; an installation has few.
///
/// # Errors
/// The database failed.
pub async fn list(store: &Store) -> sqlx::Result<Found> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select id, slug, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         order by slug"
    )
    .fetch_all(db)
    .await)?;
    Ok(Found::of(rows))
}

/// Newsletters whose schedule's moment has come.
///
/// # Errors
/// The database failed.
pub async fn due(store: &Store, now: Timestamp) -> sqlx::Result<Found> {
    let rows: Vec<Row> = read!(store, |db| sqlx::query_as(
        "select id, slug, cast(definition as text) as definition, next_at, last_slot
         from newsletter
         where next_at <= $1
         order by next_at"
    )
    .bind(Millis::from(now))
    .fetch_all(db)
    .await)?;
    Ok(Found::of(rows))
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
