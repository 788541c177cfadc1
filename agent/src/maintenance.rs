//! Maintenance windows as people write them: the lines of a mask file.

pub use bellwether_core::units::Time;

pub use bellwether_core::maintenance::{
    FILE_MAX_BYTES, Parsed, WINDOWS_MAX, Window, matches, parse, shown, window,
};
