//! The settings that the meaning of a journal depends on, kept with the state: after they are changed, the old state is first
//! completed with the old ones.

use std::fmt::Write as _;

use bellwether_core::policy::PolicyOptions;
use bellwether_core::risk::RiskOptions;

use crate::config::Config;

/// Those settings as TOML.
pub(super) fn text(config: &Config) -> String {
    let ingest = &config.ingest;
    let mut out = format!(
        "[ingest]\nreorder_sec = {:?}\nreorder_length = {}\nremember = {}\ntick_sec = {:?}\n[inventory]\nmax_hosts = {}\n",
        ingest.reorder_sec,
        ingest.reorder_length,
        ingest.remember,
        ingest.tick_sec,
        config.inventory.max_hosts
    );
    // Writing to a text cannot fail.
    out += "[policy]\n";
    for spec in PolicyOptions::SPECS {
        let value = toml::Value::String(config.policy.get(spec.name).unwrap_or_default());
        let _ = writeln!(out, "{} = {value}", spec.name);
    }
    out += "[risk]\n";
    for spec in RiskOptions::SPECS {
        let value = toml::Value::String(config.risk.get(spec.name).unwrap_or_default());
        let _ = writeln!(out, "{} = {value}", spec.name);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_settings_are_the_same_after_they_were_kept() {
        let mut config = Config::default();
        config.policy.set("max_hosts", "3").unwrap();
        config
            .policy
            .set("log_families", "hardware,storage")
            .unwrap();
        config.ingest.reorder_sec = 1.0;
        let kept = Config::parse_unchecked(&text(&config)).unwrap();
        assert_eq!(kept, config);
    }
}
