//! The state of the policy, saved and restored.
//!
//! Version 1: the state, the topology, and what is known about groups.

use std::io::{self, Write};
use std::path::Path;

use super::engine::Policy;
use super::state::State;
use super::terms::{Health, Mode, Phase};
use crate::group::{Kept, Topology};
use crate::snapshot::{self, Reader, Saved, Snapshot, SnapshotError, Tag, Unusable, write_value};

impl Saved for Policy {
    const TAG: Tag = *b"POLI";
    const VERSION: u32 = 1;
    const OLDEST: u32 = 1;

    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        write_value(out, &self.state)?;
        write_value(out, self.groups.topology())?;
        write_value(out, self.groups.kept())
    }

    fn read_state(&self, _: u32, mut input: Reader<'_>) -> Result<Self, Unusable> {
        let state: State = input.next("the hosts and suggestions")?;
        let topology: Topology = input.next("the topology")?;
        let kept: Kept = input.next("the groups")?;
        if let Some(fault) = state.fault() {
            return Err(Unusable::Impossible(fault.into()));
        }
        if let Some(limit) = state.over(&self.options) {
            return Err(Unusable::OverLimit(limit));
        }
        let blank = Self::new(self.options.clone());
        let mut policy = blank.map_err(|error| Unusable::Impossible(error.to_string()))?;
        if !policy.groups.restore(topology, kept) {
            return Err(Unusable::Impossible(
                "its groups do not fit its topology".into(),
            ));
        }
        let hosts = state.hosts.iter();
        let active =
            hosts.filter(|(_, host)| host.health != Health::Green || host.suggestion.is_some());
        policy.active = active.map(|(name, _)| name.clone()).collect();
        policy.state = state;
        policy.adopt_mode();
        Ok(policy)
    }
}

impl Policy {
    /// A suggestion that would have started by itself when the state was saved needs a person if the mode is another one now.
    fn adopt_mode(&mut self) {
        let mode = self.options.mode;
        let may_start = |approved: bool| match mode {
            Mode::Suggest => false,
            Mode::Confirm => approved,
            Mode::Auto => true,
        };
        for suggestion in self.state.suggestions.values_mut() {
            let is_cleared = suggestion.phase == Phase::Cleared;
            if is_cleared && !may_start(suggestion.approved_by.is_some()) {
                suggestion.phase = Phase::Suggested;
                suggestion.approved_by = None;
            }
        }
    }

    /// The state at this moment.
    pub fn snapshot(&self) -> Snapshot {
        snapshot::take(self)
    }

    /// Replaces the state by a snapshot's: the policy continues as if it had never stopped. The options may be other ones; what
    /// would have started by itself then needs a person if the mode no longer allows it.
    ///
    /// # Errors
    /// A snapshot that is corrupt, of an unsupported version or over a limit; the policy is then unchanged.
    pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), Unusable> {
        snapshot::restore(self, snapshot)
    }

    /// Saves the state to the file at `path`, so that a crash at any moment leaves the old state or the new one, whole.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), SnapshotError> {
        snapshot::save(self, path)
    }

    /// Replaces the state by that in the file at `path`; `false` if there is no such file, or an empty one. A file that cannot be
    /// used is renamed; the policy is then unchanged.
    ///
    /// # Errors
    /// The file cannot be read or used.
    pub fn load(&mut self, path: &Path) -> Result<bool, SnapshotError> {
        snapshot::load(self, path)
    }
}
