//! How a detector of failing hosts fares.

use bellwether_core::lad::Counters;

use crate::border::with_size;
use crate::layout::bw_log_counters;

with_size!(bw_log_counters, grown from open_episodes);

impl bw_log_counters {
    pub(crate) fn new(counters: Counters) -> Self {
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
            open_episodes: counters.open_episodes,
        }
    }
}
