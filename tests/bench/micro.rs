//! What one mail costs in each part: splice, the last gate, signatures, the journal,
//! the ledger. `[--only sqlite|postgres] [--postgres URL]`. Microseconds a mail; for
//! the ledger of CPU, in this process and in the database's, and elapsed.

use std::hint::black_box;
use std::time::Instant;

use jiff::Timestamp;
use rundbrief::delivery::due::{self, Cursor};
use rundbrief::delivery::journal::{Journal, Note, Record};
use rundbrief::delivery::ledger::{self, Entry};
use rundbrief::delivery::state::State;
use rundbrief::delivery::{DeliveryId, WorkerId};
use rundbrief::issue::IssueId;
use rundbrief::letter::dkim::{self, Key};
use rundbrief::letter::reader::Recipient;
use rundbrief::letter::splice::Reader;
use rundbrief::smtp::wire;
use rundbrief::store::Store;
use rundbrief::store::value::Millis;
use rundbrief_subscribers::address::EmailAddress;
use rundbrief_subscribers::key::Master;
use rundbrief_subscribers::person::Person;

use super::Words;
use super::bed::{self, Bed, Place};

/// Deliveries of the ledger's bench.
const ROWS: usize = 50_000;

pub fn run(words: &Words) {
    println!("| work | 10 KB, µs | 40 KB, µs |");
    println!("|---|---|---|");
    let both = |name: &str, rounds: u32, work: &dyn Fn(usize) -> Box<dyn FnMut()>| {
        let each = [10_000, 40_000].map(|size| time(rounds, &mut *work(size)));
        println!("| {name} | {:.2} | {:.2} |", each[0], each[1]);
    };
    both("fill a reader's slots", 20_000, &|_| Box::new(fill()));
    both("splice", 20_000, &|size| Box::new(splice(size)));
    both("the last gate: clean, dots", 5000, &|size| Box::new(gate(size)));
    both("sign, RSA-2048", 200, &|size| Box::new(sign(size, &rsa())));
    both("sign, Ed25519", 2000, &|size| Box::new(sign(size, &ed25519())));
    println!("\n| ledger: claim, mark, record | group | CPU µs | database's CPU µs | elapsed µs |");
    println!("|---|---|---|---|---|");
    for place in words.databases() {
        for group in [20, 100, 500] {
            ledger(&place, group);
        }
    }
    journal();
}

/// Microseconds of one round.
fn time(rounds: u32, work: &mut dyn FnMut()) -> f64 {
    work();
    let started = Instant::now();
    (0..rounds).for_each(|_| work());
    started.elapsed().as_secs_f64() * 1e6 / f64::from(rounds)
}

fn fill() -> impl FnMut() {
    let (key, mut reader) = (Master::new([7; 32]).token(), Reader::default());
    let address = EmailAddress::parse("reader1@example.org").expect("an address");
    let head = bed::letter(1, 1000).head;
    move || {
        let person = &Person::default();
        let recipient = Recipient { delivery: 1, subscriber: 1, address: &address, person };
        reader.fill(&head, &key, black_box(&recipient));
    }
}

fn splice(size: usize) -> impl FnMut() {
    let (letter, reader, mut out) = (bed::letter(1, size), Reader::default(), Vec::new());
    move || {
        out.clear();
        letter.splice(black_box(&reader), &mut out);
    }
}

fn mail(size: usize) -> Vec<u8> {
    let mut mail = Vec::new();
    bed::letter(1, size).splice(&Reader::default(), &mut mail);
    mail
}

fn gate(size: usize) -> impl FnMut() {
    let (mail, mut out) = (mail(size), Vec::new());
    move || {
        out.clear();
        assert!(wire::is_clean(black_box(&mail)));
        wire::stuff(&mail, &mut out);
    }
}

fn sign(size: usize, pem: &str) -> impl FnMut() + use<> {
    let (mail, mut out) = (mail(size), Vec::new());
    let key = Key::parse("example.org", "s1", pem).expect("a key");
    move || {
        out.clear();
        dkim::sign([&key], black_box(&mail), Timestamp::UNIX_EPOCH, &mut out);
    }
}

fn rsa() -> String {
    pem(&["-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"])
}

fn ed25519() -> String {
    pem(&["-algorithm", "ed25519"])
}

fn pem(words: &[&str]) -> String {
    let made = std::process::Command::new("openssl").arg("genpkey").args(words).output();
    String::from_utf8(made.expect("openssl runs").stdout).expect("PEM is text")
}

/// Claim, mark and record as the worker does them: one transaction that records a
/// group and begins the next.
fn ledger(place: &Place, group: usize) {
    let bed = Bed::new(place);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = bed.open().await;
        bed::readers(&store, ROWS).await;
        bed::issue(&store, 1, 10_000).await;
        let (own, pid) = (std::process::id(), bed.server());
        let before = (bed::cpu(own, false), pid.map(|pid| bed::cpu(pid, true)));
        let started = Instant::now();
        let done = through(&store, group).await;
        let elapsed = started.elapsed().as_secs_f64();
        assert_eq!(done, ROWS);
        let cpu = bed::cpu(own, false) - before.0;
        let server = pid.zip(before.1).map_or(0.0, |(pid, before)| bed::cpu(pid, true) - before);
        let each = 1e6 / ROWS as f64;
        println!(
            "| {} | {group} | {:.1} | {:.1} | {:.1} |",
            place.name(),
            cpu * each,
            server * each,
            elapsed * each
        );
        store.close().await;
    });
}

async fn through(store: &Store, group: usize) -> usize {
    let (worker, now, mut cursor) = (WorkerId(1), Millis(10), Cursor::START);
    let (mut begun, mut done) = (Vec::new(), 0);
    loop {
        let entries: Vec<Entry> = begun.drain(..).map(accepted).collect();
        let mut tx = store.begin().await.expect("a transaction");
        let recorded = ledger::record(&mut tx, worker, &entries, now).await.expect("it records");
        done += recorded as usize;
        let due = due::behind(&mut tx, IssueId(1), now, group, &mut cursor).await;
        let due = due.expect("it looks");
        ledger::begin(&mut tx, worker, "relay", &due, now).await.expect("it begins");
        tx.commit().await.expect("it is stored");
        begun = due.iter().map(|claim| (claim.id, claim.generation)).collect();
        if begun.is_empty() {
            return done;
        }
    }
}

fn accepted((id, generation): (DeliveryId, i64)) -> Entry {
    Entry {
        id,
        generation,
        state: State::Accepted,
        cause: None,
        next_at: Millis(0),
        unused: false,
        stage: "dot",
        code: Some(250),
        words: "250 2.0.0 Ok: queued as 4TmPzQ1XyZz9".to_owned(),
    }
}

fn journal() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (journal, _) = Journal::open(directory.path()).expect("a journal");
    let mut delivery = 0;
    let note = |delivery, note| Record { delivery, generation: 1, at: 1, note };
    let each = time(50_000, &mut || {
        delivery += 1;
        let words = "250 2.0.0 Ok: queued as 4TmPzQ1XyZz9".to_owned();
        journal.note([note(delivery, Note::Begun)]).expect("it is written");
        let replied = Note::Replied { code: 250, words };
        journal.note([note(delivery, replied)]).expect("it is written");
        journal.forget([delivery]);
    });
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sync = time(200, &mut || {
        delivery += 1;
        journal.note([note(delivery, Note::Begun)]).expect("it is written");
        runtime.block_on(journal.sync()).expect("it is synced");
        journal.forget([delivery]);
    });
    println!("\njournal: {each:.2} µs for the two notes of a mail, {sync:.0} µs for a sync");
}
