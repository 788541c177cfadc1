//! LAD: reading failure in the log of a host (VMFT-LAD, lecture, chapter 4).
//!
//! A [`Sequence`] judges the windows of a sequence of log keys.

mod options;
mod paper;
mod sequence;
mod store;

pub use options::{LadOptions, Mode};
pub use sequence::{Sequence, Step};
