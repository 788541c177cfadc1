//! `GET /metrics` in the text format of Prometheus, and `GET /healthz`.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bellwether_core::policy::Health;

use super::Shared;
use super::answer::Problem;

/// Names, kinds and descriptions, in the order of the values.
pub(crate) const METRICS: [(&str, &str, &str); 18] = [
    (
        "events_accepted_total",
        "counter",
        "Events that were taken in",
    ),
    (
        "events_repeated_total",
        "counter",
        "Events that had been taken in before",
    ),
    (
        "elements_ignored_total",
        "counter",
        "Alerts of other programs and questions, which were left out",
    ),
    (
        "elements_refused_total",
        "counter",
        "Elements and bodies that were refused",
    ),
    (
        "requests_busy_total",
        "counter",
        "Requests that found the queue full",
    ),
    (
        "requests_denied_total",
        "counter",
        "Requests without the right token, or of another origin",
    ),
    (
        "streams_refused_total",
        "counter",
        "Clients of the stream beyond max_streams",
    ),
    (
        "notices_missed_total",
        "counter",
        "Notices that clients of the stream were too slow for",
    ),
    ("queued_events", "gauge", "Events that wait to be stored"),
    (
        "waiting_events",
        "gauge",
        "Events that wait for earlier ones",
    ),
    (
        "findings_refused_total",
        "counter",
        "Findings that the policy refused",
    ),
    ("decisions_total", "counter", "Decisions"),
    (
        "hosts_full_total",
        "counter",
        "Events about hosts beyond max_hosts",
    ),
    ("open_suggestions", "gauge", "Suggestions that are open"),
    ("running_evacuations", "gauge", "Evacuations that run"),
    ("paused", "gauge", "1 while evacuations are paused"),
    ("tripped", "gauge", "1 while the brake has tripped"),
    ("frozen", "gauge", "Causes for which nothing is evacuated"),
];

pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let state = shared.engine.query(|machine, _| {
        let mut by_health = [0_u64; 3];
        for (_, host) in machine.hosts().iter() {
            by_health[host.health as usize] += 1;
        }
        let board = machine.board();
        let values = [
            machine.waiting() as u64,
            machine.counts().findings_refused,
            machine.counts().decisions,
            machine.hosts().full,
            board.suggestions.len() as u64,
        ];
        let brakes = [
            u64::from(board.pause.is_some()),
            u64::from(board.brake.is_some()),
            board.freezes.len() as u64,
        ];
        (values, brakes, by_health)
    });
    let ([waiting, refused, decisions, full, open], [paused, tripped, frozen], by_health) =
        state.await?;
    let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Relaxed);
    let counters = &shared.counters;
    let running = shared
        .runner
        .as_ref()
        .map_or(0, |runner| runner.progress().len());
    let values = [
        count(&counters.accepted),
        count(&counters.repeated),
        count(&counters.ignored),
        count(&counters.refused),
        count(&counters.busy),
        count(&counters.denied),
        count(&counters.streams_refused),
        count(&counters.notices_missed),
        shared.engine.queued() as u64,
        waiting,
        refused,
        decisions,
        full,
        open,
        running as u64,
        paused,
        tripped,
        frozen,
    ];
    let mut text = String::new();
    for ((name, kind, help), value) in METRICS.iter().zip(values) {
        // Writing to a text cannot fail.
        let _ = write!(
            text,
            "# HELP bellwether_controller_{name} {help}\n# TYPE bellwether_controller_{name} {kind}\nbellwether_controller_{name} {value}\n"
        );
    }
    text += "# HELP bellwether_controller_hosts Hosts by health\n# TYPE bellwether_controller_hosts gauge\n";
    for (health, value) in [Health::Green, Health::Yellow, Health::Red]
        .iter()
        .zip(by_health)
    {
        let _ = writeln!(
            text,
            "bellwether_controller_hosts{{health=\"{}\"}} {value}",
            health.as_str()
        );
    }
    let kind = "text/plain; version=0.0.4";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}

pub(super) async fn healthz(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    match shared.engine.problem().await? {
        None => Ok("ok\n".into_response()),
        // The reason is in the log: whoever asks here needs no token.
        Some(_) => Ok((
            StatusCode::SERVICE_UNAVAILABLE,
            "nothing can be stored, so nothing is decided\n",
        )
            .into_response()),
    }
}
