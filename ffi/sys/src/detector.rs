//! What detectors of all kinds have in common.

use std::fmt;
use std::marker::PhantomData;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::ptr::NonNull;

use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::handle::{Owned, text};
use crate::library::Library;
use crate::options::Options;
use crate::raw;
use crate::snapshot::Snapshot;

/// A kind of detector.
pub trait Kind {
    /// The name by which the library knows it.
    const NAME: &'static str;
    /// Its counters.
    type Counters: Counters;
}

/// The counters of a kind of detector.
pub trait Counters: Default {
    /// Sets the counter of that name; `false` if this crate does not know it.
    fn set(&mut self, name: &str, value: u64) -> bool;
}

/// Declares the counters of a kind of detector.
macro_rules! counters {
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$doc:meta])* $field:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$doc])* pub $field: u64),+ }

        impl crate::detector::Counters for $name {
            fn set(&mut self, name: &str, value: u64) -> bool {
                match name {
                    $(stringify!($field) => self.$field = value,)+
                    _ => return false,
                }
                true
            }
        }

        impl $name {
            /// The names of all counters.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($field)),+];
        }
    };
}
pub(crate) use counters;

/// A detector: data and time come in, events come out. Made by [`Library::had`], [`Library::lad`], [`Library::resource`],
/// [`Library::risk`] and [`Library::drain`].
pub struct Detector<K>(pub(crate) Owned<raw::bw_detector>, PhantomData<K>);

impl<K: Kind> fmt::Debug for Detector<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Detector")
            .field("kind", &K::NAME)
            .finish_non_exhaustive()
    }
}

impl<K: Kind> Detector<K> {
    pub(crate) fn new(library: &Library, options: &Options<K>) -> Result<Self, Error> {
        // SAFETY: the options are not freed, and nobody changes them while they are borrowed.
        let detector = unsafe {
            Owned::make(library, |f, error| {
                f.bw_detector_new(options.0.as_ptr(), error)
            })
        };
        Ok(Self(detector?, PhantomData))
    }

    /// The handle, for functions that this crate does not wrap. It still belongs to the detector.
    pub fn as_raw(&self) -> *mut raw::bw_detector {
        self.0.as_ptr()
    }

    /// Declares that no data with a time before `time` (seconds since the epoch) will come.
    ///
    /// # Errors
    /// Only an internal error of bellwether.
    pub fn advance(&mut self, time: f64) -> Result<(), Error> {
        // SAFETY: it is a function of this type.
        unsafe {
            self.0
                .call(|f, handle, error| f.bw_detector_advance(handle, time, error))
        }
    }

    /// The oldest event not yet fetched.
    pub fn next_event(&mut self) -> Option<Event> {
        // SAFETY: the handle is ours, and so is the event that it gives.
        unsafe {
            let event = self.0.functions().bw_detector_next_event(self.0.as_ptr());
            let event = NonNull::new(event)?;
            Some(Event(Owned::from_raw(self.0.library().clone(), event)))
        }
    }

    /// The counters; `None` after an internal error of bellwether.
    pub fn counters(&self) -> Option<K::Counters> {
        let mut counters = K::Counters::default();
        let mut index = 0;
        loop {
            let (mut name, mut value) = (raw::bw_string::NONE, 0);
            // SAFETY: the handle is ours, and both places may be written to.
            let found = unsafe {
                self.0.functions().bw_detector_counter(
                    self.0.as_ptr(),
                    index,
                    &mut name,
                    &mut value,
                )
            };
            if !found {
                return (index > 0).then_some(counters);
            }
            // SAFETY: names are static. A counter that only a newer library has is left out.
            counters.set(unsafe { text(name) }.unwrap_or_default(), value);
            index += 1;
        }
    }

    /// Saves the learned state to the file `path`, so that a crash at any moment leaves the old file or the new one, complete.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be written; an old file is then intact.
    pub fn save(&self, path: &Path) -> Result<(), Error> {
        let path = path.as_os_str().as_bytes();
        // SAFETY: it is a function of this type, and the path has as many bytes as its length says.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_detector_save(handle, path.as_ptr().cast(), path.len(), error)
            })
        }
    }

    /// Copies the learned state, which can then be written without the detector.
    ///
    /// # Errors
    /// Only an internal error of bellwether.
    pub fn snapshot(&self) -> Result<Snapshot, Error> {
        // SAFETY: it is a function of this type.
        let snapshot = unsafe {
            Owned::make(self.0.library(), |f, error| {
                f.bw_detector_save_bytes(self.0.as_ptr(), error)
            })
        };
        Ok(Snapshot(snapshot?))
    }

    /// Replaces the learned state by what was saved to `path`; `false` if there is no such file.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if it cannot be read, [`ErrorKind::SnapshotUnusable`] if it is corrupt, of an unknown version, or made
    /// with options that shape the state differently; the detector is then unchanged and can be used.
    pub fn load(&mut self, path: &Path) -> Result<bool, Error> {
        let path = path.as_os_str().as_bytes();
        // SAFETY: it is a function of this type, and the path has as many bytes as its length says.
        found(unsafe {
            self.0.call(|f, handle, error| {
                f.bw_detector_load(handle, path.as_ptr().cast(), path.len(), error)
            })
        })
    }

    /// Replaces the learned state by that of the [`Snapshot::bytes`] of a snapshot.
    ///
    /// # Errors
    /// [`ErrorKind::SnapshotUnusable`] as for [`Detector::load`].
    pub fn load_bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        // SAFETY: it is a function of this type, and there are that many bytes.
        unsafe {
            self.0.call(|f, handle, error| {
                f.bw_detector_load_bytes(handle, bytes.as_ptr(), bytes.len(), error)
            })
        }
    }
}

/// A call that may find nothing: whether it found something.
pub(crate) fn found(result: Result<(), Error>) -> Result<bool, Error> {
    match result {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
