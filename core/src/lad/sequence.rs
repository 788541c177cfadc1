//! A sequence of log keys, evaluated window by window: the part of LAD that comes after parsing and needs no text.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::options::{LadOptions, Mode};
use super::paper::PaperStore;
use super::store::WindowStore;
use crate::memory::allocation;

/// The result of one record of a sequence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// From 0 to 1.
    pub score: f64,
    /// It reports a failure.
    pub alarm: bool,
    /// It completes an unknown window in which no record reports a failure.
    pub novel: bool,
    /// It is one of the first, from which the sequence learns what is normal.
    pub training: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Store {
    Symbolic(WindowStore),
    Paper(PaperStore),
}

/// The window of the last log keys, and the known windows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Sequence {
    /// The last log keys, oldest first.
    window: SmallVec<[u64; WINDOW_INLINE]>,
    /// Whether the last records reported a failure, one bit each, the newest lowest.
    flagged: u64,
    /// Number of records so far.
    seen: u64,
    store: Store,
}

/// Windows up to this length need no allocation.
const WINDOW_INLINE: usize = 4;
/// Maximum length of a window: one bit of [`Sequence::flagged`] each.
const WINDOW_MAX: usize = 64;

impl Sequence {
    /// A sequence that has learned nothing.
    pub fn new(options: &LadOptions) -> Self {
        Self {
            window: SmallVec::with_capacity(options.window_size.min(WINDOW_MAX)),
            flagged: 0,
            seen: 0,
            store: match options.mode {
                Mode::Symbolic => Store::Symbolic(WindowStore::default()),
                Mode::Paper => Store::Paper(PaperStore::default()),
            },
        }
    }

    /// Number of records so far.
    pub(super) fn seen(&self) -> u64 {
        self.seen
    }

    /// Touches the memory that the next record is going to need.
    pub(super) fn prefetch(&self) {
        if let Store::Symbolic(store) = &self.store {
            store.prefetch();
        }
    }

    /// Takes the next record: its log key, the severity of its text (0 to 1), and whether that is a failure. `options` are those
    /// that it was created with.
    pub fn observe(
        &mut self,
        options: &LadOptions,
        key: u64,
        severity: f64,
        failure: bool,
    ) -> Step {
        let size = options.window_size.min(WINDOW_MAX);
        if self.window.len() == size {
            self.window.copy_within(1.., 0);
            self.window[size - 1] = key;
        } else {
            self.window.push(key);
        }
        self.flagged = self.flagged << 1 | u64::from(failure);
        let training = self.seen < options.training as u64;
        self.seen += 1;
        let whole = self.window.len() == size;
        match &mut self.store {
            Store::Symbolic(store) => {
                let known = whole && store.hit(&self.window);
                let learn = whole && !known && !failure;
                if learn && (training || options.push) {
                    store.learn(&self.window, options.max_windows);
                }
                Step {
                    score: if failure { severity } else { 0.0 },
                    alarm: failure,
                    novel: learn && !training,
                    training,
                }
            }
            Store::Paper(store) => {
                let nothing = Step {
                    score: 0.0,
                    alarm: false,
                    novel: false,
                    training,
                };
                if training || !whole {
                    if whole {
                        store.push(&self.window, false, options.max_windows);
                    }
                    return nothing;
                }
                let distance = store.distance(&self.window, options.similarity_threshold);
                if distance <= options.anomaly_threshold {
                    return Step {
                        score: distance,
                        ..nothing
                    };
                }
                let within = u64::MAX >> (WINDOW_MAX - size);
                let failing = self.flagged & within != 0;
                if !failing && options.push {
                    store.push(&self.window, true, options.max_windows);
                }
                Step {
                    score: if failing { 1.0 } else { 0.0 },
                    alarm: failing,
                    novel: !failing,
                    ..nothing
                }
            }
        }
    }

    /// Forgets what was learned from records with `key`, which report a failure after all.
    pub fn unlearn(&mut self, key: u64) {
        match &mut self.store {
            Store::Symbolic(store) => store.unlearn(key),
            Store::Paper(store) => store.unlearn(key),
        }
    }

    /// Whether the next record still belongs to the training.
    pub fn is_training(&self, options: &LadOptions) -> bool {
        self.seen < options.training as u64
    }

    /// The log keys of the window, oldest first.
    pub(super) fn window(&self) -> &[u64] {
        &self.window
    }

    /// Number of known windows.
    pub fn windows(&self) -> usize {
        match &self.store {
            Store::Symbolic(store) => store.len(),
            Store::Paper(store) => store.len(),
        }
    }

    /// Approximate memory outside of itself in bytes.
    pub fn bytes(&self) -> usize {
        let size = self.window.capacity();
        let window = match self.window.spilled() {
            true => allocation(size * size_of::<u64>()),
            false => 0,
        };
        window
            + match &self.store {
                Store::Symbolic(store) => store.bytes(),
                Store::Paper(store) => store.bytes(size),
            }
    }

    /// Whether a restored sequence is one that could have been saved with these options.
    pub(super) fn is_valid(&self, options: &LadOptions) -> bool {
        let size = options.window_size;
        self.window.len() as u64 == self.seen.min(size as u64)
            && match &self.store {
                Store::Symbolic(store) => options.mode == Mode::Symbolic && store.is_valid(size),
                Store::Paper(store) => options.mode == Mode::Paper && store.is_valid(size),
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(settings: &[(&str, &str)]) -> LadOptions {
        let mut options = LadOptions::default();
        for (name, value) in [("window_size", "2"), ("training", "4")]
            .iter()
            .chain(settings)
        {
            options.set(name, value).unwrap();
        }
        options.validate().unwrap();
        options
    }

    /// The steps of a sequence of (key, whether it is a failure).
    fn steps(options: &LadOptions, records: &[(u64, bool)]) -> Vec<Step> {
        let mut sequence = Sequence::new(options);
        let mut observe = |&(key, failure)| {
            let severity = if failure { 0.8 } else { 0.1 };
            sequence.observe(options, key, severity, failure)
        };
        records.iter().map(&mut observe).collect()
    }

    const CALM: [(u64, bool); 4] = [(100, false), (200, false), (100, false), (200, false)];

    #[test]
    fn symbolic_mode_scores_by_text_and_counts_unknown_windows() {
        let mut records = CALM.to_vec();
        records.extend([
            (100, false),
            (999, true),
            (200, false),
            (100, false),
            (100, false),
        ]);
        let steps = steps(&options(&[]), &records);
        let scores: Vec<f64> = steps.iter().map(|s| s.score).collect();
        assert_eq!(scores, [0.0, 0.0, 0.0, 0.0, 0.0, 0.8, 0.0, 0.0, 0.0]);
        let novel: Vec<bool> = steps.iter().map(|s| s.novel).collect();
        assert_eq!(
            novel,
            [false, false, false, false, false, false, true, false, true]
        );
        assert!(steps[3].training && !steps[4].training);
    }

    #[test]
    fn a_failure_during_training_is_reported_and_never_learned() {
        let records = [
            (1, false),
            (9, true),
            (1, false),
            (9, true),
            (1, false),
            (9, true),
            (1, false),
        ];
        let options = options(&[]);
        let steps = steps(&options, &records);
        assert!(steps[1].alarm && steps[1].training);
        let mut sequence = Sequence::new(&options);
        for (key, failure) in records {
            sequence.observe(&options, key, 1.0, failure);
        }
        assert_eq!(sequence.windows(), 1, "only the one that ends well");
    }

    #[test]
    fn renumbering_the_keys_changes_nothing_in_symbolic_mode() {
        let mut random = 3_u64;
        let mut next = |below: u64| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 33) % below
        };
        let records: Vec<(u64, bool)> =
            (0..5_000).map(|_| next(40)).map(|k| (k, k == 39)).collect();
        // Multiplication by an odd factor is a bijection.
        let renumbered: Vec<_> = records
            .iter()
            .map(|&(k, f)| ((k + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15), f))
            .collect();
        let options = options(&[("max_windows", "300"), ("window_size", "3")]);
        assert_eq!(steps(&options, &records), steps(&options, &renumbered));
    }

    #[test]
    fn paper_mode_considers_the_text_only_of_windows_far_from_all_known_ones() {
        let paper = |settings: &[(&str, &str)], records: &[(u64, bool)]| {
            let settings = [&[("mode", "paper")], settings].concat();
            let all = [&CALM, records].concat();
            let steps = steps(&options(&settings), &all);
            steps[4..].iter().map(|s| s.score).collect::<Vec<_>>()
        };
        // [200, 110] is 10/300 from [200, 100]: similar. [110, 230] is 40/300: no anomaly, whatever the text.
        assert_eq!(
            paper(&[], &[(110, false), (230, true)]),
            [10.0 / 300.0, 40.0 / 300.0]
        );
        // Far, and with a record that reports a failure or without.
        assert_eq!(paper(&[], &[(500, true), (500, false)]), [1.0, 1.0]);
        assert_eq!(paper(&[], &[(500, false), (500, true)]), [0.0, 1.0]);
        // A pushed window is known when it repeats, failure or not.
        let again = [(500, false), (200, false), (500, true)];
        assert_eq!(paper(&[("push", "true")], &again)[2], 0.0);
        assert_eq!(paper(&[("push", "false")], &again)[2], 1.0);
    }

    #[test]
    fn paper_mode_trains_on_the_windows_of_the_first_records_only() {
        let options = options(&[("mode", "paper")]);
        let mut sequence = Sequence::new(&options);
        for key in [1, 20, 300, 4_000] {
            assert_eq!(sequence.observe(&options, key, 1.0, true).score, 0.0);
        }
        assert_eq!(sequence.windows(), 3);
    }
}
