//! `rundbrief bounce`: what a mail is, what came back, what waits for a decision.

use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::subscriber::newsletter_named;
use super::{Context, Open, exit};
use crate::bounce::inbox::{self, BounceId, Intake, Received};
use crate::bounce::list::{self, Filter, Look, Over, Printed};
use crate::bounce::reason::Reason;
use crate::bounce::record::Record;
use crate::bounce::review::{self, Decision};
use crate::bounce::verdict::{self, Ours, Verdict};
use crate::bounce::{mime, report};
use crate::store::value::Millis;
use crate::subscriber::standing;

/// What can be done with one.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say what a mail is; needs no configuration and stores nothing
    Inspect {
        /// Mails, one a file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Record what came back, and let follow what follows
    Read {
        /// Mails, one a file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// What came back, the newest first
    List(List),
    /// What waits for a person; with an ID: show it, or decide about it
    Review(Review),
}

/// Which reports to list.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Of this newsletter
    #[arg(long, value_name = "NEWSLETTER")]
    newsletter: Option<String>,
    /// Of this receiving domain
    #[arg(long, value_name = "DOMAIN")]
    domain: Option<String>,
    /// For this reason, such as "user unknown"
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<Reason>,
    /// Of this kind: failure, delay, complaint, autoreply, challenge, other, unclear
    #[arg(long, value_name = "KIND", value_parser = kind)]
    kind: Option<report::Kind>,
    /// With this verdict: new, applied, noted, review, forged, stale, untied, decided
    #[arg(long, value_name = "VERDICT", value_parser = verdict_word)]
    verdict: Option<Verdict>,
    /// Sums by reason instead, for each of these; --newsletter, --domain and --reason hold
    #[arg(
        long,
        value_name = "newsletter|domain|issue|reason",
        value_parser = over,
        conflicts_with_all = ["kind", "verdict", "before"]
    )]
    sums: Option<Over>,
    /// Only before this bounce: the next page
    #[arg(long, value_name = "ID")]
    before: Option<BounceId>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u16,
}

/// What to decide.
#[derive(Debug, clap::Args)]
pub struct Review {
    /// The bounce
    #[arg(value_name = "ID", group = "what")]
    id: Option<BounceId>,
    /// All that were held back because too much bounced at once; --as as-read lets follow
    /// what follows from each, --as nothing ignores them
    #[arg(long, group = "what", requires = "decision", conflicts_with_all = ["phrase", "take_back"])]
    held: bool,
    /// as-read, hard, soft, complaint, leave, nothing
    #[arg(long = "as", value_name = "DECISION", value_parser = decision, requires = "what")]
    decision: Option<Decision>,
    /// Keep these words, so that the next mail with them is understood: for hard and soft
    /// with --reason, for leave without
    #[arg(long, value_name = "WORDS", requires = "decision")]
    phrase: Option<String>,
    /// What the phrase means, such as "mailbox full"
    #[arg(long, value_name = "REASON", value_parser = reason)]
    reason: Option<Reason>,
    /// Take back what this bounce did to its reader
    #[arg(long, requires = "id", conflicts_with = "decision")]
    take_back: bool,
    /// List only what came before this bounce: the next page
    #[arg(long, value_name = "ID", conflicts_with = "what")]
    before: Option<BounceId>,
    /// List at most so many
    #[arg(long, default_value_t = 100, value_name = "N")]
    limit: u16,
}

fn reason(word: &str) -> Result<Reason, String> {
    Reason::parse(word).ok_or_else(|| allowed(Reason::ALL.iter().map(|r| r.as_str())))
}

fn kind(word: &str) -> Result<report::Kind, String> {
    report::Kind::parse(word).ok_or_else(|| allowed(report::Kind::ALL.iter().map(|k| k.as_str())))
}

fn verdict_word(word: &str) -> Result<Verdict, String> {
    Verdict::parse(word).ok_or_else(|| allowed(Verdict::ALL.iter().map(|v| v.as_str())))
}

fn over(word: &str) -> Result<Over, String> {
    Over::parse(word).ok_or_else(|| allowed(Over::ALL.iter().map(|o| o.as_str())))
}

fn decision(word: &str) -> Result<Decision, String> {
    Decision::parse(word).ok_or_else(|| allowed(Decision::ALL.iter().map(|d| d.as_str())))
}

fn allowed<'a>(words: impl Iterator<Item = &'a str>) -> String {
    format!("allowed: {}", words.collect::<Vec<_>>().join(", "))
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Inspect { files } => inspect(context, &files),
        Command::Read { files } => read(context, &files).await,
        Command::List(list) => show(context, list).await,
        Command::Review(review) => decide(context, review).await,
    }
}

#[derive(Serialize)]
struct Inspected<'a> {
    file: &'a Path,
    #[serde(flatten)]
    record: Record,
}

/// One object or line per file; a file that cannot be read is said on standard
/// error and the others go on.
///
/// # Errors
/// Standard output refuses.
pub fn inspect(context: &Context, files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    let mut raw = Vec::new();
    for file in files {
        if let Err(error) = read_limited(file, &mut raw) {
            context.output.remark(format_args!("{}: {error}", file.display()));
            code = exit::Code::NoInput.into();
            continue;
        }
        let record = Record::from(&report::read(&raw));
        let written = if context.output.is_json() {
            serde_json::to_writer(&mut out, &Inspected { file, record })?;
            out.write_all(b"\n")
        } else {
            write_words(&mut out, file, &record)
        };
        match written {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(ExitCode::SUCCESS),
            written => written?,
        }
    }
    out.flush()?;
    Ok(code)
}

/// Reads the file, or as much of it as shows that it is too large.
fn read_limited(file: &Path, into: &mut Vec<u8>) -> std::io::Result<()> {
    use std::io::Read as _;
    into.clear();
    into.reserve(16 * 1024);
    std::fs::File::open(file)?.take(mime::MAX_BYTES as u64 + 1).read_to_end(into)?;
    Ok(())
}

fn write_words(out: &mut impl std::io::Write, file: &Path, record: &Record) -> std::io::Result<()> {
    write!(out, "{}: {}", file.display(), record.kind)?;
    if let Some(why) = &record.limit {
        write!(out, " ({why})")?;
    }
    writeln!(out)?;
    for recipient in &record.recipients {
        let verdict = match recipient.hard {
            Some(true) => "hard",
            Some(false) => "soft",
            None => "-",
        };
        let original = recipient.original.as_deref().map(|o| format!(" (for {o})"));
        writeln!(
            out,
            "  {}{}: {}, {}, {verdict}",
            recipient.address,
            original.unwrap_or_default(),
            recipient.action,
            recipient.reason
        )?;
        if let Some(reply) = &recipient.reply {
            writeln!(out, "    {reply}")?;
        }
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the command line reads the clock")]
fn now() -> Millis {
    jiff::Timestamp::now().into()
}

#[derive(Serialize)]
struct Stored<'a> {
    file: &'a Path,
    bounce: Option<BounceId>,
    known: bool,
}

/// Stores each file, then decides about everything that is new.
async fn read(context: &Context, files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    let mut code = ExitCode::SUCCESS;
    let mut raw = Vec::new();
    for file in files {
        if let Err(error) = read_limited(file, &mut raw) {
            context.output.remark(format_args!("{}: {error}", file.display()));
            code = exit::Code::NoInput.into();
            continue;
        }
        let mut tx = open.store.begin().await?;
        let received = inbox::receive(&mut tx, Intake::File, &raw, now()).await?;
        tx.commit().await?;
        let (bounce, words) = match received {
            Received::New(id) => (Some(id), format!("stored as bounce {id}")),
            Received::Known => (None, "stored before".to_owned()),
        };
        let stored = Stored { file, bounce, known: bounce.is_none() };
        context.output.result(&stored, format_args!("{}: {words}", file.display()));
    }
    let ours = Ours::of(&open.config, open.key.token())?;
    loop {
        let done = verdict::step(&open.store, &ours, now()).await?;
        if done.read == 0 {
            break;
        }
        context.output.remark(format_args!(
            "{} decided: something followed from {}, {} wait for review",
            done.read, done.applied, done.review
        ));
    }
    Ok(code)
}

async fn show(context: &Context, list: List) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    if let Some(name) = &list.newsletter {
        newsletter_named(&open.store, name).await?;
    }
    let filter = Filter {
        newsletter: list.newsletter,
        domain: list.domain.map(|domain| domain.to_ascii_lowercase()),
        reason: list.reason.map(|reason| reason.as_str().to_owned()),
        kind: list.kind.map(|kind| kind.as_str().to_owned()),
        verdict: list.verdict,
    };
    if let Some(over) = list.sums {
        for sum in list::sums(&open.store, over, &filter, i64::from(list.limit)).await? {
            let reason = match over {
                Over::Reason => String::new(),
                Over::Newsletter | Over::Domain | Over::Issue => format!(" {},", sum.reason),
            };
            let text = format!(
                "{}:{reason} {} ({} hard), {} by probes",
                sum.place, sum.reports, sum.hard, sum.probes
            );
            let mut record = serde_json::json!({
                "reason": sum.reason, "reports": sum.reports, "hard": sum.hard, "probes": sum.probes,
            });
            record[over.as_str()] = sum.place.into();
            context.output.result(&record, text);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for line in list::page(&open.store, &filter, list.before, i64::from(list.limit)).await? {
        print(context, line.into(), None);
    }
    Ok(ExitCode::SUCCESS)
}

async fn decide(context: &Context, asked: Review) -> anyhow::Result<ExitCode> {
    let open = context.open().await?;
    if asked.held {
        return release(context, &open, asked.decision).await;
    }
    let Some(id) = asked.id else { return waiting(context, &open, &asked).await };
    let outcome = match (asked.decision, asked.take_back) {
        (None, false) => {
            let after = BounceId(id.0.saturating_add(1));
            let page = list::page(&open.store, &Filter::default(), Some(after), 1).await?;
            let line = page
                .into_iter()
                .find(|line| line.id == id)
                .ok_or_else(|| fault(review::Error::Missing(id)))?;
            let look = list::look(&open.store, id).await?;
            print(context, line.into(), Some(look));
            return Ok(ExitCode::SUCCESS);
        }
        (decision, take_back) => {
            let phrase = asked.phrase.as_deref().map(|words| (words, asked.reason));
            let mut tx = open.store.begin().await?;
            let outcome = match decision {
                Some(decision) => review::decide(&mut tx, id, decision, phrase, now()).await,
                None if take_back => review::take_back(&mut tx, id, now()).await,
                None => return Ok(exit::Code::Usage.into()),
            };
            let outcome = outcome.map_err(fault)?;
            tx.commit().await?;
            outcome
        }
    };
    context.output.result(&serde_json::json!({"bounce": id, "outcome": outcome}), &outcome);
    Ok(ExitCode::SUCCESS)
}

/// What waits, a page of it, and how much more there is.
async fn waiting(context: &Context, open: &Open, asked: &Review) -> anyhow::Result<ExitCode> {
    let filter = Filter { verdict: Some(Verdict::Review), ..Filter::default() };
    let page = list::page(&open.store, &filter, asked.before, i64::from(asked.limit)).await?;
    let last = page.last().map(|line| line.id);
    for line in page {
        let look = list::look(&open.store, line.id).await?;
        print(context, line.into(), Some(look));
    }
    if let Some(last) = last {
        let more = list::waiting(&open.store, last).await?;
        if more > 0 {
            context.output.remark(format_args!(
                "{more} more wait: `rundbrief bounce review --before {last}`"
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Decides about all that the breaker held back.
async fn release(
    context: &Context,
    open: &Open,
    decision: Option<Decision>,
) -> anyhow::Result<ExitCode> {
    let Some(decision @ (Decision::AsRead | Decision::Nothing)) = decision else {
        let message = "--held goes with --as as-read or --as nothing; decide others one by one";
        return Err(exit::Fault::new(exit::Code::Usage, message).into());
    };
    let done = review::release(&open.store, decision, now()).await.map_err(fault)?;
    let text = format!("{} held back were decided as {decision}", done.decided);
    context.output.result(&done, text);
    if done.untied > 0 {
        context.output.remark(format_args!(
            "{} are tied to nobody any more and wait on: --held --as nothing ends them",
            done.untied
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// What somebody asked that cannot be is no mistake of the program.
fn fault(error: review::Error) -> anyhow::Error {
    let code = match &error {
        review::Error::Missing(_)
        | review::Error::Decided(..)
        | review::Error::Untied(_)
        | review::Error::Harmless(..)
        | review::Error::TakenBack(_)
        | review::Error::Overtaken(_)
        | review::Error::Followed(..)
        | review::Error::Standing(standing::Error::Missing | standing::Error::Refused(_)) => {
            exit::Code::Data
        }
        review::Error::Phrase | review::Error::Reasonless => exit::Code::Usage,
        review::Error::Standing(standing::Error::Database(_))
        | review::Error::Database(_)
        | review::Error::Other(_) => return error.into(),
    };
    exit::Fault::new(code, error.to_string()).into()
}

#[derive(Serialize)]
struct WithExcerpt<'a> {
    #[serde(flatten)]
    printed: Printed,
    #[serde(skip_serializing_if = "Option::is_none")]
    excerpt: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proposal: Option<Decision>,
}

fn print(context: &Context, printed: Printed, look: Option<Look>) {
    let first = printed.report.recipients.first();
    let mut text = format!(
        "{} {} {} {}{}: {}",
        printed.bounce,
        printed.received_at,
        printed.report.kind,
        printed.newsletter.as_deref().unwrap_or("-"),
        printed.number.map(|number| format!(" {number}")).unwrap_or_default(),
        printed.verdict
    );
    if !printed.why.is_empty() {
        text.push_str(&format!(" ({})", printed.why));
    }
    if let Some(recipient) = first {
        text.push_str(&format!("\n    {}: {}", recipient.address, recipient.reason));
    }
    if let Some(look) = &look {
        for line in look.excerpt.lines().filter(|line| !line.trim().is_empty()).take(20) {
            text.push_str(&format!("\n    | {}", line.trim_end()));
        }
    }
    let proposal = look.as_ref().and_then(|look| look.proposal);
    if let Some(decision) = proposal {
        text.push_str(&format!(
            "\n    proposal: rundbrief bounce review {} --as {decision}",
            printed.bounce
        ));
    }
    let excerpt = look.as_ref().map(|look| look.excerpt.as_str());
    context.output.result(&WithExcerpt { printed, excerpt, proposal }, text);
}
