//! What stands in an issue: sections of articles by key and revision, and the words of
//! the editors. The articles themselves stay in their own table.

use serde::{Deserialize, Serialize};

use crate::article::ArticleId;

/// What an editor arranges. Stored as JSON with the issue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// A few words before the first article; blank lines part paragraphs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editorial: Option<String>,
    /// Who signs them, line by line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signature: Vec<String>,
    /// In the order they are read.
    #[serde(default)]
    pub sections: Vec<Section>,
}

/// Articles under one heading, or under none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// The heading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What stands under it.
    pub items: Vec<Item>,
}

/// One article in an issue, in the revision that was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Which.
    pub article: ArticleId,
    /// In which form it was.
    pub revision: i64,
    /// How much room it takes.
    pub form: Form,
}

/// How much room an article takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// Opens the issue: large picture, large heading.
    Lead,
    /// Picture, heading, teaser.
    Standard,
    /// Heading and teaser.
    Short,
    /// A date in the list of events.
    Event,
}

impl Content {
    /// Every article in its order, with its section's heading.
    pub fn items(&self) -> impl Iterator<Item = (&Item, Option<&str>)> {
        self.sections.iter().flat_map(|section| {
            section.items.iter().map(move |item| (item, section.title.as_deref()))
        })
    }
}
