//! The plugin interface, measured on the plugins of the program itself.
//!
//! Fluent Bit copies a plugin's registration structure by the size that it was compiled with, walks the table of options by a
//! stride that it was compiled with, and does not expose either; both have changed, in patch releases too. But its own
//! plugins are registered by the same structures, as data that the program exports: the dynamic symbol table has the size of
//! `filter_grep_plugin`, and the distance between two options can be measured in the table that it points to. An interface is
//! used only where what is measured is what the versions that were tested have.

use std::ffi::{CStr, c_int, c_void};
use std::fmt;
use std::mem::MaybeUninit;
use std::sync::OnceLock;

use super::program::symbol;

/// The versions that were tested, for messages.
const TESTED: &str = "2.2 to 5.1";

/// `RTLD_DL_SYMENT` of glibc's `dladdr1`: the extra information is the symbol's entry in the symbol table.
const DL_SYMENT: c_int = 1;

unsafe extern "C" {
    /// glibc's; see dladdr1(3).
    fn dladdr1(
        address: *const c_void,
        info: *mut libc::Dl_info,
        extra: *mut *mut c_void,
        flags: c_int,
    ) -> c_int;
}

/// Bytes of `struct flb_filter_plugin`: 2.2 to 3.1, and 3.2 to 5.1.
const FILTER_SIZES: [usize; 2] = [80, 88];
/// The same of 2.0 and 2.1, which have no `cb_pre_run`.
const FILTER_SIZE_TOO_OLD: usize = 72;
/// Bytes of `struct flb_input_plugin`: 2.0.7, 3.2.0, 3.2.3 and 5.1.0 brought these sizes.
const INPUT_SIZES: [usize; 4] = [152, 160, 208, 232];
/// Bytes from one option to the next: up to 5.0.2, and from 5.0.3 on.
const STRIDES: [usize; 2] = [96, 104];
/// No option is shorter than the part of it that a plugin fills in, and none will be longer than this.
const STRIDE_RANGE: std::ops::RangeInclusive<usize> = 56..=512;

/// A registration structure that the program may export, and the name that it registers.
type Known = (&'static CStr, &'static CStr);

/// Filters of the program's own. A build can leave any of them out.
const FILTERS: [Known; 6] = [
    (c"filter_grep_plugin", c"grep"),
    (c"filter_modify_plugin", c"modify"),
    (c"filter_record_modifier_plugin", c"record_modifier"),
    (c"filter_rewrite_tag_plugin", c"rewrite_tag"),
    (c"filter_nest_plugin", c"nest"),
    (c"filter_parser_plugin", c"parser"),
];

/// Inputs of the program's own.
const INPUTS: [Known; 5] = [
    (c"in_dummy_plugin", c"dummy"),
    (c"in_tail_plugin", c"tail"),
    (c"in_emitter_plugin", c"emitter"),
    (c"in_forward_plugin", c"forward"),
    (c"in_syslog_plugin", c"syslog"),
];

/// Whether the plugin can run in a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fit {
    /// The interface is that of a version that was tested.
    Known,
    /// It is not, but what a plugin needs of it is where it always was; why it is not known.
    Unknown(String),
    /// It cannot be used; why.
    Impossible(String),
}

/// What was measured of a registration structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Structure {
    /// Its bytes.
    size: usize,
    /// Whether its fields are where those of the tested versions are.
    as_expected: bool,
}

/// What was measured of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    filter: Option<Structure>,
    input: Option<Structure>,
    stride: Option<usize>,
}

impl Layout {
    /// The layout of the program that the plugin runs in, measured once.
    pub fn of_program() -> &'static Self {
        static MEASURED: OnceLock<Layout> = OnceLock::new();
        MEASURED.get_or_init(Self::measure)
    }

    fn measure() -> Self {
        let filters: Vec<Registered> = FILTERS.iter().filter_map(Registered::find).collect();
        let inputs: Vec<Registered> = INPUTS.iter().filter_map(Registered::find).collect();
        let strides = filters.iter().map(|plugin| (plugin, FILTER_MAP));
        let strides = strides.chain(inputs.iter().map(|plugin| (plugin, INPUT_MAP)));
        let strides = strides.filter_map(|(plugin, map)| plugin.stride(map));
        Self {
            filter: agreed(filters.iter().map(|plugin| Structure {
                size: plugin.size,
                as_expected: plugin.has_name(FILTER_NAME)
                    && plugin.has_callback(FILTER_INIT)
                    && plugin.has_callback(FILTER_FILTER),
            })),
            input: agreed(inputs.iter().map(|plugin| Structure {
                size: plugin.size,
                as_expected: plugin.has_name(INPUT_NAME) && plugin.has_callback(INPUT_INIT),
            })),
            stride: most_frequent(strides),
        }
    }

    /// Bytes from one option of the program's tables to the next; those of the newest version where they could not be measured.
    pub fn stride(&self) -> usize {
        self.stride.unwrap_or(STRIDES[1])
    }

    /// Whether a filter can run in the program.
    pub fn fits_filter(&self) -> Fit {
        if let Some(Structure { size, .. }) = self.filter
            && size <= FILTER_SIZE_TOO_OLD
        {
            return Fit::Impossible(format!(
                "this Fluent Bit is too old (its filter plugins are structures of {size} bytes, as before 2.2); bellwether works \
                 with {TESTED}"
            ));
        }
        self.fits(self.filter, &FILTER_SIZES)
    }

    /// Whether an input can run in the program.
    pub fn fits_input(&self) -> Fit {
        match self.fits_filter() {
            Fit::Known => self.fits(self.input, &INPUT_SIZES),
            otherwise => otherwise,
        }
    }

    fn fits(&self, structure: Option<Structure>, sizes: &[usize]) -> Fit {
        if structure.is_some_and(|s| s.as_expected && sizes.contains(&s.size))
            && self.stride.is_some_and(|stride| STRIDES.contains(&stride))
        {
            return Fit::Known;
        }
        let why = format!(
            "the plugin interface of this program is not one that bellwether knows ({self}; tested with Fluent Bit {TESTED})"
        );
        if structure.is_some_and(|s| !s.as_expected) {
            Fit::Impossible(format!("{why}; bellwether needs a newer version"))
        } else {
            Fit::Unknown(why)
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |size: Option<usize>| {
            size.map_or_else(|| "an unknown number of".into(), |size| size.to_string())
        };
        write!(
            f,
            "filters have {} bytes, inputs {}, options {}",
            shown(self.filter.map(|s| s.size)),
            shown(self.input.map(|s| s.size)),
            shown(self.stride)
        )
    }
}

/// What all say, where they say the same.
fn agreed<T: PartialEq>(mut said: impl Iterator<Item = T>) -> Option<T> {
    let first = said.next()?;
    said.all(|other| other == first).then_some(first)
}

/// What more than half say: behind a table of a single option, the next one is another table's.
fn most_frequent(said: impl Iterator<Item = usize>) -> Option<usize> {
    let mut said: Vec<usize> = said.collect();
    said.sort_unstable();
    let middle = *said.get(said.len() / 2)?;
    let times = said.iter().filter(|&&other| other == middle).count();
    (2 * times > said.len()).then_some(middle)
}

/// Where the fields are, in bytes: of `struct flb_filter_plugin` 2.2 to 5.1, `struct flb_input_plugin` 2.0 to 5.1, and
/// `struct flb_config_map` of all.
const FILTER_NAME: usize = 8;
const FILTER_MAP: usize = 24;
const FILTER_INIT: usize = 40;
const FILTER_FILTER: usize = 48;
const INPUT_NAME: usize = 24;
const INPUT_MAP: usize = 40;
const INPUT_INIT: usize = 48;
const OPTION_NAME: usize = 8;

/// A registration structure of the program's.
#[derive(Debug)]
struct Registered {
    start: *const u8,
    size: usize,
    name: &'static CStr,
    /// Where the object is loaded that it is in.
    object: *const c_void,
}

impl Registered {
    fn find(&(variable, name): &Known) -> Option<Self> {
        let start = symbol(variable)?;
        let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
        let mut entry: *mut c_void = std::ptr::null_mut();
        // SAFETY: both are places for what the call gives; `Dl_info` may be all zeros.
        let info = unsafe {
            if dladdr1(start, info.as_mut_ptr(), &mut entry, DL_SYMENT) == 0 {
                return None;
            }
            info.assume_init()
        };
        // SAFETY: where it is not NULL it points to an entry of the object's symbol table.
        let entry = unsafe { entry.cast::<libc::Elf64_Sym>().as_ref()? };
        let plugin = Self {
            start: start.cast_const().cast(),
            size: usize::try_from(entry.st_size).ok()?,
            name,
            object: info.dli_fbase,
        };
        // Smaller than any version's: not what it is taken for.
        (info.dli_saddr == start && plugin.size > INPUT_INIT).then_some(plugin)
    }

    /// The pointer `offset` bytes into the structure; NULL beyond its end.
    fn pointer(&self, offset: usize) -> *const u8 {
        if offset + size_of::<*const u8>() > self.size {
            return std::ptr::null();
        }
        // SAFETY: it lies within the structure, which is aligned as pointers are.
        unsafe { self.start.add(offset).cast::<*const u8>().read() }
    }

    /// Whether `address` lies in the object that the structure is in: all that a plugin of the program's own points to does.
    fn owns(&self, address: *const u8) -> bool {
        let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
        // SAFETY: it is a place for what the call gives, which may be all zeros.
        !address.is_null()
            && unsafe {
                libc::dladdr(address.cast(), info.as_mut_ptr()) != 0
                    && info.assume_init().dli_fbase.cast_const() == self.object
            }
    }

    /// Whether the field at `offset` is the plugin's name.
    fn has_name(&self, offset: usize) -> bool {
        let name = self.pointer(offset);
        let wanted = self.name.to_bytes_with_nul();
        // SAFETY: the bytes are the program's, and none behind a difference, such as the end of a shorter name, is read.
        self.owns(name)
            && wanted
                .iter()
                .enumerate()
                .all(|(i, byte)| unsafe { *name.add(i) } == *byte)
    }

    /// Whether the field at `offset` points into the program, as a callback does.
    fn has_callback(&self, offset: usize) -> bool {
        self.owns(self.pointer(offset))
    }

    /// The distance between the first two options of the table that the field at `map` points to.
    fn stride(&self, map: usize) -> Option<usize> {
        let table = self.pointer(map);
        if !self.is_option(table) {
            return None;
        }
        STRIDE_RANGE
            .step_by(size_of::<usize>())
            // SAFETY: only the address is computed here; the table is followed by more of the program's data.
            .find(|stride| self.is_option(unsafe { table.add(*stride) }))
    }

    /// Whether `entry` looks like an option: a small number, then a name.
    fn is_option(&self, entry: *const u8) -> bool {
        if !self.owns(entry) || !self.owns(entry.wrapping_add(OPTION_NAME + 7)) {
            return false;
        }
        // SAFETY: these bytes are the program's, and tables are aligned as pointers are.
        let (kind, name) = unsafe {
            (
                entry.cast::<u64>().read(),
                entry.add(OPTION_NAME).cast::<*const u8>().read(),
            )
        };
        kind < 256 && self.owns(name) && is_name(name)
    }
}

/// Whether the text is the name of an option: letters, digits, `_`, `.` and `-`, ended within 64 bytes.
fn is_name(text: *const u8) -> bool {
    for i in 0..64 {
        // SAFETY: `text` points into the program, whose texts end; what is no letter ends the reading.
        match unsafe { *text.add(i) } {
            0 => return i > 0,
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'.' | b'-' => {}
            _ => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(filter: usize, input: usize, stride: usize) -> Layout {
        let structure = |size| Structure {
            size,
            as_expected: true,
        };
        Layout {
            filter: Some(structure(filter)),
            input: Some(structure(input)),
            stride: Some(stride),
        }
    }

    #[test]
    fn the_layouts_of_the_tested_versions_are_known() {
        for (filter, input, stride) in [
            (80, 152, 96),
            (88, 160, 96),
            (88, 208, 96),
            (88, 208, 104),
            (88, 232, 104),
        ] {
            let layout = layout(filter, input, stride);
            assert_eq!(
                (layout.fits_filter(), layout.fits_input()),
                (Fit::Known, Fit::Known)
            );
            assert_eq!(layout.stride(), stride);
        }
    }

    #[test]
    fn an_older_version_is_impossible_and_a_newer_one_unknown() {
        let too_old = layout(72, 152, 96);
        for fit in [too_old.fits_filter(), too_old.fits_input()] {
            assert!(
                matches!(&fit, Fit::Impossible(why) if why.contains("too old")),
                "{fit:?}"
            );
        }
        for newer in [
            layout(96, 232, 104),
            layout(88, 232, 112),
            Layout {
                filter: None,
                ..layout(88, 232, 104)
            },
            Layout {
                stride: None,
                ..layout(88, 232, 104)
            },
        ] {
            let fit = newer.fits_filter();
            assert!(
                matches!(&fit, Fit::Unknown(why) if why.contains("2.2 to 5.1")),
                "{newer:?} {fit:?}"
            );
            assert_eq!(newer.fits_input(), fit);
        }
        let input = layout(88, 240, 104);
        assert_eq!(input.fits_filter(), Fit::Known);
        assert!(matches!(input.fits_input(), Fit::Unknown(_)));
    }

    #[test]
    fn a_stride_is_what_most_tables_say() {
        let most = |said: &[usize]| most_frequent(said.iter().copied());
        assert_eq!(most(&[104, 312, 104]), Some(104));
        assert_eq!(most(&[96]), Some(96));
        assert_eq!(most(&[96, 104]), None);
        assert_eq!(most(&[]), None);
    }

    #[test]
    fn a_structure_whose_fields_are_elsewhere_is_impossible_to_use() {
        let mut layout = layout(88, 232, 104);
        layout.filter.as_mut().unwrap().as_expected = false;
        assert!(matches!(layout.fits_filter(), Fit::Impossible(_)));
    }

    #[test]
    fn a_program_without_plugins_says_nothing_of_its_layout() {
        assert_eq!(*Layout::of_program(), Layout::default());
        assert_eq!(
            Layout::default().to_string(),
            "filters have an unknown number of bytes, inputs an unknown number of, options an unknown number of"
        );
    }
}
