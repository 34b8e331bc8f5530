//! The web: public pages, readers' links, machines.
//!
//! One file per noun under `web/`: handler first, then its page. Every route is
//! a row of [`table`], and a row names who may use it: there is no other way to
//! add one. Pages work without a script and ask nothing of a third party. Logging
//! in is not here yet: the rows for editors are served by the demo only, where
//! everybody is one.

pub mod archive;
pub mod error;
pub mod health;
pub mod page;
pub mod picture;
pub mod preference_words;
pub mod preferences;
pub mod raw;
pub mod reader;
pub mod report;
pub mod unknown;
pub mod unsubscribe;
pub mod webhook;
pub mod words;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use rundbrief_subscribers::key::Master;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::csrf::CsrfLayer;
use tower_http::timeout::TimeoutLayer;

use crate::config::network::PublicAddress;
use crate::daemon::pulse::Pulse;
use crate::store::Store;
use crate::webhook::door::Door;

/// A page that takes longer has failed; the slowest query is far below.
const TIME: Duration = Duration::from_secs(30);
/// Bytes of a form: a reader's choices fit many times over.
const FORM_BYTES: usize = 64 * 1024;
/// Bytes of a provider's event; they send batches.
const EVENT_BYTES: usize = 5 * 1024 * 1024;

/// Nothing is allowed but our own style sheet, pictures and forms.
pub const STRICT: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// For pages that show what came from elsewhere: besides, they run in an origin
/// of their own, without scripts and forms, whatever slipped through.
pub const SANDBOX: &str = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation";

/// What handlers need.
#[derive(Clone, Debug)]
pub struct Site {
    /// The database.
    pub store: Store,
    /// Signs and reads the links of readers.
    pub key: Master,
    /// The address readers know.
    pub address: PublicAddress,
    /// Endpoints for providers' events.
    pub webhooks: Arc<Door>,
    /// How the loops are.
    pub pulse: Arc<Pulse>,
    /// Whether everybody is an editor: the demo.
    pub open_house: bool,
}

/// Who may use a route, and what guards it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everybody, to look.
    Public,
    /// Whoever holds the link from a mail; forms of other sites are refused.
    Reader,
    /// The same, from anywhere: a mail program's one-click POST (RFC 8058). There is
    /// no cookie that a foreign site could ride on, the token is the whole right.
    OneClick,
    /// A provider or a monitor; what it sends proves itself.
    Machine,
    /// Those who work on issues.
    Editor,
}

/// One row of the policy.
pub struct Route {
    /// The path with its parameters in braces.
    pub path: &'static str,
    /// Who.
    pub role: Role,
    handlers: MethodRouter<Site>,
}

fn row(path: &'static str, role: Role, handlers: MethodRouter<Site>) -> Route {
    Route { path, role, handlers }
}

/// Every route there is, with who may use it.
pub fn table() -> Vec<Route> {
    vec![
        row("/", Role::Public, get(|| async { Redirect::to("/archive") })),
        row("/archive", Role::Public, get(archive::index)),
        row("/archive/{newsletter}", Role::Public, get(archive::newsletter)),
        row("/archive/{newsletter}/{number}", Role::Public, get(archive::issue)),
        row("/archive/{newsletter}/{number}/{article}", Role::Public, get(archive::article)),
        row("/picture/{file}", Role::Public, get(picture::show)),
        row(page::STYLE_PATH, Role::Public, get(page::style)),
        row(page::ICON_PATH, Role::Public, get(page::icon)),
        row("/report", Role::Editor, get(report::index)),
        row("/report/{issue}", Role::Editor, get(report::show)),
        row("/report/{issue}/unknown", Role::Editor, post(unknown::settle)),
        row("/webhook/{name}", Role::Machine, post(webhook::receive)),
        row("/u/{token}", Role::OneClick, get(unsubscribe::show).post(unsubscribe::act)),
        row("/p/{token}", Role::Reader, get(preferences::show).post(preferences::save)),
        row("/healthz", Role::Machine, get(health::alive)),
        row("/readyz", Role::Machine, get(health::ready)),
    ]
}

/// All of it as one service.
pub fn router(site: Site) -> Router {
    let secure = site.address.as_str().starts_with("https:");
    let mut router = Router::new();
    for route in table() {
        if route.role == Role::Editor && !site.open_house {
            continue;
        }
        router = router.route(route.path, guarded(route));
    }
    router
        .fallback(|| async { error::Error::NotFound })
        .layer(middleware::map_response(move |response| dress(response, secure)))
        .layer(CatchPanicLayer::custom(error::panicked))
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, TIME))
        .with_state(site)
}

fn guarded(Route { path, role, handlers }: Route) -> MethodRouter<Site> {
    let logged = middleware::from_fn(move |request: Request, next: Next| note(path, request, next));
    let handlers = match role {
        Role::Public | Role::Reader | Role::Editor => handlers.layer(CsrfLayer::new()),
        Role::OneClick | Role::Machine => handlers,
    };
    let bytes = match role {
        Role::Public | Role::Reader | Role::OneClick | Role::Editor => FORM_BYTES,
        Role::Machine => EVENT_BYTES,
    };
    handlers.layer(DefaultBodyLimit::max(bytes)).layer(logged)
}

/// One line a request: the route, never the path, which may hold a token; no address.
async fn note(route: &'static str, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let started = Instant::now();
    let response = next.run(request).await;
    let ms = started.elapsed().as_millis();
    tracing::debug!(%method, route, status = response.status().as_u16(), ms, "web: answered");
    response
}

/// Headers that every answer has unless it brought its own.
async fn dress(mut response: Response, secure: bool) -> Response {
    let headers = response.headers_mut();
    let mut unless = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    unless(header::CONTENT_SECURITY_POLICY, STRICT);
    unless(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    // Paths may hold a reader's token: no other site learns it.
    unless(header::REFERRER_POLICY, "no-referrer");
    unless(header::CACHE_CONTROL, "no-store");
    unless(
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=(), interest-cohort=()",
    );
    unless(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if secure {
        unless(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    response.into_response()
}

/// The language of a page that belongs to no newsletter: the first of the visitor's
/// that we speak, English otherwise.
pub fn language_of(headers: &axum::http::HeaderMap) -> rundbrief_templates::language::Language {
    use rundbrief_templates::language::Language;
    let wanted = headers.get(header::ACCEPT_LANGUAGE).and_then(|v| v.to_str().ok());
    let tags = wanted.unwrap_or_default().split(',');
    tags.filter_map(|tag| Language::parse(tag.split(';').next().unwrap_or_default().trim()))
        .next()
        .unwrap_or(Language::English)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_stands_twice_in_the_policy() {
        let mut paths: Vec<_> = table().iter().map(|route| route.path).collect();
        paths.sort_unstable();
        let all = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), all);
    }

    #[test]
    fn a_visitor_is_answered_in_their_language() {
        use rundbrief_templates::language::Language;
        let with = |text: &'static str| {
            let mut headers = axum::http::HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(text));
            language_of(&headers)
        };
        assert_eq!(with("fr, de-AT;q=0.8, en;q=0.5"), Language::German);
        assert_eq!(with("en-GB"), Language::English);
        assert_eq!(with("*"), Language::English);
    }
}
