//! What wakes a loop before its time: PostgreSQL's word that an issue changed, or
//! another loop of this process. Nothing depends on it; a bell that is not heard
//! costs the loop's usual wait.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::tick::Hands;
use crate::store::Store;

/// Before the database is asked to listen to again.
const RECONNECT: Duration = Duration::from_secs(5);

/// Rings for the loops that care about issues.
#[derive(Debug, Clone)]
pub struct Bell {
    rung: Arc<watch::Sender<u64>>,
    hands: Arc<Hands>,
}

impl Bell {
    /// A bell that has not rung yet.
    pub fn new(hands: Arc<Hands>) -> Bell {
        Bell { rung: Arc::new(watch::Sender::new(0)), hands }
    }

    /// An issue changed.
    pub fn ring(&self) {
        self.hands.wake();
        self.rung.send_modify(|count| *count += 1);
    }

    /// Hears every ring from now on.
    pub fn hear(&self) -> watch::Receiver<u64> {
        self.rung.subscribe()
    }

    /// Rings whenever PostgreSQL says so, until stopped; on SQLite it ends at once.
    pub async fn follow(self, store: Store, mut stopping: watch::Receiver<bool>) {
        let mut told = false;
        while !*stopping.borrow() {
            let heard = tokio::select! {
                _ = stopping.changed() => return,
                heard = self.listen(&store) => heard,
            };
            let Err(error) = heard else { return };
            // Once: whoever really needs the database says the same, and louder.
            if !std::mem::replace(&mut told, true) {
                tracing::info!(%error, "daemon: nobody wakes us, we look by the clock");
            }
            tokio::select! {
                _ = stopping.changed() => return,
                () = tokio::time::sleep(RECONNECT) => {}
            }
        }
    }

    async fn listen(&self, store: &Store) -> sqlx::Result<()> {
        let Some(mut listener) = store.listen().await? else { return Ok(()) };
        loop {
            // Once at the beginning, too: nobody listened until now.
            self.ring();
            listener.heard().await?;
        }
    }
}
