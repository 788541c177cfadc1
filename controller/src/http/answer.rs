//! Answers: JSON, and errors that say what was wrong.

use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use bellwether_core::policy::InputError;
use serde::Serialize;

use crate::engine::EngineError;

/// An answer that is an error: its status, and what was wrong.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    message: String,
    retry: bool,
}

impl Problem {
    pub(super) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            retry: false,
        }
    }
}

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        let status = match &error {
            EngineError::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            EngineError::Store(_) | EngineError::Stopped => StatusCode::SERVICE_UNAVAILABLE,
            EngineError::Refused(InputError::NoSuggestion(_)) => StatusCode::NOT_FOUND,
            EngineError::Refused(InputError::Full { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            EngineError::Refused(InputError::Name { .. }) => StatusCode::UNPROCESSABLE_ENTITY,
            EngineError::Refused(_) => StatusCode::CONFLICT,
        };
        Self {
            retry: matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
            ),
            ..Self::new(status, error.to_string())
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.message });
        let mut response = (self.status, json(&body)).into_response();
        if self.retry {
            let seconds = HeaderValue::from(crate::engine::RETRY_SEC);
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// A body of JSON.
pub(super) fn json(value: &impl Serialize) -> Response {
    let mut text = serde_json::to_string(value).expect("an answer is JSON");
    text.push('\n');
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

pub(super) async fn no_such_path(uri: Uri) -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        format!(
            "there is no \"{}\"; events go to \"/v1/events\"",
            bellwether_core::text::shortened(uri.path(), 128)
        ),
    )
}

pub(super) async fn no_such_method(method: axum::http::Method, uri: Uri) -> Problem {
    let other = match method.as_str() {
        "POST" => "GET",
        _ => "POST",
    };
    let path = bellwether_core::text::shortened(uri.path(), 128);
    let message = format!("\"{path}\" does not take {method}; it takes {other}");
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, message)
}
