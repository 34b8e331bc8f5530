//! What the loops do that fetch what came back, and where the mail server hands it
//! over. Each does one batch in a turn; without configuration a turn does nothing.

use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;

use super::tick::Next;
use crate::cli::Open;
use crate::config::mailbox::{Imap, Mbox, Pop3};
use crate::intake::listener::{Listener, Mailboxes};
use crate::intake::{Step, imap, mbox, pop3};
use crate::store::Store;
use crate::store::value::Millis;

/// The longest wait for news in one turn; the loop shows that it lives.
const WAIT: Duration = Duration::from_secs(50);
/// The longest wait for the next client in one turn.
const NOBODY: Duration = Duration::from_secs(30);

/// The ways in that are configured.
#[derive(Debug)]
pub struct Inlets {
    store: Store,
    clock: fn() -> Millis,
    stopping: watch::Receiver<bool>,
    imap: Option<Imap>,
    session: Mutex<Option<imap::Mailbox>>,
    pop3: Option<Pop3>,
    mbox: Option<Mbox>,
    listener: Option<Listener>,
    clients: Mutex<JoinSet<()>>,
}

impl Inlets {
    /// Opens the socket for the mail server; mailboxes are opened by their turns.
    ///
    /// # Errors
    /// The socket's place is taken, or may not be written.
    pub async fn begin(
        open: &Open,
        clock: fn() -> Millis,
        stopping: watch::Receiver<bool>,
    ) -> anyhow::Result<Inlets> {
        let (bounce, mail) = (&open.config.bounce, &open.config.mail);
        let listener = match &bounce.lmtp {
            Some(lmtp) => {
                let ours = [Some(mail.return_path.as_str()), mail.unsubscribe.as_deref()];
                let ours = Mailboxes::new(ours.into_iter().flatten());
                Some(Listener::bind(lmtp, &mail.domain, ours).await?)
            }
            None => None,
        };
        Ok(Inlets {
            store: open.store.clone(),
            clock,
            stopping,
            imap: bounce.imap.clone(),
            session: Mutex::new(None),
            pop3: bounce.pop3.clone(),
            mbox: bounce.mbox.clone(),
            listener,
            clients: Mutex::new(JoinSet::new()),
        })
    }

    /// One batch by IMAP, or the wait for news. After an error the mailbox is opened anew.
    ///
    /// # Errors
    /// The server or the database failed.
    pub async fn imap(&self) -> anyhow::Result<Next> {
        let Some(config) = &self.imap else { return Ok(Next::Wait) };
        let mut held = self.session.lock().await;
        let mut mailbox = match held.take() {
            Some(mailbox) => mailbox,
            None => imap::Mailbox::open(config).await?,
        };
        let step = mailbox.step(&self.store, (self.clock)()).await?;
        note("imap", step);
        if !step.more {
            let mut stopping = self.stopping.clone();
            mailbox = tokio::select! {
                waited = mailbox.wait(WAIT) => waited?,
                _ = stopping.wait_for(|stop| *stop) => return Ok(Next::Wait),
            };
        }
        *held = Some(mailbox);
        Ok(Next::Again)
    }

    /// One session by POP3.
    ///
    /// # Errors
    /// The server or the database failed.
    pub async fn pop3(&self) -> anyhow::Result<Next> {
        let Some(config) = &self.pop3 else { return Ok(Next::Wait) };
        let step = pop3::step(config, &self.store, (self.clock)()).await?;
        note("pop3", step);
        Ok(after(step))
    }

    /// One batch of the mailbox in a file.
    ///
    /// # Errors
    /// The file cannot be locked or read, or the database failed.
    pub async fn mbox(&self) -> anyhow::Result<Next> {
        let Some(config) = &self.mbox else { return Ok(Next::Wait) };
        let step = mbox::step(config, &self.store, (self.clock)()).await?;
        note("mbox", step);
        Ok(after(step))
    }

    /// Everything that waits in the mailboxes now, without waiting for more.
    ///
    /// # Errors
    /// A server, the file or the database failed.
    pub async fn once(&self) -> anyhow::Result<()> {
        if let Some(config) = &self.imap {
            let mut mailbox = imap::Mailbox::open(config).await?;
            while mailbox.step(&self.store, (self.clock)()).await?.more {}
            mailbox.close().await;
        }
        while self.pop3().await? == Next::Again {}
        while self.mbox().await? == Next::Again {}
        Ok(())
    }

    /// Lets the next client in and serves it beside.
    ///
    /// # Errors
    /// The system gives no more connections now.
    pub async fn listen(&self) -> anyhow::Result<Next> {
        let Some(listener) = &self.listener else { return Ok(Next::Wait) };
        let mut stopping = self.stopping.clone();
        let client = tokio::select! {
            client = listener.accept() => client?,
            () = tokio::time::sleep(NOBODY) => return Ok(Next::Again),
            _ = stopping.wait_for(|stop| *stop) => return Ok(Next::Wait),
        };
        let (store, clock) = (self.store.clone(), self.clock);
        let mut clients = self.clients.lock().await;
        while clients.try_join_next().is_some() {}
        clients.spawn(async move {
            let served = tokio::select! {
                served = client.serve(&store, clock) => served,
                // Between two mails nothing is lost: an unanswered one comes again.
                _ = stopping.wait_for(|stop| *stop) => return,
            };
            match served {
                Ok(step) => note("lmtp", step),
                Err(error) => {
                    tracing::warn!(error = format!("{error:#}"), "intake: a client broke off");
                }
            }
        });
        Ok(Next::Again)
    }
}

fn after(step: Step) -> Next {
    if step.more { Next::Again } else { Next::Wait }
}

fn note(intake: &str, step: Step) {
    if step.new + step.known > 0 {
        tracing::info!(intake, new = step.new, known = step.known, "intake: stored");
    }
}
