//! What the logs of hosts say about them at one time.

use super::detector::Detector;
use crate::units::Time;

/// What the log of a host says about it at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Status<'a> {
    /// The stream: the name of the host.
    pub stream: &'a str,
    /// The newest time of its records.
    pub last: Time,
    /// In how many of the last 20 minutes it had records that report a failure.
    pub failure_minutes: u32,
    /// How many of its templates of the last 20 minutes are new to the fleet, those of one minute counted up to two; `None`
    /// without the option `seeds`.
    pub unseen: Option<u32>,
    /// Its open episodes.
    pub episodes: u32,
}

impl Detector {
    /// The status of every stream at `time`, in no particular order.
    pub fn statuses(&self, time: Time) -> impl ExactSizeIterator<Item = Status<'_>> {
        let has_seeds = self.seeds.is_some();
        self.streams.iter().map(move |stream| {
            let past = &stream.past;
            let (failure_minutes, unseen) = past.signs.at(time.secs());
            Status {
                stream: &past.name,
                last: Time::from_secs(past.last),
                failure_minutes,
                unseen: has_seeds.then_some(unseen),
                episodes: past.episodes.0.len() as u32,
            }
        })
    }
}
