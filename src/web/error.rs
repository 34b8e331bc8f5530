//! What a visitor sees when there is no page: plain words in both languages.
//! The cause is logged and never shown.

use std::any::Any;

use axum::body::Body;
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use maud::{Markup, html};

use super::page;

/// Why a page cannot be shown.
#[derive(Debug)]
pub enum Error {
    /// There is nothing at this address, or not any more.
    NotFound,
    /// Something broke here; the cause goes to the log.
    Broken(anyhow::Error),
}

impl From<anyhow::Error> for Error {
    fn from(error: anyhow::Error) -> Self {
        Error::Broken(error)
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Error::Broken(error.into())
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response<Body> {
        match self {
            Error::NotFound => plain(
                StatusCode::NOT_FOUND,
                (
                    "Diese Seite gibt es nicht",
                    "Vielleicht fehlt ein Teil der Adresse. Im Archiv stehen alle Ausgaben.",
                ),
                (
                    "There is no such page",
                    "Perhaps a part of the address is missing. The archive has every issue.",
                ),
            ),
            Error::Broken(error) => {
                tracing::error!(error = format!("{error:#}"), "web: page failed");
                broken()
            }
        }
    }
}

/// The answer when a handler panicked: logged like any other failure.
pub fn panicked(cause: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let said = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    tracing::error!(error = said, "web: page panicked");
    broken()
}

fn broken() -> Response<Body> {
    plain(
        StatusCode::INTERNAL_SERVER_ERROR,
        (
            "Das hat nicht geklappt",
            "Der Fehler liegt bei uns und ist notiert. Bitte versuchen Sie es in ein paar Minuten noch einmal.",
        ),
        (
            "That did not work",
            "The mistake is ours and has been noted. Please try again in a few minutes.",
        ),
    )
}

fn plain(status: StatusCode, german: (&str, &str), english: (&str, &str)) -> Response<Body> {
    let half = |language: &str, (title, text): (&str, &str)| -> Markup {
        html! { section lang=(language) { h1 { (title) } p { (text) } } }
    };
    let body = html! {
        div class="apart" { (half("de", german)) (half("en", english)) }
        p class="way-back" { a href="/archive" { "Archiv · Archive" } }
    };
    page::bare(status, &format!("{} · {}", german.0, english.0), body).into_response()
}
