//! One worker is cut off from PostgreSQL while another goes on: the wire to the
//! database says nothing, or refuses. It writes no dot without a lease, what it holds
//! is safe, and it goes on when the wire does.

use std::process::Child;
use std::time::Duration;

use rundbrief::read;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::app::{App, on_postgres};
use crate::delivery::{books, copies, issue, readers};
use crate::relay::{Fault, Offer, Relay};
use crate::role::{end, prepare, prepare_at, rundbrief, signed_on};

/// Longer than a worker writes dots without a heartbeat, which is half its time to live.
const LEASE_IS_OVER: Duration = Duration::from_secs(17);

/// How the wire is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wire {
    Open,
    /// Nothing comes through and nothing is said about it.
    Silent,
    /// What was open is closed, and nothing is opened.
    Refuses,
}

/// A wire to the database that can be cut.
struct Proxy {
    port: u16,
    wire: watch::Sender<Wire>,
}

impl Proxy {
    async fn before(port: u16) -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (wire, state) = watch::channel(Wire::Open);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                if *state.borrow() == Wire::Refuses {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                let ((from, to), (back, home)) = (client.into_split(), server.into_split());
                tokio::spawn(pump(from, home, state.clone()));
                tokio::spawn(pump(back, to, state.clone()));
            }
        });
        Proxy { port: own, wire }
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut wire: watch::Receiver<Wire>,
) -> Option<()> {
    let mut bytes = vec![0; 64 * 1024];
    let mut refuses = wire.clone();
    loop {
        let n = tokio::select! {
            read = from.read(&mut bytes) => read.ok().filter(|n| *n > 0)?,
            _ = refuses.wait_for(|wire| *wire == Wire::Refuses) => return None,
        };
        // Held up, not lost, as TCP does it.
        let now = *wire.wait_for(|wire| *wire != Wire::Silent).await.ok()?;
        if now == Wire::Refuses {
            return None;
        }
        to.write_all(&bytes[..n]).await.ok()?;
    }
}

#[test]
fn a_worker_whose_database_is_silent_writes_no_dot_without_its_lease() {
    on_postgres(|app| cut(app, Wire::Silent));
}

#[test]
fn a_worker_whose_database_refuses_is_taken_for_dead_and_recovers() {
    on_postgres(|app| cut(app, Wire::Refuses));
}

/// Deliveries in this state whose worker has this directory.
async fn held(app: &App, state: &str, name: &str) -> i64 {
    let text = "
        select count(*)
        from delivery d
        join worker w on w.id = d.worker_id
        where d.state = $1 and w.host like '%/' || $2 || '#%'";
    read!(app.store, |db| sqlx::query_scalar(text).bind(state).bind(name).fetch_one(db).await)
        .unwrap()
}

async fn cut(app: App, how: Wire) {
    let (lonely, other) =
        (Relay::start(Offer::default()).await, Relay::start(Offer::default()).await);
    let mut address = url::Url::parse(&app.database).unwrap();
    let proxy = Proxy::before(address.port().unwrap()).await;
    address.set_port(Some(proxy.port)).unwrap();
    let worker = ["run", "--role", "worker"];
    let far = prepare_at(&app, "far", lonely.port, address.as_str());
    let far = rundbrief(&far, &worker).spawn().unwrap();
    while signed_on(&app).await < 1 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let total = 6000;
    let issue = issue(&app, &readers(total)).await;
    // It sends fast and so has much in hand; then its relay holds the answers back.
    while lonely.caught().len() < 1500 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    lonely.play(Fault::Holds);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let in_hand = held(&app, "sending", "far").await;
    assert!(in_hand > 4, "{in_hand} marked: too few to see anything");
    proxy.wire.send_replace(how);
    let near = prepare(&app, "near", other.port);
    let near = rundbrief(&near, &worker).spawn().unwrap();
    tokio::time::sleep(LEASE_IS_OVER).await;
    let before = lonely.caught().len();
    lonely.play(Fault::None);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(lonely.caught().len(), before, "a dot without a lease");
    if how == Wire::Refuses {
        // Its claims are somebody else's by now; its mails on the wire are not.
        while held(&app, "claimed", "far").await > 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(held(&app, "sending", "far").await, in_hand);
    }
    assert!(!other.caught().is_empty(), "the other one does not go on");
    proxy.wire.send_replace(Wire::Open);
    finish(&app, issue, [&lonely, &other], total, [far, near]).await;
}

async fn finish(
    app: &App,
    issue: rundbrief::issue::IssueId,
    relays: [&Relay; 2],
    total: usize,
    workers: [Child; 2],
) {
    while (books(app, issue).await.accepted as usize) < total {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for worker in workers {
        end(worker).await;
    }
    let mut all = copies(relays[0]);
    for (reader, copies) in copies(relays[1]) {
        *all.entry(reader).or_insert(0) += copies;
    }
    assert_eq!(all.len(), total, "somebody was lost");
    // No worker died: every reply was heard and is in a journal.
    assert!(all.values().all(|n| *n == 1), "somebody got two");
}
