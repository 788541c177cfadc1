//! Configurations that a real collectd is asked about, without a daemon that stays.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::{installation, loadable, provide};

/// The plugins that a configuration is about, in their order: those that it loads or has a block of.
fn plugins(configuration: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for line in configuration.lines().map(str::trim) {
        let rest = line
            .strip_prefix("LoadPlugin ")
            .or_else(|| line.strip_prefix("<Plugin ")?.strip_suffix('>'));
        if let Some(name) = rest.map(|rest| rest.trim().trim_matches('"'))
            && !names.contains(&name)
        {
            names.push(name);
        }
    }
    names
}

/// Of the plugins that a configuration is about, one whose libraries are not all installed.
///
/// # Errors
/// Where that cannot be found out.
pub fn not_loadable(configuration: &str) -> Result<Option<&str>> {
    for name in plugins(configuration) {
        if name != "bellwether" && !loadable(name)? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// What a plugin of collectd's says of what it does not understand, in lower case. Not all of them fail for it.
const COMPLAINTS: [&str; 6] = [
    "unknown",
    "invalid",
    "unrecognized",
    "is not allowed",
    "isn't loaded",
    "failed to handle",
];

/// Has `collectd -T` start with a configuration, and every plugin loaded that it is about, and read once: whether it
/// understands all of it, and what it says. (`collectd -t`, which is to look at nothing but the configuration, does not even
/// do that in 5.12.)
///
/// # Errors
/// Where it cannot be run.
pub fn check(configuration: &str) -> Result<(bool, String)> {
    let installation = installation()?;
    let folder = tempfile::Builder::new()
        .prefix("bellwether-collectd-check-")
        .tempdir()?;
    let names = plugins(configuration);
    provide(&names, installation, folder.path())?;
    let path = folder.path().display().to_string();
    // Some plugins take an interval to end.
    let mut text = format!(
        "Interval 0.1\nFQDNLookup false\nBaseDir \"{path}\"\nPIDFile \"{path}/pid\"\nPluginDir \"{path}\"\nTypesDB \"{}\"\n",
        installation.types_db.display()
    );
    for name in names {
        if !configuration
            .lines()
            .any(|line| line.trim().strip_prefix("LoadPlugin ") == Some(name))
        {
            text += &format!("LoadPlugin {name}\n");
        }
    }
    let file = folder.path().join("collectd.conf");
    fs::write(&file, text + &configuration.replace("@FOLDER@", &path))?;
    let output = Command::new(&installation.daemon)
        .args(["-T", "-C"])
        .arg(&file)
        // cargo's, which would find a library that no administrator has.
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null())
        .output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let lower = said.to_lowercase();
    let complains = COMPLAINTS.iter().any(|complaint| lower.contains(complaint));
    Ok((output.status.success() && !complains, said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_counts_whether_it_is_loaded_or_has_a_block() {
        let text = "LoadPlugin virt\n<Plugin \"virt\">\n</Plugin>\n<Plugin write_http>\n";
        assert_eq!(plugins(text), ["virt", "write_http"]);
    }
}
