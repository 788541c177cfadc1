//! How a detector of failing hosts fares.

use bellwether_core::lad::Counters;

use crate::border::WithSize;

/// How many records came to what since the detector was made, and what there is now.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct bw_log_counters {
    /// Set by the caller to `sizeof(bw_log_counters)`.
    pub size: usize,
    /// Records that were `BW_RECORD_TAKEN`.
    pub taken: u64,
    /// Records that were `BW_RECORD_REFUSED`.
    pub refused: u64,
    /// Records that were `BW_RECORD_FULL`.
    pub full: u64,
    /// Records that told of a failure.
    pub failures: u64,
    /// Records that completed an unknown window of templates.
    pub novel: u64,
    /// Episodes of failure that were raised.
    pub episodes: u64,
    /// Events that were lost because nobody fetched them in time.
    pub events_lost: u64,
    /// Streams that made room for others, or were silent for too long.
    pub streams_forgotten: u64,
    /// Streams that there is state of.
    pub streams: u64,
    /// Templates that are known, over all streams.
    pub templates: u64,
    /// Templates that made room for others, over the streams that there are.
    pub templates_evicted: u64,
    /// Windows of templates that are known, over all streams.
    pub windows: u64,
    /// About how many bytes of memory the streams take.
    pub bytes: u64,
}

// SAFETY: it is `repr(C)` and begins with a `usize`.
unsafe impl WithSize for bw_log_counters {
    const NAME: &'static str = "bw_log_counters";
    const SIZE_AT_FIRST: usize = size_of::<Self>();
}

impl From<Counters> for bw_log_counters {
    fn from(counters: Counters) -> Self {
        Self {
            size: size_of::<Self>(),
            taken: counters.taken,
            refused: counters.refused,
            full: counters.full,
            failures: counters.failures,
            novel: counters.novel,
            episodes: counters.episodes,
            events_lost: counters.events_lost,
            streams_forgotten: counters.streams_forgotten,
            streams: counters.streams,
            templates: counters.templates,
            templates_evicted: counters.templates_evicted,
            windows: counters.windows,
            bytes: counters.bytes,
        }
    }
}
