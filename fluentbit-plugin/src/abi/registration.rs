//! What the plugin registers: a filter and an input.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

use super::{Collect, Exit, Filter, Init, LOGS};

/// `struct flb_filter_plugin`: 88 bytes from 3.2 to 5.1; 80 bytes in 2.2 to 3.1, which have no `cb_notification`. What follows
/// `cb_exit` is zero, and the host copies as many bytes as it knows of.
///
/// Up to 2.1 there is no `cb_pre_run`, and what stands in its place is taken for `cb_init`: such a host, as any that
/// [`Layout`](super::Layout) finds impossible, gets [`FilterPlugin::refuse`].
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
    pub const fn with(mut self, init: Init, filter: Filter, exit: Exit) -> Self {
        self.cb_init = Some(init);
        self.cb_filter = Some(filter);
        self.cb_exit = Some(exit);
        self
    }

    /// Sets the table of options.
    pub fn set_config_map(&mut self, map: *const c_void) {
        self.config_map = map;
    }

    /// Has `refuse` be what the host calls first, wherever it looks for `cb_init`; it has to fail. Without a table of options,
    /// the host checks none before that.
    pub fn refuse(&mut self, refuse: Init) {
        self.config_map = ptr::null();
        refuse_from(&mut self.cb_pre_run, refuse);
    }
}

/// How many fields a host may take for `cb_init` where its structure is not one that is known.
const CALLBACKS: usize = 8;

/// Sets the field `first` and those behind it to `refuse`.
fn refuse_from(first: &mut Option<Init>, refuse: Init) {
    let first = ptr::from_mut(first).cast::<usize>();
    for i in 0..CALLBACKS {
        // SAFETY: in both structures this many fields of a pointer's size follow, and any number is a valid value of each.
        unsafe { first.add(i).write(refuse as usize) };
    }
}

const _: () = assert!(
    std::mem::offset_of!(FilterPlugin, cb_pre_run) + CALLBACKS * 8 <= size_of::<FilterPlugin>()
        && std::mem::offset_of!(InputPlugin, cb_init) + CALLBACKS * 8 <= size_of::<InputPlugin>()
);

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

    /// As [`FilterPlugin::refuse`].
    pub fn refuse(&mut self, refuse: Init) {
        self.config_map = ptr::null();
        refuse_from(&mut self.cb_init, refuse);
    }
}
