//! What a detector is given, and what it answers.

use std::ffi::c_char;

use bellwether_core::had::Outcome;

use crate::border::{Filled, WithSize};

/// One sample of one metric of one VM. The strings are in UTF-8, not NUL-terminated, without NUL bytes, and not kept.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_observation {
    /// Set by the caller to `sizeof(bw_observation)`.
    pub size: usize,
    /// The hypervisor's name.
    pub hypervisor: *const c_char,
    /// The bytes of `hypervisor`; a name without any is `BW_OUTCOME_REFUSED`.
    pub hypervisor_len: usize,
    /// The VM's name, unique on its hypervisor.
    pub vm: *const c_char,
    /// The bytes of `vm`; a name without any is `BW_OUTCOME_REFUSED`.
    pub vm_len: usize,
    /// The metric's name; one that is not in the option "metrics" is `BW_OUTCOME_IGNORED`.
    pub metric: *const c_char,
    /// The bytes of `metric`.
    pub metric_len: usize,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// Seconds between two samples of this VM; 0 means the option "interval".
    pub interval: f64,
    /// The value, not negative; for "cpu" in percent of one core. NaN is a sample that is known to be missing.
    pub value: f64,
}

// SAFETY: it is `repr(C)` and begins with a `usize`.
unsafe impl WithSize for bw_observation {
    const NAME: &'static str = "bw_observation";
    const SIZE_AT_FIRST: usize = size_of::<Self>();
}

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
    /// One of the options "max_hypervisors" and "max_vms" leaves no room for it.
    BW_OUTCOME_FULL = 6,
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
        }
    }
}
