//! What the public may see of issues: those whose letter was frozen, in the words
//! and revisions they went out with. Drafts do not exist here.

use crate::article::slug::Slug;
use crate::article::{ArticleId, Record};
use crate::store::Store;
use crate::store::value::Millis;
use crate::{read, row};

/// Issues on one page of a newsletter's archive.
pub const PAGE: i64 = 30;

row! {
    /// A newsletter that has public issues.
    Shelf {
        /// Its key.
        id: i64,
        /// Its short name in addresses.
        slug: String,
        /// The name readers know.
        title: String,
        /// Its language tag.
        language: String,
        /// Public issues.
        issues: i64,
    }
}

row! {
    /// A public issue.
    Edition {
        /// Its key.
        id: i64,
        /// Its number, as the masthead says it.
        number: i64,
        /// The mail's subject.
        subject: String,
        /// What the inbox showed beside it.
        preheader: String,
        /// Editorial and sections, as composed.
        content: String,
        /// When the letter was frozen.
        frozen_at: Millis,
    }
}

row! {
    /// An issue with a ledger.
    Sent {
        /// Its key.
        id: i64,
        /// Its number.
        number: i64,
        /// Where it stands.
        state: String,
        /// Its subject.
        subject: String,
        /// Its newsletter's short name.
        slug: String,
        /// Its newsletter's name.
        title: String,
        /// Why it is paused.
        paused_why: Option<String>,
        /// So many get it first.
        wave_size: Option<i64>,
        /// Until then the others wait.
        wave_until: Option<Millis>,
    }
}

row! {
    /// An article as a row gives it.
    PieceRow {
        /// The article's key.
        id: i64,
        /// Heading of its section.
        section: String,
        /// The record as JSON.
        record: String,
    }
}

/// An article of an issue, in the revision it went out with.
#[derive(Clone, Debug)]
pub struct Piece {
    /// Its key.
    pub id: ArticleId,
    /// Heading of its section; empty for none.
    pub section: String,
    /// The last part of its address, unique in the issue.
    pub name: String,
    /// What it says.
    pub record: Record,
}

/// The newsletters that have public issues, by title; an installation has few.
///
/// # Errors
/// The database failed.
pub async fn shelves(store: &Store) -> sqlx::Result<Vec<Shelf>> {
    read!(store, |db| {
        sqlx::query_as(
        "select n.id, n.slug, n.title, n.language, cast(count(*) as bigint) as issues
         from newsletter n
         join issue i on i.newsletter_id = n.id
         where i.frozen_at is not null
           and (i.state <> 'cancelled' or exists (
             select 1 from tally t where t.issue_id = i.id and t.place = 'accepted' and t.deliveries > 0))
         group by n.id, n.slug, n.title, n.language
         order by n.title, n.id"
    )
    .fetch_all(db)
    .await
    })
}

/// The issues that went out or are going, newest first: what reports are about.
///
/// # Errors
/// The database failed.
pub async fn sent(store: &Store) -> sqlx::Result<Vec<Sent>> {
    read!(store, |db| sqlx::query_as(
        "select i.id, i.number, i.state, i.subject, n.slug, n.title,
                i.paused_why, i.wave_size, i.wave_until
         from issue i
         join newsletter n on n.id = i.newsletter_id
         where i.total is not null
         order by i.id desc
         limit $1"
    )
    .bind(PAGE)
    .fetch_all(db)
    .await)
}

/// One of them.
///
/// # Errors
/// The database failed.
pub async fn sent_issue(store: &Store, id: i64) -> sqlx::Result<Option<Sent>> {
    read!(store, |db| sqlx::query_as(
        "select i.id, i.number, i.state, i.subject, n.slug, n.title,
                i.paused_why, i.wave_size, i.wave_until
         from issue i
         join newsletter n on n.id = i.newsletter_id
         where i.total is not null
           and i.id = $1"
    )
    .bind(id)
    .fetch_optional(db)
    .await)
}

/// A newsletter's public issues, newest first, below this number.
///
/// # Errors
/// The database failed.
pub async fn editions(store: &Store, newsletter: i64, below: i64) -> sqlx::Result<Vec<Edition>> {
    read!(store, |db| {
        sqlx::query_as(
        "select id, number, subject, preheader, cast(content as text) as content, frozen_at
         from issue i
         where newsletter_id = $1
           and number < $2
           and frozen_at is not null
           and (state <> 'cancelled' or exists (
             select 1 from tally t where t.issue_id = i.id and t.place = 'accepted' and t.deliveries > 0))
         order by number desc
         limit $3"
    )
    .bind(newsletter)
    .bind(below)
    .bind(PAGE)
    .fetch_all(db)
    .await
    })
}

/// One public issue by its number.
///
/// # Errors
/// The database failed.
pub async fn edition(store: &Store, newsletter: i64, number: i64) -> sqlx::Result<Option<Edition>> {
    let below = number.saturating_add(1);
    let found = editions(store, newsletter, below).await?;
    Ok(found.into_iter().next().filter(|edition| edition.number == number))
}

/// The articles of an issue in their order.
///
/// # Errors
/// The database failed, or a stored record cannot be read.
pub async fn pieces(store: &Store, issue: i64) -> anyhow::Result<Vec<Piece>> {
    let rows: Vec<PieceRow> = read!(store, |db| sqlx::query_as(
        "select a.article_id as id, a.section, cast(r.record as text) as record
         from issue_article a
         join article_revision r
           on r.article_id = a.article_id
          and r.revision = a.revision
         where a.issue_id = $1
         order by a.position"
    )
    .bind(issue)
    .fetch_all(db)
    .await)?;
    let mut records = Vec::with_capacity(rows.len());
    for row in rows {
        let record: Record = serde_json::from_str(&row.record)
            .map_err(|error| anyhow::anyhow!("record of article {}: {error}", row.id))?;
        records.push((ArticleId::new(row.id), row.section, record));
    }
    let titles: Vec<_> = records.iter().map(|(id, _, record)| (*id, &*record.title)).collect();
    let names = names(&titles);
    let piece = |((id, section, record), name)| Piece { id, section, name, record };
    Ok(records.into_iter().zip(names).map(piece).collect())
}

/// The last part of each article's address in its issue: the title's slug, and where
/// two would share one, the article's key behind it.
pub fn names(articles: &[(ArticleId, &str)]) -> Vec<String> {
    let slugs: Vec<Slug> = articles.iter().map(|(_, title)| Slug::of(title)).collect();
    let shared = |slug: &Slug| slugs.iter().filter(|other| *other == slug).count() > 1;
    let name = |((id, _), slug): (&(ArticleId, &str), &Slug)| {
        if shared(slug) { format!("{slug}-{id}") } else { slug.to_string() }
    };
    articles.iter().zip(&slugs).map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_articles_of_one_title_have_two_addresses() {
        let articles = [
            (ArticleId::new(7), "Neue Straße"),
            (ArticleId::new(8), "Advent am Hafen"),
            (ArticleId::new(9), "Neue Straße!"),
        ];
        assert_eq!(names(&articles), ["neue-strasse-7", "advent-am-hafen", "neue-strasse-9"]);
    }
}
