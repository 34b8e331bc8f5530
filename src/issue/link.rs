//! Whether the links of an issue lead somewhere: asked politely, and remembered.
//!
//! Each address is asked once a day at most, one at a time per host. What no answer was
//! had from says so; where nothing at all answers, the fault is nearer home.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use scraper::Html;
use url::Url;

use super::content::{Block, Button};
use super::freeze::Material;
use super::preflight::Finding;
use super::render;
use super::wording::says_nothing;
use crate::source::charset;
use crate::source::fetch::{Client, Error};
use crate::source::head::Head;
use crate::source::reach;
use crate::store::Store;
use crate::store::value::Millis;
use crate::{on, read, row};

/// Hosts that are asked at the same time.
const HOSTS: usize = 8;
/// How long an address that answered is not asked again.
const FRESH: Duration = Duration::from_secs(24 * 3600);
/// How long one that did not is not asked again: somebody may be mending it.
const FRESH_DEAD: Duration = Duration::from_secs(10 * 60);
/// How long a known dead link keeps an issue from being queued.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

row! {
    /// What is known of an address.
    Known {
        /// The address.
        address: String,
        /// It leads nowhere: blocks.
        dead: i64,
        /// Why it is dead or doubtful; empty when it answered.
        why: String,
        /// Of the page behind it, where it was read; else empty.
        title: String,
        /// When it was asked.
        checked_at: Millis,
    }
}

/// Web addresses, and every place that each stands at.
type Wanted = BTreeMap<String, BTreeSet<String>>;

/// Every web address a reader of the issue can follow or a logo comes from, and where it
/// stands; our own pages are not public yet and are left out.
fn addresses(material: &Material<'_>) -> Wanted {
    let definition = material.definition;
    let foot = [
        ("home_url", definition.home_url.as_ref()),
        ("privacy_url", Some(&definition.privacy_url)),
        ("accessibility_url", definition.accessibility_url.as_ref()),
        ("help_url", definition.help_url.as_ref()),
    ];
    let foot = foot
        .into_iter()
        .filter_map(|(place, url)| Some((url?.as_str().to_owned(), place.to_owned())));
    let articles = material.pieces.iter().flat_map(|piece| {
        let record = &piece.record;
        let links = record.links.iter().map(|link| &link.url).chain(render::source(record));
        let links = links.filter(|url| url.is_web());
        links.map(|url| (url.as_str().to_owned(), record.title.clone()))
    });
    let buttons = buttons(material)
        .filter(|button| button.url.is_web())
        .map(|button| (button.url.as_str().to_owned(), format!("button {:?}", button.text)));
    let own = |url: &str| Url::parse(url).is_ok_and(|url| material.office.owns(&url));
    let mut wanted = Wanted::new();
    for (url, place) in foot.chain(logos(material)).chain(articles).chain(buttons) {
        if !own(&url) {
            wanted.entry(url).or_default().insert(place);
        }
    }
    wanted
}

/// The logo, light and dark, but for what goes along with the mail.
fn logos(material: &Material<'_>) -> impl Iterator<Item = (String, String)> {
    let logo = material.definition.brand.logo.as_ref();
    let urls = logo.map(|logo| [("url", Some(&logo.url)), ("dark_url", logo.dark_url.as_ref())]);
    let linked = |url: &String| {
        url.starts_with("https://")
            && material.pictures.iter().all(|picture| picture.logo.as_ref() != Some(url))
    };
    urls.into_iter().flatten().filter_map(move |(field, url)| {
        let url = url.filter(|url| linked(url))?;
        // As it is asked: what is remembered goes by the address in this form.
        Some((String::from(Url::parse(url).ok()?), format!("brand.logo.{field}")))
    })
}

fn buttons<'m>(material: &Material<'m>) -> impl Iterator<Item = &'m Button> + use<'m> {
    material.issue.content.0.blocks().filter_map(|block| match block {
        Block::Button(button) => Some(button),
        Block::Article(_) | Block::Quote(_) | Block::Divider => None,
    })
}

/// Asks every address that nothing fresh is known of, and says what was found.
///
/// # Errors
/// The database failed.
pub async fn check(
    store: &Store,
    client: &Client,
    material: &Material<'_>,
    now: Timestamp,
) -> anyhow::Result<Vec<Finding>> {
    let wanted = addresses(material);
    let now = Millis::from(now);
    let mut known = known(store, &wanted).await?;
    known.retain(|one| {
        let fresh = if one.why.is_empty() { FRESH } else { FRESH_DEAD };
        one.checked_at >= now.before(fresh)
    });
    let open = wanted.keys().filter(|address| known.iter().all(|one| one.address != **address));
    let vague = vague(material);
    let asked = ask(client, open, &vague, now).await;
    // What is private is so online as well as offline.
    let (private, mut public): (Vec<_>, Vec<_>) =
        asked.into_iter().partition(|one| one.why == PRIVATE);
    let cut_off = |one: &Known| one.why.starts_with(UNREACHABLE);
    let offline = (public.len() > 1 && public.iter().all(cut_off)).then_some(public.len());
    if offline.is_some() {
        public.clear();
    }
    // What failed on the way may work in a minute: it is asked again next time.
    let lasting = public.iter().filter(|one| one.dead != 0 || !cut_off(one));
    let lasting: Vec<&Known> = lasting.chain(&private).collect();
    remember(store, &lasting).await?;
    known.extend(private.into_iter().chain(public));
    let mut findings = findings(&wanted, &known);
    findings.extend(offline.map(|asked| {
        let what = format!("none of {asked} could be reached");
        Finding::look("links", what, "is this machine online? check again when it is")
    }));
    Ok(findings)
}

/// What earlier checks found dead, without asking anybody.
///
/// # Errors
/// The database failed.
pub async fn believed(
    store: &Store,
    material: &Material<'_>,
    now: Timestamp,
) -> sqlx::Result<Vec<Finding>> {
    let wanted = addresses(material);
    let mut known = known(store, &wanted).await?;
    known.retain(|one| one.dead != 0 && one.checked_at >= Millis::from(now).before(BELIEVED));
    Ok(findings(&wanted, &known))
}

/// A finding for each place that leads to an address with something against it.
fn findings(wanted: &Wanted, known: &[Known]) -> Vec<Finding> {
    // What its letters alone give away is found without asking.
    let said = |one: &Known| {
        one.why == PRIVATE
            && Url::parse(&one.address).is_ok_and(|url| reach::hidden(&url).is_some())
    };
    let against = known.iter().filter(|one| !one.why.is_empty() && !said(one));
    let places = against.flat_map(|one| {
        wanted.get(&one.address).into_iter().flatten().map(move |place| (one, place))
    });
    let finding = |(one, place): (&Known, &String)| {
        let what = format!("links to {}, {}", one.address, one.why);
        if one.dead != 0 {
            Finding::blocks(place, what, "correct the link at its source, or take it out")
        } else {
            Finding::look(place, what, "open it in a browser")
        }
    };
    places.map(finding).collect()
}

/// What stands before the reason when no connection was had: it may be our own network.
const UNREACHABLE: &str = "which cannot be reached";

/// Why an address of a private network is dead.
const PRIVATE: &str = "which no reader can reach";

/// Addresses behind words that do not name them: their pages are read, so that a title can
/// be proposed.
fn vague(material: &Material<'_>) -> BTreeSet<String> {
    let links = material.pieces.iter().flat_map(|piece| &piece.record.links);
    let links = links.map(|link| (&link.url, &link.text));
    let links = links.chain(buttons(material).map(|button| (&button.url, &button.text)));
    let vague = links.filter(|(url, text)| url.is_web() && says_nothing(text));
    vague.map(|(url, _)| url.as_str().to_owned()).collect()
}

/// Titles of pages as earlier checks read them, by address.
///
/// # Errors
/// The database failed.
pub async fn titles(
    store: &Store,
    material: &Material<'_>,
) -> sqlx::Result<BTreeMap<String, String>> {
    let wanted = vague(material).into_iter().map(|address| (address, BTreeSet::new())).collect();
    let known = known(store, &wanted).await?;
    let titled = known.into_iter().filter(|one| !one.title.is_empty());
    Ok(titled.map(|one| (one.address, one.title)).collect())
}

/// The title of the page behind an address; empty where it has none.
async fn title(client: &Client, url: &Url) -> Result<String, Error> {
    let document = client.get(url).await?;
    if document.content_type.as_deref().is_none_or(|kind| !kind.contains("html")) {
        return Ok(String::new());
    }
    let (html, _) = charset::decode(&document.bytes, document.content_type.as_deref());
    let head = Head::of(&Html::parse_document(&html), Some(&document.address));
    Ok(head.headline.unwrap_or(head.document))
}

/// Asks addresses; those of one host one after the other.
async fn ask(
    client: &Client,
    addresses: impl Iterator<Item = &String>,
    vague: &BTreeSet<String>,
    now: Millis,
) -> Vec<Known> {
    let mut hosts: BTreeMap<String, Vec<Url>> = BTreeMap::new();
    for address in addresses {
        if let Ok(url) = Url::parse(address) {
            hosts.entry(url.host_str().unwrap_or_default().to_owned()).or_default().push(url);
        }
    }
    let one_host = |urls: Vec<Url>| async move {
        let mut found = Vec::with_capacity(urls.len());
        for url in urls {
            let address = String::from(url.clone());
            let asked = match vague.contains(&address) {
                true => title(client, &url).await,
                false => client.probe(&url).await.map(|_| String::new()),
            };
            let (dead, why) = asked.as_ref().err().map_or((false, String::new()), judge);
            let title = asked.unwrap_or_default();
            found.push(Known { address, dead: dead.into(), why, title, checked_at: now });
        }
        found
    };
    let asked = stream::iter(hosts.into_values().map(one_host)).buffer_unordered(HOSTS);
    asked.concat().await
}

/// Dead, or only doubtful: a server that refuses strangers or is busy, a way that is
/// cut, a name server that is silent may well answer a reader.
fn judge(error: &Error) -> (bool, String) {
    match error {
        Error::Status { status, .. } if matches!(status.as_u16(), 404 | 410) => {
            (true, format!("which is gone ({})", status.as_u16()))
        }
        Error::Status { status, .. } => (false, format!("which answers {}", status.as_u16())),
        Error::NotPublic(_) | Error::Scheme(_) => (true, PRIVATE.to_owned()),
        Error::Redirects(_) => (false, "which redirects without end".to_owned()),
        Error::TooLarge(_) => (false, String::new()),
        Error::TooSlow(_) => (false, "which answers too slowly".to_owned()),
        Error::NoHost(_) => (true, format!("{UNREACHABLE}: there is no such host")),
        Error::Broken { reason, .. } => (false, format!("{UNREACHABLE}: {reason}")),
    }
}

async fn known(store: &Store, wanted: &Wanted) -> sqlx::Result<Vec<Known>> {
    let mut known = Vec::new();
    for address in wanted.keys() {
        let row: Option<Known> = read!(store, |db| sqlx::query_as(
            "select address, dead, why, title, checked_at from link where address = $1"
        )
        .bind(address)
        .fetch_optional(db)
        .await)?;
        known.extend(row);
    }
    Ok(known)
}

async fn remember(store: &Store, asked: &[&Known]) -> sqlx::Result<()> {
    let mut tx = store.begin().await?;
    for one in asked {
        on!(tx, |c| sqlx::query(
            "insert into link (address, dead, why, title, checked_at)
             values ($1, $2, $3, $4, $5)
             on conflict (address) do update
             set dead = excluded.dead, why = excluded.why, title = excluded.title,
                 checked_at = excluded.checked_at"
        )
        .bind(&one.address)
        .bind(one.dead)
        .bind(&one.why)
        .bind(&one.title)
        .bind(one.checked_at)
        .execute(c)
        .await
        .map(drop))?;
    }
    tx.commit().await
}
