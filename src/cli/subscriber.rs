//! `rundbrief subscriber`.

use std::process::ExitCode;

use super::Context;

/// What can be done with one.
#[derive(Debug, clap::Subcommand)]
pub enum Command {}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(_context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {}
}
