//! Every kind of page there is, how long the slowest takes, and what a reader waits
//! for who saves something.

use std::cell::Cell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use rundbrief::config::key;
use rundbrief::daemon::pulse::Pulse;
use rundbrief::issue::IssueId;
use rundbrief::metrics::{self, Sight};
use rundbrief::store::Store;
use rundbrief::store::value::Millis;
use rundbrief::web::{self, Site};
use rundbrief_subscribers::token::{Kind, ReaderToken};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::bed::Bed;

/// The slowest answer of several.
#[derive(Clone, Default)]
pub struct Slow {
    millis: f64,
    path: String,
}

impl Slow {
    /// Keeps the slower one.
    pub fn keep(&mut self, other: Slow) {
        if other.millis > self.millis {
            *self = other;
        }
    }
}

impl std::fmt::Display for Slow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} ms ({})", self.millis, self.path)
    }
}

/// The pages, served from this process; a reader's form goes to the daemon, whose
/// writer it has to share.
pub struct Pages {
    own: SocketAddr,
    metrics: SocketAddr,
    daemon: SocketAddr,
    paths: Vec<String>,
    form: String,
    saved: Cell<u64>,
}

impl Pages {
    pub async fn serve(store: &Store, bed: &Bed<'_>, web: u16, issue: IssueId) -> Pages {
        let key = key::read(bed.directory.path()).expect("init wrote it");
        let IssueId(issue) = issue;
        let token =
            |kind| ReaderToken { kind, issue, subscriber: 1, newsletter: 1 }.seal(&key.token());
        let (leave, prefer) = (token(Kind::Unsubscribe), token(Kind::Preferences));
        let mut paths = vec!["/archive".to_owned(), "/archive/town".to_owned()];
        paths.extend(["/report".to_owned(), "/healthz".to_owned(), "/readyz".to_owned()]);
        paths.extend([format!("/archive/town/{issue}"), format!("/report/{issue}")]);
        paths.extend([format!("/u/{leave}"), format!("/p/{prefer}")]);
        // Its loops are the daemon's affair.
        let pulse = Arc::new(Pulse::of(&[], Instant::now()));
        let (store, clock) = (store.clone(), || Millis(1));
        let sight = Sight { store: store.clone(), pulse: Arc::clone(&pulse), token: None, clock };
        let address = "http://127.0.0.1:8025".parse().expect("a web address");
        let site = Site { store, key, address, webhooks: Arc::default(), pulse, open_house: true };
        let form = format!("/p/{prefer}");
        let daemon = SocketAddr::from(([127, 0, 0, 1], web));
        let own = listen(web::router(site)).await;
        let metrics = listen(metrics::router(sight)).await;
        Pages { own, metrics, daemon, paths, form, saved: Cell::new(0) }
    }

    /// Asks for each page once.
    pub async fn slowest(&self) -> Slow {
        let mut slowest = Slow::default();
        for path in &self.paths {
            slowest.keep(ask(self.own, path, None).await);
        }
        slowest.keep(ask(self.metrics, "/metrics", None).await);
        slowest
    }

    /// A reader saves another name.
    pub async fn saved(&self) -> Slow {
        self.saved.set(self.saved.get() + 1);
        let body = format!("given_name=Erika&family_name=Muster+{}", self.saved.get());
        ask(self.daemon, &self.form, Some(&body)).await
    }
}

async fn listen(router: axum::Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let at = listener.local_addr().expect("the port's number");
    tokio::spawn(async move { axum::serve(listener, router).await });
    at
}

/// One request: how long it took until the last byte.
async fn ask(at: SocketAddr, path: &str, form: Option<&str>) -> Slow {
    let started = Instant::now();
    let mut stream = tokio::net::TcpStream::connect(at).await.expect("a server");
    let head = "Host: localhost\r\nConnection: close\r\n";
    let request = match form {
        None => format!("GET {path} HTTP/1.1\r\n{head}\r\n"),
        Some(body) => format!(
            "POST {path} HTTP/1.1\r\n{head}Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    };
    stream.write_all(request.as_bytes()).await.expect("the server reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the server answers");
    let millis = started.elapsed().as_secs_f64() * 1000.0;
    let good = answer.starts_with(b"HTTP/1.1 2") || form.is_none();
    let first = String::from_utf8_lossy(&answer[..answer.len().min(12)]);
    assert!(good && !answer.starts_with(b"HTTP/1.1 5"), "{path}: {first}");
    // A token says nothing to anybody.
    let token = path.starts_with("/u/") || path.starts_with("/p/");
    Slow { millis, path: path[..if token { 2 } else { path.len() }].to_owned() }
}
