//! The pictures of articles, as mails and the archive show them. A picture's address is the
//! hash of its bytes, so every cache may keep it for ever.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::{Site, error};
use crate::source::album;

/// A year: the address changes when the picture does.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// `/picture/{file}`.
///
/// # Errors
/// There is no such picture, or the database failed.
pub async fn show(
    State(site): State<Site>,
    Path(file): Path<String>,
    headers: HeaderMap,
) -> Result<Response, error::Error> {
    let etag = HeaderValue::from_str(&format!("\"{file}\"")).map_err(|_| error::Error::NotFound)?;
    let picture = album::serve(&site.store, &file).await?.ok_or(error::Error::NotFound)?;
    let kept = [(header::CACHE_CONTROL, FOR_EVER), (header::ETAG, etag.clone())];
    if headers.get(header::IF_NONE_MATCH) == Some(&etag) {
        return Ok((StatusCode::NOT_MODIFIED, kept).into_response());
    }
    let kind = match picture.media_type.as_str() {
        "image/png" => HeaderValue::from_static("image/png"),
        _ => HeaderValue::from_static("image/jpeg"),
    };
    Ok((kept, [(header::CONTENT_TYPE, kind)], picture.bytes).into_response())
}
