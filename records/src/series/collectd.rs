//! Files of collectd: what a name in the folders of its plugins `csv` and `rrdtool` stands for, and counters as rates.

use std::io::BufRead;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};

use super::limits::SAMPLES_MAX;
use crate::files::plain;

/// A gap longer than this, seconds, and than [`GAP_INTERVALS`] has no rate, as in the plugin.
const GAP_SEC: f64 = 300.0;
/// See [`GAP_SEC`].
const GAP_INTERVALS: f64 = 4.0;
/// A counter may fall once, and in this share of its steps: VMs restart. Rates fall in about half of them.
const RESETS_MAX: f64 = 0.05;

/// What a file of the `virt` plugin holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kind {
    /// The detector's name of the metric.
    pub metric: &'static str,
    /// The metric's unit in units of the counter a second: percent of nanoseconds, and 1.
    pub scale: f64,
    /// Whether the values are those of a counter, which rrdtool stores as rates.
    pub is_counter: bool,
}

impl Kind {
    /// What a file is by its name, `TYPE[-INSTANCE][-DATE]` with the ending of a dump or of a compressed file, and the device that
    /// it is of; `None` for what is no metric of a VM.
    pub fn of(file: &Path) -> Option<(Self, String)> {
        let name = file.file_name()?.to_str()?;
        let mut name = plain(name);
        for ending in [".xml", ".txt", ".csv", ".rrd"] {
            name = name.strip_suffix(ending).unwrap_or(name);
        }
        let name = without_date(name);
        let (type_, instance) = name.split_once('-').unwrap_or((name, ""));
        let counter = |metric, scale| Self {
            metric,
            scale,
            is_counter: true,
        };
        let kind = match (type_, instance) {
            ("virt_cpu_total", _) => counter("cpu", 100.0 / 1e9),
            ("disk_ops", _) => counter("disk_ops", 1.0),
            ("disk_time", _) => counter("disk_time", 100.0 / 1e9),
            ("if_packets", _) => counter("net_packets", 1.0),
            ("if_errors", _) => counter("net_errors", 1.0),
            ("percent", "virt_cpu_total") => Self {
                metric: "cpu",
                scale: 1.0,
                is_counter: false,
            },
            _ => return None,
        };
        Some((kind, instance.to_owned()))
    }
}

/// A name without "-YYYY-MM-DD", which the `csv` plugin adds.
fn without_date(name: &str) -> &str {
    let date = name
        .len()
        .checked_sub(11)
        .and_then(|at| name.split_at_checked(at));
    match date {
        Some((before, date))
            if date.bytes().enumerate().all(|(at, byte)| match at {
                0 | 5 | 8 => byte == b'-',
                _ => byte.is_ascii_digit(),
            }) =>
        {
            before
        }
        _ => name,
    }
}

/// The folders of a VM in the folder of a host: `virt` and `virt-VM`.
pub fn vm_folders(host: &Path) -> Result<Vec<(PathBuf, String)>> {
    let mut folders = Vec::new();
    for entry in host
        .read_dir()
        .with_context(|| host.display().to_string())?
    {
        let path = entry.with_context(|| host.display().to_string())?.path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let vm = match name.strip_prefix("virt") {
            Some("") => "",
            Some(rest) => match rest.strip_prefix('-') {
                Some(vm) => vm,
                None => continue,
            },
            None => continue,
        };
        if path.is_dir() {
            folders.push((path.clone(), vm.to_owned()));
        }
    }
    folders.sort();
    Ok(folders)
}

/// Reads a file of the `csv` plugin: `epoch` and one or two values. Two are added up: read and written, received and sent.
/// Counters are returned as rates a second, and values that `StoreRates` made of them as they are.
///
/// # Errors
/// A file of another form.
pub fn read_csv(reader: impl BufRead, is_counter: bool) -> Result<Vec<(f64, f64)>> {
    let mut rows: Vec<(f64, Vec<f64>)> = Vec::new();
    let (mut columns, mut whole) = (0, true);
    for (number, line) in (1..).zip(reader.lines()) {
        let line = line?;
        let line = line.trim();
        let mut cells = line.split(',');
        let first = cells.next().unwrap_or_default();
        if number == 1 {
            ensure!(
                first == "epoch",
                "line 1: the first column is \"{first}\"; a file of collectd's plugin csv begins with \"epoch\""
            );
            columns = cells.count();
            ensure!(
                (1..=2).contains(&columns),
                "line 1: {columns} values; it takes one or two"
            );
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let values: Option<Vec<f64>> = cells
            .map(|cell| {
                whole &= !cell.contains(['.', 'e']);
                let value = cell.trim().parse::<f64>().ok();
                value.or_else(|| cell.trim().eq_ignore_ascii_case("nan").then_some(f64::NAN))
            })
            .collect();
        // "first.parse" as an epoch: the plugin writes three decimals of it.
        let row = first.trim().parse::<f64>().ok().zip(values);
        let row = row.filter(|(time, values)| time.is_finite() && values.len() == columns);
        let row = row.with_context(|| {
            format!("line {number}: \"{line}\" is no time in seconds since the epoch with {columns} numbers")
        })?;
        rows.push(row);
        ensure!(
            rows.len() <= SAMPLES_MAX,
            "there are more than {SAMPLES_MAX} samples in it"
        );
    }
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    if is_counter && whole && only_rises(&rows) {
        return Ok(rates(&rows));
    }
    let sum = |(time, values): (f64, Vec<f64>)| (time, values.iter().sum());
    Ok(rows.into_iter().map(sum).collect())
}

/// Whether values hardly ever fall.
fn only_rises(rows: &[(f64, Vec<f64>)]) -> bool {
    let falls = rows
        .windows(2)
        .filter(|two| two[0].1.iter().zip(&two[1].1).any(|(a, b)| b < a));
    falls.count() as f64 <= 1.0 + RESETS_MAX * rows.len() as f64
}

/// The rates of counters, each at the end of its interval. There is none where a counter falls, for the VM was restarted or has
/// migrated, nor after a gap.
fn rates(rows: &[(f64, Vec<f64>)]) -> Vec<(f64, f64)> {
    let interval = super::reading::spacing(rows.iter().map(|row| row.0)).unwrap_or(GAP_SEC);
    let longest = GAP_SEC.max(GAP_INTERVALS * interval);
    let mut rates = Vec::with_capacity(rows.len());
    let mut last: Option<&(f64, Vec<f64>)> = None;
    for row in rows {
        if let Some((time, values)) = last {
            let seconds = row.0 - time;
            if seconds <= interval / 10.0 {
                // The same sample once more.
                continue;
            }
            let mut steps = values.iter().zip(&row.1).map(|(a, b)| b - a);
            if seconds <= longest && steps.clone().all(|step| step >= 0.0) {
                let all: f64 = steps.by_ref().sum();
                rates.push((row.0, all / seconds));
            }
        }
        last = Some(row);
    }
    rates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_what_a_file_is() {
        for (name, metric, device) in [
            ("virt_cpu_total-2026-03-03", "cpu", ""),
            ("virt_cpu_total.xml", "cpu", ""),
            ("disk_ops-vda-2026-03-03.gz", "disk_ops", "vda"),
            ("disk_time-sda-1.rrd.xml", "disk_time", "sda-1"),
            ("if_packets-vnet0-2026-03-03", "net_packets", "vnet0"),
            ("percent-virt_cpu_total-2026-03-03", "cpu", "virt_cpu_total"),
        ] {
            let (kind, found) = Kind::of(Path::new(name)).unwrap();
            assert_eq!((kind.metric, &*found), (metric, device), "{name}");
        }
        assert!(Kind::of(Path::new("memory-total-2026-03-03")).is_none());
    }

    #[test]
    fn counters_become_rates_but_not_across_resets_and_gaps() {
        let text = "epoch,read,write\n1000.001,10,0\n1010.000,20,10\n1020.000,20,10\n1030.0,5,0\n1040.0,15,10\n1400.0,99,99\n1400.2,99,99\n1410.0,109,109\n";
        let rates = read_csv(text.as_bytes(), true).unwrap();
        let rounded: Vec<(f64, f64)> = rates
            .iter()
            .map(|r| (r.0, (r.1 * 100.0).round() / 100.0))
            .collect();
        assert_eq!(
            rounded[..3],
            [(1010.0, 2.0), (1020.0, 0.0), (1040.0, 2.0)],
            "of {rates:?}"
        );
        assert_eq!(rounded[3..], [(1410.0, 2.0)]);
    }

    #[test]
    fn stored_rates_and_gauges_stay_as_they_are() {
        let rates = read_csv("epoch,value\n1.0,2.5\n2.0,1.25\n3.0,nan\n".as_bytes(), true).unwrap();
        assert_eq!(rates[..2], [(1.0, 2.5), (2.0, 1.25)]);
        let whole: String = (0..40).map(|i| format!("{i},{}\n", 5 + i % 3)).collect();
        let whole = read_csv(format!("epoch,value\n{whole}").as_bytes(), true).unwrap();
        assert_eq!(whole[1], (1.0, 6.0));
        let gauge = read_csv("epoch,value\n1,2\n2,3\n".as_bytes(), false).unwrap();
        assert_eq!(gauge, [(1.0, 2.0), (2.0, 3.0)]);
    }

    #[test]
    fn a_line_of_another_form_is_named() {
        for (text, says) in [
            ("t,a\n", "begins with \"epoch\""),
            ("epoch,value\n1,much\n", "line 2: \"1,much\""),
            ("epoch,value\n1,2,3\n", "with 1 numbers"),
            ("epoch,a,b,c\n", "3 values; it takes one or two"),
        ] {
            let error = format!("{:#}", read_csv(text.as_bytes(), true).unwrap_err());
            assert!(error.contains(says), "{error}");
        }
    }
}
