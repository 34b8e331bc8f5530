//! How many mails a second, beside Postfix's own source in the same run.
//!
//! `[--tools DIR] [--mails N] [--size BYTES,…] [--connections N,…] [--dkim]
//! [--latency MS] [--past N] [--runs N] [--only sqlite|postgres] [--postgres URL]
//! [--sink fast|postfix]`. `--past` puts so many finished issues into the ledger
//! before. Runs take turns, and the median of each row is printed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use rundbrief::read;

use super::Words;
use super::bed::{self, Bed, Cost, Place};
use super::sink::{self, Sink};

struct Options {
    tools: Option<PathBuf>,
    mails: usize,
    latency: Duration,
    dkim: bool,
    past: usize,
    runs: usize,
    fast: bool,
    postfix: bool,
}

/// One row of the table.
struct Row {
    name: String,
    runs: Vec<(f64, Cost)>,
}

pub fn run(words: &Words) {
    let latency = words.value("--latency").unwrap_or("0").trim_end_matches("ms");
    let sink = words.value("--sink").unwrap_or("");
    let options = Options {
        tools: words.value("--tools").map(PathBuf::from),
        mails: words.number("--mails", 20_000),
        latency: Duration::from_millis(latency.parse().expect("--latency")),
        dkim: words.has("--dkim"),
        past: words.number("--past", 0),
        runs: words.number("--runs", 3),
        fast: sink != "postfix",
        postfix: sink != "fast",
    };
    let places = words.databases();
    println!(
        "| sender → sink | bytes | conn. | mails/s | × smtp-source | CPU s per 10,000 | server's | sink's | peak KiB |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for size in words.numbers("--size", &[10_000, 40_000]) {
        for connections in words.numbers("--connections", &[10]) {
            compare(&options, &places, size, connections);
        }
    }
}

fn compare(options: &Options, places: &[Place], size: usize, connections: usize) {
    let mut rows: Vec<Row> = Vec::new();
    let mut note = |name: String, rate: f64, cost: Cost| {
        if let Some(row) = rows.iter_mut().find(|row| row.name == name) {
            row.runs.push((rate, cost));
        } else {
            rows.push(Row { name, runs: vec![(rate, cost)] });
        }
    };
    let signed = if options.dkim { ", signed" } else { "" };
    for _ in 0..options.runs {
        if let Some(tools) = options.tools.as_deref().filter(|_| options.postfix) {
            let (rate, cost) = source(options, tools, size, connections);
            note("smtp-source → smtp-sink".to_owned(), rate, cost);
            for place in places {
                let sink = Postfix::start(tools);
                let port = delayed(sink.port, options.latency);
                let (rate, cost) = ours(options, place, port, size, connections);
                let cost = Cost { sink: Some(sink.cpu()), ..cost };
                note(format!("rundbrief, {}{signed} → smtp-sink", place.name()), rate, cost);
            }
        }
        for place in places.iter().filter(|_| options.fast) {
            let sink = Sink::start();
            let port = delayed(sink.port, options.latency);
            let (rate, cost) = ours(options, place, port, size, connections);
            let kept = sink.mails.load(Ordering::Relaxed);
            assert_eq!(kept, options.mails as u64, "the sink counts what was sent");
            note(format!("rundbrief, {}{signed} → fast sink", place.name()), rate, cost);
        }
    }
    print(options, rows, size, connections);
}

fn print(options: &Options, rows: Vec<Row>, size: usize, connections: usize) {
    let mut peer = None;
    for Row { name, mut runs } in rows {
        runs.sort_by(|a, b| a.0.total_cmp(&b.0));
        let (rate, cost) = runs[runs.len() / 2];
        let peer = *peer.get_or_insert(rate);
        let ratio = if options.postfix { format!("{:.2}", rate / peer) } else { "–".to_owned() };
        let each = 10_000.0 / options.mails as f64;
        println!(
            "| {name} | {size} | {connections} | {rate:.0} | {ratio} | {:.2} | {:.2} | {} | {} |",
            cost.cpu * each,
            cost.server * each,
            cost.sink.map_or("–".to_owned(), |sink| format!("{:.2}", sink * each)),
            cost.peak
        );
    }
}

/// The port to use for replies that come so late.
fn delayed(port: u16, latency: Duration) -> u16 {
    if latency.is_zero() { port } else { sink::delay(port, latency) }
}

/// One issue through the release binary: mails a second from signing on to the last
/// record; opening, freezing and closing aside.
fn ours(
    options: &Options,
    place: &Place,
    port: u16,
    size: usize,
    connections: usize,
) -> (f64, Cost) {
    let bed = Bed::new(place);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let store = bed.open().await;
        bed::readers(&store, options.mails).await;
        for past in 0..options.past {
            bed::issue(&store, 100 + past as i64, size).await;
            bed::execute(&store, "update delivery set state = 'accepted', reply = '250 2.0.0 Ok'")
                .await;
            bed::execute(&store, "update issue set state = 'finished'").await;
        }
        bed::issue(&store, 1, size).await;
        store.close().await;
    });
    if options.dkim {
        bed::sign(bed.directory.path());
    }
    let child = bed
        .sender(port, connections)
        .args(["send", "1", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("rundbrief runs");
    let (cost, said) = bed::measure(child, bed.server());
    let report: serde_json::Value = serde_json::from_str(said.trim()).expect("a report");
    assert_eq!(report["accepted"], options.mails, "{report}");
    let seconds = runtime.block_on(async {
        let store = bed.open().await;
        let text = "
            select cast(max(changed_at) - (select max(started_at) from worker) as bigint)
            from delivery
            where issue_id = 1";
        let (span,): (i64,) = read!(store, |db| sqlx::query_as(text).fetch_one(db).await)
            .expect("the ledger answers");
        store.close().await;
        span.max(1) as f64 / 1000.0
    });
    (options.mails as f64 / seconds, cost)
}

/// Postfix's source into Postfix's sink.
fn source(options: &Options, tools: &Path, size: usize, connections: usize) -> (f64, Cost) {
    let sink = Postfix::start(tools);
    let port = delayed(sink.port, options.latency);
    let child = Command::new(tools.join("usr/sbin/smtp-source"))
        .env("LD_LIBRARY_PATH", tools.join("usr/lib/postfix"))
        .args(["-d", "-s", &connections.to_string(), "-m", &options.mails.to_string()])
        .args(["-l", &size.to_string(), "-f", "a@example.org", "-t", "b@example.org"])
        .arg(format!("inet:127.0.0.1:{port}"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("smtp-source runs");
    let (cost, _) = bed::measure(child, None);
    (options.mails as f64 / cost.seconds, Cost { sink: Some(sink.cpu()), ..cost })
}

/// A running smtp-sink.
struct Postfix {
    port: u16,
    child: Child,
}

impl Postfix {
    fn start(tools: &Path) -> Postfix {
        let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let child = Command::new(tools.join("usr/sbin/smtp-sink"))
            .env("LD_LIBRARY_PATH", tools.join("usr/lib/postfix"))
            .args(["-u", "nobody", &format!("127.0.0.1:{port}"), "512"])
            .spawn()
            .expect("smtp-sink runs");
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
        Postfix { port, child }
    }

    /// Seconds of CPU it has used: no sender can make it faster than it is.
    fn cpu(&self) -> f64 {
        bed::cpu(self.child.id(), false)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
