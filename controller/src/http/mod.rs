//! The HTTP interface.
//!
//! | Request | Answer |
//! | --- | --- |
//! | `POST /v1/events` | takes events in, in any form of [`crate::ingest`] |
//! | `GET /v1/hosts`, `GET /v1/hosts/NAME` | health, risk and open incidents; the worst first |
//! | `GET /v1/suggestions` | open suggestions and evacuations, pause and brake |
//! | `POST /v1/suggestions/ID/approve`, `…/dismiss`, `…/cancel` | orders about one of them |
//! | `POST /v1/pause`, `/v1/resume`, `/v1/reset` | orders about all of them |
//! | `GET /v1/audit`, `GET /v1/journal` | the audit trail, and what was taken in, as JSON Lines |
//! | `GET /v1/stream` | what happens, as server-sent events |
//! | `GET /metrics`, `GET /healthz` | for who watches the controller |

mod access;
mod answer;
mod events;
mod listen;
mod metrics;
mod orders;
mod read;
mod stream;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tokio::sync::Semaphore;

pub use access::{Access, AccessError};
pub use listen::{ListenError, Listener};

use crate::config::Config;
use crate::engine::{Clock, Engine};
use crate::executor::Runner;

/// What was counted since the start.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) accepted: AtomicU64,
    pub(crate) repeated: AtomicU64,
    pub(crate) ignored: AtomicU64,
    pub(crate) refused: AtomicU64,
    pub(crate) busy: AtomicU64,
    pub(crate) denied: AtomicU64,
    pub(crate) streams_refused: AtomicU64,
    pub(crate) notices_missed: AtomicU64,
}

/// What all requests share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) engine: Engine,
    pub(crate) runner: Option<Arc<Runner>>,
    pub(crate) access: Access,
    pub(crate) clock: DebugClock,
    pub(crate) ahead_sec: f64,
    pub(crate) timeout: Duration,
    pub(crate) counters: Counters,
    pub(crate) streams: Arc<Semaphore>,
}

/// A clock that can be shown.
pub(crate) struct DebugClock(pub(crate) Clock);

impl std::fmt::Debug for DebugClock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// All routes.
pub fn router(
    config: &Config,
    engine: Engine,
    runner: Option<Arc<Runner>>,
    access: Access,
    clock: Clock,
) -> Router {
    let shared = Arc::new(Shared {
        engine,
        runner,
        access,
        clock: DebugClock(clock),
        ahead_sec: config.ingest.ahead_sec,
        timeout: Duration::from_secs(config.server.request_sec as u64),
        counters: Counters::default(),
        streams: Arc::new(Semaphore::new(config.server.max_streams)),
    });
    let operators = Router::new()
        .route("/v1/hosts", get(read::hosts))
        .route("/v1/hosts/{name}", get(read::host))
        .route("/v1/suggestions", get(read::suggestions))
        .route("/v1/suggestions/{id}/approve", post(orders::approve))
        .route("/v1/suggestions/{id}/dismiss", post(orders::dismiss))
        .route("/v1/suggestions/{id}/cancel", post(orders::cancel))
        .route("/v1/pause", post(orders::pause))
        .route("/v1/resume", post(orders::resume))
        .route("/v1/reset", post(orders::reset))
        .route("/v1/audit", get(read::audit))
        .route("/v1/journal", get(read::journal))
        .route("/v1/stream", get(stream::stream))
        .route("/metrics", get(metrics::metrics))
        .layer(axum::middleware::from_fn_with_state(
            Arc::clone(&shared),
            access::operators,
        ));
    let senders = Router::new().route("/v1/events", post(events::take)).layer(
        axum::middleware::from_fn_with_state(Arc::clone(&shared), access::senders),
    );
    Router::new()
        .merge(operators)
        .merge(senders)
        // It says nothing that needs a token.
        .route("/healthz", get(metrics::healthz))
        .fallback(answer::no_such_path)
        .method_not_allowed_fallback(answer::no_such_method)
        .layer(DefaultBodyLimit::max(config.server.max_body_kib << 10))
        .with_state(shared)
}
