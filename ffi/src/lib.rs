//! The C ABI of bellwether.
//!
//! No logic lives here: handles, pointers, lengths, error codes, and panics caught. What all detectors have in common is in
//! `options.rs` and `detector.rs`; each kind of detector has a file with what it observes and takes as feedback. The comments of
//! the public items are those of `include/bellwether.h`, written for a reader of C.
#![warn(missing_docs)]
// The names are those of the header, so that one search finds both sides.
#![allow(non_camel_case_types)]
// What a caller owes is said in the words of the header; a section "Safety" would be in the C programmer's way.
#![allow(clippy::missing_safety_doc)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("the first sizes of the structs that may grow are those of a 64-bit system");

mod batch;
mod border;
mod detector;
mod drain;
mod error;
mod event;
mod had;
mod had_batch;
mod had_mask;
mod had_status;
mod kinds;
mod lad;
mod lad_batch;
mod lad_status;
mod options;
mod question;
mod resource;
mod resource_status;
mod risk;
mod risk_status;
mod snapshot;
mod state;
mod string;
mod version;

use bellwether_alloc::HostAllocator;

pub use border::input_bool;
pub use detector::*;
pub use drain::*;
pub use error::*;
pub use event::*;
pub use had::*;
pub use had_batch::*;
pub use had_mask::*;
pub use had_status::*;
pub use lad::*;
pub use lad_batch::*;
pub use lad_status::*;
pub use options::*;
pub use question::*;
pub use resource::*;
pub use resource_status::*;
pub use risk::*;
pub use risk_status::*;
pub use snapshot::*;
pub use state::*;
pub use string::*;
pub use version::*;

/// What the process's `malloc` promises is less than Rust's own allocator relies on.
#[global_allocator]
static ALLOCATOR: HostAllocator = HostAllocator;
