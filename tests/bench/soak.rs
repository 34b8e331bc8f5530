//! The daemon is killed at random, many times, while one issue goes out; then it is
//! left alone, and the mails are counted.
//!
//! `[--readers N] [--kills N] [--connections N] [--seed N] [--only sqlite|postgres]
//! [--postgres URL]`. Fails when somebody is lost, when more were doubled than the
//! bound, connections × kills, or when the sums do not add up after any kill.

use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rundbrief::delivery::sums;
use rundbrief::issue::IssueId;

use super::Words;
use super::bed::{self, Bed, Chance, Place};
use super::sink::Sink;

/// A daemon that sends nothing for this long is killed all the same.
const PATIENCE: Duration = Duration::from_secs(20);

pub fn run(words: &Words) {
    let readers = words.number("--readers", 20_000);
    let kills = words.number("--kills", 200);
    let connections = words.number("--connections", 10);
    let seed = words.number("--seed", 1);
    println!("| database | readers | kills | lost | doubled | bound | seconds |");
    println!("|---|---|---|---|---|---|---|");
    for place in words.databases() {
        let started = Instant::now();
        let (lost, doubled, killed) = soak(&place, readers, kills, connections, seed as u64);
        let bound = killed * connections;
        println!(
            "| {} | {readers} | {killed} | {lost} | {doubled} | {bound} | {:.0} |",
            place.name(),
            started.elapsed().as_secs_f64()
        );
        assert!(lost == 0 && doubled <= bound, "the contract is broken");
    }
}

fn soak(
    place: &Place,
    readers: usize,
    kills: usize,
    connections: usize,
    seed: u64,
) -> (usize, usize, usize) {
    let bed = Bed::new(place);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = runtime.block_on(async {
        let store = bed.open().await;
        bed::readers(&store, readers).await;
        bed::issue(&store, 1, 4000).await;
        store
    });
    let sink = Sink::counting();
    let sent = || sink.mails.load(Ordering::SeqCst) as usize;
    let mut chance = Chance::new(seed);
    let mut killed = 0;
    while killed < kills && sent() < readers - connections {
        let mut daemon = bed
            .sender(sink.port, connections)
            .arg("run")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("rundbrief runs");
        // Half of them anywhere from its first instruction on, half by what was sent.
        let share = 2 * (readers - sent()) / (kills - killed);
        let enough = sent() + 1 + chance.below(share.max(1));
        let begun = Instant::now();
        let within = match chance.below(2) {
            0 => Duration::from_micros(chance.below(250_000) as u64),
            _ => PATIENCE,
        };
        while begun.elapsed() < within && sent() < enough {
            std::thread::sleep(Duration::from_micros(100));
        }
        std::thread::sleep(Duration::from_micros(chance.below(3000) as u64));
        daemon.kill().expect("our child");
        daemon.wait().expect("our child");
        killed += 1;
        let sums = runtime.block_on(sums::of(&store, IssueId(1))).expect("the ledger answers");
        assert!(sums.add_up(), "after kill {killed}: {sums:?}");
    }
    finish(&bed, &runtime, &sink, connections);
    let copies = sink.copies.lock().expect("nobody panics with it");
    let lost = readers - copies.len();
    let doubled = copies.values().map(|n| *n as usize - 1).sum();
    (lost, doubled, killed)
}

/// Sends what is left; a quarter of an hour without evidence passes in between.
fn finish(bed: &Bed<'_>, runtime: &tokio::runtime::Runtime, sink: &Sink, connections: usize) {
    for _ in 0..3 {
        let sent = bed.sender(sink.port, connections).args(["send", "1", "--json"]).output();
        let sent = sent.expect("rundbrief runs");
        assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
        let report = String::from_utf8_lossy(&sent.stdout).into_owned();
        let report: serde_json::Value = serde_json::from_str(report.trim()).expect("a report");
        if report["state"] == "finished" {
            assert_eq!(report["accepted"], report["total"], "{report}");
            return;
        }
        runtime.block_on(async {
            let store = bed.open().await;
            let text = "update delivery set changed_at = 1 where state = 'unknown'";
            bed::execute(&store, text).await;
            store.close().await;
        });
    }
    panic!("the issue does not come to an end");
}
