//! What is wrong for longer is said once in a while, not with every value.

use crate::host::{Host, Level};

/// The shortest time between two complaints about the same thing.
const AGAIN_SEC: f64 = 600.0;

/// What there is to complain about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Complaint {
    /// The queue was full.
    Dropped,
    /// A value does not say whose it is.
    Unnamed,
    /// There is no room for one more VM.
    Full,
    /// Hypervisors that do not report made room for others.
    HypervisorsEvicted,
    /// VMs that do not report made room for others.
    VmsEvicted,
    /// A listener for notifications takes long.
    Listener,
    /// Notifications were lost.
    Lost,
    /// The state cannot be saved.
    State,
    /// The detector does not take what it is given.
    Refused,
    /// A VM has nothing better than CPU use in percent; said once.
    PercentOnly,
    /// Most VMs of a hypervisor changed to another interval.
    IntervalChanged,
    /// The VMs of a hypervisor have an interval each.
    Unjudged,
    /// The VMs of a hypervisor have too many intervals.
    Intervals,
    /// The clock of a VM is wrong.
    VmClock,
    /// The clock of most VMs of a hypervisor leapt.
    ClockStep,
    /// The clock of this machine was set.
    WallStep,
    /// Every hypervisor has one VM; said once.
    LoneVms,
}

impl Complaint {
    const COUNT: usize = Complaint::LoneVms as usize + 1;

    /// Whether once is enough, for what is no failure.
    fn once(self) -> bool {
        matches!(self, Complaint::PercentOnly | Complaint::LoneVms)
    }
}

/// When each was last said.
#[derive(Debug, Default)]
pub struct Complaints {
    said: [Option<f64>; Complaint::COUNT],
}

impl Complaints {
    /// Writes `message` to the log, unless it was said lately.
    pub fn tell(&mut self, host: &dyn Host, about: Complaint, message: &str) {
        let now = host.steady();
        let said = &mut self.said[about as usize];
        if said.is_none_or(|last| !about.once() && now - last >= AGAIN_SEC) {
            *said = Some(now);
            let level = if about.once() {
                Level::Notice
            } else {
                Level::Warning
            };
            host.log(level, message);
        }
    }

    /// It is over: the next time is said at once.
    pub fn over(&mut self, about: Complaint) {
        self.said[about as usize] = None;
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;

    use super::*;
    use crate::host::{Gauge, Notification};

    /// A daemon at a given time that counts the lines of its log.
    #[derive(Default)]
    struct Log {
        now: Mutex<f64>,
        lines: Mutex<usize>,
    }

    impl Host for Log {
        fn log(&self, _: Level, _: &str) {
            *self.lines.lock() += 1;
        }
        fn now(&self) -> f64 {
            *self.now.lock()
        }
        fn steady(&self) -> f64 {
            self.now()
        }
        fn hostname(&self) -> &str {
            "here"
        }
        fn dispatch_gauge(&self, _: &Gauge<'_>) {}
        fn dispatch_notification(&self, _: &Notification<'_>) {}
    }

    /// Lines in the log after this was complained about at these times.
    fn lines(about: Complaint, times: &[f64]) -> usize {
        let (log, mut complaints) = (Log::default(), Complaints::default());
        for &time in times {
            *log.now.lock() = time;
            complaints.tell(&log, about, "it is so");
        }
        log.lines.into_inner()
    }

    #[test]
    fn the_same_is_said_again_after_a_while_only() {
        assert_eq!(lines(Complaint::Dropped, &[0.0, 1.0, 599.0, 600.0]), 2);
    }

    #[test]
    fn a_wall_clock_that_is_set_back_silences_nobody() {
        struct SetBack(Log);
        impl Host for SetBack {
            fn log(&self, level: Level, message: &str) {
                self.0.log(level, message);
            }
            fn now(&self) -> f64 {
                -1e6 * self.0.now()
            }
            fn steady(&self) -> f64 {
                self.0.now()
            }
            fn hostname(&self) -> &str {
                "here"
            }
            fn dispatch_gauge(&self, _: &Gauge<'_>) {}
            fn dispatch_notification(&self, _: &Notification<'_>) {}
        }
        let (host, mut complaints) = (SetBack(Log::default()), Complaints::default());
        for time in [0.0, 1.0, 600.0] {
            *host.0.now.lock() = time;
            complaints.tell(&host, Complaint::Dropped, "it is so");
        }
        assert_eq!(host.0.lines.into_inner(), 2);
    }

    #[test]
    fn what_is_no_failure_is_said_once() {
        assert_eq!(lines(Complaint::PercentOnly, &[0.0, 600.0, 1e6]), 1);
    }

    #[test]
    fn after_it_was_over_it_is_said_at_once() {
        let (log, mut complaints) = (Log::default(), Complaints::default());
        complaints.tell(&log, Complaint::State, "it is so");
        complaints.over(Complaint::State);
        complaints.tell(&log, Complaint::State, "it is so again");
        assert_eq!(log.lines.into_inner(), 2);
    }
}
