//! The parser of log lines, Drain, alone.

use crate::error::Error;
use crate::handle::{Owned, text};
use crate::raw;

/// What a line did to the templates; `bw_change`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was one more of a template that fits it.
    None,
    /// It is the first of a new template.
    New,
    /// It was one more of a template that has fewer words of its own since.
    Template,
    /// What only a newer library says.
    Other(u32),
}

impl From<raw::bw_change> for Change {
    fn from(code: raw::bw_change) -> Self {
        match code {
            0 => Self::None,
            1 => Self::New,
            2 => Self::Template,
            other => Self::Other(other),
        }
    }
}

/// Finds the template of one log line after the other. Made by [`crate::Library::drain`].
#[derive(Debug)]
pub struct Drain(pub(crate) Owned<raw::bw_drain>);

impl Drain {
    /// Adds a line, of any bytes: the number of its template, and what the line did to the templates.
    ///
    /// # Errors
    /// Only a defect of bellwether.
    pub fn add(&mut self, line: &[u8]) -> Result<(u64, Change), Error> {
        let mut added = raw::bw_added {
            size: size_of::<raw::bw_added>(),
            template_id: 0,
            change: 0,
        };
        // SAFETY: the line and the struct have the sizes that they say.
        unsafe {
            self.0.call(|f, handle, error| {
                (f.bw_drain_add)(handle, line.as_ptr().cast(), line.len(), &mut added, error)
            })
        }?;
        Ok((added.template_id, added.change.into()))
    }

    /// The template with that number, or `None` where there is none (any more).
    pub fn template(&mut self, template_id: u64) -> Option<&str> {
        let f = self.0.functions();
        // SAFETY: the handle is ours, and the text lives until its next use, which the borrow of `self` puts off.
        unsafe { text((f.bw_drain_template)(self.0.as_ptr(), template_id)) }
    }

    /// What stands in `line` where that template has placeholders; nothing where it does not fit the line.
    pub fn parameters(&mut self, template_id: u64, line: &[u8]) -> impl Iterator<Item = &str> {
        let f = self.0.functions();
        let (handle, start) = (self.0.as_ptr(), line.as_ptr().cast());
        // SAFETY: the handle is ours, and the line has the size that it says.
        let count = unsafe { (f.bw_drain_parameter_count)(handle, template_id, start, line.len()) };
        let this = &*self;
        (0..count).filter_map(move |index| {
            let f = this.0.functions();
            // SAFETY: the handle is ours, and the text lives until its next use, which the borrow of `self` puts off.
            unsafe { text((f.bw_drain_parameter)(this.0.as_ptr(), index)) }
        })
    }
}
