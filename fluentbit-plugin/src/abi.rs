//! Fluent Bit's binary interface, as much of it as the plugin needs, on 64-bit Linux.
//!
//! Fluent Bit has no interface for plugins that is versioned: a plugin is a shared object whose registration structure is
//! copied by name, and its functions are found in the program. Each fact below says for which versions it was seen to hold;
//! tested are 2.2 to 5.1. What differs between them is told apart by the functions that a program exports.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::ptr;
use std::sync::OnceLock;

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

/// `struct flb_filter_plugin`: 88 bytes from 3.2 to 5.1; 80 bytes in 2.2 to 3.1, which have no `cb_notification`. What follows
/// `cb_exit` is zero, and the host copies as many bytes as it knows of.
///
/// Up to 2.1 there is no `cb_pre_run`, and what stands in its place is taken for `cb_init`: see [`Host::too_old`].
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

/// What kind of value an option takes, as `-h` shows it. `FLB_CONFIG_MAP_…` of all versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A string.
    Text = 0,
    /// A whole number.
    Integer = 2,
    /// A flag.
    Flag = 3,
    /// A floating-point number.
    Number = 4,
}

/// One option for the host's table.
#[derive(Debug, Clone)]
pub struct ConfigOption {
    /// The name.
    pub name: CString,
    /// What it takes.
    pub kind: Kind,
    /// The default; `None` where there is none.
    pub default: Option<CString>,
    /// What `-h` says of it.
    pub description: CString,
}

/// The part of `struct flb_config_map` that a plugin fills in, 2.2 to 5.1.
#[repr(C)]
struct ConfigEntry {
    kind: c_int,
    name: *const c_char,
    default: *const c_char,
    flags: c_int,
    set_property: c_int,
    offset: usize,
    description: *const c_char,
}

const _: () = assert!(std::mem::offset_of!(ConfigEntry, description) == 40);

/// Bytes from one entry of the table to the next: 96 up to 5.0.2. 5.0.3 lets values be looked up again later, which is what the
/// function of that name does, and keeps a pointer more for it.
fn config_stride(looks_up_again: bool) -> usize {
    if looks_up_again { 104 } else { 96 }
}

/// Builds the host's table, which lives as long as the process.
pub fn config_map(options: &[ConfigOption], looks_up_again: bool) -> *const c_void {
    let stride = config_stride(looks_up_again);
    // One entry more, of zeros, ends it; words, so that every entry is aligned.
    let mut words = vec![0usize; (options.len() + 1) * stride / size_of::<usize>()];
    let text = |text: &CString| text.clone().into_raw().cast_const();
    for (index, option) in options.iter().enumerate() {
        let entry = ConfigEntry {
            kind: option.kind as c_int,
            name: text(&option.name),
            default: option.default.as_ref().map_or(ptr::null(), text),
            flags: 0,
            set_property: 0,
            offset: 0,
            description: text(&option.description),
        };
        // SAFETY: the entry lies within the words, at a multiple of 8 bytes.
        unsafe {
            let place = words.as_mut_ptr().cast::<u8>().add(index * stride);
            place.cast::<ConfigEntry>().write(entry);
        }
    }
    Box::leak(words.into_boxed_slice()).as_ptr().cast()
}

/// The functions of the program that the plugin needs.
#[derive(Debug, Clone, Copy)]
struct Functions {
    log_print: unsafe extern "C" fn(c_int, *const c_char, c_int, *const c_char, ...),
    filter_get_property: unsafe extern "C" fn(*const c_char, Handle) -> *const c_char,
    filter_set_context: unsafe extern "C" fn(Handle, *mut c_void),
    filter_name: unsafe extern "C" fn(Handle) -> *const c_char,
    input_get_property: unsafe extern "C" fn(*const c_char, Handle) -> *const c_char,
    input_set_context: unsafe extern "C" fn(Handle, *mut c_void),
    input_name: unsafe extern "C" fn(Handle) -> *const c_char,
    input_set_collector_time:
        unsafe extern "C" fn(Handle, Collect, libc::time_t, c_long, Handle) -> c_int,
    input_log_append:
        unsafe extern "C" fn(Handle, *const c_char, usize, *const c_void, usize) -> c_int,
}

/// The functions for metrics; a host may be built without them.
#[derive(Debug, Clone, Copy)]
struct MetricFunctions {
    input_get_cmt_instance: unsafe extern "C" fn(Handle) -> Handle,
    counter_create: CreateMetric,
    counter_set: SetMetric,
    gauge_create: CreateMetric,
    gauge_set: SetMetric,
}

/// `cmt_counter_create` and `cmt_gauge_create`: the context; namespace, subsystem, name and help; the labels. 2.2 to 5.1.
type CreateMetric = unsafe extern "C" fn(
    Handle,
    *const c_char,
    *const c_char,
    *const c_char,
    *const c_char,
    c_int,
    *const *const c_char,
) -> Handle;

/// `cmt_counter_set` and `cmt_gauge_set`: the time in nanoseconds, the value and the labels' values. 2.2 to 5.1.
type SetMetric = unsafe extern "C" fn(Handle, u64, f64, c_int, *const *const c_char) -> c_int;

/// The function `name` of the program that the plugin runs in.
fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is NUL-terminated.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

macro_rules! functions {
    ($type:ident { $($field:ident: $name:literal),+ $(,)? }) => {
        // SAFETY: the functions of these names have these types in the versions that the module's comment names.
        $type { $($field: unsafe { std::mem::transmute_copy(&symbol($name).ok_or($name)?) }),+ }
    };
}

impl Functions {
    fn find() -> Result<Self, &'static CStr> {
        Ok(functions!(Self {
            log_print: c"flb_log_print",
            filter_get_property: c"flb_filter_get_property",
            filter_set_context: c"flb_filter_set_context",
            filter_name: c"flb_filter_name",
            input_get_property: c"flb_input_get_property",
            input_set_context: c"flb_input_set_context",
            input_name: c"flb_input_name",
            input_set_collector_time: c"flb_input_set_collector_time",
            input_log_append: c"flb_input_log_append",
        }))
    }
}

impl MetricFunctions {
    fn find() -> Result<Self, &'static CStr> {
        Ok(functions!(Self {
            input_get_cmt_instance: c"flb_input_get_cmt_instance",
            counter_create: c"cmt_counter_create",
            counter_set: c"cmt_counter_set",
            gauge_create: c"cmt_gauge_create",
            gauge_set: c"cmt_gauge_set",
        }))
    }
}

/// The program that the plugin runs in.
#[derive(Debug, Clone, Copy)]
pub struct Host(&'static Functions);

impl Host {
    /// The program, where it has all the functions that are needed; else the name of one that it lacks.
    pub fn find() -> Result<Self, &'static str> {
        static FOUND: OnceLock<Result<Functions, &'static CStr>> = OnceLock::new();
        match FOUND.get_or_init(Functions::find) {
            Ok(functions) => Ok(Self(functions)),
            Err(name) => Err(name.to_str().unwrap_or_default()),
        }
    }

    /// Whether the program is older than 2.2, which takes `cb_pre_run` for `cb_init`: 2.2 brought the function of that name.
    pub fn too_old() -> bool {
        symbol(c"flb_output_enable_multi_threading").is_none()
    }

    /// Whether values of options can be looked up again later, as from 5.0.3 on.
    pub fn looks_up_again() -> bool {
        symbol(c"flb_config_map_find").is_some()
    }

    /// Writes a line to the host's log.
    pub fn log(self, level: Level, line: &str) {
        let line = CString::new(line.replace('\0', " ")).unwrap_or_default();
        // SAFETY: the format takes one string; the file's name may be NULL, as the host's own macros have it.
        unsafe {
            (self.0.log_print)(
                level as c_int,
                ptr::null(),
                0,
                c"%s".as_ptr(),
                line.as_ptr(),
            )
        };
    }

    /// The value of an option of a filter, where the configuration gives it.
    ///
    /// # Safety
    /// `instance` is the one that a callback of the filter was given, and lives.
    pub unsafe fn filter_property(self, instance: Handle, name: &str) -> Option<String> {
        let name = CString::new(name).ok()?;
        // SAFETY: as the caller promises; the value belongs to the instance.
        unsafe { text((self.0.filter_get_property)(name.as_ptr(), instance)) }
    }

    /// What the host calls a filter in its log: its alias, or its name with a number.
    ///
    /// # Safety
    /// As for [`Self::filter_property`].
    pub unsafe fn filter_name(self, instance: Handle) -> String {
        // SAFETY: as the caller promises; the name belongs to the instance.
        unsafe { text((self.0.filter_name)(instance)) }.unwrap_or_default()
    }

    /// The log level of a filter: the third number of `struct flb_filter_instance`, 2.1 to 5.1; set before the start.
    ///
    /// # Safety
    /// As for [`Self::filter_property`].
    pub unsafe fn filter_log_level(self, instance: Handle) -> c_int {
        // SAFETY: as the caller promises; the structure starts with three numbers.
        unsafe { *instance.cast::<c_int>().add(2) }
    }

    /// Sets what the callbacks of a filter are given.
    ///
    /// # Safety
    /// As for [`Self::filter_property`].
    pub unsafe fn filter_set_context(self, instance: Handle, context: *mut c_void) {
        // SAFETY: as the caller promises.
        unsafe { (self.0.filter_set_context)(instance, context) }
    }

    /// The value of an option of an input, where the configuration gives it.
    ///
    /// # Safety
    /// `instance` is the one that a callback of the input was given, and lives.
    pub unsafe fn input_property(self, instance: Handle, name: &str) -> Option<String> {
        let name = CString::new(name).ok()?;
        // SAFETY: as the caller promises; the value belongs to the instance.
        unsafe { text((self.0.input_get_property)(name.as_ptr(), instance)) }
    }

    /// What the host calls an input in its log.
    ///
    /// # Safety
    /// As for [`Self::input_property`].
    pub unsafe fn input_name(self, instance: Handle) -> String {
        // SAFETY: as the caller promises; the name belongs to the instance.
        unsafe { text((self.0.input_name)(instance)) }.unwrap_or_default()
    }

    /// Sets an input's context, and has it collected every so many nanoseconds, less than a second; whether that is possible.
    ///
    /// # Safety
    /// As for [`Self::input_property`], within `cb_init`, with `config` as it was given there.
    pub unsafe fn collect_by_time(
        self,
        instance: Handle,
        config: Handle,
        context: *mut c_void,
        collect: Collect,
        nanos: c_long,
    ) -> bool {
        // SAFETY: as the caller promises.
        unsafe {
            (self.0.input_set_context)(instance, context);
            (self.0.input_set_collector_time)(instance, collect, 0, nanos, config) >= 0
        }
    }

    /// Puts records into the pipeline under an input's tag; whether they were taken.
    ///
    /// # Safety
    /// As for [`Self::input_property`], on the input's thread.
    pub unsafe fn append(self, instance: Handle, records: &[u8]) -> bool {
        // SAFETY: as the caller promises; without a tag it is the input's. The records are copied.
        unsafe {
            (self.0.input_log_append)(
                instance,
                ptr::null(),
                0,
                records.as_ptr().cast(),
                records.len(),
            ) == 0
        }
    }
}

/// # Safety
/// `text` is NULL, or NUL-terminated and lives during the call.
unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

/// Where the metrics of an input go.
#[derive(Debug)]
pub struct Metrics {
    functions: MetricFunctions,
    context: Handle,
}

/// A metric with one label.
#[derive(Debug)]
pub struct Metric {
    handle: Handle,
    set: SetMetric,
}

// SAFETY: the metrics of an input are made and set on the thread of that input alone.
unsafe impl Send for Metric {}

impl Metrics {
    /// The metrics of an input; `None` where the host has none.
    ///
    /// # Safety
    /// `instance` is the one that a callback of the input was given, and lives.
    pub unsafe fn of(instance: Handle) -> Option<Self> {
        let functions = MetricFunctions::find().ok()?;
        // SAFETY: as the caller promises.
        let context = unsafe { (functions.input_get_cmt_instance)(instance) };
        (!context.is_null()).then_some(Self { functions, context })
    }

    /// Makes a metric with the label `name`: a counter, or else a gauge. `None` where the host cannot.
    ///
    /// # Safety
    /// The input lives.
    pub unsafe fn metric(
        &self,
        counter: bool,
        subsystem: &CStr,
        name: &CStr,
        help: &CStr,
    ) -> Option<Metric> {
        let labels = [c"name".as_ptr()];
        let (create, set) = match counter {
            true => (self.functions.counter_create, self.functions.counter_set),
            false => (self.functions.gauge_create, self.functions.gauge_set),
        };
        // SAFETY: as the caller promises; the strings are copied.
        let handle = unsafe {
            create(
                self.context,
                c"bellwether".as_ptr(),
                subsystem.as_ptr(),
                name.as_ptr(),
                help.as_ptr(),
                1,
                labels.as_ptr(),
            )
        };
        (!handle.is_null()).then_some(Metric { handle, set })
    }
}

impl Metric {
    /// Sets the value for `label`, at a time in nanoseconds since the epoch.
    ///
    /// # Safety
    /// The input whose metric it is lives.
    pub unsafe fn set(&self, nanos: u64, value: f64, label: &CStr) {
        let labels = [label.as_ptr()];
        // SAFETY: as the caller promises; the string is copied.
        unsafe { (self.set)(self.handle, nanos, value, 1, labels.as_ptr()) };
    }
}

/// Copies records into a buffer for the host to free. `None` where there is no memory.
///
/// The buffer comes from `malloc`, which is the program's: Fluent Bit frees with `free`, and where it brings an allocator of its
/// own, it brings both.
pub fn hand_over(records: &[u8]) -> Option<*mut c_void> {
    // SAFETY: the size is not 0 where it matters: a host takes no empty buffer.
    let buffer = unsafe { libc::malloc(records.len()) };
    if buffer.is_null() {
        return None;
    }
    // SAFETY: the buffer is new and has that size.
    unsafe { ptr::copy_nonoverlapping(records.as_ptr(), buffer.cast(), records.len()) };
    Some(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Vec<ConfigOption> {
        ["first", "second"]
            .map(|name| ConfigOption {
                name: CString::new(name).unwrap(),
                kind: Kind::Integer,
                default: (name == "first").then(|| c"7".into()),
                description: c"what it is".into(),
            })
            .into()
    }

    #[test]
    fn the_table_of_options_is_walked_with_either_stride() {
        for (looks_up_again, stride) in [(false, 96), (true, 104)] {
            let map = config_map(&options(), looks_up_again).cast::<u8>();
            let entry = |index: usize| {
                // SAFETY: there are three entries at that stride.
                unsafe { map.add(index * stride).cast::<ConfigEntry>().read() }
            };
            // SAFETY: the names are set.
            let name = |index| unsafe { CStr::from_ptr(entry(index).name) };
            assert_eq!((name(0), name(1)), (c"first", c"second"));
            assert_eq!(entry(0).kind, 2);
            assert!(!entry(0).default.is_null() && entry(1).default.is_null());
            assert!(entry(2).name.is_null());
        }
    }

    #[test]
    fn a_program_that_is_no_fluent_bit_is_told_by_what_it_lacks() {
        assert!(Host::find().unwrap_err().starts_with("flb_"));
        assert!(Host::too_old() && !Host::looks_up_again());
    }
}
