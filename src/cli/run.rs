//! `rundbrief run`: the daemon, or one turn of it.

use std::process::ExitCode;

use serde_json::json;

use super::Context;
use crate::daemon;

/// How.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Do everything that is due now, then exit
    #[arg(long)]
    once: bool,
}

/// Runs until SIGTERM, or once.
///
/// # Errors
/// Configuration, database, port, another process in the data directory.
pub async fn run(context: &Context, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    daemon::log::start(&config.log.level)?;
    let open = context.open().await?;
    if arguments.once {
        let remaining = daemon::once(open).await?;
        let text = format_args!("done for now; {remaining} deliveries remain");
        context.output.result(&json!({ "remaining": remaining }), text);
    } else {
        daemon::run(open).await?;
    }
    Ok(ExitCode::SUCCESS)
}
