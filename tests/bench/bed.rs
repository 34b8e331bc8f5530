//! What every bench stands on: a PostgreSQL of its own that syncs, a fresh database
//! with an issue in it, the release binary, and what a process costs.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rundbrief::delivery::expand;
use rundbrief::issue::IssueId;
use rundbrief::letter::splice::{Head, Letter, Marks, Personal, content_hash};
use rundbrief::on;
use rundbrief::store::open::Location;
use rundbrief::store::value::Millis;
use rundbrief::store::{Kind, Store};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// Clock ticks a second in /proc (USER_HZ); 100 on every Linux we know.
const TICKS: f64 = 100.0;
/// Between two looks at a process.
const LOOK: Duration = Duration::from_millis(5);

/// A PostgreSQL at default durability, or the one that was named.
pub struct Server {
    url: String,
    directory: Option<PathBuf>,
}

impl Server {
    /// Starts one with `tests/postgres`, unless an address is given.
    pub fn start(given: Option<&str>) -> Server {
        if let Some(url) = given {
            return Server { url: url.to_owned(), directory: None };
        }
        let directory =
            std::env::temp_dir().join(format!("rundbrief-bench-{}", std::process::id()));
        let started = script().args(["start"]).arg(&directory).arg("synced").status();
        assert!(started.expect("tests/postgres runs").success(), "PostgreSQL does not start");
        let url = std::fs::read_to_string(directory.join("url")).expect("its address");
        Server { url: url.trim().to_owned(), directory: Some(directory) }
    }

    /// The server's process, where it is ours.
    pub fn pid(&self) -> Option<u32> {
        let file = self.directory.as_ref()?.join("data/postmaster.pid");
        std::fs::read_to_string(file).ok()?.lines().next()?.parse().ok()
    }

    fn ask(&self, text: String) {
        let asked = async {
            let mut connection = PgConnection::connect(&self.url).await.expect("the server");
            connection.execute(AssertSqlSafe(text)).await.expect("a superuser");
        };
        tokio::runtime::Runtime::new().expect("a runtime").block_on(asked);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(directory) = &self.directory {
            let _ = script().arg("stop").arg(directory).status();
        }
    }
}

fn script() -> Command {
    Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres"))
}

/// Which database a bench runs on.
pub enum Place {
    Sqlite,
    Postgres(Server),
}

impl Place {
    pub fn name(&self) -> &'static str {
        match self {
            Place::Sqlite => "SQLite",
            Place::Postgres(_) => "PostgreSQL",
        }
    }
}

/// A data directory with a fresh database; both are gone when it drops.
pub struct Bed<'a> {
    pub directory: tempfile::TempDir,
    pub database: String,
    name: String,
    place: &'a Place,
}

impl<'a> Bed<'a> {
    pub fn new(place: &'a Place) -> Bed<'a> {
        static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let name = format!("bench_{}_{count}", std::process::id());
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database = match place {
            Place::Sqlite => format!("sqlite:{}/rundbrief.db", directory.path().display()),
            Place::Postgres(server) => {
                server.ask(format!("create database {name}"));
                let mut url = url::Url::parse(&server.url).expect("an address");
                url.set_path(&name);
                url.into()
            }
        };
        let bed = Bed { directory, database, name, place };
        let directory = bed.directory.path();
        let init = bed.rundbrief(&["init", "--directory", ".", "--database", &bed.database]);
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        assert!(directory.join("rundbrief.toml").exists());
        bed
    }

    /// Runs a command to its end.
    pub fn rundbrief(&self, words: &[&str]) -> std::process::Output {
        self.command().args(words).output().expect("rundbrief runs")
    }

    /// The same, which must succeed; answers what it printed.
    pub fn done(&self, words: &[&str]) -> String {
        let output = self.rundbrief(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command
    }

    /// The same with a relay on this port of loopback.
    pub fn sender(&self, port: u16, connections: usize) -> Command {
        let mut command = self.command();
        command
            .env("RUNDBRIEF_TRANSPORT__RELAY__HOST", "127.0.0.1")
            .env("RUNDBRIEF_TRANSPORT__RELAY__PORT", port.to_string())
            .env("RUNDBRIEF_TRANSPORT__RELAY__TLS", "none")
            .env("RUNDBRIEF_TRANSPORT__RELAY__CONNECTIONS", connections.to_string())
            .env("RUNDBRIEF_TRANSPORT__RELAY__MESSAGES_PER_CONNECTION", "1000000")
            .env("RUNDBRIEF_WEB__LISTEN", "127.0.0.1:0");
        command
    }

    /// The process of its database server; none on SQLite.
    pub fn server(&self) -> Option<u32> {
        match self.place {
            Place::Sqlite => None,
            Place::Postgres(server) => server.pid(),
        }
    }

    pub async fn open(&self) -> Store {
        let location: Location = self.database.parse().expect("an address of either kind");
        Store::open(&location).await.expect("the database opens")
    }
}

impl Drop for Bed<'_> {
    fn drop(&mut self) {
        if let Place::Postgres(server) = self.place {
            server.ask(format!("drop database if exists {} with (force)", self.name));
        }
    }
}

/// Runs one statement.
pub async fn execute(store: &Store, text: &'static str) {
    let mut tx = store.begin().await.expect("a transaction");
    on!(tx, |c| sqlx::query(text).execute(c).await.map(|_| ())).expect(text);
    tx.commit().await.expect("it is stored");
}

/// A newsletter with so many readers, each at `readerN@example.org`.
pub async fn readers(store: &Store, count: usize) {
    execute(
        store,
        "insert into newsletter (id, slug, title, language, definition, created_at, updated_at)
         values (1, 'town', 'Town', 'de', '{\"sender\": {\"address\": \"news@example.org\"}}', 0, 0)",
    )
    .await;
    let text = match store.kind() {
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
    let mut tx = store.begin().await.expect("a transaction");
    on!(tx, |c| sqlx::query(text).bind(count as i64).execute(c).await.map(|_| ()))
        .expect("readers");
    tx.commit().await.expect("they are stored");
    execute(
        store,
        "insert into subscription (subscriber_id, newsletter_id, standing, since)
         select id, 1, 'active', 0 from subscriber order by id",
    )
    .await;
}

/// A frozen issue of about this many bytes to all readers, expanded.
pub async fn issue(store: &Store, id: i64, size: usize) {
    let mut tx = store.begin().await.expect("a transaction");
    let text = "
        insert into issue (id, newsletter_id, number, state, subject, preheader, content, created_at, frozen_at, updated_at)
        values ($1, 1, $1, 'expanding', 'Hello', '', '{\"sections\": []}', 0, 0, 0)";
    on!(tx, |c| sqlx::query(text).bind(id).execute(c).await.map(|_| ())).expect("an issue");
    let letter = letter(id, size).to_bytes();
    let text =
        "insert into letter (issue_id, content_hash, frozen, created_at) values ($1, $2, $3, 0)";
    on!(tx, |c| {
        let query = sqlx::query(text).bind(id).bind(content_hash(&letter).to_vec());
        query.bind(letter.clone()).execute(c).await.map(|_| ())
    })
    .expect("a letter");
    tx.commit().await.expect("it is stored");
    loop {
        let step = expand::step(store, IssueId(id), Millis(1)).await.expect("it expands");
        if step == expand::Progress::Idle {
            break;
        }
    }
    if store.kind() == Kind::Postgres {
        execute(store, "analyze").await;
    }
}

/// A letter of about this many bytes, with every slot that a real one has.
pub fn letter(issue: i64, size: usize) -> Letter {
    let marks = Marks::new(7);
    let language = rundbrief_templates::language::Language::German;
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
    Letter::cut(Head { issue, newsletter: 1, language }, message.as_bytes(), &marks)
}

/// Issues that all readers of newsletter 1 got long ago, numbered from 1.
pub async fn past(store: &Store, issues: usize) {
    for number in 1..=issues as i64 {
        let mut tx = store.begin().await.expect("a transaction");
        for text in [
            "insert into issue (newsletter_id, number, state, subject, preheader, content, total, created_at, frozen_at, finished_at, updated_at)
             select 1, $1, 'finished', 'Hello', '', '{\"sections\": []}', count(*), 1, 1, 1, 1
             from subscription",
            "insert into delivery (issue_id, subscriber_id, address_hash, domain, state, generation, attempts, transport, stage, code, reply, changed_at)
             select i.id, r.id, r.address_hash, r.domain, 'accepted', 1, 1, 'relay', 'dot', 250, '250 2.0.0 Ok', 1
             from subscriber r
             join issue i on i.number = $1
             order by r.id",
        ] {
            on!(tx, |c| sqlx::query(text).bind(number).execute(c).await.map(|_| ())).expect(text);
        }
        tx.commit().await.expect("it is stored");
    }
    if store.kind() == Kind::Postgres {
        execute(store, "analyze").await;
    }
}

/// A port of loopback that nobody listens on.
pub fn free_port() -> u16 {
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    free.local_addr().expect("an address").port()
}

/// What a process cost.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    pub seconds: f64,
    pub cpu: f64,
    /// Of the database server meanwhile; 0 on SQLite.
    pub server: f64,
    /// Of the sink, where it is a process of its own.
    pub sink: Option<f64>,
    /// Peak of resident memory, KiB.
    pub peak: u64,
}

/// Waits for a process; CPU and memory are read while it lives. Answers what it printed, too.
pub fn measure(mut child: Child, server: Option<u32>) -> (Cost, String) {
    let started = Instant::now();
    let pid = child.id();
    let before = server.map_or(0.0, |pid| cpu(pid, true));
    let (mut used, mut peak) = (0.0_f64, 0);
    while child.try_wait().expect("the process can be asked").is_none() {
        used = used.max(cpu(pid, false));
        peak = peak.max(memory(pid, "VmHWM:"));
        std::thread::sleep(LOOK);
    }
    let seconds = started.elapsed().as_secs_f64();
    let server = server.map_or(0.0, |pid| cpu(pid, true)) - before;
    let mut said = String::new();
    if let Some(mut out) = child.stdout.take() {
        use std::io::Read;
        let _ = out.read_to_string(&mut said);
    }
    (Cost { seconds, cpu: used, server, sink: None, peak }, said)
}

/// Seconds of CPU a process has used; with its children, living and waited for, too.
pub fn cpu(pid: u32, children: bool) -> f64 {
    let own = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let fields: Vec<u64> = stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_ascii_whitespace()
            .map(|field| field.parse().unwrap_or(0))
            .collect();
        let sum =
            |from: usize, to: usize| fields.get(from..to).map_or(0, |f| f.iter().sum::<u64>());
        (sum(11, 13), sum(13, 15))
    };
    let (mut used, waited) = own(pid);
    if children {
        let list = format!("/proc/{pid}/task/{pid}/children");
        let list = std::fs::read_to_string(list).unwrap_or_default();
        let living = list.split_ascii_whitespace().filter_map(|child| child.parse().ok());
        used += waited + living.map(|child| own(child).0).sum::<u64>();
    }
    used as f64 / TICKS
}

/// A line of a process's status, in KiB.
pub fn memory(pid: u32, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let found = status.lines().find_map(|text| text.strip_prefix(line));
    found.and_then(|text| text.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Adds a fresh RSA key of 2048 bits to the configuration.
pub fn sign(directory: &Path) {
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

/// Numbers that look random and are the same for the same seed (xorshift).
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(2).wrapping_add(1))
    }

    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}
