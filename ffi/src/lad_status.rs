//! What each log says about its host right now.

use bellwether_core::lad::Detector;
use bellwether_core::units::Time;

use crate::border::{Failure, Growable, Handle, fallible, growable, guard};
use crate::detector::bw_detector;
use crate::error::{bw_error, bw_result};
use crate::lad::Lad;
use crate::string::bw_string;

/// What the log of a host says about it at one time. Its string lives until the next `bw_lad_status_count`.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_lad_status {
    /// Set by the caller to `sizeof(bw_lad_status)`.
    pub size: usize,
    /// The stream: the name of the host.
    pub stream: bw_string,
    /// The newest time of its records, in seconds since the epoch.
    pub last: f64,
    /// In how many of the last 20 minutes it had records that report a failure.
    pub failure_minutes: u32,
    /// How many of its templates of the last 20 minutes are new to the fleet, those of one minute counted up to two, if `has_seeds`
    /// is true.
    pub unseen: u32,
    /// Its open episodes of failure.
    pub open_episodes: u32,
    /// Whether the detector knows the fleet's templates; with the option "seeds".
    pub has_seeds: bool,
}

growable!(bw_lad_status, 48);

/// The statuses at the last `bw_lad_status_count`, with their names in one buffer that is reused.
#[derive(Default)]
pub(crate) struct Statuses {
    names: String,
    rows: Vec<(bw_lad_status, usize, usize)>,
}

// SAFETY: the pointers of the rows are NULL, so that nothing in them belongs to a thread.
unsafe impl Send for Statuses {}

impl Statuses {
    /// Takes the statuses at `time`: how many they are.
    fn take(&mut self, detector: &Detector, time: f64) -> usize {
        self.names.clear();
        self.rows.clear();
        for status in detector.statuses(Time::from_secs(time)) {
            let start = self.names.len();
            self.names.push_str(status.stream);
            let row = bw_lad_status {
                size: size_of::<bw_lad_status>(),
                stream: bw_string::NONE,
                last: status.last.secs(),
                failure_minutes: status.failure_minutes,
                unseen: status.unseen.unwrap_or(0),
                open_episodes: status.episodes,
                has_seeds: status.unseen.is_some(),
            };
            self.rows.push((row, start, self.names.len()));
        }
        self.rows.len()
    }

    /// The status with that index.
    fn get(&self, index: usize) -> Option<bw_lad_status> {
        let &(row, start, end) = self.rows.get(index)?;
        Some(bw_lad_status {
            stream: bw_string::of(&self.names[start..end]),
            ..row
        })
    }
}

/// Takes what every log says about its host at `time`, seconds since the epoch, for `bw_lad_status_at`, and gives their number;
/// 0 if `lad` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_status_count(lad: *mut bw_detector, time: f64) -> usize {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_detector::exclusive(lad) }.ok()?;
        lad.change(|Lad(detector, statuses): &mut Lad| statuses.take(detector, time))
            .ok()
    };
    guard(None, body).unwrap_or(0)
}

/// Gives one status of those that the last `bw_lad_status_count` took in `*status`, in no particular order. `BW_NOT_FOUND` if
/// `index` is not below their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_status_at(
    lad: *const bw_detector,
    index: usize,
    status: *mut bw_lad_status,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let Lad(_, statuses) = unsafe { bw_detector::shared(lad) }?.read()?;
        let found = statuses.get(index).ok_or_else(|| {
            let count = statuses.rows.len();
            Failure::not_found(format!(
                "there is no status {index}; the last bw_lad_status_count found {count}, counted from 0"
            ))
        })?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        unsafe { found.write(status) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}
