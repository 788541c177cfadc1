//! The interface that all detectors have in common.
//!
//! A detector takes observations one at a time, in any order that its documentation allows, and returns events. It has no clock
//! and starts no thread: time comes in with the data, so that the same input in the same order gives the same events.

use std::path::Path;

use crate::event::Event;
use crate::options::{OptionError, Options};
use crate::snapshot::{Snapshot, SnapshotError, Unusable};
use crate::units::Time;

/// A detector.
///
/// ```
/// use bellwether_core::detector::Detector;
/// use bellwether_core::event::Event;
/// use bellwether_core::units::Time;
/// use bellwether_core::{had, lad};
///
/// /// Ends what is open at the end of a recording, whatever the detector.
/// fn finish<D: Detector>(detector: &mut D, end: Time) -> Vec<Event> {
///     detector.advance(end);
///     std::iter::from_fn(|| detector.next_event()).collect()
/// }
///
/// let mut had = had::Detector::new(had::HadOptions::default())?;
/// let mut lad = lad::Detector::new(lad::LadOptions::default())?;
/// assert!(finish(&mut had, Time::from_secs(60.0)).is_empty());
/// assert!(finish(&mut lad, Time::from_secs(60.0)).is_empty());
/// # Ok::<(), bellwether_core::options::OptionError>(())
/// ```
pub trait Detector: Sized {
    /// The detector's name, as in the C interface.
    const NAME: &'static str;

    /// Its options.
    type Options: Options;
    /// Its input.
    type Observation<'a>;
    /// The immediate result of an observation.
    type Observed;

    /// A detector that has learned nothing yet.
    ///
    /// # Errors
    /// Options that contradict each other, or a file named by an option that cannot be used.
    fn new(options: Self::Options) -> Result<Self, OptionError>;

    /// The options that it was created with.
    fn options(&self) -> &Self::Options;

    /// Takes one observation. Resulting events wait for [`Detector::next_event`].
    fn observe(&mut self, observation: &Self::Observation<'_>) -> Self::Observed;

    /// Declares that no observation before `time` is going to come: evaluates what is complete by then and forgets what has been
    /// silent for too long. A time that is not plausible is ignored.
    fn advance(&mut self, time: Time);

    /// The oldest event that was not fetched yet. At most 4096 wait; beyond that, the oldest are lost and counted.
    fn next_event(&mut self) -> Option<Event>;

    /// Names and values of its counters, always in the same order.
    fn counter_list(&self) -> Vec<(&'static str, u64)>;

    /// Memory of its state in bytes, as counted for its option `max_memory_mib`.
    fn bytes(&self) -> usize;

    /// The learned state at this moment.
    fn snapshot(&self) -> Snapshot;

    /// Replaces the learned state by a snapshot's: the detector continues as if it had never stopped.
    ///
    /// # Errors
    /// A snapshot that is corrupt, of an unsupported version, or made with options that shape the state differently; the detector
    /// is then unchanged.
    fn restore(&mut self, snapshot: &[u8]) -> Result<(), Unusable>;

    /// Saves the learned state to the file at `path`, so that a crash at any moment leaves the old state or the new one, whole.
    ///
    /// # Errors
    /// [`SnapshotError::Io`].
    fn save(&self, path: &Path) -> Result<(), SnapshotError>;

    /// Replaces the learned state by that saved to `path`; `false` if there is no such file.
    ///
    /// # Errors
    /// A file that cannot be read, or that cannot be used ([`Detector::restore`]); the latter is renamed. The detector is then
    /// unchanged.
    fn load(&mut self, path: &Path) -> Result<bool, SnapshotError>;
}

/// Implements [`Detector`] for a type with inherent methods of the same names.
macro_rules! detector {
    ($ty:ty, $name:literal, $options:ty, $observation:ident, $observed:ty) => {
        impl $ty {
            /// The learned state at this moment.
            pub fn snapshot(&self) -> crate::snapshot::Snapshot {
                crate::snapshot::take(self)
            }

            /// Replaces the learned state by a snapshot's: the detector continues as if it had never stopped.
            ///
            /// # Errors
            /// A snapshot that is corrupt, of an unsupported version, or made with options that shape the state differently; the
            /// detector is then unchanged.
            pub fn restore(&mut self, snapshot: &[u8]) -> Result<(), crate::snapshot::Unusable> {
                crate::snapshot::restore(self, snapshot)
            }

            /// Saves the learned state to the file at `path`, so that a crash at any moment leaves the old state or the new one,
            /// whole.
            ///
            /// # Errors
            /// [`SnapshotError::Io`](crate::snapshot::SnapshotError::Io).
            pub fn save(
                &self,
                path: &std::path::Path,
            ) -> Result<(), crate::snapshot::SnapshotError> {
                crate::snapshot::save(self, path)
            }

            /// Replaces the learned state by that saved to `path`; `false` if there is no such file.
            ///
            /// # Errors
            /// A file that cannot be read, or that cannot be used; the latter is renamed. The detector is then unchanged.
            pub fn load(
                &mut self,
                path: &std::path::Path,
            ) -> Result<bool, crate::snapshot::SnapshotError> {
                crate::snapshot::load(self, path)
            }
        }

        impl crate::detector::Detector for $ty {
            const NAME: &'static str = $name;
            type Options = $options;
            type Observation<'a> = $observation<'a>;
            type Observed = $observed;

            fn new(options: $options) -> Result<Self, crate::options::OptionError> {
                Self::new(options)
            }

            fn options(&self) -> &$options {
                Self::options(self)
            }

            #[inline]
            fn observe(&mut self, observation: &$observation<'_>) -> $observed {
                Self::observe(self, observation)
            }

            fn advance(&mut self, time: crate::units::Time) {
                Self::advance(self, time);
            }

            fn next_event(&mut self) -> Option<crate::event::Event> {
                Self::next_event(self)
            }

            fn counter_list(&self) -> Vec<(&'static str, u64)> {
                Self::counters(self).list().into()
            }

            fn bytes(&self) -> usize {
                Self::bytes(self)
            }

            fn snapshot(&self) -> crate::snapshot::Snapshot {
                Self::snapshot(self)
            }

            fn restore(&mut self, snapshot: &[u8]) -> Result<(), crate::snapshot::Unusable> {
                Self::restore(self, snapshot)
            }

            fn save(&self, path: &std::path::Path) -> Result<(), crate::snapshot::SnapshotError> {
                Self::save(self, path)
            }

            fn load(
                &mut self,
                path: &std::path::Path,
            ) -> Result<bool, crate::snapshot::SnapshotError> {
                Self::load(self, path)
            }
        }
    };
}
pub(crate) use detector;
