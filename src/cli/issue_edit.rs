//! `rundbrief issue edit`: an editor's changes to a draft.

use std::path::PathBuf;

use anyhow::Context as _;
use serde_json::json;

use super::exit::{Code, Fault};
use super::issue::{issue_named, note, object};
use super::{Context, Open, subscriber};
use crate::article::{ArticleId, Record};
use crate::issue::compose::{self, Draft};
use crate::issue::content::{Block, Content};
use crate::issue::draft::Newer;
use crate::issue::{Issue, archive, draft};

/// What to change; what is not named stays. A subject and a preheader that are still those
/// that were proposed follow the articles.
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
    /// Take the present revision of its articles
    #[arg(long)]
    refresh: bool,
    /// Take out a quote, a button, a divider or a heading, by its place in `issue show`
    #[arg(long, value_name = "PLACE")]
    remove: Vec<usize>,
}

/// Runs the command.
///
/// # Errors
/// Each says what was wrong, where, and what to do next.
pub async fn run(context: &Context, open: &Open, arguments: Arguments) -> anyhow::Result<()> {
    let old = issue_named(&open.store, &arguments.issue).await?;
    let issue = old.id;
    let mut content = old.content.0.clone();
    if let Some(file) = &arguments.editorial {
        let words = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
        content.editorial = Some(words.trim().to_owned()).filter(|words| !words.is_empty());
    }
    let known = |id: ArticleId| content.items().any(|(item, _)| item.article == id);
    if let Some(id) = arguments.drop.iter().chain(&arguments.first).find(|id| !known(**id)) {
        let message = format!("issue {issue} has no article {id}; `issue show` lists them");
        return Err(Fault::new(Code::Data, message).into());
    }
    content
        .take_out(&arguments.remove)
        .map_err(|refused| Fault::new(Code::Data, format!("issue {issue}: {refused}")))?;
    let among = |block: &Block, articles: &[ArticleId]| {
        block.item().is_some_and(|item| articles.contains(&item.article))
    };
    for section in &mut content.sections {
        section.blocks.retain(|block| !among(block, &arguments.drop));
        section.blocks.sort_by_key(|block| !among(block, &arguments.first));
    }
    content.sections.retain(|section| !section.blocks.is_empty());
    let newer = match arguments.refresh {
        true => draft::newer(&open.store, issue).await?,
        false => Vec::new(),
    };
    for item in content.items_mut() {
        if let Some(newer) = newer.iter().find(|newer| newer.article == item.article) {
            item.revision = newer.revision;
            context.output.remark(format_args!("taken anew: {:?}", newer.record.title));
        }
    }
    let (subject, preheader) = proposed(open, &old, &content, &newer).await?;
    let new = Draft {
        subject: line(arguments.subject, &subject, "--subject")?,
        preheader: line(arguments.preheader, &preheader, "--preheader")?,
        content,
    };
    let changed = save(open, &old, &new).await?;
    context.output.result(&object(&changed), format_args!("issue {issue}: changed"));
    Ok(())
}

/// Subject and preheader: those that were proposed are proposed anew for the articles that
/// are left, those that somebody wrote stay.
async fn proposed(
    open: &Open,
    old: &Issue,
    content: &Content,
    newer: &[Newer],
) -> anyhow::Result<(String, String)> {
    let pieces = archive::pieces(&open.store, old.id.0).await?;
    let shown = |id: ArticleId| pieces.iter().find(|one| one.id == id).map(|one| &one.record);
    let now = |id: ArticleId| {
        newer.iter().find(|one| one.article == id).map(|one| &one.record).or_else(|| shown(id))
    };
    let before: Vec<&Record> = pieces.iter().map(|one| &one.record).collect();
    let after: Vec<&Record> = content.items().filter_map(|(item, _)| now(item.article)).collect();
    let anew = |old: &str, propose: fn(&[&Record]) -> String| match after.is_empty() {
        false if old == propose(&before) => propose(&after),
        true | false => old.to_owned(),
    };
    Ok((anew(&old.subject, compose::subject), anew(&old.preheader, compose::preheader)))
}

/// Stores what was changed, and who did it.
pub(super) async fn save(open: &Open, old: &Issue, new: &Draft) -> anyhow::Result<Issue> {
    let mut tx = open.store.begin().await?;
    let now = subscriber::now().timestamp();
    draft::save(&mut tx, old, new, now)
        .await
        .map_err(|error| Fault::new(Code::Data, error.to_string()))?;
    note(&mut tx, "edit", old.id, &json!({})).await?;
    tx.commit().await?;
    issue_named(&open.store, &old.id.to_string()).await
}

fn line(new: Option<String>, old: &str, name: &str) -> anyhow::Result<String> {
    match new {
        Some(text) => one_line(&text, name),
        None => Ok(old.to_owned()),
    }
}

/// One line: what stands in a header must not break it.
pub(super) fn one_line(text: &str, name: &str) -> anyhow::Result<String> {
    if text.chars().any(char::is_control) {
        let message =
            format!("{name} has a line break or another control character; one line is allowed");
        return Err(Fault::new(Code::Usage, message).into());
    }
    Ok(text.trim().to_owned())
}
