//! Metrics that the host shows with its own; a host may be built without them.

use std::ffi::{CStr, c_char, c_int};

use super::Handle;
use super::program::functions;

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
