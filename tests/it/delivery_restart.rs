//! What a worker takes from its journal when it begins: what it proves, by what it holds
//! and by what it does not, and to whom.

use rundbrief::delivery::due::{self, Claim, Cursor};
use rundbrief::delivery::journal::{Journal, Note, Record};
use rundbrief::delivery::settle::{self, Identity};
use rundbrief::delivery::{WorkerId, expand, ledger, sums};
use rundbrief::issue::IssueId;
use rundbrief::store::Kind;

use crate::app::{App, on_both};
use crate::delivery::{books, execute, issue, now, readers, worker};
use crate::relay::{Fault, Offer, Relay};

on_both![
    what_is_unknown_stays_so_whatever_the_journal_forgot,
    a_journal_that_was_read_proves_nothing_to_another_database,
    replies_are_known_after_the_machine_or_the_path_changed,
];

/// An issue with so many readers, all of whose mails this worker has marked.
async fn marked(app: &App, worker: WorkerId, readers: &[String]) -> (IssueId, Vec<Claim>) {
    let issue = issue(app, readers).await;
    while expand::step(&app.store, issue, now()).await.unwrap() != expand::Progress::Idle {}
    let mut tx = app.store.begin().await.unwrap();
    let claims = due::behind(&mut tx, issue, now(), 9, &mut { Cursor::START }).await.unwrap();
    ledger::begin(&mut tx, worker, "relay", &claims, now()).await.unwrap();
    tx.commit().await.unwrap();
    (issue, claims)
}

fn record(claim: &Claim, note: Note) -> Record {
    Record { delivery: claim.id.0, generation: claim.generation, at: 0, note }
}

fn kept() -> Note {
    Note::Replied { code: 250, words: "250 2.0.0 Kept".to_owned() }
}

async fn what_is_unknown_stays_so_whatever_the_journal_forgot(app: App) {
    let fault = Fault::DropsAfterDot { accepted: true };
    let relay = Relay::start(Offer { fault, ..Offer::default() }).await;
    let issue = issue(&app, &readers(3)).await;
    let ask = "update newsletter set definition = '{\"policies\": {\"unknown\": \"ask\"}}'";
    execute(&app.store, ask).await;
    let mut worker = worker(&app, relay.port).await;
    while sums::of(&app.store, issue).await.unwrap().unknown < 3 {
        worker.round().await.unwrap();
    }
    drop(worker);
    // What was recorded as unknown needs no place in the journal: its next turn drops it.
    let identity = Identity::of(app.directory()).unwrap();
    let done = settle::sign_on(&app.store, &identity, &[], now()).await.unwrap();
    assert_eq!((done.proven, done.back), (0, 0));
    assert_eq!(books(&app, issue).await.unknown, 3);
}

async fn a_journal_that_was_read_proves_nothing_to_another_database(app: App) {
    let relay = Relay::start(Offer::default()).await;
    // The first delivery of the database that was here before.
    let (journal, _) = Journal::open(app.directory()).unwrap();
    journal.note([Record { delivery: 1, generation: 1, at: 0, note: kept() }]).unwrap();
    drop(journal);
    drop(worker(&app, relay.port).await);
    let (issue, claims) = marked(&app, WorkerId(1), &readers(3)).await;
    assert_eq!((claims[0].id.0, claims[0].generation), (1, 1), "keys and generations repeat");
    drop(worker(&app, relay.port).await);
    let sums = books(&app, issue).await;
    assert_eq!((sums.accepted, sums.queued), (0, 3), "nobody got it");
}

async fn replies_are_known_after_the_machine_or_the_path_changed(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let here = Identity::of(app.directory()).unwrap();
    let (_, name) = here.host.split_once('#').unwrap();
    let there = Identity { host: format!("another:/machine#{name}"), ..here.clone() };
    let stranger = Identity { host: "another:/machine#01234567".to_owned(), ..here.clone() };
    settle::sign_on(&app.store, &stranger, &[], now()).await.unwrap();
    let dead = settle::sign_on(&app.store, &there, &[], now()).await.unwrap().worker;
    let (issue, claims) = marked(&app, dead, &readers(5)).await;
    let (journal, _) = Journal::open(app.directory()).unwrap();
    let notes = [kept(), Note::Begun, kept()];
    journal.note(claims.iter().zip(notes).map(|(claim, note)| record(claim, note))).unwrap();
    drop(journal);
    drop(worker(&app, relay.port).await);
    let sums = books(&app, issue).await;
    if app.store.kind() == Kind::Sqlite {
        // Nobody else is at work in its database: two were never begun, of one nobody knows.
        assert_eq!((sums.accepted, sums.unknown, sums.queued), (2, 1, 2), "{sums:?}");
        return;
    }
    assert_eq!((sums.accepted, sums.sending), (2, 3), "the other may live: a directory was copied");

    // It gives no sign of life any more, and the journal is not its own now.
    execute(&app.store, "update worker set heartbeat_at = 0").await;
    drop(worker(&app, relay.port).await);
    let sums = books(&app, issue).await;
    assert_eq!((sums.accepted, sums.unknown, sums.queued), (2, 3, 0), "{sums:?}");
}
