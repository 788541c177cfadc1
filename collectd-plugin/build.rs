//! Compiles the shim against the collectd headers that are installed, and says what to install where there are none.

use std::path::{Path, PathBuf};

/// Where collectd's headers go by default, and under a prefix of their own.
const FOLDERS: &[&str] = &[
    "/usr/include/collectd",
    "/usr/local/include/collectd",
    "/opt/collectd/include/collectd",
];

fn main() {
    println!("cargo:rerun-if-changed=shim/shim.c");
    println!("cargo:rerun-if-changed=shim/shim.h");
    println!("cargo:rerun-if-env-changed=COLLECTD_INCLUDE_DIR");
    // The plugin has a thread: it must stay mapped whatever the daemon does. The core is found beside the plugin.
    println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo:rustc-cdylib-link-arg=-Wl,-rpath,$ORIGIN");

    match folder().and_then(|folder| version(&folder).map(|()| folder)) {
        Ok(folder) => compile(&folder),
        Err(message) => {
            println!("cargo:error={message}");
            std::process::exit(1);
        }
    }
}

/// The folder that holds `core/daemon/plugin.h`.
fn folder() -> Result<PathBuf, String> {
    let named = std::env::var_os("COLLECTD_INCLUDE_DIR").map(PathBuf::from);
    let candidates: Vec<PathBuf> = match &named {
        Some(folder) => vec![folder.clone(), folder.join("collectd")],
        None => FOLDERS.iter().map(PathBuf::from).collect(),
    };
    candidates
        .iter()
        .find(|folder| folder.join("core/daemon/plugin.h").is_file())
        .cloned()
        .ok_or_else(|| match named {
            Some(folder) => format!(
                "COLLECTD_INCLUDE_DIR is {}, but there is no core/daemon/plugin.h in it",
                folder.display()
            ),
            None => format!(
                "the headers of collectd 5 are not installed (looked for core/daemon/plugin.h in {}). On Debian and Ubuntu: \
                 apt-get install collectd-dev. Elsewhere: set COLLECTD_INCLUDE_DIR to the folder \"collectd\" of its headers",
                FOLDERS.join(", ")
            ),
        })
}

/// Refuses a collectd whose write callback is another one.
fn version(folder: &Path) -> Result<(), String> {
    let config = folder.join("core/config.h");
    println!("cargo:rerun-if-changed={}", config.display());
    let text = std::fs::read_to_string(&config)
        .map_err(|error| format!("cannot read {}: {error}", config.display()))?;
    let version = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("#define PACKAGE_VERSION"))
        .map(|rest| rest.trim().trim_matches('"').to_owned())
        .ok_or_else(|| format!("{} does not define PACKAGE_VERSION", config.display()))?;
    if version.starts_with("5.") {
        Ok(())
    } else {
        Err(format!(
            "the installed headers are of collectd {version} ({}); bellwether works with collectd 5 (tested: 5.12): \
             collectd 6 hands its write plugins another kind of data. Set COLLECTD_INCLUDE_DIR to the headers of a collectd 5",
            folder.display()
        ))
    }
}

fn compile(folder: &Path) {
    let mut build = cc::Build::new();
    build
        .file("shim/shim.c")
        .define("HAVE_CONFIG_H", None)
        .include("shim")
        .include(folder.join("core"))
        .include(folder.join("core/daemon"))
        .include(folder)
        // The installed headers name each other as "collectd/core/daemon/…".
        .flag_if_supported("-Wno-unused-parameter");
    if let Some(parent) = folder.parent() {
        build.include(parent);
    }
    build.compile("bellwether_collectd_shim");
}
