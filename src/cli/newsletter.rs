//! `rundbrief newsletter`: publications.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::exit::{Code, Fault};
use super::{Context, Open, newsletter_mails, subscriber};
use crate::audit;
use crate::config::layer;
use crate::letter::enclosure;
use crate::newsletter::definition::Definition;
use crate::newsletter::{self, Applied, Newsletter};
use crate::source::fetch::Client;
use crate::source::reach::Reach;
use crate::store::value::Millis;

/// Moments of the schedule that are shown.
const MOMENTS: usize = 3;
/// How long a server may take to give the logo.
const PATIENCE: Duration = Duration::from_secs(10);

/// What can be done with one.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Store a newsletter's definition, or change it
    Apply {
        /// TOML file; deploy/newsletter.toml shows every field
        file: PathBuf,
    },
    /// List all newsletters
    List,
    /// Show one: its definition and when it is due
    Show {
        /// Its short name
        newsletter: String,
    },
    /// Write the mails of the service as this newsletter sends them, with made-up content
    Mails(newsletter_mails::Arguments),
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Apply { file } => apply(context, &file).await?,
        Command::List => list(context).await?,
        Command::Show { newsletter } => show(context, &newsletter).await?,
        Command::Mails(arguments) => newsletter_mails::run(context, arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn apply(context: &Context, file: &Path) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let text = str::from_utf8(&bytes).map_err(|error| {
        let line = 1 + bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count();
        let what =
            format!("{}:{line}: is not UTF-8. Save the file as UTF-8, without BOM", file.display());
        Fault::new(Code::Data, what)
    })?;
    let definition =
        newsletter::parse(text, file).map_err(|fault| Fault::new(Code::Data, fault.to_string()))?;
    let open = context.open().await?;
    if let Some(name) =
        definition.transports.iter().find(|name| !open.config.transport.contains_key(*name))
    {
        let line = layer::line_of(text, &["transports"]).unwrap_or(1);
        let what = open.config.no_transport(name);
        let text = format!("{}:{line}: transports: {what}", file.display());
        return Err(Fault::new(Code::Data, text).into());
    }
    let now = subscriber::now();
    let mut tx = open.store.begin().await?;
    let applied = newsletter::apply(&mut tx, &definition, now.timestamp()).await?;
    let outcome = match applied {
        Applied::Created(_) => "created",
        Applied::Changed(_) => "changed",
        Applied::Unchanged(_) => "unchanged",
    };
    let act = audit::Act {
        actor: &subscriber::actor(),
        act: "apply",
        noun: "newsletter",
        id: Some(applied.id().0),
        detail: &json!({ "outcome": outcome }),
    };
    audit::record(&mut tx, act, now).await?;
    tx.commit().await?;
    remarks(context, &open, &definition, now.timestamp()).await?;
    logo(context, &open, &definition, now.timestamp()).await?;
    let slug = definition.slug.as_str();
    context.output.result(
        &json!({ "newsletter": slug, "outcome": outcome, "title": definition.title.as_str() }),
        format_args!("{slug}: {outcome}"),
    );
    Ok(())
}

/// What may surprise whoever wrote the file.
async fn remarks(
    context: &Context,
    open: &Open,
    definition: &Definition,
    now: Timestamp,
) -> anyhow::Result<()> {
    if let Some(schedule) = definition.schedule() {
        let zone = schedule.zone();
        let moments = moments(definition, now);
        let moments: Vec<String> = moments.iter().map(|at| clock(*at, zone)).collect();
        context.output.remark(format_args!("next due: {}", moments.join(", ")));
        if schedule.asks_for_both_days() {
            context.output.remark(
                "note: day of the month and weekday are both given and must both match (crontab takes either)",
            );
        }
    }
    for field in definition.imprint.missing() {
        context
            .output
            .remark(format_args!("note: imprint.{field} is empty; no issue goes out without it"));
    }
    for name in unknown_sources(open, definition).await? {
        context.output.remark(format_args!(
            "note: there is no source {name:?} yet; `rundbrief source list` shows which are"
        ));
    }
    Ok(())
}

/// Gets the logo that is to go along with each mail.
async fn logo(
    context: &Context,
    open: &Open,
    definition: &Definition,
    now: Timestamp,
) -> anyhow::Result<()> {
    let reach = Reach::new(open.config.fetch.allow.clone());
    let client = Client::with_time(reach, PATIENCE)?;
    for (url, why) in enclosure::fetch_logos(&open.store, &client, definition, now).await? {
        context.output.remark(format_args!(
            "note: brand.logo: {url} could not be had and stays a link: {why}"
        ));
    }
    Ok(())
}

async fn unknown_sources(open: &Open, definition: &Definition) -> anyhow::Result<Vec<String>> {
    let known = newsletter::source_names(&open.store).await?;
    let rules = &definition.rules;
    let named = rules.sources.iter().chain(rules.sections.iter().flat_map(|one| &one.sources));
    let mut unknown: Vec<String> =
        named.filter(|name| *name != "hand" && !known.contains(name)).cloned().collect();
    unknown.sort();
    unknown.dedup();
    Ok(unknown)
}

fn moments(definition: &Definition, now: Timestamp) -> Vec<Timestamp> {
    let Some(schedule) = definition.schedule() else { return Vec::new() };
    let next = |after: &Timestamp| schedule.next(*after).map(|moment| moment.at);
    std::iter::successors(next(&now), next).take(MOMENTS).collect()
}

/// A moment as people of a zone write it.
pub(super) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M %Z").to_string()
}

async fn list(context: &Context) -> anyhow::Result<()> {
    let open = context.open().await?;
    let newsletter::Found { newsletters, damaged } = newsletter::list(&open.store).await?;
    if newsletters.is_empty() && damaged.is_empty() {
        context.output.remark("no newsletters yet: rundbrief newsletter apply FILE");
    }
    for one in &newsletters {
        let definition = &one.definition;
        let due = one.next_at.map(|at| clock(at.timestamp(), &definition.time_zone.zone()));
        context.output.result(
            &object(one),
            format_args!(
                "{:<20} {:<2} {:<30} {}",
                definition.slug,
                definition.language.tag(),
                due.as_deref().unwrap_or("by hand"),
                definition.title
            ),
        );
    }
    if let Some(first) = damaged.first() {
        for one in &damaged[1..] {
            context.output.remark(one);
        }
        return Err(Fault::new(Code::Data, first.to_string()).into());
    }
    Ok(())
}

fn object(one: &Newsletter) -> Value {
    let definition = &one.definition;
    json!({
        "newsletter": definition.slug.as_str(),
        "title": definition.title.as_str(),
        "language": definition.language.tag(),
        "time_zone": definition.time_zone.as_str(),
        "schedule": definition.schedule.as_ref().map(|text| text.as_str()),
        "next_at": one.next_at.map(|at| at.to_string()),
    })
}

async fn show(context: &Context, name: &str) -> anyhow::Result<()> {
    let open = context.open().await?;
    let one = subscriber::newsletter_named(&open.store, name).await?;
    let mut record = object(&one);
    record["definition"] = serde_json::to_value(&one.definition)?;
    let now: Millis = subscriber::now();
    let upcoming = moments(&one.definition, now.timestamp());
    record["upcoming"] = upcoming.iter().map(|at| at.to_string()).collect();
    let zone = one.definition.time_zone.zone();
    let upcoming: Vec<String> = upcoming.iter().map(|at| clock(*at, &zone)).collect();
    let due = if upcoming.is_empty() { "by hand".to_owned() } else { upcoming.join(", ") };
    let definition = toml::to_string(&one.definition)?;
    context.output.result(&record, format_args!("# due: {due}\n{}", definition.trim_end()));
    Ok(())
}
