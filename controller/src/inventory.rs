//! The hosts of the cluster with their labels, from a file or over HTTP, read again and again.
//!
//! ```toml
//! [hosts.kvm1]
//! rack = "r1"
//! switch = "s1"
//! ```
//!
//! or as JSON `{"hosts": {"kvm1": {"rack": "r1"}}}`. An inventory that cannot be read leaves the one before in force.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use bellwether_core::policy::{NAME_MAX_BYTES, What};
use serde::Deserialize;

use crate::config;
use crate::engine::{Engine, EngineError};
use crate::log;

/// Largest inventory in bytes.
const BYTES_MAX: u64 = 256 << 20;
/// Time that a request for it may take.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The labels of each host.
pub type Hosts = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    hosts: Hosts,
}

/// Why an inventory cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the inventory: {0}")]
pub struct NoInventory(String);

/// The inventory in a text, TOML or JSON, of at most `max` hosts.
///
/// # Errors
/// It is neither, has other keys, too many hosts, or a name that is empty or too long.
pub fn parse(text: &str, max: usize) -> Result<Hosts, NoInventory> {
    let document: Result<Document, String> = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(text).map_err(|error| error.to_string()),
        false => toml::from_str(text).map_err(|error| error.to_string()),
    };
    let hosts = document.map_err(NoInventory)?.hosts;
    if hosts.len() > max {
        return Err(NoInventory(format!(
            "it has {} hosts; \"max_hosts\" is {max}",
            hosts.len()
        )));
    }
    let names = hosts.iter().flat_map(|(host, labels)| {
        let labels = labels.iter().flat_map(|(name, value)| [name, value]);
        std::iter::once(host).chain(labels)
    });
    for name in names {
        if !(1..=NAME_MAX_BYTES).contains(&name.len()) {
            return Err(NoInventory(format!(
                "a name has {} bytes; it takes 1 to {NAME_MAX_BYTES}",
                name.len()
            )));
        }
    }
    Ok(hosts)
}

/// Reads the inventory of a configuration; `None` if it has none.
///
/// # Errors
/// It cannot be read, or not be used.
pub fn read(settings: &config::Inventory) -> Result<Option<Hosts>, NoInventory> {
    let text = match (&settings.file, settings.url.as_str()) {
        (Some(file), _) => from_file(file)?,
        (None, "") => return Ok(None),
        (None, url) => from_url(url)?,
    };
    parse(&text, settings.max_hosts).map(Some)
}

fn from_file(path: &Path) -> Result<String, NoInventory> {
    let failed = |error: std::io::Error| NoInventory(format!("{}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(BYTES_MAX)
        .read_to_string(&mut text)
        .map_err(failed)?;
    Ok(text)
}

fn from_url(url: &str) -> Result<String, NoInventory> {
    let agent = crate::client::agent(TIMEOUT, None).map_err(NoInventory)?;
    let failed = |error: ureq::Error| NoInventory(format!("{url}: {error}"));
    let mut response = agent.get(url).call().map_err(failed)?;
    if !response.status().is_success() {
        return Err(NoInventory(format!("{url}: {}", response.status())));
    }
    let body = response.body_mut().with_config().limit(BYTES_MAX);
    body.read_to_string().map_err(failed)
}

/// Reads the inventory again and again, and gives the engine each that differs from the one before.
pub async fn follow(settings: config::Inventory, engine: Engine) {
    let mut before = None;
    let mut complaint = None;
    loop {
        let again = settings.clone();
        let read = tokio::task::spawn_blocking(move || read(&again)).await;
        match read {
            Ok(Ok(None)) => return,
            Ok(Ok(Some(hosts))) if before.as_ref() != Some(&hosts) => {
                log::info(&format!("the inventory has {} hosts", hosts.len()));
                let what = What::Topology {
                    hosts: hosts.clone(),
                };
                complaint = None;
                match engine.order(what).await {
                    Ok(_) => before = Some(hosts),
                    Err(EngineError::Stopped) => return,
                    Err(error) => log::error(&error.to_string()),
                }
            }
            Ok(Ok(Some(_))) => complaint = None,
            Ok(Err(error)) => {
                // Once for the same reason.
                if complaint.as_ref() != Some(&error) {
                    log::error(&format!("{error}; the one before stays in force"));
                    complaint = Some(error);
                }
            }
            Err(error) => log::error(&format!("the inventory was not read: {error}")),
        }
        tokio::time::sleep(Duration::from_secs_f64(settings.reload_sec)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toml_and_json_give_the_same_hosts() {
        let toml = "[hosts.kvm1]\nrack = \"r1\"\n[hosts.kvm2]\n";
        let json = r#"{"hosts": {"kvm1": {"rack": "r1"}, "kvm2": {}}}"#;
        let hosts = parse(toml, 10).unwrap();
        assert_eq!(hosts, parse(json, 10).unwrap());
        assert_eq!(hosts["kvm1"]["rack"], "r1");
    }

    #[test]
    fn an_inventory_that_is_too_large_or_has_other_keys_is_refused() {
        let error = parse("[hosts.a]\n[hosts.b]\n", 1).unwrap_err().to_string();
        assert!(error.contains("\"max_hosts\" is 1"), "{error}");
        assert!(
            parse("[host.a]\n", 10)
                .unwrap_err()
                .to_string()
                .contains("host")
        );
        assert!(parse("{\"hosts\": [1]}", 10).is_err());
        assert!(parse("[hosts.a]\nrack = \"\"\n", 10).is_err());
    }
}
