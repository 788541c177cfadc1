//! The decision over all metrics of a hypervisor, with the false alarms of one.
//!
//! What fails a host often shows in several metrics of its VMs, and each metric is one more chance of a false alarm. The metrics of
//! one VM depend on each other, so their evidence must not be added up. The harmonic mean of their p-values (Wilson 2019, "The
//! harmonic mean p-value for combining dependent tests", PNAS 116) needs no independence: one metric alone must be as much more
//! improbable as there are metrics, and less so the more of the others are conspicuous at the same time.

use serde::{Deserialize, Serialize};

use super::hypervisor::Others;
use super::method::Verdict;
use super::options::{Algorithm, HadOptions};
use super::series::Series;

/// An open incident that was reported.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Reported {
    /// Index of the metric that its event names.
    pub(super) metric: u32,
    /// When it was raised, seconds.
    pub(super) since: f64,
    /// When there was last an alarm that belongs to it, seconds.
    pub(super) alarmed: f64,
}

/// Whether incidents of two metrics of a hypervisor are one.
pub(super) fn is_one(options: &HadOptions, metric: u32, other: u32) -> bool {
    metric == other || (options.joint_metrics && options.algorithm == Algorithm::Rank)
}

/// The verdict on a tick of `series` in the light of the hypervisor's other metrics.
pub(super) fn decided(
    verdict: &Verdict,
    series: &Series,
    others: &Others<'_>,
    options: &HadOptions,
) -> Verdict {
    if verdict.alarm.is_none() || options.algorithm != Algorithm::Rank {
        return *verdict;
    }
    let (mut tests, mut weight, mut is_cure) = (1.0, verdict.weight, false);
    for other in others.all() {
        if !is_one(options, series.metric, other.metric) {
            continue;
        }
        is_cure |= other.is_recovering(options);
        // Fewer than two VMs with a vote are no test.
        if other.metric != series.metric && other.last.voters >= 2 {
            tests += 1.0;
            // What suffices for an alarm by itself counts no more than that, or else a single metric could carry all.
            weight += other.last.weight.min(1.0);
        }
    }
    // Within a run of alarms, the cure of another metric says nothing about this one.
    let is_cure = is_cure && series.incidents.is_quiet(series.quiet(options));
    let is_alarm = weight >= tests && !is_cure;
    match is_alarm {
        true => *verdict,
        false => Verdict {
            alarm: None,
            score: verdict.score.min(Verdict::NO_ALARM_MAX),
            ..*verdict
        },
    }
}
