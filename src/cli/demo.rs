//! `rundbrief demo`: all of it on this machine, with sample data.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::Output;
use super::{Context, exit};
use crate::demo::world::World;
use crate::demo::{self, Book, Said};
use crate::store::value::Millis;

/// How.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Send, print the sums, exit
    #[arg(long)]
    once: bool,
    /// Port of the pages [default: 8026, with --once any free one]
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
}

/// Where the pages are unless told.
const PORT: u16 = 8026;

/// Runs it. Exits with 0 only when the sums add up.
///
/// # Errors
/// No loopback, no temporary directory, or the port is taken.
pub async fn run(context: &Context, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let port = arguments.port.unwrap_or(if arguments.once { 0 } else { PORT });
    let world = World::build(port, now()).await?;
    let bar = progress_bar(context.output);
    let tell = |said: Said<'_>| match said {
        Said::Step(words) => bar.suspend(|| context.output.remark(words)),
        Said::Sent(done, of) => {
            bar.set_length(of);
            bar.set_position(done);
        }
    };
    let books = demo::send(&world, &tell).await;
    bar.finish_and_clear();
    let books = books?;
    for book in &books {
        context.output.result(book, words(book));
    }
    let right = books.iter().all(|book| book.adds_up);
    if !right {
        context.output.remark("The sums do not add up. This is a mistake in rundbrief.");
    }
    if !arguments.once {
        let address = world.address()?;
        context.output.remark(format_args!(
            "\nLook at it:\n  {address}/demo     the mails as they arrived\n  \
             {address}/report   what became of them\n  {address}/archive  the issues as pages\n\n\
             Ctrl-C ends it and removes everything."
        ));
        let ended = async {
            // Without a signal handler there is only the other way to end it.
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        demo::stay(world, ended).await?;
    }
    Ok(if right { ExitCode::SUCCESS } else { exit::Code::Software.into() })
}

fn words(book: &Book) -> String {
    let sums = &book.sums;
    let verdict = if book.adds_up { "adds up" } else { "DOES NOT ADD UP" };
    format!(
        "{:15} {} readers: {} accepted ({} of them came back), {} refused; {verdict}",
        book.newsletter, sums.total, sums.accepted, sums.bounced, sums.failed
    )
}

fn progress_bar(output: Output) -> ProgressBar {
    let bar = if output.is_terminal() { ProgressBar::no_length() } else { ProgressBar::hidden() };
    let style = ProgressStyle::with_template("{bar:40} {pos} of {len} mails");
    bar.with_style(style.expect("the template is well-formed"))
}

#[expect(clippy::disallowed_methods, reason = "a command reads the clock")]
fn now() -> Millis {
    Millis::from(jiff::Timestamp::now())
}
