//! The settings as a table of the book, and what a configuration means in words.

use std::fmt::Write as _;

use bellwether_core::options::Spec;
use bellwether_core::policy::{Mode, PolicyOptions};
use bellwether_core::risk::RiskOptions;

use super::sections::{Executor, Hooks, Ingest, Inventory, Libvirt, Server, Store};
use super::table::Setting;
use super::{Config, SECTIONS};

/// A setting as the documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The section.
    pub section: &'static str,
    /// The name within it.
    pub name: &'static str,
    /// The default, as TOML.
    pub default: String,
    /// What it takes, with the unit.
    pub takes: String,
    /// One line of help.
    pub help: &'static str,
}

/// All settings, in the order in which they are documented.
pub fn rows() -> Vec<Row> {
    let with_unit = |takes: String, unit: &str| match unit {
        "" => takes,
        unit => format!("{takes} ({unit})"),
    };
    let own = |section, settings: &[Setting]| {
        let row = |setting: &Setting| Row {
            section,
            name: setting.name,
            default: setting.default.to_owned(),
            takes: with_unit(setting.takes.to_owned(), setting.unit),
            help: setting.help,
        };
        settings.iter().map(row).collect::<Vec<_>>()
    };
    let of_core = |section, specs: &'static [Spec]| {
        let row = |spec: &'static Spec| Row {
            section,
            name: spec.name,
            default: toml_default(spec.default),
            takes: with_unit(spec.kind.allowed(), spec.unit),
            help: spec.help,
        };
        specs.iter().map(row).collect::<Vec<_>>()
    };
    let of_section = |section| match section {
        "server" => own(section, Server::SETTINGS),
        "ingest" => own(section, Ingest::SETTINGS),
        "store" => own(section, Store::SETTINGS),
        "inventory" => own(section, Inventory::SETTINGS),
        "policy" => of_core(section, PolicyOptions::SPECS),
        "risk" => of_core(section, RiskOptions::SPECS),
        "executor" => own(section, Executor::SETTINGS),
        "hooks" => own(section, Hooks::SETTINGS),
        _ => own(section, Libvirt::SETTINGS),
    };
    SECTIONS.into_iter().flat_map(of_section).collect()
}

/// The default of an option of core as TOML: a number or a flag as it is, anything else in quotes.
fn toml_default(default: &str) -> String {
    match default.parse::<f64>().is_ok() || ["true", "false"].contains(&default) {
        true => default.to_owned(),
        false => format!("\"{default}\""),
    }
}

/// The settings as Markdown, a heading and a table per section.
pub fn markdown() -> String {
    let rows = rows();
    let mut out = String::new();
    for section in SECTIONS {
        let _ = write!(
            out,
            "\n### `[{section}]`\n\n| Setting | Default | Takes | Description |\n| --- | --- | --- | --- |\n"
        );
        for row in rows.iter().filter(|row| row.section == section) {
            let cell = |text: &str| text.replace('|', "\\|");
            let _ = writeln!(
                out,
                "| `{}` | `{}` | {} | {} |",
                row.name,
                cell(&row.default),
                cell(&row.takes),
                cell(row.help)
            );
        }
    }
    out + "\n"
}

/// What a configuration means, one sentence per line.
pub fn explain(config: &Config) -> Vec<String> {
    let server = &config.server;
    let mut lines = Vec::new();
    let scheme = match server.tls_cert {
        Some(_) => "https",
        None => "http",
    };
    lines.push(format!("It listens on {scheme}://{}.", server.listen));
    lines.push(match (&server.token_file, &server.ingest_token_file) {
        (None, _) => {
            "Whoever reaches this address of this machine may post events and operate it.".into()
        }
        (Some(_), None) => "Senders and operators need the token.".into(),
        (Some(_), Some(_)) => "Operators need one token, senders another.".into(),
    });
    lines.push(match &config.store.path {
        Some(path) => format!("It remembers events and decisions in {}.", path.display()),
        None => "It remembers everything in memory only: a restart forgets all of it.".into(),
    });
    lines.push(match (&config.inventory.file, config.inventory.url.as_str()) {
        (Some(file), _) => format!("It reads the hosts and what they share from {}.", file.display()),
        (None, "") => "It knows no inventory: hosts are those that report, and what they share is unknown.".into(),
        (None, url) => format!("It reads the hosts and what they share from {url}."),
    });
    let policy = &config.policy;
    lines.push(match policy.mode {
        Mode::Suggest => {
            "It moves nothing: it suggests which hosts to evacuate (mode \"suggest\").".into()
        }
        Mode::Confirm => {
            "It evacuates a host when an operator approves the suggestion (mode \"confirm\")."
                .into()
        }
        Mode::Auto => "It evacuates hosts by itself, within its limits (mode \"auto\").".into(),
    });
    if policy.mode == Mode::Auto {
        lines.push(format!(
            "Within {} s it evacuates {}.",
            policy.limit_window_sec,
            limits(policy)
        ));
    }
    match config.executor.kind.as_str() {
        "hooks" => lines.push("Programs of the section \"hooks\" move the guests.".into()),
        "libvirt" => lines.push(libvirt(config)),
        _ => {}
    }
    lines
}

fn libvirt(config: &Config) -> String {
    let settings = &config.libvirt;
    let cordon = match (&settings.cordon_folder, config.hooks.cordon.is_empty()) {
        (None, true) => "Nothing keeps new guests away from a host while it is evacuated",
        _ => "A host that is evacuated is cordoned",
    };
    let disks = match settings.shared_paths.as_slice() {
        [] => "only guests with all disks on the network are moved".into(),
        paths => format!(
            "only guests with all disks on the network or in {} are moved",
            paths.join(", ")
        ),
    };
    format!("\"{}\" migrates guests; {disks}. {cordon}.", settings.virsh)
}

fn limits(policy: &PolicyOptions) -> String {
    let mut limits = Vec::new();
    if policy.max_hosts > 0 {
        limits.push(format!("at most {} hosts", policy.max_hosts));
    }
    if policy.max_share > 0.0 {
        limits.push(format!(
            "at most {} % of the hosts",
            100.0 * policy.max_share
        ));
    }
    if policy.max_per_group > 0 {
        limits.push(format!("at most {} hosts of a group", policy.max_per_group));
    }
    limits.join(", ")
}
