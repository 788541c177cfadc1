//! What the tasks of the executor share, and the files of cordoned hosts.

use std::collections::HashSet;
use std::path::PathBuf;

use tokio::time::Instant;

use super::super::contract::{Failure, Job};
use super::ledger::Ledger;
use super::place::Rules;
use super::virsh::Virsh;
use crate::config::{self, Config, host_name};

/// What its tasks share.
pub(super) struct Inner {
    pub(super) virsh: Virsh,
    pub(super) ledger: Ledger,
    pub(super) settings: config::Libvirt,
    pub(super) shared_paths: Vec<PathBuf>,
    pub(super) rules: Rules,
    /// Whether a hook cordons hosts.
    pub(super) has_cordon: bool,
    pub(super) born: Instant,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner")
            .field("virsh", &self.virsh)
            .finish_non_exhaustive()
    }
}

impl Inner {
    pub(super) fn new(config: &Config) -> Result<Self, String> {
        let settings = config.libvirt.clone();
        Ok(Self {
            virsh: Virsh::new(&settings)?,
            ledger: Ledger::new(),
            shared_paths: settings.shared_paths.iter().map(PathBuf::from).collect(),
            rules: Rules {
                first: settings.first.clone(),
                apart: settings.apart(),
                reserve_mib: settings.reserve_mib as u64,
                vcpus_per_cpu: settings.vcpus_per_cpu,
            },
            has_cordon: !config.hooks.cordon.is_empty(),
            born: Instant::now(),
            settings,
        })
    }

    pub(super) fn cordon_file(&self, host: &str) -> Result<Option<PathBuf>, Failure> {
        let name = host_name(host).map_err(Failure)?;
        let folder = self.settings.cordon_folder.as_ref();
        Ok(folder.map(|folder| folder.join(name)))
    }

    /// The hosts that are cordoned by a file.
    pub(super) fn cordoned(&self) -> Result<HashSet<String>, Failure> {
        let Some(folder) = &self.settings.cordon_folder else {
            return Ok(HashSet::new());
        };
        let files = std::fs::read_dir(folder);
        let files = files.map_err(|error| Failure(format!("{}: {error}", folder.display())))?;
        let names = files.flatten().map(|file| file.file_name());
        Ok(names.filter_map(|name| name.into_string().ok()).collect())
    }

    pub(super) fn set_cordon(&self, job: &Job, on: bool) -> Result<(), Failure> {
        let Some(path) = self.cordon_file(&job.host)? else {
            return Ok(());
        };
        let set = match on {
            true => std::fs::write(&path, format!("suggestion {}\n", job.suggestion)),
            false => std::fs::remove_file(&path),
        };
        match set {
            Err(error) if on || error.kind() != std::io::ErrorKind::NotFound => {
                Err(Failure(format!("{}: {error}", path.display())))
            }
            _ => Ok(()),
        }
    }
}
