//! Delivery while the system beneath it fails: killed at system calls, disks that are
//! full or lose what was not synced, a locked database, broken connections, a clock
//! that jumps. Every one ends the same: nobody lost, copies within the bound, the
//! sums right. `FAULTS=full` walks every system call and waits as long as it says.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use rundbrief::delivery::{journal, sums};
use rundbrief::on;
use rundbrief::store::value::Millis;

use crate::app::{App, on_both, on_postgres, on_sqlite};
use crate::delivery::{
    books, copies, execute, issue, now, readers, transport, until_idle, worker_by,
};
use crate::delivery_process::{CONNECTIONS, command, ended, initialise};
use crate::relay::{Offer, Relay};

on_both![
    killed_at_any_system_call_it_loses_nobody,
    a_power_cut_takes_back_no_more_than_the_bound,
    a_journal_that_cannot_be_synced_ends_it,
    a_clock_that_jumps_by_years_changes_nothing,
    nobody_waits_for_years_that_a_clock_ran_ahead,
];

/// Calls that write to a database or a journal, and calls of sockets.
const CALLS: [&str; 2] = ["pwrite64,fdatasync,fsync", "sendto,recvfrom,connect"];

/// Replies of one session that a power cut may take back: less than left alone, so that
/// the setting itself is tried.
const UNSYNCED: usize = 3;

/// Where strace writes what it saw, in the test's directory.
const CALLS_MADE: &str = "calls.txt";

fn full() -> bool {
    std::env::var_os("FAULTS").is_some_and(|word| word == "full")
}

/// `rundbrief send` under strace, which stands beside it (`-D`), not above it.
fn tampered(app: &App, port: u16, path: Option<&str>, inject: &str) -> Child {
    let plain = command(app, port);
    let mut strace = Command::new("strace");
    strace.args(["-D", "-f", "-o", CALLS_MADE, "-e", inject]);
    if path == Some(journal::FILE) {
        // Each session ends with replies that are not synced yet.
        strace.env("RUNDBRIEF_TRANSPORT__RELAY__MESSAGES_PER_CONNECTION", "2");
    }
    if let Some(path) = path {
        // By every name that the process may use for it.
        let whole = app.directory().join(path).display().to_string();
        strace.args(["-e", "trace=pwrite64,fdatasync,openat"]);
        strace.args(["-P", &whole, "-P", &format!("./{path}"), "-P", path]);
    } else {
        // Other calls go on at full speed.
        strace.arg("--seccomp-bpf");
    }
    strace.arg(plain.get_program()).args(plain.get_args());
    for (name, value) in plain.get_envs() {
        strace.env(name, value.unwrap_or_default());
    }
    strace.env("RUNDBRIEF_TRANSPORT__RELAY__UNSYNCED_REPLIES", UNSYNCED.to_string());
    strace.current_dir(app.directory()).stdin(Stdio::null());
    strace.stdout(Stdio::piped()).stderr(Stdio::piped());
    strace.spawn().expect("strace runs")
}

/// Lets a quarter of an hour without evidence pass and sends what is left.
async fn finish(app: &App, relay: &Relay, total: usize, bound: usize) {
    for _ in 0..2 {
        let (code, report, remarks) = ended(command(app, relay.port).spawn().unwrap()).await;
        assert_eq!(code, Some(0), "{remarks}");
        let left = report["unknown"].as_u64().unwrap() as usize;
        assert!(left <= bound, "{report}");
        if report["state"] == "finished" {
            assert_eq!(report["accepted"], total, "{report}");
        }
        execute(&app.store, "update delivery set changed_at = 1 where state = 'unknown'").await;
    }
    let copies = copies(relay);
    assert_eq!(copies.len(), total, "somebody was lost");
    let doubled: usize = copies.values().map(|n| n - 1).sum();
    assert!(doubled <= bound, "{doubled} copies, at most {bound} may be");
    eprintln!("{doubled} copies of {bound} that may be");
}

async fn killed_at_any_system_call_it_loses_nobody(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let total = if full() { 20_000 } else { 120 };
    let issue = issue(&app, &readers(total)).await;
    initialise(&app);
    // Counted for each thread: the first that gets there ends the process.
    let counts: Vec<usize> = if full() { (1..=250).collect() } else { vec![2, 6, 11, 27] };
    let mut kills = 0;
    for count in counts {
        for calls in CALLS {
            let inject = format!("inject={calls}:signal=SIGKILL:when={count}");
            let mut child = tampered(&app, relay.port, None, &inject);
            let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
            kills += usize::from(!status.success());
            let sums = sums::of(&app.store, issue).await.unwrap();
            assert!(sums.total == 0 || sums.add_up(), "{calls} {count}: {sums:?}");
        }
    }
    assert!(kills > 4, "only {kills} kills");
    finish(&app, &relay, total, kills * CONNECTIONS).await;
}

/// From one sync on the disk keeps nothing: a power cut takes that away again.
async fn a_power_cut_takes_back_no_more_than_the_bound(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let total = 2000;
    issue(&app, &readers(total)).await;
    initialise(&app);
    let inject = "inject=fdatasync:delay_enter=600000000:when=12+";
    let mut child = tampered(&app, relay.port, Some(journal::FILE), inject);
    let mut before = 0;
    // Until nothing goes out any more: all sessions wait for the disk.
    while before == 0 || relay.caught().len() > before {
        assert!(child.try_wait().unwrap().is_none(), "it ended before the disk stood still");
        before = relay.caught().len();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let made = std::fs::read_to_string(app.directory().join(CALLS_MADE)).unwrap();
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")).unwrap();
    child.kill().unwrap();
    // It would hold on to the dead until their call is over.
    assert!(Command::new("kill").args(["-KILL", tracer.trim()]).status().unwrap().success());
    child.wait().unwrap();
    let path = app.directory().join(journal::FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[durable(&made)..].fill(0);
    std::fs::write(&path, bytes).unwrap();
    execute(&app.store, "update worker set boot = 'before the cut'").await;
    finish(&app, &relay, total, CONNECTIONS * UNSYNCED).await;
}

/// Where the bytes of the journal end that were written before the last sync that
/// came to an end began, by the calls that strace saw.
fn durable(calls: &str) -> usize {
    let (mut written, mut syncing, mut durable) = (8192, 8192, 8192);
    for line in calls.lines() {
        if line.contains("pwrite64(") {
            let numbers = line.rsplit_once('"').expect("what was written").1;
            let numbers = numbers.trim_end_matches("<unfinished ...>").split(')').next();
            let mut numbers = numbers.unwrap_or_default().split(", ").skip(1);
            let mut number = || numbers.next().and_then(|n| n.trim().parse::<usize>().ok());
            let length = number().expect("its length");
            written = written.max(length + number().expect("its place"));
        } else if line.contains("fdatasync(") {
            syncing = written;
        }
        if line.contains("fdatasync") && line.contains("= 0") {
            durable = syncing;
        }
    }
    durable
}

async fn a_journal_that_cannot_be_synced_ends_it(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let total = 60;
    let issue = issue(&app, &readers(total)).await;
    initialise(&app);
    for (call, words) in [
        ("inject=fdatasync:error=EIO", "Input/output error"),
        ("inject=openat:error=EROFS", "Read-only file system"),
    ] {
        let child = tampered(&app, relay.port, Some(journal::FILE), call);
        let (code, _, remarks) = ended(child).await;
        assert_eq!(code, Some(74), "{call}: {remarks}");
        assert!(remarks.contains(journal::FILE) && remarks.contains(words), "{remarks}");
        assert!(sums::of(&app.store, issue).await.unwrap().add_up());
    }
    finish(&app, &relay, total, CONNECTIONS).await;
}

#[test]
fn a_full_disk_is_waited_for_and_nobody_gets_two() {
    on_sqlite(a_full_disk);
}

async fn a_full_disk(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let total = 200;
    issue(&app, &readers(total)).await;
    initialise(&app);
    // Counted for each connection to the database: the next one has space again.
    let inject = "inject=pwrite64:error=ENOSPC:when=150";
    let (code, _, remarks) =
        ended(tampered(&app, relay.port, Some("rundbrief.db-wal"), inject)).await;
    assert_eq!(code, Some(0), "{remarks}");
    assert!(remarks.contains("disk is full"), "{remarks}");
    finish(&app, &relay, total, 0).await;
}

#[test]
fn a_locked_database_is_waited_for() {
    on_sqlite(a_locked_database);
}

async fn a_locked_database(app: App) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(5), ..Offer::default() }).await;
    let total = 300;
    issue(&app, &readers(total)).await;
    initialise(&app);
    let mut child = command(&app, relay.port).spawn().unwrap();
    while relay.caught().len() < 50 && child.try_wait().unwrap().is_none() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let tx = app.store.begin().await.unwrap();
    tokio::time::sleep(Duration::from_secs(if full() { 60 } else { 1 })).await;
    tx.rollback().await.unwrap();
    let (code, _, remarks) = ended(child).await;
    let gave_up = full() && code == Some(69);
    assert!(code == Some(0) || gave_up, "{code:?} {remarks}");
    finish(&app, &relay, total, 0).await;
}

#[test]
fn broken_connections_to_the_database_lose_nobody() {
    on_postgres(broken_connections);
}

async fn broken_connections(app: App) {
    let relay = Relay::start(Offer { delay: Duration::from_millis(5), ..Offer::default() }).await;
    let total = 600;
    issue(&app, &readers(total)).await;
    initialise(&app);
    let mut child = command(&app, relay.port).spawn().unwrap();
    for enough in [50, 200] {
        while relay.caught().len() < enough && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let text = "
            select count(pg_terminate_backend(pid))
            from pg_stat_activity
            where datname = current_database() and pid <> pg_backend_pid()";
        let mut tx = app.store.begin().await.unwrap();
        on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).unwrap();
        tx.commit().await.unwrap();
    }
    let (code, _, remarks) = ended(child).await;
    assert_eq!(code, Some(0), "{remarks}");
    finish(&app, &relay, total, 0).await;
}

/// Added to the true time.
static AHEAD: AtomicI64 = AtomicI64::new(0);

fn jumping() -> Millis {
    Millis(now().0 + AHEAD.load(Ordering::SeqCst))
}

/// So far a clock runs ahead, in milliseconds.
const YEARS: i64 = 10 * 365 * 24 * 3600 * 1000;

async fn a_clock_that_jumps_by_years_changes_nothing(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let total = 300;
    let issue = issue(&app, &readers(total)).await;
    let mut worker = worker_by(&app, vec![transport("relay", relay.port)], jumping).await;
    for (ahead, enough) in [(YEARS, 40), (0, 120), (-YEARS, 200), (0, 250)] {
        while relay.caught().len() < enough {
            worker.round().await.unwrap();
        }
        AHEAD.store(ahead, Ordering::SeqCst);
    }
    until_idle(&mut worker).await;
    let sums = sums::of(&app.store, issue).await.unwrap();
    assert_eq!(sums.accepted as usize, total, "{sums:?}");
    assert!(copies(&relay).values().all(|n| *n == 1));
}

/// While the clock is ahead three are deferred, one is lost and a first wave waits.
async fn nobody_waits_for_years_that_a_clock_ran_ahead(app: App) {
    let relay = Relay::start(Offer::default()).await;
    let mut addresses = readers(20);
    addresses.extend((0..3).map(|n| format!("grey{n}@d{n}.example.net")));
    let total = addresses.len();
    let issue = issue(&app, &addresses).await;
    AHEAD.store(YEARS, Ordering::SeqCst);
    let mut worker = worker_by(&app, vec![transport("relay", relay.port)], jumping).await;
    while books(&app, issue).await.deferred < 3 || books(&app, issue).await.accepted < 20 {
        worker.round().await.unwrap();
    }
    worker.drain(Duration::ZERO).await.unwrap();
    for change in [
        "update delivery set state = 'unknown', changed_at = changed_at + 1 where id = 1",
        "update issue set wave_size = 5, wave_minutes = 0,
             wave_until = (select max(changed_at) from delivery)",
    ] {
        execute(&app.store, change).await;
    }
    AHEAD.store(0, Ordering::SeqCst);
    let mut worker = worker_by(&app, vec![transport("relay", relay.port)], jumping).await;
    let started = std::time::Instant::now();
    while books(&app, issue).await.accepted < total as i64 {
        worker.round().await.unwrap();
        assert!(started.elapsed() < Duration::from_secs(60), "{:?}", books(&app, issue).await);
    }
}
