//! Recordings that are held in memory, for forms that do not come row by row.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

use super::limits::LAST_ROW;
use super::reading::{Column, Reading, mismatch, spacing};
use super::{Recording, Rows};
use crate::clock::Clock;

/// The samples of one device of a VM, or of the VM itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Points {
    /// The hypervisor.
    pub hypervisor: String,
    /// The VM.
    pub vm: String,
    /// The metric, if known.
    pub metric: Option<String>,
    /// What distinguishes several series of one VM and metric, such as a disk; those of one device are parts of one series.
    pub device: String,
    /// Times in seconds since the epoch, and values; NaN is a missing sample.
    pub points: Vec<(f64, f64)>,
}

/// The devices of each metric and VM.
type Columns = BTreeMap<(Option<String>, String), Vec<Points>>;

/// Columns of samples, each with the numbers of their rows, rising.
#[derive(Debug)]
pub struct Table {
    columns: Vec<Vec<(u64, f64)>>,
    /// The next sample of each column.
    next: Vec<usize>,
}

impl Table {
    /// The next row that has a sample: fills `values` and returns its number; `None` at the end.
    pub fn next_row(&mut self, values: &mut Vec<Option<f64>>) -> Option<u64> {
        let heads = self.columns.iter().zip(&self.next);
        let row = heads
            .filter_map(|(column, at)| column.get(*at).map(|s| s.0))
            .min()?;
        values.clear();
        for (column, at) in self.columns.iter().zip(&mut self.next) {
            values.push(match column.get(*at) {
                Some((of, value)) if *of == row => {
                    *at += 1;
                    Some(*value)
                }
                _ => None,
            });
        }
        Some(row)
    }
}

/// The recordings of the hypervisors that `points` are of, by name. Devices of one VM and metric are added up, which is noted unless
/// `adds_up` says that this is what they are for. `place` is for messages.
///
/// # Errors
/// A value that is none, unless `reading` is lenient, and times that are too far apart.
pub fn recordings(
    points: Vec<Points>,
    reading: &Reading,
    place: &str,
    adds_up: bool,
) -> Result<Vec<Recording>> {
    let mut points = joined(points);
    let mut bad: BTreeMap<String, u64> = BTreeMap::new();
    for of_device in &mut points {
        let place = || {
            format!(
                "{place}: the VM {} of {}",
                of_device.vm, of_device.hypervisor
            )
        };
        for (time, value) in &mut of_device.points {
            ensure!(time.is_finite(), "{}: a time is {time}", place());
            if value.is_nan() || (0.0..f64::INFINITY).contains(value) {
                continue;
            }
            if !reading.lenient {
                bail!(
                    "{}: {value} at {time} is not a value; it takes a finite number that is not negative, or NaN where the sample is \
                     missing (--lenient reads it as missing)",
                    place()
                );
            }
            *value = f64::NAN;
            *bad.entry(of_device.hypervisor.clone()).or_default() += 1;
        }
        of_device.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        // What is there twice, as where two queries overlap, counts once.
        of_device.points.dedup_by(|later, first| later.0 == first.0);
    }
    let mut by_hypervisor: BTreeMap<String, Columns> = BTreeMap::new();
    for of_device in points {
        let columns = by_hypervisor
            .entry(of_device.hypervisor.clone())
            .or_default();
        let key = (of_device.metric.clone(), of_device.vm.clone());
        columns.entry(key).or_default().push(of_device);
    }
    by_hypervisor
        .into_iter()
        .map(|(hypervisor, columns)| {
            let bad = bad.get(&hypervisor).copied().unwrap_or(0);
            let (mut recording, added_up) = recording(hypervisor, columns, reading, place, bad)?;
            if !adds_up {
                recording.notes.extend(added_up);
            }
            Ok(recording)
        })
        .collect()
}

/// Parts of one series as one.
fn joined(points: Vec<Points>) -> Vec<Points> {
    let mut all: BTreeMap<(String, String, Option<String>, String), Points> = BTreeMap::new();
    for part in points {
        let key = (
            part.hypervisor.clone(),
            part.vm.clone(),
            part.metric.clone(),
            part.device.clone(),
        );
        match all.get_mut(&key) {
            Some(known) => known.points.extend(part.points),
            None => {
                all.insert(key, part);
            }
        }
    }
    all.into_values().collect()
}

fn recording(
    hypervisor: String,
    columns: Columns,
    reading: &Reading,
    place: &str,
    bad_cells: u64,
) -> Result<(Recording, Vec<String>)> {
    // Each metric has its own interval: that which most of its VMs have.
    let mut spacings: BTreeMap<&Option<String>, Vec<f64>> = BTreeMap::new();
    for ((metric, _), devices) in &columns {
        let of_devices = devices.iter();
        let of_metric = of_devices.filter_map(|d| spacing(d.points.iter().map(|p| p.0)));
        spacings.entry(metric).or_default().extend(of_metric);
    }
    let intervals: BTreeMap<Option<String>, f64> = spacings
        .into_iter()
        .filter_map(|(metric, mut all)| {
            all.sort_unstable_by(f64::total_cmp);
            Some((metric.clone(), *all.get(all.len() / 2)?))
        })
        .collect();
    let found = intervals.values().copied().reduce(f64::min);
    let interval = reading.interval.or(found);
    let times = || {
        columns
            .values()
            .flatten()
            .flat_map(|d| &d.points)
            .map(|p| p.0)
    };
    let start = times().fold(f64::INFINITY, f64::min);
    let mut notes = Vec::new();
    let mut table = Vec::with_capacity(columns.len());
    let mut names = Vec::with_capacity(columns.len());
    let step = interval.unwrap_or(1.0);
    if start.is_finite() && !times().all(|time| (time - start) / step <= LAST_ROW as f64) {
        bail!(
            "{place}: the times of {hypervisor} begin {} and are more than {LAST_ROW} intervals of {step} s apart",
            Clock::utc(start)
        );
    }
    if let Some((given, found)) = reading.interval.zip(found) {
        notes.extend(mismatch(given, found).map(|what| format!("{hypervisor}: {what}")));
    }
    let mut added_up: BTreeSet<Option<String>> = BTreeSet::new();
    for ((metric, vm), devices) in columns {
        if devices.len() > 1 {
            added_up.insert(metric.clone());
        }
        let rows = devices.iter().map(|d| rows(&d.points, start, step));
        let rows = rows.collect::<Vec<_>>();
        let own = metric_interval(reading, &intervals, &metric, interval);
        table.push(sum(rows));
        names.push(Column {
            vm,
            metric,
            interval: own,
        });
    }
    let added_up = added_up.into_iter().map(|metric| {
        let metric = metric.map_or_else(String::new, |metric| format!(" of {metric}"));
        format!("{hypervisor}: VMs have several series{metric}, as of several devices or vCPUs; those of a VM are added up")
    });
    let added_up = added_up.collect();
    let recording = Recording {
        hypervisor,
        place: place.to_owned(),
        columns: names,
        start: start.is_finite().then_some(start),
        interval,
        notes,
        bad_cells,
        rows: Rows::Table(Table {
            next: vec![0; table.len()],
            columns: table,
        }),
    };
    Ok((recording, added_up))
}

/// The interval of a metric where it is not that of the rows.
fn metric_interval(
    reading: &Reading,
    intervals: &BTreeMap<Option<String>, f64>,
    metric: &Option<String>,
    rows: Option<f64>,
) -> Option<f64> {
    if reading.interval.is_some() {
        return None;
    }
    intervals
        .get(metric)
        .copied()
        .filter(|own| Some(*own) != rows)
}

/// The samples by row: the mean where a row has several.
fn rows(points: &[(f64, f64)], start: f64, interval: f64) -> Vec<(u64, f64)> {
    let mut rows: Vec<(u64, f64, u32)> = Vec::with_capacity(points.len());
    for (time, value) in points.iter().filter(|p| !p.1.is_nan()) {
        let row = ((time - start) / interval).round() as u64;
        match rows.last_mut() {
            Some((last, sum, count)) if *last == row => {
                *sum += value;
                *count += 1;
            }
            _ => rows.push((row, *value, 1)),
        }
    }
    let mean = |(row, sum, count): (u64, f64, u32)| (row, sum / f64::from(count));
    rows.into_iter().map(mean).collect()
}

/// The sums of the devices of a VM, in rows in which all have a sample that are there at that time.
fn sum(mut devices: Vec<Vec<(u64, f64)>>) -> Vec<(u64, f64)> {
    if devices.len() == 1 {
        return devices.remove(0);
    }
    let mut sums: BTreeMap<u64, (f64, u32)> = BTreeMap::new();
    for (row, value) in devices.iter().flatten() {
        let (sum, count) = sums.entry(*row).or_default();
        *sum += value;
        *count += 1;
    }
    let lives: Vec<(u64, u64)> = devices
        .iter()
        .filter_map(|d| Some((d.first()?.0, d.last()?.0)))
        .collect();
    let there = |row: u64| {
        lives
            .iter()
            .filter(|(from, to)| (*from..=*to).contains(&row))
            .count()
    };
    let complete = sums
        .into_iter()
        .filter(|(row, (_, count))| *count as usize >= there(*row));
    complete.map(|(row, (sum, _))| (row, sum)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(vm: &str, metric: &str, points: &[(f64, f64)]) -> Points {
        Points {
            hypervisor: "hv1".into(),
            vm: vm.into(),
            metric: Some(metric.into()),
            device: points.len().to_string(),
            points: points.to_vec(),
        }
    }

    fn all(mut recording: Recording) -> Vec<(u64, Vec<Option<f64>>)> {
        let (mut rows, mut values) = (Vec::new(), Vec::new());
        while let Some(row) = recording.next_row(&mut values).unwrap() {
            rows.push((row, values.clone()));
        }
        rows
    }

    fn one(points: Vec<Points>, reading: &Reading) -> Recording {
        recordings(points, reading, "a.json", false)
            .unwrap()
            .remove(0)
    }

    #[test]
    fn times_that_are_a_little_off_make_rows() {
        let a = points(
            "a",
            "cpu",
            &[(1000.0, 1.0), (1010.1, 2.0), (1019.9, 3.0), (1040.0, 4.0)],
        );
        let b = points(
            "b",
            "cpu",
            &[(1002.0, 5.0), (1012.0, f64::NAN), (1022.0, 6.0)],
        );
        let recording = one(vec![b, a], &Reading::default());
        assert_eq!(
            (recording.start, recording.interval),
            (Some(1000.0), Some(10.0))
        );
        assert_eq!(
            all(recording),
            [
                (0, vec![Some(1.0), Some(5.0)]),
                (1, vec![Some(2.0), None]),
                (2, vec![Some(3.0), Some(6.0)]),
                (4, vec![Some(4.0), None]),
            ]
        );
    }

    #[test]
    fn devices_are_added_up_where_all_report_and_metrics_keep_their_intervals() {
        let vda = points("a", "disk_ops", &[(0.0, 1.0), (60.0, 2.0), (120.0, 3.0)]);
        let vdb = points("a", "disk_ops", &[(0.0, 10.0), (120.0, 10.0)]);
        let cpu: Vec<(f64, f64)> = (0..13).map(|i| (f64::from(i) * 10.0, 5.0)).collect();
        let recording = one(
            vec![vda, vdb, points("a", "cpu", &cpu)],
            &Reading::default(),
        );
        assert!(
            recording.notes[0].contains("several series of disk_ops"),
            "{:?}",
            recording.notes
        );
        assert_eq!(recording.columns[0].interval, None);
        assert_eq!(
            recording.columns[1].interval,
            Some(120.0),
            "{:?}",
            recording.columns
        );
        let rows = all(recording);
        assert_eq!(rows[0].1, [Some(5.0), Some(11.0)]);
        assert_eq!(rows[6].1, [Some(5.0), None], "vdb is missing");
        assert_eq!(rows[12].1, [Some(5.0), Some(13.0)]);
    }

    #[test]
    fn a_given_interval_averages_what_falls_into_a_row_and_says_that_it_differs() {
        let reading = Reading {
            interval: Some(20.0),
            ..Reading::default()
        };
        let a: Vec<(f64, f64)> = (0..6)
            .map(|i| (f64::from(i) * 10.0, f64::from(i)))
            .collect();
        let recording = one(vec![points("a", "cpu", &a)], &reading);
        assert!(
            recording.notes[0].contains("10 s apart"),
            "{:?}",
            recording.notes
        );
        let rows = all(recording);
        assert_eq!(rows.len(), 4, "{rows:?}");
        assert_eq!(rows[1].1, [Some(1.5)]);
    }

    #[test]
    fn values_that_are_none_are_named_or_counted() {
        let a = vec![points("a", "cpu", &[(5.0, -1.0), (6.0, 1.0)])];
        let error = recordings(a.clone(), &Reading::default(), "a.json", false).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("the VM a of hv1: -1 at 5 is not a value"),
            "{error}"
        );
        let reading = Reading {
            lenient: true,
            ..Reading::default()
        };
        assert_eq!(one(a, &reading).bad_cells, 1);
        let far = vec![points(
            "a",
            "cpu",
            &[(0.0, 1.0), (0.01, 1.0), (0.02, 1.0), (1e15, 1.0)],
        )];
        let error = recordings(far, &Reading::default(), "a.json", false).unwrap_err();
        assert!(error.to_string().contains("intervals"), "{error}");
    }
}
