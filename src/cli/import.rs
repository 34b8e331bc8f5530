//! `rundbrief subscriber import`: reads a CSV file into a list. One thread reads
//! and checks, while this one stores batch after batch.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use rundbrief_subscribers::consent::WORDING_MAX;
use rundbrief_subscribers::import::column::Column;
use rundbrief_subscribers::import::layout::Layout;
use rundbrief_subscribers::import::{self as rule, Finding, Line, Options, Reader};
use rundbrief_subscribers::suppression::Key;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::exit::{Code, Fault};
use super::output::Output;
use super::subscriber::{actor, newsletter_named, now};
use super::{Context, Open};
use crate::audit;
use crate::subscriber::import::{BATCH, Candidate, Fate, Plan, make_room, store};

/// What the record of consent says when nobody says where it is kept.
pub const UNSTATED: &str = "not stated; kept by whoever put the person on the list";
/// Batches that wait to be stored.
const WAITING: usize = 1;
/// Lines of the report that a person is shown; `--json` shows all.
const SHOWN_MAX: u64 = 1_000;
/// Rows between two plain lines of progress.
const PLAIN_STEP: u64 = 100_000;

/// What to import, and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// A CSV file in any usual encoding and with any usual separator; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The list
    #[arg(long, value_name = "NAME")]
    newsletter: String,
    /// What the columns hold, where the headings do not say it:
    /// email, given_name, family_name, name, salutation, language, standing, or - for others
    #[arg(long, value_delimiter = ',', value_name = "WORDS", allow_hyphen_values = true)]
    columns: Vec<String>,
    /// What separates cells, where it is not found: , ; | or tab
    #[arg(long, value_name = "CHARACTER")]
    separator: Option<String>,
    /// Where these people's consent is kept
    #[arg(long, value_name = "TEXT", default_value = UNSTATED)]
    consent: String,
    /// Say what would happen, and store nothing
    #[arg(long)]
    dry_run: bool,
}

/// What the reading thread hands over.
enum Handed {
    Layout(Layout),
    Batch(Batch),
}

#[derive(Default)]
struct Batch {
    candidates: Vec<Candidate>,
    rejected: Vec<Finding>,
}

/// What became of all rows.
#[derive(Default)]
struct Sums {
    added: u64,
    known: u64,
    lowered: u64,
    suppressed: u64,
    duplicates: u64,
    rejected: u64,
    noted: u64,
}

/// Reads, stores, reports.
///
/// # Errors
/// The file is no list, or the database failed; what was stored until then stays,
/// and the same command goes on from there.
pub(super) async fn run(
    context: &Context,
    open: &Open,
    arguments: Arguments,
) -> anyhow::Result<ExitCode> {
    let options = options(&arguments)?;
    let newsletter = newsletter_named(&open.store, &arguments.newsletter).await?;
    let name = arguments.file.display().to_string();
    let plan = Plan {
        newsletter: newsletter.id,
        source: shortened(&format!("import {name}")),
        wording: shortened(&arguments.consent),
        now: now(),
    };
    let (file, size) = open_file(&arguments.file)?;
    make_room(&open.store).await?;
    let read = Arc::new(AtomicU64::new(0));
    let file = Counted { inner: file, read: Arc::clone(&read) };
    let (send, mut receive) = mpsc::channel(WAITING);
    let key = open.key.suppression();
    let reading = tokio::task::spawn_blocking(move || read_file(file, &options, &key, &send));

    let mut report = Report::new(context.output, size);
    let mut layout = None;
    while let Some(next) = receive.recv().await {
        let batch = match next {
            Handed::Layout(found) => {
                report.say_layout(&name, &found);
                layout = Some(found);
                continue;
            }
            Handed::Batch(batch) => batch,
        };
        let mut tx = open.store.begin().await?;
        let mut fates = store(&mut tx, &plan, &batch.candidates).await?;
        if arguments.dry_run {
            tx.rollback().await?;
            forget_again(&batch, &mut fates);
        } else {
            tx.commit().await?;
        }
        report.batch(&batch, &fates, read.load(Ordering::Relaxed));
    }
    let ended = reading.await.context("the reading thread")?;
    report.end();
    let legacy_rows = ended.map_err(|error| fault(&name, error))?;
    let layout = layout.context("a file that was read has a layout")?;
    let summary = report.summary(&arguments, &layout, legacy_rows);
    if !arguments.dry_run {
        audit_import(open, &summary, &plan).await?;
    }
    open.store.close().await;
    let sums = &report.sums;
    context.output.result(&summary, sums.in_words(&name, arguments.dry_run));
    let nothing = sums.rejected > 0 && sums.rows() == sums.rejected;
    Ok(if nothing { Code::Data.into() } else { ExitCode::SUCCESS })
}

/// In a dry run the database has not seen the batches before: what it would
/// call new may have stood in them.
fn forget_again(batch: &Batch, fates: &mut [Fate]) {
    for (candidate, fate) in batch.candidates.iter().zip(fates) {
        if candidate.row.duplicate_of.is_some() && *fate == Fate::Added {
            *fate = Fate::Duplicate;
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(WORDING_MAX).collect()
}

fn options(arguments: &Arguments) -> anyhow::Result<Options> {
    let column = |word: &String| {
        Column::parse(word.trim()).ok_or_else(|| {
            let words: Vec<&str> = Column::words().collect();
            let message = format!("--columns {word:?}: allowed are {}", words.join(", "));
            Fault::new(Code::Usage, message)
        })
    };
    let columns = arguments.columns.iter().map(column).collect::<Result<Vec<_>, _>>()?;
    let separator = match arguments.separator.as_deref() {
        None => None,
        Some("tab" | "\t" | "\\t") => Some(b'\t'),
        Some("," | "comma") => Some(b','),
        Some(";" | "semicolon") => Some(b';'),
        Some("|") => Some(b'|'),
        Some(other) => {
            let message = format!("--separator {other:?}: allowed are , ; | tab");
            return Err(Fault::new(Code::Usage, message).into());
        }
    };
    Ok(Options { separator, columns: (!columns.is_empty()).then_some(columns) })
}

/// The file and its size, where it has one.
fn open_file(path: &Path) -> anyhow::Result<(Box<dyn Read + Send>, Option<u64>)> {
    if path == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let facts = file.metadata().with_context(|| path.display().to_string())?;
    if facts.is_dir() {
        let message = format!("{}: is a folder; a CSV file is needed", path.display());
        return Err(Fault::new(Code::NoInput, message).into());
    }
    Ok((Box::new(file), facts.is_file().then_some(facts.len())))
}

fn fault(name: &str, error: rule::Error) -> anyhow::Error {
    let code = match &error {
        rule::Error::Io(_) => Code::Io,
        rule::Error::Columns => Code::Usage,
        rule::Error::Empty
        | rule::Error::Binary
        | rule::Error::FirstLine
        | rule::Error::NoAddressColumn { .. } => Code::Data,
    };
    Fault::new(code, format!("{name}: {error}")).into()
}

/// Counts the octets that were read, for the progress.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// The reading thread: checks each row and hashes each address; says how many
/// rows were in Windows-1252. Ends early when nobody listens any more.
fn read_file(
    file: impl Read,
    options: &Options,
    key: &Key,
    send: &mpsc::Sender<Handed>,
) -> Result<u64, rule::Error> {
    let mut reader = Reader::open(file, options)?;
    if send.blocking_send(Handed::Layout(reader.layout().clone())).is_err() {
        return Ok(0);
    }
    let mut batch = Batch::default();
    for line in reader.by_ref() {
        match line? {
            Line::Row(row) => {
                let hash = key.hash(&row.address);
                batch.candidates.push(Candidate { row, hash });
            }
            Line::Rejected(finding) => batch.rejected.push(finding),
        }
        if batch.candidates.len() == BATCH || batch.rejected.len() == BATCH {
            let full = std::mem::take(&mut batch);
            if send.blocking_send(Handed::Batch(full)).is_err() {
                return Ok(0);
            }
        }
    }
    // Nobody listens only when storing failed, which is said there.
    let _ = send.blocking_send(Handed::Batch(batch));
    Ok(reader.legacy_rows())
}

impl Sums {
    fn rows(&self) -> u64 {
        self.added + self.known + self.lowered + self.suppressed + self.duplicates + self.rejected
    }

    fn count(&mut self, fate: Fate, again: bool) {
        let place = match fate {
            Fate::Added => &mut self.added,
            Fate::Known(_) | Fate::Suppressed(_) if again => &mut self.duplicates,
            Fate::Known(_) => &mut self.known,
            Fate::Lowered(_) => &mut self.lowered,
            Fate::Suppressed(_) => &mut self.suppressed,
            Fate::Duplicate => &mut self.duplicates,
        };
        *place += 1;
    }

    fn in_words(&self, name: &str, dry_run: bool) -> String {
        let stored = if dry_run { " (nothing was stored)" } else { "" };
        let mut words = format!("{name}: {} rows, {} added{stored}", self.rows(), self.added);
        let others = [
            (self.known, "on the list already, left as they are"),
            (self.lowered, "on the list already, left or complained by this file"),
            (self.suppressed, "suppressed, left out"),
            (self.duplicates, "twice in the file"),
            (self.rejected, "rejected"),
            (self.noted, "with something left out"),
        ];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            words.push_str(&format!("\n  {count} {what}"));
        }
        words
    }
}

/// What is said while it goes on.
struct Report {
    output: Output,
    bar: Option<ProgressBar>,
    sums: Sums,
    shown: u64,
    said: u64,
}

impl Report {
    fn new(output: Output, size: Option<u64>) -> Self {
        let bar = output.is_terminal().then(|| match size {
            Some(size) => ProgressBar::new(size).with_style(bar_style()),
            None => ProgressBar::no_length(),
        });
        Self { output, bar, sums: Sums::default(), shown: 0, said: 0 }
    }

    fn say_layout(&self, name: &str, layout: &Layout) {
        let columns: Vec<String> = layout.columns.iter().map(Column::to_string).collect();
        let headings = if layout.headings.is_empty() { "no headings" } else { "headings" };
        self.remark(&format!(
            "{name}: {}, separated by {:?}, {headings}, columns: {}",
            layout.encoding.as_str(),
            char::from(layout.separator),
            columns.join(",")
        ));
    }

    fn remark(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.output.remark(text)),
            None => self.output.remark(text),
        }
    }

    fn batch(&mut self, batch: &Batch, fates: &[Fate], read: u64) {
        let mut lines: Vec<(u64, Value, String)> = Vec::new();
        for finding in &batch.rejected {
            self.sums.rejected += 1;
            lines.push(entry(finding, "rejected"));
        }
        for (candidate, fate) in batch.candidates.iter().zip(fates) {
            let row = &candidate.row;
            self.sums.count(*fate, row.duplicate_of.is_some());
            self.sums.noted += u64::from(!row.notes.is_empty());
            lines.extend(row.notes.iter().map(|note| entry(note, "noted")));
            let first = row.duplicate_of.filter(|_| *fate != Fate::Added);
            let (outcome, reason) = match (first, fate) {
                (Some(line), _) => ("duplicate", format!("stands on line {line} already")),
                (None, Fate::Lowered(became)) => ("lowered", format!("is {became} now")),
                (None, Fate::Suppressed(why)) => {
                    ("suppressed", format!("is suppressed ({}); left out", why.as_str()))
                }
                (None, Fate::Duplicate) => ("duplicate", "stands in the file twice".to_owned()),
                (None, Fate::Added | Fate::Known(_)) => continue,
            };
            let object = json!({"line": row.line, "outcome": outcome, "reason": reason});
            lines.push((row.line, object, format!("line {}: {reason}", row.line)));
        }
        lines.sort_by_key(|(line, _, _)| *line);
        for (_, object, text) in &lines {
            self.show(object, text);
        }
        self.progress(read);
    }

    fn show(&mut self, object: &Value, text: &str) {
        if self.output.is_json() {
            self.output.result(object, text);
            return;
        }
        self.shown += 1;
        if self.shown <= SHOWN_MAX {
            self.remark(text);
        } else if self.shown == SHOWN_MAX + 1 {
            self.remark("… and so on; --json lists them all");
        }
    }

    fn progress(&mut self, read: u64) {
        let rows = self.sums.rows();
        match &self.bar {
            Some(bar) => {
                bar.set_position(read);
                bar.set_message(format!("{rows} rows"));
            }
            None if rows / PLAIN_STEP > self.said / PLAIN_STEP => {
                self.output.remark(format_args!("{rows} rows read"));
            }
            None => {}
        }
        self.said = rows;
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn summary(&self, arguments: &Arguments, layout: &Layout, legacy_rows: u64) -> Value {
        let columns: Vec<String> = layout.columns.iter().map(Column::to_string).collect();
        let sums = &self.sums;
        json!({
            "file": arguments.file, "newsletter": arguments.newsletter,
            "rows": sums.rows(), "added": sums.added, "known": sums.known,
            "lowered": sums.lowered, "suppressed": sums.suppressed,
            "duplicates": sums.duplicates, "rejected": sums.rejected, "noted": sums.noted,
            "encoding": layout.encoding.as_str(), "legacy_rows": legacy_rows,
            "separator": char::from(layout.separator), "columns": columns,
            "headings": !layout.headings.is_empty(), "dry_run": arguments.dry_run,
        })
    }
}

fn bar_style() -> ProgressStyle {
    let template = "{bar:40} {percent:>3} %  {msg}  {eta} left";
    ProgressStyle::with_template(template).expect("the template is lawful")
}

/// A finding as an object, and as a line of text.
fn entry(finding: &Finding, outcome: &str) -> (u64, Value, String) {
    let object = json!({
        "line": finding.line,
        "column": finding.column.as_ref().map(|(number, _)| number),
        "heading": finding.column.as_ref().map(|(_, heading)| heading),
        "outcome": outcome,
        "reason": finding.reason.to_string(),
    });
    (finding.line, object, finding.to_string())
}

async fn audit_import(open: &Open, summary: &Value, plan: &Plan) -> anyhow::Result<()> {
    let mut tx = open.store.begin().await?;
    let act = audit::Act {
        actor: &actor(),
        act: "import",
        noun: "newsletter",
        id: Some(plan.newsletter.0),
        detail: summary,
    };
    audit::record(&mut tx, act, plan.now).await?;
    tx.commit().await?;
    Ok(())
}
