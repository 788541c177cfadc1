//! The configuration: one TOML file. Every setting has a default, so an empty file and a missing one are valid.

mod document;
mod error;
mod libvirt;
mod sections;
mod table;

use std::path::Path;

use bellwether_core::options::{OptionError, Options, nearest};
use bellwether_core::policy::{Mode, PolicyOptions, TargetRule};
use bellwether_core::risk::RiskOptions;
use toml::{Table, Value};

pub use document::{Row, explain, markdown, rows};
pub use error::ConfigError;
pub use libvirt::{Connections, host_name};
pub use sections::{Executor, Hooks, Ingest, Inventory, Libvirt, Server, Store};
pub use table::Setting;

/// Maximum size of the file in bytes.
pub const FILE_MAX_BYTES: u64 = 1 << 20;

/// The names of the sections.
pub const SECTIONS: [&str; 9] = [
    "server",
    "ingest",
    "store",
    "inventory",
    "policy",
    "risk",
    "executor",
    "hooks",
    "libvirt",
];

/// The whole configuration.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    /// Where the controller listens.
    pub server: Server,
    /// How events are taken in.
    pub ingest: Ingest,
    /// What is remembered.
    pub store: Store,
    /// The hosts of the cluster.
    pub inventory: Inventory,
    /// When guests are moved.
    pub policy: PolicyOptions,
    /// How evidence becomes a probability.
    pub risk: RiskOptions,
    /// How guests are moved.
    pub executor: Executor,
    /// Programs that move them.
    pub hooks: Hooks,
    /// Live migration by `virsh`.
    pub libvirt: Libvirt,
}

impl Config {
    /// The configuration in the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, is larger than [`FILE_MAX_BYTES`], or is not valid.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let path = path.to_owned();
        let unreadable = |error| ConfigError::Unreadable {
            path: path.clone(),
            error,
        };
        let bytes = std::fs::metadata(&path).map_err(unreadable)?.len();
        if bytes > FILE_MAX_BYTES {
            return Err(ConfigError::Large { path, bytes });
        }
        Self::parse(&std::fs::read_to_string(&path).map_err(unreadable)?)
    }

    /// The configuration in a text.
    ///
    /// # Errors
    /// It is not TOML, an unknown section or setting, a value that is not allowed, or settings that contradict each other.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config = Self::parse_unchecked(text)?;
        config.validate()?;
        Ok(config)
    }

    /// The same without the check of what no setting can check alone.
    pub(crate) fn parse_unchecked(text: &str) -> Result<Self, ConfigError> {
        let table: Table = text.parse().map_err(ConfigError::Syntax)?;
        let mut config = Self::default();
        for (section, value) in &table {
            let Value::Table(settings) = value else {
                return Err(unknown_section(section));
            };
            // An empty one has no setting that would be refused.
            if !SECTIONS.contains(&section.as_str()) {
                return Err(unknown_section(section));
            }
            for (name, value) in settings {
                config.set(section, name, value)?;
            }
        }
        Ok(config)
    }

    fn set(&mut self, section: &str, name: &str, value: &Value) -> Result<(), ConfigError> {
        let set = match section {
            "server" => self.server.set(name, value),
            "ingest" => self.ingest.set(name, value),
            "store" => self.store.set(name, value),
            "inventory" => self.inventory.set(name, value),
            "executor" => self.executor.set(name, value),
            "hooks" => self.hooks.set(name, value),
            "libvirt" => self.libvirt.set(name, value),
            "policy" => return set_option(&mut self.policy, section, name, value),
            "risk" => return set_option(&mut self.risk, section, name, value),
            other => return Err(unknown_section(other)),
        };
        match set {
            Ok(true) => Ok(()),
            Ok(false) => Err(unknown_setting(section, name)),
            Err(takes) => Err(ConfigError::Value {
                section: section.to_owned(),
                name: name.to_owned(),
                value: value.to_string(),
                takes,
            }),
        }
    }

    fn validate(&self) -> Result<(), ConfigError> {
        let conflict = |section: &'static str, message: &str| {
            Err(ConfigError::Conflict {
                section,
                message: message.to_owned(),
            })
        };
        of_options("policy", self.policy.validate())?;
        of_options("risk", self.risk.validate())?;
        let server = &self.server;
        if server.tls_cert.is_some() != server.tls_key.is_some() {
            return conflict("server", "\"tls_cert\" and \"tls_key\" need each other");
        }
        if !server.listen.ip().is_loopback() {
            if server.token_file.is_none() {
                return conflict(
                    "server",
                    "\"listen\" is not a loopback address, which needs \"token_file\"",
                );
            }
            if server.tls_cert.is_none() {
                return conflict(
                    "server",
                    "\"listen\" is not a loopback address, which needs \"tls_cert\" and \"tls_key\"",
                );
            }
        }
        if server.ingest_token_file.is_some() && server.token_file.is_none() {
            return conflict(
                "server",
                "\"ingest_token_file\" needs \"token_file\": senders must not be able to do more than post",
            );
        }
        if self.inventory.file.is_some() && !self.inventory.url.is_empty() {
            return conflict("inventory", "\"file\" and \"url\" exclude each other");
        }
        match self.executor.kind.as_str() {
            "none" if self.policy.mode != Mode::Suggest => conflict(
                "policy",
                "\"mode\" evacuates hosts, which needs \"kind\" in the section \"executor\"; \"suggest\" does without",
            ),
            "none" => Ok(()),
            "hooks" if self.hooks.evacuate.is_empty() => conflict(
                "executor",
                "\"kind\" is \"hooks\", which needs \"evacuate\" in the section \"hooks\"",
            ),
            "hooks" => Ok(()),
            "libvirt" if self.policy.targets == TargetRule::Platform => conflict(
                "executor",
                "\"kind\" is \"libvirt\", which chooses no targets by itself; set \"targets\" in the section \"policy\" to \"green\"",
            ),
            "libvirt" => match self.libvirt.check() {
                Ok(()) => Ok(()),
                Err(message) => conflict("libvirt", &message),
            },
            other => {
                let near = nearest(other, ["none", "hooks", "libvirt"]);
                let near = near.map(|near| format!(" (did you mean \"{near}\"?)"));
                let message = format!(
                    "\"kind\" is \"{other}\"{}; it takes \"none\", \"hooks\" or \"libvirt\"",
                    near.unwrap_or_default()
                );
                conflict("executor", &message)
            }
        }
    }
}

/// Sets an option of core, which takes texts.
fn set_option(
    options: &mut impl Options,
    section: &str,
    name: &str,
    value: &Value,
) -> Result<(), ConfigError> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(_) | Value::Float(_) | Value::Boolean(_) => Some(value.to_string()),
        _ => None,
    };
    let text = match value {
        Value::Array(values) => {
            let words: Option<Vec<_>> = values.iter().map(text).collect();
            words.map(|words| words.join(","))
        }
        other => text(other),
    };
    let Some(text) = text else {
        return Err(ConfigError::Value {
            section: section.to_owned(),
            name: name.to_owned(),
            value: value.to_string(),
            takes: "a text, a number, a flag or a list of texts",
        });
    };
    of_options(section, options.set(name, &text))
}

fn of_options(section: &str, result: Result<(), OptionError>) -> Result<(), ConfigError> {
    result.map_err(|error| ConfigError::Option(section.to_owned(), error))
}

fn unknown_section(name: &str) -> ConfigError {
    let takes = SECTIONS.join(", ");
    ConfigError::Unknown {
        what: "section",
        name: name.to_owned(),
        nearest: nearest(name, SECTIONS).map(str::to_owned),
        takes,
    }
}

fn unknown_setting(section: &str, name: &str) -> ConfigError {
    let rows = rows();
    let of_section = rows.iter().filter(|row| row.section == section);
    let names: Vec<&str> = of_section.map(|row| row.name).collect();
    ConfigError::Unknown {
        what: "setting",
        name: format!("{section}.{name}"),
        nearest: nearest(name, names.iter().copied()).map(str::to_owned),
        takes: names.join(", "),
    }
}

#[cfg(test)]
mod tests;
