//! The C ABI: any calls in any order that its header allows, with NULL, odd strings, wrong sizes and huge numbers. No call
//! gives `BW_PANIC`, every refusal has its reason, and under the address sanitizer no byte is touched that is not there.
#![no_main]

use std::ffi::{CStr, c_char};
use std::fs;
use std::mem::MaybeUninit;
use std::path::Path;
use std::ptr;

use arbitrary::Arbitrary;
use bellwether::*;
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

/// A struct with its size, and room behind it.
#[repr(C)]
struct Sized<T> {
    value: T,
    _room: [u64; 32],
}

impl Size {
    fn of<T>(self) -> usize {
        match self {
            Self::Less(n) => usize::from(n) % size_of::<T>(),
            Self::More(n) => size_of::<T>() + usize::from(n),
            _ => size_of::<T>(),
        }
    }

    /// Calls `work` with a struct of which `size` says how large it is, or with NULL.
    fn with<T>(self, value: T, work: impl FnOnce(*mut T)) {
        let mut given = Box::new(Sized {
            value,
            _room: [0; 32],
        });
        // SAFETY: every struct of the header begins with its size.
        unsafe { (&raw mut given.value).cast::<usize>().write(self.of::<T>()) };
        work(match self {
            Self::NoStruct => ptr::null_mut(),
            _ => (&raw mut *given).cast(),
        });
    }
}

/// A struct of the header that the library fills.
fn zeroed<T>() -> T {
    // SAFETY: they have numbers, pointers, flags and enums that have a zero.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

#[derive(Arbitrary, Debug)]
enum Call<'a> {
    OptionsNew,
    OptionsFree(u8),
    OptionsSet(u8, Text<'a>, Text<'a>),
    /// The option, from all there are, and its value.
    OptionsSetKnown(u8, u8, Text<'a>),
    OptionDescribe(usize, Size),
    New(u8),
    Free(u8),
    Advance(u8, Number),
    Save(u8, Text<'a>),
    Load(u8, Text<'a>),
    Snapshot(u8),
    SnapshotWrite(u8, Text<'a>),
    SnapshotFree(u8),
    /// The detector that is to save there afterwards, and whether it matters how.
    StatePrepare(u8, Text<'a>, bool),
    Counters(u8, Size),
    NextEvent(u8),
    Observe {
        handle: u8,
        names: [Text<'a>; 3],
        numbers: [Number; 3],
        priority: [u32; 2],
        size: Size,
        result: Size,
        /// How often, one after the other.
        count: u8,
    },
    Mask(u8, Text<'a>, Text<'a>, bool),
    Statuses(u8, usize, Size),
    Feedback(u8, Text<'a>, u8, u32),
    Template(u8, Text<'a>, u8),
    Parameters(u8, Text<'a>, u8, u8),
    EventField(u8, u8, bool),
    EventText(u8, Text<'a>),
    EventNumber(u8, Text<'a>, bool),
    EventFree(u8),
}

/// One of the three families of functions, and a call.
#[derive(Arbitrary, Debug)]
struct Step<'a> {
    family: Family,
    /// Whether the call is asked for its error.
    asked: bool,
    call: Call<'a>,
}

#[derive(Arbitrary, Debug, Clone, Copy)]
enum Family {
    Had,
    Lad,
    Drain,
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
            let message = CStr::from_ptr(bw_error_message(error));
            let message = message.to_str().expect("a message is UTF-8");
            assert_eq!(bw_error_code(error), code);
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

/// A string that the library gave.
///
/// # Safety
/// It is NULL or lives.
unsafe fn read(text: *const c_char) {
    if !text.is_null() {
        // SAFETY: passed on to the caller.
        let text = unsafe { CStr::from_ptr(text) };
        text.to_str().expect("libbellwether's strings are UTF-8");
    }
}

/// Options that need more memory or time than a fuzzer has, or a file of this machine.
fn is_left_alone(name: *const c_char, length: usize) -> bool {
    if name.is_null() || length > 64 {
        return false;
    }
    // SAFETY: it has this length.
    let name = unsafe { std::slice::from_raw_parts(name.cast::<u8>(), length) };
    let name = String::from_utf8_lossy(name);
    name == "lexicon"
        || ["window_", "drain_max", "max_"]
            .iter()
            .any(|start| name.starts_with(start))
}

/// What an input can reach.
struct World {
    folder: Folder,
    had_options: Handles<bw_had_options>,
    had: Handles<bw_had>,
    lad_options: Handles<bw_lad_options>,
    lad: Handles<bw_lad>,
    drain_options: Handles<bw_drain_options>,
    drain: Handles<bw_drain>,
    events: Handles<bw_event>,
    snapshots: Handles<bw_snapshot>,
}

/// The function of a family, `bw_had_…`, `bw_lad_…` or `bw_drain_…`, called alike.
macro_rules! each {
    ($family:expr, $world:ident, |$options:ident, $handles:ident, $f:ident| $body:expr) => {
        match $family {
            Family::Had => {
                #[allow(unused)]
                let ($options, $handles) = (&mut $world.had_options, &mut $world.had);
                #[allow(unused)]
                use had as $f;
                $body
            }
            Family::Lad => {
                #[allow(unused)]
                let ($options, $handles) = (&mut $world.lad_options, &mut $world.lad);
                #[allow(unused)]
                use lad as $f;
                $body
            }
            Family::Drain => {
                #[allow(unused)]
                let ($options, $handles) = (&mut $world.drain_options, &mut $world.drain);
                #[allow(unused)]
                use drain as $f;
                $body
            }
        }
    };
}

mod had {
    pub use bellwether::{
        bw_had_free as free, bw_had_new as new, bw_had_option_count as option_count,
        bw_had_option_describe as option_describe, bw_had_options_free as options_free,
        bw_had_options_new as options_new, bw_had_options_set as options_set,
    };
}

mod lad {
    pub use bellwether::{
        bw_lad_free as free, bw_lad_new as new, bw_lad_option_count as option_count,
        bw_lad_option_describe as option_describe, bw_lad_options_free as options_free,
        bw_lad_options_new as options_new, bw_lad_options_set as options_set,
    };
}

mod drain {
    pub use bellwether::{
        bw_drain_free as free, bw_drain_new as new, bw_drain_option_count as option_count,
        bw_drain_option_describe as option_describe, bw_drain_options_free as options_free,
        bw_drain_options_new as options_new, bw_drain_options_set as options_set,
    };
}

/// Makes a call.
///
/// # Safety
/// None to speak of: handles are those of the world, and what is passed has the sizes that it says.
unsafe fn call(world: &mut World, step: &Step) {
    let (family, asked) = (step.family, step.asked);
    // SAFETY: handles are those of the world, strings and structs have the sizes that they say, and a string is read before
    // its handle is used again.
    unsafe {
        match &step.call {
            Call::OptionsNew => each!(family, world, |options, handles, f| {
                options.keep(f::options_new(), f::options_free);
            }),
            Call::OptionsFree(which) => each!(family, world, |options, handles, f| {
                f::options_free(options.take(*which));
            }),
            Call::OptionsSet(which, name, value) => each!(family, world, |options, handles, f| {
                name.with(|name, name_len| {
                    value.with(|value, value_len| {
                        if !is_left_alone(name, name_len) {
                            let options = options.get(*which);
                            coded(asked, |error| {
                                f::options_set(options, name, name_len, value, value_len, error)
                            });
                        }
                    });
                });
            }),
            Call::OptionsSetKnown(which, option, value) => {
                each!(family, world, |options, handles, f| {
                    let mut info: bw_option_info = zeroed();
                    info.size = size_of::<bw_option_info>();
                    let option = usize::from(*option) % f::option_count();
                    f::option_describe(option, &mut info, ptr::null_mut());
                    let name_len = CStr::from_ptr(info.name).count_bytes();
                    value.with(|value, value_len| {
                        if !is_left_alone(info.name, name_len) {
                            let options = options.get(*which);
                            coded(asked, |error| {
                                f::options_set(
                                    options, info.name, name_len, value, value_len, error,
                                )
                            });
                        }
                    });
                })
            }
            Call::OptionDescribe(index, size) => each!(family, world, |options, handles, f| {
                size.with(zeroed::<bw_option_info>(), |info| {
                    coded(asked, |error| f::option_describe(*index, info, error));
                    if matches!(size, Size::Right | Size::More(_)) {
                        read((*info).name);
                        read((*info).help);
                    }
                });
            }),
            // A lexicon takes so long to compile that this is to be rare.
            Call::New(which) if matches!(family, Family::Lad) && *which < 240 => {}
            Call::New(which) => each!(family, world, |options, handles, f| {
                let options = options.get(*which);
                handles.keep(made(asked, |error| f::new(options, error)), f::free);
            }),
            Call::Free(which) => each!(family, world, |options, handles, f| {
                f::free(handles.take(*which));
            }),
            Call::Advance(which, time) => {
                let (had, lad) = (world.had.get(*which), world.lad.get(*which));
                coded(asked, |error| match family {
                    Family::Had => bw_had_advance(had, time.get(), error),
                    _ => bw_lad_advance(lad, time.get(), error),
                });
            }
            Call::Save(which, path) => {
                let (had, lad) = (world.had.get(*which), world.lad.get(*which));
                path.with_path(&world.folder, |path, length| {
                    coded(asked, |error| match family {
                        Family::Had => bw_had_save(had, path, length, error),
                        _ => bw_lad_save(lad, path, length, error),
                    });
                });
            }
            Call::Load(which, path) => {
                let (had, lad) = (world.had.get(*which), world.lad.get(*which));
                path.with_path(&world.folder, |path, length| {
                    coded(asked, |error| match family {
                        Family::Had => bw_had_load(had, path, length, error),
                        _ => bw_lad_load(lad, path, length, error),
                    })
                });
            }
            Call::Snapshot(which) => {
                let (had, lad) = (world.had.get(*which), world.lad.get(*which));
                let snapshot = made(asked, |error| match family {
                    Family::Had => bw_had_snapshot(had, error),
                    _ => bw_lad_snapshot(lad, error),
                });
                if !snapshot.is_null() {
                    let [written, saved] = ["written", "saved"].map(|name| {
                        let path = world.folder.path().with_extension(name);
                        with_file(&path, |path, length| {
                            coded(asked, |error| match (name, family) {
                                ("written", _) => bw_snapshot_write(snapshot, path, length, error),
                                (_, Family::Had) => bw_had_save(had, path, length, error),
                                _ => bw_lad_save(lad, path, length, error),
                            })
                        })
                    });
                    assert_eq!(written.len(), bw_snapshot_size(snapshot));
                    assert!(written == saved, "a snapshot is what would be saved");
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
            Call::SnapshotFree(which) => bw_snapshot_free(world.snapshots.take(*which)),
            Call::StatePrepare(which, path, wanted) => {
                let (had, lad) = (world.had.get(*which), world.lad.get(*which));
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
                    let saved = coded(asked, |error| match family {
                        Family::Had => bw_had_save(had, path, length, error),
                        _ => bw_lad_save(lad, path, length, error),
                    });
                    let is_there = match family {
                        Family::Had => !had.is_null(),
                        _ => !lad.is_null(),
                    };
                    assert_eq!(saved == bw_result::BW_OK, is_there);
                });
            }
            Call::Counters(which, size) => {
                let (had, lad) = (world.had.get(*which), world.lad.get(*which));
                match family {
                    Family::Had => size.with(zeroed::<bw_counters>(), |n| {
                        coded(asked, |error| bw_had_counters(had, n, error));
                    }),
                    _ => size.with(zeroed::<bw_log_counters>(), |n| {
                        coded(asked, |error| bw_lad_counters(lad, n, error));
                    }),
                }
            }
            Call::NextEvent(which) => {
                let event = match family {
                    Family::Had => bw_had_next_event(world.had.get(*which)),
                    _ => bw_lad_next_event(world.lad.get(*which)),
                };
                if !event.is_null() {
                    read(bw_event_json(event));
                }
                world.events.keep(event, bw_event_free);
            }
            Call::Observe { .. } => observe(world, step),
            Call::Mask(which, hypervisor, vm, masked) => {
                let had = world.had.get(*which);
                hypervisor.with(|h, h_len| {
                    vm.with(|v, v_len| {
                        coded(asked, |error| {
                            bw_had_mask(had, h, h_len, v, v_len, *masked, error)
                        })
                    })
                });
            }
            Call::Statuses(which, index, size) => {
                let had = world.had.get(*which);
                let count = bw_had_status_count(had);
                for index in (0..count).chain([*index]) {
                    size.with(zeroed::<bw_status>(), |status| {
                        let code = coded(asked, |error| bw_had_status(had, index, status, error));
                        if code == bw_result::BW_OK && matches!(size, Size::Right | Size::More(_)) {
                            read((*status).hypervisor);
                            read((*status).metric);
                            assert!((0.0..=1.0).contains(&(*status).score));
                        }
                    });
                }
            }
            Call::Feedback(which, stream, id, verdict) => {
                let lad = world.lad.get(*which);
                stream.with(|stream, length| {
                    coded(asked, |error| {
                        bw_lad_feedback(lad, stream, length, (*id).into(), *verdict, error)
                    })
                });
            }
            Call::Template(which, stream, id) => match family {
                Family::Drain => read(bw_drain_template(world.drain.get(*which), (*id).into())),
                _ => stream.with(|stream, length| {
                    let lad = world.lad.get(*which);
                    read(bw_lad_template(lad, stream, length, (*id).into()));
                }),
            },
            Call::Parameters(which, line, id, index) => {
                let drain = world.drain.get(*which);
                let count = line.with(|line, length| {
                    bw_drain_parameter_count(drain, (*id).into(), line, length)
                });
                for index in (0..count).chain([(*index).into()]) {
                    let value = bw_drain_parameter(drain, index);
                    assert_eq!(value.is_null(), index >= count);
                    read(value);
                }
            }
            Call::EventField(which, index, wanted) => {
                let event = world.events.get(*which);
                let (mut key, mut value) = (ptr::null(), ptr::null());
                let key_place = if *wanted {
                    &raw mut key
                } else {
                    ptr::null_mut()
                };
                let index = usize::from(*index) % (bw_event_field_count(event) + 2);
                coded(asked, |error| {
                    bw_event_field(event, index, key_place, &mut value, error)
                });
                read(key);
                read(value);
            }
            Call::EventText(which, key) => {
                let event = world.events.get(*which);
                key.with(|key, length| read(bw_event_text(event, key, length)));
            }
            Call::EventNumber(which, key, wanted) => {
                let event = world.events.get(*which);
                let mut number = 0.0;
                let place = if *wanted {
                    &raw mut number
                } else {
                    ptr::null_mut()
                };
                key.with(|key, length| {
                    coded(asked, |error| {
                        bw_event_number(event, key, length, place, error)
                    })
                });
            }
            Call::EventFree(which) => bw_event_free(world.events.take(*which)),
        }
    }
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
fn observe(world: &mut World, step: &Step) {
    let Call::Observe {
        handle,
        names,
        numbers,
        priority,
        size,
        result,
        count,
    } = &step.call
    else {
        return;
    };
    let mut time = numbers[0].get();
    for n in 0..=*count {
        time += 10.0;
        names[0].with(|first, first_len| {
            names[1].with(|second, second_len| {
                names[2].with(|third, third_len| {
                    // SAFETY: handles are those of the world, strings and structs have the sizes that they say, and a string
                    // is read before its handle is used again.
                    unsafe {
                        match step.family {
                            Family::Had => {
                                let mut outcome = bw_outcome::BW_OUTCOME_TAKEN;
                                let place = match result {
                                    Size::NoStruct => ptr::null_mut(),
                                    _ => &raw mut outcome,
                                };
                                let observation = bw_observation {
                                    size: 0,
                                    hypervisor: first,
                                    hypervisor_len: first_len,
                                    vm: second,
                                    vm_len: second_len,
                                    metric: third,
                                    metric_len: third_len,
                                    time,
                                    interval: numbers[1].get(),
                                    value: numbers[2].get() + f64::from(n % 5),
                                };
                                size.with(observation, |observation| {
                                    let had = world.had.get(*handle);
                                    coded(step.asked, |error| {
                                        bw_had_observe(had, observation, place, error)
                                    });
                                });
                            }
                            Family::Lad => {
                                let record = bw_record {
                                    size: 0,
                                    stream: first,
                                    stream_len: first_len,
                                    text: second,
                                    text_len: second_len,
                                    time,
                                    has_priority: priority[0],
                                    priority: priority[1],
                                    program: third,
                                    program_len: third_len,
                                    unit: first,
                                    unit_len: first_len,
                                    tag: ptr::null(),
                                    tag_len: second_len,
                                };
                                size.with(record, |record| {
                                    result.with(zeroed::<bw_observed>(), |observed| {
                                        let lad = world.lad.get(*handle);
                                        let code = coded(step.asked, |error| {
                                            bw_lad_observe(lad, record, observed, error)
                                        });
                                        let whole = matches!(result, Size::Right | Size::More(_));
                                        if code == bw_result::BW_OK && whole {
                                            read((*observed).template_text);
                                            read((*observed).family);
                                        }
                                    });
                                });
                            }
                            Family::Drain => result.with(zeroed::<bw_added>(), |added| {
                                let drain = world.drain.get(*handle);
                                coded(step.asked, |error| {
                                    bw_drain_add(drain, second, second_len, added, error)
                                });
                            }),
                        }
                    }
                });
            });
        });
    }
}

/// A detector that knows nothing: always the same one, which loads what it saved when it was new.
fn blank_lad() -> *mut bw_lad {
    struct Blank(*mut bw_lad, Folder);
    thread_local!(static BLANK: Blank = {
        let folder = Folder::new();
        let path = folder.path();
        let path = path.as_os_str().as_encoded_bytes();
        // SAFETY: the path has this length.
        let lad = unsafe {
            let lad = bw_lad_new(ptr::null(), ptr::null_mut());
            coded(true, |error| bw_lad_save(lad, path.as_ptr().cast(), path.len(), error));
            lad
        };
        Blank(lad, folder)
    });
    BLANK.with(|Blank(lad, folder)| {
        let path = folder.path();
        let path = path.as_os_str().as_encoded_bytes();
        // SAFETY: the handle is never freed, and the path has this length.
        let code = coded(true, |error| unsafe {
            bw_lad_load(*lad, path.as_ptr().cast(), path.len(), error)
        });
        assert_eq!(code, bw_result::BW_OK);
        *lad
    })
}

fuzz_target!(|steps: Vec<Step>| {
    let mut world = World {
        folder: Folder::new(),
        had_options: Handles::new(ptr::null_mut()),
        had: Handles::new(ptr::null_mut()),
        lad_options: Handles::new(ptr::null_mut()),
        lad: Handles::new(blank_lad()),
        drain_options: Handles::new(ptr::null_mut()),
        drain: Handles::new(ptr::null_mut()),
        events: Handles::new(ptr::null_mut()),
        snapshots: Handles::new(ptr::null_mut()),
    };
    // One of each, or most calls would be about NULL.
    for family in [Family::Had, Family::Drain] {
        for call in [Call::OptionsNew, Call::New(0)] {
            let step = Step {
                family,
                asked: true,
                call,
            };
            // SAFETY: as the function says.
            unsafe { self::call(&mut world, &step) };
        }
    }
    for step in &steps {
        // SAFETY: as the function says.
        unsafe { call(&mut world, step) };
    }
    world.had_options.free(bw_had_options_free);
    world.had.free(bw_had_free);
    world.lad_options.free(bw_lad_options_free);
    world.lad.free(bw_lad_free);
    world.drain_options.free(bw_drain_options_free);
    world.drain.free(bw_drain_free);
    world.events.free(bw_event_free);
    world.snapshots.free(bw_snapshot_free);
});
