//! Access tokens for XOAUTH2: from a file that another program keeps fresh, or from
//! a command that prints one. All sessions of a relay share the one token; it is
//! renewed when its time is over, and once when the relay refuses it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::config::secret::Secret;

/// How long the command may take.
const COMMAND: Duration = Duration::from_secs(30);
/// Bytes that it may print; tokens have some thousands.
const OUTPUT_BYTES: u64 = 64 * 1024;
/// A token is renewed this long before its time is over: a log-in takes a moment.
const EARLY: Duration = Duration::from_secs(60);

/// Where tokens come from.
#[derive(Debug, Clone)]
pub enum Origin {
    /// A file or credential, read anew for each renewal.
    Stored(Secret),
    /// A program with its arguments, run without a shell. It prints the token, or
    /// the answer of a token endpoint (RFC 6749, section 5.1) with `access_token`
    /// and `expires_in`.
    Command(Vec<String>),
}

/// The token of one relay.
#[derive(Debug, Clone)]
pub struct Tokens {
    origin: Origin,
    held: Arc<Mutex<Option<Held>>>,
}

#[derive(Debug, Clone)]
struct Held {
    token: SecretString,
    until: Option<Instant>,
}

/// A token endpoint's answer, as far as it matters.
#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    /// No token yet; the first log-in gets one.
    pub fn new(origin: Origin) -> Tokens {
        Tokens { origin, held: Arc::default() }
    }

    /// The token, renewed if its time is over.
    ///
    /// # Errors
    /// The file cannot be read, or the command gave none.
    pub async fn current(&self) -> anyhow::Result<SecretString> {
        let mut held = self.held.lock().await;
        if let Some(held) = &*held
            && held.until.is_none_or(|until| Instant::now() < until)
        {
            return Ok(held.token.clone());
        }
        let fresh = self.fetch().await?;
        Ok(held.insert(fresh).token.clone())
    }

    /// Another token than the refused one; none when there is no other.
    ///
    /// # Errors
    /// As for [`Tokens::current`].
    pub async fn after(&self, refused: &SecretString) -> anyhow::Result<Option<SecretString>> {
        let mut held = self.held.lock().await;
        let same = |held: &Held| held.token.expose_secret() == refused.expose_secret();
        // Another session may have renewed it meanwhile.
        if held.as_ref().is_none_or(same) {
            *held = Some(self.fetch().await?);
        }
        Ok(held.as_ref().filter(|held| !same(held)).map(|held| held.token.clone()))
    }

    async fn fetch(&self) -> anyhow::Result<Held> {
        match &self.origin {
            Origin::Stored(secret) => read(secret.read()?.expose_secret()),
            Origin::Command(words) => {
                let shown = words.first().map_or("", String::as_str);
                let output = timeout(COMMAND, run(words)).await;
                let output = output
                    .with_context(|| format!("{shown}: no token within {} s", COMMAND.as_secs()))?;
                read(&output.with_context(|| shown.to_owned())?).with_context(|| shown.to_owned())
            }
        }
    }
}

/// What the command prints. Its errors go where ours go; the token goes nowhere else.
async fn run(words: &[String]) -> anyhow::Result<String> {
    let (program, arguments) = words.split_first().context("no program is named")?;
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut said = String::new();
    if let Some(output) = child.stdout.take() {
        output.take(OUTPUT_BYTES).read_to_string(&mut said).await?;
    }
    let ended = child.wait().await?;
    if !ended.success() {
        bail!("{ended}, no token");
    }
    Ok(said)
}

/// A bare token, or a token endpoint's answer.
fn read(text: &str) -> anyhow::Result<Held> {
    let text = text.trim();
    let (token, lives) = if text.starts_with('{') {
        // The cause is not passed on: it could quote the token.
        let answer: Answer = serde_json::from_str(text)
            .ok()
            .context("JSON without access_token; an answer as of RFC 6749 section 5.1 is needed")?;
        (answer.access_token, answer.expires_in)
    } else {
        (text.to_owned(), None)
    };
    if token.is_empty() || token.contains(|c: char| c.is_whitespace() || c.is_control()) {
        bail!("no access token; one line is needed");
    }
    let until =
        lives.map(|seconds| Instant::now() + Duration::from_secs(seconds).saturating_sub(EARLY));
    Ok(Held { token: SecretString::from(token), until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Tokens {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        Tokens::new(Origin::Command(words))
    }

    #[tokio::test]
    async fn a_token_is_fetched_once_and_again_when_refused_or_over() {
        let directory = tempfile::tempdir().unwrap();
        let count = directory.path().join("count");
        let script = format!("echo x >> {0}; echo token$(wc -l < {0})", count.display());
        let tokens = shell(&script);
        let first = tokens.current().await.unwrap();
        assert_eq!(first.expose_secret(), "token1");
        assert_eq!(tokens.current().await.unwrap().expose_secret(), "token1");
        let second = tokens.after(&first).await.unwrap().unwrap();
        assert_eq!(second.expose_secret(), "token2");
        // Another session was refused with the first one: it need not ask again.
        assert_eq!(tokens.after(&first).await.unwrap().unwrap().expose_secret(), "token2");

        let brief = shell(&format!(
            "echo x >> {0}; echo '{{\"access_token\": \"t'$(wc -l < {0})'\", \"expires_in\": 60}}'",
            count.display()
        ));
        assert_eq!(brief.current().await.unwrap().expose_secret(), "t3");
        assert_eq!(brief.current().await.unwrap().expose_secret(), "t4");
    }

    #[tokio::test]
    async fn no_token_is_said_and_never_quoted() {
        for (script, words) in [
            ("exit 3", "exit status: 3"),
            ("true", "no access token"),
            ("echo 'se cret'", "no access token"),
            ("echo '{\"token\": \"secret\"}'", "access_token"),
        ] {
            let said = format!("{:#}", shell(script).current().await.unwrap_err());
            assert!(said.contains(words) && !said.contains("cret"), "{said}");
        }
        let same = shell("echo constant");
        let refused = same.current().await.unwrap();
        assert!(same.after(&refused).await.unwrap().is_none());
    }
}
