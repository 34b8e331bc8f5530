//! Pictures that go along with the mail (RFC 2387, RFC 2392), for newsletters that want
//! them seen before anybody presses "load pictures". Every reader's mail carries them.

use lettre::message::header::{
    ContentDisposition, ContentId, ContentTransferEncoding, ContentType,
};
use lettre::message::{Body, SinglePart};

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
