//! Templates that are new to the fleet: one condition per stream, raised by the first of them. It is a hint and no verdict: an
//! update of a program is new to the fleet as well.

use serde::{Deserialize, Serialize};

/// Seconds between two updates.
const UPDATE_SEC: f64 = 3_600.0;

/// An open condition. Whoever invents templates causes one update an hour.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Unseen {
    /// When it began, in seconds.
    pub(super) since: f64,
    /// The time of the newest of its records, in seconds.
    pub(super) last: f64,
    /// The number of the template of that record.
    pub(super) template_id: u64,
    /// Number of its templates.
    pub(super) count: u64,
    /// Their number when it was last reported, and when that was, in seconds.
    reported: (u64, f64),
}

impl Unseen {
    /// A condition that begins with this template, and is reported.
    pub(super) fn new(template_id: u64, time: f64) -> Self {
        Self {
            since: time,
            last: time,
            template_id,
            count: 1,
            reported: (1, time),
        }
    }

    /// Adds a template; whether it is time for an update, which is then taken as reported.
    pub(super) fn extend(&mut self, template_id: u64, time: f64) -> bool {
        self.last = self.last.max(time);
        self.template_id = template_id;
        self.count += 1;
        let due = time - self.reported.1 >= UPDATE_SEC;
        if due {
            self.reported = (self.count, time);
        }
        due
    }

    /// Whether there was no such template for this time, in seconds; also if the clock was set back by as much.
    pub(super) fn is_over(&self, time: f64, quiet_sec: f64) -> bool {
        (time - self.last).abs() >= quiet_sec
    }
}
