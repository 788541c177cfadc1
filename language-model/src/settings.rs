//! How a client is set, and what can be wrong with that.

use std::path::PathBuf;
use std::time::Duration;

use crate::key::Key;

/// Maximum length of a model's name in bytes.
const MODEL_MAX_BYTES: usize = 256;

/// How a [`Client`](crate::Client) asks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Base URL of the server, with or without `/v1`: `https://`, or `http://` to this machine.
    pub url: String,
    /// Name of the model, as the server knows it.
    pub model: String,
    /// The key, if the server asks for one.
    pub key: Option<Key>,
    /// Send no normal templates of the host as examples. Few-shot, the default, is the better one in the publication.
    pub zero_shot: bool,
    /// File that keeps answers across restarts; without it, they are kept until the client is dropped.
    pub cache: Option<PathBuf>,
    /// Maximum number of answers in the cache.
    pub cache_entries: usize,
    /// Maximum number of templates of one host per day that are sent.
    pub host_templates_per_day: u32,
    /// Maximum number of templates of all hosts per day that are sent.
    pub templates_per_day: u32,
    /// Maximum number of requests per day, those of exams and repetitions included.
    pub requests_per_day: u32,
    /// Maximum time to connect.
    pub connect_timeout: Duration,
    /// Maximum time of one request, from the first byte sent to the last one received.
    pub request_timeout: Duration,
    /// Maximum time of one call of [`Client::ask`](crate::Client::ask), exam, pauses and repetitions included.
    pub total_timeout: Duration,
    /// First pause after a request that failed. It doubles with each further one, up to `pause_max`.
    pub pause: Duration,
    /// Longest pause, also if the server asks for a longer one.
    pub pause_max: Duration,
    /// Decides the order of questions, and which known templates stand between them. The exam is the same for every seed.
    pub seed: u64,
}

impl Settings {
    /// The default settings for this model: no key, few-shot, no cache file, 200 templates per host and 2000 templates and 1000
    /// requests in total per day, 5 s to connect, 60 s for a request, 180 s in total, pauses of 1 s to 10 min, a random seed.
    pub fn new(url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            model: model.into(),
            key: None,
            zero_shot: false,
            cache: None,
            cache_entries: 65_536,
            host_templates_per_day: 200,
            templates_per_day: 2000,
            requests_per_day: 1000,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(180),
            pause: Duration::from_secs(1),
            pause_max: Duration::from_secs(600),
            seed: fastrand::u64(..),
        }
    }

    /// Checks the model's name.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let is_name = (1..=MODEL_MAX_BYTES).contains(&self.model.len())
            && !self.model.chars().any(char::is_control);
        match is_name {
            true => Ok(()),
            false => Err(Error::Model),
        }
    }
}

/// Why there is no client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The URL cannot be used. The URL is not repeated: it may contain a password.
    #[error("language model: the URL {0}")]
    Url(&'static str),
    /// The name of the model cannot be used.
    #[error("language model: a model's name has 1 to 256 bytes and no control characters")]
    Model,
    /// The key cannot be read. The key itself is not repeated.
    #[error("language model: the key cannot be read: {0}")]
    Key(String),
    /// The cache file cannot be used.
    #[error("language model: the cache {0}")]
    Cache(String),
}
