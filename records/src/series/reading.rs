//! How recorded metrics are to be read, and their columns.

use clap::Args;

use super::csv::Times;

/// Metrics that folders, files and columns may be named after.
pub const METRICS: [&str; 9] = [
    "cpu",
    "disk_ops",
    "disk_time",
    "disk_latency",
    "net_packets",
    "net_errors",
    "net_octets",
    "steal",
    "vcpu_delay",
];

/// How recorded metrics are to be read.
#[derive(Debug, Clone, Default, Args)]
pub struct Reading {
    /// Read an invalid cell of metrics as a missing sample instead of stopping
    #[arg(long)]
    pub lenient: bool,

    /// Label of a series that names its VM [default: the first of domain, vm, vm_name, domain_name, guest, instance_name, name,
    /// instance that all series have]
    #[arg(long, value_name = "LABEL")]
    pub vm_label: Option<String>,

    /// Label of a series that names its hypervisor [default: the first of hypervisor, hypervisor_hostname, host, hostname, node,
    /// instance that all series have, or else the file's name]
    #[arg(long, value_name = "LABEL")]
    pub hypervisor_label: Option<String>,

    /// What the first column of a CSV file of metrics counts [default: rows if it is named t, times if it is named time or its numbers
    /// are too large for rows]
    #[arg(long, value_enum, value_name = "UNIT")]
    pub times: Option<Times>,

    /// Seconds between two rows; none: what the data have.
    #[arg(skip)]
    pub interval: Option<f64>,

    /// Names of metrics besides [`METRICS`].
    #[arg(skip)]
    pub metrics: Vec<String>,
}

impl Reading {
    /// The names that are metrics.
    pub(super) fn known_metrics(&self) -> Vec<&str> {
        let more = self.metrics.iter().map(String::as_str);
        METRICS.into_iter().chain(more).collect()
    }
}

/// A column of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The VM.
    pub vm: String,
    /// The metric; `None`: the first one that the detector watches.
    pub metric: Option<String>,
    /// Seconds between two samples, where they differ from those between two rows.
    pub interval: Option<f64>,
}

impl From<String> for Column {
    fn from(vm: String) -> Self {
        Self {
            vm,
            metric: None,
            interval: None,
        }
    }
}

/// What is wrong with a given interval where samples are `found` seconds apart.
pub(super) fn mismatch(given: f64, found: f64) -> Option<String> {
    ((given - found).abs() > 0.1 * found).then(|| {
        let what = if given < found {
            "most rows have no sample, and VMs without samples do not vote"
        } else {
            "samples of one row are averaged"
        };
        format!(
            "the interval is given as {given} s, and the samples are {found} s apart: {what}; leave --interval out, or give {found}"
        )
    })
}

/// The usual time between two of the times, which rise: the median; near a whole number of seconds, that.
pub(super) fn spacing(times: impl Iterator<Item = f64>) -> Option<f64> {
    let mut last = None;
    let mut steps = Vec::new();
    for time in times {
        if let Some(last) = last.replace(time)
            && time > last
        {
            steps.push(time - last);
        }
    }
    if steps.is_empty() {
        return None;
    }
    let middle = (steps.len() - 1) / 2;
    let (_, median, _) = steps.select_nth_unstable_by(middle, f64::total_cmp);
    let whole = median.round();
    let is_near = whole >= 1.0 && (*median - whole).abs() <= 0.02 * whole;
    Some(if is_near {
        whole
    } else {
        (*median * 1e3).round().max(1.0) / 1e3
    })
}
