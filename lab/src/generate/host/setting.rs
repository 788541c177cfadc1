//! What generated hosts have in common.

use std::ops::Range;

use super::failure::Leads;
use crate::generate::logs::script::Script;
use crate::generate::logs::time::MICROS;

/// What all hosts have in common. Times are in microseconds.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The seed of all chance.
    pub seed: u64,
    /// When the data begin, since the epoch.
    pub start: i64,
    /// How long detectors can learn before anything counts.
    pub history: i64,
    /// How long the host-day is that counts.
    pub length: i64,
    /// Time between two rows of metrics and resources.
    pub interval: i64,
    /// How long after the beginning of a fault the guest dies.
    pub leads: Leads,
    /// What a host logs when nothing happens.
    pub normal: Script,
}

impl Setting {
    /// From when to when there are data of a host on which nothing fails.
    pub fn span(&self) -> Range<i64> {
        self.start..self.counted().end
    }

    /// The part of it that counts.
    pub fn counted(&self) -> Range<i64> {
        let begin = self.start + self.history;
        begin..begin + self.length
    }

    /// The times of the rows of metrics and resources.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = i64> + Clone + '_ {
        let span = self.span();
        let rows = ((span.end - span.start) / self.interval).max(0) as usize;
        (0..rows).map(move |row| span.start + row as i64 * self.interval)
    }
}

/// Seconds since the epoch of a time in microseconds.
pub fn seconds(time: i64) -> f64 {
    time as f64 / MICROS as f64
}

#[cfg(test)]
impl Setting {
    /// Short host-days.
    pub fn short() -> Self {
        const HOUR: i64 = 3_600 * MICROS;
        Self {
            seed: 5,
            // A Monday at six.
            start: 1_767_592_800 * MICROS,
            history: 4 * HOUR,
            length: 6 * HOUR,
            interval: 30 * MICROS,
            leads: Leads::Recorded,
            normal: crate::generate::logs::script::normal().unwrap(),
        }
    }
}
