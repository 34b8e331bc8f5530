//! How fast a daemon obeys: pause, cancel, suppression, undo, SIGTERM, and how soon it
//! begins when it may.
//!
//! `[--trials N] [--latency MS] [--connections N] [--seed N] [--only sqlite|postgres]
//! [--postgres URL]`. The sink's answers come so late; each trial begins at another
//! moment of the daemon's round. A time runs from when the change was committed to the
//! last dot that came after it, 0 where none did; *begins* is the time to the first
//! one. On PostgreSQL that is measured once more without its notifications.

use std::process::{Child, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use rundbrief::on;
use rundbrief::store::{Kind, Store};
use tokio::runtime::Runtime;

use super::Words;
use super::bed::{self, Bed, Place};
use super::scale::NEWSLETTER;
use super::sink::{self, Sink};

/// After a change, dots are waited for this long.
const QUIET: Duration = Duration::from_millis(1600);
/// Longer than anything that would still be a measurement.
const PATIENCE: Duration = Duration::from_secs(120);
/// Mails that show that an issue is well on its way.
const FLOWING: usize = 60;
/// Readers that are suppressed at once: more than a worker claims in advance.
const SUPPRESSED: usize = 1500;

const PAUSE: &str = "update issue set state = 'paused', paused_from = 'sending' where id = $1";
const RESUME: &str = "update issue set state = 'sending', paused_from = null where id = $1";
const CANCEL: &str = "update issue set state = 'cancelled' where id = $1";

struct Options {
    trials: usize,
    latency: Duration,
    connections: usize,
}

pub fn run(words: &Words) {
    let options = Options {
        trials: words.number("--trials", 100),
        latency: Duration::from_millis(words.number("--latency", 20) as u64),
        connections: words.number("--connections", 10),
    };
    let seed = words.number("--seed", 1) as u64;
    let mut chance = bed::Chance::new(seed);
    println!("| database | what | trials | p50 ms | p99 ms | most ms |");
    println!("|---|---|---|---|---|---|");
    for place in words.databases() {
        halts(&place, &options, &mut chance);
        begins(&place, &options, &mut chance, true);
        if matches!(place, Place::Postgres(_)) {
            begins(&place, &options, &mut chance, false);
        }
        for latency in [options.latency, Duration::from_secs(1), Duration::from_secs(5)] {
            ends(&place, &options, latency, &mut chance);
        }
    }
}

fn say(place: &Place, what: &str, mut took: Vec<Duration>) {
    took.sort_unstable();
    let ms = |at: usize| took[at.min(took.len() - 1)].as_secs_f64() * 1000.0;
    let count = took.len();
    println!(
        "| {} | {what} | {count} | {:.0} | {:.0} | {:.0} |",
        place.name(),
        ms(count / 2),
        ms(count * 99 / 100),
        ms(count - 1)
    );
}

/// A daemon before a sink that tells of every dot.
struct Scene<'a> {
    bed: Bed<'a>,
    runtime: Runtime,
    store: Store,
    dots: Receiver<(Instant, Vec<u8>)>,
    port: u16,
    connections: usize,
}

impl<'a> Scene<'a> {
    fn new(place: &'a Place, options: &Options, latency: Duration) -> Scene<'a> {
        let bed = Bed::new(place);
        let runtime = Runtime::new().expect("a runtime");
        let store = runtime.block_on(bed.open());
        let (tell, dots) = mpsc::channel();
        let port = sink::delay(Sink::telling(tell).port, latency);
        Scene { bed, runtime, store, dots, port, connections: options.connections }
    }

    fn daemon(&self) -> Child {
        let mut run = self.bed.sender(self.port, self.connections);
        run.arg("run").stdout(Stdio::null()).stderr(Stdio::null());
        run.spawn().expect("rundbrief runs")
    }

    /// Commits one statement about an issue; answers when it was committed.
    fn change(&self, text: &'static str, issue: i64) -> Instant {
        self.runtime.block_on(async {
            let mut tx = self.store.begin().await.expect("a transaction");
            on!(tx, |c| sqlx::query(text).bind(issue).execute(c).await.map(|_| ())).expect(text);
            tx.commit().await.expect("it is stored");
            Instant::now()
        })
    }

    /// Waits for so many dots and then for another while, so that every moment of a
    /// round has its turn. Answers the last reader.
    fn flowing(&self, chance: &mut bed::Chance) -> usize {
        let mut last = Vec::new();
        for _ in 0..FLOWING {
            (_, last) = self.dots.recv_timeout(PATIENCE).expect("mails go out");
        }
        std::thread::sleep(Duration::from_millis(chance.below(800) as u64));
        while let Ok((_, to)) = self.dots.try_recv() {
            last = to;
        }
        number(&last)
    }

    /// How long after this moment the last dot came that counts.
    fn last_dot(&self, since: Instant, counts: impl Fn(&[u8]) -> bool) -> Duration {
        std::thread::sleep(QUIET);
        let mut last = since;
        while let Ok((at, to)) = self.dots.try_recv() {
            if counts(&to) {
                last = last.max(at);
            }
        }
        last - since
    }

    fn first_dot(&self, since: Instant) -> Duration {
        loop {
            let (at, _) = self.dots.recv_timeout(PATIENCE).expect("mails go out");
            if at > since {
                return at - since;
            }
        }
    }
}

/// `readerN@…`
fn number(to: &[u8]) -> usize {
    let digits: Vec<u8> = to.iter().copied().filter(u8::is_ascii_digit).collect();
    String::from_utf8(digits).expect("digits").parse().expect("a reader's number")
}

fn end(mut daemon: Child) {
    terminate(&daemon);
    daemon.wait().expect("our child");
}

fn terminate(daemon: &Child) {
    let pid = daemon.id().to_string();
    let told = std::process::Command::new("kill").args(["-TERM", &pid]).status();
    assert!(told.expect("kill runs").success());
}

/// Pause, suppression, cancel.
fn halts(place: &Place, options: &Options, chance: &mut bed::Chance) {
    let scene = Scene::new(place, options, options.latency);
    let a_second = 1000 / options.latency.as_millis().max(1) as usize * options.connections;
    let readers = options.trials * (SUPPRESSED + 3 * a_second);
    scene.runtime.block_on(async {
        bed::readers(&scene.store, readers).await;
        bed::issue(&scene.store, 1, 4000).await;
    });
    let daemon = scene.daemon();
    let (mut paused, mut suppressed, mut resumed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..options.trials {
        scene.flowing(chance);
        let since = scene.change(PAUSE, 1);
        paused.push(scene.last_dot(since, |_| true));
        std::thread::sleep(Duration::from_millis(chance.below(1000) as u64));
        let since = scene.change(RESUME, 1);
        resumed.push(scene.first_dot(since));
        let from = scene.flowing(chance);
        let since = scene.change(suppress(scene.store.kind()), from as i64);
        let meant = |to: &[u8]| (from + 1..=from + SUPPRESSED).contains(&number(to));
        suppressed.push(scene.last_dot(since, meant));
    }
    say(place, "pause: last dot", paused);
    say(place, "suppression: last dot to one of 1,500", suppressed);
    say(place, "resume: begins", resumed);
    let mut cancelled = Vec::new();
    scene.change(CANCEL, 1);
    for n in 0..options.trials as i64 {
        scene.last_dot(Instant::now(), |_| true);
        scene.runtime.block_on(bed::issue(&scene.store, n + 2, 4000));
        scene.flowing(chance);
        let since = scene.change(CANCEL, n + 2);
        cancelled.push(scene.last_dot(since, |_| true));
    }
    say(place, "cancel: last dot", cancelled);
    end(daemon);
}

/// The statement that suppresses the next readers.
fn suppress(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => {
            "insert or ignore into suppression (address_hash, reason, at)
             select address_hash, 'complained', 0 from subscriber where id > $1 and id <= $1 + 1500"
        }
        Kind::Postgres => {
            "insert into suppression (address_hash, reason, at)
             select address_hash, 'complained', 0 from subscriber where id > $1 and id <= $1 + 1500
             on conflict do nothing"
        }
    }
}

/// From *queue*, with no time to undo, to the first dot; and what is taken back at
/// about the moment when it begins. Each trial is an issue of its own.
fn begins(place: &Place, options: &Options, chance: &mut bed::Chance, notified: bool) {
    let scene = Scene::new(place, options, options.latency);
    let directory = scene.bed.directory.path();
    std::fs::write(directory.join("town.toml"), NEWSLETTER).expect("a file");
    scene.bed.done(&["newsletter", "apply", "town.toml"]);
    let list: String = (0..300).map(|n| format!("reader{n}@example.org\n")).collect();
    std::fs::write(directory.join("list.csv"), format!("email\n{list}")).expect("a file");
    scene.bed.done(&["subscriber", "import", "list.csv", "--newsletter", "town"]);
    if !notified {
        let silent = "drop trigger issue_moved on issue";
        scene.runtime.block_on(bed::execute(&scene.store, silent));
    }
    let daemon = scene.daemon();
    let (mut begun, mut undone) = (Vec::new(), Vec::new());
    for n in 1..=options.trials / 2 {
        let issue = compose(&scene.bed, n);
        std::thread::sleep(Duration::from_millis(chance.below(1000) as u64));
        scene.bed.done(&["issue", "queue", &issue]);
        let since = Instant::now();
        if n % 2 == 0 {
            begun.push(scene.first_dot(since));
            scene.bed.done(&["issue", "cancel", &issue]);
        } else {
            std::thread::sleep(Duration::from_millis(chance.below(400) as u64));
            scene.bed.done(&["issue", "cancel", &issue]);
            undone.push(scene.last_dot(Instant::now(), |_| true));
        }
        scene.last_dot(Instant::now(), |_| true);
    }
    let how = match (place, notified) {
        (Place::Sqlite, _) => "",
        (Place::Postgres(_), true) => ", notified",
        (Place::Postgres(_), false) => ", not notified",
    };
    say(place, &format!("queue: begins{how}"), begun);
    say(place, &format!("undo around the beginning: last dot{how}"), undone);
    end(daemon);
}

/// A draft of a new article.
fn compose(bed: &Bed<'_>, n: usize) -> String {
    let file = format!("article{n}.md");
    let text = format!("---\ntitle: Bridge {n} is opened\n---\n\nThe new bridge {n} is open.\n");
    std::fs::write(bed.directory.path().join(&file), text).expect("a file");
    bed.done(&["article", "add", &file]);
    bed.done(&["issue", "compose", "town"]);
    format!("town/{n}")
}

/// SIGTERM under load: until the process is gone, and until its last dot.
fn ends(place: &Place, options: &Options, latency: Duration, chance: &mut bed::Chance) {
    let scene = Scene::new(place, options, latency);
    scene.runtime.block_on(async {
        bed::readers(&scene.store, 100_000).await;
        bed::issue(&scene.store, 1, 4000).await;
    });
    let (mut exits, mut dots) = (Vec::new(), Vec::new());
    let trials = if latency > options.latency { options.trials / 10 } else { options.trials / 2 };
    for _ in 0..trials.max(1) {
        let mut daemon = scene.daemon();
        for _ in 0..options.connections {
            scene.dots.recv_timeout(PATIENCE).expect("mails go out");
        }
        std::thread::sleep(Duration::from_millis(chance.below(1000) as u64));
        while scene.dots.try_recv().is_ok() {}
        let since = Instant::now();
        terminate(&daemon);
        let status = daemon.wait().expect("our child");
        exits.push(since.elapsed());
        assert!(status.success(), "{status}");
        let mut last = since;
        while let Ok((at, _)) = scene.dots.try_recv() {
            last = last.max(at);
        }
        dots.push(last - since);
    }
    let late = latency.as_millis();
    say(place, &format!("SIGTERM, answers {late} ms late: exit"), exits);
    say(place, &format!("SIGTERM, answers {late} ms late: last dot"), dots);
}
