//! What the tests that need more than one crate, or a real host, share with the demo.

pub mod collectd;
pub mod compile;
pub mod demo;
pub mod documentation;
pub mod fluentbit;
pub mod language;
pub mod mount;
pub mod testbed;

use std::fmt::Display;
use std::io::Write;

/// Says that a test was skipped, and why. Written past the test harness, which swallows what a passing test prints.
pub fn skipped(reason: impl Display) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason:#}");
}
