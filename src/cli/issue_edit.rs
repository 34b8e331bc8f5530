//! `rundbrief issue edit`: an editor's changes to a draft.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::exit::{Code, Fault};
use super::issue::{issue_named, note, object};
use super::{Context, Open, subscriber};
use crate::article::ArticleId;
use crate::issue::compose::Draft;
use crate::issue::draft;

/// What to change; what is not named stays.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Its number, or newsletter/number
    issue: String,
    /// The mail's subject
    #[arg(long, value_name = "TEXT")]
    subject: Option<String>,
    /// What the inbox shows beside it
    #[arg(long, value_name = "TEXT")]
    preheader: Option<String>,
    /// The words before the first article, from a text file; blank lines part paragraphs
    #[arg(long, value_name = "FILE")]
    editorial: Option<PathBuf>,
    /// Leave an article out; it stays new for a later issue
    #[arg(long, value_name = "ARTICLE")]
    drop: Vec<ArticleId>,
    /// Put an article first of its section
    #[arg(long, value_name = "ARTICLE")]
    first: Vec<ArticleId>,
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, open: &Open, arguments: Arguments) -> anyhow::Result<()> {
    let old = issue_named(&open.store, &arguments.issue).await?;
    let mut content = old.content.0.clone();
    if let Some(file) = &arguments.editorial {
        let words = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        content.editorial = Some(words.trim().to_owned()).filter(|words| !words.is_empty());
    }
    let known = |id: ArticleId| content.items().any(|(item, _)| item.article == id);
    if let Some(id) = arguments.drop.iter().chain(&arguments.first).find(|id| !known(**id)) {
        let message = format!("issue {} has no article {id}; `issue show` lists them", old.id);
        return Err(Fault::new(Code::Data, message).into());
    }
    for section in &mut content.sections {
        section.items.retain(|item| !arguments.drop.contains(&item.article));
        section.items.sort_by_key(|item| !arguments.first.contains(&item.article));
    }
    content.sections.retain(|section| !section.items.is_empty());
    let new = Draft {
        subject: line(arguments.subject, &old.subject, "--subject")?,
        preheader: line(arguments.preheader, &old.preheader, "--preheader")?,
        content,
    };
    let mut tx = open.store.begin().await?;
    let now = subscriber::now().timestamp();
    draft::save(&mut tx, &old, &new, now)
        .await
        .map_err(|error| Fault::new(Code::Data, error.to_string()))?;
    note(&mut tx, "edit", old.id, &json!({})).await?;
    tx.commit().await?;
    let issue = issue_named(&open.store, &old.id.to_string()).await?;
    context.output.result(&object(&issue), format_args!("issue {}: changed", issue.id));
    Ok(())
}

/// One line: what stands in a header must not break it.
fn line(new: Option<String>, old: &str, name: &str) -> anyhow::Result<String> {
    let Some(text) = new else { return Ok(old.to_owned()) };
    if text.chars().any(char::is_control) {
        let message =
            format!("{name} has a line break or another control character; one line is allowed");
        return Err(Fault::new(Code::Usage, message).into());
    }
    Ok(text.trim().to_owned())
}
