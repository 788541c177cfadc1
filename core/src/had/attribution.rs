//! Internal or external: to what a change is attributed, and how that is told.
//!
//! The lecture follows attribution theory: a behaviour that many show at once (consensus), that is unlike what each of them
//! usually does (distinctiveness), and that has not been seen in the same place before (consistency), comes from outside.

use super::incident::End;
use super::method::{Alarm, Verdict};
use crate::event::{Cause, Direction};

/// Consensus from which a change can be external.
const CONSENSUS_MIN: f64 = 0.5;
/// Consistency from which the hypervisor's own past explains a change.
const CONSISTENCY_MAX: f64 = 0.5;
/// Distinctiveness that makes up for consistency.
const DISTINCTIVENESS_MIN: f64 = 0.8;
/// Most VMs that an event names.
pub(super) const NAMED_MAX: usize = 8;

/// To what an alarm is attributed.
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
pub(super) fn deed(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "rose together",
        Direction::Down => "fell together",
        Direction::Mixed => "changed together, some up and some down",
        Direction::Frozen => "froze at one value",
    }
}

/// `seconds` as a person says it: the two largest units.
pub(super) fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 if seconds < 10.0 && seconds.fract() != 0.0 => format!("{seconds:.1} s"),
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
    .replace(" 0 s", "")
    .replace(" 0 min", "")
    .replace(" 0 h", "")
}

/// Why an incident ended, in a few words.
pub(super) fn reason(end: End) -> &'static str {
    match end {
        End::Recovered => "recovered",
        End::Accustomed => "lasting change taken as normal",
        End::Superseded => "superseded by a new change",
        End::Gone => "its VMs are gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(consensus: f64, distinctiveness: f64, consistency: f64) -> Cause {
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
    fn only_what_many_show_and_the_past_did_not_is_external() {
        assert_eq!(judge(0.9, 0.5, 0.1), Cause::External);
        assert_eq!(judge(0.9, 0.9, 0.9), Cause::External);
        assert_eq!(judge(0.9, 0.5, 0.9), Cause::Internal);
        assert_eq!(judge(0.3, 0.9, 0.1), Cause::Internal);
    }

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        assert_eq!(duration(0.5), "0.5 s");
        assert_eq!(duration(59.0), "59 s");
        assert_eq!(duration(60.0), "1 min");
        assert_eq!(duration(75.0), "1 min 15 s");
        assert_eq!(duration(7260.0), "2 h 1 min");
        assert_eq!(duration(90_000.0), "1 d 1 h");
    }
}
