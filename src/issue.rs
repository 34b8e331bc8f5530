//! One edition of a newsletter: a state machine.
//!
//! [`state`] has the arrows, here they are walked in the database: every change is
//! one `update … where state = old`, and who finds no row is told what stands there
//! instead. What goes in is [`compose`]'s, how it looks the letter's, who gets it
//! the delivery's.

pub mod archive;
pub mod calendar;
pub mod compose;
pub mod content;
pub mod draft;
pub mod due;
pub mod forecast;
pub mod freeze;
pub mod inbox;
pub mod inspect;
pub mod link;
pub mod preflight;
pub mod render;
pub mod state;
pub mod wording;

use jiff::Timestamp;
use sqlx::types::Json;

use crate::newsletter::NewsletterId;
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{key, on, read, row};
use content::Content;
use state::{State, Step};

/// Deliveries that are taken back in one transaction: some 100 ms of the one writer on
/// SQLite.
const TAKEN_BACK: i64 = 5_000;

key! {
    /// The key of an issue.
    IssueId
}

row! {
    /// An issue as the table has it.
    Issue {
        /// Its key.
        id: IssueId,
        /// Whose edition.
        newsletter_id: NewsletterId,
        /// The newsletter's short name.
        newsletter: String,
        /// Which edition, from 1 on.
        number: i64,
        /// Where it is.
        state: State,
        /// Subject of the mail.
        subject: String,
        /// What the inbox shows beside it.
        preheader: String,
        /// Editorial and sections.
        content: Json<Content>,
        /// Local time of the schedule's moment that made it.
        slot: Option<String>,
        /// Queued: not before this moment.
        send_at: Option<Millis>,
        /// Paused: where it was.
        paused_from: Option<State>,
        /// Paused: why.
        paused_why: Option<String>,
        /// Readers counted when it was frozen.
        total: Option<i64>,
        /// So many get it first; none: all at once.
        wave_size: Option<i64>,
        /// Until then the others wait; none: the first are not all out.
        wave_until: Option<Millis>,
        /// What an approver saw.
        approved_hash: Option<Vec<u8>>,
        /// Who approved it.
        approved_by: Option<String>,
        /// When it came to be.
        created_at: Millis,
        /// When it changed last.
        updated_at: Millis,
        /// When the letter was frozen.
        frozen_at: Option<Millis>,
        /// When its last mail came to an end.
        finished_at: Option<Millis>,
    }
}

/// The columns of [`Issue`], for a `select` with `issue i` joined to `newsletter n`.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select i.id, i.newsletter_id, n.slug as newsletter, i.number, i.state, i.subject,
                    i.preheader, i.content, i.slot, i.send_at, i.paused_from, i.paused_why,
                    i.total, i.wave_size, i.wave_until, i.approved_hash, i.approved_by, i.created_at, i.updated_at, i.frozen_at, i.finished_at
             from issue i
             join newsletter n on n.id = i.newsletter_id
             ",
            $rest
        )
    };
}

/// Why an issue stays where it is.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The arrow does not begin there.
    #[error("issue {issue} is {state}; only {} can be {}", one_of(.step.from()), .step.participle())]
    State {
        /// Which.
        issue: IssueId,
        /// Where it is.
        state: State,
        /// What was asked.
        step: Step,
    },
    /// There is none.
    #[error("there is no issue {0}; `rundbrief issue list` shows them")]
    None(IssueId),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

fn one_of(states: &[State]) -> String {
    let words: Vec<&str> = states.iter().map(|state| state.as_str()).collect();
    match words.as_slice() {
        [] => "nothing".to_owned(),
        [one] => format!("one that is {one}"),
        [first @ .., last] => format!("one that is {} or {last}", first.join(", ")),
    }
}

/// The issue of a number (`12`) or of newsletter and edition (`musterhafen/7`).
///
/// # Errors
/// The database failed.
pub async fn find(store: &Store, name: &str) -> sqlx::Result<Option<Issue>> {
    let (slug, number) = name.split_once('/').unwrap_or(("", name));
    let Ok(number) = number.parse::<i64>() else { return Ok(None) };
    if slug.is_empty() {
        return get(store, IssueId(number)).await;
    }
    read!(store, |db| sqlx::query_as(select!("where n.slug = $1 and i.number = $2"))
        .bind(slug)
        .bind(number)
        .fetch_optional(db)
        .await)
}

/// The issue with this key.
///
/// # Errors
/// The database failed.
pub async fn get(store: &Store, id: IssueId) -> sqlx::Result<Option<Issue>> {
    read!(store, |db| sqlx::query_as(select!("where i.id = $1")).bind(id).fetch_optional(db).await)
}

/// Issues, newest first, below this key; of one newsletter or of all (0).
///
/// # Errors
/// The database failed.
pub async fn list(
    store: &Store,
    newsletter: NewsletterId,
    below: IssueId,
    most: i64,
) -> sqlx::Result<Vec<Issue>> {
    read!(store, |db| sqlx::query_as(select!(
        "where ($1 = 0 or i.newsletter_id = $1) and i.id < $2
         order by i.id desc
         limit $3"
    ))
    .bind(newsletter)
    .bind(below)
    .bind(most)
    .fetch_all(db)
    .await)
}

/// Issues in a state, oldest first: what a worker looks through.
///
/// # Errors
/// The database failed.
pub async fn in_state(store: &Store, state: State) -> sqlx::Result<Vec<Issue>> {
    read!(store, |db| sqlx::query_as(select!("where i.state = $1 order by i.id"))
        .bind(state)
        .fetch_all(db)
        .await)
}

/// When the next queued issue may begin; none when nothing is queued.
///
/// # Errors
/// The database failed.
pub async fn next_queued(store: &Store) -> sqlx::Result<Option<Millis>> {
    let text = "select min(send_at) from issue where state = 'queued'";
    let (next,): (Option<Millis>,) = read!(store, |db| sqlx::query_as(text).fetch_one(db).await)?;
    Ok(next)
}

/// Titles of an issue's articles that another issue of the newsletter showed already.
///
/// # Errors
/// The database failed.
pub async fn shown_before(store: &Store, issue: IssueId) -> sqlx::Result<Vec<String>> {
    let rows: Vec<(String,)> = read!(store, |db| sqlx::query_as(
        "select a.title
         from issue_article x
         join article a on a.id = x.article_id
         join issue i on i.id = x.issue_id
         where x.issue_id = $1
           and exists (
             select 1
             from issue_article y
             join issue j on j.id = y.issue_id
             join article b on b.id = y.article_id
             where (b.id = a.id or b.url = a.url or b.title = a.title)
               and j.newsletter_id = i.newsletter_id
               and j.id <> i.id
               and j.state <> 'cancelled')
         order by x.position"
    )
    .bind(issue)
    .fetch_all(db)
    .await)?;
    Ok(rows.into_iter().map(|(title,)| title).collect())
}

/// Queues a draft for a moment. The same `request` again changes nothing and is no
/// error: a button can be pressed twice.
///
/// # Errors
/// It is no draft.
pub async fn queue(
    tx: &mut Tx,
    issue: IssueId,
    send_at: Millis,
    request: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set state = 'queued', idempotency_key = $3,
             send_at = case when state = 'draft' then $2 else send_at end,
             updated_at = case when state = 'draft' then $4 else updated_at end
         where id = $1 and (state = 'draft' or (state = 'queued' and idempotency_key = $3))"
    )
    .bind(issue)
    .bind(send_at)
    .bind(request)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    moved(tx, done, issue, Step::Queue).await
}

/// Records that somebody approved exactly this: see [`freeze::Material::hash`]. Also of
/// an issue that was paused before it began, since it had changed after its approval.
///
/// # Errors
/// It began already, or is queued.
pub async fn approve(
    tx: &mut Tx,
    issue: IssueId,
    hash: &[u8],
    by: &str,
    now: Timestamp,
) -> Result<(), Error> {
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set approved_hash = $2, approved_by = $3, approved_at = $4
         where id = $1 and (state = 'draft' or state = 'paused' and paused_from = 'queued')"
    )
    .bind(issue)
    .bind(hash)
    .bind(by)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    moved(tx, done, issue, Step::Queue).await
}

/// Takes a queued issue back to the editors.
///
/// # Errors
/// It began already, or was never queued.
pub async fn undo(tx: &mut Tx, issue: IssueId, now: Timestamp) -> Result<(), Error> {
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set state = 'draft', send_at = null, idempotency_key = null, updated_at = $2
         where id = $1 and state = 'queued'"
    )
    .bind(issue)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    moved(tx, done, issue, Step::Undo).await
}

/// Stops an issue for now; workers look before each final dot.
///
/// # Errors
/// There is nothing to stop.
pub async fn pause(tx: &mut Tx, issue: IssueId, why: &str, now: Timestamp) -> Result<(), Error> {
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set paused_from = state, state = 'paused', paused_why = $2, updated_at = $3
         where id = $1 and state in ('queued', 'expanding', 'sending')"
    )
    .bind(issue)
    .bind(why)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    moved(tx, done, issue, Step::Pause).await
}

/// Lets an issue go on where it was.
///
/// # Errors
/// It is not paused.
pub async fn resume(tx: &mut Tx, issue: IssueId, now: Timestamp) -> Result<(), Error> {
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set state = paused_from, paused_from = null, paused_why = null, updated_at = $2,
             -- What was paused because it was late is not late again at once.
             send_at = case when paused_from = 'queued' and send_at < $2 then $2 else send_at end
         where id = $1 and state = 'paused' and paused_from in ('queued', 'expanding', 'sending')"
    )
    .bind(issue)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    moved(tx, done, issue, Step::Resume).await
}

/// Takes an issue back for good: nothing of it is claimed any more. What is not on the
/// wire is cancelled with it, by [`take_back`] as often as it finds any.
///
/// # Errors
/// It came to an end already.
pub async fn cancel(tx: &mut Tx, issue: IssueId, now: Timestamp) -> Result<(), Error> {
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set state = 'cancelled', paused_from = null, paused_why = null, updated_at = $2
         where id = $1 and state in ('draft', 'queued', 'expanding', 'sending', 'paused')"
    )
    .bind(issue)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    moved(tx, done, issue, Step::Cancel).await
}

/// Cancels the next deliveries of a cancelled issue; what is on the wire is not touched.
/// Answers how many; none: all are.
///
/// # Errors
/// The database failed.
pub async fn take_back(tx: &mut Tx, issue: IssueId, now: Millis) -> sqlx::Result<u64> {
    // The words behind "and" are the ones of the partial indexes; the state is asked
    // once more because a worker may have moved it meanwhile.
    let claimed = "
        update delivery
        set state = 'cancelled', worker_id = null, changed_at = $2
        where issue_id = $1
          and state = 'claimed'
          and (state in ('claimed', 'sending') or state = 'unknown')";
    let waiting = "
        update delivery
        set state = 'cancelled', worker_id = null, changed_at = $2
        where state in ('queued', 'claimed', 'deferred')
          and id in (
              select id
              from delivery
              where issue_id = $1 and state in ('queued', 'deferred')
              order by next_at, id
              limit $3)";
    let claimed = on!(*tx, |c| {
        sqlx::query(claimed).bind(issue).bind(now).execute(c).await?.rows_affected()
    });
    let waiting = on!(*tx, |c| {
        let query = sqlx::query(waiting).bind(issue).bind(now).bind(TAKEN_BACK);
        query.execute(c).await?.rows_affected()
    });
    Ok(claimed + waiting)
}

/// Lets an issue go out to further readers, or to some once more: a finished one is
/// being sent again, a paused one goes on when it is resumed.
///
/// # Errors
/// It was never sent, or was cancelled.
pub async fn reopen(tx: &mut Tx, issue: IssueId, now: Timestamp) -> Result<(), Error> {
    let done = on!(*tx, |c| sqlx::query(
        "update issue
         set state = case when state = 'finished' then 'sending' else state end,
             finished_at = null, updated_at = $2
         where id = $1
           and (state in ('sending', 'finished') or state = 'paused' and paused_from = 'sending')"
    )
    .bind(issue)
    .bind(Millis::from(now))
    .execute(c)
    .await
    .map(|done| done.rows_affected()))?;
    moved(tx, done, issue, Step::Reopen).await
}

/// What an update that touched no row met.
async fn moved(tx: &mut Tx, rows: u64, issue: IssueId, step: Step) -> Result<(), Error> {
    if rows == 1 {
        return Ok(());
    }
    let found: Option<(State,)> =
        on!(*tx, |c| sqlx::query_as("select state from issue where id = $1")
            .bind(issue)
            .fetch_optional(c)
            .await)?;
    match found {
        Some((state,)) => Err(Error::State { issue, state, step }),
        None => Err(Error::None(issue)),
    }
}
