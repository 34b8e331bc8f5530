//! Pictures that go along with the mail (RFC 2387, RFC 2392), for newsletters that want
//! them seen before anybody presses "load pictures". Every reader's mail carries them, the
//! logo among them: light and dark.

use jiff::Timestamp;
use lettre::message::header::{
    ContentDisposition, ContentId, ContentTransferEncoding, ContentType,
};
use lettre::message::{Body, SinglePart};
use rundbrief_templates::brand::{Brand, Logo};

use super::address::Office;
use crate::newsletter::definition::{Definition, Pictures};
use crate::source::album::{self, Retry};
use crate::source::fetch::Client;
use crate::store::Store;

/// Characters of a picture's hash that name it in a mail: 128 bits.
const NAME: usize = 32;

/// A picture that may go along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosure {
    /// The name it is served under, [`crate::article::Image::file`].
    pub file: String,
    /// `image/jpeg` or `image/png`.
    pub media_type: String,
    /// The file itself.
    pub bytes: Vec<u8>,
    /// Where a logo stands on the web; `None` for the pictures of articles.
    pub logo: Option<String>,
}

/// The addresses of the logo of a newsletter whose pictures go along.
fn addresses(definition: &Definition) -> Vec<&str> {
    let logo = definition.brand.logo.as_ref().filter(|_| definition.pictures == Pictures::Embedded);
    let web = |url: &&str| url.starts_with("https://");
    logo.map(|logo| [Some(&*logo.url), logo.dark_url.as_deref()])
        .into_iter()
        .flatten()
        .flatten()
        .filter(web)
        .collect()
}

/// Gets our copies of the logo, if they are to go along; gives each that could not be had,
/// with the reason.
///
/// # Errors
/// The database failed.
pub async fn fetch_logos(
    store: &Store,
    client: &Client,
    definition: &Definition,
    now: Timestamp,
) -> sqlx::Result<Vec<(String, String)>> {
    let mut missing = Vec::new();
    for url in addresses(definition) {
        if let Err(why) = album::fetch(store, client, url, Retry::AtOnce, now.into()).await? {
            missing.push((url.to_owned(), why));
        }
    }
    Ok(missing)
}

/// Our copies of the logo, if they are to go along.
///
/// # Errors
/// The database failed.
pub async fn logos(store: &Store, definition: &Definition) -> sqlx::Result<Vec<Enclosure>> {
    let mut logos = Vec::new();
    for url in addresses(definition) {
        if let Some((file, album::Served { media_type, bytes })) = album::copy(store, url).await? {
            logos.push(Enclosure { file, media_type, bytes, logo: Some(url.to_owned()) });
        }
    }
    Ok(logos)
}

/// The addresses of the logo that stay links: there is no copy of ours.
pub fn left(definition: &Definition, pictures: &[Enclosure]) -> Vec<String> {
    let copied = |url: &&str| pictures.iter().any(|one| one.logo.as_deref() == Some(*url));
    let left = addresses(definition).into_iter().filter(|url| !copied(url));
    left.map(str::to_owned).collect()
}

/// The newsletter's brand, its logo as it goes along.
///
/// # Errors
/// The brand's colours do not read well on each other.
pub fn brand(
    definition: &Definition,
    pictures: &[Enclosure],
    office: &Office,
) -> anyhow::Result<Brand> {
    let mut choice = definition.brand.clone();
    let enclosed = |url: &mut String| {
        if let Some(copy) = pictures.iter().find(|one| one.logo.as_ref() == Some(url)) {
            *url = office.enclosed(&copy.file);
        }
    };
    if let Some(Logo { url, dark_url, .. }) = &mut choice.logo {
        [Some(url), dark_url.as_mut()].into_iter().flatten().for_each(enclosed);
    }
    Ok(choice.brand()?)
}

/// What a mail calls a picture: its identifier, without `cid:` and without brackets.
pub fn id(file: &str, domain: &str) -> String {
    format!("{}@{domain}", file.get(..NAME).unwrap_or(file))
}

/// Those of the pictures that the HTML of a mail shows.
pub fn shown<'a>(html: &str, pictures: &'a [Enclosure], domain: &str) -> Vec<&'a Enclosure> {
    let shows = |picture: &&Enclosure| html.contains(&format!("cid:{}", id(&picture.file, domain)));
    pictures.iter().filter(shows).collect()
}

impl Enclosure {
    /// As a part of the message.
    ///
    /// # Errors
    /// The media type is none.
    pub fn part(&self, domain: &str) -> anyhow::Result<SinglePart> {
        let end = self.file.rsplit('.').next().unwrap_or_default();
        let name = format!("{}.{end}", self.file.get(..NAME).unwrap_or_default());
        let body = Body::new_with_encoding(self.bytes.clone(), ContentTransferEncoding::Base64)
            .expect("base64 writes any octets");
        Ok(SinglePart::builder()
            .header(ContentType::parse(&self.media_type)?)
            .header(ContentId::from(format!("<{}>", id(&self.file, domain))))
            .header(ContentDisposition::inline_with_name(&name))
            .body(body))
    }
}
