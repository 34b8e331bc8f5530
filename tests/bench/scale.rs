//! A long list: import, freeze, first mail, memory, pages, beside a short one.
//!
//! `[--readers N,…] [--seconds N] [--only sqlite|postgres] [--postgres URL]`. The
//! daemon sends for so many seconds, or until all is sent, then it is stopped; pages
//! are asked for before, meanwhile, and after.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rundbrief::daemon::pulse::Pulse;
use rundbrief::delivery::sums;
use rundbrief::issue::IssueId;
use rundbrief::read;
use rundbrief::store::Store;
use rundbrief::web::{self, Site};
use rundbrief_subscribers::key::Master;
use rundbrief_subscribers::token::{Kind, ReaderToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Words;
use super::bed::{self, Bed, Cost, Place};
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

pub fn run(words: &Words) {
    let seconds = words.number("--seconds", 10);
    println!(
        "| database | readers | import s | its peak KiB | freeze s | first mail s | mails/s | peak KiB sending | slowest page ms: idle | sending | sent |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let counts = words.numbers("--readers", &[10_000, 1_000_000]);
    for place in words.databases() {
        for readers in &counts {
            scale(&place, *readers, Duration::from_secs(seconds as u64));
        }
    }
}

fn scale(place: &Place, readers: usize, within: Duration) {
    let bed = Bed::new(place);
    let import = import(&bed, readers);
    queue(&bed);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let sink = Sink::start();
    let (store, pages) = runtime.block_on(async {
        let store = bed.open().await;
        let pages = Pages::serve(&store).await;
        (store, pages)
    });
    let idle = runtime.block_on(pages.slowest());
    let mut daemon = bed
        .sender(sink.port, CONNECTIONS)
        .arg("run")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("rundbrief runs");
    let begun = runtime.block_on(reached(&store, "expanding"));
    let frozen = runtime.block_on(reached(&store, "sending"));
    while sink.mails.load(Ordering::SeqCst) == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let first = Instant::now();
    let mut sending = Slow::default();
    while first.elapsed() < within && sink.mails.load(Ordering::SeqCst) < readers as u64 {
        sending = sending.max(runtime.block_on(pages.slowest()));
        std::thread::sleep(Duration::from_millis(200));
    }
    let rate = sink.mails.load(Ordering::SeqCst) as f64 / first.elapsed().as_secs_f64();
    let peak = bed::memory(daemon.id(), "VmHWM:");
    stop(&mut daemon);
    let sent = runtime.block_on(pages.slowest());
    let sums = runtime.block_on(sums::of(&store, IssueId(1))).expect("the ledger answers");
    assert!(sums.add_up() && sums.total == readers as i64, "{sums:?}");
    assert_eq!(sums.accepted as u64, sink.mails.load(Ordering::SeqCst), "{sums:?}");
    println!(
        "| {} | {readers} | {:.1} | {} | {:.1} | {:.2} | {rate:.0} | {peak} | {idle} | {sending} | {sent} |",
        place.name(),
        import.seconds,
        import.peak,
        (frozen - begun).as_secs_f64(),
        (first - frozen).as_secs_f64(),
    );
}

fn import(bed: &Bed<'_>, readers: usize) -> Cost {
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
    let import = ["subscriber", "import", "list.csv", "--newsletter", "town"];
    let child = bed.command().args(import).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let (cost, _) = bed::measure(child.expect("rundbrief runs"), bed.server());
    cost
}

/// Makes an issue of one article and queues it for now.
fn queue(bed: &Bed<'_>) {
    let article = "---\ntitle: A bridge is opened\n---\n\nThe new bridge is open. It leads over \
                   the river, and everybody may use it from today on.\n";
    std::fs::write(bed.directory.path().join("bridge.md"), article).expect("a file");
    bed.done(&["article", "add", "bridge.md"]);
    bed.done(&["issue", "compose", "town"]);
    bed.done(&["issue", "queue", "town/1"]);
}

/// Waits until the issue has come to this state, or is past it; answers when.
async fn reached(store: &Store, wanted: &str) -> Instant {
    let started = Instant::now();
    loop {
        let text = "select state from issue where id = 1";
        let (state,): (String,) =
            read!(store, |db| sqlx::query_as(text).fetch_one(db).await).expect("an issue");
        let past = matches!(state.as_str(), "sending" | "finished");
        if state == wanted || past {
            return Instant::now();
        }
        assert!(started.elapsed() < PATIENCE, "the issue stays {state}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn stop(daemon: &mut Child) {
    let pid = daemon.id().to_string();
    let told = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.expect("kill runs").success());
    daemon.wait().expect("our child");
}

/// The slowest page of a round.
#[derive(Clone, Default, PartialEq, PartialOrd)]
struct Slow {
    millis: f64,
    path: String,
}

impl Slow {
    fn max(self, other: Slow) -> Slow {
        if other.millis > self.millis { other } else { self }
    }
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} ({})", self.millis, self.path)
    }
}

/// Every kind of page there is, served from this process.
struct Pages {
    at: SocketAddr,
    paths: Vec<String>,
}

impl Pages {
    async fn serve(store: &Store) -> Pages {
        let key = Master::new([7; 32]);
        let token =
            |kind| ReaderToken { kind, issue: 1, subscriber: 1, newsletter: 1 }.seal(&key.token());
        let (leave, prefer) = (token(Kind::Unsubscribe), token(Kind::Preferences));
        let paths = ["/archive", "/archive/town", "/archive/town/1", "/report", "/report/1"];
        let mut paths = paths.map(str::to_owned).to_vec();
        paths.extend(["/healthz".to_owned(), "/readyz".to_owned()]);
        paths.extend([format!("/u/{leave}"), format!("/p/{prefer}")]);
        let site = Site {
            store: store.clone(),
            key,
            address: "http://127.0.0.1:8025".parse().expect("a web address"),
            webhooks: Arc::default(),
            pulse: Arc::new(Pulse::new(Instant::now())),
            open_house: true,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let at = listener.local_addr().expect("the port's number");
        tokio::spawn(async move { axum::serve(listener, web::router(site)).await });
        Pages { at, paths }
    }

    async fn slowest(&self) -> Slow {
        let mut slowest = Slow::default();
        for path in &self.paths {
            let started = Instant::now();
            let mut stream = tokio::net::TcpStream::connect(self.at).await.expect("our own server");
            let ask =
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            stream.write_all(ask.as_bytes()).await.expect("our own server");
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.expect("our own server");
            assert!(!answer.starts_with(b"HTTP/1.1 5"), "{path}");
            let millis = started.elapsed().as_secs_f64() * 1000.0;
            let path = path.split('/').take(3).collect::<Vec<_>>().join("/");
            let path = path.chars().take(16).collect();
            slowest = slowest.max(Slow { millis, path });
        }
        slowest
    }
}
