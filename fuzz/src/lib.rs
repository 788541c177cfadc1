//! What the fuzz targets draw: numbers, lines, options and fleets that are plausible enough to get far into the detectors,
//! and odd enough to break them.

pub mod cost;
pub mod fleet;
#[path = "../../core/src/drain/hostile.rs"]
pub mod hostile;
pub mod line;
pub mod number;
pub mod option;
pub mod sound;
pub mod state;
