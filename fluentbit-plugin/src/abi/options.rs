//! The host's table of options: what `-h` shows, and what a configuration is checked against.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ptr;

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

/// Builds the host's table, which lives as long as the process. `stride` is the bytes from one entry to the next, as measured
/// in the host's own tables.
pub fn config_map(options: &[ConfigOption], stride: usize) -> *const c_void {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::CStr;

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
    fn the_table_of_options_is_walked_with_any_stride() {
        for stride in [96, 104, 112] {
            let map = config_map(&options(), stride).cast::<u8>();
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
}
