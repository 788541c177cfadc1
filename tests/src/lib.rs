//! What the tests that need more than one crate, or a real host, share with the demo.

pub mod collectd;
pub mod demo;
pub mod testbed;
