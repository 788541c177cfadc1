//! What an algorithm is given, and what it answers.

use crate::event::Direction;

/// What an algorithm says of one tick of one metric of one hypervisor.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Verdict {
    /// VMs that had a say.
    pub voters: u32,
    /// Share of the voters that changed the same way, 0 to 1.
    pub consensus: f64,
    /// How near to an alarm, 0 to 1; 0.5 or more where `alarm` is given.
    pub score: f64,
    /// The alarm, where there is one at this tick.
    pub alarm: Option<Alarm>,
    /// A common change that is no alarm because it follows the time of day.
    pub follows_time_of_day: bool,
}

/// A tick at which the hypervisor looks ill. A run of them is one incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Alarm {
    /// What decided: the name of the algorithm's channel.
    pub channel: &'static str,
    /// A slow channel's alarm soon after another is that one's echo.
    pub slow: bool,
    /// Which way the VMs changed.
    pub direction: Direction,
    /// How unusual the change is against the VMs' own past, 0 to 1.
    pub distinctiveness: f64,
    /// How much the hypervisor's own past showed the same, 0 to 1.
    pub consistency: f64,
}

/// An algorithm: the state of one metric of one hypervisor.
///
/// VMs have slots, numbered from 0. Values are in the metric's unit, one per slot, NaN where there is none at this tick.
pub(crate) trait Method {
    /// Makes room for slots below `slots`; new ones know nothing.
    fn resize(&mut self, slots: usize);

    /// Empties a slot, because another VM takes it.
    fn reset(&mut self, slot: usize);

    /// Judges one tick. `values` has one value per slot, `hour` is the hour of the day, 0 to 23.
    fn close(&mut self, values: &[f64], hour: usize) -> Verdict;

    /// Lets `ticks` ticks pass in which no VM had a value.
    fn skip(&mut self, ticks: u64);

    /// The mean of what the VM in `slot` did before the present, the level it would return to; `None` where it is not known.
    fn baseline(&self, slot: usize) -> Option<f64>;

    /// How strongly the VM in `slot` changed at the last tick, in standard deviations, with its sign; NaN where it abstained.
    fn shift(&self, slot: usize) -> f64;

    /// [`Method::shift`] on the scale of time that the channel of an event looks at; an algorithm of one scale has no other.
    fn shift_on(&self, slot: usize, _channel: &str) -> f64 {
        self.shift(slot)
    }

    /// Number of samples that an algorithm looks back on.
    fn memory(&self) -> usize;
}
