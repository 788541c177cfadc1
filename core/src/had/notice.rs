//! Notices for an operator that are not events: why something is not evaluated.

use crate::text::duration;

/// The subject of a [`Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// Most VMs of a hypervisor moved to another interval, for which the detector starts learning again.
    IntervalChanged,
    /// Each VM of a hypervisor has another interval, so none can be evaluated.
    Unjudged,
    /// The VMs of a hypervisor have more different intervals than are supported.
    Intervals,
    /// The clock of one VM differs from those of the others.
    VmClock,
    /// The clock of most VMs of a hypervisor stepped.
    ClockStep,
}

impl NoticeKind {
    const ALL: [Self; 5] = [
        Self::IntervalChanged,
        Self::Unjudged,
        Self::Intervals,
        Self::VmClock,
        Self::ClockStep,
    ];
}

/// One line for an operator's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Its subject.
    pub kind: NoticeKind,
    /// The text, with the names of those concerned.
    pub message: String,
}

/// Pending notices: one of each kind, so that their number is bounded.
#[derive(Debug, Default)]
pub(super) struct Notices([Option<String>; NoticeKind::ALL.len()]);

impl Notices {
    /// Adds a notice, unless one of its kind is pending.
    pub(super) fn add(&mut self, kind: NoticeKind, message: impl FnOnce() -> String) {
        self.0[kind as usize].get_or_insert_with(message);
    }

    /// Removes a notice.
    pub(super) fn next(&mut self) -> Option<Notice> {
        NoticeKind::ALL.into_iter().find_map(|kind| {
            let message = self.0[kind as usize].take()?;
            Some(Notice { kind, message })
        })
    }
}

pub(super) fn interval_changed(hypervisor: &str, metric: &str, old: f64, new: f64) -> String {
    format!(
        "{hypervisor}: the interval of {metric} of most VMs changed from {old} s to {new} s; learning starts again"
    )
}

pub(super) fn unjudged(hypervisor: &str, metric: &str) -> String {
    format!(
        "{hypervisor}: each VM reports {metric} at a different interval; only VMs with the same interval can be compared, so \
         none is evaluated"
    )
}

pub(super) fn intervals(hypervisor: &str, max: usize, interval: f64) -> String {
    format!(
        "{hypervisor}: its VMs have more than {max} different intervals; samples with an interval of {interval} s are refused"
    )
}

pub(super) fn vm_clock(hypervisor: &str, vm: &str, ahead_sec: f64) -> String {
    let which = if ahead_sec < 0.0 {
        "behind"
    } else {
        "ahead of"
    };
    format!(
        "{hypervisor}: the clock of {vm} is {} {which} those of the other VMs; its samples are ignored",
        duration(ahead_sec.abs())
    )
}

pub(super) fn clock_step(hypervisor: &str, seconds: f64) -> String {
    let which = if seconds < 0.0 { "back" } else { "forward" };
    format!(
        "{hypervisor}: the clock of most of its VMs jumped {which} by {}",
        duration(seconds.abs())
    )
}
