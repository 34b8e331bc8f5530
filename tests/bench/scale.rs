//! A long list: import, export, freeze, first mail, memory, pages, beside a short one
//! and beside a ledger that holds past issues.
//!
//! `[--readers N,…] [--past N,…] [--seconds N] [--only sqlite|postgres]
//! [--postgres URL]`. `--past` puts so many finished issues to all readers into the
//! ledger before. The daemon sends for so many seconds, or until all is sent, then it
//! is stopped; pages are asked for and a reader saves preferences before, meanwhile
//! and after. One table a database; the columns are the runs.

use std::io::Write as _;
use std::process::{Child, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rundbrief::delivery::sums;
use rundbrief::issue::IssueId;
use rundbrief::read;
use rundbrief::store::Store;

use super::Words;
use super::bed::{self, Bed, Cost, Place};
use super::page::{Pages, Slow};
use super::sink::Sink;

const CONNECTIONS: usize = 10;
/// Longer than any freeze that would still be a measurement.
const PATIENCE: Duration = Duration::from_secs(300);
pub const NEWSLETTER: &str = r#"
slug = "town"
title = "Town"
language = "en"
time_zone = "Europe/Berlin"
privacy_url = "https://example.org/privacy"
[sender]
name = "Town"
address = "news@example.org"
reply_to = "office@example.org"
[imprint]
name = "Town"
street = "Street 1"
place = "12345 Town"
email = "town@example.org"
phone = "+49 30 1234567"
representative = "Somebody"
responsible = "Somebody"
[policies]
undo_minutes = 0
first_wave = 0
"#;

/// What was measured in one run, in the order of the table.
type Figures = Vec<(&'static str, String)>;

pub fn run(words: &Words) {
    let within = Duration::from_secs(words.number("--seconds", 10) as u64);
    let counts = words.numbers("--readers", &[10_000, 1_000_000]);
    for place in words.databases() {
        let mut runs: Vec<(String, Figures)> = Vec::new();
        for readers in &counts {
            for past in words.numbers("--past", &[0]) {
                let figures = scale(&place, *readers, past, within);
                runs.push((format!("{readers} readers, {past} past issues"), figures));
            }
        }
        print(place.name(), &runs);
    }
}

fn print(database: &str, runs: &[(String, Figures)]) {
    let heads: Vec<&str> = runs.iter().map(|(head, _)| head.as_str()).collect();
    println!("\n| {database} | {} |\n|---|{}", heads.join(" | "), "---|".repeat(runs.len()));
    let Some((_, first)) = runs.first() else { return };
    for (row, (name, _)) in first.iter().enumerate() {
        let cells: Vec<&str> = runs.iter().map(|(_, figures)| figures[row].1.as_str()).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
}

fn scale(place: &Place, readers: usize, past: usize, within: Duration) -> Figures {
    let bed = Bed::new(place);
    let mut figures = Figures::new();
    let mut note = |name, figure: String| {
        eprintln!("  {}, {readers} readers, {past} past: {name}: {figure}", place.name());
        figures.push((name, figure));
    };
    write_list(&bed, readers);
    let import = ["subscriber", "import", "list.csv", "--newsletter", "town"];
    note("import", cost(command(&bed, &import)));
    note("the same again", cost(command(&bed, &import)));
    note("export", cost(command(&bed, &["subscriber", "export", "--out", "out.csv"])));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let store = runtime.block_on(bed.open());
    runtime.block_on(bed::past(&store, past));
    queue(&bed, past);
    let (sink, web) = (Sink::start(), bed::free_port());
    let issue = IssueId(past as i64 + 1);
    let pages = runtime.block_on(Pages::serve(&store, &bed, web, issue));
    note("slowest page, idle", runtime.block_on(pages.slowest()).to_string());
    let mut daemon = Daemon::start(&bed, sink.port, web);
    let begun = runtime.block_on(reached(&store, issue, "expanding", async || ()));
    let before = daemon.cpu();
    let mut slow = (Slow::default(), Slow::default());
    let looked = async || {
        slow.0.keep(pages.slowest().await);
        slow.1.keep(pages.saved().await);
    };
    let frozen = runtime.block_on(reached(&store, issue, "sending", looked));
    let used = daemon.cpu() - before;
    note("freeze", format!("{:.1} s, CPU {used:.1} s", (frozen - begun).as_secs_f64()));
    note("slowest page, freezing", slow.0.to_string());
    note("slowest save, freezing", slow.1.to_string());
    while sink.mails.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let first = Instant::now();
    note("first mail", format!("{:.2} s", (first - frozen).as_secs_f64()));
    let before = daemon.cpu();
    let mut slow = (Slow::default(), Slow::default());
    while first.elapsed() < within && sink.mails.load(Ordering::SeqCst) < readers as u64 {
        slow.0.keep(runtime.block_on(pages.slowest()));
        slow.1.keep(runtime.block_on(pages.saved()));
        std::thread::sleep(Duration::from_millis(200));
    }
    let mails = sink.mails.load(Ordering::SeqCst) as f64;
    let used = (daemon.cpu() - before) / mails * 10_000.0;
    let rate = mails / first.elapsed().as_secs_f64();
    note("sending", format!("{rate:.0} mails/s, CPU {used:.2} s for 10,000"));
    note("slowest page, sending", slow.0.to_string());
    note("slowest save, sending", slow.1.to_string());
    let resident = bed::memory(daemon.child.id(), "VmHWM:");
    note("resident while sending", format!("{resident} KiB"));
    note("stop", format!("{:.2} s", daemon.stop()));
    note("slowest page, sent", runtime.block_on(pages.slowest()).to_string());
    let sums = runtime.block_on(sums::of(&store, issue)).expect("the ledger answers");
    assert!(sums.add_up() && sums.total == readers as i64, "{sums:?}");
    assert_eq!(sums.accepted as u64, sink.mails.load(Ordering::SeqCst), "{sums:?}");
    let name = format!("town/{}", past + 1);
    note("issue cancel", cost(command(&bed, &["issue", "cancel", &name])));
    runtime.block_on(store.close());
    figures
}

fn write_list(bed: &Bed<'_>, readers: usize) {
    let directory = bed.directory.path();
    std::fs::write(directory.join("town.toml"), NEWSLETTER).expect("a file");
    bed.done(&["newsletter", "apply", "town.toml"]);
    let file = std::fs::File::create(directory.join("list.csv")).expect("a file");
    let mut list = std::io::BufWriter::new(file);
    writeln!(list, "email,given_name,family_name").expect("disk space");
    for n in 0..readers {
        writeln!(list, "reader{n}@town{}.example.org,Erika{n},Muster{n}", n % 1000)
            .expect("disk space");
    }
    list.flush().expect("disk space");
}

fn command(bed: &Bed<'_>, words: &[&str]) -> Cost {
    let child = bed.command().args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    bed::measure(child.expect("rundbrief runs"), bed.server()).0
}

fn cost(Cost { seconds, cpu, server, peak, .. }: Cost) -> String {
    format!("{seconds:.1} s, CPU {cpu:.1} + {server:.1} s, {} MiB", peak / 1024)
}

/// Makes an issue of one article and queues it for now.
fn queue(bed: &Bed<'_>, past: usize) {
    let article = "---\ntitle: A bridge is opened\n---\n\nThe new bridge is open. It leads over \
                   the river, and everybody may use it from today on.\n";
    std::fs::write(bed.directory.path().join("bridge.md"), article).expect("a file");
    bed.done(&["article", "add", "bridge.md"]);
    bed.done(&["issue", "compose", "town"]);
    bed.done(&["issue", "queue", &format!("town/{}", past + 1)]);
}

/// Waits until the issue has come to this state, or is past it; answers when. Looks
/// around meanwhile.
async fn reached(
    store: &Store,
    issue: IssueId,
    wanted: &str,
    mut look: impl AsyncFnMut(),
) -> Instant {
    let started = Instant::now();
    let state = async || {
        let text = "select state from issue where id = $1";
        let (state,): (String,) =
            read!(store, |db| sqlx::query_as(text).bind(issue).fetch_one(db).await)
                .expect("an issue");
        let past = matches!(state.as_str(), "sending" | "finished");
        assert!(started.elapsed() < PATIENCE, "the issue stays {state}");
        state == wanted || past
    };
    let watched = async {
        while !state().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Instant::now()
    };
    let looking = async {
        loop {
            look().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        at = watched => at,
        () = looking => unreachable!("it looks for ever"),
    }
}

/// A daemon that sends, with its web on this port.
struct Daemon {
    child: Child,
    server: Option<u32>,
}

impl Daemon {
    fn start(bed: &Bed<'_>, relay: u16, web: u16) -> Daemon {
        let mut command = bed.sender(relay, CONNECTIONS);
        command.env("RUNDBRIEF_WEB__LISTEN", format!("127.0.0.1:{web}")).arg("run");
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        Daemon { child: child.expect("rundbrief runs"), server: bed.server() }
    }

    /// Seconds of CPU until now, with those of its database server.
    fn cpu(&self) -> f64 {
        let server = self.server.map_or(0.0, |pid| bed::cpu(pid, true));
        bed::cpu(self.child.id(), false) + server
    }

    /// Seconds that stopping took.
    fn stop(&mut self) -> f64 {
        let asked = Instant::now();
        let pid = self.child.id().to_string();
        let told = std::process::Command::new("kill").args(["-TERM", &pid]).status();
        assert!(told.expect("kill runs").success());
        self.child.wait().expect("our child");
        asked.elapsed().as_secs_f64()
    }
}
