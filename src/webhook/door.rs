//! The door for providers: a request in; believed, read, stored, and only then
//! answered. Knows no web framework.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{self, SHA256};
use rundbrief_subscribers::token::Key;
use serde_json::Value;

use super::certificate::Certificates;
use super::event::{Event, Kind};
use super::proof::{Refusal, Request};
use super::{Proven, Provider, Webhook};
use crate::bounce::inbox::{self, Intake, Received};
use crate::bounce::verdict;
use crate::config;
use crate::on;
use crate::store::value::Millis;
use crate::store::{Store, Tx};

/// How long a token that is taken once is remembered, in milliseconds; longer
/// than any provider's window.
const TOKEN_KEPT: i64 = 2 * 24 * 60 * 60 * 1000;

/// Every endpoint by name.
#[derive(Debug, Default)]
pub struct Door {
    webhooks: BTreeMap<String, Webhook>,
    certificates: Certificates,
}

/// What is said to a provider whose request is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Everything is stored.
    Stored(Counts),
    /// This text, as JSON.
    Say(String),
    /// The topic sends from now on.
    Confirmed,
}

/// What became of a request's events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Stored now.
    pub new: usize,
    /// Stored before.
    pub known: usize,
    /// Not followed: handed over, delivered, opened, clicked.
    pub passed: usize,
}

/// Why a request has no success. Nothing of it was stored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no endpoint of this name.
    #[error("no webhook of this name is in the configuration")]
    Unknown,
    /// It is not believed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Something of ours, or SNS, does not work now; the provider tries again.
    #[error(transparent)]
    Later(#[from] anyhow::Error),
}

impl Door {
    /// Opens the endpoints of the configuration.
    ///
    /// # Errors
    /// A secret cannot be read, or has not the form that its provider gives it.
    pub fn open(from: &BTreeMap<String, config::webhook::Webhook>) -> anyhow::Result<Door> {
        let open = |(name, from): (&String, &config::webhook::Webhook)| {
            Webhook::open(name, from).map(|webhook| (name.clone(), webhook))
        };
        let webhooks = from.iter().map(open).collect::<anyhow::Result<_>>()?;
        let any_sns = from.values().any(|webhook| webhook.provider == Provider::Ses);
        let certificates = if any_sns { Certificates::open()? } else { Certificates::default() };
        Ok(Door { webhooks, certificates })
    }

    /// The keys of SNS that are known.
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// Takes a provider's request. When this returns without an error, everything
    /// it says is stored. `key` proves which delivery an event is about.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn receive(
        &self,
        store: &Store,
        key: &Key,
        name: &str,
        request: &Request<'_>,
        now: Millis,
    ) -> Result<Answer, Error> {
        let webhook = self.webhooks.get(name).ok_or(Error::Unknown)?;
        let certificate = match webhook.certificate(request)? {
            Some(address) => Some(self.certificates.key(&address).await?),
            None => None,
        };
        match webhook.verify(request, certificate.as_deref(), now)? {
            Proven::Events(body, token) => {
                let taken = Taken { webhook, key, token: token.as_deref(), now };
                let counts = events(store, &taken, request, &body).await?;
                tracing::info!(
                    webhook = name,
                    new = counts.new,
                    known = counts.known,
                    passed = counts.passed,
                    "webhook: stored"
                );
                Ok(Answer::Stored(counts))
            }
            Proven::Mail => {
                let mut tx = store.begin().await.map_err(anyhow::Error::from)?;
                let received = inbox::receive(&mut tx, Intake::Webhook, request.body, now)
                    .await
                    .map_err(anyhow::Error::from)?;
                tx.commit().await.map_err(anyhow::Error::from)?;
                let mut counts = Counts::default();
                counts.count(received);
                Ok(Answer::Stored(counts))
            }
            Proven::Unreadable => {
                let event = Event::new(Kind::Unclear, &Value::String(lossy(request.body)));
                let taken = Taken { webhook, key, token: None, now };
                let counts = keep(store, &taken, &[event]).await?;
                Ok(Answer::Stored(counts))
            }
            Proven::Validation(text) => Ok(Answer::Say(text)),
            Proven::Confirm(address) => {
                self.certificates.call(&address).await?;
                tracing::info!(webhook = name, "webhook: confirmed a topic");
                Ok(Answer::Confirmed)
            }
        }
    }
}

impl Counts {
    fn count(&mut self, received: Received) {
        match received {
            Received::New(_) => self.new += 1,
            Received::Known => self.known += 1,
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A request that is believed.
struct Taken<'a> {
    webhook: &'a Webhook,
    /// Proves which delivery an event is about.
    key: &'a Key,
    /// Taken once, where there is one.
    token: Option<&'a str>,
    now: Millis,
}

async fn events(
    store: &Store,
    taken: &Taken<'_>,
    request: &Request<'_>,
    body: &Value,
) -> Result<Counts, Error> {
    let events = match super::read(taken.webhook.provider, body) {
        Ok(events) => events,
        // Believed and not understood: a person looks at it.
        Err(_) => vec![Event::new(Kind::Unclear, &Value::String(lossy(request.body)))],
    };
    keep(store, taken, &events).await
}

/// Stores the events in one transaction.
async fn keep(store: &Store, taken: &Taken<'_>, events: &[Event]) -> Result<Counts, Error> {
    let Taken { webhook, key, token, now } = *taken;
    let mut counts = Counts::default();
    let mut tx = store.begin().await.map_err(anyhow::Error::from)?;
    let fresh = match token {
        Some(token) => take(&mut tx, &webhook.name, token, now).await?,
        None => true,
    };
    for event in events {
        let Some(report) = event.report() else {
            counts.passed += 1;
            // Nothing to read and nothing to decide: what it proves stands in the ledger.
            if event.kind == Kind::Delivered
                && let Some(token) = event.token()
            {
                verdict::delivered(&mut tx, key, &token, now).await.map_err(anyhow::Error::from)?;
            }
            continue;
        };
        let (digest, raw) = (event.digest(&webhook.name), event.raw.to_string());
        let received =
            inbox::store(&mut tx, Intake::Webhook, &digest, &report, raw.as_bytes(), now)
                .await
                .map_err(anyhow::Error::from)?;
        counts.count(received);
    }
    // A provider that heard no answer may send the very same again; another
    // event under a used token is somebody else's.
    if !fresh && counts.new > 0 {
        return Err(Refusal::Replayed.into());
    }
    tx.commit().await.map_err(anyhow::Error::from)?;
    Ok(counts)
}

/// Takes a token; whether it was there to take. Forgets old ones.
async fn take(tx: &mut Tx, webhook: &str, token: &str, now: Millis) -> anyhow::Result<bool> {
    const TAKE: &str = "insert into webhook_token (digest, at) values ($1, $2) \
                        on conflict (digest) do nothing returning at";
    const FORGET: &str = "delete from webhook_token where at < $1";
    let hash = digest::digest(&SHA256, format!("{webhook}\n{token}").as_bytes());
    let row: Option<(Millis,)> =
        on!(*tx, |c| sqlx::query_as(TAKE).bind(hash.as_ref()).bind(now).fetch_optional(c).await)?;
    let old = Millis(now.0 - TOKEN_KEPT);
    on!(*tx, |c| sqlx::query(FORGET).bind(old).execute(c).await.map(drop))?;
    Ok(row.is_some())
}
