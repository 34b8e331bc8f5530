//! What a page says of itself for machines: title, description, language, dates, JSON-LD.

use scraper::Html;
use serde_json::Value;
use url::Url;

use crate::article::{Event, WebAddress};
use crate::source::landmark::select;
use crate::source::{date, prose};

/// The machine-readable part of a page.
#[derive(Debug, Default)]
pub struct Head {
    /// `<title>`.
    pub document: String,
    /// `og:title` or the JSON-LD headline.
    pub headline: Option<String>,
    /// `og:description` or the description.
    pub description: Option<String>,
    /// The language tag of the document.
    pub language: Option<String>,
    /// The canonical address.
    pub canonical: Option<WebAddress>,
    /// When it was published.
    pub published: Option<jiff::Timestamp>,
    /// Names of people.
    pub authors: Vec<String>,
    /// Sections and keywords.
    pub categories: Vec<String>,
    /// The names in a JSON-LD `BreadcrumbList`.
    pub path: Vec<String>,
    /// A JSON-LD event.
    pub event: Option<Event>,
    /// `og:image` with its alternative text.
    pub image: Option<(String, String)>,
}

impl Head {
    /// Reads it; nothing here can fail, what is broken is not there.
    pub fn of(page: &Html, address: Option<&Url>) -> Self {
        let meta = |name: &str| {
            let selector = select("meta[property], meta[name], meta[itemprop], meta[http-equiv]");
            let mut found = page.select(&selector).filter(|element| {
                ["property", "name", "itemprop", "http-equiv"].iter().any(|key| {
                    element.attr(key).is_some_and(|value| value.eq_ignore_ascii_case(name))
                })
            });
            found
                .find_map(|element| element.attr("content"))
                .map(prose::squeeze)
                .filter(|text| !text.is_empty())
        };
        let all = |name: &str| -> Vec<String> {
            let selector = select("meta[property]");
            page.select(&selector)
                .filter(|element| element.attr("property") == Some(name))
                .filter_map(|element| element.attr("content"))
                .map(prose::squeeze)
                .collect()
        };
        let mut head = Self {
            document: page
                .select(&select("title"))
                .next()
                .map(|title| prose::squeeze(&title.text().collect::<String>()))
                .unwrap_or_default(),
            headline: meta("og:title"),
            description: meta("og:description").or_else(|| meta("description")),
            language: language(page)
                .or_else(|| meta("og:locale"))
                .or_else(|| meta("content-language"))
                .and_then(|tag| tag_of(&tag)),
            canonical: canonical(page, address),
            published: [
                "article:published_time",
                "datePublished",
                "dcterms.created",
                "dcterms.date",
                "dc.date",
                "date",
            ]
            .iter()
            .find_map(|name| meta(name).and_then(|text| date::instant(&text))),
            authors: meta("author")
                .or_else(|| meta("article:author"))
                .filter(|name| !name.contains("://"))
                .into_iter()
                .collect(),
            categories: [all("article:section"), all("article:tag")].concat(),
            image: meta("og:image").zip(meta("og:image:alt")),
            ..Self::default()
        };
        for script in page.select(&select("script[type='application/ld+json']")) {
            let text: String = script.text().collect();
            if let Ok(value) = serde_json::from_str::<Value>(text.trim()) {
                head.linked(&value);
            }
        }
        head.categories.dedup();
        head
    }

    /// Whether a heading is what the document's own title speaks of.
    pub fn names_title(&self, text: &str) -> bool {
        let plain = |text: &str| {
            text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().to_lowercase()
        };
        let text = plain(text);
        let headline = self.headline.as_deref().map(plain).unwrap_or_default();
        let document = plain(&self.document);
        let long = text.chars().count() >= 10;
        text.chars().count() >= 3
            && (headline == text
                || long && (document.contains(&text) || headline.starts_with(&text)))
    }

    /// The title when the page shows none: the headline, or the document's title without the site.
    pub fn title(&self) -> String {
        if let Some(headline) = &self.headline {
            return headline.clone();
        }
        let parts: Vec<&str> = [" | ", " – ", " - ", " :: ", " — ", " » "]
            .iter()
            .find(|mark| self.document.contains(**mark))
            .map_or_else(
                || vec![self.document.as_str()],
                |mark| self.document.split(mark).collect(),
            );
        parts
            .iter()
            .find(|part| part.chars().count() >= 15)
            .or(parts.first())
            .map(|part| part.trim().to_owned())
            .unwrap_or_default()
    }

    /// One JSON-LD value and those in it.
    fn linked(&mut self, value: &Value) {
        match value {
            Value::Array(values) => values.iter().for_each(|value| self.linked(value)),
            Value::Object(object) => {
                if let Some(graph) = object.get("@graph") {
                    self.linked(graph);
                }
                let kinds = strings(object.get("@type"));
                let is = |names: &[&str]| {
                    kinds.iter().any(|kind| names.iter().any(|name| kind.ends_with(name)))
                };
                if is(&["Article", "BlogPosting", "Posting"]) {
                    self.headline = self
                        .headline
                        .take()
                        .or_else(|| strings(object.get("headline")).into_iter().next());
                    self.published = self.published.or_else(|| {
                        strings(object.get("datePublished"))
                            .first()
                            .and_then(|text| date::instant(text))
                    });
                    let authors = strings(object.get("author"));
                    if !authors.is_empty() {
                        self.authors = authors;
                    }
                    for section in strings(object.get("articleSection")) {
                        if !self.categories.contains(&section) {
                            self.categories.push(section);
                        }
                    }
                } else if is(&["BreadcrumbList"]) && self.path.is_empty() {
                    let items = object.get("itemListElement").and_then(Value::as_array);
                    self.path = items
                        .into_iter()
                        .flatten()
                        .filter_map(|item| {
                            strings(item.get("name")).into_iter().next().or_else(|| {
                                item.get("item")
                                    .and_then(|item| strings(item.get("name")).into_iter().next())
                            })
                        })
                        .collect();
                } else if is(&["Event", "Festival"]) && self.event.is_none() {
                    self.event = event(value);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// A JSON-LD event; one without a start is none.
fn event(value: &Value) -> Option<Event> {
    let moment = |key: &str| strings(value.get(key)).first().and_then(|text| date::moment(text));
    let place = value.get("location").map(|location| {
        let address = location.get("address");
        let mut parts = strings(Some(location));
        for key in ["streetAddress", "addressLocality"] {
            parts.extend(strings(address.and_then(|address| address.get(key))));
        }
        if let Some(Value::String(address)) = address {
            parts.push(prose::squeeze(address));
        }
        parts.dedup();
        parts.join(", ")
    });
    Some(Event {
        start: moment("startDate")?,
        end: moment("endDate"),
        place: place.filter(|place| !place.is_empty()),
    })
}

/// The texts of a JSON-LD value: itself, its name, or those of its items.
fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => {
            Some(prose::squeeze(text)).filter(|text| !text.is_empty()).into_iter().collect()
        }
        Some(Value::Array(values)) => {
            values.iter().flat_map(|value| strings(Some(value))).collect()
        }
        Some(Value::Object(object)) => strings(object.get("name")),
        Some(Value::Null | Value::Bool(_) | Value::Number(_)) | None => Vec::new(),
    }
}

fn language(page: &Html) -> Option<String> {
    let root = page.root_element();
    root.attr("lang").or_else(|| root.attr("xml:lang")).map(str::to_owned)
}

/// A language tag in its usual form; anything else is none.
pub fn tag_of(text: &str) -> Option<String> {
    let tag = text.trim().replace('_', "-");
    let mut parts = tag.split('-');
    let first = parts.next()?;
    let valid = (2..=3).contains(&first.len())
        && tag.len() <= 35
        && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    valid.then(|| match parts.next() {
        Some(region) if region.len() == 2 => {
            format!("{}-{}", first.to_lowercase(), region.to_uppercase())
        }
        Some(_) | None => first.to_lowercase(),
    })
}

fn canonical(page: &Html, address: Option<&Url>) -> Option<WebAddress> {
    let href = page.select(&select("link[rel~=canonical]")).next()?.attr("href")?;
    let url = match address {
        Some(base) => base.join(href).ok()?,
        None => Url::parse(href).ok()?,
    };
    WebAddress::parse(url.as_str()).ok().filter(WebAddress::is_web)
}
