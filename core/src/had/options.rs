//! The options of HAD.

use crate::options::{Kind, OptionError, choice, options};

choice! {
    /// The detection algorithm.
    pub enum Algorithm {
        /// Multi-scale rank shifts with a quorum and an adaptive threshold from the hypervisor's own past (the default).
        Rank = "rank",
        /// HAD as published (lecture, "HAD algorithm"): z-scores, dynamic filter, color count over intervals.
        Zscore = "zscore",
        /// IAD (Jindal et al. 2021): window means and a vote.
        Iad = "iad",
    }
}

options! {
    /// The options of a [`Detector`](super::Detector).
    pub struct HadOptions {
        algorithm: Algorithm = "rank", Kind::Choice(Algorithm::WORDS), "",
            "Detection algorithm: rank (recommended), zscore (HAD as published) or iad (its predecessor).";
        metrics: Vec<String> = "cpu,disk_ops,disk_time,disk_latency,net_packets,net_errors,steal,vcpu_delay", Kind::Words { max: 16 }, "",
            "Metrics to watch; one that nobody gives costs nothing. The collectd plugin knows the default ones.";
        joint_metrics: bool = "true", Kind::Flag, "",
            "Decide once per hypervisor over all of its metrics, with the false alarms of one; otherwise, each metric has its own alarms (rank).";
        interval: f64 = "10", Kind::Number { min: 0.001, max: 86400.0 }, "seconds",
            "Time between two samples of a VM, for data that do not state it.";
        false_alarms_per_month: f64 = "0.1", Kind::Number { min: 0.0001, max: 1000.0 }, "per hypervisor",
            "Acceptable number of false alarms per month; without joint_metrics, of each metric. Raise it to detect smaller faults (rank).";
        provisional_sec: f64 = "86400", Kind::Number { min: 0.0, max: 31_536_000.0 }, "seconds",
            "Alarms on a hypervisor known for less than this are provisional and have severity warning, because its daily pattern is unknown.";
        accept_sec: f64 = "259200", Kind::Number { min: 3600.0, max: 31_536_000.0 }, "seconds",
            "Take a change that lasts for this time as normal, and clear its incident. Until then it stays open unless the VMs return to their former levels (rank).";
        zscore_window_long_sz alias "window_long_sz": usize = "31", Kind::Integer { min: 2, max: 100_000 }, "samples",
            "Length of the long window (zscore).";
        zscore_window_short_sz alias "window_short_sz": usize = "18", Kind::Integer { min: 1, max: 100_000 }, "samples",
            "Length of the short window (zscore).";
        zscore_threshold alias "threshold": f64 = "1.99", Kind::Number { min: 0.0, max: 1e6 }, "standard deviations",
            "A VM whose absolute z-score exceeds this is a change point (zscore).";
        zscore_dynamic_filtering alias "dynamic_filtering": bool = "true", Kind::Flag, "",
            "Ignore change points of VMs that are settling after a change (zscore).";
        zscore_overlap_min_pct alias "overlap_min_pct": f64 = "0.72", Kind::Number { min: 0.0, max: 1.0 }, "share",
            "Share of the VMs that must change together for an alarm (zscore).";
        overlap_window_sz: usize = "51", Kind::Integer { min: 1, max: 10_000 }, "samples",
            "Changes within this many samples count as simultaneous (zscore). An incident ends after this many quiet samples (all algorithms).";
        iad_window_sz alias "window_sz": usize = "60", Kind::Integer { min: 1, max: 100_000 }, "samples",
            "Length of each of the two windows (iad).";
        iad_change_threshold alias "change_threshold": f64 = "0.1", Kind::Number { min: 0.0, max: 1e6 }, "share of the former mean",
            "A VM whose mean changes by more than this votes for an alarm (iad).";
        iad_quorum alias "quorum": f64 = "0.85", Kind::Number { min: 0.0, max: 1.0 }, "share",
            "Share of the VMs that must vote for an alarm (iad).";
        workload_changes: bool = "false", Kind::Flag, "",
            "Report VMs that change alone and common changes that follow the time of day, too.";
        silence_sz: usize = "6", Kind::Integer { min: 0, max: 100_000 }, "samples",
            "Raise `hypervisor_silence` after this many intervals without a sample; 0 disables it.";
        reorder_sz: usize = "1", Kind::Integer { min: 0, max: 16 }, "samples",
            "Accept values that are up to this many intervals late.";
        forget_sec: f64 = "86400", Kind::Number { min: 1.0, max: 31_536_000.0 }, "seconds",
            "Forget a VM or hypervisor after this time without a sample.";
        max_hypervisors: usize = "10000", Kind::Integer { min: 1, max: 1_000_000 }, "",
            "Maximum number of hypervisors to track. At the limit, a new one replaces one that no longer reports, the one with the fewest samples first; one that reports is never replaced.";
        max_memory_mib: usize = "512", Kind::Integer { min: 8, max: 1_048_576 }, "MiB",
            "Maximum memory to use, including what saving the state takes. At the limit, a new hypervisor or VM replaces one that no longer reports.";
        max_vms: usize = "512", Kind::Integer { min: 1, max: 100_000 }, "per hypervisor",
            "Maximum number of VMs to track. At the limit, a new one replaces one that no longer reports, the one with the fewest samples first; one that reports is never replaced.";
    }
}

impl HadOptions {
    /// Checks what no option can check alone.
    ///
    /// # Errors
    /// [`OptionError::Conflict`] with the contradiction.
    pub fn validate(&self) -> Result<(), OptionError> {
        if self.forget_sec < 2.0 * self.interval {
            return Err(OptionError::Conflict {
                name: "forget_sec",
                message: format!(
                    "{} would forget a VM between two of its samples; it takes at least twice \"interval\" ({} seconds)",
                    self.forget_sec,
                    2.0 * self.interval
                ),
            });
        }
        Ok(())
    }
}
