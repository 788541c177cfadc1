//! How a host fails: one fault time for its log, its VMs and its resources.

use std::ops::Range;

use anyhow::{Context as _, Result};
use fastrand::Rng;

use super::strain::{Change, On, Strain};
use crate::generate::logs::PACE;
use crate::generate::logs::schedule::Fault;
use crate::generate::logs::script::{Scenario, Script};
use crate::generate::logs::time::MICROS;

const MINUTE: i64 = 60 * MICROS;

/// How many of the failures show in the log, in the VMs' metrics and in the host's resources, each by itself.
const IN_LOG: f64 = 0.85;
const IN_VMS: f64 = 0.75;
const IN_RESOURCES: f64 = 0.85;

/// Minutes from the injection of a fault to the failure of the VM at every tenth of their distribution, from 0 to 1, in the 162 failing
/// logs of VMFT-LAD that this project was given (P. Senevirathne et al., IEEE Access 12, 2024): faults of disks, memory and CPUs.
const LEADS_DISK: [f64; 11] = [
    2.2, 6.9, 8.9, 12.0, 14.3, 15.6, 16.4, 19.7, 22.9, 31.0, 40.6,
];
const LEADS_OOM: [f64; 11] = [5.0, 5.1, 5.1, 5.2, 5.2, 5.3, 5.4, 7.1, 8.9, 10.2, 10.6];
const LEADS_HUNG: [f64; 11] = [
    18.4, 18.4, 18.5, 18.6, 24.0, 24.2, 24.2, 24.4, 24.5, 24.7, 24.9,
];

/// How long after the beginning of a fault the guest dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Leads {
    /// As in the logs that VMFT-LAD was published with: 2 to 41 minutes
    Recorded,
    /// As in the scripts of "generate logs", 0.8 to 1.3 times as long: 9 to 37 minutes
    Script,
}

impl Leads {
    /// Its word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Script => "script",
        }
    }
}

/// The longest time from a fault's beginning to the guest's death, in microseconds.
pub const LEAD_MAX: i64 = 45 * MINUTE;

/// Where a failure shows before the guest dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Shows {
    /// In the log.
    pub in_log: bool,
    /// In the metrics of the VMs.
    pub in_vms: bool,
    /// In the resources of the host.
    pub in_resources: bool,
}

/// A fault of the host, of which a guest dies. Times are in microseconds since the epoch.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The kind of fault.
    pub scenario: Scenario,
    /// When the fault begins.
    pub begin: i64,
    /// When the guest dies, where the log does not say it to the second.
    pub death: i64,
    /// Where it shows.
    pub shows: Shows,
    /// What the log says of it, where it shows there.
    pub script: Option<(Script, Fault)>,
    /// What it does to the VMs, where it shows there.
    pub change: Option<Change>,
    /// What it does to the host's resources; empty where it does not show there.
    pub strains: Vec<Strain>,
}

/// The time from the beginning of a fault to the death, in microseconds.
fn lead(scenario: Scenario, rng: &mut Rng) -> i64 {
    let tenths = match scenario {
        Scenario::Oom => &LEADS_OOM,
        Scenario::Hung => &LEADS_HUNG,
        Scenario::Disk | Scenario::None => &LEADS_DISK,
    };
    let place = rng.f64() * 10.0;
    let at = (place as usize).min(9);
    let minutes = tenths[at] + (tenths[at + 1] - tenths[at]) * (place - at as f64);
    (minutes * MINUTE as f64) as i64
}

/// A number between `from` and `to`.
pub fn between(rng: &mut Rng, from: f64, to: f64) -> f64 {
    from + (to - from) * rng.f64()
}

impl Failure {
    /// A failure of which a guest dies within `span`, which is longer than [`LEAD_MAX`].
    ///
    /// # Errors
    /// A mistake in the scripts.
    pub fn draw(rng: &mut Rng, leads: Leads, span: Range<i64>) -> Result<Self> {
        // As often as the given logs have them: half of them are faults of disks.
        let scenario = match rng.u32(..4) {
            0 | 1 => Scenario::Disk,
            2 => Scenario::Oom,
            _ => Scenario::Hung,
        };
        let mut variants = scenario.variants()?;
        let script = variants.swap_remove(rng.usize(..variants.len()));
        let (stretched, fixed) = script.death().context("a guest dies in every scenario")?;
        let lead = match leads {
            Leads::Recorded => lead(scenario, rng),
            Leads::Script => {
                let pace = between(rng, PACE.start, PACE.end);
                fixed + (stretched as f64 * pace) as i64
            }
        };
        let begin = rng.i64(span.start..(span.end - lead).max(span.start + 1));
        let shows = Shows {
            in_log: rng.f64() < IN_LOG,
            in_vms: rng.f64() < IN_VMS,
            in_resources: rng.f64() < IN_RESOURCES,
        };
        let pace = ((lead - fixed) as f64 / stretched as f64).max(0.1);
        let (death, mut own) = (begin + lead, rng.fork());
        Ok(Self {
            scenario,
            begin,
            death,
            shows,
            script: shows.in_log.then_some((script, Fault { begin, pace })),
            change: shows
                .in_vms
                .then(|| change(scenario, begin, death, &mut own)),
            strains: match shows.in_resources {
                true => strains(scenario, begin, death, &mut own),
                false => Vec::new(),
            },
        })
    }
}

/// What a fault does to the VMs.
fn change(scenario: Scenario, begin: i64, death: i64, rng: &mut Rng) -> Change {
    let lead = (death - begin) as f64;
    let (share, factor) = match scenario {
        Scenario::Oom => (between(rng, 0.8, 1.0), between(rng, 0.3, 0.7)),
        Scenario::Hung => (between(rng, 0.7, 1.0), between(rng, 0.02, 0.3)),
        Scenario::Disk | Scenario::None => (between(rng, 0.5, 1.0), between(rng, 0.1, 0.6)),
    };
    Change {
        from: begin + (between(rng, 0.0, 0.5) * lead) as i64,
        rise: (between(rng, 0.01, 0.2) * lead) as i64,
        to: death,
        share,
        factor,
    }
}

/// What a fault does to the host's resources.
fn strains(scenario: Scenario, begin: i64, death: i64, rng: &mut Rng) -> Vec<Strain> {
    let lead = (death - begin) as f64;
    let mut strain = |on, (from, to): (f64, f64), (low, high): (f64, f64)| {
        let start = begin + (from * lead) as i64;
        Strain {
            on,
            from: start,
            rise: ((to - from) * lead) as i64,
            to: death,
            height: between(rng, low, high),
        }
    };
    let late = strain(On::Cpu, (0.0, 1.0), (0.0, 0.4)).height;
    match scenario {
        Scenario::Oom => vec![
            strain(On::Memory, (0.0, 0.6), (0.85, 1.1)),
            strain(On::Io, (0.4, 0.8), (0.1, 0.8)),
        ],
        Scenario::Hung => vec![
            strain(On::Hang, (late, late + 0.4), (0.3, 2.0)),
            strain(On::Latency, (late, late + 0.3), (0.0, 1.0)),
        ],
        Scenario::Disk | Scenario::None => vec![
            strain(On::Latency, (late, late + 0.5), (0.3, 4.0)),
            strain(On::Hang, (late + 0.2, late + 0.6), (0.0, 0.6)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * MINUTE;

    fn failures_with(leads: Leads) -> Vec<Failure> {
        let mut rng = Rng::with_seed(1);
        (0..400)
            .map(|_| Failure::draw(&mut rng, leads, 0..DAY).unwrap())
            .collect()
    }

    fn failures() -> Vec<Failure> {
        failures_with(Leads::Recorded)
    }

    #[test]
    fn a_guest_dies_as_long_after_the_fault_as_in_the_scripts_where_that_is_asked_for() {
        let leads = failures_with(Leads::Script).into_iter();
        let mut leads: Vec<i64> = leads.map(|f| (f.death - f.begin) / MINUTE).collect();
        leads.sort_unstable();
        assert!(leads[0] >= 9 && leads[leads.len() - 1] <= 37, "{leads:?}");
    }

    #[test]
    fn a_guest_dies_as_long_after_the_fault_as_in_the_given_logs() {
        let minutes = |scenario: Scenario| {
            let all = failures().into_iter().filter(|f| f.scenario == scenario);
            let mut leads: Vec<i64> = all.map(|f| (f.death - f.begin) / MINUTE).collect();
            leads.sort_unstable();
            (leads[0], leads[leads.len() / 2], leads[leads.len() - 1])
        };
        let (least, median, most) = minutes(Scenario::Disk);
        assert!(least >= 2 && (12..20).contains(&median) && (30..=41).contains(&most));
        let (least, median, most) = minutes(Scenario::Oom);
        assert!(least >= 5 && (5..7).contains(&median) && most <= 11);
        let (least, median, most) = minutes(Scenario::Hung);
        assert!(least >= 18 && (22..26).contains(&median) && most <= 25);
        let ends = failures()
            .into_iter()
            .all(|f| f.begin >= 0 && f.death <= DAY);
        assert!(ends);
    }

    #[test]
    fn some_failures_do_not_show_in_each_of_the_sources() {
        let all = failures();
        let share = |shows: fn(&Shows) -> bool| {
            all.iter().filter(|f| shows(&f.shows)).count() as f64 / all.len() as f64
        };
        assert!((share(|s| s.in_log) - IN_LOG).abs() < 0.06);
        assert!((share(|s| s.in_vms) - IN_VMS).abs() < 0.06);
        assert!((share(|s| s.in_resources) - IN_RESOURCES).abs() < 0.06);
        for failure in &all {
            assert_eq!(failure.script.is_some(), failure.shows.in_log);
            assert_eq!(failure.change.is_some(), failure.shows.in_vms);
            assert_eq!(!failure.strains.is_empty(), failure.shows.in_resources);
        }
    }
}
