//! The unit of time of a generated log.

/// Microseconds in a second.
pub const MICROS: i64 = 1_000_000;
