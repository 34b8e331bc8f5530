//! `rundbrief check-config`: says whether the configuration stands.

use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::json;

use super::Context;
use crate::config::transport::Login;
use crate::webhook::door::Door;

/// Reads the file, the environment and every secret; opens nothing else.
///
/// # Errors
/// The first field that is wrong, with its place.
pub async fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let location = config.location()?;
    for (name, transport) in &config.transport {
        if let Some(Login::Secret(_, password)) = &transport.login {
            password.read().map_err(|e| e.context(format!("transport {name:?}")))?;
        }
    }
    for dkim in &config.mail.dkim {
        dkim.key.read().map_err(|e| e.context(format!("mail.dkim {:?}", dkim.selector)))?;
    }
    if let Some(token) = config.metrics.as_ref().and_then(|metrics| metrics.token.as_ref()) {
        token.read().context("metrics.token")?;
    }
    let bounce = &config.bounce;
    Door::open(&bounce.webhook)?;
    if let Some(imap) = &bounce.imap {
        imap.account.password.read().context("bounce.imap.password")?;
    }
    if let Some(pop3) = &bounce.pop3 {
        pop3.account.password.read().context("bounce.pop3.password")?;
    }
    if config.transport.is_empty() {
        context.output.remark("no [transport.NAME] yet: nothing can be delivered");
    }
    context.output.result(
        &json!({"ok": true, "database": location.place(), "listen": config.web.listen}),
        format_args!("{}: fine. Database: {}", context.config_file.display(), location.place()),
    );
    Ok(ExitCode::SUCCESS)
}
