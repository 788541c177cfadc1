//! What a detector is given, and what it answers.

use bellwether_core::had::Outcome;

use crate::border::{Filled, with_size};
use crate::layout::bw_observation;

with_size!(bw_observation);

// SAFETY: any bytes are sizes, pointers and numbers.
unsafe impl Filled for bw_observation {}

/// What became of an observation. None of these is an error: a stream that holds such samples is to be read on.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_outcome {
    /// It counts.
    BW_OUTCOME_TAKEN = 0,
    /// It replaced an earlier one of the same VM and interval, or came again.
    BW_OUTCOME_DUPLICATE = 1,
    /// Its interval has been judged already.
    BW_OUTCOME_LATE = 2,
    /// Its metric is not watched.
    BW_OUTCOME_IGNORED = 3,
    /// Its VM is masked, see `bw_had_mask`.
    BW_OUTCOME_MASKED = 4,
    /// A name is empty or too long, or the time, the interval or the value is not a number that can be.
    BW_OUTCOME_REFUSED = 5,
    /// One of the options "max_hypervisors" and "max_vms" leaves no room for it, as all that there is state of still reports, or
    /// its hypervisor has VMs of as many intervals as are kept.
    BW_OUTCOME_FULL = 6,
    /// Its time or its interval is not that of the other VMs. It is held, and counts if they come to agree with it soon.
    BW_OUTCOME_SET_ASIDE = 7,
}

impl From<Outcome> for bw_outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Taken => Self::BW_OUTCOME_TAKEN,
            Outcome::Duplicate => Self::BW_OUTCOME_DUPLICATE,
            Outcome::Late => Self::BW_OUTCOME_LATE,
            Outcome::Ignored => Self::BW_OUTCOME_IGNORED,
            Outcome::Masked => Self::BW_OUTCOME_MASKED,
            Outcome::Refused => Self::BW_OUTCOME_REFUSED,
            Outcome::Full => Self::BW_OUTCOME_FULL,
            Outcome::SetAside => Self::BW_OUTCOME_SET_ASIDE,
        }
    }
}
