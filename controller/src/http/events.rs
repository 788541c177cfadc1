//! `POST /v1/events`.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;

use super::Shared;
use super::answer::{Problem, json};
use crate::engine::EngineError;
use crate::ingest::{Head, parse};

pub(super) async fn take(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let counters = &shared.counters;
    let body = body.map_err(|rejection| {
        counters.refused.fetch_add(1, Relaxed);
        let status = rejection.status();
        let message = match status {
            StatusCode::PAYLOAD_TOO_LARGE => "the body is larger than \"max_body_kib\"".to_owned(),
            _ => format!("the body cannot be read: {rejection}"),
        };
        Problem::new(status, message)
    })?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let head = Head {
        content_type: header("content-type").unwrap_or_default(),
        content_encoding: header("content-encoding").unwrap_or_default(),
        cloud_event: header("ce-specversion"),
    };
    let now = (shared.clock.0)();
    let batch = parse(&head, &body, now, shared.ahead_sec).map_err(|refusal| {
        counters.refused.fetch_add(1, Relaxed);
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST);
        Problem::new(status, refusal.message)
    })?;
    counters.ignored.fetch_add(batch.ignored, Relaxed);
    counters.refused.fetch_add(batch.refused, Relaxed);
    let taken = shared
        .engine
        .events(batch.events)
        .await
        .inspect_err(|error| {
            if matches!(error, EngineError::Busy(_)) {
                counters.busy.fetch_add(1, Relaxed);
            }
        })?;
    counters.accepted.fetch_add(taken.accepted, Relaxed);
    counters.repeated.fetch_add(taken.repeated, Relaxed);
    Ok(json(&json!({
        "accepted": taken.accepted,
        "repeated": taken.repeated,
        "ignored": batch.ignored,
        "refused": batch.refused,
        "reasons": batch.reasons,
    })))
}
