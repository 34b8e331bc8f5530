//! `POST /webhook/{name}`: what a provider sends. It is answered with success when
//! it is stored, never before; why it was refused stands in the log alone.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::Site;
use crate::store::value::Millis;
use crate::webhook::door::{Answer, Error};
use crate::webhook::proof::Request;

/// Takes the events.
#[expect(clippy::disallowed_methods, reason = "a web handler reads the clock")]
pub async fn receive(
    State(site): State<Site>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let now = Millis::from(jiff::Timestamp::now());
    let headers: Vec<(String, String)> = headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect();
    let query = query.unwrap_or_default();
    let request = Request { headers: &headers, query: &query, body: &body };
    match site.webhooks.receive(&site.store, &site.key.token(), &name, &request, now).await {
        Ok(Answer::Stored(_) | Answer::Confirmed) => (StatusCode::OK, "stored\n").into_response(),
        Ok(Answer::Say(text)) => {
            ([(header::CONTENT_TYPE, "application/json")], text).into_response()
        }
        Err(Error::Unknown) => (StatusCode::NOT_FOUND, "no such webhook\n").into_response(),
        Err(Error::Refused(refusal)) => {
            tracing::warn!(webhook = name, why = %refusal, "webhook: refused");
            (StatusCode::UNAUTHORIZED, "not believed\n").into_response()
        }
        Err(Error::Later(error)) => {
            tracing::error!(webhook = name, error = format!("{error:#}"), "webhook: not stored");
            (StatusCode::SERVICE_UNAVAILABLE, "try again later\n").into_response()
        }
    }
}
