//! `rundbrief subscriber export`: the list as CSV, or as one JSON object a line.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use rundbrief_subscribers::export::{self as rule, Style};
use rundbrief_subscribers::standing::{ALL, Standing};
use serde_json::{Value, json};

use super::exit::{Code, Fault};
use super::subscriber::{actor, describe, newsletter_named, now};
use super::{Context, Open};
use crate::audit;
use crate::subscriber::SubscriptionId;
use crate::subscriber::list::{self, Filter, Listed};

/// What to export, and how.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// One newsletter's list [default: all]
    #[arg(long, value_name = "NAME")]
    newsletter: Option<String>,
    /// Only who stands so: pending, active, paused, left, unreachable, complained
    #[arg(long)]
    standing: Option<String>,
    /// Semicolons and a byte order mark, as Excel in German opens it
    #[arg(long)]
    spreadsheet: bool,
    /// Into this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Where the lines go, and in which form.
enum Sink {
    Csv(Box<rule::Writer<Box<dyn Write + Send>>>),
    Json(Box<dyn Write + Send>),
}

/// Writes the list, and into the audit log that it was.
///
/// # Errors
/// The file cannot be written, or the database failed.
pub(super) async fn run(
    context: &Context,
    open: &Open,
    arguments: Arguments,
) -> anyhow::Result<()> {
    let mut filter = Filter::default();
    if let Some(name) = &arguments.newsletter {
        filter.newsletter = Some(newsletter_named(&open.store, name).await?.id);
    }
    if let Some(word) = &arguments.standing {
        let standing = Standing::parse(word).ok_or_else(|| {
            let words = ALL.map(Standing::as_str).join(", ");
            Fault::new(Code::Usage, format!("--standing {word:?}: allowed are {words}"))
        })?;
        filter.standing = Some(standing);
    }
    let out: Box<dyn Write + Send> = match &arguments.out {
        Some(file) => {
            let created = File::create(file).with_context(|| file.display().to_string());
            Box::new(BufWriter::new(created?))
        }
        None => Box::new(BufWriter::new(std::io::stdout())),
    };
    let style = if arguments.spreadsheet { Style::Spreadsheet } else { Style::Plain };
    let sink = match context.output.is_json() {
        true => Sink::Json(out),
        false => Sink::Csv(Box::new(rule::Writer::new(out, style)?)),
    };
    let written = match write_pages(open, filter, sink).await {
        Ok(written) => written,
        // Whoever read it had enough (`| head`).
        Err(error) if is_broken_pipe(&error) => return Ok(()),
        Err(error) => return Err(error),
    };
    let detail = json!({
        "newsletter": arguments.newsletter,
        "standing": arguments.standing,
        "rows": written,
    });
    let mut tx = open.store.begin().await?;
    let act = audit::Act {
        actor: &actor(),
        act: "export",
        noun: "subscriber",
        id: None,
        detail: &detail,
    };
    audit::record(&mut tx, act, now()).await?;
    tx.commit().await?;
    context.output.remark(format_args!("{written} rows exported"));
    Ok(())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let io = error.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

/// Writes page after page; says how many rows.
async fn write_pages(open: &Open, filter: Filter, mut sink: Sink) -> anyhow::Result<u64> {
    let mut written = 0;
    let mut after = SubscriptionId(0);
    loop {
        let page = list::page(&open.store, filter, after).await?;
        let Some(last) = page.last() else { break };
        after = last.subscription;
        written += page.len() as u64;
        for listed in &page {
            match &mut sink {
                Sink::Csv(csv) => csv.write(line(listed, &listed.since.to_string()))?,
                Sink::Json(out) => writeln!(out, "{}", object(listed))?,
            }
        }
    }
    match sink {
        Sink::Csv(csv) => csv.finish()?.flush()?,
        Sink::Json(mut out) => out.flush()?,
    }
    Ok(written)
}

fn line<'a>(listed: &'a Listed, since: &'a str) -> rule::Line<'a> {
    rule::Line {
        address: &listed.subscriber.address,
        person: &listed.subscriber.person,
        standing: listed.standing,
        since,
    }
}

fn object(listed: &Listed) -> Value {
    let mut object = describe(&listed.subscriber);
    object["newsletter"] = json!(listed.newsletter);
    object["standing"] = json!(listed.standing);
    object["since"] = json!(listed.since.to_string());
    object
}
