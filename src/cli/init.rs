//! `rundbrief init`: writes rundbrief.toml, the data directory, keys and the database.
//!
//! Run twice, it leaves alone what is there.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::Context;
use crate::config::key;
use crate::store::Store;

/// What a first configuration needs to know.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The address readers will know, such as https://news.example.de
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8025")]
    address: String,
    /// Data directory, relative to the configuration file
    #[arg(long, value_name = "DIR", default_value = "data")]
    directory: PathBuf,
    /// Database: sqlite:FILE or postgres://USER@HOST/NAME
    #[arg(long, value_name = "ADDRESS", default_value = "sqlite:rundbrief.db")]
    database: String,
}

/// Writes what is missing and says what was there.
///
/// # Errors
/// A file cannot be written, or the database cannot be opened.
pub async fn run(context: &Context, arguments: Arguments) -> anyhow::Result<ExitCode> {
    let file = &context.config_file;
    let written = write_new(file, &first_config(&arguments)?)?;
    let config = context.config()?;
    std::fs::create_dir_all(&config.directory)
        .with_context(|| format!("data directory {}", config.directory.display()))?;
    private(&config.directory)?;
    let new_key = key::create(&config.directory)?;
    let location = config.location()?;
    Store::open(&location).await?.close().await;
    let said = |new: bool| if new { "written" } else { "was there, left alone" };
    context.output.remark(format_args!("{}: {}", file.display(), said(written)));
    let key_file = config.directory.join(key::FILE);
    context.output.remark(format_args!("{}: {}", key_file.display(), said(new_key)));
    context.output.result(
        &json!({"config": file, "directory": config.directory, "database": location.place(), "new_config": written, "new_key": new_key}),
        format_args!("{}: ready. Keep a copy of {}: without it, links in sent mails stop working.", location.place(), key_file.display()),
    );
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that is not there yet; `false` if it is.
fn write_new(path: &Path, text: &str) -> anyhow::Result<bool> {
    match std::fs::OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes()).with_context(|| path.display().to_string())?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

fn private(directory: &Path) -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o750))
            .with_context(|| directory.display().to_string())?;
    }
    Ok(())
}

fn first_config(arguments: &Arguments) -> anyhow::Result<String> {
    let url = url::Url::parse(&arguments.address).context("--address")?;
    let host = url.host_str().filter(|h| h.contains('.') && !h.starts_with(char::is_numeric));
    let domain = host.unwrap_or("news.example.org");
    let text = |value: &str| toml::Value::String(value.to_owned()).to_string();
    Ok(format!(
        "# Rundbrief. Every field is explained in deploy/rundbrief.toml.\n\n\
         directory = {directory}\n\n\
         [database]\naddress = {database}\n\n\
         [web]\nlisten = \"127.0.0.1:8025\"\naddress = {address}\n\n\
         [mail]\ndomain = {domain}\n\
         # Both mailboxes must exist and take +TOKEN; what comes there is read as [bounce]\n\
         # says. Without the second, readers leave by web only.\n\
         return_path = {return_path}\nunsubscribe = {unsubscribe}\n\n\
         [transport.relay]\nhost = \"127.0.0.1\"\nport = 25\ntls = \"none\"\n",
        directory = text(&arguments.directory.to_string_lossy()),
        database = text(&arguments.database),
        address = text(&arguments.address),
        domain = text(domain),
        return_path = text(&format!("bounce@{domain}")),
        unsubscribe = text(&format!("abmelden@{domain}")),
    ))
}
