//! What a monitor asks for, in Prometheus' text format: deliveries that are not at
//! their end, outcomes, breakers and pace of each transport, journal, bounces, loops.
//!
//! It has an address and port of its own, on this machine only or behind a token, and
//! says no address of a reader. Everything is read when it is asked for; counters
//! begin at nought with their process.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use secrecy::{ExposeSecret as _, SecretString};

use crate::daemon::pulse::Pulse;
use crate::delivery::breaker::Gate;
use crate::delivery::line::{self, Seen};
use crate::delivery::settle::WORKER_LIVES;
use crate::read;
use crate::store::Store;
use crate::store::value::Millis;
use crate::webhook::proof;

/// The format's version, as a scraper expects it.
const FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";
/// Slowed domains that are named for each transport, the slowest first.
const DOMAINS: usize = 20;

/// What the answer is made of.
#[derive(Clone, Debug)]
pub struct Sight {
    /// The database.
    pub store: Store,
    /// How the loops of this process are.
    pub pulse: Arc<Pulse>,
    /// What the monitor must show, if anything.
    pub token: Option<SecretString>,
    /// Reads the time.
    pub clock: fn() -> Millis,
}

/// `/metrics` and nothing else.
pub fn router(sight: Sight) -> Router {
    Router::new().route("/metrics", get(answer)).with_state(sight)
}

async fn answer(State(sight): State<Sight>, headers: HeaderMap) -> Response {
    if let Some(token) = &sight.token {
        let shown = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        if !proof::equal(shown.trim().as_bytes(), token.expose_secret().as_bytes()) {
            let wanted = [(header::WWW_AUTHENTICATE, "Bearer")];
            return (StatusCode::UNAUTHORIZED, wanted, "a token is needed\n").into_response();
        }
    }
    match text(&sight).await {
        Ok(text) => ([(header::CONTENT_TYPE, FORMAT)], text).into_response(),
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "metrics: not to be had");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

/// The whole answer.
///
/// # Errors
/// The database failed.
pub async fn text(sight: &Sight) -> anyhow::Result<String> {
    let now = (sight.clock)();
    let mut page = Page::default();
    page.process(sight, now);
    page.queue(&sight.store, now).await?;
    let mut seen = line::seen(&sight.store).await?;
    seen.retain(|one| !one.is_silent(now));
    page.transports(&seen, now);
    page.pace(&seen, now);
    Ok(page.text)
}

/// What a family of samples is.
#[derive(Clone, Copy)]
enum Kind {
    Gauge,
    Counter,
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    /// The head of a family; its samples follow.
    fn family(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Gauge => "gauge",
            Kind::Counter => "counter",
        };
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let open = if n == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{open}{label}=\"{text}\"");
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{close} {value}");
    }

    fn process(&mut self, sight: &Sight, now: Millis) {
        let monotonic = Instant::now();
        self.family("rundbrief_info", Kind::Gauge, "The version that runs.");
        self.sample("rundbrief_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
        let name = "process_start_time_seconds";
        self.family(name, Kind::Gauge, "When this process began, in seconds since 1970.");
        let began = now.before(sight.pulse.uptime(monotonic));
        self.sample(name, &[], began.0 as f64 / 1000.0);
        let name = "rundbrief_loop_silence_seconds";
        self.family(name, Kind::Gauge, "Since when a loop of this process has not turned.");
        for (which, seconds) in sight.pulse.ages(monotonic) {
            self.sample(name, &[("loop", which.as_str())], seconds);
        }
    }

    async fn queue(&mut self, store: &Store, now: Millis) -> anyhow::Result<()> {
        let issues = "select state, count(*) from issue group by state order by state";
        let issues: Vec<(String, i64)> =
            read!(store, |db| sqlx::query_as(issues).fetch_all(db).await)?;
        let name = "rundbrief_issues";
        self.family(name, Kind::Gauge, "Issues by state.");
        for (state, count) in issues {
            self.sample(name, &[("state", &state)], count as f64);
        }
        let counts = include_str!("metrics.sql");
        let since = now.before(WORKER_LIVES);
        let counts: (i64, i64, i64, i64, i64, i64, i64) =
            read!(store, |db| sqlx::query_as(counts).bind(since).fetch_one(db).await)?;
        let (open, claimed, sending, unknown, workers, new, review) = counts;
        let waiting = open - claimed - sending;
        let name = "rundbrief_deliveries_open";
        self.family(name, Kind::Gauge, "Deliveries that are not at their end.");
        for (state, count) in
            [("waiting", waiting), ("claimed", claimed), ("sending", sending), ("unknown", unknown)]
        {
            self.sample(name, &[("state", state)], count as f64);
        }
        let name = "rundbrief_workers";
        self.family(name, Kind::Gauge, "Processes that deliver and gave a sign of life.");
        self.sample(name, &[], workers as f64);
        let name = "rundbrief_bounces_waiting";
        self.family(name, Kind::Gauge, "Bounces to be read, and to be looked at by a person.");
        self.sample(name, &[("for", "reading")], new as f64);
        self.sample(name, &[("for", "review")], review as f64);
        Ok(())
    }

    fn transports(&mut self, seen: &[Seen], now: Millis) {
        let name = "rundbrief_delivery_outcomes_total";
        let help = "Mails by what came of a try, since the worker began.";
        self.family(name, Kind::Counter, help);
        for one in seen {
            for (scope, count) in &one.kept.outcomes {
                let labels = [one.transport(), one.worker(), ("scope", scope.as_str())];
                self.sample(name, &labels, *count as f64);
            }
        }
        let name = "rundbrief_transport_breaker";
        let help = "1 for the state that the breaker of a transport is in.";
        self.family(name, Kind::Gauge, help);
        for one in seen {
            let gate = one.kept.breaker.gate(now);
            for (state, is) in [
                ("closed", gate == Gate::Closed),
                ("probe", gate == Gate::Probe),
                ("open", matches!(gate, Gate::Open(_))),
            ] {
                let labels = [one.transport(), one.worker(), ("state", state)];
                self.sample(name, &labels, f64::from(u8::from(is)));
            }
        }
        self.each(seen, "rundbrief_transport_sessions", "Sessions that are open.", |one| {
            Some(one.kept.sessions as f64)
        });
        let help = "Sessions that may be open.";
        self.each(seen, "rundbrief_transport_sessions_limit", help, |one| {
            Some(one.kept.connections as f64)
        });
        let help = "Replies that the journal holds and the database not yet.";
        self.each(seen, "rundbrief_journal_records", help, |one| Some(one.kept.journal as f64));
    }

    fn pace(&mut self, seen: &[Seen], now: Millis) {
        let help = "Mails a second that the operator allows; absent without a limit.";
        self.each(seen, "rundbrief_transport_rate_limit", help, |one| one.kept.pace.rate());
        let help = "Mails that may go at once; absent without a limit.";
        self.each(seen, "rundbrief_transport_tokens", help, |one| one.kept.pace.tokens(now));
        let help = "Receiving domains that asked us to slow down.";
        self.each(seen, "rundbrief_transport_slowed_domains", help, |one| {
            Some(one.kept.pace.slowed().count() as f64)
        });
        let name = "rundbrief_transport_domain_rate";
        let help = "Mails a second to a slowed domain, the slowest ones.";
        self.family(name, Kind::Gauge, help);
        for one in seen {
            let mut slowed: Vec<(&str, f64)> = one.kept.pace.slowed().collect();
            slowed.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)));
            for (domain, rate) in slowed.into_iter().take(DOMAINS) {
                let labels = [one.transport(), one.worker(), ("domain", domain)];
                self.sample(name, &labels, rate);
            }
        }
    }

    fn each(&mut self, seen: &[Seen], name: &str, help: &str, of: impl Fn(&Seen) -> Option<f64>) {
        self.family(name, Kind::Gauge, help);
        for one in seen {
            if let Some(value) = of(one) {
                self.sample(name, &[one.transport(), one.worker()], value);
            }
        }
    }
}
