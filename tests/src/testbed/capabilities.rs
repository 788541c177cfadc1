//! What this machine has and lets us do: the programs, root, namespaces and control groups that a test bed needs.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::cgroup::{Groups, Hierarchies};
use super::process;

/// Where `tests/setup.sh` unpacks QEMU when it cannot be installed beside other packages.
const QEMU_ASIDE: &str = "/usr/local/lib/bellwether/qemu/usr/bin/qemu-system-x86_64";

/// Folders beside those in PATH: daemons are often not in an ordinary user's.
const DAEMON_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// An installed collectd.
#[derive(Debug, Clone)]
pub struct CollectdInstallation {
    /// The daemon.
    pub daemon: PathBuf,
    /// Folder of its plugins.
    pub plugins: PathBuf,
    /// Its table of types.
    pub types_db: PathBuf,
}

impl CollectdInstallation {
    /// Finds the daemon and what belongs to it. There is none for a plugin that was left out of the build, either.
    ///
    /// # Errors
    /// One sentence that says what is missing.
    pub fn find() -> Result<Self> {
        let existing = |candidates: &[&str]| {
            candidates
                .iter()
                .map(PathBuf::from)
                .find(|path| path.exists())
        };
        if let Some(skipped) = super::plugin::left_out() {
            bail!("left out of the build: {skipped}");
        }
        Ok(Self {
            daemon: program("collectd").context("collectd is not installed")?,
            plugins: existing(&[
                "/usr/lib/collectd",
                "/usr/lib64/collectd",
                "/usr/local/lib/collectd",
            ])
            .context("collectd's folder of plugins was not found")?,
            types_db: existing(&[
                "/usr/share/collectd/types.db",
                "/usr/local/share/collectd/types.db",
            ])
            .context("collectd's types.db was not found")?,
        })
    }

    /// What the daemon says of its version, such as `5.12.0`.
    #[must_use]
    pub fn version(&self) -> String {
        // It exits with an error after telling, as its help does.
        let told = Command::new(&self.daemon)
            .arg("-h")
            .stdin(Stdio::null())
            .output();
        let told = told
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        let version = told
            .lines()
            .find_map(|line| line.strip_prefix("collectd ")?.split([',', ' ']).next());
        version.unwrap_or("(unknown version)").to_owned()
    }
}

/// All that a test bed needs, found.
#[derive(Debug, Clone)]
pub struct Tools {
    /// collectd with its `virt` plugin.
    pub collectd: CollectdInstallation,
    /// QEMU.
    pub emulator: PathBuf,
    /// Where control groups are made.
    pub hierarchies: Hierarchies,
}

/// Finds out whether a test bed of real virtual machines can run here.
///
/// # Errors
/// One sentence that says exactly what is missing or refused.
pub fn capabilities() -> Result<Tools> {
    ensure!(is_root(), "not root: namespaces and control groups need it");
    for name in ["libvirtd", "virtlogd", "virsh", "unshare", "nsenter"] {
        ensure!(program(name).is_some(), "{name} is not installed");
    }
    let collectd = CollectdInstallation::find()?;
    ensure!(
        collectd.plugins.join("virt.so").exists(),
        "collectd is installed without its virt plugin"
    );
    let emulator = program("qemu-system-x86_64")
        .or_else(|| Some(PathBuf::from(QEMU_ASIDE)).filter(|path| path.exists()))
        .context("qemu-system-x86_64 is not installed")?;
    process::run(
        process::shell_in_namespaces()
            .arg("-c")
            .arg("hostname bellwether-trial && mount -t tmpfs tmpfs /run"),
    )
    .context("private PID, mount and UTS namespaces are refused here")?;
    let hierarchies = Hierarchies::find()?;
    let groups = Groups::create(hierarchies.clone())?;
    let trial = groups
        .add_hypervisor("trial")
        .and_then(|()| groups.limit_machines("trial", Some(50)));
    groups.remove()?;
    trial?;
    Ok(Tools {
        collectd,
        emulator,
        hierarchies,
    })
}

/// Installs the packages that a test bed needs and that are missing (`tests/setup.sh`), telling what it does on standard
/// error.
///
/// # Errors
/// When something could not be installed; what exactly was written to standard error.
pub fn ensure_packages() -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("setup.sh");
    let status = Command::new("sh")
        .arg(&script)
        .args(["build", "testbed"])
        .stdin(Stdio::null())
        .status()
        .with_context(|| format!("cannot run {}", script.display()))?;
    if !status.success() {
        bail!("some packages are missing and could not be installed (see above)");
    }
    Ok(())
}

/// Whether we may do everything.
#[must_use]
pub fn is_root() -> bool {
    process::run(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0")
}

/// A program in PATH or in a daemon's usual folder.
#[must_use]
pub fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(DAEMON_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_path_and_nothing_else_is() {
        assert!(program("sh").is_some_and(|path| path.is_absolute()));
        assert!(program("a-program-that-nobody-has").is_none());
    }
}
