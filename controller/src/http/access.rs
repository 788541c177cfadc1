//! Who may do what.
//!
//! With a token, every request needs it. Without one, only a loopback address is listened on, and a browser on this machine must
//! not be made to operate the controller by a page of somebody else: the header `Host` has to be a loopback name, and a request that
//! a page of another origin sends is refused.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use super::Shared;
use super::answer::Problem;
use crate::config::Server;

/// Length of a token in bytes.
const TOKEN_BYTES: std::ops::RangeInclusive<usize> = 16..=4096;

/// Why a token cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AccessError {
    /// The file cannot be read.
    #[error("cannot read the token in {}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// The token is too short, too long, or not printable.
    #[error("the token in {} is not one line of 16 to 4096 printable ASCII characters without blanks", .0.display())]
    Unfit(PathBuf),
}

/// The digest of a token: comparing digests takes a time that says nothing about the token.
type Token = [u8; 32];

/// The tokens.
#[derive(Debug, Clone, Default)]
pub struct Access {
    operators: Option<Token>,
    senders: Option<Token>,
}

impl Access {
    /// The tokens in the files of a configuration.
    ///
    /// # Errors
    /// A file cannot be read, or has no token.
    pub fn read(server: &Server) -> Result<Self, AccessError> {
        let read = |path: &Option<PathBuf>| path.as_deref().map(token).transpose();
        Ok(Self {
            operators: read(&server.token_file)?,
            senders: read(&server.ingest_token_file)?,
        })
    }

    fn check(&self, headers: &HeaderMap, of_senders: bool) -> Result<(), Problem> {
        let Some(operators) = &self.operators else {
            return check_origin(headers);
        };
        let given = headers.get(header::AUTHORIZATION);
        let given = given.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let Some(given) = given else {
            return Err(Problem::new(
                StatusCode::UNAUTHORIZED,
                "the header \"Authorization: Bearer TOKEN\" is missing",
            ));
        };
        let given = digest(given.trim());
        if given == *operators || of_senders && self.senders == Some(given) {
            return Ok(());
        }
        match self.senders == Some(given) {
            true => Err(Problem::new(
                StatusCode::FORBIDDEN,
                "this is the token of senders, which may only post events",
            )),
            false => Err(Problem::new(StatusCode::UNAUTHORIZED, "the token is wrong")),
        }
    }
}

fn digest(token: &str) -> Token {
    Sha256::digest(token.as_bytes()).into()
}

fn token(path: &Path) -> Result<Token, AccessError> {
    let text = std::fs::read_to_string(path).map_err(|error| AccessError::Unreadable {
        path: path.to_owned(),
        error,
    })?;
    let text = text.trim();
    let is_fit = TOKEN_BYTES.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    match is_fit {
        true => Ok(digest(text)),
        false => Err(AccessError::Unfit(path.to_owned())),
    }
}

fn check_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = name.eq_ignore_ascii_case("localhost")
        || name
            .parse()
            .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    if !is_loopback {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "without a token, the header \"Host\" has to be a loopback address or \"localhost\"",
        ));
    }
    match text(header::ORIGIN) {
        Some(origin)
            if origin != format!("http://{host}") && origin != format!("https://{host}") =>
        {
            Err(Problem::new(
                StatusCode::FORBIDDEN,
                "a page of another origin must not send requests here",
            ))
        }
        _ => Ok(()),
    }
}

pub(super) async fn operators(state: State<Arc<Shared>>, request: Request, next: Next) -> Response {
    pass(state, request, next, false).await
}

pub(super) async fn senders(state: State<Arc<Shared>>, request: Request, next: Next) -> Response {
    pass(state, request, next, true).await
}

async fn pass(
    State(shared): State<Arc<Shared>>,
    request: Request,
    next: Next,
    of_senders: bool,
) -> Response {
    match shared.access.check(request.headers(), of_senders) {
        Ok(()) => match tokio::time::timeout(shared.timeout, next.run(request)).await {
            Ok(response) => response,
            Err(_) => Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "the request was not complete within \"request_sec\"",
            )
            .into_response(),
        },
        Err(problem) => {
            shared.counters.denied.fetch_add(1, Relaxed);
            problem.into_response()
        }
    }
}
