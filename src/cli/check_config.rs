//! `rundbrief check-config`: says whether the configuration stands.

use std::process::ExitCode;

use serde_json::json;

use super::Context;

/// Reads the file, the environment and every secret; opens nothing else.
///
/// # Errors
/// The first field that is wrong, with its place.
pub async fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let location = config.location()?;
    for (name, transport) in &config.transport {
        if let Some((_, password)) = &transport.login {
            password.read().map_err(|e| e.context(format!("transport {name:?}")))?;
        }
    }
    for dkim in &config.mail.dkim {
        dkim.key.read().map_err(|e| e.context(format!("mail.dkim {:?}", dkim.selector)))?;
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
