//! The parser of log lines, Drain, alone.

use crate::detector::{Detector, Kind, counters};
use crate::error::Error;
use crate::handle::text;
use crate::raw;

/// The kind of [`Drain`].
#[derive(Debug)]
pub enum DrainKind {}

impl Kind for DrainKind {
    const NAME: &'static str = "drain";
    type Counters = DrainCounters;
}

counters! {
    /// What a parser of log lines has counted.
    pub struct DrainCounters {
        /// Lines added.
        lines,
        /// Templates that there are.
        templates,
        /// Templates ever created.
        templates_created,
        /// Templates evicted to make room for others.
        templates_evicted,
        /// How often a template was generalized.
        templates_changed,
        /// Memory in use, in bytes.
        bytes,
    }
}

/// What a line changed in the templates; `bw_drain_change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Nothing: a template fits it.
    None,
    /// It is the first of a new template.
    New,
    /// A template was generalized to fit it.
    Template,
    /// A value that only a newer library has.
    Other(u32),
}

impl From<raw::bw_drain_change> for Change {
    fn from(code: raw::bw_drain_change) -> Self {
        match code {
            raw::BW_DRAIN_CHANGE_NONE => Self::None,
            raw::BW_DRAIN_CHANGE_NEW => Self::New,
            raw::BW_DRAIN_CHANGE_TEMPLATE => Self::Template,
            other => Self::Other(other),
        }
    }
}

/// Finds the template of one log line after the other. Made by [`crate::Library::drain`].
pub type Drain = Detector<DrainKind>;

impl Drain {
    /// Adds a line, of any bytes: the number of its template, and what the line changed in the templates.
    ///
    /// # Errors
    /// Only an internal error of bellwether.
    pub fn add(&mut self, line: &[u8]) -> Result<(u64, Change), Error> {
        let mut added = raw::bw_drain_added {
            size: size_of::<raw::bw_drain_added>(),
            template_id: 0,
            change: 0,
        };
        // SAFETY: the line and the struct have the sizes that they say.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_drain_add(handle, line.as_ptr().cast(), line.len(), &mut added, error)
            })
        }?;
        Ok((added.template_id, added.change.into()))
    }

    /// The template with that number, if there is one (still).
    pub fn template(&self, template_id: u64) -> Option<&str> {
        let f = self.0.functions();
        // SAFETY: the handle is ours, and the text lives until it changes, which the borrow of `self` puts off.
        unsafe { text(f.bw_drain_template(self.0.as_ptr(), template_id)) }
    }

    /// The values of `line` at the placeholders of that template; none if it does not fit the line.
    pub fn parameters(&mut self, template_id: u64, line: &[u8]) -> impl Iterator<Item = &str> {
        let f = self.0.functions();
        let (handle, start) = (self.0.as_ptr(), line.as_ptr().cast());
        // SAFETY: the handle is ours, and the line has the size that it says.
        let count = unsafe { f.bw_drain_parameter_count(handle, template_id, start, line.len()) };
        let this = &*self;
        (0..count).filter_map(move |index| {
            let f = this.0.functions();
            // SAFETY: the handle is ours, and the text lives until it changes, which the borrow of `self` puts off.
            unsafe { text(f.bw_drain_parameter(this.0.as_ptr(), index)) }
        })
    }
}
