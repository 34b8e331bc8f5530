//! `rundbrief run`: the daemon, or one turn of it.

use std::process::ExitCode;

use serde_json::json;

use super::Context;
use super::exit::{Code, Fault};
use crate::daemon::{self, Role};
use crate::store::Kind;

/// How.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Do everything that is due now, then exit
    #[arg(long)]
    once: bool,
    /// What this process does; several processes on several machines share one PostgreSQL
    #[arg(long, value_enum, default_value_t = Role::All, conflicts_with = "once")]
    role: Role,
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
        if arguments.role == Role::Worker && open.store.kind() == Kind::Sqlite {
            let text = "--role worker works beside another process, and SQLite is for one: run without --role, or use PostgreSQL";
            return Err(Fault::new(Code::Config, text).into());
        }
        daemon::run(open, arguments.role).await?;
    }
    Ok(ExitCode::SUCCESS)
}
