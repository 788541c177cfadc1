//! A real test bed without hardware virtualisation: libvirtd and QEMU (TCG) in private namespaces, tiny guests, a real
//! collectd with its virt plugin and the bellwether plugin, and faults by control groups.
//!
//! Several hypervisors may stand beside each other on one machine: each has its own PID, mount and UTS namespaces.
//! Whatever happens to this program, nothing it started stays: a namespace ends when the pipe to its first process is
//! closed, which the kernel does at the latest; see [`interrupt`] for the rest.

pub mod capabilities;
pub mod cgroup;
pub mod collectd;
mod guest;
mod hypervisor;
pub mod interrupt;
pub mod plugin;
pub mod process;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use capabilities::{Tools, capabilities, ensure_packages};
pub use hypervisor::Hypervisor;

use cgroup::Groups;
use interrupt::Cleanup;
use process::Processes;

/// What names a test bed's folder, before the owner's process id.
const FOLDER_PREFIX: &str = "bellwether-testbed-";

/// A folder for one run and processes, which end before it is removed: when the [`Cleanup`] is dropped, or by [`interrupt`].
pub(crate) fn make_workplace() -> Result<(PathBuf, Processes, Cleanup)> {
    let folder = make_folder()?;
    let processes = Processes::default();
    let cleanup = {
        let (folder, processes) = (folder.clone(), processes.clone());
        Cleanup::new(move || {
            processes.end_all();
            let _ = fs::remove_dir_all(&folder);
        })
    };
    Ok((folder, processes, cleanup))
}

/// A folder for one run, of a name that tells its owner; removed by [`interrupt`] with what runs in it.
///
/// Folders of dead owners are removed first.
pub(crate) fn make_folder() -> Result<PathBuf> {
    let parent = std::env::temp_dir();
    for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name
            .strip_prefix(FOLDER_PREFIX)
            .and_then(|rest| rest.split('-').next()?.parse().ok());
        if owner.is_some_and(|pid| !cgroup::is_alive(pid)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    let folder = tempfile::Builder::new()
        .prefix(&format!("{FOLDER_PREFIX}{}-", std::process::id()))
        .rand_bytes(4)
        .tempdir_in(&parent)
        .with_context(|| format!("cannot make a folder in {}", parent.display()))?
        .keep();
    // collectd's exec plugin runs its program as nobody, who must get there.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
    Ok(folder)
}

/// A place for hypervisors. Dropping it ends and removes everything.
#[derive(Debug)]
pub struct TestBed {
    tools: Tools,
    groups: Groups,
    folder: PathBuf,
    processes: Processes,
    _cleanup: Cleanup,
}

impl TestBed {
    /// Makes an empty one.
    ///
    /// # Errors
    /// When control groups or a folder cannot be made.
    pub fn new(tools: Tools) -> Result<Self> {
        cgroup::sweep(&tools.hierarchies);
        let groups = Groups::create(tools.hierarchies.clone())?;
        let processes = Processes::default();
        let folder = make_folder().inspect_err(|_| {
            let _ = groups.remove();
        })?;
        let cleanup = {
            let (groups, folder, processes) = (groups.clone(), folder.clone(), processes.clone());
            Cleanup::new(move || {
                processes.end_all();
                if let Err(error) = groups.remove() {
                    eprintln!("test bed: {error:#}");
                }
                let _ = fs::remove_dir_all(&folder);
            })
        };
        Ok(Self {
            tools,
            groups,
            folder,
            processes,
            _cleanup: cleanup,
        })
    }

    /// Starts a hypervisor with machines `vm1`, `vm2`, ...
    ///
    /// # Errors
    /// When a daemon or a machine does not start; the message carries what it said.
    pub fn start_hypervisor(&self, name: &str, vms: usize) -> Result<Hypervisor> {
        Hypervisor::start(self, name, vms)
    }

    /// Where everything of this run is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// A collectd on its own, fed by us: what remains where a test bed cannot run. Dropping it ends and removes it.
#[derive(Debug)]
pub struct FedCollectd {
    /// The daemon.
    pub collectd: collectd::Collectd,
    _cleanup: Cleanup,
}

impl FedCollectd {
    /// Starts it; needs no root.
    ///
    /// # Errors
    /// When collectd does not start.
    pub fn start(
        installation: &capabilities::CollectdInstallation,
        plugin: &plugin::Plugin,
        host: &str,
        interval_s: f64,
        options: &str,
    ) -> Result<Self> {
        let (folder, processes, cleanup) = make_workplace()?;
        let input = collectd::Input::Fed;
        let setup = collectd::Setup {
            host,
            folder: &folder,
            interval_s,
            input,
            plugin: Some((plugin, options)),
        };
        let collectd = collectd::Collectd::start(installation, &setup, &[], &processes)?;
        Ok(Self {
            collectd,
            _cleanup: cleanup,
        })
    }
}
