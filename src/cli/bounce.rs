//! `rundbrief bounce`: what a mail is, what came back, what waits for a decision.

use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde::Serialize;

use super::{Context, exit};
use crate::bounce::record::Record;
use crate::bounce::{mime, report};

/// What can be done with one.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Say what a mail is; needs no configuration and stores nothing
    Inspect {
        /// Mails, one a file
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Inspect { files } => inspect(context, &files),
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
fn inspect(context: &Context, files: &[PathBuf]) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
    let mut code = ExitCode::SUCCESS;
    for file in files {
        let raw = match read_limited(file) {
            Ok(raw) => raw,
            Err(error) => {
                context.output.remark(format_args!("{}: {error}", file.display()));
                code = exit::Code::NoInput.into();
                continue;
            }
        };
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

/// The file, or as much of it as shows that it is too large.
fn read_limited(file: &Path) -> std::io::Result<Vec<u8>> {
    use std::io::Read as _;
    let opened = std::fs::File::open(file)?;
    let size = opened.metadata()?.len();
    let limit = mime::MAX_BYTES as u64 + 1;
    let mut raw = Vec::with_capacity(usize::try_from(size.min(limit)).unwrap_or(0) + 1);
    opened.take(limit).read_to_end(&mut raw)?;
    Ok(raw)
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
