//! Fetches one source: asks, reads, gets the pictures, stores. Network first, then one
//! transaction; what fails is written at the source and changes no article.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::article::Record;
use crate::article::entry::{self, Identity, Stored};
use crate::source::album::{self, Retry};
use crate::source::fetch::{Answer, Client, Document, Validators};
use crate::source::finding::{Finding, Reading};
use crate::source::selector::Selectors;
use crate::source::{Definition, Kind, Source, charset, feed, folder, page, selector, text};
use crate::store::Store;
use crate::store::value::Millis;

/// Pages an overview or a feed may lead to in one fetch.
const PAGES: usize = 50;
/// Between two pages of one site, out of politeness.
const PAUSE: Duration = Duration::from_millis(200);
/// For how long text is parsed before it is given up.
const PARSING: Duration = Duration::from_secs(20);

/// One article that came in.
#[derive(Debug)]
pub struct Taken {
    /// What storing it did.
    pub stored: Stored,
    /// What it is called.
    pub title: String,
    /// What was left out of it.
    pub findings: Vec<Finding>,
}

/// What a fetch brought.
#[derive(Debug, Default)]
pub struct Collected {
    /// The source says that nothing changed.
    pub unchanged: bool,
    /// The articles it has now, in its order.
    pub taken: Vec<Taken>,
    /// What could not be used.
    pub findings: Vec<Finding>,
}

impl Collected {
    /// How many articles are new and how many changed.
    pub fn counts(&self) -> (usize, usize) {
        let count =
            |is: fn(&Stored) -> bool| self.taken.iter().filter(|taken| is(&taken.stored)).count();
        (
            count(|stored| matches!(stored, Stored::New(_))),
            count(|stored| matches!(stored, Stored::Changed(_))),
        )
    }
}

/// Why a source gave nothing. The text is kept at the source and shown to editors.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The source could not be fetched or read.
    #[error("{0}")]
    Source(String),
    /// The database failed.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// One article as read, with its identifier.
type Found = (String, Reading);

/// What a source gave before anything is stored.
#[derive(Debug, Default)]
struct Haul {
    found: Vec<Found>,
    findings: Vec<Finding>,
    validators: Validators,
    folder: Option<PathBuf>,
    unchanged: bool,
}

/// Fetches a source and stores what it has. A failure is recorded at the source and given back.
///
/// # Errors
/// See [`Error`].
pub async fn fetch_one(
    store: &Store,
    client: &Client,
    source: &Source,
    retry: Retry,
    now: Millis,
) -> Result<Collected, Error> {
    let haul = match haul(client, source).await {
        Ok(haul) => haul,
        Err(reason) => {
            let mut tx = store.begin().await?;
            super::failed(&mut tx, source, &reason, now).await?;
            tx.commit().await?;
            return Err(Error::Source(reason));
        }
    };
    let mut collected =
        Collected { unchanged: haul.unchanged, findings: haul.findings, ..Collected::default() };
    for (guid, mut reading) in haul.found {
        if reading.record.title.is_empty() {
            collected.findings.push(Finding::new(format!("{guid}: left out, it has no title")));
            continue;
        }
        for category in &source.definition.categories {
            if !reading.record.categories.contains(category) {
                reading.record.categories.push(category.clone());
            }
        }
        let identity = Identity { source: Some(source.id), origin: source.slug.clone(), guid };
        let folder = haul.folder.as_deref();
        let taken = take(store, client, &identity, reading, folder, retry, now).await?;
        collected.taken.push(taken);
    }
    let mut tx = store.begin().await?;
    super::fetched(&mut tx, source, &haul.validators, now).await?;
    tx.commit().await?;
    Ok(collected)
}

/// Fetches the source that has been due longest; `None` when none is due or another process
/// took it. The daemon calls this until there is nothing.
///
/// # Errors
/// As with [`fetch_one`]; the source's own failure is recorded already.
pub async fn step(
    store: &Store,
    client: &Client,
    now: Millis,
) -> sqlx::Result<Option<(Source, Result<Collected, Error>)>> {
    for source in super::due(store, now).await? {
        let mut tx = store.begin().await?;
        let mine = super::claim(&mut tx, &source, now).await?;
        tx.commit().await?;
        if mine {
            let collected = fetch_one(store, client, &source, Retry::Later, now).await;
            return Ok(Some((source, collected)));
        }
    }
    Ok(None)
}

/// Gets an article's pictures and stores it. What is known and whole is not touched.
///
/// # Errors
/// The database failed.
pub async fn take(
    store: &Store,
    client: &Client,
    identity: &Identity,
    reading: Reading,
    folder: Option<&Path>,
    retry: Retry,
    now: Millis,
) -> sqlx::Result<Taken> {
    let Reading { mut record, mut findings } = reading;
    let title = record.title.clone();
    let known = entry::known(store, identity).await?;
    if let Some(known) = known.filter(|known| known.content_hash == entry::hash(&record)) {
        let whole = known.record.0.images.iter().all(|image| image.file.is_some());
        if whole {
            return Ok(Taken { stored: Stored::Same(known.id), title, findings });
        }
    }
    findings.extend(album::gather(store, client, &mut record, folder, retry, now).await?);
    let mut tx = store.begin().await?;
    let stored = entry::put(&mut tx, identity, &record, now).await?;
    tx.commit().await?;
    Ok(Taken { stored, title, findings })
}

async fn haul(client: &Client, source: &Source) -> Result<Haul, String> {
    let most = source.definition.items.unwrap_or(feed::ENTRIES);
    let mut haul = match source.kind {
        Kind::Feed => of_feed(client, source, most).await?,
        Kind::Page => of_page(client, source, most).await?,
        Kind::Folder => of_folder(source).await?,
        Kind::Push => {
            return Err("articles are handed in to this source; it cannot be fetched".to_owned());
        }
    };
    haul.found.truncate(most);
    Ok(haul)
}

async fn of_feed(client: &Client, source: &Source, most: usize) -> Result<Haul, String> {
    let Some(document) = ask(client, source).await? else {
        return Ok(Haul {
            unchanged: true,
            validators: source.validators.clone(),
            ..Haul::default()
        });
    };
    let (text, broken) = charset::decode(&document.bytes, document.content_type.as_deref());
    let address = document.address.clone();
    let feed = parse(move || feed::read(&text, Some(&address)))
        .await?
        .map_err(|error| error.to_string())?;
    let mut haul =
        Haul { findings: feed.findings, validators: document.validators, ..Haul::default() };
    haul.findings.extend(broken);
    haul.found =
        feed.entries.into_iter().take(most).map(|entry| (entry.guid, entry.reading)).collect();
    if source.definition.full {
        for (_, reading) in haul.found.iter_mut().take(PAGES) {
            whole(client, &source.definition, reading).await;
        }
    }
    Ok(haul)
}

/// Puts the page behind an entry in the place of the feed's excerpt.
async fn whole(client: &Client, definition: &Definition, reading: &mut Reading) {
    let Some(address) = reading.record.url.as_ref().and_then(|url| Url::parse(url.as_str()).ok())
    else {
        return;
    };
    match read_page(client, &address, &definition.selectors).await {
        Ok((_, page)) if !page.record.body.is_empty() => {
            let entry = std::mem::take(&mut reading.record);
            let mut record = page.record;
            record.published_at = entry.published_at.or(record.published_at);
            record.categories = union(entry.categories, record.categories);
            record.authors = union(entry.authors, record.authors);
            record.url = entry.url;
            record.title = if record.title.is_empty() { entry.title } else { record.title };
            record.images = if record.images.is_empty() { entry.images } else { record.images };
            reading.record = record;
            reading.findings.extend(page.findings);
        }
        Ok(_) => reading.findings.push(Finding::new(format!(
            "{address}: no text found on the page; the feed's own was taken"
        ))),
        Err(reason) => {
            reading.findings.push(Finding::new(format!("{reason}; the feed's own text was taken")))
        }
    }
    tokio::time::sleep(PAUSE).await;
}

fn union(mut first: Vec<String>, second: Vec<String>) -> Vec<String> {
    for one in second {
        if !first.contains(&one) {
            first.push(one);
        }
    }
    first
}

async fn of_page(client: &Client, source: &Source, most: usize) -> Result<Haul, String> {
    let Some(document) = ask(client, source).await? else {
        return Ok(Haul {
            unchanged: true,
            validators: source.validators.clone(),
            ..Haul::default()
        });
    };
    let mut haul = Haul { validators: document.validators.clone(), ..Haul::default() };
    let written = source.definition.selectors.clone();
    if written.links.is_none() {
        let reading = read_document(document, &written).await?;
        if reading.record.body.is_empty() {
            return Err(format!(
                "{}: no text found on the page; name its elements with selectors",
                source.address
            ));
        }
        haul.found.push((source.address.clone(), reading));
        return Ok(haul);
    }
    // An overview: asked anew each time, as articles behind it may have changed.
    haul.validators = Validators::default();
    let addresses = links(document, &written).await?;
    if addresses.is_empty() {
        return Err(format!("{}: the selector `links` leads to no article", source.address));
    }
    for address in addresses.into_iter().take(most.min(PAGES)) {
        match read_page(client, &address, &written).await {
            Ok((_, reading)) => haul.found.push((address.to_string(), reading)),
            Err(reason) => haul.findings.push(Finding::new(reason)),
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(haul)
}

async fn links(document: Document, written: &selector::Written) -> Result<Vec<Url>, String> {
    let written = written.clone();
    parse(move || {
        let selectors = written.parse().map_err(|error| error.to_string())?;
        let (html, _) = charset::decode(&document.bytes, document.content_type.as_deref());
        let page = scraper::Html::parse_document(&html);
        let mut addresses: Vec<Url> = Vec::new();
        for element in selectors.links.iter().flat_map(|links| page.select(links)) {
            let inner = element.descendent_elements().find_map(|inner| inner.attr("href"));
            let joined = inner.and_then(|href| document.address.join(href).ok());
            if let Some(mut address) =
                joined.filter(|address| matches!(address.scheme(), "http" | "https"))
            {
                address.set_fragment(None);
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
        }
        Ok(addresses)
    })
    .await?
}

async fn of_folder(source: &Source) -> Result<Haul, String> {
    let folder = PathBuf::from(&source.address);
    let inside = folder.clone();
    let (files, findings) = parse(move || folder::files(&inside))
        .await?
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut haul = Haul { findings, ..Haul::default() };
    for path in files {
        let name = path.strip_prefix(&folder).unwrap_or(&path).to_string_lossy().into_owned();
        match read_file(path, source.definition.selectors.clone()).await {
            Ok(reading) => haul.found.push((name, reading)),
            Err(error) => haul.findings.push(Finding::new(format!("{name}: {error}"))),
        }
    }
    haul.folder = Some(folder);
    Ok(haul)
}

/// One file of a folder; a bad one is left out with its reason, whatever is wrong with it.
async fn read_file(path: PathBuf, written: selector::Written) -> Result<Reading, String> {
    let reading = parse(move || {
        let selectors = written.parse().map_err(|error| error.to_string())?;
        folder::read(&path, &selectors, None).map_err(|error| error.to_string())
    })
    .await??;
    if !is_article(&reading.record) {
        return Err("left out: no title with a text or a teaser was found".to_owned());
    }
    Ok(reading)
}

/// Asks a source's address for what is new; `None` when nothing is.
async fn ask(client: &Client, source: &Source) -> Result<Option<Document>, String> {
    let address =
        Url::parse(&source.address).map_err(|error| format!("{}: {error}", source.address))?;
    match client.get_if_changed(&address, &source.validators).await {
        Ok(Answer::Document(document)) => Ok(Some(document)),
        Ok(Answer::Unchanged) => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

/// Fetches and reads one page; gives its final address too.
///
/// # Errors
/// It cannot be fetched or read; the text says why.
pub async fn read_page(
    client: &Client,
    address: &Url,
    selectors: &selector::Written,
) -> Result<(Url, Reading), String> {
    let document = client.get(address).await.map_err(|error| error.to_string())?;
    let last = document.address.clone();
    Ok((last, read_document(document, selectors).await?))
}

async fn read_document(document: Document, written: &selector::Written) -> Result<Reading, String> {
    let written = written.clone();
    parse(move || {
        let selectors = written.parse().map_err(|error| error.to_string())?;
        let (content, finding) = charset::decode(&document.bytes, document.content_type.as_deref());
        let plain =
            document.content_type.as_deref().is_some_and(|kind| kind.starts_with("text/plain"));
        let mut reading = match plain {
            true => text::read(&content, Some(&document.address)),
            false => read_html(&content, &document.address, &selectors),
        };
        reading.findings.extend(finding);
        Ok(reading)
    })
    .await?
}

fn read_html(content: &str, address: &Url, selectors: &Selectors) -> Reading {
    page::read(content, Some(address), selectors)
}

/// Parses where blocking is allowed, for a limited time, and survives a parser's mistake.
async fn parse<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, String> {
    match tokio::time::timeout(PARSING, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(_)) => {
            Err("the document brought its reader down; nothing of it was stored".to_owned())
        }
        Err(_) => Err(format!("the document was not read within {} seconds", PARSING.as_secs())),
    }
}

/// Whether a record is worth storing: it has a title and a text or a teaser.
pub fn is_article(record: &Record) -> bool {
    !record.title.is_empty() && (!record.body.is_empty() || !record.teaser.is_empty())
}
