//! The border between C and Rust: panics, errors, strings, structs that may grow, and who owns a handle.

use std::any::Any;
use std::borrow::Cow;
use std::ffi::{OsStr, c_char};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::{ptr, slice, str};

use bellwether_core::options::OptionError;
use bellwether_core::snapshot::{SnapshotError, Unusable};

use crate::error::{bw_error, bw_result};

/// A C `bool` that a caller passes in. Its memory may hold any byte, and a Rust `bool` other than 0 and 1 is undefined behavior;
/// everything but 0 is true.
pub type input_bool = u8;

/// Why a call fails; becomes its code and its `bw_error`.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: bw_result,
    pub(crate) message: String,
    /// The option that the failure is about.
    pub(crate) option: Option<String>,
    /// Where in the message it begins to say what is wrong, behind the name of the option.
    pub(crate) reason_at: usize,
}

impl From<OptionError> for Failure {
    fn from(error: OptionError) -> Self {
        let option = error.option().to_owned();
        let failure = Self::new(bw_result::BW_INVALID_OPTION, error);
        let name = format!("option \"{option}\": ");
        Self {
            reason_at: match failure.message.starts_with(&name) {
                true => name.len(),
                false => 0,
            },
            option: Some(option),
            ..failure
        }
    }
}

impl From<SnapshotError> for Failure {
    fn from(error: SnapshotError) -> Self {
        let code = match error {
            SnapshotError::Io { .. } => bw_result::BW_IO,
            _ => bw_result::BW_SNAPSHOT_UNUSABLE,
        };
        Self::new(code, error)
    }
}

impl From<Unusable> for Failure {
    fn from(error: Unusable) -> Self {
        Self::new(bw_result::BW_SNAPSHOT_UNUSABLE, error)
    }
}

impl Failure {
    pub(crate) fn new(code: bw_result, message: impl ToString) -> Self {
        Self {
            code,
            message: message.to_string(),
            option: None,
            reason_at: 0,
        }
    }

    pub(crate) fn argument(message: impl ToString) -> Self {
        Self::new(bw_result::BW_INVALID_ARGUMENT, message)
    }

    pub(crate) fn not_found(message: impl ToString) -> Self {
        Self::new(bw_result::BW_NOT_FOUND, message)
    }

    fn panic(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("the panic has no message");
        Self::new(
            bw_result::BW_PANIC,
            format!("internal error in bellwether, please report it: {message}"),
        )
    }
}

/// Runs the inside of a function that cannot report an error; where it panics, the function gives `fallback`.
pub(crate) fn guard<T>(fallback: T, body: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(fallback)
}

/// Runs the inside of a function that reports errors, and stores the error, or NULL where there is none, in `*error`.
///
/// # Safety
/// `error` is NULL or may be written to.
unsafe fn run<T>(
    error: *mut *mut bw_error,
    body: impl FnOnce() -> Result<T, Failure>,
) -> Result<T, bw_result> {
    let result = catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|payload| Err(Failure::panic(payload.as_ref())));
    let (result, made) = match result {
        Ok(value) => (Ok(value), ptr::null_mut()),
        Err(failure) if error.is_null() => (Err(failure.code), ptr::null_mut()),
        Err(failure) => (Err(failure.code), bw_error::from(failure).give()),
    };
    if !error.is_null() {
        // SAFETY: it is not NULL, so the caller lets us write to it.
        unsafe { error.write(made) };
    }
    result
}

/// [`run`] for a function that gives a code.
///
/// # Safety
/// As for [`run`].
pub(crate) unsafe fn fallible(
    error: *mut *mut bw_error,
    body: impl FnOnce() -> Result<(), Failure>,
) -> bw_result {
    // SAFETY: passed on to the caller.
    match unsafe { run(error, body) } {
        Ok(()) => bw_result::BW_OK,
        Err(code) => code,
    }
}

/// [`run`] for a function that gives a new handle, or NULL where it fails.
///
/// # Safety
/// As for [`run`].
pub(crate) unsafe fn fallible_new<T: Handle>(
    error: *mut *mut bw_error,
    body: impl FnOnce() -> Result<T, Failure>,
) -> *mut T {
    // SAFETY: passed on to the caller.
    unsafe { run(error, body) }.map_or(ptr::null_mut(), Handle::give)
}

/// `bw_..._free`.
///
/// # Safety
/// As for [`Handle::free`].
pub(crate) unsafe fn free<T: Handle>(pointer: *mut T) {
    // SAFETY: passed on to the caller.
    guard((), || unsafe { T::free(pointer) });
}

/// A type that C owns behind an opaque pointer.
pub(crate) trait Handle: Sized {
    /// The type's name in the header.
    const NAME: &'static str;

    /// Hands the value over to C, which gives it back to [`Handle::free`].
    fn give(self) -> *mut Self {
        Box::into_raw(Box::new(self))
    }

    /// The handle behind a pointer that may be shared.
    ///
    /// # Safety
    /// `pointer` is NULL or came from [`Handle::give`], is not freed and not written to while the reference lives.
    unsafe fn shared<'a>(pointer: *const Self) -> Result<&'a Self, Failure> {
        // SAFETY: passed on to the caller.
        unsafe { pointer.as_ref() }.ok_or_else(|| null(Self::NAME))
    }

    /// The handle behind a pointer that nobody else uses.
    ///
    /// # Safety
    /// `pointer` is NULL or came from [`Handle::give`], is not freed and not otherwise used while the reference lives.
    unsafe fn exclusive<'a>(pointer: *mut Self) -> Result<&'a mut Self, Failure> {
        // SAFETY: passed on to the caller.
        unsafe { pointer.as_mut() }.ok_or_else(|| null(Self::NAME))
    }

    /// Takes the handle back from C and drops it.
    ///
    /// # Safety
    /// `pointer` is NULL or came from [`Handle::give`], and is used no more.
    unsafe fn free(pointer: *mut Self) {
        if !pointer.is_null() {
            // SAFETY: it came from `Box::into_raw`, and the caller gives it up.
            drop(unsafe { Box::from_raw(pointer) });
        }
    }
}

/// The largest size that a caller may give for a struct: more is garbage, not a later version.
const STRUCT_MAX_BYTES: usize = 4096;

/// A struct of the header that may grow: it begins with a field `size`, which the caller sets.
///
/// # Safety
/// The type is `repr(C)` and its first field is a `usize`.
pub(crate) unsafe trait Growable: Copy {
    /// The struct's name in the header.
    const NAME: &'static str;
    /// The size of the struct in the first version of the interface, in bytes: a number that never changes.
    const FIRST_SIZE: usize;

    /// The size that a caller gives for its struct, if a version of the struct can have that size.
    ///
    /// # Safety
    /// `pointer` is NULL or its field `size` may be read.
    unsafe fn check(pointer: *const Self) -> Result<usize, Failure> {
        if pointer.is_null() {
            return Err(null(Self::NAME));
        }
        // SAFETY: it is not NULL, and its first field is a `usize`.
        let size = unsafe { pointer.cast::<usize>().read_unaligned() };
        // No version of a struct ends within a field.
        if (Self::FIRST_SIZE..=STRUCT_MAX_BYTES).contains(&size)
            && size.is_multiple_of(align_of::<Self>())
        {
            return Ok(size);
        }
        Err(wrong_size::<Self>(size))
    }

    /// Fills as much of a caller's struct as the caller knows, and leaves its `size` and what follows unchanged.
    ///
    /// # Safety
    /// `pointer` is NULL or points to as many writable bytes as its field `size` says, at least to that field.
    unsafe fn write(self, pointer: *mut Self) -> Result<(), Failure> {
        // SAFETY: passed on to the caller.
        let size = unsafe { Self::check(pointer) }?;
        let head = size_of::<usize>();
        let count = size.min(size_of::<Self>()) - head;
        let from = ptr::from_ref(&self).cast::<u8>();
        // SAFETY: `count` is within both structs behind the `head` bytes of the field `size`, and `self` is ours.
        unsafe { ptr::copy_nonoverlapping(from.add(head), pointer.cast::<u8>().add(head), count) };
        Ok(())
    }
}

#[cold]
fn wrong_size<T: Growable>(size: usize) -> Failure {
    let (name, known, first) = (T::NAME, size_of::<T>(), T::FIRST_SIZE);
    Failure::argument(format!(
        "{name}.size is {size}; set it to sizeof({name}), which is {known} in this version of the library and at least {first}"
    ))
}

/// Declares that a struct of the header may grow, with the size that it had in the first version. That number is written out and
/// never changes, so that a program compiled against the first version keeps working. A field is added at the end, where the
/// struct's size was a multiple of its alignment, and never into the padding, where an old caller may have anything.
macro_rules! growable {
    ($name:ident, $first_size:literal) => {
        // SAFETY: every struct of the header is `repr(C)`, and `size` is asserted to be its first field.
        unsafe impl crate::border::Growable for $name {
            const NAME: &'static str = stringify!($name);
            const FIRST_SIZE: usize = {
                assert!(std::mem::offset_of!($name, size) == 0);
                assert!($first_size <= size_of::<$name>());
                $first_size
            };
        }
        // Evaluated even where nobody uses the constant.
        const _: usize = <$name as crate::border::Growable>::FIRST_SIZE;
    };
}
pub(crate) use growable;

/// A growable struct that C fills and Rust reads.
///
/// # Safety
/// Every pattern of the type's bytes is a value, zeros too.
pub(crate) unsafe trait Input: Growable {
    /// Reads a struct that a caller fills. As with Linux's `copy_struct_from_user`, fields that an older caller does not know are
    /// zero, and bytes of a newer caller that are unknown here must be zero.
    ///
    /// # Safety
    /// `pointer` is NULL or points to as many readable bytes as its field `size` says, at least to that field.
    unsafe fn read(pointer: *const Self) -> Result<Self, Failure> {
        // SAFETY: passed on to the caller.
        let size = unsafe { Self::check(pointer) }?;
        let known = size_of::<Self>();
        if size == known {
            // SAFETY: it is not NULL, and all its bytes are there. Nothing says that a caller aligned it.
            return Ok(unsafe { pointer.read_unaligned() });
        }
        // SAFETY: it is not NULL, and has that many bytes.
        let bytes = unsafe { slice::from_raw_parts(pointer.cast::<u8>(), size) };
        if bytes.iter().skip(known).any(|&byte| byte != 0) {
            return Err(Failure::argument(format!(
                "{} has a field that is set and unknown to this version of the library, which knows its first {known} bytes",
                Self::NAME
            )));
        }
        let mut all = MaybeUninit::<Self>::zeroed();
        let count = size.min(known);
        // SAFETY: both have that many bytes, and the rest of the copy is zero, which is a value.
        Ok(unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), all.as_mut_ptr().cast::<u8>(), count);
            all.assume_init()
        })
    }
}

/// The failure of a call whose argument `what` is NULL.
pub(crate) fn null(what: &str) -> Failure {
    Failure::argument(format!("{what} is NULL"))
}

/// The bytes that C gives as pointer and length.
///
/// # Safety
/// `pointer` is NULL or points to `length` bytes that nobody writes to while the slice lives.
pub(crate) unsafe fn input_bytes<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a [u8], Failure> {
    if pointer.is_null() {
        return Err(null(what));
    }
    if length > isize::MAX as usize {
        return Err(Failure::argument(format!(
            "the length of {what} is {length}, more than the address space has"
        )));
    }
    // SAFETY: it is not NULL and `length` bytes are there, which is not more than a slice can hold.
    Ok(unsafe { slice::from_raw_parts(pointer.cast::<u8>(), length) })
}

/// The bytes that C gives as pointer and length, none where the pointer is NULL.
///
/// # Safety
/// As for [`input_bytes`].
pub(crate) unsafe fn optional_bytes<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a [u8], Failure> {
    if pointer.is_null() {
        return Ok(&[]);
    }
    // SAFETY: passed on to the caller.
    unsafe { input_bytes(pointer, length, what) }
}

/// The bytes of a string that C gives as pointer and length.
///
/// # Safety
/// As for [`input_bytes`].
unsafe fn bytes<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a [u8], Failure> {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { input_bytes(pointer, length, what) }?;
    if bytes.contains(&0)
        && let Some(at) = bytes.iter().position(|&byte| byte == 0)
    {
        return Err(Failure::argument(format!(
            "{what} holds a NUL byte, at {at} of {length}"
        )));
    }
    Ok(bytes)
}

/// [`readable`] of the bytes that C gives as pointer and length.
///
/// # Safety
/// As for [`input_bytes`].
pub(crate) unsafe fn any_text<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<Cow<'a, str>, Failure> {
    // SAFETY: passed on to the caller.
    Ok(readable(unsafe { input_bytes(pointer, length, what) }?))
}

/// `bytes` as text: those that are not UTF-8 are replaced, and NUL bytes become spaces.
pub(crate) fn readable(bytes: &[u8]) -> Cow<'_, str> {
    // Nearly all input is UTF-8 without a NUL, and checking that is much faster than a search for what to replace.
    let text = match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    if text.as_bytes().contains(&0) {
        Cow::Owned(text.replace('\0', " "))
    } else {
        text
    }
}

/// The text of a string that C gives as pointer and length.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn text<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a str, Failure> {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { bytes(pointer, length, what) }?;
    str::from_utf8(bytes).map_err(|error| {
        Failure::argument(format!(
            "{what} is not UTF-8 from byte {} on: \"{}\"",
            error.valid_up_to(),
            bytes[..bytes.len().min(80)].escape_ascii()
        ))
    })
}

/// The path that C gives as pointer and length, in whatever encoding the system's paths are.
///
/// # Safety
/// As for [`bytes`].
pub(crate) unsafe fn path<'a>(pointer: *const c_char, length: usize) -> Result<&'a Path, Failure> {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { bytes(pointer, length, "path") }?;
    if bytes.is_empty() {
        return Err(Failure::argument("path is empty"));
    }
    Ok(Path::new(OsStr::from_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_an_options_error_lacks_the_options_name() {
        use bellwether_core::had::HadOptions;

        let mut options = HadOptions::default();
        let value = options.set("max_vms", "none").unwrap_err();
        options.set("interval", "100").unwrap();
        options.set("forget_sec", "100").unwrap();
        let conflict = options.validate().unwrap_err();
        for (error, name) in [(value, "max_vms"), (conflict, "forget_sec")] {
            let message = error.to_string();
            let failure = Failure::from(error);
            assert_eq!(failure.option.as_deref(), Some(name));
            let reason = &failure.message[failure.reason_at..];
            assert_eq!(message, format!("option \"{name}\": {reason}"));
        }
    }

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let mut error = ptr::null_mut();
        // SAFETY: `error` may be written to.
        let code = unsafe { fallible(&mut error, || panic!("the {} broke", "wheel")) };
        assert_eq!(code, bw_result::BW_PANIC);
        // SAFETY: the call above made it, and it is freed once.
        unsafe {
            let failure = Box::from_raw(error);
            let message = std::ffi::CStr::from_ptr(crate::bw_error_message(&*failure).data);
            assert!(message.to_str().unwrap().ends_with("the wheel broke"));
        }
        // SAFETY: NULL is allowed.
        let code = unsafe { fallible(ptr::null_mut(), || std::panic::panic_any(7)) };
        assert_eq!(code, bw_result::BW_PANIC);
        assert_eq!(guard(3, || panic!("no error to report it in")), 3);
    }
}
