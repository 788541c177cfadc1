//! Attribution: whether a change is internal or external, and the words for it.
//!
//! The lecture follows attribution theory: a behavior that many show at once (consensus), that differs from what each of them
//! usually does (distinctiveness), and that has not occurred in the same place before (consistency), comes from outside.

use super::incident::End;
use super::method::{Alarm, Verdict};
use crate::event::{Cause, Direction};

/// Minimum consensus of an external change.
const CONSENSUS_MIN: f64 = 0.5;
/// From this consistency on, the hypervisor's own past explains a change.
const CONSISTENCY_MAX: f64 = 0.5;
/// Distinctiveness that outweighs consistency.
const DISTINCTIVENESS_MIN: f64 = 0.8;
/// Maximum number of VMs named in an event.
pub(super) const NAMED_MAX: usize = 8;

/// The cause of an alarm.
pub(super) fn cause(verdict: &Verdict, alarm: &Alarm) -> Cause {
    let unlike_before =
        alarm.consistency < CONSISTENCY_MAX || alarm.distinctiveness >= DISTINCTIVENESS_MIN;
    if verdict.consensus >= CONSENSUS_MIN && unlike_before {
        Cause::External
    } else {
        Cause::Internal
    }
}

/// What the VMs did, in the past tense.
pub(super) fn action(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "rose together",
        Direction::Down => "fell together",
        Direction::Mixed => "changed together, some up and some down",
        Direction::Frozen => "froze at one value",
    }
}

/// Why an incident ended.
pub(super) const fn reason(end: End) -> &'static str {
    match end {
        End::Recovered => "recovered",
        End::Accustomed => "lasting change taken as normal",
        End::Superseded => "superseded by a new change",
        End::Gone => "its VMs are gone",
        End::Maintenance => "maintenance",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributed(consensus: f64, distinctiveness: f64, consistency: f64) -> Cause {
        let alarm = Alarm {
            channel: "fast",
            slow: false,
            direction: Direction::Up,
            distinctiveness,
            consistency,
        };
        cause(
            &Verdict {
                consensus,
                ..Verdict::default()
            },
            &alarm,
        )
    }

    #[test]
    fn only_a_common_change_without_precedent_is_external() {
        assert_eq!(attributed(0.9, 0.5, 0.1), Cause::External);
        assert_eq!(attributed(0.9, 0.9, 0.9), Cause::External);
        assert_eq!(attributed(0.9, 0.5, 0.9), Cause::Internal);
        assert_eq!(attributed(0.3, 0.9, 0.1), Cause::Internal);
    }
}
