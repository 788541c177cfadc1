//! What a detector of failing hosts is given, and what it answers.

use std::ffi::{CStr, c_char};
use std::ptr;

use bellwether_core::inference::Family;
use bellwether_core::lad::{Observed, Outcome};

use crate::border::{Filled, with_size};
use crate::layout::bw_record;

with_size!(bw_record, grown from program);

// SAFETY: any bytes are sizes, pointers and numbers.
unsafe impl Filled for bw_record {}

/// What became of a record. None of these is an error: a stream that holds such records is to be read on.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_record_outcome {
    /// It counts.
    BW_RECORD_TAKEN = 0,
    /// The stream's name is empty or too long, or the time is not a number that can be. It was judged by what it says alone.
    BW_RECORD_REFUSED = 1,
    /// The option "max_streams" leaves no room for its stream. It was judged by what it says alone.
    BW_RECORD_FULL = 2,
}

impl From<Outcome> for bw_record_outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Taken => Self::BW_RECORD_TAKEN,
            Outcome::Refused => Self::BW_RECORD_REFUSED,
            Outcome::Full => Self::BW_RECORD_FULL,
        }
    }
}

/// What a record was found to be.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_observed {
    /// Set by the caller to `sizeof(bw_observed)`.
    pub size: usize,
    /// The number of its template, stable within its stream; 0 where it is of no stream.
    pub template_id: u64,
    /// Its template, in UTF-8 and NUL-terminated; NULL where it is of no stream. Belongs to the detector and lives until the
    /// next call on it.
    pub template_text: *const c_char,
    /// The bytes of `template_text` without the NUL.
    pub template_len: usize,
    /// The family of what it says: "memory", "storage", "stall", "cpu_pressure", "hardware", "kernel", "trace", "process",
    /// "vmm", "service" or "network"; static and NUL-terminated. NULL where it says nothing of the kind.
    pub family: *const c_char,
    /// How severe what it says is, 0 to 1.
    pub severity: f64,
    /// The score that the option "mode" gives it, 0 to 1.
    pub score: f64,
    /// What became of it.
    pub outcome: bw_record_outcome,
    /// It tells of a failure: its severity reaches the option "severity_threshold".
    pub failure: bool,
    /// It begins or extends an episode of failure.
    pub alarm: bool,
    /// It completes a window of templates that was unknown.
    pub novel: bool,
    /// It is one of the first of its stream, from which the detector learns what is normal.
    pub training: bool,
}

with_size!(bw_observed);

impl bw_observed {
    /// `observed` with its template as C reads it: `template` ends with a NUL, and is empty where there is none.
    pub(crate) fn new(observed: &Observed, template: &[u8]) -> Self {
        let has_template = observed.template_id != 0 && !template.is_empty();
        Self {
            size: size_of::<Self>(),
            template_id: observed.template_id,
            template_text: if has_template {
                template.as_ptr().cast()
            } else {
                ptr::null()
            },
            template_len: if has_template { template.len() - 1 } else { 0 },
            family: observed
                .family
                .map_or(ptr::null(), |family| family_name(family).as_ptr()),
            severity: observed.severity.get(),
            score: observed.score.get(),
            outcome: observed.outcome.into(),
            failure: observed.failure,
            alarm: observed.alarm,
            novel: observed.novel,
            training: observed.training,
        }
    }
}

/// [`Family::as_str`] with a NUL.
fn family_name(family: Family) -> &'static CStr {
    match family {
        Family::Memory => c"memory",
        Family::Storage => c"storage",
        Family::Stall => c"stall",
        Family::CpuPressure => c"cpu_pressure",
        Family::Hardware => c"hardware",
        Family::Kernel => c"kernel",
        Family::Trace => c"trace",
        Family::Process => c"process",
        Family::Vmm => c"vmm",
        Family::Service => c"service",
        Family::Network => c"network",
    }
}

/// What an operator says that the records of a template are.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_verdict {
    /// Nothing: an earlier word is taken back.
    BW_VERDICT_NONE = 0,
    /// They tell of no failure, whatever they say.
    BW_VERDICT_BENIGN = 1,
    /// They tell of a failure.
    BW_VERDICT_FAILURE = 2,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_the_same_name_in_c() {
        for family in Family::ALL {
            assert_eq!(family_name(family).to_str().unwrap(), family.as_str());
        }
    }
}
