//! The time of the fleet, and how many of its hypervisors have a vote.
//!
//! Clocks of hypervisors differ and may be set, so the time of the fleet is the time that has passed for them. All numbers are kept
//! as running counts: a tick costs the same whatever the number of hypervisors.

use crate::had::series::Tick;
use crate::memory::{grow, vec};

/// A hypervisor had a vote recently if it had one in this or the last period of this length, seconds.
const PERIOD_SEC: f64 = 7200.0;
/// Maximum step of time that counts, in seconds or, if that is longer, intervals.
const STEP_MAX_SEC: f64 = 600.0;
const STEP_MAX_INTERVALS: f64 = 1.5;
/// VMs that must vote for a hypervisor to have a vote.
const VOTERS_MIN: u32 = 2;
/// A hypervisor with at least this score may soon have an alarm. Without a change, that is so at about one tick of a thousand.
const NEAR: f64 = 0.2;

/// Memory of one hypervisor in bytes.
pub(crate) const HOST_BYTES: usize = size_of::<Host>();

/// One hypervisor.
#[derive(Debug, Clone, Copy)]
struct Host {
    /// The time of its last tick, seconds; NaN before the first.
    time: f64,
    /// Its elapsed seconds.
    elapsed: f64,
    /// The last period in which it had a vote; 0 is none.
    said: u32,
    /// It is near an alarm.
    is_near: bool,
}

/// The hypervisors, by their index.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    all: Vec<Host>,
    /// Elapsed seconds of the hypervisor with the most.
    pub elapsed: f64,
    /// The time of its last tick, seconds.
    pub time: f64,
    /// The current period, and how many had a vote in it and in the last one.
    period: u32,
    said: u32,
    said_before: u32,
    near: u32,
}

fn period(elapsed: f64) -> u32 {
    (elapsed / PERIOD_SEC) as u32 + 1
}

impl Hosts {
    /// Restored ones after `elapsed` seconds, of which `voting` had a vote; `times` are those of their last ticks.
    pub(super) fn restored(elapsed: f64, voting: u32, times: impl Iterator<Item = f64>) -> Self {
        let host = |time| Host {
            time,
            elapsed,
            said: 0,
            is_near: false,
        };
        Self {
            all: times.map(host).collect(),
            elapsed,
            period: period(elapsed),
            said_before: voting,
            ..Self::default()
        }
    }

    /// Memory outside of itself in bytes.
    pub(crate) fn bytes(&self) -> usize {
        vec(&self.all)
    }

    /// Number of hypervisors that had a vote recently.
    pub(super) fn voting(&self) -> u32 {
        self.said.max(self.said_before)
    }

    /// Number of hypervisors that are near an alarm, or have one.
    pub(super) fn near(&self) -> u32 {
        self.near
    }

    fn new_host(&self) -> Host {
        Host {
            time: f64::NAN,
            elapsed: self.elapsed,
            said: 0,
            is_near: false,
        }
    }

    /// See [`Fleet::tick`](super::Fleet::tick).
    #[inline]
    pub(super) fn tick(&mut self, at: usize, tick: &Tick, interval: f64, is_first: bool) {
        if at >= self.all.len() {
            let new = self.new_host();
            let more = at + 1 - self.all.len();
            grow(&mut self.all, more);
            self.all.resize(at + 1, new);
        }
        let host = &mut self.all[at];
        if is_first {
            let step = tick.time - host.time;
            if step > 0.0 {
                host.elapsed += step.min(STEP_MAX_SEC.max(STEP_MAX_INTERVALS * interval));
            }
            host.time = tick.time;
            if host.elapsed >= self.elapsed {
                (self.elapsed, self.time) = (host.elapsed, tick.time);
                let period = period(self.elapsed);
                if period != self.period {
                    self.said_before = if period == self.period + 1 {
                        self.said
                    } else {
                        0
                    };
                    (self.period, self.said) = (period, 0);
                }
            }
        }
        if tick.has_sample && tick.verdict.voters >= VOTERS_MIN && host.said != self.period {
            host.said = self.period;
            self.said += 1;
        }
        let is_near = tick.verdict.score >= NEAR;
        // Of several metrics, the first one decides, and any other one that is near.
        if is_near != host.is_near && (is_near || is_first) {
            host.is_near = is_near;
            if is_near {
                self.near += 1
            } else {
                self.near -= 1
            }
        }
    }

    /// Replaces the hypervisor at `at` by another.
    pub(crate) fn replace(&mut self, at: usize) {
        let new = self.new_host();
        if let Some(host) = self.all.get_mut(at) {
            self.near -= u32::from(host.is_near);
            *host = new;
        }
    }

    /// Keeps the hypervisors for which `is_kept` is true at their index.
    pub(crate) fn retain(&mut self, is_kept: &[bool]) {
        let mut is_kept = is_kept.iter();
        self.all.retain(|_| is_kept.next().copied().unwrap_or(true));
        self.near = self.all.iter().filter(|host| host.is_near).count() as u32;
    }
}
