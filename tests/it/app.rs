//! What a test gets: an application with a fresh, migrated database.
//!
//! ```ignore
//! crate::app::on_both![a_reader_leaves_and_is_gone];
//!
//! async fn a_reader_leaves_and_is_gone(app: App) { … }
//! ```
//! runs the body on SQLite and on PostgreSQL, as `sqlite::…` and `postgres::…`.

use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use futures_util::FutureExt as _;
use rundbrief::daemon::pulse::Pulse;
use rundbrief::store::Store;
use rundbrief::store::open::Location;
use rundbrief::web::{self, Site};
use rundbrief_subscribers::key::Master;
use tempfile::TempDir;
use tokio::net::TcpListener;

use crate::postgres::{Database, Server};

/// One test's application. Everything it made is gone when the test ends.
pub struct App {
    /// Its database: empty and migrated.
    pub store: Store,
    /// The address of the database, as it stands in rundbrief.toml.
    pub database: String,
    directory: TempDir,
}

impl App {
    async fn open(database: String, directory: TempDir) -> App {
        let location = database.parse::<Location>().expect("an address of either kind");
        let store = Store::open(&location).await.expect("the fresh database opens");
        App { store, database, directory }
    }

    /// Its web server on a free port of loopback, whose links this key signs.
    pub async fn serve(&self, key: Master) -> SocketAddr {
        self.serve_to(key, false).await
    }

    /// The same where everybody is an editor, as in the demo.
    pub async fn serve_editors(&self, key: Master) -> SocketAddr {
        self.serve_to(key, true).await
    }

    async fn serve_to(&self, key: Master, open_house: bool) -> SocketAddr {
        let site = Site {
            store: self.store.clone(),
            key,
            address: "http://127.0.0.1:8025".parse().expect("a web address"),
            webhooks: Arc::default(),
            pulse: Arc::new(Pulse::new(Instant::now())),
            open_house,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let at = listener.local_addr().expect("the port's number");
        tokio::spawn(async move { axum::serve(listener, web::router(site)).await });
        at
    }

    /// The test's own directory; it is also the data directory.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}

/// Runs a body on SQLite.
pub fn on_sqlite<F: Future<Output = ()> + 'static>(body: impl FnOnce(App) -> F) {
    runtime().block_on(async {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database = format!("sqlite:{}", directory.path().join("rundbrief.db").display());
        body(App::open(database, directory).await).await;
    });
}

/// Runs a body on PostgreSQL, and removes the database however the body ended.
pub fn on_postgres<F: Future<Output = ()> + 'static>(body: impl FnOnce(App) -> F) {
    runtime().block_on(async {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let database = Database::create().await;
        let app = App::open(database.url.clone(), directory).await;
        // A panic ends the body only, and the database can still go.
        let ended = AssertUnwindSafe(body(app)).catch_unwind().await;
        database.remove().await;
        if let Err(error) = ended {
            std::panic::resume_unwind(error);
        }
    });
}

/// Runs a body on a PostgreSQL server of its own, which it may kill.
pub fn on_own_postgres<F: Future<Output = ()> + 'static>(body: impl FnOnce(App, Server) -> F) {
    runtime().block_on(async {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let server = Server::start();
        let app = App::open(server.url.clone(), directory).await;
        body(app, server).await;
    });
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Makes one test per database out of each named `async fn(App)` of this file.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                crate::app::on_sqlite(super::$name);
            })+
        }
        mod postgres {
            $(#[test]
            fn $name() {
                crate::app::on_postgres(super::$name);
            })+
        }
    };
}
pub(crate) use on_both;
