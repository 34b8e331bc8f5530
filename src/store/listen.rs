//! PostgreSQL says when an issue was queued, frozen, paused, resumed or cancelled
//! (LISTEN). It only wakes: what is missed is seen at the next look.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};

use super::{Inner, Store};

/// What the trigger on issues notifies.
const CHANNEL: &str = "rundbrief_issue";
/// How long a connection for it may take.
const CONNECT: Duration = Duration::from_secs(10);

/// A connection that listens; it takes none from the pool.
#[derive(Debug)]
pub struct Listener(PgListener);

impl Store {
    /// Listens from now on; none on SQLite, which tells nobody.
    ///
    /// # Errors
    /// The database cannot be reached, or something stands before it that keeps no
    /// session, as a pooler does.
    pub async fn listen(&self) -> sqlx::Result<Option<Listener>> {
        let options = match &self.inner {
            Inner::Sqlite { .. } => return Ok(None),
            Inner::Postgres(pool) => pool.connect_options(),
        };
        let own = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(CONNECT);
        let pool = own.connect_lazy_with(options.as_ref().clone());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.ignore_pool_close_event(true);
        listener.listen(CHANNEL).await?;
        Ok(Some(Listener(listener)))
    }
}

impl Listener {
    /// Waits until something was said, or may have been while the connection was lost.
    ///
    /// # Errors
    /// The connection is lost and does not come back: listen anew.
    pub async fn heard(&mut self) -> sqlx::Result<()> {
        self.0.try_recv().await.map(drop)
    }
}
