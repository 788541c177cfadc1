//! The C ABI: any calls in any order that its header allows, on detectors of any kind, with NULL, odd strings, wrong sizes and huge
//! numbers. No call gives `BW_PANIC`, every refusal has its reason, and under the address sanitizer no byte is touched that is not
//! there.
#![no_main]

use std::ffi::c_char;
use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr;

use arbitrary::Arbitrary;
use bellwether::*;
use bellwether_core::inference::{Family, Lexicon};
use bellwether_core::lad::{LadOptions, Record, Seeds, SharedInference, Source};
use bellwether_core::units::Time;
use bellwether_fuzz::line::Line;
use bellwether_fuzz::number::Number;
use bellwether_fuzz::state::Folder;
use libfuzzer_sys::fuzz_target;

/// A string as C may pass it.
#[derive(Arbitrary, Debug)]
enum Text<'a> {
    Null(usize),
    Usual(u8),
    Bytes(&'a [u8]),
    Line(Line<'a>),
    /// More bytes than there is memory.
    TooLong(u8),
}

const USUAL: [&str; 16] = [
    "cpu",
    "host-1",
    "host-2",
    "vm-1",
    "vm-2",
    "vm-3",
    "algorithm",
    "zscore",
    "rank",
    "mode",
    "paper",
    "metrics",
    "max_vms",
    "2",
    "event",
    "score",
];

impl Text<'_> {
    /// Calls `work` with pointer and length.
    fn with<T>(&self, work: impl FnOnce(*const c_char, usize) -> T) -> T {
        let given = |bytes: &[u8], work: Box<dyn FnOnce(*const c_char, usize) -> T + '_>| {
            // On the heap and no longer than it says, so that the sanitizer sees who reads on.
            let bytes: Box<[u8]> = bytes.into();
            work(bytes.as_ptr().cast(), bytes.len())
        };
        match self {
            Self::Null(length) => work(ptr::null(), *length),
            Self::Usual(n) => {
                let text = USUAL[usize::from(*n) % USUAL.len()];
                given(text.as_bytes(), Box::new(work))
            }
            Self::Bytes(bytes) => given(bytes, Box::new(work)),
            Self::Line(line) => given(line.text().as_bytes(), Box::new(work)),
            Self::TooLong(n) => work(c"x".as_ptr(), isize::MAX as usize + 1 + usize::from(*n)),
        }
    }

    /// Calls `work` with the path of a file in `folder`.
    fn with_path<T>(&self, folder: &Folder, work: impl FnOnce(*const c_char, usize) -> T) -> T {
        let Self::Bytes(name) = self else {
            if let Self::Usual(_) | Self::Line(_) = self {
                let path = folder.path();
                let bytes = path.as_os_str().as_encoded_bytes();
                return work(bytes.as_ptr().cast(), bytes.len());
            }
            return self.with(work);
        };
        if name.is_empty() {
            return work(c"".as_ptr(), 0);
        }
        let mut bytes = folder.path().into_os_string().into_encoded_bytes();
        if name[0] == b'/' {
            // In a folder that may be missing; the name of the file is neither "." nor "..".
            bytes.extend(b"/_");
        }
        bytes.extend(name.iter().filter(|&&byte| byte != b'/').take(40));
        work(bytes.as_ptr().cast(), bytes.len())
    }

    /// Calls `work` with it as a field of a struct.
    fn with_string<T>(&self, work: impl FnOnce(bw_string) -> T) -> T {
        self.with(|data, size| work(bw_string { data, size }))
    }
}

/// The field `size` of a struct.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Size {
    Right,
    Less(u8),
    /// A struct of a later version, which has more fields.
    More(u8),
    NoStruct,
}

impl Size {
    fn of<T>(self) -> usize {
        match self {
            Self::Less(n) => usize::from(n) % size_of::<T>(),
            Self::More(n) => size_of::<T>() + usize::from(n),
            _ => size_of::<T>(),
        }
    }

    /// Whether a struct of this size has all fields.
    fn is_whole(self) -> bool {
        matches!(self, Self::Right | Self::More(_))
    }

    /// Calls `work` with a struct of which `size` says how large it is, or with NULL. There is no byte more than it says, so that
    /// the sanitizer sees who touches it.
    fn with<T>(self, value: T, work: impl FnOnce(*mut T)) {
        if let Self::NoStruct = self {
            return work(ptr::null_mut());
        }
        let size = self.of::<T>();
        let known = size.min(size_of::<T>());
        let mut given = vec![0_u64; size.max(size_of::<usize>()).div_ceil(8)];
        // SAFETY: every struct of the header begins with its size, and both have the bytes that are copied.
        unsafe {
            ptr::copy_nonoverlapping(
                (&raw const value).cast::<u8>(),
                given.as_mut_ptr().cast(),
                known,
            );
            given.as_mut_ptr().cast::<usize>().write(size);
        }
        work(given.as_mut_ptr().cast());
    }
}

/// A struct of the header that the library fills.
fn zeroed<T>() -> T {
    // SAFETY: they have numbers, pointers, flags and enums that have a zero.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

#[derive(Arbitrary, Debug)]
enum Call<'a> {
    OptionsNew(Kind<'a>),
    OptionsFree(u8),
    OptionsSet(u8, Text<'a>, Text<'a>),
    /// The option, from all there are, and its value.
    OptionsSetKnown(u8, u8, Text<'a>),
    OptionsDescribe(u8, usize, Size),
    New(u8),
    Free(u8),
    Advance(u8, Number),
    Save(u8, Text<'a>),
    Load(u8, Text<'a>),
    LoadBytes(u8, Text<'a>),
    SaveBytes(u8),
    SnapshotWrite(u8, Text<'a>),
    SnapshotCopy(u8, usize, u8),
    SnapshotFree(u8),
    /// The detector that is to save there afterwards, and whether it matters how.
    StatePrepare(u8, Text<'a>, bool),
    Counter(u8, usize, [bool; 2]),
    NextEvent(u8),
    Observe(u8, Observation<'a>),
    AdvanceHypervisor(u8, Text<'a>, Number),
    NextNotice(u8, bool),
    Mask(u8, Text<'a>, Text<'a>, u8),
    Statuses(u8, usize, Size),
    Feedback(u8, Text<'a>, u8, u32),
    LadTemplate(u8, Text<'a>, u8),
    NextQuestion(u8),
    QuestionDescribe(u8, Size),
    QuestionBenign(u8, usize),
    QuestionFree(u8),
    Answer(u8, Asked, u8, FamilyName<'a>),
    FeedbackByText(u8, TextFeedback<'a>),
    OptionsSetSeeds(u8, SeedsFile<'a>),
    DrainTemplate(u8, u8),
    Parameters(u8, Text<'a>, u8, u8),
    EventField(u8, u8, Size),
    EventFind(u8, Text<'a>, Size),
    EventFree(u8),
    HadBatch(u8, Batch<'a>),
    LadBatch(u8, Batch<'a>),
}

/// The name of a kind of detector.
#[derive(Arbitrary, Debug)]
enum Kind<'a> {
    Known(Known),
    Any(Text<'a>),
}

#[derive(Arbitrary, Debug, Clone, Copy, PartialEq)]
enum Known {
    Had,
    Lad,
    Drain,
}

impl Kind<'_> {
    /// Calls `work` with pointer and length.
    fn with<T>(&self, work: impl FnOnce(*const c_char, usize) -> T) -> T {
        match self {
            Self::Known(Known::Had) => work(c"had".as_ptr(), 3),
            Self::Known(Known::Lad) => work(c"lad".as_ptr(), 3),
            Self::Known(Known::Drain) => work(c"drain".as_ptr(), 5),
            Self::Any(text) => text.with(work),
        }
    }
}

/// The question that is answered.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Asked {
    /// One that was fetched.
    Fetched(u8),
    Any(u64),
}

/// The name of a family.
#[derive(Arbitrary, Debug)]
enum FamilyName<'a> {
    Known(u8),
    Any(Text<'a>),
}

impl FamilyName<'_> {
    /// Calls `work` with pointer and length.
    fn with<T>(&self, work: impl FnOnce(*const c_char, usize) -> T) -> T {
        match self {
            Self::Known(n) => {
                let name = Family::ALL[usize::from(*n) % Family::ALL.len()].as_str();
                work(name.as_ptr().cast(), name.len())
            }
            Self::Any(text) => text.with(work),
        }
    }
}

/// Feedback on a template by its text.
#[derive(Arbitrary, Debug)]
struct TextFeedback<'a> {
    stream: Text<'a>,
    template: Template<'a>,
    family: FamilyName<'a>,
    verdict: u8,
    size: Size,
    /// Whether the caller wants to know to how many templates it applied.
    wanted: bool,
}

/// A template.
#[derive(Arbitrary, Debug)]
enum Template<'a> {
    OfQuestion(u8),
    Any(Text<'a>),
}

/// A file for the option `seeds`.
#[derive(Arbitrary, Debug)]
enum SeedsFile<'a> {
    None,
    Right,
    Bytes(&'a [u8]),
}

/// What a detector is given, by the functions of one kind, which need not be its own.
#[derive(Arbitrary, Debug)]
struct Observation<'a> {
    kind: Known,
    names: [Text<'a>; 3],
    numbers: [Number; 3],
    priority: (u8, u32),
    size: Size,
    result: Size,
    /// How often, one after the other.
    count: u8,
}

/// Arrays of a batch.
#[derive(Arbitrary, Debug)]
struct Batch<'a> {
    size: Size,
    text: Text<'a>,
    entries: Vec<Entry>,
    /// More entries than there are: then no array is given.
    count: Option<usize>,
    /// Which arrays are there, by their place in the struct.
    given: u16,
    /// Which of them is not aligned.
    crooked: u8,
}

#[derive(Arbitrary, Debug)]
struct Entry {
    /// Start and length of each string.
    spans: [(u8, u8); 5],
    huge: bool,
    numbers: [Number; 3],
    priority: u8,
}

impl Batch<'_> {
    /// How many entries the struct says that there are.
    fn count(&self) -> usize {
        self.count.unwrap_or(self.entries.len())
    }

    fn spans(&self, which: usize) -> Vec<bw_span> {
        let span = |entry: &Entry| {
            let (start, size) = entry.spans[which];
            bw_span {
                start: if entry.huge { u32::MAX } else { start.into() },
                size: size.into(),
            }
        };
        self.entries.iter().map(span).collect()
    }

    fn numbers(&self, which: usize) -> Vec<f64> {
        self.entries
            .iter()
            .map(|e| e.numbers[which].get())
            .collect()
    }

    /// An array as the struct has it: NULL, not aligned, or right.
    fn place<T>(&self, array: &[T], which: u8) -> *mut T {
        if self.count.is_some() || self.given >> which & 1 == 0 {
            return ptr::null_mut();
        }
        let start = array.as_ptr().cast_mut();
        match self.crooked == which && align_of::<T>() > 1 {
            true => start.cast::<u8>().wrapping_add(1).cast(),
            false => start,
        }
    }
}

#[derive(Arbitrary, Debug)]
struct Step<'a> {
    /// Whether the call is asked for its error.
    asked: bool,
    call: Call<'a>,
}

/// Handles of one type.
struct Handles<T> {
    own: Vec<*mut T>,
    /// One that is there for all inputs and never freed, or NULL.
    lent: *mut T,
}

impl<T> Handles<T> {
    fn new(lent: *mut T) -> Self {
        Self {
            own: Vec::new(),
            lent,
        }
    }

    /// One of them, or NULL.
    fn get(&self, which: u8) -> *mut T {
        let at = usize::from(which) % (self.own.len() + 2);
        match self.own.get(at) {
            Some(handle) => *handle,
            None if at == self.own.len() => self.lent,
            None => ptr::null_mut(),
        }
    }

    /// One of them, which is here no more, or NULL.
    fn take(&mut self, which: u8) -> *mut T {
        let at = usize::from(which) % (self.own.len() + 1);
        if at < self.own.len() {
            self.own.swap_remove(at)
        } else {
            ptr::null_mut()
        }
    }

    /// Keeps a new one, of which there are few; NULL is none.
    fn keep(&mut self, new: *mut T, free: unsafe extern "C" fn(*mut T)) {
        if !new.is_null() {
            self.own.push(new);
        }
        if self.own.len() > 6 {
            // SAFETY: it is ours and used no more.
            unsafe { free(self.own.remove(0)) };
        }
    }

    fn free(self, free: unsafe extern "C" fn(*mut T)) {
        for handle in self.own {
            // SAFETY: each is ours and used no more.
            unsafe { free(handle) };
        }
    }
}

/// Gives a call a place for its error, or none, and looks at what it said.
fn coded(asked: bool, call: impl FnOnce(*mut *mut bw_error) -> bw_result) -> bw_result {
    if !asked {
        let code = call(ptr::null_mut());
        assert_ne!(code, bw_result::BW_PANIC);
        return code;
    }
    // What was there before is neither read nor freed.
    let mut error = ptr::dangling_mut();
    let code = call(&mut error);
    assert_eq!(error.is_null(), code == bw_result::BW_OK);
    if !error.is_null() {
        // SAFETY: the call made the error, which is freed once, after its message was read.
        unsafe {
            let message = read(bw_error_message(error)).expect("there is a message");
            assert_eq!(bw_error_code(error), code);
            let option = read(bw_error_option(error));
            assert_eq!(option.is_some(), code == bw_result::BW_INVALID_OPTION);
            assert_ne!(code, bw_result::BW_PANIC, "{message}");
            assert!(!message.is_empty());
            bw_error_free(error);
        }
    }
    code
}

/// [`coded`] of a call that gives a handle.
fn made<T>(asked: bool, call: impl FnOnce(*mut *mut bw_error) -> *mut T) -> *mut T {
    let mut made = ptr::null_mut();
    if asked {
        coded(true, |error| {
            made = call(error);
            // SAFETY: the call has set it.
            unsafe { bw_error_code(*error) }
        });
    } else {
        made = call(ptr::null_mut());
    }
    made
}

/// A string that the library gave, if it gave one.
///
/// # Safety
/// It lives as long as it is used.
unsafe fn read<'a>(string: bw_string) -> Option<&'a str> {
    if string.data.is_null() {
        return None;
    }
    // SAFETY: passed on to the caller.
    let bytes = unsafe { std::slice::from_raw_parts(string.data.cast(), string.size) };
    Some(std::str::from_utf8(bytes).expect("libbellwether's strings are UTF-8"))
}

/// Options that need more memory or time than a fuzzer has, or a file of this machine.
fn is_left_alone(name: *const c_char, length: usize) -> bool {
    if name.is_null() || length > 64 {
        return false;
    }
    // SAFETY: it has this length.
    let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
    let name = String::from_utf8_lossy(name);
    ["lexicon", "seeds"].contains(&&*name)
        || ["window_", "drain_max", "max_"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// What an input can reach.
struct World {
    folder: Folder,
    options: Handles<bw_options>,
    detectors: Handles<bw_detector>,
    events: Handles<bw_event>,
    snapshots: Handles<bw_snapshot>,
    questions: Handles<bw_question>,
}

/// Whether detectors with these options take so long to make that it is to be rare: a lexicon is compiled for each.
///
/// # Safety
/// The options live.
unsafe fn are_of_lad(options: *const bw_options) -> bool {
    let mut info: bw_option_info = zeroed();
    info.size = size_of::<bw_option_info>();
    // SAFETY: passed on to the caller, and `info` has the size that it says.
    unsafe {
        (0..bw_options_count(options)).any(|index| {
            bw_options_describe(options, index, &mut info, ptr::null_mut());
            read(info.name) == Some("lexicon")
        })
    }
}

/// Makes a call.
///
/// # Safety
/// None to speak of: handles are those of the world, and what is passed has the sizes that it says.
unsafe fn call(world: &mut World, step: &Step) {
    let asked = step.asked;
    // SAFETY: handles are those of the world, strings and structs have the sizes that they say, and a string is read before
    // its handle is used again.
    unsafe {
        match &step.call {
            Call::OptionsNew(kind) => kind.with(|name, length| {
                let new = made(asked, |error| bw_options_new(name, length, error));
                world.options.keep(new, bw_options_free);
            }),
            Call::OptionsFree(which) => bw_options_free(world.options.take(*which)),
            Call::OptionsSet(which, name, value) => name.with(|name, name_len| {
                value.with(|value, value_len| {
                    if !is_left_alone(name, name_len) {
                        let options = world.options.get(*which);
                        coded(asked, |error| {
                            bw_options_set(options, name, name_len, value, value_len, error)
                        });
                    }
                });
            }),
            Call::OptionsSetKnown(which, option, value) => {
                let options = world.options.get(*which);
                let mut info: bw_option_info = zeroed();
                info.size = size_of::<bw_option_info>();
                let count = bw_options_count(options);
                if count == 0 {
                    return;
                }
                bw_options_describe(
                    options,
                    usize::from(*option) % count,
                    &mut info,
                    ptr::null_mut(),
                );
                let (name, name_len) = (info.name.data, info.name.size);
                value.with(|value, value_len| {
                    if !is_left_alone(name, name_len) {
                        coded(asked, |error| {
                            bw_options_set(options, name, name_len, value, value_len, error)
                        });
                    }
                });
            }
            Call::OptionsDescribe(which, index, size) => {
                let options = world.options.get(*which);
                size.with(zeroed::<bw_option_info>(), |info| {
                    let code = coded(asked, |error| {
                        bw_options_describe(options, *index, info, error)
                    });
                    if code == bw_result::BW_OK && size.is_whole() {
                        assert!(read((*info).name).is_some() && read((*info).aliases).is_some());
                    }
                });
            }
            Call::New(which) => {
                let options = world.options.get(*which);
                if are_of_lad(options) && *which < 240 {
                    return;
                }
                let new = made(asked, |error| bw_detector_new(options, error));
                world.detectors.keep(new, bw_detector_free);
            }
            Call::Free(which) => bw_detector_free(world.detectors.take(*which)),
            Call::Advance(which, time) => {
                let detector = world.detectors.get(*which);
                coded(asked, |error| {
                    bw_detector_advance(detector, time.get(), error)
                });
            }
            Call::Save(which, path) => {
                let detector = world.detectors.get(*which);
                path.with_path(&world.folder, |path, length| {
                    coded(asked, |error| {
                        bw_detector_save(detector, path, length, error)
                    });
                });
            }
            Call::Load(which, path) => {
                let detector = world.detectors.get(*which);
                path.with_path(&world.folder, |path, length| {
                    coded(asked, |error| {
                        bw_detector_load(detector, path, length, error)
                    });
                });
            }
            Call::LoadBytes(which, bytes) => {
                let detector = world.detectors.get(*which);
                bytes.with(|bytes, length| {
                    coded(asked, |error| {
                        bw_detector_load_bytes(detector, bytes.cast(), length, error)
                    });
                });
            }
            Call::SaveBytes(which) => {
                let detector = world.detectors.get(*which);
                let snapshot = made(asked, |error| bw_detector_save_bytes(detector, error));
                if !snapshot.is_null() {
                    let [written, saved] = ["written", "saved"].map(|name| {
                        let path = world.folder.path().with_extension(name);
                        with_file(&path, |path, length| {
                            coded(asked, |error| match name {
                                "written" => bw_snapshot_write(snapshot, path, length, error),
                                _ => bw_detector_save(detector, path, length, error),
                            })
                        })
                    });
                    assert!(written == saved, "a snapshot is what would be saved");
                    let mut bytes = vec![0; bw_snapshot_size(snapshot)];
                    let copied = bw_snapshot_copy(snapshot, 0, bytes.as_mut_ptr(), bytes.len());
                    assert!(copied == bytes.len() && bytes == written);
                    let code = coded(asked, |error| {
                        bw_detector_load_bytes(detector, bytes.as_ptr(), bytes.len(), error)
                    });
                    assert_eq!(code, bw_result::BW_OK);
                }
                world.snapshots.keep(snapshot, bw_snapshot_free);
            }
            Call::SnapshotWrite(which, path) => {
                let snapshot = world.snapshots.get(*which);
                path.with_path(&world.folder, |path, length| {
                    coded(asked, |error| {
                        bw_snapshot_write(snapshot, path, length, error)
                    })
                });
            }
            Call::SnapshotCopy(which, offset, size) => {
                let snapshot = world.snapshots.get(*which);
                let mut bytes = vec![0_u8; (*size).into()];
                let copied = bw_snapshot_copy(snapshot, *offset, bytes.as_mut_ptr(), bytes.len());
                let rest = bw_snapshot_size(snapshot).saturating_sub(*offset);
                assert_eq!(copied, rest.min(bytes.len()));
            }
            Call::SnapshotFree(which) => bw_snapshot_free(world.snapshots.take(*which)),
            Call::StatePrepare(which, path, wanted) => {
                let detector = world.detectors.get(*which);
                path.with_path(&world.folder, |path, length| {
                    let mut in_place = true;
                    let place = match wanted {
                        true => &raw mut in_place,
                        false => ptr::null_mut(),
                    };
                    let code = coded(asked, |error| bw_state_prepare(path, length, place, error));
                    if code != bw_result::BW_OK {
                        return;
                    }
                    assert!(!(in_place && *wanted), "nothing is mounted here");
                    let saved = coded(asked, |error| {
                        bw_detector_save(detector, path, length, error)
                    });
                    // NULL is not saved.
                    let refused = saved == bw_result::BW_INVALID_ARGUMENT;
                    assert!(saved == bw_result::BW_OK || refused, "{saved:?}");
                });
            }
            Call::Counter(which, index, wanted) => {
                let detector = world.detectors.get(*which);
                let (mut name, mut value) = (zeroed(), 0);
                let name_place = if wanted[0] {
                    &raw mut name
                } else {
                    ptr::null_mut()
                };
                let value_place = if wanted[1] {
                    &raw mut value
                } else {
                    ptr::null_mut()
                };
                for index in (0..20).chain([*index]) {
                    let found = bw_detector_counter(detector, index, name_place, value_place);
                    assert!(!(found && wanted[0]) || read(name).is_some());
                }
            }
            Call::NextEvent(which) => {
                let event = bw_detector_next_event(world.detectors.get(*which));
                if !event.is_null() {
                    read(bw_event_json(event));
                }
                world.events.keep(event, bw_event_free);
            }
            Call::Observe(which, observation) => {
                observe(world.detectors.get(*which), observation, asked);
            }
            Call::AdvanceHypervisor(which, hypervisor, time) => {
                let detector = world.detectors.get(*which);
                hypervisor.with(|name, length| {
                    coded(asked, |error| {
                        bw_had_advance_hypervisor(detector, name, length, time.get(), error)
                    });
                });
            }
            Call::NextNotice(which, wanted) => {
                let mut kind = bw_had_notice::BW_HAD_NOTICE_UNJUDGED;
                let place = if *wanted {
                    &raw mut kind
                } else {
                    ptr::null_mut()
                };
                let notice = bw_had_next_notice(world.detectors.get(*which), place);
                assert_ne!(read(notice), Some(""));
            }
            Call::Mask(which, hypervisor, vm, masked) => {
                let detector = world.detectors.get(*which);
                hypervisor.with(|h, h_len| {
                    vm.with(|v, v_len| {
                        coded(asked, |error| {
                            bw_had_mask(detector, h, h_len, v, v_len, *masked, error)
                        })
                    })
                });
            }
            Call::Statuses(which, index, size) => {
                let detector = world.detectors.get(*which);
                let count = bw_had_status_count(detector);
                for index in (0..count).chain([*index]) {
                    size.with(zeroed::<bw_had_status>(), |status| {
                        let code = coded(asked, |error| {
                            bw_had_status_at(detector, index, status, error)
                        });
                        if code == bw_result::BW_OK && size.is_whole() {
                            assert!(read((*status).hypervisor).is_some());
                            assert!(read((*status).metric).is_some());
                            assert!((0.0..=1.0).contains(&(*status).score));
                        }
                    });
                }
            }
            Call::Feedback(which, stream, id, verdict) => {
                let detector = world.detectors.get(*which);
                stream.with(|stream, length| {
                    coded(asked, |error| {
                        bw_lad_feedback(detector, stream, length, (*id).into(), *verdict, error)
                    })
                });
            }
            Call::LadTemplate(which, stream, id) => stream.with(|stream, length| {
                let detector = world.detectors.get(*which);
                read(bw_lad_template(detector, stream, length, (*id).into()));
            }),
            Call::NextQuestion(which) => {
                let question = bw_lad_next_question(world.detectors.get(*which));
                if !question.is_null() {
                    let asked_of = described(question);
                    assert!((1..=300).contains(&asked_of.template_text.size));
                    assert!(
                        asked_of.id > 0 && asked_of.template_id > 0 && asked_of.benign_count <= 8
                    );
                }
                world.questions.keep(question, bw_question_free);
            }
            Call::QuestionDescribe(which, size) => {
                let question = world.questions.get(*which);
                size.with(zeroed::<bw_question_info>(), |info| {
                    let code = coded(asked, |error| bw_question_describe(question, info, error));
                    if code == bw_result::BW_OK && size.is_whole() {
                        let texts = [(*info).stream, (*info).template_text, (*info).program];
                        assert!(texts.into_iter().all(|text| read(text).is_some()));
                    }
                });
            }
            Call::QuestionBenign(which, index) => {
                let question = world.questions.get(*which);
                let count = match question.is_null() {
                    true => 0,
                    false => described(question).benign_count,
                };
                for index in (0..count).chain([*index]) {
                    let template = read(bw_question_benign(question, index));
                    assert_eq!(template.is_some(), index < count);
                }
            }
            Call::QuestionFree(which) => bw_question_free(world.questions.take(*which)),
            Call::Answer(which, question, verdict, family) => {
                let detector = world.detectors.get(*which);
                let id = match question {
                    Asked::Fetched(which) => match world.questions.get(*which) {
                        question if question.is_null() => 0,
                        question => described(question).id,
                    },
                    Asked::Any(id) => *id,
                };
                // Answered twice, the second time in vain.
                for again in [false, true] {
                    let code = family.with(|name, length| {
                        coded(asked, |error| {
                            bw_lad_answer(detector, id, (*verdict).into(), name, length, error)
                        })
                    });
                    assert!(!(again && code == bw_result::BW_OK));
                }
            }
            Call::FeedbackByText(which, feedback) => {
                let detector = world.detectors.get(*which);
                let question = match &feedback.template {
                    Template::OfQuestion(which) => world.questions.get(*which),
                    Template::Any(_) => ptr::null_mut(),
                };
                let with_template = |work: &mut dyn FnMut(bw_string)| match &feedback.template {
                    Template::Any(text) => text.with_string(work),
                    Template::OfQuestion(_) if question.is_null() => work(zeroed()),
                    Template::OfQuestion(_) => work(described(question).template_text),
                };
                with_template(&mut |template_text| {
                    text_feedback(detector, feedback, template_text, asked);
                });
            }
            Call::OptionsSetSeeds(which, file) => {
                let options = world.options.get(*which);
                let path = world.folder.path().with_extension("seeds");
                let path = match file {
                    SeedsFile::None => String::new(),
                    SeedsFile::Right | SeedsFile::Bytes(_) => path.display().to_string(),
                };
                match file {
                    SeedsFile::None => {}
                    SeedsFile::Right => seeds().save(path.as_ref()).expect("a temporary file"),
                    SeedsFile::Bytes(bytes) => fs::write(&path, bytes).expect("a temporary file"),
                }
                coded(asked, |error| {
                    let (name, value) = (c"seeds".as_ptr(), path.as_ptr().cast());
                    bw_options_set(options, name, 5, value, path.len(), error)
                });
            }
            Call::DrainTemplate(which, id) => {
                read(bw_drain_template(world.detectors.get(*which), (*id).into()));
            }
            Call::Parameters(which, line, id, index) => {
                let detector = world.detectors.get(*which);
                let count = line.with(|line, length| {
                    bw_drain_parameter_count(detector, (*id).into(), line, length)
                });
                for index in (0..count).chain([(*index).into()]) {
                    let value = read(bw_drain_parameter(detector, index));
                    assert_eq!(value.is_none(), index >= count);
                }
            }
            Call::EventField(which, index, size) => {
                let event = world.events.get(*which);
                let index = usize::from(*index) % (bw_event_field_count(event) + 2);
                size.with(zeroed::<bw_field>(), |field| {
                    let code = coded(asked, |error| bw_event_field(event, index, field, error));
                    if code == bw_result::BW_OK && size.is_whole() {
                        assert!(read((*field).key).is_some() && read((*field).text).is_some());
                    }
                });
            }
            Call::EventFind(which, key, size) => {
                let event = world.events.get(*which);
                key.with(|key, length| {
                    size.with(zeroed::<bw_field>(), |field| {
                        coded(asked, |error| {
                            bw_event_find(event, key, length, field, error)
                        });
                    });
                });
            }
            Call::EventFree(which) => bw_event_free(world.events.take(*which)),
            Call::HadBatch(which, batch) => had_batch(world.detectors.get(*which), batch, asked),
            Call::LadBatch(which, batch) => lad_batch(world.detectors.get(*which), batch, asked),
        }
    }
}

/// What a question is about.
///
/// # Safety
/// It lives.
unsafe fn described(question: *const bw_question) -> bw_question_info {
    let mut info: bw_question_info = zeroed();
    info.size = size_of::<bw_question_info>();
    // SAFETY: passed on to the caller, and `info` has the size that it says.
    let code = coded(true, |error| unsafe {
        bw_question_describe(question, &mut info, error)
    });
    assert_eq!(code, bw_result::BW_OK);
    info
}

/// A [`Call::FeedbackByText`].
fn text_feedback(
    detector: *mut bw_detector,
    given: &TextFeedback,
    template_text: bw_string,
    asked: bool,
) {
    given.stream.with_string(|stream| {
        given.family.with(|data, size| {
            let feedback = bw_lad_text_feedback {
                size: 0,
                stream,
                template_text,
                family: bw_string { data, size },
                verdict: given.verdict.into(),
            };
            given.size.with(feedback, |feedback| {
                let mut applied = usize::MAX;
                let place = match given.wanted {
                    true => &raw mut applied,
                    false => ptr::null_mut(),
                };
                // SAFETY: the detector is the world's, and strings and structs have the sizes that they say.
                let code = coded(asked, |error| unsafe {
                    bw_lad_feedback_by_text(detector, feedback, place, error)
                });
                let told = code == bw_result::BW_OK && given.wanted;
                assert_eq!(applied != usize::MAX, told);
            });
        });
    });
}

/// Benign templates of a fleet.
fn seeds() -> Seeds {
    let mut seeds = Seeds::new(&LadOptions::default()).expect("the defaults agree");
    let inference: SharedInference = Lexicon::builtin().clone();
    for text in [
        "session opened for user root",
        "link 7 is up after 12 tries",
    ] {
        seeds.learn(
            &inference,
            &Record {
                stream: "host-1",
                time: Time::from_secs(1.7e9),
                text,
                priority: None,
                source: Source::default(),
            },
        );
    }
    seeds
}

/// What `write` writes to the file `path`, which is removed.
fn with_file(path: &Path, write: impl FnOnce(*const c_char, usize) -> bw_result) -> Vec<u8> {
    let bytes = path.as_os_str().as_encoded_bytes();
    assert_eq!(write(bytes.as_ptr().cast(), bytes.len()), bw_result::BW_OK);
    let written = fs::read(path).expect("it was written");
    fs::remove_file(path).expect("it is no longer needed");
    written
}

/// A [`Call::Observe`].
fn observe(detector: *mut bw_detector, given: &Observation, asked: bool) {
    let Observation {
        kind,
        names,
        numbers,
        priority,
        size,
        result,
        count,
    } = given;
    let mut time = numbers[0].get();
    for n in 0..=*count {
        time += 10.0;
        names[0].with_string(|first| {
            names[1].with_string(|second| {
                names[2].with_string(|third| {
                    // SAFETY: the detector is the world's, strings and structs have the sizes that they say, and a string is read
                    // before the detector is used again.
                    unsafe {
                        match kind {
                            Known::Had => {
                                let mut outcome = bw_had_outcome::BW_HAD_OUTCOME_TAKEN;
                                let place = match result {
                                    Size::NoStruct => ptr::null_mut(),
                                    _ => &raw mut outcome,
                                };
                                let observation = bw_had_observation {
                                    size: 0,
                                    hypervisor: first,
                                    vm: second,
                                    metric: third,
                                    time,
                                    interval: numbers[1].get(),
                                    value: numbers[2].get() + f64::from(n % 5),
                                };
                                size.with(observation, |observation| {
                                    coded(asked, |error| {
                                        bw_had_observe(detector, observation, place, error)
                                    });
                                });
                            }
                            Known::Lad => {
                                let record = bw_lad_record {
                                    size: 0,
                                    stream: first,
                                    text: second,
                                    time,
                                    program: third,
                                    unit: first,
                                    tag: bw_string {
                                        data: ptr::null(),
                                        size: second.size,
                                    },
                                    priority: priority.1,
                                    has_priority: priority.0,
                                    transport: priority.1 % 5,
                                };
                                size.with(record, |record| {
                                    result.with(zeroed::<bw_lad_observed>(), |observed| {
                                        let code = coded(asked, |error| {
                                            bw_lad_observe(detector, record, observed, error)
                                        });
                                        if code == bw_result::BW_OK && result.is_whole() {
                                            read((*observed).template_text);
                                            read((*observed).family);
                                        }
                                    });
                                });
                            }
                            Known::Drain => result.with(zeroed::<bw_drain_added>(), |added| {
                                coded(asked, |error| {
                                    bw_drain_add(detector, second.data, second.size, added, error)
                                });
                            }),
                        }
                    }
                });
            });
        });
    }
}

/// Checks the results of a batch: how many were processed, and that the others are unchanged.
fn processed(code: bw_result, processed: usize, batch: &Batch) {
    if code == bw_result::BW_OK {
        assert!(processed <= batch.entries.len());
    } else {
        assert_eq!(processed, 0);
    }
}

/// A [`Call::HadBatch`].
fn had_batch(detector: *mut bw_detector, batch: &Batch, asked: bool) {
    let spans = [0, 1, 2].map(|which| batch.spans(which));
    let numbers = [0, 1, 2].map(|which| batch.numbers(which));
    let outcomes = vec![bw_had_outcome::BW_HAD_OUTCOME_TAKEN; batch.entries.len()];
    batch.text.with_string(|text| {
        let given = bw_had_batch {
            size: 0,
            count: batch.count(),
            text,
            hypervisors: batch.place(&spans[0], 0),
            vms: batch.place(&spans[1], 1),
            metrics: batch.place(&spans[2], 2),
            times: batch.place(&numbers[0], 3),
            intervals: batch.place(&numbers[1], 4),
            values: batch.place(&numbers[2], 5),
            outcomes: batch.place(&outcomes, 6),
        };
        batch.size.with(given, |given| {
            let mut done = 77;
            // SAFETY: the detector is the world's, and the arrays have as many elements as the struct says or are NULL.
            let code = coded(asked, |error| unsafe {
                bw_had_observe_many(detector, given, &mut done, error)
            });
            processed(code, done, batch);
        });
    });
}

/// A [`Call::LadBatch`].
fn lad_batch(detector: *mut bw_detector, batch: &Batch, asked: bool) {
    let spans = [0, 1, 2, 3, 4].map(|which| batch.spans(which));
    let times = batch.numbers(0);
    let priorities: Vec<u8> = batch.entries.iter().map(|entry| entry.priority).collect();
    // All known, but for the last.
    let transports: Vec<u8> = priorities.iter().map(|p| p % 4 + p / 252).collect();
    let outcomes = vec![bw_lad_outcome::BW_LAD_OUTCOME_TAKEN; batch.entries.len()];
    let (ids, numbers) = (vec![0_u64; outcomes.len()], vec![0.0; outcomes.len()]);
    let (more_numbers, flags) = (numbers.clone(), vec![0_u8; outcomes.len()]);
    batch.text.with_string(|text| {
        let given = bw_lad_batch {
            size: 0,
            count: batch.count(),
            text,
            streams: batch.place(&spans[0], 0),
            texts: batch.place(&spans[1], 1),
            times: batch.place(&times, 2),
            priorities: batch.place(&priorities, 3),
            programs: batch.place(&spans[2], 4),
            units: batch.place(&spans[3], 5),
            tags: batch.place(&spans[4], 6),
            outcomes: batch.place(&outcomes, 7),
            template_ids: batch.place(&ids, 8),
            severities: batch.place(&numbers, 9),
            scores: batch.place(&more_numbers, 10),
            flags: batch.place(&flags, 11),
            transports: batch.place(&transports, 12),
        };
        batch.size.with(given, |given| {
            let mut done = 77;
            // SAFETY: the detector is the world's, and the arrays have as many elements as the struct says or are NULL.
            let code = coded(asked, |error| unsafe {
                bw_lad_observe_many(detector, given, &mut done, error)
            });
            processed(code, done, batch);
        });
    });
}

/// A detector of that kind; one of logs soon has questions.
fn made_new(kind: Known) -> *mut bw_detector {
    Kind::Known(kind).with(|name, length| {
        // SAFETY: the names and values have their lengths, and the options are ours until they are freed.
        unsafe {
            let options = bw_options_new(name, length, ptr::null_mut());
            for (name, value) in [("questions", "4"), ("training", "4")] {
                let code = coded(false, |error| {
                    let (name_data, value_data) = (name.as_ptr().cast(), value.as_ptr().cast());
                    bw_options_set(
                        options,
                        name_data,
                        name.len(),
                        value_data,
                        value.len(),
                        error,
                    )
                });
                assert_eq!(code == bw_result::BW_OK, kind == Known::Lad);
            }
            let detector = bw_detector_new(options, ptr::null_mut());
            bw_options_free(options);
            detector
        }
    })
}

/// A detector of logs with questions: always the same one, which loads what it saved when it had learned a little.
fn usual_lad() -> *mut bw_detector {
    struct Usual(*mut bw_detector, Vec<u8>);
    thread_local!(static USUAL: Usual = {
        let lad = made_new(Known::Lad);
        (0..8).for_each(|n| say(lad, n, "session opened for user root"));
        // SAFETY: the detector and the snapshot are ours, and the buffer has its size.
        let bytes = unsafe {
            let snapshot = bw_detector_save_bytes(lad, ptr::null_mut());
            let mut bytes = vec![0; bw_snapshot_size(snapshot)];
            bw_snapshot_copy(snapshot, 0, bytes.as_mut_ptr(), bytes.len());
            bw_snapshot_free(snapshot);
            bytes
        };
        Usual(lad, bytes)
    });
    USUAL.with(|Usual(lad, bytes)| {
        // SAFETY: the handle is never freed, and there are that many bytes.
        let code = coded(true, |error| unsafe {
            bw_detector_load_bytes(*lad, bytes.as_ptr(), bytes.len(), error)
        });
        assert_eq!(code, bw_result::BW_OK);
        // Of templates that are new.
        say(*lad, 8, "link 7 is up after 12 tries");
        say(*lad, 9, "volume backup was moved elsewhere");
        *lad
    })
}

/// Gives the detector a record of host-1.
fn say(lad: *mut bw_detector, second: u8, text: &str) {
    let string = |text: &str| bw_string {
        data: text.as_ptr().cast(),
        size: text.len(),
    };
    let none = string("");
    let record = bw_lad_record {
        size: size_of::<bw_lad_record>(),
        stream: string("host-1"),
        text: string(text),
        time: 1.7e9 + f64::from(second),
        program: none,
        unit: none,
        tag: none,
        priority: 0,
        has_priority: 0,
        transport: 0,
    };
    // SAFETY: strings and the struct have the sizes that they say.
    let code = coded(true, |error| unsafe {
        bw_lad_observe(lad, &record, ptr::null_mut(), error)
    });
    assert_eq!(code, bw_result::BW_OK);
}

fuzz_target!(|steps: Vec<Step>| {
    let mut world = World {
        folder: Folder::new(),
        options: Handles::new(ptr::null_mut()),
        detectors: Handles::new(usual_lad()),
        events: Handles::new(ptr::null_mut()),
        snapshots: Handles::new(ptr::null_mut()),
        questions: Handles::new(ptr::null_mut()),
    };
    // Some of each, or most calls would be about NULL.
    for kind in [Known::Had, Known::Drain] {
        let detector = made_new(kind);
        world.detectors.keep(detector, bw_detector_free);
    }
    for kind in [Known::Had, Known::Lad, Known::Drain] {
        let step = Step {
            asked: true,
            call: Call::OptionsNew(Kind::Known(kind)),
        };
        // SAFETY: as the function says.
        unsafe { call(&mut world, &step) };
    }
    for step in &steps {
        // SAFETY: as the function says.
        unsafe { call(&mut world, step) };
    }
    world.options.free(bw_options_free);
    world.detectors.free(bw_detector_free);
    world.events.free(bw_event_free);
    world.snapshots.free(bw_snapshot_free);
    world.questions.free(bw_question_free);
});
