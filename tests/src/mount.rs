//! Files that are mounted over others for one program alone, as containers have them.

use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// Mounts pairs of files, each over the next, and runs the program behind them in its own place.
const SCRIPT: &str =
    "while [ \"$1\" != -- ]; do mount --bind \"$1\" \"$2\"; shift 2; done; shift; exec \"$@\"";

/// The command that runs `program` with these files mounted, as (from, onto), for it alone.
pub fn command(program: impl AsRef<OsStr>, mounts: &[(PathBuf, PathBuf)]) -> Command {
    if mounts.is_empty() {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-ec", SCRIPT, "sh"]);
    for (from, onto) in mounts {
        command.args([from, onto]);
    }
    command.arg("--").arg(program);
    command
}

/// Finds out whether that is possible here.
///
/// # Errors
/// What refuses it.
pub fn possible() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "")?;
    let output = command("true", &[(file.clone(), file)])
        .stdin(Stdio::null())
        .output()
        .context("unshare cannot be run")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "no bind mounts here: {}",
        said.trim()
    );
    Ok(())
}
