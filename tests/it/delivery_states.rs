//! The ledger's statements, compared with the table of states row by row.

use std::time::Duration;

use rundbrief::delivery::due::{self, Cursor};
use rundbrief::delivery::ledger::{self, Entry};
use rundbrief::delivery::settle;
use rundbrief::delivery::state::{Cause, Holder, Row, Settlement, State, Step, apply};
use rundbrief::delivery::unknown::{self, Choice};
use rundbrief::delivery::{DeliveryId, WorkerId, again, expand, replay};
use rundbrief::issue::{self, IssueId};
use rundbrief::store::Store;
use rundbrief::store::value::Millis;
use rundbrief::{on, read};

use crate::app::{App, on_both};
use crate::delivery::{issue, now, readers};

on_both![
    the_statements_do_what_the_table_of_states_says,
    what_ended_goes_out_again_as_the_table_says,
];

/// One delivery in each state, with and without its holder, and every step on it:
/// the statement and the table of states must agree.
async fn the_statements_do_what_the_table_of_states_says(app: App) {
    let issue = issue(&app, &readers(1)).await;
    while expand::step(&app.store, issue, now()).await.unwrap() != expand::Progress::Idle {}
    let us = Holder { worker: 1, generation: 4 };
    let steps = [
        Step::Claim(1),
        Step::Mark(us),
        Step::Begin(1),
        Step::GiveBack(us),
        Step::Accept(us),
        Step::Defer(us),
        Step::Refuse(us),
        Step::Lose(us),
        Step::GiveUp(us),
        Step::NeverWritten,
        Step::Reap,
        Step::Expire,
        Step::Cancel,
        Step::Settle(Settlement::Resend),
        Step::Settle(Settlement::Leave),
    ];
    for state in State::ALL.iter().copied() {
        for (worker, generation, deaths) in
            [(Some(1), 4, 0), (Some(1), 5, 2), (Some(2), 4, 0), (None, 4, 0)]
        {
            let before = Row { state, generation, attempts: 2, deaths, worker, cause: None };
            for step in steps {
                // Settling and reaping go by the row's own worker.
                if matches!(step, Step::Reap | Step::NeverWritten) && worker.is_none() {
                    continue;
                }
                put(&app.store, &before).await;
                perform(&app.store, issue, step).await;
                let after = get(&app.store).await;
                // A relay that says yes is believed even where we had given up.
                let late = step == Step::Accept(us)
                    && state == State::Unknown
                    && (worker, generation) == (Some(1), 4);
                let wanted = if late {
                    apply(&before, Step::Settle(Settlement::Proven))
                } else {
                    apply(&before, step)
                };
                assert_eq!(after, wanted.unwrap_or(before.clone()), "{step:?} on {before:?}");
            }
        }
    }
}

/// What ended goes out again: by list, or one by one where nobody could know.
async fn what_ended_goes_out_again_as_the_table_says(app: App) {
    let issue = issue(&app, &readers(1)).await;
    while expand::step(&app.store, issue, now()).await.unwrap() != expand::Progress::Idle {}
    let causes = Cause::ALL.iter().map(|cause| (State::Failed, Some(*cause)));
    let others = State::ALL.iter().map(|state| (*state, None));
    for (state, cause) in causes.chain(others) {
        if (state, cause) == (State::Failed, None) {
            continue;
        }
        let row = Row { state, generation: 4, attempts: 2, deaths: 1, worker: None, cause };
        let wanted = apply(&row, Step::Again);
        // Poison is for somebody who looked at it, one by one.
        let listed = if cause == Some(Cause::Poison) { None } else { wanted.clone() };
        put(&app.store, &row).await;
        let read = issue::get(&app.store, issue).await.unwrap().unwrap();
        again::missing(&app.store, &read, 0, now().timestamp()).await.unwrap();
        assert_eq!(get(&app.store).await, listed.unwrap_or(row.clone()), "{row:?}");
        put(&app.store, &row).await;
        let tries = [(only(&app.store).await, 4)];
        let mut tx = app.store.begin().await.unwrap();
        let at = now().timestamp();
        let choice = Choice::SendAgain;
        unknown::settle(&mut tx, issue, choice, &tries, at).await.unwrap();
        assert_eq!(unknown::settle(&mut tx, issue, choice, &tries, at).await.unwrap(), 0);
        tx.commit().await.unwrap();
        let wanted = match (state, cause) {
            (State::Unknown, _) => apply(&row, Step::Settle(Settlement::Resend)),
            (State::Failed, Some(Cause::Unknown | Cause::Poison)) => wanted,
            _ => None,
        };
        assert_eq!(get(&app.store).await, wanted.unwrap_or(row.clone()), "{row:?}");
    }
}

async fn only(store: &Store) -> DeliveryId {
    let text = "select id from delivery";
    let (id,) = read!(store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    id
}

async fn put(store: &Store, row: &Row) {
    let mut tx = store.begin().await.unwrap();
    on!(tx, |c| sqlx::query("delete from attempt").execute(c).await.map(|_| ())).unwrap();
    let text = "
        update delivery
        set state = $1, generation = $2, attempts = $3, deaths = $4, worker_id = $5,
            cause = $6, next_at = 0";
    on!(tx, |c| {
        let query = sqlx::query(text).bind(row.state).bind(row.generation).bind(row.attempts);
        query.bind(row.deaths).bind(row.worker).bind(row.cause).execute(c).await.map(|_| ())
    })
    .unwrap();
    tx.commit().await.unwrap();
}

async fn get(store: &Store) -> Row {
    let text = "select state, generation, attempts, deaths, worker_id, cause from delivery";
    type Columns = (State, i64, i64, i64, Option<i64>, Option<Cause>);
    let (state, generation, attempts, deaths, worker, cause): Columns =
        read!(store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    Row { state, generation, attempts, deaths, worker, cause }
}

/// What a holder records of its delivery: state, cause, and whether the try was none.
fn recording(step: Step) -> Option<(Holder, State, Option<Cause>, bool)> {
    match step {
        Step::GiveBack(by) => Some((by, State::Queued, None, true)),
        Step::Accept(by) => Some((by, State::Accepted, None, false)),
        Step::Defer(by) => Some((by, State::Deferred, None, false)),
        Step::Refuse(by) => Some((by, State::Failed, Some(Cause::Permanent), false)),
        Step::GiveUp(by) => Some((by, State::Failed, Some(Cause::Expired), false)),
        Step::Lose(by) => Some((by, State::Unknown, None, false)),
        Step::Claim(_)
        | Step::Mark(_)
        | Step::Begin(_)
        | Step::NeverWritten
        | Step::Reap
        | Step::Settle(_)
        | Step::Expire
        | Step::Again
        | Step::Cancel => None,
    }
}

async fn record(store: &Store, id: DeliveryId, step: Step) -> bool {
    let Some((by, state, cause, unused)) = recording(step) else { return false };
    let entry = Entry {
        id,
        generation: by.generation,
        state,
        cause,
        next_at: Millis(0),
        unused,
        stage: "dot",
        code: None,
        words: String::new(),
    };
    let mut tx = store.begin().await.unwrap();
    ledger::record(&mut tx, WorkerId(by.worker), &[entry], now()).await.unwrap();
    tx.commit().await.unwrap();
    true
}

async fn perform(store: &Store, issue: IssueId, step: Step) {
    let id = only(store).await;
    if record(store, id, step).await {
        return;
    }
    let row = get(store).await;
    let its = || WorkerId(row.worker.unwrap());
    let mut tx = store.begin().await.unwrap();
    let at = now();
    match step {
        Step::Claim(worker) => {
            let due = due::behind(&mut tx, issue, at, 5, &mut { Cursor::START }).await.unwrap();
            ledger::claim(&mut tx, WorkerId(worker), &due, at).await.unwrap();
        }
        Step::Begin(worker) => {
            let due = due::behind(&mut tx, issue, at, 5, &mut { Cursor::START }).await.unwrap();
            ledger::begin(&mut tx, WorkerId(worker), "relay", &due, at).await.unwrap();
        }
        Step::Mark(by) => {
            let group = [(id, by.generation)].into_iter();
            ledger::mark(&mut tx, WorkerId(by.worker), "relay", group, at).await.unwrap();
        }
        Step::Cancel => {
            issue::take_back(&mut tx, issue, at).await.unwrap();
        }
        Step::Reap => {
            settle::reap(&mut tx, &[its()], &[its()], at).await.unwrap();
        }
        Step::NeverWritten => {
            replay::never_written(&mut tx, its(), &[], at).await.unwrap();
        }
        Step::Expire => {
            let newer = IssueId(issue.0 + 1);
            expand::expire_older(&mut tx, 1, newer, at).await.unwrap();
        }
        Step::Settle(Settlement::Leave) => {
            let tries = [(id, row.generation)];
            unknown::settle(&mut tx, issue, Choice::Leave, &tries, at.timestamp()).await.unwrap();
        }
        Step::Settle(Settlement::Resend) => {
            tx.commit().await.unwrap();
            let later = at.after(Duration::from_secs(3600));
            settle::settle(store, Duration::ZERO, later).await.unwrap();
            return;
        }
        Step::GiveBack(_)
        | Step::Accept(_)
        | Step::Defer(_)
        | Step::Refuse(_)
        | Step::GiveUp(_)
        | Step::Lose(_)
        | Step::Settle(Settlement::Proven)
        | Step::Again => unreachable!("recorded, or compared by itself"),
    }
    tx.commit().await.unwrap();
}
