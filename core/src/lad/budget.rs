//! The memory of a detector: what each part of it may take, and which streams are forgotten for others.

use super::Detector;
use super::options::{LadOptions, Mode};
use crate::units::Time;

/// What a window takes beside its keys, in bytes, with its place in the index while that grows: where windows are symbols,
/// and as published.
const SYMBOLIC_BYTES: usize = 32;
const PAPER_BYTES: usize = 160;

/// What of the option `max_memory_mib` is there for what, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// The parser of one stream.
    parser: usize,
    /// The windows of one stream.
    windows: usize,
    /// Verdicts that are remembered.
    pub(super) answers: usize,
    /// Events that wait.
    pub(super) events: usize,
}

/// How much memory the detector may hold, in bytes: the rest of `max_memory_mib` is for a snapshot while it is taken. Nothing takes
/// more bytes in a snapshot, compared to those that it holds, than long templates: not quite two fifths.
fn state_limit(options: &LadOptions) -> usize {
    (options.max_memory_mib << 20) / 16 * 11
}

impl Shares {
    pub(super) fn of(options: &LadOptions) -> Self {
        let sixteenth = (options.max_memory_mib << 20) / 16;
        Self {
            parser: 6 * sixteenth,
            windows: 2 * sixteenth,
            answers: sixteenth,
            events: sixteenth,
        }
    }

    /// The options, cut so that one stream alone keeps within the memory that is there for all.
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

impl Detector {
    /// How much memory all of it takes, in bytes.
    pub(super) fn held(&self) -> usize {
        self.totals.bytes
            + self.streams.bytes()
            + self.scratch.bytes()
            + self.verdict_cache.bytes()
            + self.pending.events.bytes()
    }

    /// Forgets streams where all together take too much, those that were silent for longest first. The last one stays: its
    /// own limits hold it.
    #[inline]
    pub(super) fn make_room(&mut self) {
        let limit = state_limit(&self.options);
        if self.totals.bytes > limit / 2 && self.streams.len() > 1 {
            let held = self.held();
            if held > limit {
                // A little more than needed, so that not every new stream has to look through all the others.
                self.evict_bytes(held - (limit - limit / 16));
            }
        }
    }

    /// Forgets the streams that were silent for longest, until so many bytes are free.
    fn evict_bytes(&mut self, mut bytes: usize) {
        let mut by_age: Vec<(u64, u32)> = (0_u32..)
            .zip(self.streams.iter())
            .map(|(at, stream)| (stream.past.heard, at))
            .collect();
        by_age.sort_unstable();
        by_age.pop();
        let enough = by_age.iter().position(|&(_, at)| {
            let done = bytes == 0;
            bytes = bytes.saturating_sub(self.streams[at as usize].usage.bytes);
            done
        });
        by_age.truncate(enough.unwrap_or(by_age.len()));
        for &(_, at) in &by_age {
            let stream = &mut self.streams[at as usize];
            stream.end(&self.limits, stream.past.last, &mut self.pending);
        }
        // Whoever takes the place of one that goes has a higher one, and stays or is gone already.
        by_age.sort_unstable_by_key(|&(_, at)| std::cmp::Reverse(at));
        for (_, at) in by_age {
            self.remove(at as usize);
        }
    }

    /// Forgets the stream that was silent for longest.
    pub(super) fn evict_least_recent(&mut self) {
        let oldest = (0..self.streams.len()).min_by_key(|&at| self.streams[at].past.heard);
        if let Some(at) = oldest {
            let time = self.streams[at].past.last;
            self.forget(at, time);
        }
    }

    /// Forgets the stream at `at`.
    fn forget(&mut self, at: usize, time: f64) {
        self.streams[at].end(&self.limits, time, &mut self.pending);
        self.remove(at);
    }

    /// Removes the stream at `at`; the last one takes its place.
    fn remove(&mut self, at: usize) {
        let stream = self.streams.swap_remove(at);
        if self.guess == self.streams.len() {
            self.guess = at;
        }
        self.totals -= stream.usage;
        self.counters.streams_forgotten += 1;
    }

    /// Says that no record with a time before `time` (seconds) is going to come any more: forgets the streams that have been
    /// silent for too long. A time that is not finite or too far off is ignored.
    pub fn advance(&mut self, time: Time) {
        if !time.is_plausible() {
            return;
        }
        let time = time.secs();
        let forget = self.options.forget_sec;
        // Looking for the silent once in a fiftieth of the time they are given is enough.
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
