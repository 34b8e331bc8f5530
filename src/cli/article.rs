//! `rundbrief article add | list | show`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use jiff::Timestamp;
use url::Url;

use super::Context;
use super::exit::{Code, Fault};
use super::source::Selectors;
use crate::article::entry::{self, Article, BY_HAND, Identity};
use crate::article::{ArticleId, Html};
use crate::source::album::Retry;
use crate::source::collect;
use crate::source::fetch::Client;
use crate::source::finding::{Finding, Reading};
use crate::source::reach::Reach;
use crate::source::selector::Written;
use crate::source::{block, folder};
use crate::store::value::Millis;

/// Articles read from the database at a time.
const PAGE: i64 = 200;

/// What can be done with one.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Read articles from files or web pages
    Add {
        /// Files (Markdown, HTML, text) or web addresses
        #[arg(required = true, value_name = "FILE|URL")]
        inputs: Vec<String>,
        /// Where the article of the one file stands on the web
        #[arg(long, value_name = "URL")]
        address: Option<Url>,
        /// Where on the page things are
        #[command(flatten)]
        selectors: Box<Selectors>,
    },
    /// Print articles, the youngest first
    List {
        /// Of this source only; `hand` for those added by hand
        #[arg(long, value_name = "NAME")]
        source: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Print one article
    Show {
        /// Its key, as `article list` prints it
        article: ArticleId,
    },
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Add { inputs, address, selectors } => {
            add(context, &inputs, address, selectors.written()).await
        }
        Command::List { source, limit } => list(context, source.as_deref(), limit).await,
        Command::Show { article } => show(context, article).await,
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line is where time comes from")]
fn now() -> Millis {
    Millis::from(Timestamp::now())
}

async fn add(
    context: &Context,
    inputs: &[String],
    address: Option<Url>,
    written: Written,
) -> anyhow::Result<ExitCode> {
    written.parse().map_err(|error| Fault::new(Code::Usage, error.to_string()))?;
    if address.is_some() && inputs.len() > 1 {
        return Err(Fault::new(
            Code::Usage,
            "--address is for one file; add the others by themselves",
        )
        .into());
    }
    let open = context.open().await?;
    let client =
        Client::new(Reach::new(open.config.fetch.allow.clone())).context("the HTTP client")?;
    let mut code = None;
    for input in inputs {
        let web = Url::parse(input).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let read = match web {
            Some(url) => of_web(&client, &url, &written).await,
            None => of_file(Path::new(input), address.as_ref(), &written).await,
        };
        let done = match read {
            Ok(input) => keep(context, &open, &client, input).await?,
            Err(fault) => {
                context.output.remark(format!("{input}: {fault:#}"));
                Some(super::exit::code(&fault))
            }
        };
        code = code.or(done);
    }
    Ok(code.map_or(ExitCode::SUCCESS, ExitCode::from))
}

/// Stores what was read and says so; a code where it is no article.
async fn keep(
    context: &Context,
    open: &super::Open,
    client: &Client,
    input: Input,
) -> anyhow::Result<Option<Code>> {
    let remark = |finding: &Finding| context.output.remark(format!("{}: {finding}", input.name));
    if !collect::is_article(&input.reading.record) {
        input.reading.findings.iter().for_each(remark);
        context
            .output
            .remark(format!("{}: no article found in it; nothing was stored", input.name));
        return Ok(Some(Code::Data));
    }
    let identity = Identity { source: None, origin: BY_HAND.to_owned(), guid: input.guid };
    let folder = input.folder.as_deref();
    let taken =
        collect::take(&open.store, client, &identity, input.reading, folder, Retry::AtOnce, now())
            .await?;
    taken.findings.iter().for_each(remark);
    let article = entry::get(&open.store, taken.stored.id()).await?;
    let article = article.context("the article is gone again")?;
    let line = format!("{:>6}  {:<7}  {}", article.article, taken.stored.as_str(), taken.title);
    context.output.result(&article, line);
    Ok(None)
}

/// One thing to add, as read.
struct Input {
    name: String,
    guid: String,
    reading: Reading,
    folder: Option<PathBuf>,
}

async fn of_web(client: &Client, url: &Url, written: &Written) -> anyhow::Result<Input> {
    let (last, reading) = collect::read_page(client, url, written)
        .await
        .map_err(|reason| Fault::new(Code::Unavailable, reason))?;
    // The page's own word for its address, so that the same article by two addresses is one.
    let guid =
        reading.record.url.as_ref().map_or_else(|| last.to_string(), |url| url.as_str().to_owned());
    Ok(Input { name: url.to_string(), guid, reading, folder: None })
}

async fn of_file(path: &Path, address: Option<&Url>, written: &Written) -> anyhow::Result<Input> {
    let written = written.clone();
    let file = path.to_owned();
    let address = address.cloned();
    let absolute = std::path::absolute(path)?;
    let reading = tokio::task::spawn_blocking(move || {
        let selectors = written.parse().map_err(std::io::Error::other)?;
        folder::read(&file, &selectors, address.as_ref())
    })
    .await??;
    let guid = reading
        .record
        .url
        .as_ref()
        .map_or_else(|| absolute.to_string_lossy().into_owned(), |url| url.as_str().to_owned());
    Ok(Input {
        name: path.display().to_string(),
        guid,
        reading,
        folder: absolute.parent().map(Path::to_owned),
    })
}

async fn list(
    context: &Context,
    source: Option<&str>,
    limit: Option<usize>,
) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    let mut left = limit.unwrap_or(usize::MAX);
    let mut last = None;
    loop {
        let wanted = PAGE.min(i64::try_from(left).unwrap_or(PAGE));
        let page = entry::list(&open.store, source, last, wanted).await?;
        if page.is_empty() {
            break;
        }
        for article in &page {
            print_line(context, article);
        }
        left -= page.len();
        last = page.last().map(|article| article.article);
    }
    if last.is_none() {
        context.output.remark("there are no articles yet; `rundbrief article add FILE` or `rundbrief source fetch` brings some");
    }
    Ok(ExitCode::SUCCESS)
}

fn print_line(context: &Context, article: &Article) {
    let day = article
        .record
        .published_at
        .map_or_else(|| "-".to_owned(), |at| at.to_string()[..10].to_owned());
    context.output.result(
        article,
        format!(
            "{:>6}  {day:<10}  {:<16}  {}",
            article.article, article.source, article.record.title
        ),
    );
}

async fn show(context: &Context, id: ArticleId) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    let article = entry::get(&open.store, id).await?;
    let article = article.ok_or_else(|| {
        Fault::new(
            Code::NoInput,
            format!("there is no article {id}; `rundbrief article list` prints all"),
        )
    })?;
    context.output.result(&article, Shown(&article));
    Ok(ExitCode::SUCCESS)
}

/// An article for people to read.
struct Shown<'a>(&'a Article);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Article { article, record, source, revision } = self.0;
        if !record.kicker.is_empty() {
            writeln!(f, "{}", record.kicker.join(" / "))?;
        }
        writeln!(f, "{}", record.title)?;
        for line in record
            .subtitle
            .iter()
            .chain(record.url.as_ref().map(|url| url.as_str().to_owned()).iter())
        {
            writeln!(f, "{line}")?;
        }
        writeln!(
            f,
            "\nArticle {article} of {source}, revision {revision}\n\n{}\n\n{}",
            record.teaser,
            text(&record.body)
        )?;
        for image in &record.images {
            let alt = if image.alt.is_empty() { "(no alternative text)" } else { &image.alt };
            let credit =
                image.credit.as_ref().map(|credit| format!(", {credit}")).unwrap_or_default();
            let kept = if image.file.is_some() { "" } else { " (left out: it could not be had)" };
            writeln!(f, "Picture: {alt}{credit}{kept}\n  {}", image.url)?;
        }
        for link in &record.links {
            writeln!(f, "Link: {}\n  {}", link.text, link.url)?;
        }
        Ok(())
    }
}

/// The body as paragraphs of text.
fn text(body: &Html) -> String {
    let paragraphs = body.as_str().lines().map(block::text_of).filter(|line| !line.is_empty());
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
