//! Which library this is.

use std::ffi::{CStr, c_char};

/// The version of this interface that the header describes. It is raised when something is added; what is removed or
/// changes its meaning raises the number in the soname instead. A program works with every library of the same soname
/// whose `bw_abi_version()` is at least the `BW_ABI_VERSION` that it was compiled with.
pub const BW_ABI_VERSION: u32 = 3;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version has no NUL"),
    };

/// The version of the interface that the loaded library has, see `BW_ABI_VERSION`. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn bw_abi_version() -> u32 {
    BW_ABI_VERSION
}

/// The version of the product, as "major.minor.patch". The string is static: never freed, valid for ever. Any thread may
/// call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn bw_version() -> *const c_char {
    VERSION.as_ptr()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_cores() {
        assert_eq!(super::VERSION.to_str(), Ok(bellwether_core::VERSION));
    }
}
