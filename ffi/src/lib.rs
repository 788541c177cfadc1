//! The C ABI of bellwether.
//!
//! No logic lives here: handles, pointers, lengths, error codes, and panics caught. One file per handle type, and for the
//! structs that go in and out of it. The comments of the public items are the comments of `include/bellwether.h`, written
//! for a reader of C.
#![warn(missing_docs)]
// The names are those of the header, so that one search finds both sides.
#![allow(non_camel_case_types)]
// What a caller owes is said in the words of the header; a section "Safety" would be in the C programmer's way.
#![allow(clippy::missing_safety_doc)]

mod border;
mod detector;
mod drain;
mod error;
mod event;
mod had;
mod lad;
mod lad_options;
mod layout;
mod log_counters;
mod observation;
mod options;
mod record;
mod snapshot;
mod state;
mod status;
mod version;

use bellwether_alloc::HostAllocator;

pub use drain::*;
pub use error::*;
pub use event::*;
pub use had::*;
pub use lad::*;
pub use lad_options::*;
pub use layout::*;
pub use observation::*;
pub use options::*;
pub use record::*;
pub use snapshot::*;
pub use state::*;
pub use version::*;

/// What the process's `malloc` promises is less than Rust's own allocator relies on.
#[global_allocator]
static ALLOCATOR: HostAllocator = HostAllocator;
