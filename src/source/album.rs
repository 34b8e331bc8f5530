//! Our own copies of an article's pictures: fetched once per address, stored by hash. One that
//! cannot be had is left out, with a note, and tried again later.

use std::path::Path;
use std::time::Duration;

use url::Url;

use crate::article::{Image, Record};
use crate::source::fetch::Client;
use crate::source::finding::Finding;
use crate::source::picture::{self, Format, Picture};
use crate::store::value::Millis;
use crate::store::{Store, Tx};
use crate::{on, read, row};

/// Pictures of one article; what a page has more of is no gallery for a newsletter.
const PICTURES: usize = 40;
/// For how long a picture that could not be had is not asked for again.
const AGAIN: Duration = Duration::from_secs(60 * 60);
/// For how long our copy stands for what its address gives; editors exchange pictures in place.
const FRESH: Duration = Duration::from_secs(24 * 60 * 60);

row! {
    /// A picture as it is served.
    Served {
        /// `image/jpeg` or `image/png`.
        media_type: String,
        /// The file.
        bytes: Vec<u8>,
    }
}

row! {
    /// What became of an address.
    Origin {
        /// Of our copy.
        hash: Option<Vec<u8>>,
        /// Why there is none.
        failure: Option<String>,
        /// When it was asked.
        fetched_at: Millis,
        /// Of our copy.
        media_type: Option<String>,
        /// Of the copy for narrow places.
        small: Option<Vec<u8>>,
        /// Of the copy for narrow places.
        small_type: Option<String>,
        /// Pixels.
        width: Option<i64>,
        /// Pixels.
        height: Option<i64>,
    }
}

/// When a picture that could not be had is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Now: somebody who asks has mended it, perhaps.
    AtOnce,
    /// Not before its hour is over: the clock asks.
    Later,
}

/// Gets our copies of a record's pictures and writes their names and sizes into it. `folder`
/// is where pictures may be read from the disk. Never fails for a picture: the findings say.
///
/// # Errors
/// The database failed.
pub async fn gather(
    store: &Store,
    client: &Client,
    record: &mut Record,
    folder: Option<&Path>,
    retry: Retry,
    now: Millis,
) -> sqlx::Result<Vec<Finding>> {
    let mut findings = Vec::new();
    if record.images.len() > PICTURES {
        findings.push(Finding::new(format!(
            "{} pictures; only the first {PICTURES} were taken",
            record.images.len()
        )));
        record.images.truncate(PICTURES);
    }
    for image in &mut record.images {
        image.failure = obtain(store, client, image, folder, retry, now).await?.err();
        if let Some(reason) = &image.failure {
            findings.push(Finding::new(format!("picture left out: {}: {reason}", image.url)));
        }
    }
    Ok(findings)
}

/// One picture: known, or fetched now.
async fn obtain(
    store: &Store,
    client: &Client,
    image: &mut Image,
    folder: Option<&Path>,
    retry: Retry,
    now: Millis,
) -> sqlx::Result<Result<(), String>> {
    let local = image.url.starts_with("file:");
    let mut had = false;
    if let Some(origin) = origin(store, &image.url).await?.filter(|_| !local) {
        if let (Some(hash), Some(kind)) = (&origin.hash, &origin.media_type) {
            image.file = Some(picture::file(hash, Format::of(kind)));
            let small = origin.small.as_ref().zip(origin.small_type.as_deref());
            image.small = small.map(|(hash, kind)| picture::file(hash, Format::of(kind)));
            image.width = origin.width.and_then(|width| u32::try_from(width).ok());
            image.height = origin.height.and_then(|height| u32::try_from(height).ok());
            had = true;
            if origin.fetched_at.after(FRESH) > now {
                return Ok(Ok(()));
            }
        } else if let Some(reason) = origin.failure
            && retry == Retry::Later
            && origin.fetched_at.after(AGAIN) > now
        {
            return Ok(Err(reason));
        }
    }
    let result = match load(client, &image.url, folder).await {
        Ok(bytes) => match tokio::task::spawn_blocking(move || copies(&bytes)).await {
            Ok(prepared) => prepared.map_err(|error| error.to_string()),
            Err(_) => Err("the picture brought its decoder down".to_owned()),
        },
        Err(reason) => Err(reason),
    };
    if had && result.is_err() {
        // The copy we have is better than none.
        return Ok(Ok(()));
    }
    let mut tx = store.begin().await?;
    note(&mut tx, &image.url, result.as_ref(), now).await?;
    tx.commit().await?;
    Ok(result.map(|(picture, small)| {
        image.file = Some(picture.file());
        image.small = small.map(|small| small.file());
        image.width = Some(picture.width);
        image.height = Some(picture.height);
    }))
}

/// Gets our copy of a picture that is no article's; a reason where it cannot be had.
///
/// # Errors
/// The database failed.
pub async fn fetch(
    store: &Store,
    client: &Client,
    url: &str,
    retry: Retry,
    now: Millis,
) -> sqlx::Result<Result<(), String>> {
    let mut image = Image { url: url.to_owned(), ..Image::default() };
    obtain(store, client, &mut image, None, retry, now).await
}

/// Our copy of such a picture for a narrow place, with its name.
///
/// # Errors
/// The database failed.
pub async fn copy(store: &Store, url: &str) -> sqlx::Result<Option<(String, Served)>> {
    let Some(origin) = origin(store, url).await? else { return Ok(None) };
    let named = |hash: &Option<Vec<u8>>, kind: &Option<String>| {
        Some(picture::file(hash.as_deref()?, Format::of(kind.as_deref()?)))
    };
    let small = named(&origin.small, &origin.small_type);
    let Some(file) = small.or_else(|| named(&origin.hash, &origin.media_type)) else {
        return Ok(None);
    };
    Ok(serve(store, &file).await?.map(|served| (file, served)))
}

/// A picture and its copy for narrow places.
type Copies = (Picture, Option<Picture>);

fn copies(bytes: &[u8]) -> Result<Copies, picture::Error> {
    let picture = picture::prepare(bytes)?;
    let small = picture::narrow(&picture)?;
    Ok((picture, small))
}

/// The bytes behind an address: from the web, or from a file below the folder.
async fn load(client: &Client, url: &str, folder: Option<&Path>) -> Result<Vec<u8>, String> {
    let url = Url::parse(url).map_err(|_| {
        "a relative address; say with --address where the article stands on the web".to_owned()
    })?;
    if url.scheme() != "file" {
        return client
            .get(&url)
            .await
            .map(|document| document.bytes)
            .map_err(|error| error.to_string());
    }
    let outside = || "no file beside the article".to_owned();
    let folder = folder.and_then(|folder| folder.canonicalize().ok()).ok_or_else(outside)?;
    let path =
        url.to_file_path().ok().and_then(|path| path.canonicalize().ok()).ok_or_else(outside)?;
    if !path.starts_with(&folder) {
        return Err(outside());
    }
    let size = tokio::fs::metadata(&path).await.map_err(|error| error.to_string())?.len();
    if size > crate::source::fetch::SIZE as u64 {
        return Err(format!("{size} bytes; at most {} are read", crate::source::fetch::SIZE));
    }
    tokio::fs::read(&path).await.map_err(|error| error.to_string())
}

async fn origin(store: &Store, url: &str) -> sqlx::Result<Option<Origin>> {
    read!(store, |db| sqlx::query_as(
        "select
             o.hash, o.failure, o.fetched_at, p.media_type, p.width, p.height,
             p.small, s.media_type as small_type
         from picture_origin o
         left join picture p on p.hash = o.hash
         left join picture s on s.hash = p.small
         where o.url = $1"
    )
    .bind(url)
    .fetch_optional(db)
    .await)
}

/// Stores a picture and what its address gave.
async fn note(
    tx: &mut Tx,
    url: &str,
    result: Result<&Copies, &String>,
    now: Millis,
) -> sqlx::Result<()> {
    if let Ok((picture, small)) = result {
        if let Some(small) = small {
            keep(tx, small, None, now).await?;
        }
        keep(tx, picture, small.as_ref(), now).await?;
    }
    on!(*tx, |c| sqlx::query(
        "insert into picture_origin (url, hash, failure, fetched_at)
         values ($1, $2, $3, $4)
         on conflict (url) do update
         set hash = excluded.hash,
             failure = excluded.failure,
             fetched_at = excluded.fetched_at"
    )
    .bind(url)
    .bind(result.ok().map(|(picture, _)| picture.hash.as_slice()))
    .bind(result.err())
    .bind(now)
    .execute(c)
    .await
    .map(|_| ()))
}

async fn keep(
    tx: &mut Tx,
    picture: &Picture,
    small: Option<&Picture>,
    now: Millis,
) -> sqlx::Result<()> {
    on!(*tx, |c| sqlx::query(
        "insert into picture (hash, small, media_type, width, height, bytes, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (hash) do nothing"
    )
    .bind(&picture.hash)
    .bind(small.map(|small| small.hash.as_slice()))
    .bind(picture.format.media_type())
    .bind(i64::from(picture.width))
    .bind(i64::from(picture.height))
    .bind(&picture.bytes)
    .bind(now)
    .execute(c)
    .await
    .map(|_| ()))
}

/// The picture that is served under this name.
///
/// # Errors
/// The database failed.
pub async fn serve(store: &Store, file: &str) -> sqlx::Result<Option<Served>> {
    let Some(hash) = picture::hash_of(file) else {
        return Ok(None);
    };
    read!(store, |db| sqlx::query_as("select media_type, bytes from picture where hash = $1")
        .bind(hash)
        .fetch_optional(db)
        .await)
}
