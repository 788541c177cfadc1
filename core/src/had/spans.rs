//! When one hypervisor is in maintenance.

use std::sync::Arc;

use crate::memory::allocation;

/// Seconds that guests get after a window to start and to settle.
const SETTLE_SEC: f64 = 300.0;
/// They get this many intervals at least: the first rate of a counter spans one.
const SETTLE_INTERVALS: f64 = 2.0;

/// How much longer than it says a window lasts, for samples with this interval; seconds.
pub(super) fn settle(interval: f64) -> f64 {
    SETTLE_SEC.max(SETTLE_INTERVALS * interval)
}

/// The start and the end of a window, seconds.
type Span = (f64, f64);

/// When one hypervisor is in maintenance: starts and ends, seconds, in their order and without overlaps. Shared by its series.
#[derive(Debug, Clone, Default)]
pub(super) struct Spans(Option<Arc<[Span]>>);

impl Spans {
    /// Whether there are none.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The last span that begins by `time`, and the next one.
    fn around(&self, time: f64) -> (Option<Span>, Option<Span>) {
        let spans = self.0.as_deref().unwrap_or_default();
        let next = spans.partition_point(|(from, _)| *from <= time);
        (
            next.checked_sub(1).map(|last| spans[last]),
            spans.get(next).copied(),
        )
    }

    /// The start of the maintenance that `time` is in, for samples with this interval; seconds.
    pub(super) fn at(&self, time: f64, interval: f64) -> Option<f64> {
        let (last, _) = self.around(time);
        last.filter(|(_, until)| time < until + settle(interval))
            .map(|(from, _)| from)
    }

    /// When maintenance begins or ends next after `time`.
    pub(super) fn next_change(&self, time: f64, interval: f64) -> Option<f64> {
        let (last, next) = self.around(time);
        let end = last.map(|(_, until)| until + settle(interval));
        let end = end.filter(|end| *end > time);
        end.or(next.map(|(from, _)| from))
    }

    /// Memory in bytes.
    pub(super) fn bytes(&self) -> usize {
        let spans = self.0.as_deref();
        spans.map_or(0, |spans| {
            allocation(2 * size_of::<usize>() + size_of_val(spans))
        })
    }
}

impl FromIterator<Span> for Spans {
    fn from_iter<T: IntoIterator<Item = Span>>(spans: T) -> Self {
        let mut all: Vec<Span> = spans.into_iter().collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0));
        all.dedup_by(|next, last| {
            let overlaps = next.0 <= last.1;
            if overlaps {
                last.1 = last.1.max(next.1);
            }
            overlaps
        });
        Self((!all.is_empty()).then(|| all.into()))
    }
}
