//! The arguments of a command line that name a language model, for all programs that ask one.

use std::path::PathBuf;

use clap::Args;

use crate::client::Client;
use crate::key::Key;
use crate::settings::{Error, Settings};

/// The environment variable that a key is taken from where no file is given.
const KEY_VARIABLE: &str = "BELLWETHER_MODEL_KEY";

/// Which model to ask, and how.
#[derive(Debug, Clone, Args)]
pub struct ModelArguments {
    /// Ask a language model about templates that the lexicon leaves open: base URL of a server that speaks OpenAI's /v1/chat/completions,
    /// https://, or http:// to this machine. Templates of log messages are sent to it
    #[arg(long = "language-model", value_name = "URL", requires = "model")]
    language_model: Option<String>,

    /// Name of the model, as the server knows it
    #[arg(long, value_name = "NAME", requires = "language_model")]
    model: Option<String>,

    /// File with the server's key [default: the environment variable BELLWETHER_MODEL_KEY, if set]
    #[arg(long, value_name = "FILE", requires = "language_model")]
    model_key_file: Option<PathBuf>,

    /// Send no normal templates of the host as examples
    #[arg(long, requires = "language_model")]
    zero_shot: bool,

    /// Keep answers in this file, and ask about no template twice; it can be shared by runs
    #[arg(long, value_name = "FILE", requires = "language_model")]
    model_cache: Option<PathBuf>,
}

impl ModelArguments {
    /// The settings; `None` if no model is to be asked.
    ///
    /// # Errors
    /// The key cannot be read.
    pub fn settings(&self) -> Result<Option<Settings>, Error> {
        let (Some(url), Some(model)) = (&self.language_model, &self.model) else {
            return Ok(None);
        };
        let key = match &self.model_key_file {
            Some(file) => Some(Key::from_file(file)?),
            None => Key::from_environment(KEY_VARIABLE)?,
        };
        Ok(Some(Settings {
            key,
            zero_shot: self.zero_shot,
            cache: self.model_cache.clone(),
            ..Settings::new(url, model)
        }))
    }

    /// The client; `None` if no model is to be asked.
    ///
    /// # Errors
    /// The key cannot be read, or a setting or the cache cannot be used.
    pub fn client(&self) -> Result<Option<Client>, Error> {
        self.settings()?.map(Client::new).transpose()
    }
}
