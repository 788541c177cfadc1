//! The border between C and Rust: panics, errors, strings, structs with a size, and who owns a handle.

use std::any::Any;
use std::borrow::Cow;
use std::ffi::{CString, OsStr, c_char};
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::{ptr, slice, str};

use crate::error::{bw_error, bw_result};

/// Why a call fails; becomes its code and its `bw_error`.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: bw_result,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(code: bw_result, message: impl ToString) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    pub(crate) fn argument(message: impl ToString) -> Self {
        Self::new(bw_result::BW_INVALID_ARGUMENT, message)
    }

    pub(crate) fn not_found(message: impl ToString) -> Self {
        Self::new(bw_result::BW_NOT_FOUND, message)
    }

    fn panic(payload: &(dyn Any + Send)) -> Self {
        let said = payload
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("it did not say why");
        Self::new(
            bw_result::BW_PANIC,
            format!("a defect of bellwether, please report it: {said}"),
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

/// `bw_..._new` of what needs nothing to be made.
pub(crate) fn new_default<T: Handle + Default>() -> *mut T {
    guard(ptr::null_mut(), || T::default().give())
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

/// A struct of the header that begins with a field `size`, which its caller sets.
///
/// # Safety
/// The type is `repr(C)` and its first field is a `usize`.
pub(crate) unsafe trait WithSize: Copy {
    /// The struct's name in the header.
    const NAME: &'static str;
    /// The size of the struct when it was first published.
    const SIZE_AT_FIRST: usize;

    /// The size that a caller says its struct has, which is not too small.
    ///
    /// # Safety
    /// `pointer` is NULL or its field `size` may be read.
    unsafe fn check(pointer: *const Self) -> Result<usize, Failure> {
        // SAFETY: passed on to the caller.
        let size = unsafe { size_of_struct(pointer) }?;
        if size < Self::SIZE_AT_FIRST {
            return Err(wrong_size::<Self>(size));
        }
        Ok(size)
    }

    /// Fills as much of a caller's struct as the caller knows of, and leaves its `size` and what it has beyond as it is.
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

/// Says of a struct of the header that it begins with its size; and, where it has grown since it was first published, which field
/// was the first that came after that.
macro_rules! with_size {
    ($name:ident) => {
        crate::border::with_size!($name, size_of::<Self>());
    };
    ($name:ident, grown from $field:ident) => {
        crate::border::with_size!($name, std::mem::offset_of!($name, $field));
    };
    ($name:ident, $at_first:expr) => {
        // SAFETY: every struct of the header is `repr(C)`, and the place of its field is held to be the first one.
        unsafe impl crate::border::WithSize for $name {
            const NAME: &'static str = stringify!($name);
            const SIZE_AT_FIRST: usize = {
                assert!(std::mem::offset_of!($name, size) == 0);
                $at_first
            };
        }
    };
}
pub(crate) use with_size;

/// The largest struct that a caller of a later version may hand over, bytes.
const STRUCT_MAX_BYTES: usize = 4096;

/// A struct with a size that C fills and Rust reads.
///
/// # Safety
/// Every pattern of the type's bytes is a value, zeros too.
pub(crate) unsafe trait Filled: WithSize {
    /// Reads a struct that a caller fills: the fields that the caller does not know are zero, and what it has beyond those that
    /// are known here must be.
    ///
    /// # Safety
    /// `pointer` is NULL or points to as many readable bytes as its field `size` says, at least to that field.
    unsafe fn read(pointer: *const Self) -> Result<Self, Failure> {
        // SAFETY: passed on to the caller.
        let size = unsafe { Self::check(pointer) }?;
        let known = size_of::<Self>();
        if size == known {
            // SAFETY: it is not NULL, and all its bytes are there.
            return Ok(unsafe { pointer.read() });
        }
        // No version of a struct ends within a field.
        if size > STRUCT_MAX_BYTES || !size.is_multiple_of(align_of::<Self>()) {
            return Err(wrong_size::<Self>(size));
        }
        // SAFETY: it is not NULL, and so many bytes are there.
        let bytes = unsafe { slice::from_raw_parts(pointer.cast::<u8>(), size) };
        if bytes.iter().skip(known).any(|&byte| byte != 0) {
            return Err(Failure::argument(format!(
                "{} has something behind its first {known} bytes, which are all that this version of the library knows",
                Self::NAME
            )));
        }
        let mut all = MaybeUninit::<Self>::zeroed();
        let count = size.min(known);
        // SAFETY: both have so many bytes, and what is left of the copy is zero, which is a value.
        Ok(unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), all.as_mut_ptr().cast::<u8>(), count);
            all.assume_init()
        })
    }
}

/// The field `size` at the beginning of a struct.
///
/// # Safety
/// `pointer` is NULL or its first field may be read.
unsafe fn size_of_struct<T: WithSize>(pointer: *const T) -> Result<usize, Failure> {
    if pointer.is_null() {
        return Err(null(T::NAME));
    }
    // SAFETY: it is not NULL, and its first field is a `usize`.
    Ok(unsafe { pointer.cast::<usize>().read() })
}

fn wrong_size<T: WithSize>(size: usize) -> Failure {
    let (name, right) = (T::NAME, size_of::<T>());
    Failure::argument(format!(
        "{name}.size is {size}; it must be sizeof({name}), which is {right} for this version of the library"
    ))
}

/// The failure of a call whose argument `what` is NULL.
pub(crate) fn null(what: &str) -> Failure {
    Failure::argument(format!("{what} is NULL"))
}

/// The bytes that C gives as pointer and length.
///
/// # Safety
/// `pointer` is NULL or points to `length` bytes that nobody writes to while the slice lives.
unsafe fn any_bytes<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a [u8], Failure> {
    if pointer.is_null() {
        return Err(null(what));
    }
    if length > isize::MAX as usize {
        return Err(Failure::argument(format!(
            "the length of {what} is {length}, more than there is memory"
        )));
    }
    // SAFETY: it is not NULL and `length` bytes are there, which is not more than a slice can hold.
    Ok(unsafe { slice::from_raw_parts(pointer.cast::<u8>(), length) })
}

/// The bytes that C gives as pointer and length, none where the pointer is NULL.
///
/// # Safety
/// As for [`any_bytes`].
pub(crate) unsafe fn optional_bytes<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a [u8], Failure> {
    if pointer.is_null() {
        return Ok(&[]);
    }
    // SAFETY: passed on to the caller.
    unsafe { any_bytes(pointer, length, what) }
}

/// The bytes of a string that C gives as pointer and length.
///
/// # Safety
/// As for [`any_bytes`].
unsafe fn bytes<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<&'a [u8], Failure> {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { any_bytes(pointer, length, what) }?;
    if bytes.contains(&0)
        && let Some(at) = bytes.iter().position(|&byte| byte == 0)
    {
        return Err(Failure::argument(format!(
            "{what} holds a NUL byte, at {at} of {length}"
        )));
    }
    Ok(bytes)
}

/// What can be read of bytes that C gives as pointer and length: those that are no UTF-8 are replaced, and NUL bytes become
/// spaces.
///
/// # Safety
/// As for [`any_bytes`].
pub(crate) unsafe fn any_text<'a>(
    pointer: *const c_char,
    length: usize,
    what: &str,
) -> Result<Cow<'a, str>, Failure> {
    // SAFETY: passed on to the caller.
    let bytes = unsafe { any_bytes(pointer, length, what) }?;
    // Nearly all is UTF-8 without a NUL; to find that out takes a fraction of what it takes to look for what to replace.
    let text = match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    Ok(if text.as_bytes().contains(&0) {
        Cow::Owned(text.replace('\0', " "))
    } else {
        text
    })
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

/// `text` as C reads it. No name with a NUL byte gets in, so there is none to drop but in a defect's message.
pub(crate) fn c_string(text: String) -> CString {
    CString::new(text).unwrap_or_else(|error| {
        let mut bytes = error.into_vec();
        bytes.retain(|&byte| byte != 0);
        CString::new(bytes).expect("all NUL bytes were dropped")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_with_its_message() {
        let mut error = ptr::null_mut();
        // SAFETY: `error` may be written to.
        let code = unsafe { fallible(&mut error, || panic!("the {} broke", "wheel")) };
        assert_eq!(code, bw_result::BW_PANIC);
        // SAFETY: the call above made it, and it is freed once.
        unsafe {
            let failure = Box::from_raw(error);
            let message = std::ffi::CStr::from_ptr(crate::bw_error_message(&*failure));
            assert!(message.to_str().unwrap().ends_with("the wheel broke"));
        }
        // SAFETY: NULL is allowed.
        let code = unsafe { fallible(ptr::null_mut(), || std::panic::panic_any(7)) };
        assert_eq!(code, bw_result::BW_PANIC);
        assert_eq!(guard(3, || panic!("no error to report it in")), 3);
    }

    #[test]
    fn a_text_keeps_everything_but_its_nul_bytes() {
        assert_eq!(c_string("a\0b".into()), c"ab".to_owned());
        assert_eq!(c_string("ü".into()), c"ü".to_owned());
    }
}
