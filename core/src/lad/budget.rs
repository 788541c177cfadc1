//! The memory budget of the detector: the share of each part, and the eviction of streams.

use super::detector::Detector;
use super::options::{LadOptions, Mode};
use super::prediction::SharedModel;
use super::seeds::SharedSeeds;
use super::stream::Stream;
use crate::units::Time;

/// Memory of a window besides its keys, in bytes, including its place in a growing index: of symbolic windows, and of windows as
/// published.
const SYMBOLIC_BYTES: usize = 32;
const PAPER_BYTES: usize = 160;

/// Number of streams of which the least valuable one is evicted for a new one.
const CANDIDATES: usize = 32;
/// A stream with this many records is worth as much as any other.
const ESTABLISHED_RECORDS: u64 = 50;
/// How often the open episodes of all streams are checked without a record, in seconds.
const FOLLOW_SEC: f64 = 1.0;

/// How the option `max_memory_mib` is divided, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// The parser of one stream.
    parser: usize,
    /// The windows of one stream.
    windows: usize,
    /// Messages that report nothing.
    pub(super) quiet: usize,
    /// Pending events.
    pub(super) events: usize,
}

/// Memory of what is loaded from files, in bytes.
pub(super) fn loaded(seeds: Option<&SharedSeeds>, model: Option<&SharedModel>) -> usize {
    seeds.map_or(0, SharedSeeds::bytes) + model.map_or(0, SharedModel::bytes)
}

/// The memory that is divided, in bytes: that of what is loaded is taken.
pub(super) fn divided(options: &LadOptions, loaded: usize) -> usize {
    (options.max_memory_mib << 20).saturating_sub(loaded)
}

/// The memory that the state may take without what is loaded, in bytes; the rest of `max_memory_mib` is for a snapshot while it is taken.
/// Relative to their size in memory, long templates take the most space in a snapshot: not quite two fifths.
fn state_limit(divided: usize) -> usize {
    divided / 16 * 11
}

impl Shares {
    pub(super) fn of(divided: usize) -> Self {
        let sixteenth = divided / 16;
        Self {
            parser: 6 * sixteenth,
            windows: 2 * sixteenth,
            quiet: sixteenth,
            events: sixteenth,
        }
    }

    /// The options, limited so that a single stream stays within the memory for all.
    pub(super) fn within(self, mut options: LadOptions) -> LadOptions {
        let keys = options.window_size * size_of::<u64>();
        let window = match options.mode {
            Mode::Symbolic => keys + SYMBOLIC_BYTES,
            Mode::Paper => 2 * keys + PAPER_BYTES,
        };
        options.max_windows = options.max_windows.min(self.windows / window);
        options.drain.max_bytes = options.drain.max_bytes.min(self.parser);
        options
    }
}

/// What a stream is worth compared to others.
type Value = (bool, u64, u64);

/// What a stream is worth: one with an open episode is worth the most; then one with many records, and one used recently.
fn value(stream: &Stream) -> Value {
    let past = &stream.past;
    let records = past.records().min(ESTABLISHED_RECORDS);
    (!past.episodes.is_empty(), records, past.last_used)
}

impl Detector {
    /// Memory of the state in bytes.
    pub(super) fn state_bytes(&self) -> usize {
        self.totals.bytes
            + self.streams.bytes()
            + self.scratch.bytes()
            + self.quiet.bytes()
            + self.standing.bytes()
            + self.loaded_bytes()
            + self.pending.events.bytes()
            + self.pending.questions.bytes()
    }

    fn loaded_bytes(&self) -> usize {
        loaded(self.seeds.as_ref(), self.model.as_ref())
    }

    /// Evicts the least valuable streams while the state exceeds its limit. The last stream stays: its own limits bound it.
    #[inline]
    pub(super) fn enforce_memory_limit(&mut self) {
        let limit = state_limit(divided(&self.options, self.loaded_bytes()));
        if self.totals.bytes > limit / 2 && self.streams.len() > 1 {
            let held = self.state_bytes() - self.loaded_bytes();
            if held > limit {
                // A little more than needed, so that not every new stream triggers a search through all others.
                self.evict_bytes(held - (limit - limit / 16));
            }
        }
    }

    /// Evicts the least valuable streams until this many bytes are free.
    fn evict_bytes(&mut self, mut bytes: usize) {
        let mut by_use: Vec<(Value, u32)> = (0_u32..)
            .zip(self.streams.iter())
            .map(|(at, stream)| (value(stream), at))
            .collect();
        by_use.sort_unstable();
        by_use.pop();
        let enough = by_use.iter().position(|&(_, at)| {
            let done = bytes == 0;
            bytes = bytes.saturating_sub(self.streams[at as usize].usage.bytes);
            done
        });
        by_use.truncate(enough.unwrap_or(by_use.len()));
        for &(_, at) in &by_use {
            let stream = &mut self.streams[at as usize];
            stream.end(&self.limits, stream.past.last, &mut self.pending);
        }
        self.counters.streams_evicted += by_use.len() as u64;
        // From the highest index down: the stream that a removal moves has a higher index than all that are still to be removed.
        by_use.sort_unstable_by_key(|&(_, at)| std::cmp::Reverse(at));
        for (_, at) in by_use {
            self.remove(at as usize);
        }
    }

    /// Evicts the least recently used stream.
    pub(super) fn evict_least_recent(&mut self) {
        let oldest = (0..self.streams.len()).min_by_key(|&at| self.streams[at].past.last_used);
        if let Some(at) = oldest {
            let time = self.streams[at].past.last;
            self.forget(at, time);
            self.counters.streams_evicted += 1;
        }
    }

    /// Evicts the least valuable of the streams that come next in turn: one that has no open episode, has few records, and was
    /// silent for long. Whoever invents hosts evicts the invented ones.
    pub(super) fn evict_least_valuable(&mut self) {
        let count = self.streams.len();
        let next = (0..count.min(CANDIDATES)).map(|i| (self.hand + i) % count);
        if let Some(at) = next.min_by_key(|&at| value(&self.streams[at])) {
            self.hand = (self.hand + CANDIDATES) % count;
            let time = self.streams[at].past.last;
            self.forget(at, time);
            self.counters.streams_evicted += 1;
        }
    }

    /// Forgets the stream at `at`, clearing what is open.
    fn forget(&mut self, at: usize, time: f64) {
        self.streams[at].end(&self.limits, time, &mut self.pending);
        self.remove(at);
    }

    /// Removes the stream at `at`; the last one moves to its index.
    fn remove(&mut self, at: usize) {
        let stream = self.streams.swap_remove(at);
        if self.guess == self.streams.len() {
            self.guess = at;
        }
        self.totals -= stream.usage;
        self.counters.streams_forgotten += 1;
    }

    /// Declares that no record before `time` is going to come: reports what waited for later lines, ends episodes that are over,
    /// and forgets streams that have been silent for too long. A time that is not plausible is ignored.
    pub fn advance(&mut self, time: Time) {
        if !time.is_plausible() {
            return;
        }
        let time = time.secs();
        if self.pending.open + self.pending.unseen > 0 && (time - self.followed).abs() >= FOLLOW_SEC
        {
            self.followed = time;
            for at in 0..self.streams.len() {
                let stream = &mut self.streams[at];
                if !stream.past.episodes.is_empty() {
                    stream.follow_episodes(&self.limits, time, &mut self.pending);
                    stream.measure(&mut self.totals);
                }
                stream.follow_unseen(&self.limits, time, &mut self.pending);
            }
        }
        let forget = self.options.forget_sec;
        // Sweeping once per fiftieth of that time is enough.
        if time - self.swept < forget / 50.0 {
            return;
        }
        self.swept = time;
        for at in (0..self.streams.len()).rev() {
            if time - self.streams[at].past.last > forget {
                self.forget(at, time);
            }
        }
    }
}
