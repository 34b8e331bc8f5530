//! The PostgreSQL that tests share, and one fresh database in it per test.
//!
//! `tests/run` names a server in `TEST_POSTGRES`. Without it (a plain
//! `cargo nextest run`) the first test starts one through `tests/postgres guard`,
//! every test process holds a shared lock while it lives, and the server goes
//! some seconds after the last one. Nothing here skips: no server is a failure.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use rundbrief::store::open::Location;
use rundbrief::store::{Kind, Store, migration};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

/// The variable that names a running server: a superuser's `postgres://` address.
pub const SERVER: &str = "TEST_POSTGRES";
/// Starts and stops servers.
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/postgres");
/// How long `initdb` and the start may take on a busy machine.
const START: Duration = Duration::from_secs(120);
/// The advisory lock under which the template is made; any fixed number.
const TEMPLATE_LOCK: i64 = 7_246_113;

/// A database of its own for one test.
pub struct Database {
    /// Its address.
    pub url: String,
    name: String,
}

impl Database {
    /// Creates it from the migrated template.
    pub async fn create() -> Database {
        let mut admin = admin().await;
        let template = template(&mut admin).await;
        let name = unique_name();
        admin
            .execute(AssertSqlSafe(format!("create database {name} template {template}")))
            .await
            .expect("the test server creates databases");
        Database { url: url_of(&name), name }
    }

    /// Removes it, whoever is still connected.
    pub async fn remove(self) {
        let text = format!("drop database if exists {} with (force)", self.name);
        admin().await.execute(AssertSqlSafe(text)).await.expect("the test's database can go");
    }
}

/// A server that one test has for itself and may kill. It syncs, as servers do.
pub struct Server {
    /// The address of its one database.
    pub url: String,
    directory: PathBuf,
}

impl Server {
    pub fn start() -> Server {
        let name = format!("rundbrief-postgres-own-{}", std::process::id());
        let directory = std::env::temp_dir().join(name);
        run(&["start".as_ref(), directory.as_os_str(), "synced".as_ref()]);
        let url = std::fs::read_to_string(directory.join("url")).expect("its address");
        Server { url: url.trim().to_owned(), directory }
    }

    /// Ends the server itself as a crash would.
    pub fn kill(&self) {
        let file = self.directory.join("data/postmaster.pid");
        let text = std::fs::read_to_string(file).expect("a server that runs");
        let pid = text.lines().next().expect("its process").parse().expect("a number");
        kill(pid);
    }

    /// Starts it where it was.
    pub fn again(&self) {
        run(&["again".as_ref(), self.directory.as_os_str()]);
    }

    /// A connection of one's own.
    pub async fn connect(&self) -> sqlx::Result<PgConnection> {
        PgConnection::connect(&self.url).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        run(&["stop".as_ref(), self.directory.as_os_str()]);
    }
}

/// Ends a process that cannot refuse.
pub fn kill(pid: i32) {
    let killed = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
    assert!(killed.expect("kill runs").success(), "no process {pid}");
}

fn run(arguments: &[&OsStr]) {
    let status = Command::new(SCRIPT).args(arguments).stdin(Stdio::null()).status();
    assert!(status.expect("tests/postgres runs").success(), "{arguments:?}");
}

async fn admin() -> PgConnection {
    PgConnection::connect(server()).await.expect("the test server answers")
}

/// Only letters, digits and underscores: it stands in SQL unquoted.
fn unique_name() -> String {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("test_{}_{count}", std::process::id())
}

fn url_of(name: &str) -> String {
    let mut url = url::Url::parse(server()).expect("the server's address is a URL");
    url.set_path(name);
    url.into()
}

/// The name of the migrated template, made by whoever comes first; one per
/// wording of the schema, since a shared server outlives a change of it.
async fn template(admin: &mut PgConnection) -> String {
    let mut schema = DefaultHasher::new();
    migration::migrator(Kind::Postgres).iter().for_each(|step| step.checksum.hash(&mut schema));
    let name = format!("rundbrief_{:016x}", schema.finish());
    let exists = |text| sqlx::query_scalar::<_, bool>(text).bind(name.clone());
    let known = "select datistemplate from pg_database where datname = $1 and datistemplate";
    if exists(known).fetch_optional(&mut *admin).await.expect("a look").is_some() {
        return name;
    }
    let lock = sqlx::query("select pg_advisory_lock($1)").bind(TEMPLATE_LOCK);
    lock.execute(&mut *admin).await.expect("an advisory lock");
    if exists(known).fetch_optional(&mut *admin).await.expect("a look").is_none() {
        for text in ["drop database if exists", "create database"] {
            let text = AssertSqlSafe(format!("{text} {name}"));
            admin.execute(text).await.expect("the test server creates databases");
        }
        let location = Location::Postgres(url_of(&name));
        Store::open(&location).await.expect("the schema migrates").close().await;
        let done = AssertSqlSafe(format!("alter database {name} is_template true"));
        admin.execute(done).await.expect("the template is marked when it is complete");
    }
    let unlock = sqlx::query("select pg_advisory_unlock($1)").bind(TEMPLATE_LOCK);
    unlock.execute(&mut *admin).await.expect("an advisory unlock");
    name
}

/// The server's address.
fn server() -> &'static str {
    static URL: LazyLock<String> = LazyLock::new(|| match std::env::var(SERVER) {
        Ok(url) => url,
        Err(_) => shared_server(),
    });
    &URL
}

/// Joins the server that this worktree's tests share, or starts it.
fn shared_server() -> String {
    static USING: OnceLock<File> = OnceLock::new();
    let directory = shared_directory();
    let lock = Path::new(env!("CARGO_TARGET_TMPDIR")).join("postgres");
    let users = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(lock.with_extension("users"))
        .expect("a lock file under target/tmp");
    // From here on the guard cannot take the server away.
    users.lock_shared().expect("a shared lock");
    USING.set(users).expect("set once, by the one initialiser of the address");

    let log = lock.with_extension("log");
    let guard = || {
        let log = File::create(&log).expect("a log under target/tmp");
        // Its own session: it outlives this process, and nextest does not wait for it.
        Command::new("setsid")
            .args(["--fork", SCRIPT, "guard"])
            .arg(&directory)
            .arg(&lock)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .status()
            .expect("setsid (util-linux) runs");
    };
    let url = directory.join("url");
    let started = Instant::now();
    let mut asked = None::<Instant>;
    loop {
        if let Ok(url) = std::fs::read_to_string(&url) {
            return url.trim().to_owned();
        }
        // A guard that is already there makes a second one leave at once.
        if asked.is_none_or(|at| at.elapsed() > Duration::from_secs(15)) {
            guard();
            asked = Some(Instant::now());
        }
        let said = || std::fs::read_to_string(&log).unwrap_or_default();
        assert!(started.elapsed() < START, "PostgreSQL did not start: {}", said());
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// One per checkout. Not under target: the server's own user may not get there.
fn shared_directory() -> PathBuf {
    let mut hasher = DefaultHasher::new();
    env!("CARGO_TARGET_TMPDIR").hash(&mut hasher);
    std::env::temp_dir().join(format!("rundbrief-postgres-{:016x}", hasher.finish()))
}
