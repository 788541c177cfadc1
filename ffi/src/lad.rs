//! The detector of LAD.

use std::ffi::c_char;
use std::ptr;

use bellwether_core::lad::{Detector, Record, Source, Verdict};
use bellwether_core::units::Time;

use crate::border::{
    Failure, Filled, Handle, WithSize, any_text, fallible, free, guard, optional_bytes, text,
};
use crate::detector::{self, DetectorHandle, Whole};
use crate::error::{bw_error, bw_result};
use crate::event::bw_event;
use crate::lad_options::bw_lad_options;
use crate::layout::{bw_log_counters, bw_record};
use crate::record::{bw_observed, bw_verdict};
use crate::snapshot::bw_snapshot;

/// A detector of failing hosts by their logs. It takes one record at a time, says what that is, and gives events. It holds any
/// number of streams, each the merged log of one host; it knows no clock and starts no thread: time comes in with the records.
/// Made by `bw_lad_new`, freed by `bw_lad_free`. May be used from any thread, by one thread at a time; detectors are independent
/// of each other.
pub struct bw_lad {
    detector: Whole<Detector>,
    /// The template that was given last, with a NUL.
    template: Vec<u8>,
}

impl Handle for bw_lad {
    const NAME: &'static str = "bw_lad";
}

impl DetectorHandle for bw_lad {
    type Detector = Detector;
    fn detector(&self) -> &Whole<Detector> {
        &self.detector
    }
    fn detector_mut(&mut self) -> &mut Whole<Detector> {
        &mut self.detector
    }
}

impl bw_lad {
    /// Keeps a template for C to read: empty where there is none, else with a NUL.
    fn keep_template(&mut self, stream: &str, template_id: u64) -> Result<&[u8], Failure> {
        self.template.clear();
        if let Some(template) = self.detector.get()?.template(stream, template_id) {
            self.template.extend_from_slice(template.as_bytes());
            self.template.push(0);
        }
        Ok(&self.template)
    }
}

/// Makes a detector that knows nothing yet. `options` are copied: the caller still owns them; NULL means all defaults. The
/// caller owns the detector and frees it with `bw_lad_free`. A file that the option "lexicon" names is read now.
///
/// NULL where it fails, which is where options contradict each other or that file cannot be used: the error's code is then
/// `BW_INVALID_OPTION`. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_new(
    options: *const bw_lad_options,
    error: *mut *mut bw_error,
) -> *mut bw_lad {
    let make = |options| {
        Ok(bw_lad {
            detector: Whole::new(Detector::new(options)?),
            template: Vec::new(),
        })
    };
    // SAFETY: passed on to the caller.
    unsafe { detector::new(options, error, make) }
}

/// Frees `lad`. NULL is fine. Events that it gave live on; templates that it gave do not.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_free(lad: *mut bw_lad) {
    // SAFETY: passed on to the caller.
    unsafe { free(lad) };
}

/// Takes one record and says in `*observed`, whose field `size` the caller has set, what it is; `observed` may be NULL. Events
/// that it brings about wait for `bw_lad_next_event`.
///
/// `BW_INVALID_ARGUMENT` where `lad`, `record`, its stream or its text is NULL, the stream's name is not UTF-8 or holds a NUL
/// byte, a field `size` is too small, or `record` has something behind the fields that this version of the library knows;
/// `*observed` is then as before, and the record did not count. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_observe(
    lad: *mut bw_lad,
    record: *const bw_record,
    observed: *mut bw_observed,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_lad::exclusive(lad) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it says.
        let r = unsafe { bw_record::read(record) }?;
        // SAFETY: each string of the struct is NULL or has as many bytes as it says.
        let (stream, text) = unsafe {
            (
                text(r.stream, r.stream_len, "bw_record.stream")?,
                any_text(r.text, r.text_len, "bw_record.text")?,
            )
        };
        // SAFETY: as above.
        let source = unsafe {
            Source {
                program: optional_bytes(r.program, r.program_len, "bw_record.program")?,
                unit: optional_bytes(r.unit, r.unit_len, "bw_record.unit")?,
                tag: optional_bytes(r.tag, r.tag_len, "bw_record.tag")?,
            }
        };
        if !observed.is_null() {
            // SAFETY: it is not NULL, so the caller lets us read its size.
            unsafe { bw_observed::check(observed) }?;
        }
        let record = Record {
            stream,
            time: Time::from_secs(r.time),
            text: &text,
            priority: (r.has_priority != 0).then(|| r.priority.min(7) as u8),
            source,
        };
        let found = lad.detector.change(|detector| detector.observe(&record))?;
        if !observed.is_null() {
            let template = lad.keep_template(stream, found.template_id)?;
            // SAFETY: the caller passes a struct of the size that it says.
            unsafe { bw_observed::new(&found, template).write(observed) }?;
        }
        Ok(())
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// Says that no record with a time before `time` (seconds since the epoch) is going to come any more: forgets streams that have
/// been silent for too long, and clears what is open of them. A time that is not finite or thousands of years off changes
/// nothing.
///
/// `BW_INVALID_ARGUMENT` where `lad` is NULL. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_advance(
    lad: *mut bw_lad,
    time: f64,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { detector::advance(lad, time, error) }
}

/// Takes an operator's word for what the records of a template of `stream` are; `verdict` is one of `bw_verdict`. It holds from
/// now on, and re-scores what it touches: an episode of which nothing is left is cleared, one that should be there is raised,
/// what was learnt from a failure is forgotten.
///
/// `BW_NOT_FOUND` where there is no such stream or template (any more), `BW_INVALID_ARGUMENT` where `lad` or `stream` is NULL, the
/// name is not UTF-8 or holds a NUL byte, or `verdict` is none of `bw_verdict`. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_feedback(
    lad: *mut bw_lad,
    stream: *const c_char,
    stream_len: usize,
    template_id: u64,
    verdict: u32,
    error: *mut *mut bw_error,
) -> bw_result {
    const NONE: u32 = bw_verdict::BW_VERDICT_NONE as u32;
    const BENIGN: u32 = bw_verdict::BW_VERDICT_BENIGN as u32;
    const FAILURE: u32 = bw_verdict::BW_VERDICT_FAILURE as u32;
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_lad::exclusive(lad) }?;
        // SAFETY: the caller passes NULL or so many bytes.
        let stream = unsafe { text(stream, stream_len, "stream") }?;
        let verdict = match verdict {
            NONE => None,
            BENIGN => Some(Verdict::Benign),
            FAILURE => Some(Verdict::Failure),
            other => {
                return Err(Failure::argument(format!(
                    "verdict is {other}; it must be one of bw_verdict, 0 to 2"
                )));
            }
        };
        if lad
            .detector
            .change(|detector| detector.feedback(stream, template_id, verdict))?
        {
            return Ok(());
        }
        Err(Failure::not_found(format!(
            "there is no stream \"{stream}\" with a template {template_id}"
        )))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// The template of `stream` with the number `template_id`, in UTF-8 and NUL-terminated. It belongs to the detector and lives
/// until the next call on it. NULL where there is no such stream or template (any more), and where `lad` or `stream` is NULL or
/// the name is not UTF-8.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_template(
    lad: *mut bw_lad,
    stream: *const c_char,
    stream_len: usize,
    template_id: u64,
) -> *const c_char {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_lad::exclusive(lad) }.ok()?;
        // SAFETY: the caller passes NULL or so many bytes.
        let stream = unsafe { text(stream, stream_len, "stream") }.ok()?;
        let template = lad.keep_template(stream, template_id).ok()?;
        (!template.is_empty()).then_some(template.as_ptr().cast())
    };
    guard(None, body).unwrap_or(ptr::null())
}

/// The oldest event that was not fetched yet; the caller owns it and frees it with `bw_event_free`. NULL where there is none,
/// and where `lad` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_next_event(lad: *mut bw_lad) -> *mut bw_event {
    // SAFETY: passed on to the caller.
    unsafe { detector::next_event(lad) }
}

/// Saves all that was learnt to the file `path`, so that a crash at any moment leaves either the old file or the new one,
/// whole. `path` is in the system's encoding, without NUL bytes, and not kept.
///
/// `BW_IO` where the file cannot be written; an old one is then untouched. `BW_INVALID_ARGUMENT` where `lad` or `path` is NULL or
/// the path is empty. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_save(
    lad: *const bw_lad,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { detector::save(lad, path, path_len, error) }
}

/// All that `lad` has learnt, as `bw_lad_save` would write it; the caller owns it and frees it with `bw_snapshot_free`. Taking it takes
/// as long as it takes to copy what was learnt; only `bw_snapshot_write` waits for a disk, and needs no detector.
///
/// NULL where it fails, which is where `lad` is NULL. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_snapshot(
    lad: *const bw_lad,
    error: *mut *mut bw_error,
) -> *mut bw_snapshot {
    // SAFETY: passed on to the caller.
    unsafe { detector::snapshot(lad, error) }
}

/// Replaces all that was learnt by what `bw_lad_save` wrote to the file `path`: the detector goes on as if it had never
/// stopped. `path` is in the system's encoding, without NUL bytes, and not kept.
///
/// `BW_NOT_FOUND` where there is no such file, which is how a first start looks; `BW_IO` where it cannot be read;
/// `BW_SNAPSHOT_UNUSABLE` where it is damaged, of another version, or made with options that shape the state otherwise: it is
/// then renamed, and the message says to what. `BW_INVALID_ARGUMENT` where `lad` or `path` is NULL or the path is empty. In all
/// these cases the detector is as before and can be used. `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_load(
    lad: *mut bw_lad,
    path: *const c_char,
    path_len: usize,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { detector::load(lad, path, path_len, error) }
}

/// Counts in `*counters`, whose field `size` the caller has set.
///
/// `BW_INVALID_ARGUMENT` where `lad` or `counters` is NULL or the field `size` is too small; `*counters` is then as before.
/// `error` may be NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_counters(
    lad: *const bw_lad,
    counters: *mut bw_log_counters,
    error: *mut *mut bw_error,
) -> bw_result {
    // SAFETY: passed on to the caller.
    unsafe { detector::write(lad, counters, error, |d| bw_log_counters::new(d.counters())) }
}
