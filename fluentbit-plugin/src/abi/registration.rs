//! What the plugin registers: a filter and an input.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::{Collect, Exit, Filter, Init, LOGS};

/// `struct flb_filter_plugin`: 88 bytes from 3.2 to 5.1; 80 bytes in 2.2 to 3.1, which have no `cb_notification`. What follows
/// `cb_exit` is zero, and the host copies as many bytes as it knows of.
///
/// Up to 2.1 there is no `cb_pre_run`, and what stands in its place is taken for `cb_init`: see [`Host::too_old`](super::Host::too_old).
#[repr(C)]
pub struct FilterPlugin {
    event_type: c_int,
    flags: c_int,
    name: *const c_char,
    description: *const c_char,
    config_map: *const c_void,
    cb_pre_run: Option<Init>,
    cb_init: Option<Init>,
    cb_filter: Option<Filter>,
    cb_exit: Option<Exit>,
    rest: [usize; 8],
}

/// `struct flb_input_plugin` up to `cb_collect`, 2.0 to 5.1; what follows differs and is zero (176 bytes more in 5.1, where a
/// structure for tests was added). With no `cb_exit`, an input's context is not freed by the host's call.
#[repr(C)]
pub struct InputPlugin {
    kind: c_int,
    proxy: *const c_void,
    flags: c_int,
    name: *const c_char,
    description: *const c_char,
    config_map: *const c_void,
    cb_init: Option<Init>,
    cb_pre_run: Option<Init>,
    cb_collect: Option<Collect>,
    rest: [usize; 64],
}

const _: () = assert!(
    size_of::<FilterPlugin>() >= 88
        && std::mem::offset_of!(FilterPlugin, cb_exit) == 56
        && std::mem::offset_of!(InputPlugin, cb_collect) == 64
);

impl FilterPlugin {
    /// A filter of logs. The strings and the map live as long as the process.
    pub const fn new(name: &'static CStr, description: &'static CStr) -> Self {
        Self {
            event_type: LOGS,
            flags: 0,
            name: name.as_ptr(),
            description: description.as_ptr(),
            config_map: ptr::null(),
            cb_pre_run: None,
            cb_init: None,
            cb_filter: None,
            cb_exit: None,
            rest: [0; 8],
        }
    }

    /// The filter with these callbacks.
    pub const fn with(mut self, pre_run: Init, init: Init, filter: Filter, exit: Exit) -> Self {
        self.cb_pre_run = Some(pre_run);
        self.cb_init = Some(init);
        self.cb_filter = Some(filter);
        self.cb_exit = Some(exit);
        self
    }

    /// Sets the table of options.
    pub fn set_config_map(&mut self, map: *const c_void) {
        self.config_map = map;
    }
}

impl InputPlugin {
    /// An input that collects by a timer. The strings live as long as the process.
    pub const fn new(
        name: &'static CStr,
        description: &'static CStr,
        init: Init,
        collect: Collect,
    ) -> Self {
        Self {
            kind: 0,
            proxy: ptr::null(),
            flags: 0,
            name: name.as_ptr(),
            description: description.as_ptr(),
            config_map: ptr::null(),
            cb_init: Some(init),
            cb_pre_run: None,
            cb_collect: Some(collect),
            rest: [0; 64],
        }
    }

    /// Sets the table of options.
    pub fn set_config_map(&mut self, map: *const c_void) {
        self.config_map = map;
    }
}
