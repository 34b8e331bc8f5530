//! `rundbrief doctor`: looks at everything that can be looked at from here.

use std::process::ExitCode;

use super::{Context, exit};
use crate::doctor::{self, Finding, Health};
use crate::store::Store;

/// Prints what it found; exits with 69 when something will not work.
///
/// # Errors
/// The configuration cannot be read; everything else is a finding.
pub async fn run(context: &Context) -> anyhow::Result<ExitCode> {
    let config = context.config()?;
    let mut found = doctor::directory(&config.directory);
    found.push(doctor::master_key(&config.directory));
    match Store::open(&config.location()?).await {
        Ok(store) => {
            found.extend(doctor::database(&store, now()).await);
            store.close().await;
        }
        Err(error) => found.push(Finding::broken("database", error.to_string())),
    }
    found.extend(doctor::relays(&config).await);
    found.extend(doctor::signatures(&config));
    for finding in &found {
        let mark = match finding.health {
            Health::Fine => "fine",
            Health::Look => "LOOK",
            Health::Broken => "BROKEN",
        };
        context.output.result(finding, format_args!("{mark:6} {}: {}", finding.what, finding.says));
    }
    let worst = found.iter().map(|finding| finding.health).max();
    Ok(match worst {
        Some(Health::Broken) => exit::Code::Unavailable.into(),
        Some(Health::Look | Health::Fine) | None => ExitCode::SUCCESS,
    })
}

#[expect(clippy::disallowed_methods, reason = "a command reads the clock")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}
