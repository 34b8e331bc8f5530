//! `rundbrief issue show`: where an issue is, and what stands at each of its places.

use serde_json::{Value, json};

use super::issue::object;
use super::{Context, Open};
use crate::article::ArticleId;
use crate::issue::content::{Block, Button, Content, Line, Quote, Section};
use crate::issue::{Issue, archive};

/// Shows an issue.
///
/// # Errors
/// The database failed.
pub async fn run(context: &Context, open: &Open, issue: &Issue) -> anyhow::Result<()> {
    let pieces = archive::pieces(&open.store, issue.id.0).await?;
    let title = |id| pieces.iter().find(|piece| piece.id == id).map(|piece| &*piece.record.title);
    let content = &issue.content.0;
    let mut record = object(issue);
    record["editorial"] = json!(content.editorial);
    let mut text = format!(
        "issue {} ({}/{}), {}\nsubject:   {}\npreheader: {}",
        issue.id, issue.newsletter, issue.number, issue.state, issue.subject, issue.preheader
    );
    if let Some(why) = &issue.paused_why {
        text.push_str(&format!("\npaused:    {why}"));
    }
    text.push('\n');
    for (index, line) in content.lines().iter().enumerate() {
        let (kind, words) = match line {
            Line::Heading(title) => ("heading".to_owned(), title.clone()),
            Line::Block(Block::Article(item)) => {
                let title = title(item.article).unwrap_or("(gone)");
                (format!("article {}", item.article), title.to_owned())
            }
            Line::Block(Block::Quote(Quote { text, by, .. })) => {
                let by = by.as_ref().map(|by| format!(" ({by})")).unwrap_or_default();
                ("quote".to_owned(), format!("{text}{by}"))
            }
            Line::Block(Block::Button(Button { text, url })) => {
                ("button".to_owned(), format!("{text} <{url}>"))
            }
            Line::Block(Block::Divider) => ("divider".to_owned(), String::new()),
        };
        text.push_str(&format!("\n{:>4}  {kind:<12}  {words}", index + 1));
    }
    record["sections"] = json!(sections(content, title));
    context.output.result(&record, text);
    Ok(())
}

/// The sections as objects, each thing in them with its place.
fn sections<'t>(content: &Content, title: impl Fn(ArticleId) -> Option<&'t str>) -> Vec<Value> {
    let mut place = 0;
    let mut next = || {
        place += 1;
        place
    };
    let section = |section: &Section| {
        let heading = section.title.as_ref().map(|_| next());
        let (mut articles, mut blocks) = (Vec::new(), Vec::new());
        for block in &section.blocks {
            let place = next();
            match block {
                Block::Article(item) => articles.push(json!({ "place": place,
                    "article": item.article, "revision": item.revision, "form": item.form,
                    "title": title(item.article) })),
                Block::Quote(quote) => blocks.push(json!({ "place": place, "quote": quote })),
                Block::Button(button) => blocks.push(json!({ "place": place, "button": button })),
                Block::Divider => blocks.push(json!({ "place": place, "divider": true })),
            }
        }
        json!({ "title": section.title, "place": heading, "articles": articles, "blocks": blocks })
    };
    content.sections.iter().map(section).collect()
}
