//! `rundbrief transport`: relays, as the workers found them.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::{Context, subscriber};
use crate::config::transport::{Tls, Transport};
use crate::delivery::breaker::Gate;
use crate::delivery::line::{self, Seen};
use crate::store::value::Millis;

/// What can be done with them.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// List all relays: whether they work, how fast they may be used, who slowed them down
    List,
}

/// Runs the command.
///
/// # Errors
/// The configuration or the database cannot be read.
pub async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::List => list(context).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn list(context: &Context) -> anyhow::Result<()> {
    let open = context.open().await?;
    let now = subscriber::now();
    let seen = line::seen(&open.store).await?;
    if open.config.transport.is_empty() {
        context.output.remark("no [transport.NAME] in the configuration: nothing is delivered");
    }
    for (name, transport) in &open.config.transport {
        let mut by: Vec<Option<&Seen>> =
            seen.iter().filter(|one| one.transport == *name).map(Some).collect();
        if by.is_empty() {
            // Never used: shown as it is configured.
            by.push(None);
        }
        for one in by {
            let record = object(name, transport, one, now);
            context.output.result(&record, text(&record));
        }
    }
    Ok(())
}

fn object(name: &str, transport: &Transport, seen: Option<&Seen>, now: Millis) -> Value {
    let tls = match transport.tls {
        Tls::Starttls => "starttls",
        Tls::Implicit => "implicit",
        Tls::None => "none",
    };
    let kept = seen.map(|one| &one.kept);
    let silent = seen.is_some_and(|one| one.is_silent(now));
    let (breaker, probe) = match kept.map(|kept| kept.breaker.gate(now)) {
        None | Some(Gate::Closed) => ("closed", None),
        Some(Gate::Probe) => ("probe", None),
        Some(Gate::Open(until)) => ("open", Some(until.to_string())),
    };
    let mut slowed: Vec<(&str, f64)> =
        kept.map(|kept| kept.pace.slowed().collect()).unwrap_or_default();
    slowed.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(b.0)));
    let domain =
        |(domain, rate): &(&str, f64)| json!({ "domain": domain, "messages_per_second": rate });
    json!({
        "transport": name,
        "relay": format!("{}:{}", transport.host, transport.port),
        "tls": tls,
        "breaker": breaker,
        // A trouble that is over explains nothing.
        "why": kept.filter(|_| breaker != "closed").and_then(|kept| kept.trouble.clone()),
        "next_probe": probe,
        "sessions": kept.filter(|_| !silent).map_or(0, |kept| kept.sessions),
        "connections": transport.connections,
        "mails_in_flight": transport.mails_in_flight,
        "unsynced_replies": transport.unsynced_replies,
        "messages_per_second": transport.messages_per_second,
        "messages_per_second_and_domain": transport.messages_per_second_and_domain,
        "tokens": kept.and_then(|kept| kept.pace.tokens(now)),
        "slowed": slowed.iter().map(domain).collect::<Vec<_>>(),
        "silent": silent,
        "worker": seen.map(|one| one.host.clone()),
        "seen_at": seen.map(|one| one.at.to_string()),
    })
}

fn text(record: &Value) -> String {
    let word = |name: &str| record[name].as_str().unwrap_or_default();
    let mut text = format!(
        "{:<12} {} ({})  {}",
        word("transport"),
        word("relay"),
        word("tls"),
        word("breaker")
    );
    if let Some(why) = record["why"].as_str() {
        text.push_str(&format!(": {why}"));
    }
    if let Some(probe) = record["next_probe"].as_str() {
        text.push_str(&format!(". Asked again at {probe}"));
    }
    let limit = match record["messages_per_second"].as_f64() {
        Some(rate) => format!(
            "{rate} a second at most, {:.1} at once now",
            record["tokens"].as_f64().unwrap_or(1.0)
        ),
        None => "as fast as the relay takes them".to_owned(),
    };
    text.push_str(&format!(
        "\n  {} of {} sessions, {limit}",
        record["sessions"], record["connections"]
    ));
    for slow in record["slowed"].as_array().into_iter().flatten() {
        let (domain, rate) = (slow["domain"].as_str(), slow["messages_per_second"].as_f64());
        let per_minute = rate.unwrap_or_default() * 60.0;
        text.push_str(&format!(
            "\n  slowed: {} to {per_minute:.1} a minute",
            domain.unwrap_or_default()
        ));
    }
    match (record["seen_at"].as_str(), record["worker"].as_str()) {
        (Some(at), Some(worker)) if record["silent"] == true => text.push_str(&format!(
            "\n  {worker} said nothing since {at}: it was stopped, or does not reach the database"
        )),
        (Some(at), Some(worker)) => text.push_str(&format!("\n  as {worker} said at {at}")),
        (Some(_) | None, _) => text.push_str("\n  not used yet"),
    }
    text
}
