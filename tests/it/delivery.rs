//! The ledger and its worker on both databases, against a relay that plays a script.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rundbrief::delivery::due::{self, Cursor};
use rundbrief::delivery::ledger;
use rundbrief::delivery::pool::ReturnPath;
use rundbrief::delivery::settle::{self, Identity};
use rundbrief::delivery::state::State;
use rundbrief::delivery::sums::{self, Sums};
use rundbrief::delivery::worker::{Round, Setup, Worker};
use rundbrief::delivery::{expand, line, watch};
use rundbrief::issue::IssueId;
use rundbrief::letter::splice::{Head, Letter, Marks, Personal, content_hash};
use rundbrief::smtp::relay::{Deadlines, Relay as Target, Setup as Line};
use rundbrief::store::value::Millis;
use rundbrief::store::{Kind, Store};
use rundbrief::{on, read};
use rundbrief_subscribers::key::Master;

use crate::app::{App, on_both};
use crate::relay::{Fault, Offer, Relay};

on_both![
    everybody_gets_one_mail,
    each_reader_gets_a_verdict_of_their_own,
    a_relay_that_is_down_fails_nobody,
    an_issue_that_is_refused_is_paused_and_nobody_failed,
    who_leaves_gets_nothing_any_more,
    a_pause_is_seen_and_a_cancelled_issue_adds_up,
    what_nobody_can_know_is_settled_by_policy,
    a_dead_workers_mails_are_settled_by_its_journal,
    an_expansion_goes_on_where_it_was,
    stopping_gives_back_what_was_not_sent,
];

#[expect(clippy::disallowed_methods, reason = "a test is an edge: it stands where the daemon does")]
pub(crate) fn now() -> Millis {
    Millis::from(jiff::Timestamp::now())
}

fn master() -> Master {
    Master::new([7; 32])
}

/// Runs one statement for its effect.
pub(crate) async fn execute(store: &Store, text: &'static str) {
    let mut tx = store.begin().await.unwrap();
    on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).unwrap();
    tx.commit().await.unwrap();
}

/// A newsletter with readers who have these addresses, and a frozen issue of it.
pub(crate) async fn issue(app: &App, addresses: &[String]) -> IssueId {
    let store = &app.store;
    execute(
        store,
        "insert into newsletter (id, slug, title, language, definition, created_at, updated_at)
         values (1, 'town', 'Town', 'de', '{\"policies\": {\"unknown\": \"at_least_once\"}}', 0, 0)",
    )
    .await;
    let key = master().suppression();
    let mut tx = store.begin().await.unwrap();
    for address in addresses {
        let parsed = rundbrief_subscribers::address::EmailAddress::parse(address).unwrap();
        let text = "
            insert into subscriber (address, address_normal, address_hash, domain, created_at, updated_at)
            values ($1, $1, $2, $3, 0, 0)";
        let hash = key.hash(&parsed);
        on!(tx, |c| {
            let query = sqlx::query(text).bind(address).bind(hash.as_bytes().as_slice());
            query.bind(parsed.domain()).execute(c).await.map(|_| ())
        })
        .unwrap();
    }
    let text = "
        insert into subscription (subscriber_id, newsletter_id, standing, since)
        select id, 1, 'active', 0 from subscriber order by id";
    on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).unwrap();
    let letter = letter();
    let text = "
        insert into issue (id, newsletter_id, number, state, subject, preheader, content, created_at, frozen_at, updated_at)
        values (1, 1, 1, 'expanding', 'Hello', '', '{\"sections\": []}', 0, 0, 0)";
    on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).unwrap();
    let frozen = letter.to_bytes();
    let text =
        "insert into letter (issue_id, content_hash, frozen, created_at) values (1, $1, $2, 0)";
    on!(tx, |c| {
        let query = sqlx::query(text).bind(content_hash(&frozen).to_vec()).bind(frozen.clone());
        query.execute(c).await.map(|_| ())
    })
    .unwrap();
    tx.commit().await.unwrap();
    IssueId(1)
}

fn letter() -> Letter {
    let marks = Marks::new(7);
    let head =
        Head { issue: 1, newsletter: 1, language: rundbrief_templates::language::Language::German };
    let message = format!(
        "To: {}\r\nMessage-ID: <{}@example.org>\r\nSubject: Hello\r\n\r\n{}\r\n",
        marks.mark(Personal::To),
        marks.mark(Personal::Delivery),
        marks.mark(Personal::GreetingText),
    );
    Letter::cut(head, message.as_bytes(), &marks)
}

/// Everything that [`issue`] made is gone, so that it can make another.
pub(crate) async fn forget_issues(app: &App) {
    for table in [
        "delete from attempt",
        "delete from delivery",
        "delete from letter",
        "delete from issue",
        "delete from subscription",
        "delete from subscriber",
        "delete from newsletter",
    ] {
        execute(&app.store, table).await;
    }
}

pub(crate) fn readers(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("reader{n}@example.org")).collect()
}

/// One transport to a relay on loopback, with short deadlines.
pub(crate) fn transport(name: &str, port: u16) -> line::Setup {
    let short = Duration::from_millis(400);
    let line = Line {
        deadlines: Deadlines { greeting: short, dot: short, mail: short, ..Deadlines::default() },
        ..Line::plain("127.0.0.1", port)
    };
    line::Setup {
        name: name.to_owned(),
        relay: Target::new(line).unwrap(),
        connections: 4,
        unsynced: 8,
        rate: None,
        domain_rate: None,
    }
}

/// A worker with these transports; newsletters that name none go by them in this order.
pub(crate) async fn worker_with(app: &App, transports: Vec<line::Setup>) -> Worker {
    worker_by(app, transports, now).await
}

/// The same, and it reads this clock.
pub(crate) async fn worker_by(
    app: &App,
    transports: Vec<line::Setup>,
    clock: fn() -> Millis,
) -> Worker {
    let setup = Setup {
        order: transports.iter().map(|one| one.name.clone()).collect(),
        transports,
        return_path: ReturnPath { local: "bounce".to_owned(), domain: "example.org".to_owned() },
        keys: Vec::new(),
        key: master().token(),
        clock,
        evidence: Duration::ZERO,
    };
    Worker::start(app.store.clone(), app.directory(), setup).await.unwrap().0
}

pub(crate) async fn worker(app: &App, port: u16) -> Worker {
    worker_with(app, vec![transport("relay", port)]).await
}

/// Rounds until nothing is left to do now.
pub(crate) async fn until_idle(worker: &mut Worker) -> Round {
    let started = Instant::now();
    loop {
        let round = worker.round().await.unwrap();
        if round != Round::Busy {
            return round;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "no end of work");
    }
}

pub(crate) async fn books(app: &App, issue: IssueId) -> Sums {
    let sums = sums::of(&app.store, issue).await.unwrap();
    assert!(sums.add_up(), "{sums:?}");
    sums
}

pub(crate) async fn state(app: &App) -> String {
    watch::state(&app.store, IssueId(1)).await.unwrap()
}

/// How many copies each address got.
pub(crate) fn copies(relay: &Relay) -> BTreeMap<String, usize> {
    let mut copies = BTreeMap::new();
    for mail in relay.caught() {
        *copies.entry(mail.to).or_insert(0) += 1;
    }
    copies
}

async fn everybody_gets_one_mail(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let issue = issue(&app, &readers(700)).await;
    let mut worker = worker(&app, relay.port).await;
    assert_eq!(until_idle(&mut worker).await, Round::Idle(None));
    let sums = books(&app, issue).await;
    assert_eq!((sums.total, sums.accepted), (700, 700));
    assert_eq!(state(&app).await, "finished");
    let copies = copies(&relay);
    assert_eq!(copies.len(), 700);
    assert!(copies.values().all(|n| *n == 1));
    assert!(relay.connections() <= 4);
    let mail = &relay.caught()[0];
    let text = String::from_utf8(mail.content.clone()).unwrap();
    assert!(text.contains(&format!("To: <{}>", mail.to)), "{text}");
    assert!(mail.from.starts_with("bounce+") && mail.from.ends_with("@example.org"));
}

async fn each_reader_gets_a_verdict_of_their_own(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let mut addresses = readers(20);
    for (n, name) in ["no", "no", "full", "grey", "grey", "grey"].iter().enumerate() {
        // A domain of their own each: one that throttles is slowed.
        addresses.push(format!("{name}{n}@d{n}.example.net"));
    }
    let issue = issue(&app, &addresses).await;
    let mut worker = worker(&app, relay.port).await;
    let Round::Idle(Some(next)) = until_idle(&mut worker).await else {
        panic!("the deferred ones have a time");
    };
    let minutes = (next.0 - now().0) / 60_000;
    assert!((4..=6).contains(&minutes), "{minutes}");
    let sums = books(&app, issue).await;
    assert_eq!((sums.accepted, sums.failed, sums.deferred), (20, 2, 4));
    let text = "select reply from delivery where state = 'failed'";
    let words: Vec<(String,)> =
        read!(app.store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap();
    assert_eq!(words[0].0, "550 5.1.1 User unknown");

    // Half an hour passes: the grey ones are let in, the full one still is full.
    execute(&app.store, "update delivery set next_at = 1 where state = 'deferred'").await;
    until_idle(&mut worker).await;
    let sums = books(&app, issue).await;
    assert_eq!((sums.accepted, sums.failed, sums.deferred), (23, 2, 1));
    let text = "select count(*) from attempt where outcome = 'deferred'";
    let (attempts,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(attempts, 5);
}

async fn a_relay_that_is_down_fails_nobody(app: App) {
    let relay = Relay::start(Offer { fault: Fault::Refuses, ..Offer::default() }).await;
    let issue = issue(&app, &readers(50)).await;
    let mut worker = worker(&app, relay.port).await;
    let round = until_idle(&mut worker).await;
    assert!(matches!(round, Round::Blocked(_)), "{round:?}");
    assert!(worker.trouble().unwrap().starts_with("relay: 554 5.3.2 No service"));
    let sums = books(&app, issue).await;
    assert_eq!((sums.queued, sums.failed, sums.deferred), (50, 0, 0));
    worker.drain(Duration::ZERO).await.unwrap();

    relay.play(Fault::None);
    execute(&app.store, "update delivery set next_at = 0").await;
    let mut worker = self::worker(&app, relay.port).await;
    until_idle(&mut worker).await;
    assert_eq!(books(&app, issue).await.accepted, 50);
    let text = "select max(attempts) from delivery";
    let (attempts,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(attempts, 1, "an outage uses no attempt");
}

async fn an_issue_that_is_refused_is_paused_and_nobody_failed(app: App) {
    let relay =
        Relay::start(Offer { fault: Fault::Says("552 5.3.4 Message too big"), ..Offer::default() })
            .await;
    let issue = issue(&app, &readers(30)).await;
    let mut worker = worker(&app, relay.port).await;
    until_idle(&mut worker).await;
    assert_eq!(state(&app).await, "paused");
    let sums = books(&app, issue).await;
    assert_eq!((sums.failed, sums.queued), (0, 30));
    let text = "select paused_why from issue";
    let (why,): (String,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(why, "relay: 552 5.3.4 Message too big");
}

async fn who_leaves_gets_nothing_any_more(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let issue = issue(&app, &readers(10)).await;
    while expand::step(&app.store, issue, now()).await.unwrap() != expand::Progress::Idle {}
    execute(&app.store, "update subscription set standing = 'left' where subscriber_id = 3").await;
    execute(
        &app.store,
        "insert into suppression (address_hash, reason, at)
         select address_hash, 'complained', 0 from subscriber where id = 5",
    )
    .await;
    let mut worker = worker(&app, relay.port).await;
    until_idle(&mut worker).await;
    let sums = books(&app, issue).await;
    assert_eq!((sums.accepted, sums.cancelled), (8, 2));
    let copies = copies(&relay);
    assert!(!copies.contains_key("reader2@example.org"));
    assert!(!copies.contains_key("reader4@example.org"));
    assert_eq!(state(&app).await, "finished");
}

async fn a_pause_is_seen_and_a_cancelled_issue_adds_up(app: App) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(5), ..Offer::default() }).await;
    let issue = issue(&app, &readers(2000)).await;
    let mut worker = worker(&app, relay.port).await;
    while relay.caught().len() < 50 {
        worker.round().await.unwrap();
    }
    execute(&app.store, "update issue set state = 'paused', paused_from = 'sending'").await;
    let paused = Instant::now();
    let mut before = relay.caught().len();
    while paused.elapsed() < Duration::from_millis(900) {
        worker.round().await.unwrap();
        if paused.elapsed() < Duration::from_millis(700) {
            before = relay.caught().len();
        }
    }
    until_idle(&mut worker).await;
    assert!(relay.caught().len() <= before + 4, "a dot after the pause");
    let sums = books(&app, issue).await;
    assert_eq!(sums.accepted as usize, relay.caught().len());
    assert_eq!(sums.accepted + sums.queued, 2000);

    execute(&app.store, "update issue set state = 'sending'").await;
    let resumed = relay.caught().len() + 50;
    while relay.caught().len() < resumed {
        worker.round().await.unwrap();
    }
    execute(&app.store, "update issue set state = 'cancelled'").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    until_idle(&mut worker).await;
    let sums = books(&app, issue).await;
    assert_eq!(sums.open(), 0, "{sums:?}");
    assert_eq!(sums.accepted + sums.cancelled, 2000);
    assert!(copies(&relay).values().all(|n| *n == 1));
}

async fn what_nobody_can_know_is_settled_by_policy(app: App) {
    for (policy, state, cause, twice) in [
        ("at_most_once", State::Failed, Some("unknown"), 1),
        ("ask", State::Unknown, None, 1),
        ("at_least_once", State::Accepted, None, 2),
    ] {
        let relay = Relay::start(Offer {
            fault: Fault::DropsAfterDot { accepted: true },
            ..Offer::default()
        })
        .await;
        forget_issues(&app).await;
        let issue = issue(&app, &readers(3)).await;
        let mut tx = app.store.begin().await.unwrap();
        let text = match app.store.kind() {
            Kind::Sqlite => {
                "update newsletter set definition = json_object('policies', json_object('unknown', $1))"
            }
            Kind::Postgres => {
                "update newsletter set definition = jsonb_build_object('policies', jsonb_build_object('unknown', $1::text))"
            }
        };
        on!(tx, |c| sqlx::query(text).bind(policy).execute(c).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
        let mut worker = worker(&app, relay.port).await;
        while sums::of(&app.store, issue).await.unwrap().unknown < 3 {
            worker.round().await.unwrap();
        }
        relay.play(Fault::None);
        settle::settle(&app.store, Duration::ZERO, now().after(Duration::from_millis(1)))
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        until_idle(&mut worker).await;
        let text = "select state, cause from delivery";
        let rows: Vec<(State, Option<String>)> =
            read!(app.store, |db| sqlx::query_as(text).fetch_all(db).await).unwrap();
        assert_eq!(rows, vec![(state, cause.map(str::to_owned)); 3], "{policy}");
        assert_eq!(relay.caught().len(), 3 * twice, "{policy}");
        books(&app, issue).await;
        worker.drain(Duration::ZERO).await.unwrap();
    }
}

async fn a_dead_workers_mails_are_settled_by_its_journal(app: App) {
    use rundbrief::delivery::journal::{Note, Record};
    let issue = issue(&app, &readers(6)).await;
    while expand::step(&app.store, issue, now()).await.unwrap() != expand::Progress::Idle {}
    let identity = Identity::of(app.directory()).unwrap();
    let dead = settle::sign_on(&app.store, &identity, &[], now()).await.unwrap().worker;
    let mut tx = app.store.begin().await.unwrap();
    let claims = due::behind(&mut tx, issue, now(), 5, &mut { Cursor::START }).await.unwrap();
    ledger::claim(&mut tx, dead, &claims, now()).await.unwrap();
    let group = claims[..4].iter().map(|claim| (claim.id, claim.generation));
    assert_eq!(ledger::mark(&mut tx, dead, "relay", group, now()).await.unwrap().len(), 4);
    tx.commit().await.unwrap();
    let note = |n: usize, note| Record {
        delivery: claims[n].id.0,
        generation: claims[n].generation,
        at: 0,
        note,
    };
    let said =
        |words: &str| Note::Replied { code: words[..3].parse().unwrap(), words: words.to_owned() };
    let records = [
        note(0, said("250 2.0.0 Kept")),
        note(1, said("550 5.7.1 No")),
        note(2, Note::Begun),
        // The fourth was marked and never begun, the fifth only claimed.
    ];
    let done = settle::sign_on(&app.store, &identity, &records, now()).await.unwrap();
    assert_eq!((done.proven, done.back, done.unknown), (2, 2, 1));
    let sums = books(&app, issue).await;
    assert_eq!((sums.accepted, sums.failed, sums.unknown, sums.queued), (1, 1, 1, 3));
    let text = "select sum(attempts) from delivery where state = 'queued'";
    let text = match app.store.kind() {
        Kind::Sqlite => text,
        Kind::Postgres => "select sum(attempts)::bigint from delivery where state = 'queued'",
    };
    let (attempts,): (i64,) =
        read!(app.store, |db| sqlx::query_as(text).fetch_one(db).await).unwrap();
    assert_eq!(attempts, 0, "what was never written used no attempt");

    // After a power cut the journal's silence proves nothing.
    let worker = done.worker;
    let mut tx = app.store.begin().await.unwrap();
    let claims = due::behind(&mut tx, issue, now(), 5, &mut { Cursor::START }).await.unwrap();
    assert_eq!(claims.len(), 3);
    ledger::begin(&mut tx, worker, "relay", &claims, now()).await.unwrap();
    tx.commit().await.unwrap();
    let rebooted = Identity { boot: "another".to_owned(), ..identity };
    let done = settle::sign_on(&app.store, &rebooted, &[], now()).await.unwrap();
    assert_eq!((done.proven, done.back, done.unknown), (0, 0, 3));
}

async fn an_expansion_goes_on_where_it_was(app: App) {
    let issue = issue(&app, &readers(25)).await;
    // A process died after a part: the cursor and the count say how far it was.
    let (share, shares) = match app.store.kind() {
        Kind::Sqlite => ("substr(address_hash, 1, 1) <= x'1f'", 8),
        Kind::Postgres => ("true", 1),
    };
    let mut tx = app.store.begin().await.unwrap();
    for text in [
        format!(
            "insert into delivery (issue_id, subscriber_id, address_hash, domain, state, changed_at)
             select 1, id, address_hash, domain, 'queued', 0 from subscriber
             where id <= 10 and {share}"
        ),
        "update issue set expand_cursor = 10, total = (select count(*) from delivery)".to_owned(),
    ] {
        let text = sqlx::AssertSqlSafe(text);
        on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).unwrap();
    }
    tx.commit().await.unwrap();
    let mut steps = 0;
    let last = loop {
        match expand::step(&app.store, issue, now()).await.unwrap() {
            expand::Progress::More(_) => steps += 1,
            ended @ (expand::Progress::Started { .. } | expand::Progress::Idle) => break ended,
        }
    };
    assert_eq!(last, expand::Progress::Started { total: 25 });
    assert_eq!(steps, shares, "each share once");
    assert_eq!(expand::step(&app.store, issue, now()).await.unwrap(), expand::Progress::Idle);
    assert_eq!(books(&app, issue).await.queued, 25);

    execute(&app.store, "update issue set state = 'expanding', total = 26").await;
    let error = expand::step(&app.store, issue, now()).await.unwrap_err();
    assert!(error.to_string().contains("26 deliveries were written"), "{error}");
    assert_eq!(state(&app).await, "expanding");
}

async fn stopping_gives_back_what_was_not_sent(app: App) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(5), ..Offer::default() }).await;
    let issue = issue(&app, &readers(1000)).await;
    let mut worker = worker(&app, relay.port).await;
    while relay.caught().len() < 100 {
        worker.round().await.unwrap();
    }
    assert_eq!(worker.drain(Duration::from_secs(5)).await.unwrap(), 0);
    let sums = books(&app, issue).await;
    assert_eq!(sums.accepted as usize, relay.caught().len());
    assert_eq!(sums.accepted + sums.queued, 1000, "{sums:?}");
    let mut worker = self::worker(&app, relay.port).await;
    until_idle(&mut worker).await;
    assert_eq!(books(&app, issue).await.accepted, 1000);
    assert!(copies(&relay).values().all(|n| *n == 1));
}
