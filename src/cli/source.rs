//! `rundbrief source add | list | fetch`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use serde_json::json;
use url::Url;

use super::Context;
use super::exit::{Code, Fault};
use crate::source::album::Retry;
use crate::source::collect::{self, Collected};
use crate::source::fetch::Client;
use crate::source::reach::Reach;
use crate::source::selector::Written;
use crate::source::{self, Definition, Kind, Source};
use crate::store::value::Millis;

/// The shortest period of a source; more often is a burden to others.
const LEAST: Duration = Duration::from_secs(60);

/// What can be done with one.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Add a source, or change the one of this name
    Add(Box<Add>),
    /// Print all sources
    List,
    /// Fetch sources now, whether they are due or not
    Fetch {
        /// Names [default: all that can be fetched]
        names: Vec<String>,
    },
}

/// What a new source is.
#[derive(Debug, clap::Args)]
pub struct Add {
    /// Its name: lower-case letters, digits and hyphens; rules of newsletters use it
    name: String,
    /// The web address of a feed or page, or a folder; not for --kind push
    address: Option<String>,
    /// feed, page, folder or push [default: by the address]
    #[arg(long, value_parser = parse_kind)]
    kind: Option<Kind>,
    /// How often it is fetched by itself, such as 30m, 6h, 1d [default: by hand only]
    #[arg(long, value_name = "PERIOD", value_parser = parse_period)]
    every: Option<Duration>,
    /// A category that each of its articles gets; may be given several times
    #[arg(long = "category", value_name = "NAME")]
    categories: Vec<String>,
    /// Entries taken at a time, the first of it
    #[arg(long, value_name = "N")]
    items: Option<usize>,
    /// For feeds: read the page behind each entry, not the excerpt in the feed
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    selectors: Selectors,
}

/// CSS selectors for the pages of a source.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Selectors {
    /// CSS selector of the headline
    #[arg(long, value_name = "CSS")]
    title: Option<String>,
    /// CSS selector of the path above it
    #[arg(long, value_name = "CSS")]
    kicker: Option<String>,
    /// CSS selector of the line below it
    #[arg(long, value_name = "CSS")]
    subtitle: Option<String>,
    /// CSS selector of the sentences for the mail
    #[arg(long, value_name = "CSS")]
    teaser: Option<String>,
    /// CSS selector of the text
    #[arg(long, value_name = "CSS")]
    body: Option<String>,
    /// CSS selector of the pictures
    #[arg(long, value_name = "CSS")]
    images: Option<String>,
    /// CSS selector of the date of publication
    #[arg(long, value_name = "CSS")]
    date: Option<String>,
    /// CSS selector of links to articles: the page is an overview
    #[arg(long, value_name = "CSS")]
    links: Option<String>,
}

impl Selectors {
    /// As they are stored.
    pub fn written(self) -> Written {
        Written {
            title: self.title,
            kicker: self.kicker,
            subtitle: self.subtitle,
            teaser: self.teaser,
            body: self.body,
            images: self.images,
            date: self.date,
            links: self.links,
        }
    }
}

fn parse_kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| "allowed: feed, page, folder, push".to_owned())
}

fn parse_period(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "m" | "min" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        _ => 0,
    };
    let seconds = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    let period = seconds.filter(|seconds| *seconds > 0).map(Duration::from_secs);
    let period = period.ok_or_else(|| "allowed: a number and m, h or d, such as 30m".to_owned())?;
    if period < LEAST { Err("at least 1m".to_owned()) } else { Ok(period) }
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Add(arguments) => add(context, *arguments).await,
        Command::List => list(context).await,
        Command::Fetch { names } => fetch(context, &names).await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line is where time comes from")]
fn now() -> Millis {
    Millis::from(Timestamp::now())
}

async fn add(context: &Context, arguments: Add) -> anyhow::Result<ExitCode> {
    let usage = |message: String| Fault::new(Code::Usage, message);
    let name = arguments.name;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 60 || !name.chars().all(plain) || name == "hand" {
        return Err(usage(format!("{name:?} is no name of a source; allowed: up to 60 lower-case letters, digits and hyphens, but not \"hand\"")).into());
    }
    let written = arguments.selectors.written();
    written.parse().map_err(|error| usage(error.to_string()))?;
    let address = arguments.address.unwrap_or_default();
    let kind = match arguments.kind {
        Some(kind) => kind,
        None => guess(&address, &written).ok_or_else(|| {
            usage(format!(
                "{address:?} may be a feed or a page; say which with --kind feed or --kind page"
            ))
        })?,
    };
    let address = stored_address(kind, &address)?;
    let definition = Definition {
        selectors: written,
        categories: arguments.categories,
        every: arguments.every.map(|every| every.as_secs()),
        items: arguments.items,
        full: arguments.full,
    };
    let open = context.open().await?;
    let mut tx = open.store.begin().await?;
    let new = source::add(&mut tx, &name, kind, &address, &definition, now()).await?;
    tx.commit().await?;
    let source = source::find(&open.store, &name).await?.context("the source is gone again")?;
    context.output.remark(if new {
        format!("added source {name}")
    } else {
        format!("changed source {name}")
    });
    print(context, &source);
    Ok(ExitCode::SUCCESS)
}

/// What an address most probably is.
fn guess(address: &str, written: &Written) -> Option<Kind> {
    if Path::new(address).is_dir() {
        return Some(Kind::Folder);
    }
    if *written != Written::default() {
        return Some(Kind::Page);
    }
    let path = Url::parse(address).ok()?.path().trim_end_matches('/').to_lowercase();
    let feed = [".xml", ".rss", ".atom", ".rdf", ".json", "/feed", "/rss", "/atom"]
        .iter()
        .any(|end| path.ends_with(end))
        || path.contains("/feed/");
    let page = [".html", ".htm", ".php"].iter().any(|end| path.ends_with(end));
    if feed { Some(Kind::Feed) } else { page.then_some(Kind::Page) }
}

/// The address as it is kept: folders absolute, web addresses normalised.
fn stored_address(kind: Kind, address: &str) -> anyhow::Result<String> {
    match kind {
        Kind::Push => Ok(String::new()),
        Kind::Folder => {
            let folder = Path::new(address)
                .canonicalize()
                .map_err(|error| Fault::new(Code::NoInput, format!("{address}: {error}")))?;
            if !folder.is_dir() {
                return Err(Fault::new(Code::NoInput, format!("{address} is no folder")).into());
            }
            Ok(folder.to_string_lossy().into_owned())
        }
        Kind::Feed | Kind::Page => {
            let url = Url::parse(address)
                .ok()
                .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
            let url = url.ok_or_else(|| {
                Fault::new(
                    Code::Usage,
                    format!("{address:?} is no web address; it begins with https:// or http://"),
                )
            })?;
            Ok(url.into())
        }
    }
}

fn print(context: &Context, source: &Source) {
    let record = json!({
        "source": source.slug,
        "kind": source.kind,
        "address": source.address,
        "definition": source.definition,
        "next_at": source.next_at.map(|at| at.to_string()),
        "fetched_at": source.fetched_at.map(|at| at.to_string()),
        "failure": source.failure,
    });
    let state = match (&source.failure, source.fetched_at) {
        (Some(failure), _) => format!("failed: {failure}"),
        (None, Some(at)) => format!("fetched {at}"),
        (None, None) => "never fetched".to_owned(),
    };
    context.output.result(
        &record,
        format!("{:<20} {:<7} {}  {state}", source.slug, source.kind, source.address),
    );
}

async fn list(context: &Context) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    let sources = source::list(&open.store).await?;
    if sources.is_empty() {
        context
            .output
            .remark("there are no sources yet; `rundbrief source add NAME ADDRESS` adds one");
    }
    sources.iter().for_each(|source| print(context, source));
    Ok(ExitCode::SUCCESS)
}

async fn fetch(context: &Context, names: &[String]) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    let mut sources = Vec::new();
    for name in names {
        let found = source::find(&open.store, name).await?;
        sources.push(found.ok_or_else(|| {
            Fault::new(
                Code::NoInput,
                format!("there is no source {name:?}; `rundbrief source list` prints all"),
            )
        })?);
    }
    if names.is_empty() {
        sources = source::list(&open.store)
            .await?
            .into_iter()
            .filter(|source| source.kind != Kind::Push)
            .collect();
    }
    let client =
        Client::new(Reach::new(open.config.fetch.allow.clone())).context("the HTTP client")?;
    let mut failed = false;
    for source in &sources {
        match collect::fetch_one(&open.store, &client, source, Retry::AtOnce, now()).await {
            Ok(collected) => report(context, source, &collected),
            Err(collect::Error::Source(reason)) => {
                failed = true;
                context.output.remark(format!("{}: {reason}", source.slug));
                let record = json!({ "source": source.slug, "failure": reason });
                context.output.result(&record, format!("{:<20} failed", source.slug));
            }
            Err(collect::Error::Database(error)) => return Err(error.into()),
        }
    }
    Ok(if failed { Code::Unavailable.into() } else { ExitCode::SUCCESS })
}

fn report(context: &Context, source: &Source, collected: &Collected) {
    for finding in &collected.findings {
        context.output.remark(format!("{}: {finding}", source.slug));
    }
    for taken in &collected.taken {
        for finding in &taken.findings {
            context.output.remark(format!("{}: {:?}: {finding}", source.slug, taken.title));
        }
    }
    let (new, changed) = collected.counts();
    let record = json!({
        "source": source.slug,
        "unchanged": collected.unchanged,
        "articles": collected.taken.len(),
        "new": new,
        "changed": changed,
        "findings": collected.findings.iter().chain(collected.taken.iter().flat_map(|taken| &taken.findings)).collect::<Vec<_>>(),
    });
    let text = match collected.unchanged {
        true => format!("{:<20} nothing changed", source.slug),
        false => format!(
            "{:<20} {} articles, {new} new, {changed} changed",
            source.slug,
            collected.taken.len()
        ),
    };
    context.output.result(&record, text);
}
