//! What a monitor and `transport list` say, read by a reader that shares no code.

use std::collections::{BTreeMap, HashSet};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rundbrief::daemon::pulse::Pulse;
use rundbrief::delivery::line;
use rundbrief::metrics::{self, Sight};
use secrecy::SecretString;
use serde_json::Value;

use crate::app::{App, on_both};
use crate::delivery::{execute, issue, now, readers, transport, until_idle, worker_with};
use crate::relay::{Fault, Offer, Relay};

on_both![
    a_monitor_sees_outcomes_breakers_pace_and_queue_and_no_reader,
    a_monitor_from_elsewhere_needs_the_token,
    an_operator_sees_which_relay_works_and_who_slowed_it,
];

fn sight(app: &App, token: Option<&str>) -> Sight {
    Sight {
        store: app.store.clone(),
        pulse: Arc::new(Pulse::new(Instant::now())),
        token: token.map(SecretString::from),
        clock: now,
    }
}

/// An issue that went out by the second of two relays, but for some.
async fn sent(app: &App) {
    let down = Relay::start(Offer { fault: Fault::Refuses, ..Offer::default() }).await;
    let up = Relay::start(Offer::default()).await;
    let mut addresses = readers(60);
    addresses.extend(["no1@example.org", "full1@example.net"].map(str::to_owned));
    addresses.extend((0..3).map(|n| format!("grey{n}@slow.example.net")));
    issue(app, &addresses).await;
    let limited = line::Setup { rate: Some(5000.0), ..transport("up", up.port) };
    let mut worker = worker_with(app, vec![transport("down", down.port), limited]).await;
    until_idle(&mut worker).await;
    let again = "update delivery set next_at = 0 where state = 'queued'";
    execute(&app.store, again).await;
    until_idle(&mut worker).await;
    worker.drain(Duration::from_secs(5)).await.unwrap();
}

/// Reads the text format strictly: name, labels, value; each family once, with its
/// help and kind before its samples, no sample twice.
fn read(text: &str) -> BTreeMap<String, f64> {
    let named = |name: &str| {
        let mut letters = name.chars();
        letters.next().is_some_and(|c| c.is_ascii_lowercase())
            && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let (mut samples, mut families) = (BTreeMap::new(), HashSet::new());
    let (mut helped, mut family, mut kind) = ("", "", "");
    assert!(text.ends_with('\n'));
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(named(name) && help.ends_with('.'), "{line}");
            helped = name;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            (family, kind) = rest.split_once(' ').unwrap();
            assert_eq!(family, helped, "help comes first");
            assert!(families.insert(family), "{family} stands twice");
            assert!(matches!(kind, "gauge" | "counter"), "{line}");
            assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            assert_eq!(name, family, "{line}");
            let labels = labels.strip_suffix('}').unwrap();
            for label in labels.split("\",").filter(|label| !label.is_empty()) {
                let (label, text) = label.split_once("=\"").unwrap();
                assert!(named(label), "{line}");
                assert!(!text.trim_end_matches('"').contains('"'), "{line}");
            }
            let value: f64 = value.parse().unwrap();
            assert!(kind != "counter" || value >= 0.0, "{line}");
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} stands twice");
        }
    }
    samples
}

/// The one sample whose series holds all these words.
fn one(samples: &BTreeMap<String, f64>, words: &[&str]) -> f64 {
    let mut fit = samples.iter().filter(|(name, _)| words.iter().all(|word| name.contains(word)));
    let found = fit.next().unwrap_or_else(|| panic!("no {words:?} in {samples:#?}"));
    assert!(fit.next().is_none(), "several {words:?}");
    *found.1
}

async fn a_monitor_sees_outcomes_breakers_pace_and_queue_and_no_reader(app: App) {
    sent(&app).await;
    let text = metrics::text(&sight(&app, None)).await.unwrap();
    assert!(!text.contains('@'), "an address: {text}");
    let samples = read(&text);
    let outcomes = "rundbrief_delivery_outcomes_total";
    for (transport, scope, count) in [
        ("\"up\"", "\"accepted\"", 60.0),
        ("\"up\"", "\"never\"", 1.0),
        ("\"up\"", "\"later\"", 4.0),
        ("\"up\"", "\"unknown\"", 0.0),
        ("\"down\"", "\"accepted\"", 0.0),
    ] {
        assert_eq!(one(&samples, &[outcomes, transport, scope]), count, "{transport} {scope}");
    }
    let breaker = "rundbrief_transport_breaker{";
    assert_eq!(one(&samples, &[breaker, "\"down\"", "\"open\""]), 1.0);
    assert_eq!(one(&samples, &[breaker, "\"up\"", "\"closed\""]), 1.0);
    assert_eq!(one(&samples, &["rundbrief_transport_rate_limit", "\"up\""]), 5000.0);
    assert!(one(&samples, &["rundbrief_transport_tokens", "\"up\""]) >= 0.0);
    assert_eq!(one(&samples, &["rundbrief_transport_slowed_domains", "\"up\""]), 1.0);
    let slowed = one(&samples, &["rundbrief_transport_domain_rate", "slow.example.net"]);
    assert!(slowed > 0.0 && slowed < 2.0, "{slowed}");
    assert_eq!(one(&samples, &["rundbrief_deliveries_open", "waiting"]), 4.0);
    assert_eq!(one(&samples, &["rundbrief_deliveries_open", "unknown"]), 0.0);
    assert_eq!(one(&samples, &["rundbrief_issues", "sending"]), 1.0);
    assert_eq!(one(&samples, &["rundbrief_journal_records", "\"up\""]), 0.0);
    assert_eq!(one(&samples, &["rundbrief_bounces_waiting", "review"]), 0.0);
    assert_eq!(one(&samples, &["rundbrief_workers"]), 0.0);
    assert!(one(&samples, &["process_start_time_seconds"]) > 1.7e9);
    one(&samples, &["rundbrief_loop_silence_seconds", "delivery"]);
}

async fn a_monitor_from_elsewhere_needs_the_token(app: App) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}/metrics", listener.local_addr().unwrap());
    let router = metrics::router(sight(&app, Some("right")));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = reqwest::Client::new();
    for (token, status) in [(None, 401), (Some("wrong"), 401), (Some("right"), 200)] {
        let mut request = client.get(&at);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status, "{token:?}");
        if status == 200 {
            let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
            assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
            read(&answer.text().await.unwrap());
        }
    }
}

async fn an_operator_sees_which_relay_works_and_who_slowed_it(app: App) {
    sent(&app).await;
    let config = format!(
        "directory = \".\"\n[database]\naddress = {:?}\n[web]\naddress = \"http://127.0.0.1:8025\"\n\
         [mail]\ndomain = \"news.example.de\"\nreturn_path = \"bounce@news.example.de\"\n\
         transports = [\"down\", \"up\"]\n[transport.down]\nhost = \"127.0.0.1\"\ntls = \"none\"\n\
         [transport.up]\nhost = \"127.0.0.1\"\ntls = \"none\"\nmessages_per_second = 5000.0\n\
         [transport.fresh]\nhost = \"mail.example.de\"\n",
        app.database
    );
    let file = app.directory().join("rundbrief.toml");
    std::fs::write(&file, &config).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rundbrief"));
        command.current_dir(app.directory()).env_remove("RUNDBRIEF_CONFIG");
        let output = command.args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), said)
    };
    assert_eq!(run(&["init"]).0, Some(0));
    let (code, said, errors) = run(&["transport", "list", "--json"]);
    assert_eq!(code, Some(0), "{errors}");
    let all: Vec<Value> = said.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = all.iter().map(|one| one["transport"].as_str().unwrap()).collect();
    assert_eq!(names, ["down", "fresh", "up"]);
    let (down, fresh, up) = (&all[0], &all[1], &all[2]);
    assert_eq!(down["breaker"], "open");
    assert_eq!(down["why"], "554 5.3.2 No service");
    assert!(down["next_probe"].is_string() && down["seen_at"].is_string(), "{down}");
    assert_eq!((&fresh["breaker"], &fresh["seen_at"]), (&"closed".into(), &Value::Null));
    assert_eq!((&up["breaker"], &up["why"]), (&"closed".into(), &Value::Null));
    assert_eq!(up["slowed"][0]["domain"], "slow.example.net");
    assert_eq!(up["messages_per_second"], 5000.0);
    assert!(up["tokens"].as_f64().unwrap() >= 0.0);
    let (_, text, _) = run(&["transport", "list"]);
    assert!(text.contains("open: 554 5.3.2 No service") && text.contains("not used yet"), "{text}");
    assert!(text.contains("slowed: slow.example.net to"), "{text}");
    assert!(!text.contains("said nothing since") && down["silent"] == false, "{text}");
    execute(&app.store, "update pace set updated_at = updated_at - 70000").await;
    let (_, text, _) = run(&["transport", "list"]);
    assert!(text.contains("said nothing since") && text.contains("\n  0 of "), "{text}");

    // A name that is nobody's is refused with its line.
    std::fs::write(&file, config.replace("[\"down\", \"up\"]", "[\"down\", \"upp\"]")).unwrap();
    let (code, _, said) = run(&["check-config"]);
    assert_eq!(code, Some(78), "{said}");
    assert!(
        said.contains("rundbrief.toml:9: mail.transports: there is no transport \"upp\""),
        "{said}"
    );
    assert!(said.contains("down, fresh, up"), "{said}");
}
