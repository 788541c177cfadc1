//! Orders of operators.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use bellwether_core::policy::{SuggestionId, Verdict, What};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Shared;
use super::answer::{Problem, json};

/// Who orders, and why.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Order {
    #[serde(default = "somebody")]
    by: String,
    #[serde(default)]
    reason: String,
}

/// Who dismisses a suggestion, and what is true of it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Dismissal {
    #[serde(default = "somebody")]
    by: String,
    #[serde(default = "unclear")]
    verdict: Verdict,
}

fn somebody() -> String {
    "operator".into()
}

fn unclear() -> Verdict {
    Verdict::Unclear
}

/// The body of an order, which may be empty. A form of a page of another origin cannot have this media type.
fn body<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    let media = headers
        .get("content-type")
        .and_then(|value| value.to_str().ok());
    let media = media
        .and_then(|media| media.split(';').next())
        .map(str::trim);
    if media != Some("application/json") {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "an order takes the header \"Content-Type: application/json\"",
        ));
    }
    let bytes = match bytes.trim_ascii() {
        b"" => b"{}",
        bytes => bytes,
    };
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            format!("the order is not valid: {error}"),
        )
    })
}

async fn order(shared: &Shared, what: What) -> Result<Response, Problem> {
    let taken = shared.engine.order(what).await?;
    Ok(json(&json!({ "decisions": taken.decisions })))
}

fn number(id: &str) -> Result<SuggestionId, Problem> {
    let number = id.parse().map(SuggestionId);
    number.map_err(|_| {
        let id = bellwether_core::text::shortened(id, 32);
        let message = format!("\"{id}\" is not the number of a suggestion");
        Problem::new(StatusCode::BAD_REQUEST, message)
    })
}

pub(super) async fn approve(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let Order { by, .. } = body(&headers, &bytes)?;
    let id = number(&id)?;
    order(&shared, What::Approve { id, by }).await
}

pub(super) async fn dismiss(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let Dismissal { by, verdict } = body(&headers, &bytes)?;
    let id = number(&id)?;
    order(&shared, What::Dismiss { id, verdict, by }).await
}

pub(super) async fn cancel(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let _: Order = body(&headers, &bytes)?;
    let id = number(&id)?;
    match shared
        .runner
        .as_ref()
        .is_some_and(|runner| runner.cancel(id.0))
    {
        true => Ok(json(&json!({ "canceled": id }))),
        false => Err(Problem::new(
            StatusCode::NOT_FOUND,
            format!("no evacuation for suggestion {id} is running"),
        )),
    }
}

pub(super) async fn pause(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let Order { by, reason } = body(&headers, &bytes)?;
    order(&shared, What::Pause { by, reason }).await
}

pub(super) async fn resume(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let Order { by, .. } = body(&headers, &bytes)?;
    order(&shared, What::Resume { by }).await
}

pub(super) async fn reset(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Result<Response, Problem> {
    let Order { by, .. } = body(&headers, &bytes)?;
    order(&shared, What::Reset { by }).await
}
