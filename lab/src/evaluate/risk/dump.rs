//! Every minute in a file, for evaluations elsewhere.

use std::path::Path;

use anyhow::{Context as _, Result};
use bellwether_core::risk::{Horizon, Source};

use crate::minutes::{Host, Weights};

/// Writes a CSV file with a row per minute: what was known at its end, what became of the host, and how much the minute weighs.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, hosts: &[Host], weights: Weights) -> Result<()> {
    let place = || path.display().to_string();
    let mut out = csv::Writer::from_path(path).with_context(place)?;
    let mut header = vec!["host", "time"];
    header.extend(Source::ALL.iter().map(|source| source.name()));
    header.extend(["published", "fails_10min", "fails_30min", "weight"]);
    out.write_record(&header).with_context(place)?;
    for host in hosts {
        for minute in &host.minutes {
            let mut row = vec![host.name.clone(), minute.time.to_string()];
            let states = minute.states.iter();
            row.extend(states.map(|state| state.name().unwrap_or_default().to_owned()));
            row.push(minute.published.to_string());
            let fails = |horizon| u8::from(host.fails_within(minute.time, horizon)).to_string();
            row.extend(Horizon::ALL.map(fails));
            row.push(weights.of(host, minute.time).to_string());
            out.write_record(&row).with_context(place)?;
        }
    }
    out.flush().with_context(place)
}
