//! The interface of the algorithms.

use crate::event::Direction;

/// The verdict of an algorithm on one tick of one metric of one hypervisor.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Verdict {
    /// VMs that voted.
    pub voters: u32,
    /// Share of the voters that changed in the same direction, 0 to 1.
    pub consensus: f64,
    /// Closeness to an alarm, 0 to 1; 0.5 or more with an alarm.
    pub score: f64,
    /// By how many times the odds against chance exceed those that an alarm takes: 1 with evidence that just suffices, 0.1 with
    /// one decade less. Only of an algorithm whose metrics are judged together.
    pub weight: f64,
    /// The alarm at this tick, if any.
    pub alarm: Option<Alarm>,
    /// There is a common change that is no alarm because it follows the time of day.
    pub follows_time_of_day: bool,
}

/// An alarm at one tick. A run of them is one incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Alarm {
    /// The channel of the algorithm that decided.
    pub channel: &'static str,
    /// It is from a slow channel: soon after another alarm it is an echo.
    pub slow: bool,
    /// The direction in which the VMs changed.
    pub direction: Direction,
    /// How unusual the change is against the VMs' own past, 0 to 1.
    pub distinctiveness: f64,
    /// How much the hypervisor's own past showed the same, 0 to 1.
    pub consistency: f64,
}

impl Verdict {
    /// Maximum score without an alarm; 0.5 means an alarm.
    pub(crate) const NO_ALARM_MAX: f64 = 0.499;
    /// The weight of what chance cannot explain.
    pub(crate) const CERTAIN: f64 = 1e9;

    /// The weight of evidence that exceeds the threshold by `excess` decades.
    pub(crate) fn weight_of(excess: f64) -> f64 {
        10f64.powf(excess).min(Self::CERTAIN)
    }
}

impl Alarm {
    /// An alarm of a fast channel for what neither chance nor the past explains.
    pub(crate) const fn certain(channel: &'static str, direction: Direction) -> Self {
        Self {
            channel,
            slow: false,
            direction,
            distinctiveness: 1.0,
            consistency: 0.0,
        }
    }
}

/// An algorithm with the state of one metric of one hypervisor.
///
/// VMs have slots, numbered from 0. Values are in the metric's unit, one per slot, NaN for none.
pub(crate) trait Method {
    /// Changes the number of slots; new ones have learned nothing.
    fn resize(&mut self, slots: usize);

    /// Resets a slot for another VM.
    fn reset(&mut self, slot: usize);

    /// Evaluates one tick. `values` has one value per slot; `hour` is the hour of the day, 0 to 23.
    fn close(&mut self, values: &[f64], hour: usize) -> Verdict;

    /// Skips `ticks` ticks without any value.
    fn skip(&mut self, ticks: u64);

    /// The mean of the VM in `slot` before the present, which is the level it would return to; `None` if unknown.
    fn baseline(&self, slot: usize) -> Option<f64>;

    /// The change of the VM in `slot` at the last tick in standard deviations, signed; NaN if it abstained.
    fn shift(&self, slot: usize) -> f64;

    /// [`Method::shift`] on the time scale of a channel; most algorithms have only one.
    fn shift_on(&self, slot: usize, _channel: &str) -> f64 {
        self.shift(slot)
    }

    /// Number of samples that the algorithm looks back.
    fn memory(&self) -> usize;

    /// Ticks per judgment: an algorithm may average frequent samples.
    fn pace(&self) -> u64 {
        1
    }

    /// [`Method::pace`] of a channel.
    fn pace_of(&self, _channel: &str) -> u64 {
        self.pace()
    }

    /// A value of the VM in `slot` at this tick, comparable with [`Method::baseline`].
    fn adjusted(&self, _slot: usize, value: f64) -> f64 {
        value
    }

    /// Memory outside of itself in bytes; it changes only with the number of slots.
    fn bytes(&self) -> usize;
}
