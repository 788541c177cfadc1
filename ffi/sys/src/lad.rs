//! The detector of failing hosts by their logs.

use std::{ptr, slice, str};

use crate::error::Error;
use crate::handle::{Detector, found, text};
use crate::raw;

/// One record of a log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<'a> {
    /// The stream that it belongs to, the name of the host whose log it is.
    pub stream: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// What it says, without time, host and source; any bytes.
    pub text: &'a [u8],
    /// How weighty it says it is, where it does: 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
    /// The program that says it; empty where it is unknown. Any bytes, as all of these.
    pub program: &'a [u8],
    /// The unit that the program belongs to.
    pub unit: &'a [u8],
    /// What the agent calls the input that it comes from.
    pub tag: &'a [u8],
}

/// What became of a record; `bw_record_outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// It counts.
    Taken,
    /// The stream's name is empty or too long, or the time is not a number that can be.
    Refused,
    /// There is no room for its stream.
    Full,
    /// What only a newer library says.
    Other(u32),
}

impl From<raw::bw_record_outcome> for RecordOutcome {
    fn from(code: raw::bw_record_outcome) -> Self {
        match code {
            0 => Self::Taken,
            1 => Self::Refused,
            2 => Self::Full,
            other => Self::Other(other),
        }
    }
}

/// What a record was found to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed<'a> {
    /// What became of it.
    pub outcome: RecordOutcome,
    /// The number of its template, stable within its stream; 0 where it is of no stream.
    pub template_id: u64,
    /// Its template, where it is of a stream.
    pub template: Option<&'a str>,
    /// The family of what it says, where it says anything of the kind.
    pub family: Option<&'static str>,
    /// How severe what it says is, 0 to 1.
    pub severity: f64,
    /// The score that the option "mode" gives it, 0 to 1.
    pub score: f64,
    /// It tells of a failure.
    pub failure: bool,
    /// It begins or extends an episode of failure.
    pub alarm: bool,
    /// It completes a window of templates that was unknown.
    pub novel: bool,
    /// It is one of the first of its stream.
    pub training: bool,
}

/// What an operator says that the records of a template are; `bw_verdict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: an earlier word is taken back.
    None = 0,
    /// They tell of no failure, whatever they say.
    Benign = 1,
    /// They tell of a failure.
    Failure = 2,
}

/// How many records came to what since the detector was made, and what there is now.
pub type LadCounters = raw::bw_log_counters;

/// A detector of failing hosts by their logs: takes one record at a time, says what it is, and gives events. Made by
/// [`crate::Library::lad`].
pub type Lad = Detector<raw::bw_lad>;

impl Lad {
    /// Takes one record, and says what it is. Events that it brings about wait for [`Lad::next_event`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] where the stream's name holds a NUL byte.
    pub fn observe(&mut self, record: &Record<'_>) -> Result<Observed<'_>, Error> {
        let record = raw::bw_record {
            size: size_of::<raw::bw_record>(),
            stream: record.stream.as_ptr().cast(),
            stream_len: record.stream.len(),
            text: record.text.as_ptr().cast(),
            text_len: record.text.len(),
            time: record.time,
            has_priority: u32::from(record.priority.is_some()),
            priority: u32::from(record.priority.unwrap_or(0)),
            program: record.program.as_ptr().cast(),
            program_len: record.program.len(),
            unit: record.unit.as_ptr().cast(),
            unit_len: record.unit.len(),
            tag: record.tag.as_ptr().cast(),
            tag_len: record.tag.len(),
        };
        let mut observed = raw::bw_observed {
            size: size_of::<raw::bw_observed>(),
            template_id: 0,
            template_text: ptr::null(),
            template_len: 0,
            family: ptr::null(),
            severity: 0.0,
            score: 0.0,
            outcome: 0,
            failure: false,
            alarm: false,
            novel: false,
            training: false,
        };
        // SAFETY: the structs and their strings have the sizes that they say.
        unsafe {
            self.0
                .call(|f, handle, error| (f.bw_lad_observe)(handle, &record, &mut observed, error))
        }?;
        // SAFETY: the template has as many bytes of UTF-8 as it says, and lives until the handle's next use, which the borrow
        // of `self` puts off; the family is static.
        let (template, family) = unsafe {
            let bytes = (!observed.template_text.is_null()).then(|| {
                slice::from_raw_parts(observed.template_text.cast(), observed.template_len)
            });
            (
                bytes.map(|b| str::from_utf8_unchecked(b)),
                text(observed.family),
            )
        };
        Ok(Observed {
            outcome: observed.outcome.into(),
            template_id: observed.template_id,
            template,
            family,
            severity: observed.severity,
            score: observed.score,
            failure: observed.failure,
            alarm: observed.alarm,
            novel: observed.novel,
            training: observed.training,
        })
    }

    /// Takes an operator's word for what the records of a template are; `false` where there is no such stream or template.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] where the stream's name holds a NUL byte.
    pub fn feedback(
        &mut self,
        stream: &str,
        template_id: u64,
        verdict: Verdict,
    ) -> Result<bool, Error> {
        // SAFETY: the string has as many bytes as its length says.
        let taken = unsafe {
            self.0.call(|f, handle, error| {
                (f.bw_lad_feedback)(
                    handle,
                    stream.as_ptr().cast(),
                    stream.len(),
                    template_id,
                    verdict as u32,
                    error,
                )
            })
        };
        found(taken)
    }

    /// The template of a stream with that number, or `None` where there is none (any more).
    pub fn template(&mut self, stream: &str, template_id: u64) -> Option<&str> {
        // SAFETY: the handle is ours, the string has as many bytes as its length says, and the template lives until the
        // handle's next use, which the borrow of `self` puts off.
        unsafe {
            text((self.0.functions().bw_lad_template)(
                self.0.as_ptr(),
                stream.as_ptr().cast(),
                stream.len(),
                template_id,
            ))
        }
    }

    /// What became of the records, and what there is.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn counters(&self) -> Result<LadCounters, Error> {
        let mut counters = LadCounters {
            size: size_of::<LadCounters>(),
            ..LadCounters::default()
        };
        // SAFETY: the struct has the size that it says.
        unsafe {
            self.0
                .call(|f, handle, error| (f.bw_lad_counters)(handle, &mut counters, error))
        }?;
        Ok(counters)
    }
}
