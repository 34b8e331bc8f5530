//! What ends a process that delivers: SIGTERM and Ctrl-C. Taken over before anybody
//! hears that it is ready, else an early one would end it without a drain.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals, once taken over.
#[derive(Debug)]
pub struct Signals {
    term: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes them over.
    ///
    /// # Errors
    /// The system does not let us listen.
    pub fn take() -> std::io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits for one; its name.
    pub async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.term.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Whether one came already.
    pub async fn came(&mut self) -> bool {
        tokio::select! {
            biased;
            _ = self.asked() => true,
            () = std::future::ready(()) => false,
        }
    }
}
