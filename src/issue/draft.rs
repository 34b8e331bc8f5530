//! From the articles in the database to a stored draft.

use jiff::Timestamp;
use sqlx::types::Json;

use super::compose::{self, Candidate, Composed, Draft, LeftOut};
use super::content::Content;
use super::state::Step;
use super::{Issue, IssueId};
use crate::article::{ArticleId, Record};
use crate::newsletter::{Newsletter, NewsletterId};
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{on, read, row};

/// Articles looked at for one issue, the newest ones; an issue shows far fewer.
const CANDIDATES_MAX: i64 = 1_000;

row! {
    /// An article that no issue of the newsletter has shown.
    CandidateRow {
        /// Its key.
        id: i64,
        /// Its present revision.
        revision: i64,
        /// Name of its source, or `hand`.
        origin: String,
        /// When it came in.
        first_seen_at: Millis,
        /// What it says.
        record: Json<Record>,
    }
}

row! {
    /// An article of an issue whose source says something newer.
    NewerRow {
        /// Its key.
        id: i64,
        /// Its present revision.
        revision: i64,
        /// What it says now.
        record: Json<Record>,
    }
}

/// What an article of an issue says since the issue took it.
#[derive(Debug, Clone)]
pub struct Newer {
    /// Which.
    pub article: ArticleId,
    /// Its present revision.
    pub revision: i64,
    /// What it says now.
    pub record: Record,
}

/// What composing did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The new draft; `None` where there was nothing new, or too little.
    pub issue: Option<IssueId>,
    /// What did not go in, and why.
    pub left_out: Vec<LeftOut>,
}

/// Composes an issue of what is new and stores it as a draft. `slot` is the local time
/// of the schedule's moment, which makes one issue at most.
///
/// # Errors
/// The database failed.
pub async fn compose(
    tx: &mut Tx,
    newsletter: &Newsletter,
    slot: Option<&str>,
    now: Timestamp,
) -> anyhow::Result<Outcome> {
    lock(tx, newsletter.id).await?;
    let candidates = candidates(tx, newsletter.id).await?;
    let Composed { draft, left_out } = compose::compose(&newsletter.definition, &candidates, now);
    let issue = match draft {
        Some(draft) => insert(tx, newsletter.id, &draft, slot, now).await?,
        None => None,
    };
    Ok(Outcome { issue, left_out })
}

/// Keeps a second process from composing of the same articles until this one is done.
async fn lock(tx: &mut Tx, newsletter: NewsletterId) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query("update newsletter set updated_at = updated_at where id = $1")
        .bind(newsletter)
        .execute(c)
        .await
        .map(|_| ()))
}

/// The newest articles that no issue of the newsletter shows, cancelled ones aside.
async fn candidates(tx: &mut Tx, newsletter: NewsletterId) -> sqlx::Result<Vec<Candidate>> {
    let rows: Vec<CandidateRow> = on!(*tx, |c| sqlx::query_as(
        "select a.id, a.revision, a.origin, a.first_seen_at, a.record
         from article a
         where not exists (
             select 1
             from issue_article x
             join issue i on i.id = x.issue_id
             where x.article_id = a.id and i.newsletter_id = $1 and i.state <> 'cancelled'
         )
         order by a.first_seen_at desc, a.id desc
         limit $2"
    )
    .bind(newsletter)
    .bind(CANDIDATES_MAX)
    .fetch_all(c)
    .await)?;
    let candidate = |row: CandidateRow| Candidate {
        article: ArticleId::new(row.id),
        revision: row.revision,
        origin: row.origin,
        first_seen: row.first_seen_at.timestamp(),
        record: row.record.0,
    };
    Ok(rows.into_iter().map(candidate).collect())
}

/// Stores a draft; `None` where the schedule's moment has its issue already.
async fn insert(
    tx: &mut Tx,
    newsletter: NewsletterId,
    draft: &Draft,
    slot: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<Option<IssueId>> {
    let id: Option<(IssueId,)> = on!(*tx, |c| {
        sqlx::query_as(
        "insert into issue
             (newsletter_id, number, state, subject, preheader, content, slot, created_at, updated_at)
         select $1, coalesce(max(number), 0) + 1, 'draft', $2, $3, $4, $5, $6, $6
         from issue
         where newsletter_id = $1
         on conflict (newsletter_id, slot) do nothing
         returning id"
    )
    .bind(newsletter)
    .bind(&draft.subject)
    .bind(&draft.preheader)
    .bind(Json(&draft.content))
    .bind(slot)
    .bind(Millis::from(now))
    .fetch_optional(c)
    .await
    })?;
    let Some((id,)) = id else { return Ok(None) };
    place(tx, id, &draft.content).await?;
    Ok(Some(id))
}

/// The articles of an issue that have a newer revision than the one it shows.
///
/// # Errors
/// The database failed.
pub async fn newer(store: &Store, issue: IssueId) -> sqlx::Result<Vec<Newer>> {
    let rows: Vec<NewerRow> = read!(store, |db| sqlx::query_as(
        "select a.id, a.revision, a.record
         from issue_article x
         join article a on a.id = x.article_id
         where x.issue_id = $1 and a.revision > x.revision
         order by x.position"
    )
    .bind(issue)
    .fetch_all(db)
    .await)?;
    let newer = |NewerRow { id, revision, record }: NewerRow| Newer {
        article: ArticleId::new(id),
        revision,
        record: record.0,
    };
    Ok(rows.into_iter().map(newer).collect())
}

/// Stores what an editor changed in a draft, if nobody else changed it meanwhile.
///
/// # Errors
/// It is no draft (any more), or was changed since it was read.
pub async fn save(
    tx: &mut Tx,
    old: &Issue,
    new: &Draft,
    now: Timestamp,
) -> Result<(), super::Error> {
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set subject = $3, preheader = $4, content = $5, updated_at = $6
         where id = $1 and state = 'draft' and updated_at = $2"
    )
    .bind(old.id)
    .bind(old.updated_at)
    .bind(&new.subject)
    .bind(&new.preheader)
    .bind(Json(&new.content))
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    super::moved(tx, done, old.id, Step::Queue).await?;
    on!(*tx, |c| sqlx::query("delete from issue_article where issue_id = $1")
        .bind(old.id)
        .execute(c)
        .await
        .map(|_| ()))?;
    Ok(place(tx, old.id, &new.content).await?)
}

/// Writes down which articles an issue shows, in which order.
async fn place(tx: &mut Tx, id: IssueId, content: &Content) -> sqlx::Result<()> {
    for (position, (item, section)) in content.items().enumerate() {
        on!(*tx, |c| sqlx::query(
            "insert into issue_article (issue_id, position, section, article_id, revision)
             values ($1, $2, $3, $4, $5)"
        )
        .bind(id)
        .bind(i64::try_from(position).expect("an issue has at most some hundred articles"))
        .bind(section.unwrap_or_default())
        .bind(item.article.get())
        .bind(item.revision)
        .execute(c)
        .await
        .map(|_| ()))?;
    }
    Ok(())
}
