//! Size: many VMs that run at a fraction of what they ever needed. Ranks know no size, and neither a noisy past nor the time of day
//! excuses it.

use super::judge::Judge;

/// Its name in events.
pub(super) const CHANNEL: &str = "size";
/// A VM is tiny below this share of its median.
const SHARE: f64 = 0.15;
/// And below this share of the least of its past.
const BELOW_LEAST: f64 = 0.7;
/// A VM whose median is below this (units of the metric) has nothing to lose.
const BUSY: f64 = 1.0;
/// Least number of VMs that can tell.
const VMS_MIN: usize = 3;
/// Share of them that must be tiny, and with at least [`MANY`].
const QUORUM: f64 = 0.45;
const QUORUM_OF_MANY: f64 = 0.4;
const MANY: usize = 8;
/// The shift of a tiny VM, in standard deviations: chance is ruled out.
pub(super) const SHIFT: f64 = -9.0;
/// Consecutive judgments.
pub(super) const STEADY: u32 = 2;

/// How many VMs are tiny, and of how many that could be, if these are enough for an alarm; `is_tiny` is set by slot.
pub(super) fn tiny(
    judge: &Judge,
    values: &[f64],
    is_tiny: &mut Vec<bool>,
) -> Option<(usize, usize)> {
    let (mut voters, mut tiny) = (0, 0);
    is_tiny.clear();
    is_tiny.resize(values.len(), false);
    for (slot, &value) in values.iter().enumerate() {
        // Nearly always, the level alone tells that it is not.
        let Some(level) = judge.baseline(slot).filter(|_| !value.is_nan()) else {
            continue;
        };
        if value > 0.5 * level {
            voters += usize::from(level > BUSY);
            continue;
        }
        let Some((median, least)) = judge.past(slot) else {
            continue;
        };
        if median > BUSY {
            voters += 1;
            is_tiny[slot] = value <= SHARE * median && value < BELOW_LEAST * least;
            tiny += usize::from(is_tiny[slot]);
        }
    }
    let quorum = match voters >= MANY {
        true => QUORUM_OF_MANY,
        false => QUORUM,
    };
    let needed = ((quorum * voters as f64).ceil() as usize).max(2);
    (voters >= VMS_MIN && tiny >= needed).then_some((tiny, voters))
}
