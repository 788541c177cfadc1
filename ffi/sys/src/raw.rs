//! `include/bellwether.h` by hand: its types, and its functions as a table that is filled when the library is loaded.
//!
//! A function's contract is its comment in the header.
#![allow(non_camel_case_types)]

use std::ffi::{c_char, c_uint};

// The structs that the library itself has in this form: one file says it to both.
#[path = "../../src/layout.rs"]
mod layout;

pub use layout::*;

/// The interface that is described here; `BW_ABI_VERSION` of the header.
pub const ABI_VERSION: u32 = 3;

/// `bw_result`: a code of [`crate::ErrorKind`], or [`OK`]. A newer library may have others.
pub type bw_result = c_uint;
/// `BW_OK`.
pub const OK: bw_result = 0;
/// `bw_outcome`: a code of [`crate::Outcome`]. A newer library may have others.
pub type bw_outcome = c_uint;
/// `bw_notice`: a code of [`crate::NoticeKind`]. A newer library may have others.
pub type bw_notice = c_uint;
/// `bw_record_outcome`: a code of [`crate::RecordOutcome`]. A newer library may have others.
pub type bw_record_outcome = c_uint;

/// Declares types that are known only by pointer.
macro_rules! opaque {
    ($($(#[$meta:meta])* $name:ident;)+) => {$(
        $(#[$meta])*
        #[repr(C)]
        pub struct $name {
            _content: [u8; 0],
            // The content is C's: it may change behind a shared pointer, move no further, and is not Rust's to send.
            _marker: std::marker::PhantomData<(*mut u8, std::marker::PhantomPinned)>,
        }
    )+};
}

opaque! {
    /// Why a call failed.
    bw_error;
    /// The options of a detector of hypervisor anomalies.
    bw_had_options;
    /// A detector of hypervisor anomalies.
    bw_had;
    /// The options of a detector of failing hosts by their logs.
    bw_lad_options;
    /// A detector of failing hosts by their logs.
    bw_lad;
    /// The options of a parser of log lines.
    bw_drain_options;
    /// A parser of log lines.
    bw_drain;
    /// An event.
    bw_event;
    /// What a detector has learnt, as bytes.
    bw_snapshot;
}

/// `bw_change`: a code of [`crate::Change`]. A newer library may have others.
pub type bw_change = c_uint;

/// What a record was found to be.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct bw_observed {
    pub size: usize,
    pub template_id: u64,
    pub template_text: *const c_char,
    pub template_len: usize,
    pub family: *const c_char,
    pub severity: f64,
    pub score: f64,
    pub outcome: bw_record_outcome,
    pub failure: bool,
    pub alarm: bool,
    pub novel: bool,
    pub training: bool,
}

/// Where a line was added.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)]
pub struct bw_added {
    pub size: usize,
    pub template_id: u64,
    pub change: bw_change,
}

/// Declares the table of functions, and how it is filled.
macro_rules! functions {
    ($(fn $name:ident($($arg:ident: $ty:ty),*) $(-> $ret:ty)?;)+) => {
        /// The functions of a loaded library.
        #[derive(Clone, Copy)]
        #[allow(missing_docs)]
        pub struct Functions {
            $(pub $name: unsafe extern "C" fn($($arg: $ty),*) $(-> $ret)?,)+
        }

        impl Functions {
            /// Name, arguments' types and result's type of every function as they are written here, for comparison with
            /// the header.
            pub const SIGNATURES: &'static [(&'static str, &'static [&'static str], &'static str)] = &[
                $((stringify!($name), &[$(stringify!($ty)),*], concat!($(stringify!($ret))?)),)+
            ];

            /// Finds every function in `library`.
            ///
            /// # Errors
            /// The library has no function of one of these names.
            ///
            /// # Safety
            /// `library` is a libbellwether whose interface is at least of [`ABI_VERSION`].
            pub(crate) unsafe fn find(library: &libloading::os::unix::Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    // SAFETY: the function of that name has that type in the header, as the test of this crate checks.
                    $($name: *unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) }?,)+
                })
            }
        }
    };
}

functions! {
    fn bw_abi_version() -> u32;
    fn bw_version() -> *const c_char;
    fn bw_error_code(error: *const bw_error) -> bw_result;
    fn bw_error_message(error: *const bw_error) -> *const c_char;
    fn bw_error_free(error: *mut bw_error);
    fn bw_had_options_new() -> *mut bw_had_options;
    fn bw_had_options_free(options: *mut bw_had_options);
    fn bw_had_options_set(
        options: *mut bw_had_options, name: *const c_char, name_len: usize, value: *const c_char, value_len: usize,
        error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_had_option_count() -> usize;
    fn bw_had_option_describe(index: usize, info: *mut bw_option_info, error: *mut *mut bw_error) -> bw_result;
    fn bw_event_free(event: *mut bw_event);
    fn bw_event_json(event: *const bw_event) -> *const c_char;
    fn bw_event_field_count(event: *const bw_event) -> usize;
    fn bw_event_field(
        event: *const bw_event, index: usize, key: *mut *const c_char, value: *mut *const c_char, error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_event_text(event: *const bw_event, key: *const c_char, key_len: usize) -> *const c_char;
    fn bw_event_number(
        event: *const bw_event, key: *const c_char, key_len: usize, number: *mut f64, error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_snapshot_free(snapshot: *mut bw_snapshot);
    fn bw_snapshot_size(snapshot: *const bw_snapshot) -> usize;
    fn bw_snapshot_write(
        snapshot: *const bw_snapshot, path: *const c_char, path_len: usize, error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_state_prepare(path: *const c_char, path_len: usize, in_place: *mut bool, error: *mut *mut bw_error) -> bw_result;
    fn bw_had_new(options: *const bw_had_options, error: *mut *mut bw_error) -> *mut bw_had;
    fn bw_had_free(had: *mut bw_had);
    fn bw_had_observe(
        had: *mut bw_had, observation: *const bw_observation, outcome: *mut bw_outcome, error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_had_advance(had: *mut bw_had, time: f64, error: *mut *mut bw_error) -> bw_result;
    fn bw_had_advance_hypervisor(
        had: *mut bw_had, hypervisor: *const c_char, hypervisor_len: usize, time: f64, error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_had_mask(
        had: *mut bw_had, hypervisor: *const c_char, hypervisor_len: usize, vm: *const c_char, vm_len: usize, masked: bool,
        error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_had_next_event(had: *mut bw_had) -> *mut bw_event;
    fn bw_had_next_notice(had: *mut bw_had, kind: *mut bw_notice) -> *const c_char;
    fn bw_had_save(had: *const bw_had, path: *const c_char, path_len: usize, error: *mut *mut bw_error) -> bw_result;
    fn bw_had_snapshot(had: *const bw_had, error: *mut *mut bw_error) -> *mut bw_snapshot;
    fn bw_had_load(had: *mut bw_had, path: *const c_char, path_len: usize, error: *mut *mut bw_error) -> bw_result;
    fn bw_had_counters(had: *const bw_had, counters: *mut bw_counters, error: *mut *mut bw_error) -> bw_result;
    fn bw_had_status_count(had: *mut bw_had) -> usize;
    fn bw_had_status(had: *const bw_had, index: usize, status: *mut bw_status, error: *mut *mut bw_error) -> bw_result;
    fn bw_lad_options_new() -> *mut bw_lad_options;
    fn bw_lad_options_free(options: *mut bw_lad_options);
    fn bw_lad_options_set(
        options: *mut bw_lad_options, name: *const c_char, name_len: usize, value: *const c_char, value_len: usize,
        error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_lad_option_count() -> usize;
    fn bw_lad_option_describe(index: usize, info: *mut bw_option_info, error: *mut *mut bw_error) -> bw_result;
    fn bw_lad_new(options: *const bw_lad_options, error: *mut *mut bw_error) -> *mut bw_lad;
    fn bw_lad_free(lad: *mut bw_lad);
    fn bw_lad_observe(
        lad: *mut bw_lad, record: *const bw_record, observed: *mut bw_observed, error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_lad_advance(lad: *mut bw_lad, time: f64, error: *mut *mut bw_error) -> bw_result;
    fn bw_lad_feedback(
        lad: *mut bw_lad, stream: *const c_char, stream_len: usize, template_id: u64, verdict: u32, error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_lad_template(lad: *mut bw_lad, stream: *const c_char, stream_len: usize, template_id: u64) -> *const c_char;
    fn bw_lad_next_event(lad: *mut bw_lad) -> *mut bw_event;
    fn bw_lad_save(lad: *const bw_lad, path: *const c_char, path_len: usize, error: *mut *mut bw_error) -> bw_result;
    fn bw_lad_snapshot(lad: *const bw_lad, error: *mut *mut bw_error) -> *mut bw_snapshot;
    fn bw_lad_load(lad: *mut bw_lad, path: *const c_char, path_len: usize, error: *mut *mut bw_error) -> bw_result;
    fn bw_lad_counters(lad: *const bw_lad, counters: *mut bw_log_counters, error: *mut *mut bw_error) -> bw_result;
    fn bw_drain_options_new() -> *mut bw_drain_options;
    fn bw_drain_options_free(options: *mut bw_drain_options);
    fn bw_drain_options_set(
        options: *mut bw_drain_options, name: *const c_char, name_len: usize, value: *const c_char, value_len: usize,
        error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_drain_option_count() -> usize;
    fn bw_drain_option_describe(index: usize, info: *mut bw_option_info, error: *mut *mut bw_error) -> bw_result;
    fn bw_drain_new(options: *const bw_drain_options, error: *mut *mut bw_error) -> *mut bw_drain;
    fn bw_drain_free(drain: *mut bw_drain);
    fn bw_drain_add(
        drain: *mut bw_drain, line: *const c_char, line_len: usize, added: *mut bw_added, error: *mut *mut bw_error
    ) -> bw_result;
    fn bw_drain_template(drain: *mut bw_drain, template_id: u64) -> *const c_char;
    fn bw_drain_parameter_count(drain: *mut bw_drain, template_id: u64, line: *const c_char, line_len: usize) -> usize;
    fn bw_drain_parameter(drain: *const bw_drain, index: usize) -> *const c_char;
}
