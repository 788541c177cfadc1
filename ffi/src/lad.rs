//! LAD behind the border: the functions that detectors "lad" alone have.

use std::ffi::{c_char, c_uint};

use bellwether_core::detector::Detector as _;
use bellwether_core::inference::Family;
use bellwether_core::lad::{
    Detector, LadOptions, Observed, Outcome, Record, Source, Transport, Verdict,
};
use bellwether_core::options::OptionError;
use bellwether_core::units::Time;

use crate::border::{
    Failure, Growable, Handle, Input, any_text, fallible, growable, guard, input_bool,
    optional_bytes, text,
};
use crate::detector::{Kind, Wraps, bw_detector};
use crate::error::{bw_error, bw_result};
use crate::lad_status::Statuses;
use crate::string::bw_string;

/// LAD, and what C reads of it.
pub(crate) struct Lad(pub(crate) Detector, pub(crate) Statuses);

impl Kind for Lad {
    const NAME: &'static str = Detector::NAME;
    type Options = LadOptions;
    fn new(options: LadOptions) -> Result<Self, OptionError> {
        Ok(Self(Detector::new(options)?, Statuses::default()))
    }
}

impl Wraps for Lad {
    type Detector = Detector;
    fn detector(&self) -> &Detector {
        &self.0
    }
    fn detector_mut(&mut self) -> &mut Detector {
        &mut self.0
    }
}

/// How a record reached the log, as the caller vouches for it: a program chooses its own name, but not this. Never taken from the
/// text of a record, or from what its sender chose.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_lad_transport {
    /// The caller does not know. The name of the program is all there is.
    BW_LAD_TRANSPORT_UNKNOWN = 0,
    /// The kernel's ring buffer, read as such.
    BW_LAD_TRANSPORT_KERNEL = 1,
    /// A process of the host: the syslog socket, the journal's socket, standard output. It is not the kernel, whatever its name.
    BW_LAD_TRANSPORT_PROCESS = 2,
    /// The output of a container, whose name was chosen by who started it.
    BW_LAD_TRANSPORT_CONTAINER = 3,
}

/// A `bw_lad_transport` that a caller passes in: any number, since C does not check it.
pub type input_transport = c_uint;

/// The transport with that number; `what` names where it was.
pub(crate) fn transport(
    number: c_uint,
    what: impl FnOnce() -> String,
) -> Result<Transport, Failure> {
    const UNKNOWN: c_uint = bw_lad_transport::BW_LAD_TRANSPORT_UNKNOWN as c_uint;
    const KERNEL: c_uint = bw_lad_transport::BW_LAD_TRANSPORT_KERNEL as c_uint;
    const PROCESS: c_uint = bw_lad_transport::BW_LAD_TRANSPORT_PROCESS as c_uint;
    const CONTAINER: c_uint = bw_lad_transport::BW_LAD_TRANSPORT_CONTAINER as c_uint;
    Ok(match number {
        UNKNOWN => Transport::Unknown,
        KERNEL => Transport::Kernel,
        PROCESS => Transport::Process,
        CONTAINER => Transport::Container,
        other => {
            return Err(Failure::argument(format!(
                "{} is {other}; it must be one of bw_lad_transport, {UNKNOWN} to {CONTAINER}",
                what()
            )));
        }
    })
}

/// One record of a log.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_lad_record {
    /// Set by the caller to `sizeof(bw_lad_record)`.
    pub size: usize,
    /// The stream that it belongs to: the name of the host whose log it is.
    pub stream: bw_string,
    /// The message, without time, host and program. Any bytes: those that are not UTF-8, and NUL bytes, are replaced.
    pub text: bw_string,
    /// The time of the record, in seconds since the epoch.
    pub time: f64,
    /// The program that wrote it, if known. Any bytes, as the two below; an event shows these three.
    pub program: bw_string,
    /// The unit of that program, if known: of systemd, or a pod or container.
    pub unit: bw_string,
    /// What the agent calls the input that it comes from, if known.
    pub tag: bw_string,
    /// Its syslog severity, 0 (emergency) to 7 (debug), if `has_priority` is true.
    pub priority: u32,
    /// Whether the record has a priority.
    pub has_priority: input_bool,
    /// How it reached the log. Since version 5 of the interface; unknown to an earlier program.
    pub transport: input_transport,
}

growable!(bw_lad_record, 104);

// SAFETY: any bytes are sizes, pointers and numbers.
unsafe impl Input for bw_lad_record {}

/// What became of a record. None of these is an error; keep feeding records.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_lad_outcome {
    /// It counts.
    BW_LAD_OUTCOME_TAKEN = 0,
    /// The stream's name is empty or too long, or the time is out of range. It was classified by its text only.
    BW_LAD_OUTCOME_REFUSED = 1,
    /// Of earlier versions: the option "max_streams" left no room for its stream. Now a stream makes room.
    BW_LAD_OUTCOME_FULL = 2,
    /// In a batch only: it is no record, as a string is not within the batch's text, or the stream's name is not UTF-8 or has a
    /// NUL byte.
    BW_LAD_OUTCOME_INVALID = 3,
}

impl From<Outcome> for bw_lad_outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Taken => Self::BW_LAD_OUTCOME_TAKEN,
            Outcome::Refused => Self::BW_LAD_OUTCOME_REFUSED,
        }
    }
}

/// How a record was classified.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_lad_observed {
    /// Set by the caller to `sizeof(bw_lad_observed)`.
    pub size: usize,
    /// The number of its template, stable within its stream; 0 if it belongs to no stream.
    pub template_id: u64,
    /// Its template; none if it belongs to no stream. Belongs to the detector.
    pub template_text: bw_string,
    /// The family of failures that it reports: "memory", "storage", "stall", "cpu_pressure", "hardware", "kernel", "trace",
    /// "process", "vmm", "service" or "network"; none if it reports no failure. Static.
    pub family: bw_string,
    /// The severity of what it reports, 0 to 1.
    pub severity: f64,
    /// The anomaly score by the option "mode", 0 to 1.
    pub score: f64,
    /// What became of it.
    pub outcome: bw_lad_outcome,
    /// It reports a failure: its severity reaches the option "severity_threshold".
    pub failure: bool,
    /// It starts or extends an episode of failure.
    pub alarm: bool,
    /// It completes a window of templates that was unknown.
    pub novel: bool,
    /// It is one of the first of its stream, from which the detector learns what is normal.
    pub training: bool,
    /// It is the first of a template that is new to its stream and to the fleet; with the option "seeds". Since version 6 of the
    /// interface.
    pub unseen: bool,
    /// The option "sequence_model" did not predict it: its template is unknown to the fleet, or not among the likeliest. False
    /// without that option. Since version 7 of the interface, as below.
    pub unpredicted: bool,
    /// The rank of its template among those that are predicted, 1 for the likeliest; 0 if its template is unknown to the fleet, if
    /// there are not enough records before it, or without that option.
    pub rank: u32,
}

growable!(bw_lad_observed, 72);

impl bw_lad_observed {
    /// `observed` with its template.
    fn new(observed: &Observed, template: Option<&str>) -> Self {
        Self {
            size: size_of::<Self>(),
            template_id: observed.template_id,
            template_text: bw_string::optional(template),
            family: bw_string::optional(observed.family.map(|family| family.as_str())),
            severity: observed.severity.get(),
            score: observed.score.get(),
            outcome: observed.outcome.into(),
            failure: observed.failure,
            alarm: observed.alarm,
            novel: observed.novel,
            training: observed.training,
            unseen: observed.unseen,
            unpredicted: observed.predicted.is_some_and(|p| p.anomalous),
            rank: observed.predicted.map_or(0, |p| p.rank),
        }
    }
}

/// Takes one record and gives in `*observed`, which may be NULL, how it was classified. Events that it causes wait for
/// `bw_detector_next_event`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_observe(
    lad: *mut bw_detector,
    record: *const bw_lad_record,
    observed: *mut bw_lad_observed,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_detector::exclusive(lad) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        let r = unsafe { bw_lad_record::read(record) }?;
        // SAFETY: each string of the struct is NULL or has as many bytes as it says.
        let (stream, text) = unsafe {
            (
                text(r.stream.data, r.stream.size, "bw_lad_record.stream")?,
                any_text(r.text.data, r.text.size, "bw_lad_record.text")?,
            )
        };
        // SAFETY: as above.
        let source = unsafe {
            Source {
                program: optional_bytes(r.program.data, r.program.size, "bw_lad_record.program")?,
                unit: optional_bytes(r.unit.data, r.unit.size, "bw_lad_record.unit")?,
                tag: optional_bytes(r.tag.data, r.tag.size, "bw_lad_record.tag")?,
                transport: transport(r.transport, || "bw_lad_record.transport".into())?,
            }
        };
        if !observed.is_null() {
            // SAFETY: it is not NULL, so the caller lets us read its size.
            unsafe { bw_lad_observed::check(observed) }?;
        }
        let record = Record {
            stream,
            time: Time::from_secs(r.time),
            text: &text,
            priority: (r.has_priority != 0).then(|| r.priority.min(7) as u8),
            source,
        };
        let found = lad.change(|lad: &mut Lad| {
            let found = lad.0.observe(&record);
            if observed.is_null() {
                return Ok(());
            }
            let template = match found.template_id {
                0 => None,
                id => lad.0.template(stream, id),
            };
            // SAFETY: the caller passes a struct of the size that it gives.
            unsafe { bw_lad_observed::new(&found, template).write(observed) }
        });
        found?
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// A verdict on the records of a template. The first three are an operator's, whose word counts; the last two are those of a
/// language model, or of whoever else is not to be relied on, and never replace an operator's.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_lad_verdict {
    /// None: an earlier verdict is withdrawn.
    BW_LAD_VERDICT_NONE = 0,
    /// They report no failure, whatever their text is.
    BW_LAD_VERDICT_BENIGN = 1,
    /// They report a failure.
    BW_LAD_VERDICT_FAILURE = 2,
    /// They probably report no failure. It does not count against a text of severity 0.7 or more.
    BW_LAD_VERDICT_LIKELY_BENIGN = 3,
    /// They probably report a failure. It raises a warning at most.
    BW_LAD_VERDICT_LIKELY_FAILURE = 4,
}

/// A `bw_lad_verdict` that a caller passes in: any number, since C does not check it.
pub type input_verdict = c_uint;

/// The verdict with that number, of this family.
pub(crate) fn verdict(number: c_uint, family: Option<Family>) -> Result<Option<Verdict>, Failure> {
    const NONE: c_uint = bw_lad_verdict::BW_LAD_VERDICT_NONE as c_uint;
    const BENIGN: c_uint = bw_lad_verdict::BW_LAD_VERDICT_BENIGN as c_uint;
    const FAILURE: c_uint = bw_lad_verdict::BW_LAD_VERDICT_FAILURE as c_uint;
    const LIKELY_BENIGN: c_uint = bw_lad_verdict::BW_LAD_VERDICT_LIKELY_BENIGN as c_uint;
    const LIKELY_FAILURE: c_uint = bw_lad_verdict::BW_LAD_VERDICT_LIKELY_FAILURE as c_uint;
    Ok(match number {
        NONE => None,
        BENIGN => Some(Verdict::Benign),
        FAILURE => Some(Verdict::Failure),
        LIKELY_BENIGN => Some(Verdict::LikelyBenign),
        LIKELY_FAILURE => Some(Verdict::LikelyFailure(family)),
        other => {
            return Err(Failure::argument(format!(
                "verdict is {other}; it must be one of bw_lad_verdict, {NONE} to {LIKELY_FAILURE}"
            )));
        }
    })
}

/// Applies a verdict on a template of `stream`, from now on and to what it changes: an episode of which nothing is
/// left is cleared, one that should be there is raised, and what was learned from a failure is forgotten. `BW_NOT_FOUND` if there
/// is no such stream or template (any more).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_feedback(
    lad: *mut bw_detector,
    stream: *const c_char,
    stream_len: usize,
    template_id: u64,
    verdict: input_verdict,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_detector::exclusive(lad) }?;
        // SAFETY: the caller passes NULL or that many bytes.
        let stream = unsafe { text(stream, stream_len, "stream") }?;
        let verdict = self::verdict(verdict, None)?;
        if lad.change(|lad: &mut Lad| lad.0.feedback(stream, template_id, verdict))? {
            return Ok(());
        }
        Err(Failure::not_found(format!(
            "there is no stream \"{stream}\" with a template {template_id}"
        )))
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// The template of `stream` with that number. Belongs to the detector. None if there is no such stream or template (any more), or
/// `lad` is not a detector "lad".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_template(
    lad: *const bw_detector,
    stream: *const c_char,
    stream_len: usize,
    template_id: u64,
) -> bw_string {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let lad: &Lad = unsafe { bw_detector::shared(lad) }.ok()?.read().ok()?;
        // SAFETY: the caller passes NULL or that many bytes.
        let stream = unsafe { text(stream, stream_len, "stream") }.ok()?;
        lad.0.template(stream, template_id).map(bw_string::of)
    };
    guard(None, body).unwrap_or(bw_string::NONE)
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::*;

    #[test]
    fn the_transport_of_an_earlier_programs_record_is_unknown() {
        // SAFETY: zeros are numbers, false and pointers that are NULL.
        let mut record: bw_lad_record = unsafe { std::mem::zeroed() };
        record.size = bw_lad_record::FIRST_SIZE;
        record.has_priority = 1;
        // What follows the struct that it knows is its own.
        record.transport = 77;
        // SAFETY: the struct has more bytes than it says.
        let read = unsafe { bw_lad_record::read(ptr::from_ref(&record)) }.unwrap();
        assert_eq!((read.has_priority, read.transport), (1, 0));
        let found = transport(read.transport, || unreachable!("it is known"));
        assert_eq!(found.unwrap(), Transport::Unknown);
    }
}
