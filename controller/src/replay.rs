//! Replays a recorded stream: the decisions that the controller would have made.

use std::io::{self, BufRead, Write};

use bellwether_core::options::OptionError;
use bellwether_core::units::Time;

use crate::config::Config;
use crate::engine::{Effects, Entry, Machine};

/// Longest line in bytes.
const LINE_MAX: u64 = 64 << 20;
/// After the last entry, this time passes: what was held is decided.
const AFTER_SEC: f64 = 3600.0;

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// An option was refused.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// A line is neither an event nor an input of the policy.
    #[error("line {0}: {1}")]
    Line(u64, String),
    /// The input or the output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a replay has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Lines.
    pub entries: u64,
    /// Events that had been there before.
    pub repeated: u64,
    /// Inputs that the policy refused.
    pub refused: u64,
    /// Decisions.
    pub decisions: u64,
}

/// Reads events and inputs as JSON Lines, as `/v1/journal` gives them, and writes what follows as JSON Lines: decisions, changes of
/// health with `health`, events about groups.
///
/// # Errors
/// A line cannot be used, or the output cannot be written.
pub fn replay(
    config: &Config,
    mut input: impl BufRead,
    mut out: impl Write,
    with_health: bool,
) -> Result<Replayed, ReplayError> {
    let mut machine = Machine::new(config)?;
    let mut replayed = Replayed::default();
    let mut line = String::new();
    let mut number = 0;
    loop {
        line.clear();
        let mut limited = io::Read::take(&mut input, LINE_MAX);
        if limited.read_line(&mut line)? == 0 {
            break;
        }
        number += 1;
        if line.trim().is_empty() {
            continue;
        }
        let entry = Entry::from_json(&line);
        let entry = entry.map_err(|error| ReplayError::Line(number, error.to_string()))?;
        replayed.entries += 1;
        if let Entry::Event { event, .. } = &entry
            && machine.is_repeated(event)
        {
            replayed.repeated += 1;
            continue;
        }
        let effects = machine.step(&entry);
        write(&mut out, &effects, with_health, &mut replayed)?;
    }
    if replayed.entries > 0 {
        let end = Time::from_secs(machine.at().secs() + AFTER_SEC);
        let effects = machine.advance(end);
        write(&mut out, &effects, with_health, &mut replayed)?;
    }
    out.flush()?;
    Ok(replayed)
}

fn write(
    out: &mut impl Write,
    effects: &Effects,
    with_health: bool,
    replayed: &mut Replayed,
) -> Result<(), ReplayError> {
    replayed.refused += u64::from(effects.refused.is_some());
    replayed.refused += effects.findings_refused.len() as u64;
    replayed.decisions += effects.decisions.len() as u64;
    for decision in &effects.decisions {
        serde_json::to_writer(&mut *out, decision).map_err(io::Error::from)?;
        writeln!(out)?;
    }
    for event in &effects.events {
        writeln!(out, "{}", event.to_json())?;
    }
    if with_health {
        for change in &effects.health {
            serde_json::to_writer(&mut *out, change).map_err(io::Error::from)?;
            writeln!(out)?;
        }
    }
    Ok(())
}
