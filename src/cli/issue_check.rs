//! `rundbrief issue preflight` and `rundbrief issue forecast`.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use super::issue::Desk;
use super::newsletter::clock;
use super::{Context, Open, exit, subscriber};
use crate::issue::preflight::{self, Finding, Severity};
use crate::issue::{due, forecast as forecasts, link};
use crate::source::fetch::Client;
use crate::source::reach::Reach;

/// How long a server may take to say whether an address leads somewhere.
const PATIENCE: Duration = Duration::from_secs(10);

/// What to check.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Its number, or newsletter/number
    issue: String,
    /// Ask no server whether links lead somewhere
    #[arg(long)]
    no_links: bool,
}

/// Runs `issue preflight`: exits with 65 when something blocks.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, open: &Open, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let desk = Desk::open(open, &arguments.issue).await?;
    let now = subscriber::now().timestamp();
    let mut doubts = Vec::new();
    if !arguments.no_links {
        context.output.remark("asking where links lead …");
        let reach = Reach::new(open.config.fetch.allow.clone());
        let client = Client::with_time(reach, PATIENCE)?;
        doubts = link::check(&open.store, &client, &desk.material(), now).await?;
        doubts.retain(|finding| finding.severity == Severity::Look);
    }
    // What is dead is known now, and stands among the others.
    let mut findings =
        due::findings(&open.store, &desk.issue, &desk.newsletter, &desk.office, now).await?;
    findings.extend(doubts);
    findings.sort_by_key(|finding| finding.severity);
    for finding in &findings {
        context.output.result(finding, line(finding));
    }
    let blocked = preflight::blocked(&findings);
    context.output.remark(match (blocked, findings.is_empty()) {
        (true, _) => "blocked: it does not go out like this",
        (false, false) => "nothing blocks it",
        (false, true) => "nothing to remark",
    });
    Ok(if blocked { exit::Code::Data.into() } else { ExitCode::SUCCESS })
}

/// Says on standard error what blocks.
pub(super) fn print_blocking(context: &Context, findings: &[Finding]) {
    for finding in findings.iter().filter(|one| one.severity == Severity::Blocks) {
        context.output.remark(line(finding));
    }
}

fn line(finding: &Finding) -> String {
    format!("{:<6}  {}: {}; {}", finding.severity, finding.place, finding.what, finding.remedy)
}

/// Runs `issue forecast`.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn forecast(context: &Context, open: &Open, name: &str) -> anyhow::Result<()> {
    let desk = Desk::open(open, name).await?;
    let now = subscriber::now().timestamp();
    let letter = desk.material().letter(now, super::issue::chance()?)?;
    let audience = forecasts::audience(&open.store, desk.issue.newsletter_id).await?;
    let rate = forecasts::rate(&open.store, &open.config, desk.issue.newsletter_id).await?;
    let begin = desk.issue.send_at.map_or(now, |at| at.timestamp().max(now));
    let seconds = rate.map(|rate| audience.gets as f64 / rate.max(f64::MIN_POSITIVE));
    let ends = seconds.and_then(|seconds| {
        begin.checked_add(jiff::SignedDuration::try_from_secs_f64(seconds).ok()?).ok()
    });
    let zone = desk.newsletter.definition.time_zone.zone();
    let bytes = letter.fixed_bytes() as u64;
    let all = bytes.saturating_mul(audience.gets.unsigned_abs());
    let kept: Vec<String> =
        audience.kept.iter().map(|(why, count)| format!("\n  {why:<12} {count:>9}")).collect();
    let ends_text =
        ends.map_or("unknown until a first issue went out".to_owned(), |at| clock(at, &zone));
    context.output.result(
        &json!({
            "issue": desk.issue.id,
            "gets": audience.gets,
            "does_not_get": audience.kept.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
            "bytes_each": bytes,
            "bytes_all": all,
            "begins_at": begin.to_string(),
            "ends_at": ends.map(|at| at.to_string()),
            "mails_per_second": rate,
        }),
        format_args!(
            "gets it       {:>9}\ndoes not get it, because{}\neach mail     {:>9} bytes, all {:.1} MB\nbegins        {}\nends          {ends_text}",
            audience.gets,
            if kept.is_empty() { "\n  (nobody)".to_owned() } else { kept.concat() },
            bytes,
            all as f64 / 1e6,
            clock(begin, &zone),
        ),
    );
    Ok(())
}
