//! The plugin under test: built by cargo, and copied to where a collectd loads it from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::process;

/// The built plugin and the library that it loads.
#[derive(Debug, Clone)]
pub struct Plugin {
    folder: PathBuf,
}

/// The folder of cargo's profile that the running program was built into.
fn profile() -> Result<PathBuf> {
    let program = std::env::current_exe().context("this program's path is unknown")?;
    // target/PROFILE/demo, or target/PROFILE/deps/testbed-HASH for a test.
    let folder = program
        .ancestors()
        .skip(1)
        .find(|folder| !folder.ends_with("deps"))
        .context("this program is not in cargo's target folder")?;
    Ok(folder.to_owned())
}

/// What was left out of the build, and why: the plugin for collectd, where there are no headers of collectd.
#[must_use]
pub fn left_out() -> Option<String> {
    let said = fs::read_to_string(profile().ok()?.join("collectd-plugin.skipped")).ok()?;
    Some(said.trim().to_owned())
}

impl Plugin {
    /// Builds both in the profile of the running program, beside it. Quick when they are built already.
    ///
    /// # Errors
    /// When cargo fails; the message carries what it said.
    pub fn build() -> Result<Self> {
        let folder = profile()?;
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(["build", "--quiet", "--locked"]);
        // As the Makefile's targets do, for what they have built is then found built.
        if folder.ends_with("release") {
            command.args(["--release", "-p", "bellwether-ffi"]);
            command.args(["-p", "bellwether-collectd", "-p", "bellwether-cli"]);
            command.args(["-p", "bellwether-fluentbit", "-p", "bellwether-lab"]);
        } else {
            command.arg("--workspace");
        }
        command
            .arg("--manifest-path")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml"));
        command.arg("--target-dir").arg(
            folder
                .parent()
                .context("this program is not in cargo's target folder")?,
        );
        process::run(&mut command).context("cannot build the plugin")?;
        Ok(Self { folder })
    }

    /// Where cargo has put what it built.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies them into a folder of plugins under the names that collectd and the dynamic linker look for.
    ///
    /// # Errors
    /// When a file is missing or cannot be copied.
    pub fn copy_into(&self, plugins: &Path) -> Result<()> {
        for (built, installed) in [
            ("libbellwether_collectd.so", "bellwether.so"),
            ("libbellwether.so", "libbellwether.so.0"),
        ] {
            let from = self.folder.join(built);
            let to = plugins.join(installed);
            fs::copy(&from, &to)
                .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        }
        Ok(())
    }
}
