//! What dead workers left, and what nobody can know: workers sign on with a
//! heartbeat, a dead one's claims go back to the queue, its mails on the wire
//! become unknown, and unknown ones are settled by evidence first (the journal's),
//! then by the newsletter's policy.

use std::time::Duration;

use sqlx::AssertSqlSafe;

use super::journal::Record;
use super::state::{Cause, DEATHS, State};
use super::{DeliveryId, WorkerId, replay, sums, watch};
use crate::issue::IssueId;
use crate::on;
use crate::store::value::Millis;
use crate::store::{Kind, Store, Tx};

/// A worker whose last heartbeat is older is dead to its claims.
pub const WORKER_LIVES: Duration = Duration::from_secs(30);
/// And to its mails on the wire: the longest wait for a reply on top.
pub const WIRE_LIVES: Duration = Duration::from_secs(30 + 600);
/// How long evidence is waited for before the policy decides.
pub const EVIDENCE: Duration = Duration::from_secs(15 * 60);

/// So often a delivery's reply may be lost under `at_least_once`: else a relay that takes
/// every mail and never says so would get a copy each quarter of an hour, for ever.
pub const LOSSES: i64 = 3;

/// Names a data directory, whatever machine or container sees it by which path.
const NAME_FILE: &str = "worker.id";
/// So much of what stands in it is the name.
const NAME_BYTES: usize = 8;

/// Who we are to other workers: the machine with its data directory (which only
/// one process works in), and the machine's boot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Machine and directory, and the directory's own name: containers may share both.
    pub host: String,
    /// Changes when the machine restarts.
    pub boot: String,
}

impl Identity {
    /// Reads the machine's name and boot; the directory is the locked data directory,
    /// which gets a name of its own once.
    ///
    /// # Errors
    /// The name cannot be read or written.
    pub fn of(directory: &std::path::Path) -> std::io::Result<Identity> {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let directory = std::fs::canonicalize(directory)?;
        let file = directory.join(NAME_FILE);
        // A disk that was full once may have left it empty.
        if !file.exists() || std::fs::read_to_string(&file)?.trim().len() < NAME_BYTES {
            std::fs::write(&file, read("/proc/sys/kernel/random/uuid"))?;
        }
        let (machine, name) = (read("/proc/sys/kernel/hostname"), std::fs::read_to_string(&file)?);
        let name = name.trim().get(..NAME_BYTES).unwrap_or_default();
        Ok(Identity {
            host: format!("{machine}:{}#{name}", directory.display()),
            boot: read("/proc/sys/kernel/random/boot_id"),
        })
    }

    /// The directory's own name, which it keeps when the machine or the path changes.
    pub(super) fn directory(&self) -> Option<&str> {
        self.host.rsplit_once('#').map(|(_, name)| name).filter(|name| name.len() == NAME_BYTES)
    }
}

/// What signing on found and did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedOn {
    /// Our key.
    pub worker: WorkerId,
    /// Deliveries the journal proved something about.
    pub proven: u64,
    /// Claims and marks that went back to the queue.
    pub back: u64,
    /// Deliveries of which nobody can know.
    pub unknown: u64,
}

/// The time that leases and heartbeats go by: the database's on PostgreSQL.
///
/// # Errors
/// The database failed.
pub async fn clock(tx: &mut Tx, now: Millis) -> sqlx::Result<Millis> {
    match tx {
        Tx::Sqlite(_) => Ok(now),
        Tx::Postgres(tx) => {
            let text = "select (extract(epoch from clock_timestamp()) * 1000)::bigint";
            let (at,): (i64,) = sqlx::query_as(text).fetch_one(&mut **tx).await?;
            Ok(Millis(at))
        }
    }
}

/// Signs a worker on. Everybody who had this directory on this machine before is dead,
/// since we hold its lock; the journal is ours to replay, before anything is claimed.
///
/// # Errors
/// The database failed.
pub async fn sign_on(
    store: &Store,
    identity: &Identity,
    records: &[Record],
    now: Millis,
) -> sqlx::Result<SignedOn> {
    let mut tx = store.begin().await?;
    let now = clock(&mut tx, now).await?;
    let before = replay::predecessors(&mut tx, identity, now).await?;
    let mut done = SignedOn { worker: WorkerId(0), proven: 0, back: 0, unknown: 0 };
    for worker in &before {
        done.proven += replay::replies(&mut tx, worker.id, records, now).await?;
        if worker.is_proven_by_silence(identity, store.kind()) {
            done.back += replay::never_written(&mut tx, worker.id, records, now).await?;
        }
    }
    // A copied directory must not end the worker of its original: whoever may live is
    // left to the usual look at heartbeats.
    let dead: Vec<WorkerId> = before.iter().filter(|w| w.dead == 1).map(|w| w.id).collect();
    let (back, unknown) = reap(&mut tx, &dead, &dead, now).await?;
    (done.back, done.unknown) = (done.back + back, unknown);
    let text = "update worker set stopped_at = $2 where host = $1 and stopped_at is null";
    on!(tx, |c| sqlx::query(text)
        .bind(&identity.host)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    let text = "
        insert into worker (host, boot, started_at, heartbeat_at)
        values ($1, $2, $3, $3)
        returning id";
    let (worker,): (WorkerId,) = on!(tx, |c| {
        sqlx::query_as(text).bind(&identity.host).bind(&identity.boot).bind(now).fetch_one(c).await
    })?;
    done.worker = worker;
    tx.commit().await?;
    Ok(done)
}

/// Signs off. What is still on the wire stays with the worker's name.
///
/// # Errors
/// The database failed.
pub async fn sign_off(store: &Store, worker: WorkerId, now: Millis) -> sqlx::Result<()> {
    let mut tx = store.begin().await?;
    let now = clock(&mut tx, now).await?;
    let text = "update worker set stopped_at = $2 where id = $1";
    on!(tx, |c| sqlx::query(text)
        .bind(worker)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    tx.commit().await
}

/// A sign of life; then the others' signs are looked at. Answers false when we
/// ourselves were taken for dead meanwhile: what we held is not ours any more. On
/// SQLite nobody else is there to do so.
///
/// # Errors
/// The database failed.
pub async fn heartbeat(store: &Store, worker: WorkerId, now: Millis) -> sqlx::Result<bool> {
    let mut tx = store.begin().await?;
    let now = clock(&mut tx, now).await?;
    let (claims, wires) = (now.before(WORKER_LIVES), now.before(WIRE_LIVES));
    let text = "
        update worker
        set heartbeat_at = $2
        where id = $1 and stopped_at is null and heartbeat_at >= $3
        returning id";
    let alive: Option<(WorkerId,)> = on!(tx, |c| {
        sqlx::query_as(text).bind(worker).bind(now).bind(claims).fetch_optional(c).await
    })?;
    let text = "update worker set heartbeat_at = $2 where id = $1";
    on!(tx, |c| sqlx::query(text)
        .bind(worker)
        .bind(now)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    let text = "
        select id
        from worker
        where id <> $1
          and heartbeat_at < $2
          and id in (select worker_id from delivery where (state in ('claimed', 'sending') or state = 'unknown'))";
    let silent = |since: Millis| (text, since);
    let mut dead = Vec::new();
    for (text, since) in [silent(claims), silent(wires)] {
        let found: Vec<(WorkerId,)> =
            on!(tx, |c| sqlx::query_as(text).bind(worker).bind(since).fetch_all(c).await)?;
        dead.push(found.into_iter().map(|(id,)| id).collect::<Vec<_>>());
    }
    let (back, unknown) = reap(&mut tx, &dead[0], &dead[1], now).await?;
    tx.commit().await?;
    if back + unknown > 0 {
        tracing::warn!(back, unknown, "delivery.reaped");
    }
    Ok(alive.is_some() || store.kind() == Kind::Sqlite)
}

/// Settles unknown deliveries whose time for evidence is over, by the policy of their
/// newsletter. `ask` leaves them to an editor. What was lost [`LOSSES`] times is not sent
/// again by itself, and nothing of a cancelled issue is.
///
/// # Errors
/// The database failed.
pub async fn settle(store: &Store, evidence: Duration, now: Millis) -> sqlx::Result<u64> {
    let mut tx = store.begin().await?;
    let now = clock(&mut tx, now).await?;
    let since = now.before(evidence);
    let given_up = settled(&mut tx, End::GivenUp, since, now).await?;
    let left = settled(&mut tx, End::Left, since, now).await?;
    let resent = settled(&mut tx, End::Resent, since, now).await?;
    tx.commit().await?;
    if given_up > 0 {
        tracing::error!(deliveries = given_up, losses = LOSSES, "delivery.unknown.given_up");
    }
    if left + resent > 0 {
        tracing::warn!(left, resent, "delivery.unknown.settled");
    }
    Ok(given_up + left + resent)
}

/// How an unknown delivery ends that got no evidence.
#[derive(Debug, Clone, Copy)]
enum End {
    GivenUp,
    Left,
    Resent,
}

async fn settled(tx: &mut Tx, end: End, since: Millis, now: Millis) -> sqlx::Result<u64> {
    let again = "n.state = 'sending' and n.policy not in ('ask', 'at_most_once')";
    let failed = (State::Failed, Some(Cause::Unknown));
    let ((state, cause), which) = match end {
        End::GivenUp => (
            failed,
            format!(
                "{again}
          and delivery.deaths + (
              select count(*)
              from attempt a
              where a.delivery_id = delivery.id and a.outcome = 'unknown') >= {LOSSES}"
            ),
        ),
        End::Left => (failed, "(n.state = 'cancelled' or n.policy = 'at_most_once')".to_owned()),
        End::Resent => ((State::Queued, None), again.to_owned()),
    };
    let text = format!(
        "
        update delivery
        set state = $3, cause = $4, worker_id = null, next_at = 0, changed_at = $2
        from (
            select
                i.id as issue_id,
                i.state,
                coalesce(w.definition -> 'policies' ->> 'unknown', 'at_least_once') as policy
            from issue i
            join newsletter w on w.id = i.newsletter_id
            where i.state in ('sending', 'cancelled')
        ) as n
        where n.issue_id = delivery.issue_id
          and delivery.state = 'unknown'
          and (delivery.state in ('claimed', 'sending') or delivery.state = 'unknown')
          and delivery.changed_at <= $1
          and {which}"
    );
    on!(*tx, |c| {
        let query = sqlx::query(AssertSqlSafe(text)).bind(since).bind(now).bind(state);
        Ok(query.bind(cause).execute(c).await?.rows_affected())
    })
}

/// Closes an issue whose deliveries have all come to an end. Only then every delivery
/// is counted, once; a difference to the books or the frozen total is an alarm, and
/// the issue is paused for somebody to look.
///
/// # Errors
/// The database failed.
pub async fn finish(store: &Store, issue: IssueId, now: Millis) -> sqlx::Result<bool> {
    let books = sums::of(store, issue).await?;
    if books.add_up() && books.open() > 0 {
        return Ok(false);
    }
    let counted = sums::counted(store, issue).await?;
    let rows = |state| counted.iter().filter(|(s, _)| *s == state).map(|(_, n)| n).sum::<i64>();
    let right = books.add_up()
        && rows(State::Accepted) == books.accepted
        && rows(State::Failed) == books.failed
        && rows(State::Cancelled) == books.cancelled
        && counted.iter().map(|(_, n)| n).sum::<i64>() == books.total;
    let mut tx = store.begin().await?;
    if !right {
        // Somebody may have queued more between the two looks; that is no difference.
        if sums::within(&mut tx, issue).await? == books {
            tracing::error!(issue = issue.0, ?books, ?counted, "delivery.books.differ");
            watch::pause(&mut tx, issue, "the books differ from the ledger", now).await?;
            tx.commit().await?;
        }
        return Ok(false);
    }
    let text = "
        update issue
        set state = 'finished', finished_at = $2, updated_at = $2
        where id = $1 and state = 'sending'
        returning id";
    let done: Option<(IssueId,)> =
        on!(tx, |c| sqlx::query_as(text).bind(issue).bind(now).fetch_optional(c).await)?;
    // The row is locked: who queued more just now is seen, and who comes waits.
    if sums::within(&mut tx, issue).await?.open() > 0 {
        return Ok(false);
    }
    tx.commit().await?;
    if done.is_some() {
        tracing::info!(issue = issue.0, total = books.total, "delivery.finished");
    }
    Ok(done.is_some())
}

/// Dead workers' claims go back to the queue; their mails on the wire become
/// unknown, or poison when too many died on them. Answers how many of each.
///
/// # Errors
/// The database failed.
pub async fn reap(
    tx: &mut Tx,
    claims: &[WorkerId],
    wires: &[WorkerId],
    now: Millis,
) -> sqlx::Result<(u64, u64)> {
    let back = "
        update delivery
        set state = 'queued', worker_id = null, changed_at = $2
        where worker_id = $1 and state = 'claimed' and (state in ('claimed', 'sending') or state = 'unknown')";
    let unknown = "
        update delivery
        set
            state = case when deaths + 1 >= $3 then 'failed' else 'unknown' end,
            cause = case when deaths + 1 >= $3 then 'poison' end,
            worker_id = case when deaths + 1 >= $3 then null else worker_id end,
            deaths = deaths + 1,
            stage = 'dot',
            reply = 'the worker died while the mail may have been on the wire',
            changed_at = $2
        where worker_id = $1 and state = 'sending' and (state in ('claimed', 'sending') or state = 'unknown')
        returning id, state";
    let (mut returned, mut lost) = (0, 0);
    for worker in claims {
        returned += on!(*tx, |c| {
            sqlx::query(back).bind(worker).bind(now).execute(c).await?.rows_affected()
        });
    }
    for worker in wires {
        let rows: Vec<(DeliveryId, State)> = on!(*tx, |c| {
            let query = sqlx::query_as(unknown).bind(worker).bind(now).bind(DEATHS);
            query.fetch_all(c).await?
        });
        lost += rows.len() as u64;
        for (delivery, _) in rows.iter().filter(|(_, state)| *state == State::Failed) {
            tracing::error!(delivery = delivery.0, deaths = DEATHS, "delivery.poison");
        }
    }
    Ok((returned, lost))
}
