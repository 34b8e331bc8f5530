//! The CSS selectors a source may name for its pages.

use scraper::Selector;
use serde::{Deserialize, Serialize};

/// The selectors as they are written and stored; each is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Written {
    /// The headline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The path above it: one element, or one per step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kicker: Option<String>,
    /// The line below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subtitle: Option<String>,
    /// The sentences for the mail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub teaser: Option<String>,
    /// The elements of the text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The pictures, or the figures around them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<String>,
    /// The date of publication.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Links to articles: the page is then an overview and each link a page to read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub links: Option<String>,
}

/// The selectors ready for use.
#[derive(Debug, Default)]
pub struct Selectors {
    /// See [`Written`].
    pub title: Option<Selector>,
    /// See [`Written`].
    pub kicker: Option<Selector>,
    /// See [`Written`].
    pub subtitle: Option<Selector>,
    /// See [`Written`].
    pub teaser: Option<Selector>,
    /// See [`Written`].
    pub body: Option<Selector>,
    /// See [`Written`].
    pub images: Option<Selector>,
    /// See [`Written`].
    pub date: Option<Selector>,
    /// See [`Written`].
    pub links: Option<Selector>,
}

/// A selector that is none.
#[derive(Debug, thiserror::Error)]
#[error(
    "selector {name}: {text:?} is no CSS selector; write one as in a style sheet, such as \"article .text p\""
)]
pub struct NoSelector {
    name: &'static str,
    text: String,
}

impl Written {
    /// Reads every selector.
    pub fn parse(&self) -> Result<Selectors, NoSelector> {
        let parse = |name: &'static str, text: &Option<String>| match text.as_deref().map(str::trim)
        {
            None | Some("") => Ok(None),
            Some(text) => Selector::parse(text)
                .map(Some)
                .map_err(|_| NoSelector { name, text: text.to_owned() }),
        };
        Ok(Selectors {
            title: parse("title", &self.title)?,
            kicker: parse("kicker", &self.kicker)?,
            subtitle: parse("subtitle", &self.subtitle)?,
            teaser: parse("teaser", &self.teaser)?,
            body: parse("body", &self.body)?,
            images: parse("images", &self.images)?,
            date: parse("date", &self.date)?,
            links: parse("links", &self.links)?,
        })
    }
}
