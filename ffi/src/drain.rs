//! Drain, the parser of log lines, alone: the functions that detectors "drain" alone have.

use std::ffi::c_char;
use std::path::Path;

use bellwether_core::drain::{Change, DrainOptions, Miner};
use bellwether_core::event::Event;
use bellwether_core::options::OptionError;

use crate::border::{Failure, Growable, Handle, any_text, fallible, growable, guard};
use crate::detector::{AnyDetector, Kind, bw_detector};
use crate::error::{bw_error, bw_result};
use crate::snapshot::bw_snapshot;
use crate::string::bw_string;

/// Drain, and what C reads of it.
pub(crate) struct Drain {
    miner: Miner,
    /// The values that the last `bw_drain_parameter_count` found.
    values: Vec<String>,
}

impl Kind for Drain {
    const NAME: &'static str = "drain";
    type Options = DrainOptions;
    fn new(options: DrainOptions) -> Result<Self, OptionError> {
        Ok(Self {
            miner: Miner::new(options)?,
            values: Vec::new(),
        })
    }
}

impl AnyDetector for Drain {
    fn name(&self) -> &'static str {
        Self::NAME
    }
    /// A line has no time.
    fn advance(&mut self, _: f64) {}
    fn next_event(&mut self) -> Option<Event> {
        None
    }
    fn counters(&self) -> Vec<(&'static str, u64)> {
        let s = self.miner.statistics();
        vec![
            ("lines", s.lines),
            ("templates", s.clusters),
            ("templates_created", s.created),
            ("templates_evicted", s.evicted),
            ("templates_changed", s.changed),
            ("bytes", s.bytes),
        ]
    }
    fn save(&self, path: &Path) -> Result<(), Failure> {
        Ok(self.miner.save(path)?)
    }
    fn snapshot(&self) -> bw_snapshot {
        bw_snapshot::new(self.miner.snapshot())
    }
    fn load(&mut self, path: &Path) -> Result<bool, Failure> {
        Ok(self.miner.load(path)?)
    }
    fn load_bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        Ok(self.miner.restore(bytes)?)
    }
}

/// What a line changed in the templates.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum bw_drain_change {
    /// Nothing: a template fits it.
    BW_DRAIN_CHANGE_NONE = 0,
    /// It is the first of a new template.
    BW_DRAIN_CHANGE_NEW = 1,
    /// A template was generalized to fit it.
    BW_DRAIN_CHANGE_TEMPLATE = 2,
}

impl From<Change> for bw_drain_change {
    fn from(change: Change) -> Self {
        match change {
            Change::None => Self::BW_DRAIN_CHANGE_NONE,
            Change::New => Self::BW_DRAIN_CHANGE_NEW,
            Change::Template => Self::BW_DRAIN_CHANGE_TEMPLATE,
        }
    }
}

/// Which template a line was added to.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_drain_added {
    /// Set by the caller to `sizeof(bw_drain_added)`.
    pub size: usize,
    /// The number of the template: from 1 on in the order of creation, never reused.
    pub template_id: u64,
    /// What the line changed.
    pub change: bw_drain_change,
}

growable!(bw_drain_added, 24);

/// Adds a line and gives in `*added`, which may be NULL, its template. The line may have any bytes: those that are not UTF-8, and
/// NUL bytes, are replaced.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_add(
    drain: *mut bw_detector,
    line: *const c_char,
    line_len: usize,
    added: *mut bw_drain_added,
    error: *mut *mut bw_error,
) -> bw_result {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let drain = unsafe { bw_detector::exclusive(drain) }?;
        // SAFETY: the caller passes NULL or that many bytes.
        let line = unsafe { any_text(line, line_len, "line") }?;
        if !added.is_null() {
            // SAFETY: it is not NULL, so the caller lets us read its size.
            unsafe { bw_drain_added::check(added) }?;
        }
        let found = drain.change(|drain: &mut Drain| drain.miner.add(&line))?;
        if added.is_null() {
            return Ok(());
        }
        let found = bw_drain_added {
            size: size_of::<bw_drain_added>(),
            template_id: found.cluster,
            change: found.change.into(),
        };
        // SAFETY: the caller passes a struct of the size that it gives.
        unsafe { found.write(added) }
    };
    // SAFETY: the caller passes NULL or a place for an error.
    unsafe { fallible(error, body) }
}

/// The template with that number. Belongs to the detector. None if there is no such template (any more), or `drain` is not a
/// detector "drain".
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_template(
    drain: *const bw_detector,
    template_id: u64,
) -> bw_string {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let drain: &Drain = unsafe { bw_detector::shared(drain) }.ok()?.read().ok()?;
        drain.miner.template(template_id).map(bw_string::of)
    };
    guard(None, body).unwrap_or(bw_string::NONE)
}

/// Extracts the values of `line` at the placeholders of the template with that number, for `bw_drain_parameter`, and gives their
/// number; 0 if the template does not fit the line.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_parameter_count(
    drain: *mut bw_detector,
    template_id: u64,
    line: *const c_char,
    line_len: usize,
) -> usize {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread uses meanwhile.
        let drain = unsafe { bw_detector::exclusive(drain) }.ok()?;
        // SAFETY: the caller passes NULL or that many bytes.
        let line = unsafe { any_text(line, line_len, "line") };
        let count = drain.change(|drain: &mut Drain| {
            drain.values.clear();
            let values = line.map(|line| {
                let values = drain.miner.parameters(template_id, &line);
                values.into_iter().map(String::from).collect()
            });
            drain.values = values.unwrap_or_default();
            drain.values.len()
        });
        count.ok()
    };
    guard(None, body).unwrap_or(0)
}

/// The value with that index of those that the last `bw_drain_parameter_count` extracted, until the next one. None if `index` is
/// not below their number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bw_drain_parameter(drain: *const bw_detector, index: usize) -> bw_string {
    let body = || {
        // SAFETY: the caller passes NULL or a detector that no other thread changes meanwhile.
        let drain: &Drain = unsafe { bw_detector::shared(drain) }.ok()?.read().ok()?;
        drain.values.get(index).map(|value| bw_string::of(value))
    };
    guard(None, body).unwrap_or(bw_string::NONE)
}
