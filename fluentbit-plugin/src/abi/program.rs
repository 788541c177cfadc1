//! The functions of the program that the plugin runs in.

use std::ffi::{CStr, CString, c_char, c_int, c_long, c_void};
use std::ptr;
use std::sync::OnceLock;

use super::{Collect, Handle, Level};

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

/// The function `name` of the program that the plugin runs in.
pub(super) fn symbol(name: &CStr) -> Option<*mut c_void> {
    // SAFETY: the name is NUL-terminated.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    (!found.is_null()).then_some(found)
}

/// Finds functions by their names; the first one that is missing is an error.
macro_rules! functions {
    ($type:ident { $($field:ident: $name:literal),+ $(,)? }) => {
        // SAFETY: the functions of these names have these types in the versions that the module's comment names.
        $type { $($field: unsafe { std::mem::transmute_copy(&$crate::abi::program::symbol($name).ok_or($name)?) }),+ }
    };
}

pub(super) use functions;

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

    /// The log level of a filter: the third number of `struct flb_filter_instance`, 2.1 to 5.1; set before the start. What is no
    /// level is taken for the host's default.
    ///
    /// # Safety
    /// As for [`Self::filter_property`].
    pub unsafe fn filter_log_level(self, instance: Handle) -> c_int {
        // SAFETY: as the caller promises; the structure starts with three numbers.
        match unsafe { *instance.cast::<c_int>().add(2) } {
            level @ 0..=10 => level,
            _ => Level::Info as c_int,
        }
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

    /// Sets an input's context, and has it collected at this interval in nanoseconds, less than a second; returns whether that is possible.
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
pub(super) unsafe fn text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    let text = unsafe { CStr::from_ptr(text) };
    Some(text.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_no_fluent_bit_is_recognized_by_what_it_lacks() {
        assert!(Host::find().unwrap_err().starts_with("flb_"));
    }
}
