//! Where the control groups of a machine are.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The two interfaces that Linux has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller.
    V1,
    /// One hierarchy for all.
    V2,
}

/// Where this machine's CPU controllers are mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hierarchies {
    pub(super) version: Version,
    /// The CPU controller's first. With v1 the accounting has a hierarchy of its own unless mounted together.
    pub(super) roots: Vec<PathBuf>,
}

impl Hierarchies {
    /// Finds them in `/proc/mounts`.
    ///
    /// # Errors
    /// One sentence, when no hierarchy here has the CPU controller.
    pub fn find() -> Result<Self> {
        let mounts = fs::read_to_string("/proc/mounts").context("cannot read /proc/mounts")?;
        Self::from_mounts(&mounts, |root| {
            fs::read_to_string(root.join("cgroup.controllers")).unwrap_or_default()
        })
    }

    fn from_mounts(mounts: &str, controllers_of: impl Fn(&Path) -> String) -> Result<Self> {
        let mut cpu = None;
        let mut accounting = None;
        let mut unified = None;
        for line in mounts.lines() {
            let mut fields = line.split(' ').skip(1);
            let (Some(place), Some(kind), Some(options)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let place = PathBuf::from(place);
            let has = |name| options.split(',').any(|option| option == name);
            match kind {
                "cgroup" if has("cpu") => {
                    accounting = accounting.or_else(|| has("cpuacct").then(|| place.clone()));
                    cpu = Some(place);
                }
                "cgroup" if has("cpuacct") => accounting = Some(place),
                "cgroup2"
                    if controllers_of(&place)
                        .split_whitespace()
                        .any(|name| name == "cpu") =>
                {
                    unified = Some(place);
                }
                _ => {}
            }
        }
        if let Some(root) = unified {
            return Ok(Self {
                version: Version::V2,
                roots: vec![root],
            });
        }
        let Some(cpu) = cpu else {
            bail!("no control group hierarchy with the CPU controller is mounted");
        };
        let mut roots = vec![cpu];
        roots.extend(accounting.filter(|place| *place != roots[0]));
        Ok(Self {
            version: Version::V1,
            roots,
        })
    }

    /// Which interface it is.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(mounts: &str, controllers: &str) -> Result<Hierarchies> {
        Hierarchies::from_mounts(mounts, |_| controllers.to_owned())
    }

    #[test]
    fn v1_controllers_are_found_apart_and_together() {
        let apart = "cgroup /c/cpu cgroup rw,relatime,cpu 0 0\ncgroup /c/acct cgroup rw,cpuacct 0 0\n\
                     cgroup /c/set cgroup rw,cpuset 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n";
        let found = find(apart, "hugetlb\n").unwrap();
        assert_eq!(found.version(), Version::V1);
        assert_eq!(
            found.roots,
            [PathBuf::from("/c/cpu"), PathBuf::from("/c/acct")]
        );
        let together = find("cgroup /c/cpu,cpuacct cgroup rw,cpu,cpuacct 0 0\n", "").unwrap();
        assert_eq!(together.roots, [PathBuf::from("/c/cpu,cpuacct")]);
    }

    #[test]
    fn v2_is_found_where_it_has_the_cpu_controller() {
        let found = find(
            "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n",
            "cpuset cpu io memory\n",
        )
        .unwrap();
        assert_eq!(
            (found.version(), found.roots),
            (Version::V2, vec![PathBuf::from("/sys/fs/cgroup")])
        );
    }

    #[test]
    fn a_machine_without_the_cpu_controller_is_told_so() {
        let error = find(
            "tmpfs /tmp tmpfs rw 0 0\ncgroup2 /c cgroup2 rw 0 0\n",
            "hugetlb",
        )
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no control group hierarchy with the CPU controller is mounted"
        );
    }
}
