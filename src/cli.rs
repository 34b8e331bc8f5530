//! The command line: one file per command.
//!
//! Every command takes `--config FILE` and `--json` (one object a line, stable
//! field names), says on standard error what it does, and exits by sysexits.h.

pub mod article;
pub mod bounce;
pub mod check_config;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod export;
pub mod import;
pub mod init;
pub mod issue;
pub mod issue_check;
pub mod issue_edit;
pub mod issue_missing;
pub mod issue_place;
pub mod issue_preview;
pub mod issue_report;
pub mod issue_show;
pub mod issue_unknown;
pub mod newsletter;
pub mod newsletter_mails;
pub mod output;
pub mod run;
pub mod send;
pub mod source;
pub mod subscriber;
pub mod transport;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use rundbrief_subscribers::key::Master;

use crate::config::{self, Config, key};
use crate::store::Store;
use output::Output;

/// Turns articles into newsletters and gets every single mail to its reader, or knows why not.
#[derive(Debug, Parser)]
#[command(name = "rundbrief", version, propagate_version = true)]
pub struct Arguments {
    /// Configuration file [default: $RUNDBRIEF_CONFIG, else rundbrief.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show all of it on loopback with sample data
    Demo(demo::Arguments),
    /// Write rundbrief.toml, the database and keys
    Init(init::Arguments),
    /// The daemon: schedule, deliveries, bounces, web
    Run(run::Arguments),
    /// Say whether the configuration stands
    CheckConfig,
    /// Publications
    #[command(subcommand)]
    Newsletter(newsletter::Command),
    /// Where articles come from
    #[command(subcommand)]
    Source(source::Command),
    /// Records that issues are made of
    #[command(subcommand)]
    Article(article::Command),
    /// Editions of a newsletter
    #[command(subcommand)]
    Issue(issue::Command),
    /// Deliver in the foreground until nothing is left to do now
    Send(send::Arguments),
    /// People with an address
    #[command(subcommand)]
    Subscriber(subscriber::Command),
    /// Relays that mails go out by
    #[command(subcommand)]
    Transport(transport::Command),
    /// What came back
    #[command(subcommand)]
    Bounce(bounce::Command),
    /// Look at DNS, TLS, relay, clock, disk and permissions
    Doctor,
}

/// What a command has in its hands before it opens anything.
#[derive(Debug)]
pub struct Context {
    /// The configuration file.
    pub config_file: PathBuf,
    /// Where results go.
    pub output: Output,
}

/// Configuration, database and keys, open.
#[derive(Clone, Debug)]
pub struct Open {
    /// What `rundbrief.toml` and the environment say.
    pub config: Config,
    /// The migrated database.
    pub store: Store,
    /// What tokens and suppressions are keyed with.
    pub key: Master,
}

impl Context {
    /// Reads the configuration.
    ///
    /// # Errors
    /// See [`config::Error`].
    pub fn config(&self) -> Result<Config, config::Error> {
        Config::load(&self.config_file, std::env::vars())
    }

    /// Reads the configuration, opens and migrates the database, reads the keys.
    ///
    /// # Errors
    /// Each names the file or address and what to do.
    pub async fn open(&self) -> anyhow::Result<Open> {
        let config = self.config()?;
        let key = key::read(&config.directory).context("master key")?;
        let store = Store::open(&config.location()?).await?;
        Ok(Open { config, store, key })
    }
}

/// Parses, opens, dispatches; the answer is the process's exit code.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { exit::Code::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    let config_file = arguments
        .config
        .or_else(|| std::env::var_os("RUNDBRIEF_CONFIG").map(PathBuf::from))
        .unwrap_or_else(|| PathBuf::from(config::DEFAULT_FILE));
    let context = Context { config_file, output: Output::new(arguments.json) };
    // Reads files and waits for nothing: threads would cost more than the mails.
    let done = if let Command::Bounce(bounce::Command::Inspect { files }) = &arguments.command {
        bounce::inspect(&context, files)
    } else {
        on_threads(dispatch(&context, arguments.command))
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("rundbrief: {error:#}");
            exit::code(&error).into()
        }
    }
}

/// Runs what waits for files, databases and networks.
fn on_threads(work: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        let message = format!("the system gives no threads: {error}");
        exit::Fault::new(exit::Code::System, message)
    })?;
    let done = runtime.block_on(work);
    // What still reads a document in the background is not waited for.
    runtime.shutdown_background();
    done
}

async fn dispatch(context: &Context, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Demo(arguments) => demo::run(context, arguments).await,
        Command::Init(arguments) => init::run(context, arguments).await,
        Command::Run(arguments) => run::run(context, arguments).await,
        Command::CheckConfig => check_config::run(context).await,
        Command::Newsletter(command) => newsletter::run(context, command).await,
        Command::Source(command) => source::run(context, command).await,
        Command::Article(command) => article::run(context, command).await,
        Command::Issue(command) => issue::run(context, command).await,
        Command::Send(arguments) => send::run(context, arguments).await,
        Command::Subscriber(command) => subscriber::run(context, command).await,
        Command::Transport(command) => transport::run(context, command).await,
        Command::Bounce(command) => bounce::run(context, command).await,
        Command::Doctor => doctor::run(context).await,
    }
}
