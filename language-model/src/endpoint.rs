//! One request over HTTP: bounded in time and bytes, to the configured server only.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ureq::http::{HeaderMap, HeaderValue, Uri};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

use crate::backoff::retry_after;
use crate::key::Key;
use crate::reply::Fault;
use crate::settings::{Error, Settings};

/// Maximum length of a response's body in bytes. Sixteen answers have about one thousand.
const BODY_MAX_BYTES: u64 = 1 << 20;
/// Maximum length of a response's header in bytes.
const HEADER_MAX_BYTES: usize = 64 << 10;

/// A server for chat completions.
pub(crate) struct Endpoint {
    agent: Agent,
    url: String,
    authorization: Option<HeaderValue>,
}

/// Why there is no response.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failure {
    pub fault: Fault,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
    /// The server complains about the requested form of the reply.
    pub is_about_form: bool,
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self {
            fault,
            retry_after: None,
            is_about_form: false,
        }
    }
}

impl Endpoint {
    /// # Errors
    /// The URL cannot be used.
    pub fn new(settings: &Settings) -> Result<Self, Error> {
        let (url, is_local) = completions_url(&settings.url)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = TlsConfig::builder()
            // Those of the system, which has the site's own authority.
            .root_certs(RootCerts::PlatformVerifier)
            .unversioned_rustls_crypto_provider(provider)
            .build();
        let mut config = Agent::config_builder()
            .tls_config(tls)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_response_header_size(HEADER_MAX_BYTES)
            // A request every few minutes would find its idle connection closed.
            .max_idle_connections(0)
            .user_agent(concat!("bellwether/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(settings.connect_timeout));
        if is_local {
            // Whatever proxy the environment names.
            config = config.proxy(None);
        }
        Ok(Self {
            agent: config.build().new_agent(),
            url,
            authorization: settings.key.as_ref().and_then(authorization),
        })
    }

    /// Sends `request` and returns the body of the response. `now` is for dates that a server gives without its own.
    ///
    /// # Errors
    /// Anything but a complete JSON response with status 200 within `timeout`.
    pub fn post(
        &self,
        request: &str,
        timeout: Duration,
        now: Timestamp,
    ) -> Result<Vec<u8>, Failure> {
        let mut post = self
            .agent
            .post(&self.url)
            .config()
            .timeout_global(Some(timeout))
            .build()
            .header("Content-Type", "application/json")
            .header("Accept", "application/json");
        if let Some(authorization) = &self.authorization {
            post = post.header("Authorization", authorization.clone());
        }
        let mut response = post.send(request).map_err(|error| fault(&error))?;
        let status = response.status().as_u16();
        if status == 200 {
            if !is_json(response.headers()) {
                return Err(Fault::ContentType.into());
            }
            return read(response.body_mut()).map_err(Failure::from);
        }
        if response.status().is_redirection() {
            return Err(Fault::Redirect.into());
        }
        let header = |name| response.headers().get(name)?.to_str().ok();
        let retry_after =
            header("retry-after").and_then(|value| retry_after(value, header("date"), now));
        let is_about_form = matches!(status, 400 | 422 | 501) && {
            let body = read(response.body_mut()).unwrap_or_default();
            let body = String::from_utf8_lossy(&body);
            ["response_format", "json_schema"]
                .iter()
                .any(|name| body.contains(name))
        };
        Err(Failure {
            fault: Fault::Status(status),
            retry_after,
            is_about_form,
        })
    }
}

/// The header with a key, marked as a secret for whoever logs headers.
fn authorization(key: &Key) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(&key.bearer()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind = headers
        .get("content-type")
        .and_then(|kind| kind.to_str().ok());
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default();
    kind.trim().eq_ignore_ascii_case("application/json")
}

fn read(body: &mut Body) -> Result<Vec<u8>, Fault> {
    let body = body.with_config().limit(BODY_MAX_BYTES).read_to_vec();
    body.map_err(|error| fault(&error))
}

/// What an error of the connection is; none of its text is used.
fn fault(error: &ureq::Error) -> Fault {
    let is_tls = |error: &io::Error| {
        error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>())
    };
    match error {
        ureq::Error::Timeout(_) => Fault::Timeout,
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => Fault::Connect,
        ureq::Error::BodyExceedsLimit(_) => Fault::TooLong,
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) => Fault::Tls,
        ureq::Error::Io(error) if is_tls(error) => Fault::Tls,
        ureq::Error::Io(error) => match error.kind() {
            io::ErrorKind::TimedOut => Fault::Timeout,
            io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable => Fault::Connect,
            _ => Fault::Connection,
        },
        _ => Fault::Connection,
    }
}

/// The URL of chat completions below a base URL, and whether it is this machine's.
///
/// # Errors
/// What is wrong with it, without the URL itself.
fn completions_url(base: &str) -> Result<(String, bool), Error> {
    let uri: Uri = base
        .parse()
        .map_err(|_| Error::Url("is none; it takes one such as https://host/v1"))?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        return Err(Error::Url(
            "contains a user or a password; give the key in a file or the environment",
        ));
    }
    if uri.query().is_some() || base.contains('#') {
        return Err(Error::Url(
            "has a query or a fragment; it takes one such as https://host/v1",
        ));
    }
    let host = uri.host().unwrap_or_default();
    let is_local = matches!(host, "localhost" | "[::1]")
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_local => {}
        Some("http") => {
            return Err(Error::Url(
                "would send the log and the key unencrypted; it takes https://, or http:// to 127.0.0.1, [::1] or localhost",
            ));
        }
        _ => return Err(Error::Url("takes https://, or http:// to this machine")),
    }
    let base = base.trim_end_matches('/');
    let base = base.strip_suffix("/chat/completions").unwrap_or(base);
    let base = base.strip_suffix("/v1").unwrap_or(base);
    Ok((format!("{base}/v1/chat/completions"), is_local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_taken_with_and_without_its_version() {
        for base in [
            "https://h:8443/api",
            "https://h:8443/api/",
            "https://h:8443/api/v1",
            "https://h:8443/api/v1/chat/completions",
        ] {
            let expected = "https://h:8443/api/v1/chat/completions".to_owned();
            assert_eq!(completions_url(base), Ok((expected, false)));
        }
        for local in [
            "http://127.0.0.1:80",
            "http://localhost",
            "http://[::1]:8080/v1",
        ] {
            assert!(completions_url(local).unwrap().1, "{local}");
        }
    }

    #[test]
    fn a_url_that_would_leak_is_refused_and_not_repeated() {
        for (url, says) in [
            ("http://10.0.0.5:8000", "unencrypted"),
            ("http://localhost.example.org", "unencrypted"),
            ("https://user:secret@h/v1", "password"),
            ("https://h/v1?key=secret", "query"),
            ("https://h/v1#secret", "query"),
            ("ftp://h/secret", "takes https://"),
            ("secret", "takes https://"),
            ("", "such as https://"),
        ] {
            let error = completions_url(url).unwrap_err().to_string();
            assert!(error.contains(says), "{url}: {error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
