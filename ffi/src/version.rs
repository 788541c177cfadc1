//! Which library this is.

use crate::string::bw_string;

/// The version of this interface: the number in the soname times 65536, plus a count that is raised with every addition. A
/// program works with every library of the same soname (`bw_abi_version() >> 16`) whose `bw_abi_version()` is at least the
/// `BW_ABI_VERSION` that the program was compiled with.
pub const BW_ABI_VERSION: u32 = 7;

const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");

/// The version of the interface that the loaded library has, see `BW_ABI_VERSION`. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn bw_abi_version() -> u32 {
    BW_ABI_VERSION
}

/// The version of the product, as "major.minor.patch". Static and NUL-terminated. Any thread may call it at any time.
#[unsafe(no_mangle)]
pub extern "C" fn bw_version() -> bw_string {
    bw_string::before_nul(VERSION)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_version_is_the_cores() {
        assert_eq!(
            super::VERSION.trim_end_matches('\0'),
            bellwether_core::VERSION
        );
    }
}
