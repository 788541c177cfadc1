//! The detector of failing hosts by their logs.

use std::{mem, ptr, slice, str};

use crate::detector::{Detector, Kind, counters, found};
use crate::error::Error;
use crate::handle::{string, text};
use crate::raw;

/// The kind of [`Lad`].
#[derive(Debug)]
pub enum LadKind {}

impl Kind for LadKind {
    const NAME: &'static str = "lad";
    type Counters = LadCounters;
}

counters! {
    /// What a detector of failures in logs has counted since it was made, and what it tracks now.
    pub struct LadCounters {
        /// Records that were [`RecordOutcome::Taken`].
        taken,
        /// Records that were [`RecordOutcome::Refused`].
        refused,
        /// Always 0: a stream makes room where earlier versions did not take a record.
        full,
        /// Records that reported a failure.
        failures,
        /// Records that completed an unknown window.
        novel,
        /// Records of templates that are new to the fleet; with the option `seeds`.
        unseen,
        /// Records that the option `sequence_model` did not predict, since the detector was made or loaded.
        unpredicted,
        /// Episodes that were raised.
        episodes,
        /// Episodes that are open now.
        open_episodes,
        /// Events dropped because nobody fetched them in time.
        events_lost,
        /// Streams evicted to make room for others, or silent for too long.
        streams_forgotten,
        /// Streams evicted at a limit, `max_streams` or `max_memory_mib`, since the detector was made or loaded.
        streams_evicted,
        /// Streams that are tracked.
        streams,
        /// Templates, over all streams.
        templates,
        /// Templates evicted to make room for others, over the streams that are tracked.
        templates_evicted,
        /// Known windows, over all streams.
        windows,
        /// Memory in use, in bytes.
        bytes,
        /// Questions without an answer.
        questions,
        /// Questions dropped without an answer, or not asked because the limit was reached.
        questions_dropped,
    }
}

/// How a record reached the log, as the agent vouches for it; `bw_lad_transport`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Transport {
    /// The agent does not know.
    #[default]
    Unknown = raw::BW_LAD_TRANSPORT_UNKNOWN as isize,
    /// The kernel's ring buffer, read as such.
    Kernel = raw::BW_LAD_TRANSPORT_KERNEL as isize,
    /// A process of the host; it is not the kernel, whatever its name.
    Process = raw::BW_LAD_TRANSPORT_PROCESS as isize,
    /// The output of a container.
    Container = raw::BW_LAD_TRANSPORT_CONTAINER as isize,
}

/// One record of a log.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Record<'a> {
    /// The stream that it belongs to: the name of the host whose log it is.
    pub stream: &'a str,
    /// When, in seconds since the epoch.
    pub time: f64,
    /// The message, without time, host and program; any bytes.
    pub text: &'a [u8],
    /// Its syslog severity, 0 (emergency) to 7 (debug), if it has one.
    pub priority: Option<u8>,
    /// The program that wrote it; empty if unknown. Any bytes, as the two below.
    pub program: &'a [u8],
    /// The unit that the program belongs to.
    pub unit: &'a [u8],
    /// What the agent calls the input that it comes from.
    pub tag: &'a [u8],
    /// How it reached the log.
    pub transport: Transport,
}

/// What became of a record; `bw_lad_outcome`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// It counts.
    Taken,
    /// The stream's name is empty or too long, or the time is out of range.
    Refused,
    /// The option "max_streams" leaves no room for its stream.
    Full,
    /// In a batch only: it is no record.
    Invalid,
    /// A value that only a newer library has.
    Other(u32),
}

impl From<raw::bw_lad_outcome> for RecordOutcome {
    fn from(code: raw::bw_lad_outcome) -> Self {
        match code {
            raw::BW_LAD_OUTCOME_TAKEN => Self::Taken,
            raw::BW_LAD_OUTCOME_REFUSED => Self::Refused,
            raw::BW_LAD_OUTCOME_FULL => Self::Full,
            raw::BW_LAD_OUTCOME_INVALID => Self::Invalid,
            other => Self::Other(other),
        }
    }
}

/// How a record was classified.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observed<'a> {
    /// What became of it.
    pub outcome: RecordOutcome,
    /// The number of its template, stable within its stream; 0 if it belongs to no stream.
    pub template_id: u64,
    /// Its template, if it belongs to a stream.
    pub template: Option<&'a str>,
    /// The family of failures that it reports, if it reports one.
    pub family: Option<&'static str>,
    /// The severity of what it reports, 0 to 1.
    pub severity: f64,
    /// The anomaly score by the option "mode", 0 to 1.
    pub score: f64,
    /// It reports a failure.
    pub failure: bool,
    /// It starts or extends an episode of failure.
    pub alarm: bool,
    /// It completes a window of templates that was unknown.
    pub novel: bool,
    /// It is one of the first of its stream.
    pub training: bool,
    /// It is the first of a template that is new to its stream and to the fleet; with the option `seeds`.
    pub unseen: bool,
    /// It is not what the option `sequence_model` predicts.
    pub unpredicted: bool,
    /// The rank of its template among those that are predicted, 1 for the likeliest; 0 if there is none.
    pub rank: u32,
}

/// A template that the lexicon leaves open, for an operator or a language model to classify; `bw_question_info`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Identifies it in [`Lad::answer`].
    pub id: u64,
    /// The stream that it is from.
    pub stream: String,
    /// The number of the template within that stream.
    pub template_id: u64,
    /// The template, at most 300 bytes.
    pub template: String,
    /// The program that wrote its last record; empty if unknown.
    pub program: String,
    /// Number of records of the template so far.
    pub count: u64,
    /// Templates of the stream that are normal, to compare with; at most eight.
    pub benign: Vec<String>,
}

/// What the log of a host says about it at one time; `bw_lad_status`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LadStatus<'a> {
    /// The stream: the name of the host.
    pub stream: &'a str,
    /// The newest time of its records, in seconds since the epoch.
    pub last: f64,
    /// In how many of the last 20 minutes it had records that report a failure.
    pub failure_minutes: u32,
    /// How many of its templates of the last 20 minutes are new to the fleet; `None` without the option "seeds".
    pub unseen: Option<u32>,
    /// Its open episodes of failure.
    pub open_episodes: u32,
}

/// A verdict on the records of a template; `bw_lad_verdict`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// None: an earlier verdict is withdrawn.
    None = raw::BW_LAD_VERDICT_NONE as isize,
    /// They report no failure, whatever their text is.
    Benign = raw::BW_LAD_VERDICT_BENIGN as isize,
    /// They report a failure.
    Failure = raw::BW_LAD_VERDICT_FAILURE as isize,
    /// They probably report no failure: the word of a language model.
    LikelyBenign = raw::BW_LAD_VERDICT_LIKELY_BENIGN as isize,
    /// They probably report a failure: the same.
    LikelyFailure = raw::BW_LAD_VERDICT_LIKELY_FAILURE as isize,
}

/// A detector of failures of hosts, from their logs. Made by [`crate::Library::lad`].
pub type Lad = Detector<LadKind>;

impl Lad {
    /// Takes one record and classifies it. Events that it causes wait for [`Lad::next_event`].
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the stream's name has a NUL byte.
    pub fn observe(&mut self, record: &Record<'_>) -> Result<Observed<'_>, Error> {
        let record = raw::bw_lad_record {
            size: size_of::<raw::bw_lad_record>(),
            stream: string(record.stream.as_bytes()),
            text: string(record.text),
            time: record.time,
            program: string(record.program),
            unit: string(record.unit),
            tag: string(record.tag),
            priority: u32::from(record.priority.unwrap_or(0)),
            has_priority: record.priority.is_some(),
            transport: record.transport as raw::bw_lad_transport,
        };
        let mut observed = raw::bw_lad_observed {
            size: size_of::<raw::bw_lad_observed>(),
            template_id: 0,
            template_text: raw::bw_string::NONE,
            family: raw::bw_string::NONE,
            severity: 0.0,
            score: 0.0,
            outcome: 0,
            failure: false,
            alarm: false,
            novel: false,
            training: false,
            unseen: false,
            unpredicted: false,
            rank: 0,
        };
        // SAFETY: the structs and their strings have the sizes that they say.
        unsafe {
            self.0
                .call(|f, handle, error| f.bw_lad_observe(handle, &record, &mut observed, error))
        }?;
        // SAFETY: the template has as many bytes of UTF-8 as it says, and lives until the handle's next change, which the borrow
        // of `self` puts off; the family is static.
        let (template, family) = unsafe {
            let template = observed.template_text;
            let bytes = (!template.data.is_null())
                .then(|| slice::from_raw_parts(template.data.cast(), template.size));
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
            unseen: observed.unseen,
            unpredicted: observed.unpredicted,
            rank: observed.rank,
        })
    }

    /// Applies an operator's verdict on a template; `false` if there is no such stream or template.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if the stream's name has a NUL byte.
    pub fn feedback(
        &mut self,
        stream: &str,
        template_id: u64,
        verdict: Verdict,
    ) -> Result<bool, Error> {
        // SAFETY: the string has as many bytes as its length says.
        let taken = unsafe {
            self.0.call(|f, handle, error| {
                f.bw_lad_feedback(
                    handle,
                    stream.as_ptr().cast(),
                    stream.len(),
                    template_id,
                    verdict as raw::bw_lad_verdict,
                    error,
                )
            })
        };
        found(taken)
    }

    /// The oldest question that was not fetched yet; with the option "questions" above 0.
    pub fn next_question(&mut self) -> Option<Question> {
        // SAFETY: the handle is ours. The question is freed below, after its strings were copied; each has as many bytes of UTF-8
        // as it says.
        unsafe {
            let functions = self.0.functions();
            let question = functions.bw_lad_next_question(self.0.as_ptr());
            if question.is_null() {
                return None;
            }
            let mut info: raw::bw_question_info = mem::zeroed();
            info.size = size_of::<raw::bw_question_info>();
            let described = functions.bw_question_describe(question, &mut info, ptr::null_mut());
            let owned = |string| text(string).unwrap_or_default().to_owned();
            let benign = 0..info.benign_count;
            let found = (described == raw::BW_OK).then(|| Question {
                id: info.id,
                stream: owned(info.stream),
                template_id: info.template_id,
                template: owned(info.template_text),
                program: owned(info.program),
                count: info.count,
                benign: benign
                    .map(|index| owned(functions.bw_question_benign(question, index)))
                    .collect(),
            });
            functions.bw_question_free(question);
            found
        }
    }

    /// Answers a question; `family` is that of a [`Verdict::LikelyFailure`], or empty. `false` if there is no such question (any
    /// more).
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for an unknown family.
    pub fn answer(&mut self, id: u64, verdict: Verdict, family: &str) -> Result<bool, Error> {
        // SAFETY: the string has as many bytes as its length says.
        let taken = unsafe {
            self.0.call(|f, handle, error| {
                f.bw_lad_answer(
                    handle,
                    id,
                    verdict as raw::bw_lad_verdict,
                    family.as_ptr().cast(),
                    family.len(),
                    error,
                )
            })
        };
        found(taken)
    }

    /// Applies a verdict on a template by its text: to a stream, or to all, also to templates and streams that are still to come.
    /// `family` is that of a [`Verdict::LikelyFailure`], or empty. Returns the number of templates that it was applied to now.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for an unknown family, an empty template, or a stream's name with a NUL byte.
    pub fn feedback_by_text(
        &mut self,
        stream: Option<&str>,
        template: &str,
        verdict: Verdict,
        family: &str,
    ) -> Result<usize, Error> {
        let none = raw::bw_string::NONE;
        let feedback = raw::bw_lad_text_feedback {
            size: size_of::<raw::bw_lad_text_feedback>(),
            stream: stream.map_or(none, |name| string(name.as_bytes())),
            template_text: string(template.as_bytes()),
            family: string(family.as_bytes()),
            verdict: verdict as raw::bw_lad_verdict,
        };
        let mut applied = 0;
        // SAFETY: the struct and its strings have the sizes that they say.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_lad_feedback_by_text(handle, &feedback, &mut applied, error)
            })
        }?;
        Ok(applied)
    }

    /// What every log says about its host at `time`, seconds since the epoch, in no particular order.
    pub fn statuses(&mut self, time: f64) -> impl Iterator<Item = LadStatus<'_>> {
        // SAFETY: the handle is ours.
        let count = unsafe {
            self.0
                .functions()
                .bw_lad_status_count(self.0.as_ptr(), time)
        };
        let this = &*self;
        (0..count).filter_map(move |index| this.status(index))
    }

    fn status(&self, index: usize) -> Option<LadStatus<'_>> {
        let mut status = raw::bw_lad_status {
            size: size_of::<raw::bw_lad_status>(),
            stream: raw::bw_string::NONE,
            last: 0.0,
            failure_minutes: 0,
            unseen: 0,
            open_episodes: 0,
            has_seeds: false,
        };
        // SAFETY: the struct has the size that it says, and its string lives until the handle's next change, which the borrow of
        // `self` puts off.
        unsafe {
            self.0
                .call(|f, handle, error| f.bw_lad_status_at(handle, index, &mut status, error))
                .ok()?;
            Some(LadStatus {
                stream: text(status.stream)?,
                last: status.last,
                failure_minutes: status.failure_minutes,
                unseen: status.has_seeds.then_some(status.unseen),
                open_episodes: status.open_episodes,
            })
        }
    }

    /// The template of a stream with that number, if there is one (still).
    pub fn template(&self, stream: &str, template_id: u64) -> Option<&str> {
        // SAFETY: the handle is ours, the string has as many bytes as its length says, and the template lives until the
        // handle's next change, which the borrow of `self` puts off.
        unsafe {
            text(self.0.functions().bw_lad_template(
                self.0.as_ptr(),
                stream.as_ptr().cast(),
                stream.len(),
                template_id,
            ))
        }
    }
}
