//! The options of HAD.

use crate::options::{Kind, OptionError, choice, options};

choice! {
    /// Which algorithm judges a hypervisor.
    pub enum Algorithm {
        /// Multi-scale rank shifts with a quorum, the hypervisor's own past as a bar (the default).
        Rank = "rank",
        /// HAD as published (lecture, "HAD algorithm"): z-scores, dynamic filter, colour count over intervals.
        Zscore = "zscore",
        /// IAD (Jindal et al. 2021): window means and a vote.
        Iad = "iad",
    }
}

options! {
    /// The options of a [`Detector`](super::Detector).
    pub struct HadOptions {
        algorithm: Algorithm = "rank", Kind::Choice(Algorithm::WORDS), "",
            "What judges a hypervisor: rank (the default), zscore (HAD as published) or iad (its predecessor).";
        metrics: Vec<String> = "cpu", Kind::Words { max: 16 }, "",
            "The metrics to watch; each is judged by itself. Known to the collectd plugin: cpu, disk_ops, disk_time, net_packets, net_errors.";
        interval: f64 = "10", Kind::Number { min: 0.001, max: 86400.0 }, "seconds",
            "Time between two samples of a VM, where the data do not say.";
        false_alarms_per_month: f64 = "0.1", Kind::Number { min: 0.0001, max: 1000.0 }, "per hypervisor and metric",
            "How many false alarms a month are acceptable; more buys sensitivity (rank).";
        provisional_sec: f64 = "86400", Kind::Number { min: 0.0, max: 31_536_000.0 }, "seconds",
            "Alarms on a hypervisor known for less than this are provisional, with severity warning: its daily rhythm is not known yet.";
        window_long_sz: usize = "31", Kind::Integer { min: 2, max: 100_000 }, "samples",
            "Length of the long window, the past (zscore).";
        window_short_sz: usize = "18", Kind::Integer { min: 1, max: 100_000 }, "samples",
            "Length of the short window, the present (zscore).";
        threshold: f64 = "1.99", Kind::Number { min: 0.0, max: 1e6 }, "standard deviations",
            "A VM whose |z| is above this is a change point (zscore).";
        dynamic_filtering: bool = "true", Kind::Flag, "",
            "Drop change points of VMs that are calming down (zscore).";
        overlap_min_pct: f64 = "0.72", Kind::Number { min: 0.0, max: 1.0 }, "share",
            "Share of the VMs that must change together for an alarm (zscore).";
        overlap_window_sz: usize = "51", Kind::Integer { min: 1, max: 10_000 }, "samples",
            "Changes within so many samples are simultaneous (zscore), and so many quiet samples end an incident (all).";
        window_sz: usize = "60", Kind::Integer { min: 1, max: 100_000 }, "samples",
            "Length of each of the two windows (iad).";
        change_threshold: f64 = "0.1", Kind::Number { min: 0.0, max: 1e6 }, "share of the former mean",
            "A VM whose mean changes by more than this votes (iad).";
        quorum: f64 = "0.85", Kind::Number { min: 0.0, max: 1.0 }, "share",
            "Share of the VMs that must vote for an alarm (iad).";
        workload_changes: bool = "false", Kind::Flag, "",
            "Also tell of single VMs that change alone, and of common changes that follow the time of day.";
        silence_sz: usize = "6", Kind::Integer { min: 0, max: 100_000 }, "samples",
            "All VMs silent for so many samples is an event of its own; 0 never.";
        reorder_sz: usize = "1", Kind::Integer { min: 0, max: 16 }, "samples",
            "How many samples a late value may be behind the newest and still count.";
        forget_sec: f64 = "86400", Kind::Number { min: 1.0, max: 31_536_000.0 }, "seconds",
            "A VM or hypervisor that is silent for this long is forgotten.";
        max_hypervisors: usize = "10000", Kind::Integer { min: 1, max: 1_000_000 }, "",
            "Maximum number of hypervisors to track. At the limit, a new one replaces one that no longer reports, the one with the fewest samples first; one that reports is never replaced.";
        max_vms: usize = "512", Kind::Integer { min: 1, max: 100_000 }, "per hypervisor",
            "Maximum number of VMs to track. At the limit, a new one replaces one that no longer reports, the one with the fewest samples first; one that reports is never replaced.";
    }
}

impl HadOptions {
    /// Checks what no option can check alone.
    ///
    /// # Errors
    /// [`OptionError::Conflict`] with what contradicts what.
    pub fn validate(&self) -> Result<(), OptionError> {
        if self.forget_sec < 2.0 * self.interval {
            return Err(OptionError::Conflict(format!(
                "option \"forget_sec\": {} would forget a VM between two of its samples; it takes at least twice \"interval\" ({} seconds)",
                self.forget_sec,
                2.0 * self.interval
            )));
        }
        Ok(())
    }
}
