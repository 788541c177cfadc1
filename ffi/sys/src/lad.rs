//! The detector of failing hosts by their logs.

use std::ffi::{CStr, c_char};
use std::fmt;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::{self, NonNull};

use crate::error::{Error, ErrorKind, check};
use crate::event::Event;
use crate::library::Library;
use crate::raw;

/// The options of a detector of failing hosts by their logs, all at their defaults when new.
pub struct LadOptions {
    library: Library,
    handle: NonNull<raw::bw_lad_options>,
}

// SAFETY: options may be used from any thread, by one at a time.
unsafe impl Send for LadOptions {}

impl LadOptions {
    /// Options that are all at their defaults.
    ///
    /// # Panics
    /// Where bellwether has a defect.
    pub fn new(library: &Library) -> Self {
        // SAFETY: the function takes nothing.
        let handle = unsafe { (library.functions().bw_lad_options_new)() };
        Self {
            library: library.clone(),
            handle: NonNull::new(handle).expect("options can always be made"),
        }
    }

    /// Sets the option `name` to what `value` stands for, as a user would write it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidOption`] for an unknown name or a value that the option does not take; the message says what would
    /// be right, and the options are as before.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let f = self.library.functions();
        // SAFETY: the handle is ours, and each string has as many bytes as its length says.
        unsafe {
            check(&self.library, |error| {
                (f.bw_lad_options_set)(
                    self.handle.as_ptr(),
                    name.as_ptr().cast(),
                    name.len(),
                    value.as_ptr().cast(),
                    value.len(),
                    error,
                )
            })
        }
    }

    pub(crate) fn handle(&self) -> NonNull<raw::bw_lad_options> {
        self.handle
    }
}

impl Drop for LadOptions {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used no more.
        unsafe { (self.library.functions().bw_lad_options_free)(self.handle.as_ptr()) };
    }
}

impl fmt::Debug for LadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LadOptions").finish_non_exhaustive()
    }
}

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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LadCounters {
    /// Records that were [`RecordOutcome::Taken`].
    pub taken: u64,
    /// Records that were [`RecordOutcome::Refused`].
    pub refused: u64,
    /// Records that were [`RecordOutcome::Full`].
    pub full: u64,
    /// Records that told of a failure.
    pub failures: u64,
    /// Records that completed an unknown window of templates.
    pub novel: u64,
    /// Episodes of failure that were raised.
    pub episodes: u64,
    /// Events that were lost because nobody fetched them in time.
    pub events_lost: u64,
    /// Streams that made room for others, or were silent for too long.
    pub streams_forgotten: u64,
    /// Streams that there is state of.
    pub streams: u64,
    /// Templates that are known, over all streams.
    pub templates: u64,
    /// Templates that made room for others, over the streams that there are.
    pub templates_evicted: u64,
    /// Windows of templates that are known, over all streams.
    pub windows: u64,
    /// About how many bytes of memory the streams take.
    pub bytes: u64,
}

/// A detector of failing hosts by their logs: takes one record at a time, says what it is, and gives events. Made by
/// [`Library::lad`].
pub struct Lad {
    library: Library,
    handle: NonNull<raw::bw_lad>,
}

// SAFETY: a detector may be used from any thread, by one at a time.
unsafe impl Send for Lad {}

impl Lad {
    /// # Safety
    /// `handle` was made by `library` and is used by nobody else.
    pub(crate) unsafe fn from_raw(library: Library, handle: NonNull<raw::bw_lad>) -> Self {
        Self { library, handle }
    }

    /// Takes one record, and says what it is. Events that it brings about wait for [`Lad::next_event`].
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where the stream's name holds a NUL byte.
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
        let f = self.library.functions();
        // SAFETY: the handle is ours, and the structs and their strings have the sizes that they say.
        unsafe {
            check(&self.library, |error| {
                (f.bw_lad_observe)(self.handle.as_ptr(), &record, &mut observed, error)
            })
        }?;
        // SAFETY: the template lives until the handle's next use, which the borrow of `self` puts off; the family is static.
        let (template, family) = unsafe { (text(observed.template_text), text(observed.family)) };
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

    /// Says that no record with a time before `time` (seconds since the epoch) is going to come any more.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn advance(&mut self, time: f64) -> Result<(), Error> {
        let f = self.library.functions();
        // SAFETY: the handle is ours.
        unsafe {
            check(&self.library, |error| {
                (f.bw_lad_advance)(self.handle.as_ptr(), time, error)
            })
        }
    }

    /// Takes an operator's word for what the records of a template are; `false` where there is no such stream or template.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] where the stream's name holds a NUL byte.
    pub fn feedback(
        &mut self,
        stream: &str,
        template_id: u64,
        verdict: Verdict,
    ) -> Result<bool, Error> {
        let f = self.library.functions();
        // SAFETY: the handle is ours, and the string has as many bytes as its length says.
        let taken = unsafe {
            check(&self.library, |error| {
                (f.bw_lad_feedback)(
                    self.handle.as_ptr(),
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
        let f = self.library.functions();
        // SAFETY: the handle is ours, the string has as many bytes as its length says, and the template lives until the
        // handle's next use, which the borrow of `self` puts off.
        unsafe {
            text((f.bw_lad_template)(
                self.handle.as_ptr(),
                stream.as_ptr().cast(),
                stream.len(),
                template_id,
            ))
        }
    }

    /// The oldest event not yet fetched.
    pub fn next_event(&mut self) -> Option<Event> {
        // SAFETY: the handle is ours, and so is the event that it gives.
        unsafe {
            let event = (self.library.functions().bw_lad_next_event)(self.handle.as_ptr());
            NonNull::new(event).map(|event| Event::from_raw(self.library.clone(), event))
        }
    }

    /// Saves all that was learnt to the file `path`, so that a crash at any moment leaves the old file or the new one, whole.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be written; an old file is then untouched.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let f = self.library.functions();
        let path = path.as_os_str().as_bytes();
        // SAFETY: the handle is ours, and the path has as many bytes as its length says.
        unsafe {
            check(&self.library, |error| {
                (f.bw_lad_save)(
                    self.handle.as_ptr(),
                    path.as_ptr().cast(),
                    path.len(),
                    error,
                )
            })
        }
    }

    /// Replaces all that was learnt by what was saved to `path`; `false` where there is no such file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] where it cannot be read, [`ErrorKind::SnapshotUnusable`] where it is damaged, of another version, or
    /// made with options that shape the state otherwise; the detector is then as before and can be used.
    pub fn load(&mut self, path: &Path) -> Result<bool, Error> {
        let f = self.library.functions();
        let path = path.as_os_str().as_bytes();
        // SAFETY: the handle is ours, and the path has as many bytes as its length says.
        let loaded = unsafe {
            check(&self.library, |error| {
                (f.bw_lad_load)(
                    self.handle.as_ptr(),
                    path.as_ptr().cast(),
                    path.len(),
                    error,
                )
            })
        };
        found(loaded)
    }

    /// What became of the records, and what there is.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn counters(&self) -> Result<LadCounters, Error> {
        let mut counters = raw::bw_log_counters {
            size: size_of::<raw::bw_log_counters>(),
            taken: 0,
            refused: 0,
            full: 0,
            failures: 0,
            novel: 0,
            episodes: 0,
            events_lost: 0,
            streams_forgotten: 0,
            streams: 0,
            templates: 0,
            templates_evicted: 0,
            windows: 0,
            bytes: 0,
        };
        let f = self.library.functions();
        // SAFETY: the handle is ours, and the struct has the size that it says.
        unsafe {
            check(&self.library, |error| {
                (f.bw_lad_counters)(self.handle.as_ptr(), &mut counters, error)
            })
        }?;
        Ok(LadCounters {
            taken: counters.taken,
            refused: counters.refused,
            full: counters.full,
            failures: counters.failures,
            novel: counters.novel,
            episodes: counters.episodes,
            events_lost: counters.events_lost,
            streams_forgotten: counters.streams_forgotten,
            streams: counters.streams,
            templates: counters.templates,
            templates_evicted: counters.templates_evicted,
            windows: counters.windows,
            bytes: counters.bytes,
        })
    }
}

/// A call that may find nothing: whether it found something.
fn found(result: Result<(), Error>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// # Safety
/// `start` is NULL, or NUL-terminated and not changed while the text lives.
unsafe fn text<'a>(start: *const c_char) -> Option<&'a str> {
    if start.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    let text = unsafe { CStr::from_ptr(start) };
    Some(text.to_str().expect("libbellwether's strings are UTF-8"))
}

impl Drop for Lad {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used no more.
        unsafe { (self.library.functions().bw_lad_free)(self.handle.as_ptr()) };
    }
}

impl fmt::Debug for Lad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lad").finish_non_exhaustive()
    }
}
