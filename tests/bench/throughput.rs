//! How many mails a second, beside Postfix's own source in the same run.
//!
//! `tests/bench/throughput` fetches the tools and calls this with
//! `--tools DIR [--mails N] [--size BYTES] [--connections N] [--postgres URL]
//! [--latency MS] [--dkim] [--runs N]`. It makes a database with an issue, runs the
//! release binary against a sink, and prints mails a second, CPU seconds for 10,000
//! mails, and the peak of resident memory.

#[path = "sink.rs"]
mod sink;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rundbrief::letter::splice::{Head, Letter, Marks, Personal, content_hash};
use rundbrief::on;
use rundbrief::store::open::Location;
use rundbrief::store::{Kind, Store};

/// Clock ticks a second in /proc (USER_HZ); 100 on every Linux we know.
const TICKS: f64 = 100.0;

struct Options {
    tools: Option<PathBuf>,
    mails: usize,
    sizes: Vec<usize>,
    connections: Vec<usize>,
    postgres: Option<String>,
    latency: Duration,
    dkim: bool,
    runs: usize,
}

/// What a run cost.
#[derive(Clone, Copy)]
struct Cost {
    rate: f64,
    cpu: f64,
    peak: u64,
}

fn main() {
    let options = options();
    println!("| sender → sink | size | conn. | mails/s | CPU s per 10,000 | peak KiB |");
    println!("|---|---|---|---|---|---|");
    for size in &options.sizes {
        for connections in &options.connections {
            compare(&options, *size, *connections);
        }
    }
}

fn compare(options: &Options, size: usize, connections: usize) {
    let row = |name: &str, costs: Vec<Cost>| {
        let cost = median(costs);
        println!(
            "| {name} | {size} | {connections} | {:.0} | {:.2} | {} |",
            cost.rate, cost.cpu, cost.peak
        );
    };
    let runs = 0..options.runs;
    if let Some(tools) = &options.tools {
        let costs = runs.clone().map(|_| source(tools, options.mails, size, connections));
        row("smtp-source → smtp-sink", costs.collect());
        let ours = runs.clone().map(|_| {
            let (port, mut guard) = smtp_sink(tools);
            let cost = ours(options, None, port, size, connections);
            let _ = guard.kill();
            let _ = guard.wait();
            cost
        });
        row("rundbrief, SQLite → smtp-sink", ours.collect());
    }
    let fast = |postgres: Option<&str>| {
        let sink = sink::Sink::start(options.latency);
        let cost = ours(options, postgres, sink.port, size, connections);
        let kept = sink.mails.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(kept, options.mails as u64, "the sink counts what was sent");
        cost
    };
    row("rundbrief, SQLite → fast sink", runs.clone().map(|_| fast(None)).collect());
    if let Some(url) = &options.postgres {
        let costs = runs.clone().map(|_| fast(Some(url))).collect();
        row("rundbrief, PostgreSQL → fast sink", costs);
    }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|a, b| a.rate.total_cmp(&b.rate));
    costs[costs.len() / 2]
}

/// One issue through the release binary.
fn ours(
    options: &Options,
    postgres: Option<&str>,
    port: u16,
    size: usize,
    connections: usize,
) -> Cost {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let database = match postgres {
        Some(url) => url.to_owned(),
        None => format!("sqlite:{}/rundbrief.db", directory.path().display()),
    };
    let rundbrief = env!("CARGO_BIN_EXE_rundbrief");
    let init = Command::new(rundbrief)
        .current_dir(directory.path())
        .args(["init", "--directory", ".", "--database", &database])
        .output()
        .expect("rundbrief runs");
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(prepare(&database, options.mails, size));
    if options.dkim {
        sign(directory.path());
    }
    let started = Instant::now();
    let child = Command::new(rundbrief)
        .current_dir(directory.path())
        .args(["send", "1", "--json"])
        .env("RUNDBRIEF_TRANSPORT__RELAY__HOST", "127.0.0.1")
        .env("RUNDBRIEF_TRANSPORT__RELAY__PORT", port.to_string())
        .env("RUNDBRIEF_TRANSPORT__RELAY__TLS", "none")
        .env("RUNDBRIEF_TRANSPORT__RELAY__CONNECTIONS", connections.to_string())
        .env("RUNDBRIEF_TRANSPORT__RELAY__MESSAGES_PER_CONNECTION", "1000000")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("rundbrief runs");
    let (mut cost, said) = measure(child, started, options.mails);
    let report: serde_json::Value = serde_json::from_str(said.trim()).expect("a report");
    assert_eq!(report["accepted"], options.mails, "{report}");
    // From the first mark to the last record; opening, freezing and closing aside.
    let times = runtime.block_on(span(&database));
    cost.rate = options.mails as f64 / times;
    cost
}

/// Adds a fresh RSA key to the configuration.
fn sign(directory: &Path) {
    let key = directory.join("dkim.pem");
    let made = Command::new("openssl")
        .args(["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048", "-out"])
        .arg(&key)
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl runs").success());
    let file = directory.join("rundbrief.toml");
    let mut text = std::fs::read_to_string(&file).expect("init wrote it");
    text.push_str("\n[[mail.dkim]]\ndomain = \"example.org\"\nselector = \"s1\"\n");
    text.push_str(&format!("key = {{ file = \"{}\" }}\n", key.display()));
    std::fs::write(&file, text).expect("it can be written");
}

/// Seconds between the first and the last change of the ledger.
async fn span(database: &str) -> f64 {
    let store = open(database).await;
    let text = "
        select cast(max(changed_at) - (select started_at from worker order by id desc limit 1) as bigint)
        from delivery";
    let (span,): (i64,) = rundbrief::read!(store, |db| sqlx::query_as(text).fetch_one(db).await)
        .expect("the ledger answers");
    store.close().await;
    span.max(1) as f64 / 1000.0
}

async fn open(database: &str) -> Store {
    let location: Location = database.parse().expect("an address of either kind");
    Store::open(&location).await.expect("the database opens")
}

/// An issue of so many readers, expanded, with a letter of about this size.
async fn prepare(database: &str, readers: usize, size: usize) {
    let store = open(database).await;
    let mut tx = store.begin().await.expect("a transaction");
    let people = match store.kind() {
        Kind::Sqlite => {
            "with recursive n(n) as (select 1 union all select n + 1 from n where n < $1)
             insert into subscriber
                 (address, address_normal, address_hash, domain, created_at, updated_at)
             select 'reader' || n || '@example.org', 'reader' || n || '@example.org',
                 randomblob(32), 'example.org', 0, 0
             from n"
        }
        Kind::Postgres => {
            "insert into subscriber
                 (address, address_normal, address_hash, domain, created_at, updated_at)
             select 'reader' || n || '@example.org', 'reader' || n || '@example.org',
                 sha256(n::text::bytea), 'example.org', 0, 0
             from generate_series(1, $1::bigint) as n"
        }
    };
    for text in [
        "delete from attempt",
        "delete from delivery",
        "delete from letter",
        "delete from issue",
        "delete from subscription",
        "delete from subscriber",
        "delete from newsletter",
        "insert into newsletter (id, slug, title, language, definition, created_at, updated_at)
         values (1, 'town', 'Town', 'de', '{\"sender\": {\"address\": \"news@example.org\"}}', 0, 0)",
    ] {
        on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).expect(text);
    }
    on!(tx, |c| sqlx::query(people).bind(readers as i64).execute(c).await.map(|_| ()))
        .expect("readers");
    let letter = letter(size).to_bytes();
    for text in [
        "insert into subscription (subscriber_id, newsletter_id, standing, since)
         select id, 1, 'active', 0 from subscriber order by id",
        "insert into issue (id, newsletter_id, number, state, subject, preheader, content, created_at, frozen_at, updated_at)
         values (1, 1, 1, 'expanding', 'Hello', '', '{\"sections\": []}', 0, 0, 0)",
    ] {
        on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).expect(text);
    }
    let text =
        "insert into letter (issue_id, content_hash, frozen, created_at) values (1, $1, $2, 0)";
    on!(tx, |c| {
        let query = sqlx::query(text).bind(content_hash(&letter).to_vec()).bind(letter.clone());
        query.execute(c).await.map(|_| ())
    })
    .expect("a letter");
    tx.commit().await.expect("it is stored");
    let issue = rundbrief::issue::IssueId(1);
    let now = rundbrief::store::value::Millis(1);
    loop {
        let step = rundbrief::delivery::expand::step(&store, issue, now).await;
        if step.expect("it expands") == rundbrief::delivery::expand::Progress::Idle {
            break;
        }
    }
    if store.kind() == Kind::Postgres {
        let mut tx = store.begin().await.expect("a transaction");
        on!(tx, |c| sqlx::query("analyze").execute(c).await.map(|_| ())).expect("statistics");
        tx.commit().await.expect("they are kept");
    }
    store.close().await;
}

fn letter(size: usize) -> Letter {
    let marks = Marks::new(7);
    let head =
        Head { issue: 1, newsletter: 1, language: rundbrief_templates::language::Language::German };
    let line = "Sechsundsiebzig Zeichen hat eine Zeile, und davon stehen hier viele in Folge.\r\n";
    let mut message = format!(
        "From: News <news@example.org>\r\nTo: {}\r\nMessage-ID: <{}@example.org>\r\nSubject: Hello\r\n\r\n{}\r\n",
        marks.mark(Personal::To),
        marks.mark(Personal::Delivery),
        marks.mark(Personal::GreetingText),
    );
    while message.len() < size {
        message.push_str(line);
    }
    message.push_str(&format!("https://example.org/u/{}\r\n", marks.mark(Personal::Unsubscribe)));
    Letter::cut(head, message.as_bytes(), &marks)
}

/// Waits for a process; its CPU and memory are read while it lives.
fn measure(mut child: Child, started: Instant, mails: usize) -> (Cost, String) {
    let pid = child.id();
    let (mut ticks, mut peak) = (0, 0);
    while child.try_wait().expect("the process can be asked").is_none() {
        if let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) {
            let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or("").split(' ').collect();
            let number = |n: usize| fields.get(n).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
            ticks = ticks.max(number(12) + number(13));
        }
        if let Ok(status) = std::fs::read_to_string(format!("/proc/{pid}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
            peak = peak.max(kib.unwrap_or(0));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        use std::io::Read;
        let _ = out.read_to_string(&mut said);
    }
    let cpu = ticks as f64 / TICKS / mails as f64 * 10_000.0;
    (Cost { rate: mails as f64 / seconds, cpu, peak }, said)
}

/// Postfix's source into Postfix's sink.
fn source(tools: &Path, mails: usize, size: usize, connections: usize) -> Cost {
    let (port, mut guard) = smtp_sink(tools);
    let started = Instant::now();
    let child = Command::new(tools.join("usr/sbin/smtp-source"))
        .env("LD_LIBRARY_PATH", tools.join("usr/lib/postfix"))
        .args(["-d", "-s", &connections.to_string(), "-m", &mails.to_string()])
        .args(["-l", &size.to_string(), "-f", "a@example.org", "-t", "b@example.org"])
        .arg(format!("inet:127.0.0.1:{port}"))
        .stdout(Stdio::piped())
        .spawn()
        .expect("smtp-source runs");
    let (cost, _) = measure(child, started, mails);
    let _ = guard.kill();
    let _ = guard.wait();
    cost
}

fn smtp_sink(tools: &Path) -> (u16, Child) {
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
    (port, child)
}

fn options() -> Options {
    let mut options = Options {
        tools: None,
        mails: 20_000,
        sizes: vec![10_000, 40_000],
        connections: vec![10],
        postgres: None,
        latency: Duration::ZERO,
        dkim: false,
        runs: 3,
    };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().unwrap_or_default();
        let list = |text: String| text.split(',').filter_map(|n| n.parse().ok()).collect();
        match word.as_str() {
            "--tools" => options.tools = Some(PathBuf::from(value())),
            "--mails" => options.mails = value().parse().unwrap_or(options.mails),
            "--size" => options.sizes = list(value()),
            "--connections" => options.connections = list(value()),
            "--postgres" => options.postgres = Some(value()),
            "--latency" => {
                let text = value();
                let millis = text.trim_end_matches("ms").parse().unwrap_or(0);
                options.latency = Duration::from_millis(millis);
            }
            "--runs" => options.runs = value().parse().unwrap_or(options.runs),
            "--dkim" => options.dkim = true,
            _ => {}
        }
    }
    options
}
