//! Providers' events: read as the fixtures say, believed when they prove
//! themselves, stored once.

use rundbrief::webhook::{self, Provider};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    body: serde_json::Value,
    expected: Vec<Expected>,
}

/// `reason`, `hard` and `tied` are null where nothing failed or nothing is reported.
#[derive(Debug, Deserialize, PartialEq)]
struct Expected {
    event: String,
    recipient: Option<String>,
    reason: Option<String>,
    hard: Option<bool>,
    tied: Option<bool>,
}

fn found(event: &webhook::event::Event) -> Expected {
    let report = event.report();
    let failed =
        report.as_ref().is_some_and(|report| matches!(report.kind.as_str(), "failure" | "delay"));
    let recipient = report.as_ref().and_then(|report| report.recipients.first());
    Expected {
        event: event.kind.as_str().to_owned(),
        recipient: event.recipient.clone(),
        reason: recipient.filter(|_| failed).map(|recipient| recipient.reason.as_str().to_owned()),
        hard: recipient.and_then(|recipient| recipient.hard),
        tied: report.map(|report| report.ties.delivery().is_some()),
    }
}

#[test]
fn every_provider_is_read_as_its_fixtures_say() {
    let mut wrong = Vec::new();
    for provider in Provider::ALL {
        let path = format!("{}/tests/bounces/webhooks/{provider}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
        let expected: Vec<_> = cases.iter().flat_map(|case| &case.expected).collect();
        for kind in ["failure", "complaint"] {
            let words: &[&str] =
                if kind == "failure" { &["bounced", "failed"] } else { &["complained"] };
            let missing_here = *provider == Provider::Azure || *provider == Provider::Postal;
            let has = expected.iter().any(|e| words.contains(&e.event.as_str()));
            assert!(has || (kind == "complaint" && missing_here), "{provider}: no {kind}");
        }
        for case in cases {
            let events = webhook::read(*provider, &case.body).unwrap();
            let events: Vec<_> = events.iter().map(found).collect();
            if events != case.expected {
                wrong.push(format!("{provider}: {}: {events:#?}", case.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
