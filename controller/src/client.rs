//! The client of a running controller.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

/// Time that a request may take.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Largest answer in bytes.
const ANSWER_MAX: u64 = 256 << 20;

/// An agent for HTTP. `ca` is a file with certificates to trust as PEM, instead of those of the system.
pub(crate) fn agent(timeout: Duration, ca: Option<&Path>) -> Result<Agent, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let roots = match ca {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let pem =
                std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let certificate = Certificate::from_pem(&pem);
            let certificate =
                certificate.map_err(|error| format!("{}: {error}", path.display()))?;
            RootCerts::new_with_certs(&[certificate])
        }
    };
    let tls = TlsConfig::builder()
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(roots)
        .build();
    let config = Agent::config_builder()
        .timeout_global(Some(timeout))
        .http_status_as_error(false)
        .max_redirects(0)
        .tls_config(tls)
        .build();
    Ok(config.into())
}

/// A client.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl Client {
    /// A client of the controller at `url`, with the token in a file, and certificates to trust in another.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn new(
        url: &str,
        token_file: Option<&PathBuf>,
        ca: Option<&PathBuf>,
    ) -> Result<Self, String> {
        let token = match token_file {
            None => None,
            Some(path) => {
                let token = std::fs::read_to_string(path);
                let token = token.map_err(|error| format!("{}: {error}", path.display()))?;
                Some(token.trim().to_owned())
            }
        };
        Ok(Self {
            agent: agent(TIMEOUT, ca.map(PathBuf::as_path))?,
            url: url.trim_end_matches('/').to_owned(),
            token,
        })
    }

    /// The answer to a GET, as text.
    ///
    /// # Errors
    /// Nobody answers, or the answer is an error.
    pub fn get(&self, path: &str) -> Result<String, String> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.answer(request.call())
    }

    /// The answer to a POST, as text.
    ///
    /// # Errors
    /// Nobody answers, or the answer is an error.
    pub fn post(&self, path: &str, media: &str, body: &[u8]) -> Result<String, String> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let mut request = request.header("content-type", media);
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.answer(request.send(body))
    }

    fn answer(
        &self,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<String, String> {
        let mut response = result.map_err(|error| format!("{}: {error}", self.url))?;
        let body = response.body_mut().with_config().limit(ANSWER_MAX);
        let text = body
            .read_to_string()
            .map_err(|error| format!("{}: {error}", self.url))?;
        if response.status().is_success() {
            return Ok(text);
        }
        let error: Option<Value> = serde_json::from_str(&text).ok();
        let error = error.as_ref().and_then(|error| error["error"].as_str());
        Err(format!(
            "{}: {}",
            response.status(),
            error.unwrap_or(text.trim())
        ))
    }
}
