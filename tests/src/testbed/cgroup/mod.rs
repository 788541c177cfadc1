//! Control groups: the weight that keeps the machine's other load from drowning the guests, and the CPU quotas that are
//! the faults.
//!
//! libvirt puts a machine of partition `/a/b` under `a.partition/b.partition`, so the groups made here are
//!
//! ```text
//! bellwether-PID-N.partition      weight high; PID is the process that owns the test bed, N counts its test beds
//!   hv1.partition                 the virtual machines of hypervisor hv1: a host fault is a quota here
//!     qemu-1-vm1.libvirt-qemu     made by libvirt: a single machine's fault is a quota here
//!   hv1-daemons                   libvirtd, virtlogd and collectd of hv1
//! ```

mod hierarchy;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

pub use hierarchy::{Hierarchies, Version};

/// What names a test bed's top group, before and after the owner's process id.
const PREFIX: &str = "bellwether-";
const SUFFIX: &str = ".partition";

/// The period over which a quota is counted, µs.
const PERIOD_US: u32 = 100_000;

/// Removes the groups of test beds whose owner is dead: what a killed run could not clean up. A group that still
/// holds a process stays: the kernel refuses to remove it.
pub fn sweep(hierarchies: &Hierarchies) {
    for root in &hierarchies.roots {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            if owner(&entry.file_name().to_string_lossy()).is_some_and(|pid| !is_alive(pid)) {
                let _ = remove_tree(&entry.path());
            }
        }
    }
}

/// Process id in the name of a test bed's top group.
fn owner(name: &str) -> Option<u32> {
    let (pid, number) = name
        .strip_prefix(PREFIX)?
        .strip_suffix(SUFFIX)?
        .split_once('-')?;
    number.parse::<u32>().ok()?;
    pid.parse().ok()
}

/// Whether a process of that id exists.
#[must_use]
pub fn is_alive(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The control groups of one test bed. Not removed on drop: call [`Groups::remove`] after its processes have ended.
#[derive(Debug, Clone)]
pub struct Groups {
    hierarchies: Hierarchies,
    top: String,
}

impl Groups {
    /// Makes a top group of this process, with the highest weight that there is.
    ///
    /// # Errors
    /// One sentence, where control groups cannot be made or set.
    pub fn create(hierarchies: Hierarchies) -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let groups = Self {
            hierarchies,
            top: format!("{PREFIX}{}-{number}{SUFFIX}", std::process::id()),
        };
        groups.make("").inspect_err(|_| {
            let _ = groups.remove();
        })?;
        Ok(groups)
    }

    /// Makes the groups of one hypervisor: its machines' and its daemons'.
    ///
    /// # Errors
    /// As [`Groups::create`].
    pub fn add_hypervisor(&self, name: &str) -> Result<()> {
        self.make(&machines(name))?;
        if self.hierarchies.version == Version::V2 {
            pass_on_cpu(&self.machines_path(name))?;
        }
        self.make(&daemons(name))
    }

    fn make(&self, group: &str) -> Result<()> {
        for root in &self.hierarchies.roots {
            let path = root.join(&self.top).join(group);
            if self.hierarchies.version == Version::V2 {
                pass_on_cpu(path.parent().unwrap_or(root))?;
            }
            match fs::create_dir(&path) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(e).with_context(|| {
                        format!("cannot make the control group {}", path.display())
                    });
                }
                _ => {}
            }
        }
        let path = self.hierarchies.roots[0].join(&self.top).join(group);
        match self.hierarchies.version {
            Version::V1 => write(&path.join("cpu.shares"), "262144"),
            Version::V2 => write(&path.join("cpu.weight"), "10000"),
        }
    }

    /// The partition that libvirt is told for the machines of a hypervisor.
    #[must_use]
    pub fn partition(&self, hypervisor: &str) -> String {
        format!("/{}/{hypervisor}", self.top.trim_end_matches(SUFFIX))
    }

    /// The files into which a daemon of the hypervisor writes its process id to enter its group.
    #[must_use]
    pub fn daemon_procs(&self, hypervisor: &str) -> Vec<PathBuf> {
        let group = daemons(hypervisor);
        self.hierarchies
            .roots
            .iter()
            .map(|root| root.join(&self.top).join(&group).join("cgroup.procs"))
            .collect()
    }

    /// Limits all machines of a hypervisor together to that many percent of one core; `None` lifts the limit.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn limit_machines(&self, hypervisor: &str, percent_of_core: Option<u32>) -> Result<()> {
        self.limit(&self.machines_path(hypervisor), percent_of_core)
    }

    /// Limits one machine likewise.
    ///
    /// # Errors
    /// When libvirt has made no group for it, or the kernel refuses.
    pub fn limit_machine(
        &self,
        hypervisor: &str,
        vm: &str,
        percent_of_core: Option<u32>,
    ) -> Result<()> {
        let parent = self.machines_path(hypervisor);
        let ending = format!("-{vm}.libvirt-qemu");
        let group = fs::read_dir(&parent)
            .with_context(|| format!("cannot read {}", parent.display()))?
            .flatten()
            .find(|entry| entry.file_name().to_string_lossy().ends_with(&ending))
            .with_context(|| {
                format!(
                    "libvirt made no control group for {vm} in {}",
                    parent.display()
                )
            })?;
        self.limit(&group.path(), percent_of_core)
    }

    fn machines_path(&self, hypervisor: &str) -> PathBuf {
        self.hierarchies.roots[0]
            .join(&self.top)
            .join(machines(hypervisor))
    }

    fn limit(&self, group: &Path, percent_of_core: Option<u32>) -> Result<()> {
        let quota = percent_of_core.map(|percent| (PERIOD_US / 100 * percent).to_string());
        match self.hierarchies.version {
            Version::V1 => {
                write(&group.join("cpu.cfs_period_us"), &PERIOD_US.to_string())?;
                write(
                    &group.join("cpu.cfs_quota_us"),
                    quota.as_deref().unwrap_or("-1"),
                )
            }
            Version::V2 => {
                let quota = quota.as_deref().unwrap_or("max");
                write(&group.join("cpu.max"), &format!("{quota} {PERIOD_US}"))
            }
        }
    }

    /// Removes all groups of the test bed. Processes that are just ending are waited for, at most 5 s.
    ///
    /// # Errors
    /// When a group still holds a process after that.
    pub fn remove(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(5);
        for root in &self.hierarchies.roots {
            let path = root.join(&self.top);
            while let Err(error) = remove_tree(&path) {
                if Instant::now() > deadline {
                    return Err(error).with_context(|| {
                        format!("cannot remove the control group {}", path.display())
                    });
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(())
    }
}

fn machines(hypervisor: &str) -> String {
    format!("{hypervisor}{SUFFIX}")
}

fn daemons(hypervisor: &str) -> String {
    format!("{hypervisor}-daemons")
}

/// With v2, lets the groups below one have weights and quotas of their own.
fn pass_on_cpu(group: &Path) -> Result<()> {
    write(&group.join("cgroup.subtree_control"), "+cpu")
}

fn write(file: &Path, text: &str) -> Result<()> {
    // Neither created nor truncated: these files are the kernel's.
    fs::OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|mut open| io::Write::write_all(&mut open, text.as_bytes()))
        .with_context(|| format!("cannot write '{text}' to {}", file.display()))
}

/// Removes a group and those below it. A control group's files go with it; only folders are removed.
fn remove_tree(group: &Path) -> io::Result<()> {
    match fs::read_dir(group) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e),
        Ok(entries) => {
            for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
                remove_tree(&entry.path())?;
            }
        }
    }
    fs::remove_dir(group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_groups_named_as_ours_have_an_owner() {
        assert_eq!(owner("bellwether-4711-0.partition"), Some(4711));
        for name in [
            "bellwether.partition",
            "bellwether-4711.partition",
            "bellwether-4711-x.partition",
            "bellwether-x-0.partition",
            "4711-0.partition",
            "bellwether-4711-0",
            "machine",
        ] {
            assert_eq!(owner(name), None, "{name}");
        }
    }

    #[test]
    fn quotas_are_written_in_the_words_of_each_version() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for name in ["cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.max"] {
            fs::write(file(name), "").unwrap();
        }
        let groups = |version| Groups {
            hierarchies: Hierarchies {
                version,
                roots: vec![folder.path().to_owned()],
            },
            top: "bellwether-0.partition".to_owned(),
        };
        groups(Version::V1).limit(folder.path(), Some(40)).unwrap();
        assert_eq!(
            fs::read_to_string(file("cpu.cfs_period_us")).unwrap(),
            "100000"
        );
        assert_eq!(
            fs::read_to_string(file("cpu.cfs_quota_us")).unwrap(),
            "40000"
        );
        groups(Version::V2).limit(folder.path(), Some(40)).unwrap();
        assert_eq!(fs::read_to_string(file("cpu.max")).unwrap(), "40000 100000");
        fs::write(file("cpu.max"), "").unwrap();
        groups(Version::V2).limit(folder.path(), None).unwrap();
        assert_eq!(fs::read_to_string(file("cpu.max")).unwrap(), "max 100000");
    }

    #[test]
    fn a_tree_of_groups_is_removed_from_its_leaves_up() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("bellwether-1.partition");
        fs::create_dir_all(top.join("hv1.partition/qemu-1-vm1.libvirt-qemu/vcpu0")).unwrap();
        remove_tree(&top).unwrap();
        assert!(!top.exists());
        remove_tree(&top).unwrap();
    }
}
