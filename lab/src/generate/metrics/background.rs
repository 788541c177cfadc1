//! What VMs do while nothing is wrong with their host: recorded traces, or synthetic ones.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bellwether_records::files::{decoded, files, stem};
use clap::ValueEnum;
use rand::RngExt as _;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Normal};
use serde::{Deserialize, Serialize};

use super::estate::Estate;
use super::synthetic;
use super::values::{DAY, Values};
use crate::hash::fnv1a;

/// VMs below this mean, percent, are idle.
const IDLE_MEAN: f64 = 3.0;

/// How noisy the VMs are from one sample to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Regime {
    /// As recorded
    Raw,
    /// With the noise that is usual in clouds, and with workload changes of single VMs
    Quiet,
}

impl Regime {
    /// Its word, as in names of cells.
    pub fn word(self) -> &'static str {
        match self {
            Regime::Raw => "raw",
            Regime::Quiet => "quiet",
        }
    }
}

/// CPU percentages of one day: a row per VM.
type Day = Vec<(String, Vec<f64>)>;

/// Where the metrics of healthy VMs come from.
#[derive(Debug)]
pub enum Background {
    /// Days of recorded VMs, by name.
    Days(BTreeMap<String, Day>),
    /// VMs that were recorded on two consecutive days.
    Contiguous(Day),
    /// Made up: a mixture of workloads, with this number of samples a day.
    Synthetic(usize),
    /// Made up to order.
    Estate(Estate),
}

impl Background {
    /// Reads the traces in `folder`: a CSV file a day, plain or compressed, with a heading and then, in each line, a VM's name and
    /// its CPU percentages at intervals of five minutes.
    ///
    /// # Errors
    /// A file that cannot be read or is none of that form.
    pub fn traces(folder: &Path) -> Result<Self> {
        let mut days = BTreeMap::new();
        for file in files(&[folder.to_owned()], &[".csv"])? {
            days.insert(stem(&file, &[".csv"]), day(&file)?);
        }
        Ok(Self::Days(days))
    }

    /// The VMs that were recorded on both of the days `first` and `second`, as one series of both days.
    ///
    /// # Errors
    /// A day that is not there, or days that share no VM.
    pub fn contiguous(self, first: &str, second: &str) -> Result<Self> {
        let Self::Days(days) = self else {
            return Ok(self);
        };
        let of = |name: &str| {
            days.get(name).with_context(|| {
                let known: Vec<&str> = days.keys().map(String::as_str).collect();
                format!(
                    "there is no day \"{name}\" in the traces; there are {}",
                    known.join(", ")
                )
            })
        };
        let (first_day, second_day) = (of(first)?, of(second)?);
        let later: BTreeMap<&str, &Vec<f64>> =
            second_day.iter().map(|(n, v)| (n.as_str(), v)).collect();
        let both: BTreeMap<&str, Vec<f64>> = first_day
            .iter()
            .filter_map(|(name, values)| {
                let joined = [values.as_slice(), later.get(name.as_str())?].concat();
                Some((name.as_str(), joined))
            })
            .collect();
        ensure!(
            !both.is_empty(),
            "{first} and {second} have no VM in common"
        );
        let day = both.into_iter().map(|(n, v)| (n.to_owned(), v)).collect();
        Ok(Self::Contiguous(day))
    }

    /// Keeps the VMs of one of `of` parts, by a hash of their names, so that what one part is made from is never seen in
    /// another. `part` counts from 1.
    pub fn keep_part(&mut self, part: u64, of: u64) {
        let mine = |(name, _): &(String, Vec<f64>)| fnv1a(name.as_bytes()) % of == part - 1;
        match self {
            Self::Days(days) => days.values_mut().for_each(|day| day.retain(mine)),
            Self::Contiguous(day) => day.retain(mine),
            Self::Synthetic(_) | Self::Estate(_) => {}
        }
    }

    /// The fewest VMs that a hypervisor could be made of.
    pub fn vms(&self) -> usize {
        match self {
            Self::Days(days) => days.values().map(Vec::len).min().unwrap_or(0),
            Self::Contiguous(day) => day.len(),
            Self::Synthetic(_) | Self::Estate(_) => usize::MAX,
        }
    }

    /// The longest series that it gives.
    pub fn rows(&self) -> usize {
        match self {
            Self::Contiguous(day) => day.first().map_or(0, |(_, values)| values.len()),
            Self::Days(_) | Self::Synthetic(_) | Self::Estate(_) => usize::MAX,
        }
    }

    /// Samples of a day.
    pub fn day(&self) -> usize {
        match self {
            Self::Days(_) | Self::Contiguous(_) => DAY,
            Self::Synthetic(day) => *day,
            Self::Estate(estate) => estate.day,
        }
    }

    /// The CPU percentages of `vms` VMs of one hypervisor over `rows` samples, and the day that they are from. `idle`:
    /// only VMs that do almost nothing.
    ///
    /// A recorded day is extended by running to and fro in it, from a phase that all VMs of the hypervisor share; so there is
    /// no jump, and what the VMs have in common stays. Whole percentages are dithered.
    ///
    /// # Errors
    /// Too few VMs in the traces.
    pub fn normal(
        &self,
        rng: &mut ChaCha8Rng,
        vms: usize,
        rows: usize,
        idle: bool,
        regime: Regime,
    ) -> Result<(Values, String)> {
        let (mut values, name) = match self {
            Self::Days(days) => {
                let at = rng.random_range(0..days.len());
                let (name, day) = days.iter().nth(at).expect("a day within those there are");
                let length = day.first().map_or(1, |(_, values)| values.len());
                let phase = rng.random_range(0..2 * length);
                let fold = |row: usize| {
                    let at = (phase + row) % (2 * length);
                    if at < length { at } else { 2 * length - 1 - at }
                };
                let chosen = choose(rng, day, vms, idle)?;
                let read = |vm: &[f64]| (0..rows).map(|row| vm[fold(row)]).collect();
                (chosen.into_iter().map(read).collect(), name.clone())
            }
            Self::Contiguous(day) => {
                let length = day.first().map_or(0, |(_, values)| values.len());
                let offset = rng.random_range(0..=length - rows);
                let chosen = choose(rng, day, vms, idle)?;
                let read = |vm: &[f64]| vm[offset..offset + rows].to_vec();
                (
                    chosen.into_iter().map(read).collect(),
                    "contiguous".to_owned(),
                )
            }
            Self::Synthetic(day) => (
                synthetic::hypervisor(rng, vms, rows, idle, *day),
                "synthetic".to_owned(),
            ),
            Self::Estate(estate) => (estate.values(rng, vms, rows, idle), "synthetic".to_owned()),
        };
        if matches!(self, Self::Days(_) | Self::Contiguous(_)) {
            for value in values.iter_mut().flat_map(|vm: &mut Vec<f64>| vm) {
                *value = (*value + rng.random_range(-0.5..0.5)).clamp(0.0, 100.0);
            }
        }
        if regime == Regime::Quiet {
            quieten(rng, &mut values, self.day());
        }
        Ok((values, name))
    }
}

/// `vms` different VMs of a day.
fn choose<'a>(
    rng: &mut ChaCha8Rng,
    day: &'a Day,
    vms: usize,
    idle: bool,
) -> Result<Vec<&'a [f64]>> {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let all: Vec<&[f64]> = day
        .iter()
        .map(|(_, values)| values.as_slice())
        .filter(|values| !idle || mean(values) < IDLE_MEAN)
        .collect();
    ensure!(
        vms <= all.len(),
        "a hypervisor of {vms} VMs cannot be made of traces of {}",
        all.len()
    );
    let chosen = index::sample(rng, all.len(), vms);
    Ok(chosen.into_iter().map(|at| all[at]).collect())
}

fn day(file: &Path) -> Result<Day> {
    let place = || file.display().to_string();
    let mut reader = csv::Reader::from_reader(decoded(file).with_context(place)?);
    let mut day = Day::new();
    let mut names = BTreeSet::new();
    for record in reader.records() {
        let record = record.with_context(place)?;
        let name = record.get(0).unwrap_or_default().to_owned();
        let values = record
            .iter()
            .skip(1)
            .map(|cell| match cell.trim().parse::<f64>() {
                Ok(value) if (0.0..=100.0).contains(&value) => Ok(value),
                _ => Err(anyhow::anyhow!(
                    "{}, VM {name}: \"{cell}\" is no percentage, a number from 0 to 100",
                    place()
                )),
            })
            .collect::<Result<Vec<f64>>>()?;
        ensure!(
            values.len() > 1,
            "{}, VM {name}: no values; a line takes a name and the percentages of a day",
            place()
        );
        ensure!(
            names.insert(name.clone()),
            "{}: the VM {name} is there twice",
            place()
        );
        day.push((name, values));
    }
    ensure!(!day.is_empty(), "{}: there is no VM in it", place());
    Ok(day)
}

/// Brings the noise from one sample to the next (PlanetLab: standard deviation 0.8 of the mean) to what the VMs of clouds show
/// (0.02 to 0.4): deviations from the VM's mean are scaled by a factor between 0.03 and 0.5. What that takes away comes back as
/// workload of each VM alone: about one change of level a day and, in three of ten VMs, spikes of one sample.
fn quieten(rng: &mut ChaCha8Rng, values: &mut Values, day: usize) {
    let levels = Normal::new(0.0, 0.4).expect("a standard deviation above zero");
    for vm in values {
        let mean = vm.iter().sum::<f64>() / vm.len() as f64;
        let scale = rng.random_range(0.03_f64.ln()..0.5_f64.ln()).exp();
        for value in &mut *vm {
            *value = mean + scale * (*value - mean);
        }
        for row in 0..vm.len() {
            if rng.random_bool(1.0 / day as f64) {
                let factor: f64 = levels.sample(rng);
                let factor = factor.exp();
                vm[row..].iter_mut().for_each(|value| *value *= factor);
            }
        }
        if rng.random_bool(0.3) {
            for value in &mut *vm {
                if rng.random_bool(0.01) {
                    *value += rng.random_range(5.0..40.0);
                }
            }
        }
        for value in vm {
            *value = value.clamp(0.0, 100.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn folder(days: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in days {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    fn two_days() -> Background {
        let folder = folder(&[
            ("a.csv", "vm,s0,s1,s2\nx,10,20,30\ny,1,1,1\n"),
            ("b.csv", "vm,s0,s1,s2\ny,2,2,2\nz,90,90,90\n"),
        ]);
        Background::traces(folder.path()).unwrap()
    }

    #[test]
    fn a_day_is_read_to_and_fro_without_a_jump() {
        let background = two_days();
        for seed in 0..20 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (values, _) = background
                .normal(&mut rng, 2, 50, false, Regime::Raw)
                .unwrap();
            for vm in &values {
                assert!(vm.windows(2).all(|w| (w[1] - w[0]).abs() <= 11.0), "{vm:?}");
            }
        }
    }

    #[test]
    fn vms_of_two_days_are_joined_by_name() {
        let Background::Contiguous(day) = two_days().contiguous("a", "b").unwrap() else {
            panic!("contiguous days");
        };
        assert_eq!(day, [("y".to_owned(), vec![1.0, 1.0, 1.0, 2.0, 2.0, 2.0])]);
        let error = two_days().contiguous("a", "c").unwrap_err().to_string();
        assert!(error.contains("\"c\"") && error.contains("a, b"), "{error}");
    }

    #[test]
    fn parts_share_no_vm_and_lose_none() {
        let names = |part| {
            let mut background = two_days();
            background.keep_part(part, 3);
            let Background::Days(days) = background else {
                panic!("days");
            };
            let all = days.into_values().flatten().map(|(name, _)| name);
            all.collect::<BTreeSet<String>>()
        };
        let parts = [names(1), names(2), names(3)];
        assert_eq!(parts.iter().map(BTreeSet::len).sum::<usize>(), 3);
        let all: BTreeSet<&String> = parts.iter().flatten().collect();
        assert_eq!(all.len(), 3);
    }

    #[test]
    fn what_is_no_trace_is_refused_with_its_place() {
        for (content, says) in [
            ("vm,s0,s1\nx,1,101\n", "VM x: \"101\" is no percentage"),
            ("vm,s0\nx,1\n", "VM x: no values"),
            ("vm,s0,s1\n", "there is no VM in it"),
            ("vm,s0,s1\nx,1,2\nx,1,2\n", "the VM x is there twice"),
        ] {
            let folder = folder(&[("a.csv", content)]);
            let error = format!("{:#}", Background::traces(folder.path()).unwrap_err());
            assert!(error.contains(says) && error.contains("a.csv"), "{error}");
        }
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let error = two_days()
            .normal(&mut rng, 3, 9, false, Regime::Raw)
            .unwrap_err();
        assert!(error.to_string().contains("3 VMs"), "{error}");
    }

    #[test]
    fn quiet_vms_have_a_fraction_of_the_noise() {
        let noise = |regime| {
            let mut ratios = Vec::new();
            for seed in 0..30 {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                let (values, _) = Background::Synthetic(DAY)
                    .normal(&mut rng, 20, 575, false, regime)
                    .unwrap();
                for vm in values {
                    let mean = vm.iter().sum::<f64>() / 575.0;
                    let steps: f64 = vm.windows(2).map(|w| (w[1] - w[0]).abs()).sum();
                    ratios.push(steps / 574.0 / mean.max(0.1));
                }
            }
            ratios.sort_unstable_by(f64::total_cmp);
            ratios[ratios.len() / 2]
        };
        let (raw, quiet) = (noise(Regime::Raw), noise(Regime::Quiet));
        assert!((0.3..0.9).contains(&raw), "{raw}");
        assert!(quiet < raw / 3.0, "{quiet} of {raw}");
    }
}
