//! Many records in one call.

use bellwether_core::lad::{Observed, Record, Source, Transport};
use bellwether_core::units::Time;

use crate::batch::{Buffer, Output, array, optional_array};
use crate::border::{Handle, Input, fallible, growable, readable};
use crate::detector::bw_detector;
use crate::error::{bw_error, bw_result};
use crate::lad::{Lad, bw_lad_outcome, transport};
use crate::string::{bw_span, bw_string};

/// How a record of a batch was classified: the sum of those that are true, see `bw_lad_observed`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_lad_flag {
    /// It reports a failure.
    BW_LAD_FLAG_FAILURE = 1,
    /// It starts or extends an episode of failure.
    BW_LAD_FLAG_ALARM = 2,
    /// It completes an unknown window.
    BW_LAD_FLAG_NOVEL = 4,
    /// It is one of the first of its stream.
    BW_LAD_FLAG_TRAINING = 8,
    /// It is the first of a template that is new to the fleet.
    BW_LAD_FLAG_UNSEEN = 16,
    /// The option "sequence_model" did not predict it. Since version 7 of the interface.
    BW_LAD_FLAG_UNPREDICTED = 32,
}

/// Many records, in flat arrays of `count` elements: for callers to whom a call is expensive. The strings are parts of one text
/// and may share it. Arrays that are optional may be NULL.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_lad_batch {
    /// Set by the caller to `sizeof(bw_lad_batch)`.
    pub size: usize,
    /// How many records there are.
    pub count: usize,
    /// The text that has all strings.
    pub text: bw_string,
    /// Where the names of the streams are in `text`.
    pub streams: *const bw_span,
    /// Where the messages are.
    pub texts: *const bw_span,
    /// The times, in seconds since the epoch.
    pub times: *const f64,
    /// The syslog severities, 0 to 7; any other number for a record that has none. Optional.
    pub priorities: *const u8,
    /// Where the names of the programs are. Optional, as all below.
    pub programs: *const bw_span,
    /// Where the names of the units are.
    pub units: *const bw_span,
    /// Where the tags are.
    pub tags: *const bw_span,
    /// Filled with what became of each record.
    pub outcomes: *mut bw_lad_outcome,
    /// Filled with the number of each template, as `bw_lad_template` takes it; 0 if it belongs to no stream.
    pub template_ids: *mut u64,
    /// Filled with the severities.
    pub severities: *mut f64,
    /// Filled with the scores.
    pub scores: *mut f64,
    /// Filled with sums of `bw_lad_flag`.
    pub flags: *mut u8,
    /// How the records reached the log, each one of `bw_lad_transport`. Optional: all unknown. Since version 5 of the interface.
    pub transports: *const u8,
}

growable!(bw_lad_batch, 128);

// SAFETY: any bytes are sizes and pointers.
unsafe impl Input for bw_lad_batch {}

/// The arrays that a batch fills.
struct Results {
    outcomes: Output<bw_lad_outcome>,
    template_ids: Output<u64>,
    severities: Output<f64>,
    scores: Output<f64>,
    flags: Output<u8>,
}

impl Results {
    fn set(&mut self, i: usize, observed: &Observed) {
        self.outcomes.set(i, observed.outcome.into());
        self.template_ids.set(i, observed.template_id);
        self.severities.set(i, observed.severity.get());
        self.scores.set(i, observed.score.get());
        let flags = [
            (observed.failure, bw_lad_flag::BW_LAD_FLAG_FAILURE),
            (observed.alarm, bw_lad_flag::BW_LAD_FLAG_ALARM),
            (observed.novel, bw_lad_flag::BW_LAD_FLAG_NOVEL),
            (observed.training, bw_lad_flag::BW_LAD_FLAG_TRAINING),
            (observed.unseen, bw_lad_flag::BW_LAD_FLAG_UNSEEN),
            (
                observed.predicted.is_some_and(|p| p.anomalous),
                bw_lad_flag::BW_LAD_FLAG_UNPREDICTED,
            ),
        ];
        let set = flags.into_iter().filter(|(is, _)| *is);
        self.flags.set(i, set.map(|(_, flag)| flag as u8).sum());
    }

    fn set_invalid(&mut self, i: usize) {
        self.outcomes.set(i, bw_lad_outcome::BW_LAD_OUTCOME_INVALID);
        self.template_ids.set(i, 0);
        self.severities.set(i, 0.0);
        self.scores.set(i, 0.0);
        self.flags.set(i, 0);
    }
}

/// Takes many records in their order, each as `bw_lad_observe` does. One that is no record (`BW_LAD_OUTCOME_INVALID`) does not
/// keep the others from being taken. `*processed`, which may be NULL, is how many were records; it is set on failure too. Fetch
/// the events after each batch.
///
/// `BW_INVALID_ARGUMENT` if an array that must not be is NULL, one is not aligned, or an element of `transports` is no
/// `bw_lad_transport`; nothing is then taken.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_lad_observe_many(
    lad: *mut bw_detector,
    batch: *const bw_lad_batch,
    processed: *mut usize,
    error: *mut *mut bw_error,
) -> bw_result {
    let mut done = 0;
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let lad = unsafe { bw_detector::exclusive(lad) }?;
        // SAFETY: the caller passes NULL or a struct of the size that it gives.
        let b = unsafe { bw_lad_batch::read(batch) }?;
        let n = b.count;
        // SAFETY: the caller passes arrays that are NULL or have `count` elements, and a text with as many bytes as it says,
        // which nobody writes to meanwhile.
        let (text, streams, texts, times, priorities, sources) = unsafe {
            (
                Buffer::new(b.text, "bw_lad_batch.text")?,
                array(b.streams, n, "bw_lad_batch.streams")?,
                array(b.texts, n, "bw_lad_batch.texts")?,
                array(b.times, n, "bw_lad_batch.times")?,
                optional_array(b.priorities, n, "bw_lad_batch.priorities")?,
                [
                    optional_array(b.programs, n, "bw_lad_batch.programs")?,
                    optional_array(b.units, n, "bw_lad_batch.units")?,
                    optional_array(b.tags, n, "bw_lad_batch.tags")?,
                ],
            )
        };
        // SAFETY: as above.
        let transports = unsafe { optional_array(b.transports, n, "bw_lad_batch.transports") }?;
        let transports: Option<Vec<Transport>> = match transports {
            Some(all) => Some(
                (0..)
                    .zip(all)
                    .map(|(i, &number)| {
                        let what = || format!("bw_lad_batch.transports[{i}]");
                        transport(number.into(), what)
                    })
                    .collect::<Result<_, _>>()?,
            ),
            None => None,
        };
        // SAFETY: the same of the arrays to fill, which nobody else uses meanwhile.
        let mut results = unsafe {
            Results {
                outcomes: Output::new(b.outcomes, n, "bw_lad_batch.outcomes")?,
                template_ids: Output::new(b.template_ids, n, "bw_lad_batch.template_ids")?,
                severities: Output::new(b.severities, n, "bw_lad_batch.severities")?,
                scores: Output::new(b.scores, n, "bw_lad_batch.scores")?,
                flags: Output::new(b.flags, n, "bw_lad_batch.flags")?,
            }
        };
        let bytes = |spans: Option<&[bw_span]>, i: usize| match spans {
            Some(spans) => text.bytes(spans[i]),
            None => Some(&[][..]),
        };
        let source = |i: usize| {
            Some(Source {
                program: bytes(sources[0], i)?,
                unit: bytes(sources[1], i)?,
                tag: bytes(sources[2], i)?,
                transport: transports.as_ref().map_or(Transport::Unknown, |all| all[i]),
            })
        };
        lad.change(|lad: &mut Lad| {
            for i in 0..n {
                let (Some(stream), Some(message), Some(source)) =
                    (text.name(streams[i]), text.bytes(texts[i]), source(i))
                else {
                    results.set_invalid(i);
                    continue;
                };
                let observed = lad.0.observe(&Record {
                    stream,
                    time: Time::from_secs(times[i]),
                    text: &readable(message),
                    priority: priorities
                        .map(|all| all[i])
                        .filter(|&priority| priority <= 7),
                    source,
                });
                results.set(i, &observed);
                done += 1;
            }
        })
    };
    // SAFETY: the caller passes NULL or a place for an error.
    let result = unsafe { fallible(error, body) };
    if !processed.is_null() {
        // SAFETY: it is not NULL, so the caller lets us write to it.
        unsafe { processed.write(done) };
    }
    result
}
