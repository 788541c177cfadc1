//! The Fluent Bit plugin in a real Fluent Bit, wherever there is one, and in a host of our own.

pub mod chunk;
pub mod host;
mod real;
mod receiver;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result};

use crate::testbed::plugin::Plugin;

pub use real::{FluentBit, find, find_jemalloc, free_port, get, other_versions, post};
pub use receiver::{Receiver, Request};

/// The filter's file, as hosts look for it.
pub const FILTER: &str = "flb-filter_bellwether.so";

/// The companion input's file, as hosts look for it.
pub const INPUT: &str = "flb-in_bellwether.so";

/// [`install`]s the plugin of this build, which is built once.
fn install_built(folder: &Path) -> Result<()> {
    static BUILT: OnceLock<Result<Plugin, String>> = OnceLock::new();
    let plugin = BUILT
        .get_or_init(|| Plugin::build().map_err(|e| format!("{e:#}")))
        .as_ref()
        .map_err(|e| anyhow::anyhow!("{e}"))?;
    install(plugin, folder)
}

/// Puts the plugin under both its names, and the library that it loads, into `folder`.
///
/// # Errors
/// When a file is missing or cannot be copied.
pub fn install(plugin: &Plugin, folder: &Path) -> Result<()> {
    for (built, installed) in [
        ("libbellwether_fluentbit.so", FILTER),
        ("libbellwether.so", "libbellwether.so.0"),
    ] {
        let from = plugin.folder().join(built);
        fs::copy(&from, folder.join(installed))
            .with_context(|| format!("cannot copy {}", from.display()))?;
    }
    symlink(FILTER, folder.join(INPUT))?;
    Ok(())
}
