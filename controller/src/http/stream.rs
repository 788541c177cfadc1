//! `GET /v1/stream`: what happens, as server-sent events (HTML Living Standard, "Server-sent events").

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::unfold;
use tokio::sync::broadcast::error::RecvError;

use super::Shared;
use super::answer::Problem;

pub(super) async fn stream(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let Ok(permit) = Arc::clone(&shared.streams).try_acquire_owned() else {
        shared.counters.streams_refused.fetch_add(1, Relaxed);
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "\"max_streams\" clients watch already",
        ));
    };
    let notices = shared.engine.notices();
    let stream = unfold(
        (notices, permit, shared),
        |(mut notices, permit, shared)| async move {
            let event = match notices.recv().await {
                Ok(notice) => Event::default().event(notice.kind).data(&*notice.json),
                Err(RecvError::Lagged(count)) => {
                    shared.counters.notices_missed.fetch_add(count, Relaxed);
                    // Whoever watches has to read everything again.
                    Event::default().event("missed").data(count.to_string())
                }
                Err(RecvError::Closed) => return None,
            };
            Some((Ok::<_, Infallible>(event), (notices, permit, shared)))
        },
    );
    Ok(Sse::new(stream)
        .keep_alive(KeepAlive::default())
        .into_response())
}
