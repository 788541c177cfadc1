//! Detectors that HAD was compared with in the lecture ("Baseline"): Isolation Forest in two forms, Branch and Border and its
//! online form, E.Divisive. All look at the record of one hypervisor as a whole.

mod bnb;
mod ecp;
mod iforest;
pub mod offline;
#[cfg(test)]
mod reference;

use anyhow::{Result, bail, ensure};

/// So many rows without a change are between two alarms, as between HAD's.
const QUIET_ROWS: u64 = 51;

/// A number that a baseline takes.
struct Spec {
    name: &'static str,
    default: f64,
    least: f64,
    most: f64,
    whole: bool,
}

const fn whole(name: &'static str, default: f64, least: f64, most: f64) -> Spec {
    Spec {
        name,
        default,
        least,
        most,
        whole: true,
    }
}

const fn real(name: &'static str, default: f64, least: f64, most: f64) -> Spec {
    Spec {
        name,
        default,
        least,
        most,
        whole: false,
    }
}

#[derive(Debug, Clone, Copy)]
enum Method {
    IsolationForest,
    IsolationForestFeatures,
    Bnb,
    BnbOnline,
    Ecp,
}

/// The methods by name.
const METHODS: &[(&str, Method)] = &[
    ("iforest", Method::IsolationForest),
    ("iforest_features", Method::IsolationForestFeatures),
    ("bnb", Method::Bnb),
    ("bnb_online", Method::BnbOnline),
    ("ecp", Method::Ecp),
];

impl Method {
    /// What it takes. The lecture names the parameters and not their values; the defaults of its references are used where
    /// they have some, and the others were chosen by F1 on synthetic hypervisors (seed 100, 13 VMs, quiet and raw).
    fn specs(self) -> &'static [Spec] {
        const FOREST: &[Spec] = &[
            whole("trees", 100.0, 1.0, 10_000.0),
            whole("subsample", 256.0, 2.0, 100_000.0),
            real("contamination", 0.05, 0.0, 0.5),
            real("train", 0.4, 0.05, 0.95),
            whole("window_sz", 18.0, 1.0, 10_000.0),
            real("agree", 0.7, 0.0, 1.0),
        ];
        const BORDER: &[Spec] = &[
            whole("trees", 50.0, 1.0, 10_000.0),
            whole("window_sz", 15.0, 2.0, 10_000.0),
            whole("height", 15.0, 1.0, 64.0),
            real("threshold", 5.0, 0.0, 100.0),
        ];
        const BORDER_ONLINE: &[Spec] = &[
            whole("trees", 50.0, 1.0, 10_000.0),
            whole("window_sz", 15.0, 2.0, 10_000.0),
            whole("height", 15.0, 1.0, 64.0),
            real("threshold", 8.0, 0.0, 100.0),
        ];
        const ENERGY: &[Spec] = &[
            whole("changes", 0.0, 0.0, 1000.0),
            whole("min_size", 30.0, 2.0, 10_000.0),
            whole("permutations", 199.0, 1.0, 100_000.0),
            real("significance", 0.05, 0.000_01, 0.99),
            real("alpha", 1.0, 0.01, 2.0),
        ];
        match self {
            Self::IsolationForest | Self::IsolationForestFeatures => FOREST,
            Self::Bnb => BORDER,
            Self::BnbOnline => BORDER_ONLINE,
            Self::Ecp => ENERGY,
        }
    }
}

/// A baseline with its options.
#[derive(Debug, Clone)]
pub struct Baseline {
    method: Method,
    /// In the order of the method's specs.
    values: Vec<f64>,
}

/// The names of the baselines.
pub fn names() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|(name, _)| *name)
}

impl Baseline {
    /// The baseline called `name`, if there is one, with `options`.
    ///
    /// # Errors
    /// An option that it does not take, or a value out of range.
    pub fn new(name: &str, options: &[(&str, &str)]) -> Result<Option<Self>> {
        let Some((_, method)) = METHODS.iter().find(|(known, _)| *known == name) else {
            return Ok(None);
        };
        let specs = method.specs();
        let mut values: Vec<f64> = specs.iter().map(|spec| spec.default).collect();
        for (option, text) in options {
            let Some(at) = specs.iter().position(|spec| spec.name == *option) else {
                let known: Vec<&str> = specs.iter().map(|spec| spec.name).collect();
                bail!(
                    "{name} has no option \"{option}\"; it has {}",
                    known.join(", ")
                );
            };
            let Spec {
                least, most, whole, ..
            } = specs[at];
            let value: f64 = text.parse().unwrap_or(f64::NAN);
            ensure!(
                (least..=most).contains(&value) && !(whole && value.fract() != 0.0),
                "{name}, option \"{option}\": \"{text}\" is not a {} from {least} to {most}",
                if whole { "whole number" } else { "number" }
            );
            values[at] = value;
        }
        Ok(Some(Self {
            method: *method,
            values,
        }))
    }

    fn get(&self, name: &str) -> f64 {
        let at = self.method.specs().iter().position(|s| s.name == name);
        self.values[at.expect("an option of the method")]
    }

    fn size(&self, name: &str) -> usize {
        self.get(name) as usize
    }

    /// The rows at which it raises an alarm: one for each run of changes. `vms`: the values of each VM, NaN where missing.
    /// Draws depend on `seed` alone.
    pub fn alarms(&self, vms: &[Vec<f64>], seed: u64) -> Vec<u64> {
        let rows = filled(vms);
        let found = match self.method {
            Method::IsolationForest => self.forest(&rows, seed),
            Method::IsolationForestFeatures => self.forest(&iforest::features(&rows), seed),
            Method::Bnb | Method::BnbOnline => self.border(&rows, seed),
            Method::Ecp => {
                let options = ecp::Options {
                    changes: Some(self.size("changes")).filter(|changes| *changes > 0),
                    min_size: self.size("min_size"),
                    permutations: self.size("permutations"),
                    significance: self.get("significance"),
                    alpha: self.get("alpha"),
                };
                ecp::e_divisive(&rows, &options, seed)
            }
        };
        runs(found)
    }

    /// Trained on the beginning, it raises an alarm where enough of the last rows are more anomalous than all but the share
    /// `contamination` of those that it was trained on.
    fn forest(&self, rows: &[Vec<f64>], seed: u64) -> Vec<usize> {
        let trained = ((rows.len() as f64 * self.get("train")) as usize).max(2);
        if rows.len() <= trained {
            return Vec::new();
        }
        let (trees, subsample) = (self.size("trees"), self.size("subsample"));
        let forest = iforest::Forest::new(&rows[..trained], trees, subsample, seed);
        let scores: Vec<f64> = rows.iter().map(|row| forest.score(row)).collect();
        let mut sorted = scores[..trained].to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let rank = (1.0 - self.get("contamination")) * (trained - 1) as f64;
        let bar = sorted[rank.round() as usize];
        let window = self.size("window_sz");
        let needed = (self.get("agree") * window as f64).ceil().max(1.0) as usize;
        let odd = |row: &usize| scores[*row] > bar;
        let from = |row: usize| (row + 1).saturating_sub(window).max(trained);
        (trained..rows.len())
            .filter(|&row| (from(row)..=row).filter(odd).count() >= needed)
            .collect()
    }

    /// An alarm where the score has a peak above the threshold, as soon as the window after it is known.
    fn border(&self, rows: &[Vec<f64>], seed: u64) -> Vec<usize> {
        let options = bnb::Options {
            trees: self.size("trees"),
            window: self.size("window_sz"),
            height: self.size("height"),
        };
        let scores = match self.method {
            Method::BnbOnline => bnb::online(rows, &options, seed),
            _ => bnb::offline(rows, &options, seed),
        };
        let threshold = self.get("threshold");
        let peaks = bnb::peaks(&scores);
        let high = peaks.into_iter().filter(|&row| scores[row] >= threshold);
        high.map(|row| row + options.window - 1).collect()
    }
}

/// The rows, one value per VM. A missing sample has the VM's last value, at the beginning its first one; a VM without any is 0.
fn filled(vms: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let length = vms.first().map_or(0, Vec::len);
    let mut last: Vec<f64> = vms
        .iter()
        .map(|vm| vm.iter().copied().find(|v| !v.is_nan()).unwrap_or(0.0))
        .collect();
    (0..length)
        .map(|row| {
            for (last, vm) in last.iter_mut().zip(vms) {
                if !vm[row].is_nan() {
                    *last = vm[row];
                }
            }
            last.clone()
        })
        .collect()
}

/// The first of each run of rows that are no more than [`QUIET_ROWS`] apart.
fn runs(mut rows: Vec<usize>) -> Vec<u64> {
    rows.sort_unstable();
    let mut last: Option<u64> = None;
    let mut first = Vec::new();
    for row in rows.into_iter().map(|row| row as u64) {
        if last.is_none_or(|last| row - last > QUIET_ROWS) {
            first.push(row);
        }
        last = Some(row);
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_filled_with_the_last_value_or_the_first() {
        let nan = f64::NAN;
        let rows = filled(&[vec![nan, 1.0, nan, 3.0], vec![nan; 4]]);
        assert_eq!(rows, [[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [3.0, 0.0]]);
    }

    #[test]
    fn a_run_of_changes_is_one_alarm() {
        assert_eq!(runs(vec![60, 10, 30, 112, 113]), [10, 112]);
    }

    #[test]
    fn options_are_checked() {
        assert!(Baseline::new("oracle", &[]).unwrap().is_none());
        for (option, says) in [
            (("depth", "3"), "has no option \"depth\"; it has trees"),
            (("trees", "2.5"), "not a whole number from 1"),
            (("threshold", "high"), "not a number from 0"),
        ] {
            let error = Baseline::new("bnb", &[option]).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }

    #[test]
    fn every_baseline_finds_a_step_and_gives_the_same_for_the_same_seed() {
        let vm = |vm: usize| -> Vec<f64> {
            let noise = |row: usize| ((row * 37 + vm * 11) % 17) as f64 / 8.0;
            (0..400)
                .map(|row| noise(row) + if row < 240 { 10.0 } else { 25.0 })
                .collect()
        };
        let vms: Vec<Vec<f64>> = (0..6).map(vm).collect();
        for name in names() {
            let baseline = Baseline::new(name, &[]).unwrap().unwrap();
            let alarms = baseline.alarms(&vms, 1);
            assert!(
                alarms.iter().any(|row| (240..290).contains(row)),
                "{name}: {alarms:?}"
            );
            assert_eq!(alarms, baseline.alarms(&vms, 1));
            assert!(
                baseline.alarms(&[vec![1.0; 3], vec![2.0; 3]], 1).is_empty(),
                "{name}"
            );
        }
    }
}
