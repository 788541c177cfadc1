//! What LAD finds in a host's log over time.

use std::collections::BTreeMap;

use anyhow::Result;
use bellwether_core::lad::{Detector, LadOptions, Record, SharedInference};
use bellwether_core::risk::{LOG_MINUTES, SourceState};

/// What the lines of one minute come to.
#[derive(Debug, Clone, Default)]
struct Counted {
    /// One of them reports a failure.
    fails: bool,
    /// Templates that are new to the fleet.
    novel: u32,
}

/// LAD over the log of one host.
pub struct Lines {
    detector: Detector,
    /// By the number of the minute since the epoch.
    minutes: BTreeMap<i64, Counted>,
    /// Log keys with their times.
    pub keys: Vec<(f64, u64)>,
}

/// The number of the minute since the epoch in which `time` is.
pub fn minute_of(time: f64) -> i64 {
    (time / 60.0).floor() as i64
}

impl Lines {
    /// Before the first line.
    ///
    /// # Errors
    /// Options that contradict each other, and seeds that cannot be read.
    pub fn new(options: &LadOptions, inference: &SharedInference) -> Result<Self> {
        Ok(Self {
            detector: Detector::with_inference(options.clone(), inference.clone())?,
            minutes: BTreeMap::new(),
            keys: Vec::new(),
        })
    }

    /// Takes the next line.
    pub fn observe(&mut self, record: &Record<'_>) {
        let observed = self.detector.observe(record);
        while self.detector.next_event().is_some() {}
        let time = record.time.secs();
        self.keys.push((time, observed.template_id));
        if observed.failure || observed.unseen {
            let minute = self.minutes.entry(minute_of(time)).or_default();
            minute.fails |= observed.failure;
            minute.novel += u32::from(observed.unseen);
        }
    }

    /// The states of the log and of its novelty at `time`, the end of a minute.
    pub fn states(&self, time: f64) -> (SourceState, SourceState) {
        let now = minute_of(time);
        let last = self.minutes.range(now - i64::from(LOG_MINUTES)..now);
        let failing = last.clone().filter(|(_, minute)| minute.fails).count();
        let novel = last.map(|(_, minute)| minute.novel).sum();
        (
            SourceState::log(failing as u32),
            SourceState::novelty(novel),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::lad::{Source, inference};
    use bellwether_core::units::Time;

    #[test]
    fn minutes_with_failing_lines_count_for_twenty_minutes_and_once_each() {
        let options = LadOptions::default();
        let inference = inference(&options).unwrap();
        let mut lines = Lines::new(&options, &inference).unwrap();
        for second in [0.0, 601.0, 602.0, 659.0, 700.0] {
            lines.observe(&Record {
                stream: "hv1",
                time: Time::from_secs(second),
                text: match second {
                    0.0 => "session opened for user root",
                    _ => "blk_update_request: I/O error, dev sda, sector 2048",
                },
                priority: Some(3),
                source: Source {
                    program: b"kernel",
                    ..Source::default()
                },
            });
        }
        let at = |minute: f64| lines.states(minute * 60.0).0;
        assert_eq!(at(10.0), SourceState::log(0), "not before it is over");
        assert_eq!(at(11.0), SourceState::log(1));
        assert_eq!(at(12.0), SourceState::log(2));
        assert_eq!(at(30.0), SourceState::log(2));
        assert_eq!(at(31.0), SourceState::log(1));
        assert_eq!(at(32.0), SourceState::log(0));
        assert_eq!(lines.keys.len(), 5);
    }
}
