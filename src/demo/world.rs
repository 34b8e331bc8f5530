//! Sets the demo's stage: a temporary directory with database, key, articles and
//! pictures; newsletters, sources and readers in it; a mail server; an address for pages.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use rundbrief_subscribers::import::{Line, Options, Reader};
use rundbrief_subscribers::key::Master;
use tempfile::TempDir;
use tokio::net::TcpListener;

use super::catcher::Catcher;
use super::picture::{self, Scene};
use super::reader::{self, Language};
use crate::cli::Open;
use crate::config::{key, layer};
use crate::daemon::pulse::Pulse;
use crate::newsletter;
use crate::source::{self, Definition, Kind};
use crate::store::Store;
use crate::store::value::Millis;
use crate::subscriber::import::{self, Candidate, Plan};
use crate::web::Site;
use crate::webhook::door::Door;

/// The articles as an editorial office keeps them: Markdown with front matter.
const ARTICLES: [(&str, &str); 11] = [
    ("de/radwege.md", include_str!("articles/de/radwege.md")),
    ("de/bibliothek.md", include_str!("articles/de/bibliothek.md")),
    ("de/baeume.md", include_str!("articles/de/baeume.md")),
    ("de/haushalt.md", include_str!("articles/de/haushalt.md")),
    ("de/markt.md", include_str!("articles/de/markt.md")),
    ("de/sternwarte.md", include_str!("articles/de/sternwarte.md")),
    ("de/sprechstunde.md", include_str!("articles/de/sprechstunde.md")),
    ("en/harbour.md", include_str!("articles/en/harbour.md")),
    ("en/library.md", include_str!("articles/en/library.md")),
    ("en/cycling.md", include_str!("articles/en/cycling.md")),
    ("en/trees.md", include_str!("articles/en/trees.md")),
];

/// The pictures that the articles name.
const PICTURES: [(&str, Scene); 9] = [
    ("de/radweg.png", Scene::Cycleway),
    ("de/bibliothek.png", Scene::Library),
    ("de/baeume.png", Scene::Park),
    ("de/markt.png", Scene::Market),
    ("de/nacht.png", Scene::Night),
    ("en/hafen.png", Scene::Harbour),
    ("en/bibliothek.png", Scene::Library),
    ("en/radweg.png", Scene::Cycleway),
    ("en/baeume.png", Scene::Park),
];

const GERMAN: &str = include_str!("german.toml");
const ENGLISH: &str = include_str!("english.toml");

/// The stage.
#[derive(Debug)]
pub struct World {
    /// Configuration, database, key.
    pub open: Open,
    /// The mail server.
    pub catcher: Arc<Catcher>,
    /// Where pages will be served.
    pub listener: TcpListener,
    /// Gone with the world.
    pub directory: TempDir,
}

impl Language {
    /// Of a newsletter, by its short name.
    pub fn of(slug: &str) -> Language {
        if slug == "musterhafen" { Language::German } else { Language::English }
    }

    fn slug(self) -> &'static str {
        match self {
            Language::German => "musterhafen",
            Language::English => "harbour-letter",
        }
    }

    fn source(self) -> (&'static str, &'static str) {
        match self {
            Language::German => ("rathaus", "de"),
            Language::English => ("harbour", "en"),
        }
    }
}

impl World {
    /// Builds it. `port` is where pages are served; 0 takes a free one.
    ///
    /// # Errors
    /// The temporary directory, loopback or the port cannot be had.
    pub async fn build(port: u16, now: Millis) -> anyhow::Result<World> {
        let directory = tempfile::Builder::new().prefix("rundbrief-demo-").tempdir()?;
        let articles = directory.path().join("articles");
        tokio::task::spawn_blocking(move || write_articles(&articles)).await??;
        let listener = TcpListener::bind(("127.0.0.1", port)).await.with_context(|| {
            format!("127.0.0.1:{port}. Is another program there? --port chooses another")
        })?;
        let maildir = directory.path().join("Maildir");
        let catcher = Arc::new(Catcher::start(&maildir).await?);
        let text = configuration(&listener, &catcher, &maildir)?;
        let mut config = layer::parse(&text, "the demo's configuration", [])?;
        config.directory = directory.path().to_owned();
        let store = Store::open(&config.location()?).await?;
        let open = Open { config, store, key: Master::new(key::random()?) };
        let world = World { open, catcher, listener, directory };
        world.apply_newsletters(now).await?;
        Ok(world)
    }

    async fn apply_newsletters(&self, now: Millis) -> anyhow::Result<()> {
        for text in [GERMAN, ENGLISH] {
            let definition = newsletter::parse(text, Path::new("the demo's newsletter"))?;
            let mut tx = self.open.store.begin().await?;
            newsletter::apply(&mut tx, &definition, now.timestamp()).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Adds the folder that a newsletter's articles lie in; it is due at once.
    ///
    /// # Errors
    /// The database failed.
    pub async fn add_source(&self, language: Language, now: Millis) -> anyhow::Result<()> {
        let (slug, folder) = language.source();
        let address = self.directory.path().join("articles").join(folder);
        let definition = Definition { every: Some(24 * 60 * 60), ..Definition::default() };
        let mut tx = self.open.store.begin().await?;
        let address = address.display().to_string();
        source::add(&mut tx, slug, Kind::Folder, &address, &definition, now).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Reads a newsletter's list of readers.
    ///
    /// # Errors
    /// The database failed.
    pub async fn subscribe(&self, language: Language, now: Millis) -> anyhow::Result<()> {
        let csv = reader::list(language);
        let hash = self.open.key.suppression();
        let mut candidates = Vec::new();
        for line in Reader::open(csv.as_bytes(), &Options::default())? {
            match line? {
                Line::Row(row) => candidates.push(Candidate { hash: hash.hash(&row.address), row }),
                Line::Rejected(finding) => anyhow::bail!("the demo's list: {finding}"),
            }
        }
        let newsletter = newsletter::find(&self.open.store, language.slug()).await?;
        let plan = Plan {
            newsletter: newsletter.context("applied before")?.id,
            source: "demo".to_owned(),
            wording: "Nobody was asked: these people do not exist.".to_owned(),
            now,
        };
        let mut tx = self.open.store.begin().await?;
        import::store(&mut tx, &plan, &candidates).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Where the pages are.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn address(&self) -> anyhow::Result<String> {
        Ok(format!("http://{}", self.listener.local_addr()?))
    }
}

fn write_articles(to: &Path) -> anyhow::Result<()> {
    for folder in ["de", "en"] {
        std::fs::create_dir_all(to.join(folder))?;
    }
    for (name, text) in ARTICLES {
        std::fs::write(to.join(name), text)?;
    }
    let mut painted: Vec<(Scene, Vec<u8>)> = Vec::new();
    for (name, scene) in PICTURES {
        if !painted.iter().any(|(known, _)| *known == scene) {
            painted.push((scene, picture::paint(scene)?));
        }
        let png = painted.iter().find(|(known, _)| *known == scene);
        std::fs::write(to.join(name), &png.context("painted above")?.1)?;
    }
    Ok(())
}

fn configuration(
    listener: &TcpListener,
    catcher: &Catcher,
    maildir: &Path,
) -> anyhow::Result<String> {
    let pages = listener.local_addr()?;
    let maildir = toml::Value::String(maildir.display().to_string());
    Ok(format!(
        "directory = \".\"\n\
         [web]\nlisten = \"{pages}\"\naddress = \"http://{pages}\"\n\
         [mail]\ndomain = \"news.example.de\"\nreturn_path = \"bounce@news.example.de\"\n\
         [bounce]\nmaildir = {maildir}\n\
         [transport.catcher]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nconnections = 4\n",
        catcher.at.port()
    ))
}

/// What the pages need; in the demo everybody is an editor.
///
/// # Errors
/// The configuration's address is none.
pub fn site(open: &Open, listener: &TcpListener) -> anyhow::Result<Site> {
    let address = format!("http://{}", listener.local_addr()?);
    Ok(Site {
        store: open.store.clone(),
        key: open.key.clone(),
        address: address.parse().map_err(anyhow::Error::msg)?,
        webhooks: Arc::new(Door::open(&open.config.bounce.webhook)?),
        pulse: Arc::new(Pulse::new(Instant::now())),
        open_house: true,
    })
}
