//! What happens on a healthy host and harms no guest, and may look as if it did.

use std::sync::LazyLock;

use anyhow::Result;
use fastrand::Rng;
use serde::Serialize;

use super::failure::between;
use super::strain::{Change, On, Strain};
use crate::generate::logs::schedule::Fault;
use crate::generate::logs::script::{Script, read};
use crate::generate::logs::time::MICROS;

const DEPLOY: &str = include_str!("scripts/deploy.txt");
const PRESSURE: &str = include_str!("scripts/pressure.txt");
const HARMLESS: &str = include_str!("scripts/harmless.txt");

const MINUTE: i64 = 60 * MICROS;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// When the backup begins that the log has every day.
const BACKUP: i64 = 90 * MINUTE;

/// A kind of disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The nightly backup reads all disks.
    Backup,
    /// A roll-out restarts guests of one tenant, which then do more.
    Deploy,
    /// Memory runs short, and recovers.
    MemoryPressure,
    /// The log has lines that report failures of which no guest dies.
    HarmlessLines,
    /// Many guests have work at the same time.
    Surge,
}

/// How often each happens, in a day on average; the backup happens once.
const PER_DAY: [(Kind, f64); 4] = [
    (Kind::Deploy, 0.4),
    (Kind::MemoryPressure, 0.15),
    (Kind::HarmlessLines, 0.15),
    (Kind::Surge, 0.3),
];

/// A disturbance. Times are in microseconds since the epoch.
#[derive(Debug, Clone)]
pub struct Disturbance {
    /// What it is.
    pub kind: Kind,
    /// When it begins.
    pub from: i64,
    /// When it ends.
    pub to: i64,
    /// Which script of the kind the log follows, where it has any.
    variant: usize,
    /// What it does to the VMs.
    pub change: Option<Change>,
    /// What it does to the host's resources.
    pub strains: Vec<Strain>,
}

/// The scripts of a kind of disturbance; none where the log says nothing more about it.
fn scripts(kind: Kind) -> Result<&'static [Script]> {
    type Scripts = LazyLock<Result<Vec<Script>>>;
    static OF_DEPLOY: Scripts = LazyLock::new(|| read(DEPLOY, "a roll-out"));
    static OF_PRESSURE: Scripts = LazyLock::new(|| read(PRESSURE, "memory pressure"));
    static OF_HARMLESS: Scripts = LazyLock::new(|| read(HARMLESS, "harmless lines"));
    let scripts = match kind {
        Kind::Backup | Kind::Surge => return Ok(&[]),
        Kind::Deploy => &OF_DEPLOY,
        Kind::MemoryPressure => &OF_PRESSURE,
        Kind::HarmlessLines => &OF_HARMLESS,
    };
    match &**scripts {
        Ok(scripts) => Ok(scripts),
        Err(error) => anyhow::bail!("{error:#}"),
    }
}

/// The disturbances of a host between `from` and `to`, by their times.
///
/// # Errors
/// A mistake in the scripts.
pub fn draw(rng: &mut Rng, from: i64, to: i64) -> Result<Vec<Disturbance>> {
    let mut all = Vec::new();
    let mut day = from - from.rem_euclid(DAY);
    while day < to {
        if (from..to).contains(&(day + BACKUP)) {
            all.push(Disturbance::at(Kind::Backup, day + BACKUP, rng)?);
        }
        day += DAY;
    }
    for (kind, per_day) in PER_DAY {
        let mean = DAY as f64 / per_day;
        let mut gap = || (-libm::log(1.0 - rng.f64()) * mean) as i64;
        let mut times = Vec::new();
        let mut next = from + gap();
        while next < to {
            times.push(next);
            next += gap();
        }
        for time in times {
            all.push(Disturbance::at(kind, time, rng)?);
        }
    }
    all.sort_by_key(|disturbance| disturbance.from);
    Ok(all)
}

impl Disturbance {
    fn at(kind: Kind, from: i64, rng: &mut Rng) -> Result<Self> {
        let mut rng = rng.fork();
        let scripts = scripts(kind)?;
        let minutes = |rng: &mut Rng, low: f64, high: f64| {
            from + (between(rng, low, high) * MINUTE as f64) as i64
        };
        let strain = |on, rise_min: i64, to, height| Strain {
            on,
            from,
            rise: rise_min * MINUTE,
            to,
            height,
        };
        let change = |to, share, factor| Change {
            from,
            rise: MINUTE,
            to,
            share,
            factor,
        };
        let rng = &mut rng;
        let (to, change, strains) = match kind {
            Kind::Backup => {
                let to = minutes(rng, 18.0, 55.0);
                let io = strain(On::Io, 1, to, between(rng, 0.5, 1.2));
                (to, None, vec![io])
            }
            Kind::Deploy => {
                let to = minutes(rng, 60.0, 240.0);
                let io = strain(On::Io, 1, minutes(rng, 3.0, 10.0), between(rng, 0.2, 0.7));
                let cpu = strain(On::Cpu, 1, to, between(rng, 0.02, 0.15));
                let more = change(to, 0.3, between(rng, 1.5, 2.5));
                (to, Some(more), vec![io, cpu])
            }
            Kind::MemoryPressure => {
                let to = minutes(rng, 10.0, 60.0);
                let memory = strain(On::Memory, 5, to, between(rng, 0.5, 0.95));
                let io = strain(On::Io, 5, to, between(rng, 0.0, 0.4));
                (to, None, vec![memory, io])
            }
            Kind::HarmlessLines => (minutes(rng, 1.0, 20.0), None, Vec::new()),
            Kind::Surge => {
                let to = minutes(rng, 20.0, 90.0);
                let cpu = strain(On::Cpu, 2, to, between(rng, 0.05, 0.4));
                let share = between(rng, 0.2, 0.5);
                let more = change(to, share, between(rng, 1.2, 1.8));
                (to, Some(more), vec![cpu])
            }
        };
        Ok(Self {
            kind,
            from,
            to,
            variant: match scripts.len() {
                0 => 0,
                variants => rng.usize(..variants),
            },
            change,
            strains,
        })
    }

    /// What the log says about it, and when, where it has anything more than usual.
    ///
    /// # Errors
    /// A mistake in the scripts.
    pub fn script(&self) -> Result<Option<(&'static Script, Fault)>> {
        let when = Fault {
            begin: self.from,
            pace: 1.0,
        };
        let script = scripts(self.kind)?.get(self.variant);
        Ok(script.map(|script| (script, when)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_guest_dies_of_a_disturbance() {
        for (kind, _) in PER_DAY {
            for script in scripts(kind).unwrap() {
                assert_eq!(script.death(), None, "{kind:?}");
            }
        }
        assert!(scripts(Kind::HarmlessLines).unwrap().len() >= 8);
    }

    #[test]
    fn every_day_has_a_backup_and_the_others_are_as_frequent_as_they_should_be() {
        let mut rng = Rng::with_seed(1);
        let all = draw(&mut rng, 0, 400 * DAY).unwrap();
        assert!(all.is_sorted_by_key(|d| d.from));
        let count = |kind| all.iter().filter(|d| d.kind == kind).count();
        assert_eq!(count(Kind::Backup), 400);
        for (kind, per_day) in PER_DAY {
            let (found, expected) = (count(kind) as f64, 400.0 * per_day);
            assert!((found - expected).abs() < 0.4 * expected, "{kind:?}");
        }
    }
}
