//! What a monitor asks: whether the process works, and whether it can do its work.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;

use super::Site;

/// `/healthz`: the process answers.
pub async fn alive() -> &'static str {
    "ok\n"
}

/// `/readyz`: the database answers and every loop has ticked lately; else 503 and why.
pub async fn ready(State(site): State<Site>) -> impl IntoResponse {
    let mut reasons: Vec<String> =
        site.pulse.silent().iter().map(|name| format!("loop {name} is silent")).collect();
    if let Err(error) = site.store.ping().await {
        tracing::warn!(%error, "web: database does not answer");
        reasons.push("database does not answer".to_owned());
    }
    if reasons.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", reasons.join("\n")))
    }
}
