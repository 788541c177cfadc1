//! The page that shows what the detectors found: a [`model::Report`] in, one self-contained HTML document out
//! ([`page::render`]).
//!
//! - [`model`] is what is shown: hosts with their incidents, the recorded series of their VMs, and their logs.
//! - [`change`] finds the steps in a series that the page marks.
//! - [`risk`] assesses how likely a host fails, over the time of the report.
//! - [`words`] puts findings into sentences.
//! - [`page`] renders it all.
#![forbid(unsafe_code)]

pub mod change;
pub mod model;
pub mod page;
pub mod risk;
pub mod words;
