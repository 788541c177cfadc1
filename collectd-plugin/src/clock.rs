//! What time it is for the detector when nothing arrives.
//!
//! As long as samples come, they carry time themselves. When they stop (a VM is gone, all are silent), the wall clock has to
//! end ticks and notice the silence, but it must not run ahead of the data: of senders whose clocks are behind, of values
//! that still wait in collectd's own queue, of history that is being replayed.

/// A hypervisor whose samples are older than this on arrival is being replayed, unless its interval is long.
pub const LIVE_SEC: f64 = 120.0;
/// The same in intervals.
const LIVE_INTERVALS: f64 = 6.0;
/// For so long after the last sample of a replay time comes from the data alone.
const REPLAY_SEC: f64 = 600.0;
/// A hypervisor that was silent for this long has no say in what time it is.
const FORGET_SEC: f64 = 3600.0;
/// How many intervals the wall clock stays behind: one for a sample to be due, one for it to be late.
const GRACE_INTERVALS: f64 = 2.0;
/// The longest interval that the wall clock waits for.
const GRACE_MAX_SEC: f64 = 600.0;
/// When own values do not come back for this long, collectd's queue is not what keeps them.
const STUCK_SEC: f64 = 600.0;

#[derive(Debug, Clone, Copy)]
struct Sender {
    newest: f64,
    lag: f64,
    arrival: f64,
    interval: f64,
}

/// A hypervisor that was not heard yet.
const UNKNOWN: Sender = Sender {
    newest: f64::MIN,
    lag: 0.0,
    arrival: f64::MIN,
    interval: 0.0,
};

/// See the [module](self). All times are seconds since the epoch.
#[derive(Debug, Default)]
pub struct Clock {
    senders: Vec<Sender>,
    /// Numbers that are nobody's.
    free: Vec<usize>,
}

impl Clock {
    /// A number for one more hypervisor.
    pub fn add(&mut self) -> usize {
        if let Some(number) = self.free.pop() {
            return number;
        }
        self.senders.push(UNKNOWN);
        self.senders.len() - 1
    }

    /// The hypervisor of that number is gone; another one may get the number.
    pub fn remove(&mut self, number: usize) {
        self.senders[number] = UNKNOWN;
        self.free.push(number);
    }

    /// A sample of that hypervisor with this time arrived.
    pub fn saw(&mut self, hypervisor: usize, time: f64, interval: f64, arrival: f64) {
        let sender = &mut self.senders[hypervisor];
        sender.arrival = arrival;
        if time >= sender.newest {
            *sender = Sender {
                newest: time,
                lag: arrival - time,
                arrival,
                interval,
            };
        }
    }

    /// Seconds between two samples of that hypervisor; 0 where there is none yet.
    pub fn interval(&self, hypervisor: usize) -> f64 {
        self.senders[hypervisor].interval
    }

    /// The time before which no sample is to be expected any more, at the wall clock's `now`; `None` where only the data can
    /// tell. `returned` is the time of the newest own value that came back through collectd's queue.
    pub fn passed(&self, now: f64, returned: Option<f64>) -> Option<f64> {
        let mut behind: Option<f64> = None;
        for sender in &self.senders {
            let silent = now - sender.arrival;
            let live = sender.lag <= LIVE_SEC.max(LIVE_INTERVALS * sender.interval);
            if silent > FORGET_SEC + LIVE_INTERVALS * sender.interval {
                continue;
            }
            if !live {
                if silent <= REPLAY_SEC {
                    return None;
                }
                continue;
            }
            let own =
                sender.lag.max(0.0) + GRACE_INTERVALS * sender.interval.clamp(0.0, GRACE_MAX_SEC);
            behind = Some(behind.map_or(own, |b| b.max(own)));
        }
        let queue = returned
            .map(|time| now - time)
            .filter(|&age| age < STUCK_SEC)
            .map_or(0.0, |age| age.max(0.0));
        Some(now - behind? - queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_700_000_000.0;

    fn clock(senders: &[(f64, f64)]) -> Clock {
        let mut clock = Clock::default();
        for &(time, arrival) in senders {
            let hypervisor = clock.add();
            clock.saw(hypervisor, time, 10.0, arrival);
        }
        clock
    }

    #[test]
    fn two_intervals_after_a_sample_was_due_its_time_has_passed() {
        let clock = clock(&[(NOW, NOW)]);
        assert_eq!(clock.passed(NOW + 60.0, None), Some(NOW + 40.0));
    }

    #[test]
    fn a_sender_whose_clock_is_behind_is_waited_for() {
        let clock = clock(&[(NOW, NOW), (NOW - 90.0, NOW)]);
        assert_eq!(clock.passed(NOW + 60.0, None), Some(NOW - 50.0));
    }

    #[test]
    fn a_sender_whose_clock_is_ahead_does_not_hurry_the_others() {
        let clock = clock(&[(NOW, NOW), (NOW + 90.0, NOW)]);
        assert_eq!(clock.passed(NOW + 60.0, None), Some(NOW + 40.0));
    }

    #[test]
    fn a_replay_gets_its_time_from_the_data_alone() {
        assert_eq!(clock(&[(1.6e9, NOW)]).passed(NOW + 300.0, None), None);
        let mixed = clock(&[(1.6e9, NOW), (NOW, NOW)]);
        assert_eq!(mixed.passed(NOW + 300.0, None), None);
        assert!(mixed.passed(NOW + 700.0, None).is_some());
    }

    #[test]
    fn nothing_passes_that_still_waits_in_collectds_queue() {
        let clock = clock(&[(NOW, NOW)]);
        assert_eq!(clock.passed(NOW + 60.0, Some(NOW + 5.0)), Some(NOW - 15.0));
    }

    #[test]
    fn own_values_that_never_come_back_do_not_hold_time_up_for_ever() {
        let clock = clock(&[(NOW, NOW)]);
        assert_eq!(clock.passed(NOW + 1000.0, Some(NOW)), Some(NOW + 980.0));
    }

    #[test]
    fn without_a_sample_there_is_no_time() {
        assert_eq!(Clock::default().passed(NOW, None), None);
        assert_eq!(clock(&[(NOW, NOW)]).passed(NOW + 5000.0, None), None);
    }

    #[test]
    fn an_older_sample_does_not_turn_the_clock_back() {
        let mut clock = clock(&[(NOW, NOW)]);
        clock.saw(0, NOW - 1000.0, 10.0, NOW + 1.0);
        assert_eq!(clock.passed(NOW + 60.0, None), Some(NOW + 40.0));
    }
}
