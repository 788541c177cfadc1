//! Healthy hosts of the same fleet, from which it is known what is usual.

use anyhow::{Context as _, Result};
use bellwether_core::lad::{LadOptions, Record, Seeds, SharedInference};
use bellwether_core::risk::{Source, SourceState};
use bellwether_core::units::Time;
use rayon::prelude::*;
use tempfile::TempDir;

use super::host::{Detectors, replay};
use super::truth::{Host, SOURCES};
use crate::generate::host::day::HostDay;
use crate::generate::host::setting::{Setting, seconds};

/// The benign templates of a fleet, and how often its sources are in which state.
pub struct Fleet {
    /// The templates are a file there, which the options of LAD name.
    _folder: TempDir,
    /// By source and state, how many minutes were in a state at least as severe, and how many there were.
    severe: [Vec<(f64, f64)>; SOURCES],
}

impl Fleet {
    /// Learns from this number of healthy hosts, named fleet1, fleet2, ..., and adds their templates to the options of LAD in `detectors`.
    ///
    /// # Errors
    /// What cannot be written, and options that contradict each other.
    pub fn learn(setting: &Setting, hosts: u32, detectors: &mut Detectors) -> Result<Self> {
        let names: Vec<String> = (1..=hosts).map(|number| format!("fleet{number}")).collect();
        let days = names.iter().map(|name| HostDay::new(setting, name, false));
        let days: Vec<HostDay<'_>> = days.collect::<Result<_>>()?;
        let folder = TempDir::new().context("a folder for the templates of the fleet")?;
        let file = folder.path().join("fleet.seeds");
        let (lad, inference) = (&detectors.lad, &detectors.inference);
        templates(&days, lad, inference)?.save(&file)?;
        detectors.lad.seeds = file.display().to_string();
        let replayed = days.par_iter().map(|day| replay(day, detectors));
        let replayed: Vec<Host> = replayed.collect::<Result<_>>()?;
        let mut severe = std::array::from_fn(|at| vec![(0.0, 0.0); Source::ALL[at].states().len()]);
        for minute in replayed.iter().flat_map(|host| &host.minutes) {
            for (counts, state) in severe.iter_mut().zip(minute.states) {
                let Some(level) = state.level() else { continue };
                for (at, (reached, all)) in counts.iter_mut().enumerate() {
                    *reached += f64::from(u8::from(level >= at));
                    *all += 1.0;
                }
            }
        }
        Ok(Self {
            _folder: folder,
            severe,
        })
    }

    /// The share of the fleet's minutes in which the source was in a state at least as severe: a p-value; `None` if unknown.
    pub fn p_value(&self, state: SourceState) -> Option<f64> {
        let (reached, all) = self.severe[state.source() as usize][state.level()?];
        Some((reached + 1.0) / (all + 1.0))
    }
}

fn templates(
    days: &[HostDay<'_>],
    options: &LadOptions,
    inference: &SharedInference,
) -> Result<Seeds> {
    let mut seeds = Seeds::new(options)?;
    for day in days {
        for entry in day.log()? {
            seeds.learn(
                inference,
                &Record {
                    stream: &day.name,
                    time: Time::from_secs(seconds(entry.time)),
                    text: &entry.text,
                    priority: Some(entry.severity),
                    source: bellwether_core::lad::Source {
                        program: entry.source.as_bytes(),
                        ..Default::default()
                    },
                },
            );
        }
    }
    Ok(seeds)
}
