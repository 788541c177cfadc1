//! Fluent Bit's binary interface, as much of it as the plugin needs, on 64-bit Linux.
//!
//! Fluent Bit has no interface for plugins that is versioned: a plugin is a shared object whose registration structure is
//! copied by name, and its functions are found in the program. Each fact below says for which versions it was seen to hold;
//! tested are 2.2 to 5.1. What differs between them is measured in the program's own plugins ([`Layout`]).

mod buffer;
mod layout;
mod metrics;
mod options;
mod owner;
mod program;
mod registration;

use std::ffi::{c_char, c_int, c_void};

pub use buffer::Buffer;
pub use layout::{Fit, Layout};
pub use metrics::{Metric, Metrics};
pub use options::{ConfigOption, Kind, config_map};
pub use owner::{inputs, owner};
pub use program::Host;
pub use registration::{FilterPlugin, InputPlugin};

/// An opaque structure of the host's.
pub type Handle = *mut c_void;

/// `FLB_FILTER_MODIFIED`: the new records are in the buffer that was handed over. All versions.
pub const MODIFIED: c_int = 1;
/// `FLB_FILTER_NOTOUCH`: the records are as they were. All versions.
pub const NOTOUCH: c_int = 2;
/// `FLB_FILTER_LOGS`: the filter takes logs. 2.1 to 5.1.
const LOGS: c_int = 1;

/// How grave a line of the host's log is: `FLB_LOG_ERROR` and so on. All versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    /// Something does not work.
    Error = 1,
    /// Something is likely to be wrong.
    Warning = 2,
    /// What goes on.
    Info = 3,
}

/// `cb_init` and `cb_pre_run` of filters and inputs. All versions.
pub type Init = unsafe extern "C" fn(Handle, Handle, *mut c_void) -> c_int;
/// `cb_collect` of inputs. All versions.
pub type Collect = unsafe extern "C" fn(Handle, Handle, *mut c_void) -> c_int;
/// `cb_exit` of filters: called only where a context was set. All versions.
pub type Exit = unsafe extern "C" fn(*mut c_void, Handle) -> c_int;
/// `cb_filter`. All versions. The records that are handed over are freed by the host with `free`.
pub type Filter = unsafe extern "C" fn(
    *const c_void,
    usize,
    *const c_char,
    c_int,
    *mut *mut c_void,
    *mut usize,
    Handle,
    Handle,
    *mut c_void,
    Handle,
) -> c_int;
