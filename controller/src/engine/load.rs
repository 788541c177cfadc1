//! The state as the store has it.

use bellwether_core::options::OptionError;

use super::machine::{Machine, NoSnapshot};
use super::settings;
use crate::config::{Config, ConfigError};
use crate::log;
use crate::store::{SavedState, Store, StoreError};

/// Entries that are read at once.
const READ_MAX: usize = 10_000;

/// Why the engine cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// An option of the policy or of the risk was refused.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The settings that the state was made with cannot be read.
    #[error("the settings of the saved state: {0}")]
    Settings(#[from] ConfigError),
    /// The saved state cannot be used.
    #[error("{0}; \"serve --forget-state\" starts without it and keeps the audit trail")]
    State(#[from] NoSnapshot),
}

/// The state in the store, and the number of its last entry.
pub(super) fn load(config: &Config, store: &Store) -> Result<(Machine, i64), OpenError> {
    let text = settings::text(config);
    let saved = store.state()?;
    let then = match &saved {
        Some(saved) if saved.config != text => Some(Config::parse_unchecked(&saved.config)?),
        _ => None,
    };
    let mut machine = Machine::new(then.as_ref().unwrap_or(config))?;
    let mut seq = 0;
    if let Some(saved) = &saved {
        machine.restore(&saved.snapshot)?;
        seq = saved.seq;
    }
    loop {
        let mut decisions = Vec::new();
        let last = store.entries(seq, READ_MAX, |_, entry| {
            decisions.extend(machine.step(&entry).decisions);
        })?;
        for decision in &decisions {
            if store.decide(decision)? {
                log::warning(&format!(
                    "decision {} was not stored and is now",
                    decision.number
                ));
            }
        }
        if last == seq {
            break;
        }
        seq = last;
    }
    if then.is_none() {
        return Ok((machine, seq));
    }
    // The old settings have said what followed from the journal; the new ones count from here on.
    let snapshot = machine.snapshot();
    let mut machine = Machine::new(config)?;
    machine.restore(&snapshot)?;
    store.save(&SavedState {
        seq,
        config: text,
        snapshot,
    })?;
    Ok((machine, seq))
}
