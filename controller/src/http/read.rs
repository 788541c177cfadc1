//! What can be read.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bellwether_core::policy::Health;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::answer::{Problem, json};
use crate::judge::Host;
use crate::store::StoreError;

/// Maximum number of hosts in an answer.
const HOSTS_MAX: usize = 10_000;
/// Maximum number of lines in an answer.
const LINES_MAX: usize = 10_000;
/// Number of evacuations that are shown.
const ACTIONS_SHOWN: usize = 100;

/// Which part of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    /// Lines after this number.
    #[serde(default)]
    after: i64,
    /// At most this many.
    #[serde(default = "thousand")]
    limit: usize,
}

/// Which hosts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Which {
    /// Only those with this health.
    health: Option<Health>,
    /// Only those whose name has this text in it.
    #[serde(default)]
    name: String,
    /// At most this many.
    #[serde(default = "thousand")]
    limit: usize,
}

fn thousand() -> usize {
    1000
}

fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Problem> {
    match query {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(Problem::new(StatusCode::BAD_REQUEST, rejection.body_text())),
    }
}

fn failed(error: &StoreError) -> Problem {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}

fn of_host(name: &str, host: &Host) -> Value {
    let mut value = serde_json::to_value(host).expect("a host is JSON");
    value["host"] = name.into();
    value
}

pub(super) async fn hosts(
    State(shared): State<Arc<Shared>>,
    which: Result<Query<Which>, QueryRejection>,
) -> Result<Response, Problem> {
    let which = query(which)?;
    let answer = shared.engine.query(move |machine, _| {
        let all = machine.hosts();
        let is_meant = |(name, host): &(&String, &Host)| {
            which.health.is_none_or(|health| host.health == health) && name.contains(&which.name)
        };
        let mut found: Vec<_> = all.iter().filter(is_meant).collect();
        let thousandths = |host: &Host| host.risk.map_or(0, |r| (1e6 * r.risk_10min) as u64);
        // The worst first, then by name.
        found.sort_by_key(|(name, host)| (Reverse((host.health, thousandths(host))), *name));
        let count = found.len();
        let shown = found.into_iter().take(which.limit.min(HOSTS_MAX));
        json!({
            "time": machine.at(),
            "tracked": all.iter().len(),
            "found": count,
            "hosts": shown.map(|(name, host)| of_host(name, host)).collect::<Vec<_>>(),
        })
    });
    Ok(json(&answer.await?))
}

pub(super) async fn host(
    State(shared): State<Arc<Shared>>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let wanted = name.clone();
    let answer = shared.engine.query(move |machine, _| {
        let host = machine.hosts().get(&wanted);
        host.map(|host| of_host(&wanted, host))
    });
    match answer.await? {
        Some(host) => Ok(json(&host)),
        None => Err(Problem::new(
            StatusCode::NOT_FOUND,
            format!(
                "no event has named the host \"{}\"",
                bellwether_core::text::shortened(&name, 128)
            ),
        )),
    }
}

pub(super) async fn suggestions(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let answer = shared.engine.query(|machine, store| {
        let actions = store.actions(false, ACTIONS_SHOWN)?;
        Ok((machine.at(), machine.board().clone(), actions))
    });
    let (time, board, actions) = answer.await?.map_err(|error: StoreError| failed(&error))?;
    let progress = shared.runner.as_ref().map(|runner| runner.progress());
    Ok(json(&json!({
        "time": time,
        "suggestions": board.suggestions.values().collect::<Vec<_>>(),
        "pause": board.pause,
        "brake": board.brake,
        "freezes": board.freezes,
        "evacuations": actions,
        "running": progress.unwrap_or_default(),
    })))
}

pub(super) async fn audit(
    State(shared): State<Arc<Shared>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Problem> {
    let page = query(page)?;
    let rows = shared
        .engine
        .query(move |_, store| store.audit_rows(page.after, page.limit.min(LINES_MAX)));
    let rows = rows.await?.map_err(|error| failed(&error))?;
    Ok(lines(rows.iter().map(|row| row.to_json())))
}

pub(super) async fn journal(
    State(shared): State<Arc<Shared>>,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Response, Problem> {
    let page = query(page)?;
    let rows = shared.engine.query(move |_, store| {
        let mut rows = Vec::new();
        let last = store.entries(page.after, page.limit.min(LINES_MAX), |_, entry| {
            rows.push(entry.to_json());
        })?;
        Ok((rows, last))
    });
    let (rows, last) = rows.await?.map_err(|error: StoreError| failed(&error))?;
    let mut response = lines(rows.into_iter());
    // The number for the next request.
    response.headers_mut().insert("x-last", last.into());
    Ok(response)
}

fn lines(lines: impl Iterator<Item = String>) -> Response {
    let mut body = String::new();
    for line in lines {
        body.push_str(&line);
        body.push('\n');
    }
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
