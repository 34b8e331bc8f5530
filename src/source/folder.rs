//! A folder of articles: Markdown with front matter, HTML, plain text.
//!
//! A file's path below the folder is its identifier. Pictures may lie beside the file; nothing
//! outside of the folder is ever read.

use std::path::{Path, PathBuf};

use serde_json::Value;
use url::Url;

use crate::article::{Event, Image, Record, WebAddress};
use crate::source::finding::{Finding, Reading};
use crate::source::head::{self, Head};
use crate::source::selector::Selectors;
use crate::source::{charset, date, page, prose, text};

/// Bytes of one file; more is no article.
pub const FILE: u64 = 10 * 1024 * 1024;
/// Files of one folder.
pub const FILES: usize = 5_000;
/// Folders within folders that are followed.
const DEPTH: usize = 8;

/// The kinds of file that are articles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `.md`, `.markdown`
    Markdown,
    /// `.html`, `.htm`, `.xhtml`
    Html,
    /// `.txt`, `.text`
    Text,
}

impl Kind {
    /// By the file's name.
    pub fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "md" | "markdown" => Some(Self::Markdown),
            "html" | "htm" | "xhtml" => Some(Self::Html),
            "txt" | "text" => Some(Self::Text),
            _ => None,
        }
    }
}

/// The articles' files below a folder, in the order of their names. Hidden ones and links
/// that lead elsewhere are passed by.
pub fn files(folder: &Path) -> std::io::Result<(Vec<PathBuf>, Vec<Finding>)> {
    let mut files = Vec::new();
    let mut findings = Vec::new();
    let mut open = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = open.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let kind = entry.file_type()?;
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if kind.is_dir() && depth < DEPTH {
                open.push((path, depth + 1));
            } else if kind.is_file() && Kind::of(&path).is_some() {
                files.push(path);
            }
        }
    }
    files.sort();
    if files.len() > FILES {
        findings
            .push(Finding::new(format!("{} files; only the first {FILES} were read", files.len())));
        files.truncate(FILES);
    }
    Ok((files, findings))
}

/// Reads one file. `address` is where it stands on the web, if that is known.
pub fn read(path: &Path, selectors: &Selectors, address: Option<&Url>) -> std::io::Result<Reading> {
    let size = std::fs::metadata(path)?.len();
    if size > FILE {
        return Err(std::io::Error::other(format!(
            "{size} bytes; an article's file has at most {FILE}"
        )));
    }
    let (content, finding) = charset::decode(&std::fs::read(path)?, None);
    if content.contains('\0') {
        return Err(std::io::Error::other("is no text: it holds zero characters"));
    }
    let beside = std::path::absolute(path).ok().and_then(|path| Url::from_file_path(path).ok());
    let base = address.or(beside.as_ref());
    let mut reading = match Kind::of(path) {
        Some(Kind::Markdown) => markdown(&content, base, &stem(path)),
        Some(Kind::Html) => page::read(&content, base, selectors),
        Some(Kind::Text) | None => text::read(&content, address),
    };
    if reading.record.title.is_empty() {
        reading.record.title = stem(path);
    }
    let relative = ["href=\"/", "href='/", "href=\"../", "href=\"./"]
        .iter()
        .any(|mark| content.contains(mark));
    if address.is_none() && relative && reading.record.links.is_empty() {
        reading.findings.push(Finding::new("relative links lost their target; say with --address where the article stands on the web"));
    }
    reading.findings.extend(finding);
    Ok(reading)
}

/// The file's name as words.
fn stem(path: &Path) -> String {
    let name = path.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    prose::squeeze(&name.replace(['-', '_'], " "))
}

/// Reads Markdown with TOML (`+++`) or YAML (`---`) before it.
pub fn markdown(content: &str, base: Option<&Url>, name: &str) -> Reading {
    let content = content.trim_start_matches('\u{feff}');
    let mut findings = Vec::new();
    let (matter, body) = match split(content) {
        Some((fence, matter, body)) => (front(fence, matter, &mut findings), body),
        None => (Value::Null, content),
    };
    let mut html = String::new();
    let options = pulldown_cmark::Options::ENABLE_TABLES
        | pulldown_cmark::Options::ENABLE_STRIKETHROUGH
        | pulldown_cmark::Options::ENABLE_FOOTNOTES;
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new_ext(body, options));
    let mut record = Record::default();
    described(&matter, base, &mut record, &mut findings);
    let (mut blocks, images, mut left) = page::fragment(&html, base, &record.title);
    findings.append(&mut left);
    if record.title.is_empty() {
        let heads = matches!(blocks.first(), Some(crate::source::block::Block::Heading(..)));
        record.title = if heads { blocks.remove(0).text() } else { name.to_owned() };
    }
    for image in images {
        if record.images.iter().all(|known| known.url != image.url) {
            record.images.push(image);
        }
    }
    page::finish(&mut record, &blocks, &Head::default());
    Reading { record, findings }
}

/// The fence, the front matter and what follows.
fn split(content: &str) -> Option<(&str, &str, &str)> {
    let fence = ["---", "+++"]
        .into_iter()
        .find(|fence| content.lines().next().is_some_and(|line| line.trim_end() == *fence))?;
    let after = content.find('\n')? + 1;
    let mut at = after;
    for line in content[after..].split_inclusive('\n') {
        if line.trim_end() == fence {
            return Some((fence, &content[after..at], &content[at + line.len()..]));
        }
        at += line.len();
    }
    None
}

/// The front matter as a value; a broken one is named with its line and the text still read.
fn front(fence: &str, matter: &str, findings: &mut Vec<Finding>) -> Value {
    let result = match fence {
        "+++" => toml::from_str::<toml::Table>(matter)
            .map(|table| plain(toml::Value::Table(table)))
            .map_err(|error| {
                let line = error.span().map_or(1, |span| {
                    1 + matter[..span.start.min(matter.len())].matches('\n').count()
                });
                (line, error.message().to_owned())
            }),
        _ => serde_saphyr::from_str::<Value>(matter).map_err(|error| {
            let line = error
                .location()
                .map_or(1, |location| usize::try_from(location.line()).unwrap_or(1));
            (line, error.to_string().lines().next().unwrap_or("broken").to_owned())
        }),
    };
    result.unwrap_or_else(|(line, reason)| {
        findings.push(Finding::at(
            line + 1,
            format!("the front matter is broken and was left out: {reason}"),
        ));
        Value::Null
    })
}

/// TOML as JSON, dates as they are written.
fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(truth) => Value::Bool(truth),
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::Array(values) => Value::Array(values.into_iter().map(plain).collect()),
        toml::Value::Table(table) => {
            Value::Object(table.into_iter().map(|(key, value)| (key, plain(value))).collect())
        }
    }
}

/// Fills the record from the front matter.
fn described(matter: &Value, base: Option<&Url>, record: &mut Record, findings: &mut Vec<Finding>) {
    let first =
        |names: &[&str]| names.iter().find_map(|name| texts(matter.get(name)).into_iter().next());
    let list = |names: &[&str]| {
        names
            .iter()
            .map(|name| texts(matter.get(name)))
            .find(|list| !list.is_empty())
            .unwrap_or_default()
    };
    record.title = first(&["title", "titel"]).unwrap_or_default();
    record.subtitle = first(&["subtitle", "untertitel"]);
    record.teaser = first(&["teaser", "summary", "description", "anreisser"]).unwrap_or_default();
    record.kicker = list(&["kicker", "dachzeile", "rubrik"]);
    record.language = first(&["language", "lang", "sprache"]).and_then(|tag| head::tag_of(&tag));
    record.authors = list(&["authors", "author", "autor", "autorin"]);
    record.categories = list(&["categories", "category", "tags", "kategorien"]);
    if let Some(text) = first(&["date", "published", "published_at", "datum"]) {
        record.published_at = date::instant(&text);
        if record.published_at.is_none() {
            findings.push(Finding::new(format!(
                "front matter: {text:?} is no date; write 2026-12-03 or 2026-12-03T16:00+01:00"
            )));
        }
    }
    if let Some(text) = first(&["url", "link", "canonical"]) {
        match WebAddress::parse(&text) {
            Ok(url) => record.url = Some(url),
            Err(error) => findings.push(Finding::new(format!("front matter: url: {error}"))),
        }
    }
    record.event = matter.get("event").or_else(|| matter.get("termin")).and_then(|event| {
        let moment = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| texts(event.get(name)).first().and_then(|text| date::moment(text)))
        };
        let start = moment(&["start", "begin", "beginn"]);
        if start.is_none() {
            findings.push(Finding::new(
                "front matter: the event has no `start` that is a date; it was left out",
            ));
        }
        Some(Event {
            start: start?,
            end: moment(&["end", "ende"]),
            place: ["place", "ort"]
                .iter()
                .find_map(|name| texts(event.get(name)).into_iter().next()),
        })
    });
    let pictures = ["image", "images", "bild", "bilder"].iter().find_map(|name| matter.get(name));
    let pictures = match pictures {
        Some(Value::Array(pictures)) => pictures.as_slice(),
        Some(one) => std::slice::from_ref(one),
        None => &[],
    };
    record.images = pictures.iter().filter_map(|picture| image(picture, base)).collect();
}

/// A picture named in the front matter: its address, or a table.
fn image(value: &Value, base: Option<&Url>) -> Option<Image> {
    let text =
        |names: &[&str]| names.iter().find_map(|name| texts(value.get(name)).into_iter().next());
    let source =
        value.as_str().map(str::to_owned).or_else(|| text(&["url", "src", "file", "datei"]))?;
    let url = match base {
        Some(base) => base.join(&source).ok()?.into(),
        None => source,
    };
    Some(Image {
        url,
        alt: text(&["alt"]).unwrap_or_default(),
        caption: text(&["caption", "unterschrift"]),
        credit: text(&["credit", "foto"]),
        ..Image::default()
    })
}

/// The texts of a value: itself, or those of a list.
fn texts(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(text)) => {
            Some(prose::squeeze(text)).filter(|text| !text.is_empty()).into_iter().collect()
        }
        Some(Value::Number(number)) => vec![number.to_string()],
        Some(Value::Array(values)) => values.iter().flat_map(|value| texts(Some(value))).collect(),
        Some(Value::Bool(_) | Value::Object(_) | Value::Null) | None => Vec::new(),
    }
}
