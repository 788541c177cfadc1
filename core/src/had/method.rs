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

    /// How much memory it takes outside of itself, in bytes; it changes only with the number of slots.
    fn bytes(&self) -> usize;
}

/// What every algorithm has to stand, called by the tests of each.
#[cfg(test)]
pub(super) mod contract {
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::Method;
    use crate::had::HadOptions;

    /// Rows of any numbers, with VMs that come, go and fall silent: every verdict is within its bounds.
    pub fn verdicts_are_within_bounds(
        method: &mut impl Method,
        rows: &[Vec<f64>],
        reset: usize,
        skip: u64,
    ) {
        method.resize(2);
        for (t, row) in rows.iter().enumerate() {
            let verdict = method.close(&row[..row.len().min(1 + t)], t % 24);
            assert!((0.0..=1.0).contains(&verdict.score), "{verdict:?}");
            assert!((0.0..=1.0).contains(&verdict.consensus), "{verdict:?}");
            if let Some(alarm) = verdict.alarm {
                assert!(verdict.score >= 0.5, "{verdict:?}");
                assert!((0.0..=1.0).contains(&alarm.distinctiveness), "{alarm:?}");
                assert!((0.0..=1.0).contains(&alarm.consistency), "{alarm:?}");
            }
            match t {
                10 => method.resize(3),
                20 => method.reset(reset),
                30 => method.skip(skip),
                _ => {}
            }
            for slot in 0..4 {
                method.baseline(slot);
                method.shift(slot);
            }
        }
    }

    /// A state that was saved and restored goes on as if it had never stopped, also with another threshold (`retuned`); with
    /// another number of VMs or another length of window (`reshaped`) it is refused.
    pub fn a_restored_state_goes_on<M>(
        mut method: M,
        restore: impl Fn(&mut M, &HadOptions, usize) -> bool,
        [options, reshaped, retuned]: [&HadOptions; 3],
    ) where
        M: Method + Clone + Serialize + DeserializeOwned,
    {
        method.resize(2);
        let tick = |t: i32| [10.0 + f64::from(t % 3), 20.0 * f64::from(t / 30 + 1)];
        for t in 0..25 {
            method.close(&tick(t), 0);
        }
        let bytes = postcard::to_stdvec(&method).unwrap();
        let mut restored: M = postcard::from_bytes(&bytes).unwrap();
        assert!(!restore(&mut restored.clone(), options, 3));
        assert!(!restore(&mut restored.clone(), reshaped, 2));
        assert!(restore(&mut restored, options, 2));
        for t in 25..50 {
            assert_eq!(restored.close(&tick(t), 0), method.close(&tick(t), 0));
        }
        assert!(restore(&mut restored, retuned, 2));
    }
}
