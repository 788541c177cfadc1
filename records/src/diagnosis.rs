//! Why a detector says nothing about recorded metrics: what their values, rows and times look like.
//!
//! A detector that hears nothing that it can compare is silent, and so is one that finds nothing. The difference is how long at least
//! two VMs voted, and where that was short, the data often show why.

use std::collections::HashMap;

use bellwether_core::had::{Detector, HadOptions, Observation};
use bellwether_core::units::{Interval, Time};

use crate::series::Column;

/// Below this share of the time with two votes, a line says why.
const VOTED_MIN: f64 = 0.25;
/// The most different distances that are counted.
const DISTANCES_MAX: usize = 64;
/// Samples and changes from which a VM's values show a pattern.
const SAMPLES_MIN: u64 = 30;
/// See [`SAMPLES_MIN`].
const CHANGES_MIN: u32 = 8;
/// The share of VMs or steps that makes a pattern.
const MOST: f64 = 0.8;
/// If the VMs of a made-up hypervisor do not vote by this row, the search for when they do ends.
const WARM_UP_ROWS_MAX: u64 = 20_000;
/// No value of a metric in percent above this: cores, shares, or VMs that do nothing.
const SMALL_PERCENT: f64 = 4.0;

/// Counts of distances, of which the most frequent is wanted.
#[derive(Debug, Default)]
struct Distances {
    /// The first one, which most others mostly are: it takes no search.
    first: (u64, u32),
    others: HashMap<u64, u32>,
    all: u32,
}

impl Distances {
    fn add(&mut self, distance: u64) {
        if self.all == 0 {
            self.first.0 = distance;
        }
        self.all = self.all.saturating_add(1);
        if distance == self.first.0 {
            self.first.1 = self.first.1.saturating_add(1);
        } else if self.others.len() < DISTANCES_MAX || self.others.contains_key(&distance) {
            *self.others.entry(distance).or_default() += 1;
        }
    }

    /// The distance that most others are, or are multiples of: a value may stay the same for two renewals.
    fn usual(&self) -> Option<u64> {
        if self.all == 0 {
            return None;
        }
        let counts = || {
            [self.first]
                .into_iter()
                .chain(self.others.iter().map(|(d, c)| (*d, *c)))
        };
        let (most, _) = counts().max_by_key(|(distance, count)| (*count, u64::MAX - distance))?;
        let fitting = counts().filter(|(distance, _)| distance % most == 0);
        let fitting: u32 = fitting.map(|(_, count)| count).sum();
        (f64::from(fitting) >= MOST * f64::from(self.all)).then_some(most)
    }
}

/// What the samples of one column look like.
#[derive(Debug, Default)]
struct Seen {
    samples: u64,
    first: u64,
    last: u64,
    last_value: f64,
    most: f64,
    rises: u64,
    falls: u64,
    /// Samples since the last change, and distances between changes, in samples.
    since_change: u64,
    changes: Distances,
    /// Distances between samples, in rows.
    gaps: Distances,
}

impl Seen {
    fn add(&mut self, row: u64, value: f64) {
        if self.samples == 0 {
            (self.first, self.last_value) = (row, value);
        } else {
            self.gaps.add(row - self.last);
            self.since_change += 1;
            if value != self.last_value {
                if self.rises + self.falls > 0 {
                    self.changes.add(self.since_change);
                }
                self.since_change = 0;
                self.rises += u64::from(value > self.last_value);
                self.falls += u64::from(value < self.last_value);
            }
        }
        self.samples += 1;
        (self.last, self.last_value) = (row, value);
        self.most = self.most.max(value);
    }

    /// A counter never falls, but for restarts, and stands still at times.
    fn looks_like_a_counter(&self) -> bool {
        self.samples >= SAMPLES_MIN
            && self.rises as f64 >= 0.5 * self.samples as f64
            && self.falls <= self.samples / 100
    }

    /// Every how many samples the value is renewed, where that is not each.
    fn renewed_every(&self) -> Option<u64> {
        let enough = self.samples >= SAMPLES_MIN && self.changes.all >= CHANGES_MIN;
        self.changes.usual().filter(|every| enough && *every >= 2)
    }

    fn rows(&self) -> u64 {
        if self.samples == 0 {
            0
        } else {
            self.last - self.first + 1
        }
    }
}

/// What one metric looks like.
#[derive(Debug, Default)]
struct Metric {
    columns: Vec<usize>,
    /// Rows with a sample, rows with two or more, and all samples.
    rows: u64,
    shared_rows: u64,
    samples: u64,
    /// Rows after which two or more VMs voted.
    said: u64,
    last_row: Option<u64>,
    steps: Distances,
}

/// Watches while a recording is replayed.
#[derive(Debug)]
pub struct Diagnosis {
    hypervisor: String,
    options: HadOptions,
    metrics: Vec<(String, Metric)>,
    seen: Vec<Seen>,
}

impl Diagnosis {
    /// Watches a recording of a hypervisor with these columns, replayed with `options`.
    pub fn new(hypervisor: &str, columns: &[Column], options: &HadOptions) -> Self {
        let default = options.metrics.first().cloned().unwrap_or_default();
        let mut metrics: Vec<(String, Metric)> = Vec::new();
        for (at, column) in columns.iter().enumerate() {
            let name = column.metric.as_ref().unwrap_or(&default);
            let place = metrics.iter().position(|(known, _)| known == name);
            let place = place.unwrap_or_else(|| {
                metrics.push((name.clone(), Metric::default()));
                metrics.len() - 1
            });
            metrics[place].1.columns.push(at);
        }
        Self {
            hypervisor: hypervisor.to_owned(),
            options: options.clone(),
            metrics,
            seen: columns.iter().map(|_| Seen::default()).collect(),
        }
    }

    /// Takes a row that `detector` has observed.
    pub fn row(&mut self, row: u64, values: &[Option<f64>], detector: &Detector) {
        for (seen, value) in self.seen.iter_mut().zip(values) {
            if let Some(value) = value {
                seen.add(row, *value);
            }
        }
        for (_, metric) in &mut self.metrics {
            let count = metric
                .columns
                .iter()
                .filter(|at| values[**at].is_some())
                .count() as u64;
            if count == 0 {
                continue;
            }
            metric.rows += 1;
            metric.shared_rows += u64::from(count >= 2);
            metric.samples += count;
            if let Some(last) = metric.last_row.replace(row) {
                metric.steps.add(row - last);
            }
        }
        let statuses = detector.statuses_of(&self.hypervisor);
        for status in statuses.filter(|status| status.voters >= 2) {
            if let Some((_, metric)) = self
                .metrics
                .iter_mut()
                .find(|(name, _)| name == status.metric)
                && metric.last_row == Some(row)
            {
                metric.said += 1;
            }
        }
    }

    /// What an operator should know: a line for each metric in which no two VMs voted for most of the time, and what looks wrong in
    /// the values.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (name, metric) in &self.metrics {
            if metric.rows == 0 {
                continue;
            }
            if !self.options.metrics.contains(name) {
                warnings.push(format!(
                    "{name}: not evaluated, because the option \"metrics\" names only {}",
                    self.options.metrics.join(", ")
                ));
                continue;
            }
            let counters = self.share(metric, Seen::looks_like_a_counter);
            if counters >= MOST {
                warnings.push(format!(
                    "{name}: the values hardly ever fall: they look like counters; replay their rates (in Prometheus, \
                     rate(...)), for cpu in percent of a core"
                ));
            }
            if let Some(every) = self.renewed_every(metric) {
                let seconds = every as f64 * self.options.interval;
                warnings.push(format!(
                    "{name}: the values are renewed only every {every} samples, the others repeat them; record or query them every {}, as \
                     they are renewed",
                    duration(seconds)
                ));
            }
            let share = metric.said as f64 / metric.rows as f64;
            if share >= VOTED_MIN {
                continue;
            }
            let interval = self.options.interval;
            warnings.push(format!(
                "{name}: at least two VMs voted for {} of {}: {}",
                duration(metric.said as f64 * interval),
                duration(metric.rows as f64 * interval),
                self.reasons(name, metric).join("; ")
            ));
        }
        warnings
    }

    /// The share of a metric's VMs with samples that `is` true of.
    fn share(&self, metric: &Metric, is: impl Fn(&Seen) -> bool) -> f64 {
        let seen = || {
            metric
                .columns
                .iter()
                .map(|at| &self.seen[*at])
                .filter(|seen| seen.samples > 0)
        };
        seen().filter(|seen| is(seen)).count() as f64 / seen().count().max(1) as f64
    }

    /// Every how many samples most VMs' values are renewed, where that is not each.
    fn renewed_every(&self, metric: &Metric) -> Option<u64> {
        let mut all: Vec<u64> = metric
            .columns
            .iter()
            .filter_map(|at| self.seen[*at].renewed_every())
            .collect();
        let with_samples = metric
            .columns
            .iter()
            .filter(|at| self.seen[**at].samples > 0)
            .count();
        all.sort_unstable();
        let usual = *all.get(all.len() / 2)?;
        let alike = all.iter().filter(|every| **every == usual).count();
        (alike * 2 > with_samples).then_some(usual)
    }

    /// Why no two VMs voted.
    fn reasons(&self, name: &str, metric: &Metric) -> Vec<String> {
        let mut reasons = Vec::new();
        let interval = self.options.interval;
        let seen: Vec<&Seen> = metric
            .columns
            .iter()
            .map(|at| &self.seen[*at])
            .filter(|s| s.samples > 0)
            .collect();
        if seen.len() < 2 {
            reasons.push("it has only one VM with samples, and agreement takes two".to_owned());
            return reasons;
        }
        if let Some(step) = metric.steps.usual().filter(|step| *step > 1) {
            reasons.push(format!(
                "the numbers of the rows rise by {step}, so that all rows between have no sample; if they are seconds, --times seconds \
                 reads them (and the interval from them); otherwise the interval is {} s",
                step as f64 * interval
            ));
        }
        let together = metric.shared_rows as f64 / metric.rows as f64;
        let in_a_row = metric.samples as f64 / metric.rows as f64;
        let every = seen
            .iter()
            .filter(|s| s.gaps.usual().is_some_and(|gap| gap > 1))
            .count();
        if together < 0.5 || in_a_row < 0.5 * seen.len() as f64 && every * 2 > seen.len() {
            reasons.push(format!(
                "a row has samples of {in_a_row:.1} of {} VMs on average: the VMs report in different rows; put the samples of one interval \
                 into one row",
                seen.len()
            ));
        }
        let most = seen.iter().map(|s| s.most).fold(0.0, f64::max);
        if name == "cpu" && most <= SMALL_PERCENT {
            reasons.push(format!(
                "no value is above {most}: if these are cores or shares of one, and not percent, multiply them by 100; if they are \
                 percent, the VMs are idle, and idle VMs do not vote"
            ));
        }
        if let Some(warm_up) = warm_up(&self.options, name) {
            let recorded = seen.iter().map(|s| s.last + 1).max().unwrap_or(0)
                - seen.iter().map(|s| s.first).min().unwrap_or(0);
            let mut lives: Vec<u64> = seen.iter().map(|s| s.rows()).collect();
            lives.sort_unstable();
            let short = lives.iter().filter(|rows| **rows <= warm_up).count();
            let takes = duration(warm_up as f64 * interval);
            if recorded <= warm_up {
                reasons.push(format!(
                    "it covers {}, and VMs vote only after {takes}; replay a longer recording",
                    duration(recorded as f64 * interval)
                ));
            } else if short * 2 >= lives.len() {
                reasons.push(format!(
                    "{short} of {} VMs live for less than the {takes} after which a VM votes (half of them for {} at most)",
                    lives.len(),
                    duration(lives[lives.len() / 2] as f64 * interval)
                ));
            }
        }
        if reasons.is_empty() {
            reasons.push(
                "the VMs are idle or at their limit, report too rarely, or repeat one value"
                    .to_owned(),
            );
        }
        reasons
    }
}

/// Rows after which VMs of a made-up hypervisor vote under these options, found by trying; `None` if they do not.
fn warm_up(options: &HadOptions, metric: &str) -> Option<u64> {
    const VMS: [&str; 4] = ["a", "b", "c", "d"];
    let mut detector = Detector::new(options.clone()).ok()?;
    // Numerical Recipes' generator: any noise does.
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 8) / f64::from(1_u32 << 24)
    };
    for row in 0..WARM_UP_ROWS_MAX {
        let at = |row: u64| Time::from_secs(row as f64 * options.interval);
        for vm in VMS {
            detector.observe(&Observation {
                hypervisor: "h",
                vm,
                metric,
                time: at(row),
                interval: Some(Interval::from_secs(options.interval)),
                value: 20.0 + 20.0 * noise(),
            });
        }
        detector.advance(at(row + 1));
        if detector.statuses().any(|status| status.voters >= 2) {
            return Some(row);
        }
    }
    None
}

/// A length of time for people.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0} s"),
        s if s < 7200.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feed::Feed;

    fn options(interval: &str) -> HadOptions {
        let mut options = HadOptions::default();
        options.set("interval", interval).unwrap();
        options
    }

    fn columns(vms: usize) -> Vec<Column> {
        (0..vms).map(|vm| Column::from(format!("vm{vm}"))).collect()
    }

    /// The warnings about `rows` rows of `vms` VMs.
    fn warnings(
        vms: usize,
        rows: u64,
        step: u64,
        value: impl Fn(usize, u64) -> Option<f64>,
    ) -> String {
        let options = options("300");
        let mut feed = Feed::new(&options, "hv", columns(vms)).unwrap();
        let mut diagnosis = Diagnosis::new("hv", &columns(vms), &options);
        for row in 0..rows {
            let values: Vec<Option<f64>> = (0..vms).map(|vm| value(vm, row)).collect();
            if values.iter().any(Option::is_some) {
                feed.row(row * step, &values);
                diagnosis.row(row * step, &values, feed.detector());
            }
        }
        diagnosis.warnings().join("\n")
    }

    /// Noise that repeats nothing for long.
    fn noise(vm: usize, row: u64) -> f64 {
        let mixed = (row + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
            ^ (vm as u64 + 7).wrapping_mul(0xD1B5_4A32_D192_ED03);
        let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        ((mixed >> 40) as f64) / f64::from(1 << 24)
    }

    fn percent(vm: usize, row: u64) -> Option<f64> {
        Some(20.0 + 10.0 * noise(vm, row))
    }

    #[test]
    fn a_recording_in_which_vms_vote_needs_no_line() {
        assert_eq!(warnings(5, 400, 1, percent), "");
    }

    #[test]
    fn what_keeps_vms_from_voting_is_named() {
        let cores = |vm, row| percent(vm, row).map(|value| value / 100.0);
        let staggered = |vm: usize, row: u64| percent(vm, row).filter(|_| row % 5 == vm as u64);
        let short = |vm: usize, row: u64| percent(vm, row).filter(|_| row / 20 == vm as u64);
        let alone = |vm: usize, row| percent(vm, row).filter(|_| vm == 0);
        for (text, says) in [
            (warnings(5, 600, 1, cores), "cores or shares of one"),
            (warnings(5, 600, 1, staggered), "1.0 of 5 VMs on average"),
            (warnings(5, 400, 10, percent), "rise by 10"),
            (
                warnings(5, 20, 1, percent),
                "covers 100 min, and VMs vote only after",
            ),
            (
                warnings(20, 400, 1, short),
                "20 of 20 VMs live for less than",
            ),
            (warnings(2, 400, 1, alone), "only one VM with samples"),
        ] {
            assert!(text.contains("at least two VMs voted for"), "{text}");
            assert!(text.contains(says), "{says}: {text}");
        }
    }

    #[test]
    fn values_that_look_like_counters_or_are_stale_are_named_also_where_vms_vote() {
        let counter = |vm: usize, row: u64| Some(row as f64 * 300.0 + 100.0 * noise(vm, row));
        assert!(warnings(4, 400, 1, counter).contains("look like counters"));
        let stale = |vm, row| percent(vm, row / 30);
        let text = warnings(4, 900, 1, stale);
        assert!(text.contains("renewed only every 30 samples"), "{text}");
        assert!(text.contains("every 2.5 h"), "{text}");
    }

    #[test]
    fn whole_percentages_of_quiet_vms_are_neither_stale_nor_counters() {
        let whole = |vm, row| percent(vm, row).map(|value| (value / 8.0).round());
        assert_eq!(warnings(4, 600, 1, whole), "");
    }

    #[test]
    fn a_metric_that_is_not_watched_is_named() {
        let mut columns = columns(2);
        columns[1].metric = Some("net_octets".into());
        let options = options("300");
        let mut diagnosis = Diagnosis::new("hv", &columns, &options);
        let feed = Feed::new(&options, "hv", columns).unwrap();
        diagnosis.row(0, &[Some(1.0), Some(1.0)], feed.detector());
        let warnings = diagnosis.warnings();
        assert!(
            warnings
                .iter()
                .any(|w| w.starts_with("net_octets: not evaluated")),
            "{warnings:?}"
        );
    }
}
