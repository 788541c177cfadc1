//! The dynamic filter: drops change points of a VM that is settling down (lecture, "Dynamic Filtering").

use serde::{Deserialize, Serialize};

use crate::memory::allocation;

/// How often one VM exceeded the threshold recently, and how often just before that.
///
/// A ring of the last `2 half` samples, one bit each, with a running count for each half.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Filter {
    bits: Box<[u64]>,
    half: u32,
    at: u32,
    full: bool,
    older: u32,
    newer: u32,
}

impl Filter {
    /// Memory outside of itself in bytes.
    pub fn bytes(&self) -> usize {
        allocation(size_of_val(&*self.bits))
    }

    /// A filter whose halves have `half` samples each; at least one.
    pub fn new(half: usize) -> Self {
        let half = half.max(1);
        Self {
            bits: vec![0; (2 * half).div_ceil(64)].into(),
            half: half as u32,
            at: 0,
            full: false,
            older: 0,
            newer: 0,
        }
    }

    /// Whether a restored state is that of a filter with `half` samples per half.
    pub fn is_valid(&self, half: usize) -> bool {
        let half = half.max(1);
        self.half as usize == half
            && self.bits.len() == (2 * half).div_ceil(64)
            && (self.at as usize) < 2 * half
            && [self.older, self.newer].into_iter().eq(self.recount())
    }

    /// The counts of the older and of the newer half, from the bits.
    fn recount(&self) -> [u32; 2] {
        let count = |from: u32, samples: u32| {
            (from..from + samples)
                .map(|at| self.bit(at % (2 * self.half)))
                .sum()
        };
        [
            count(self.at, self.half),
            count(self.at + self.half, self.half),
        ]
    }

    fn bit(&self, at: u32) -> u32 {
        (self.bits[at as usize / 64] >> (at % 64)) as u32 & 1
    }

    /// Takes whether a sample exceeds the threshold.
    #[inline]
    pub fn push(&mut self, above: bool) {
        let middle = if self.at < self.half {
            self.at + self.half
        } else {
            self.at - self.half
        };
        let (ageing, leaving) = (self.bit(middle), self.bit(self.at));
        self.older = self.older + ageing - leaving;
        self.newer = self.newer + u32::from(above) - ageing;
        let word = &mut self.bits[self.at as usize / 64];
        *word = *word & !(1 << (self.at % 64)) | u64::from(above) << (self.at % 64);
        self.at += 1;
        if self.at == 2 * self.half {
            self.at = 0;
            self.full = true;
        }
    }

    /// Whether to drop a change point: the ring is full, and its newer half has fewer samples above the threshold than the older
    /// one.
    #[inline]
    pub fn calms_down(&self) -> bool {
        self.full && self.newer < self.older
    }

    /// Share of the older half that was above the threshold, 0 to 1.
    pub fn past_share(&self) -> f64 {
        f64::from(self.older) / f64::from(self.half)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_kept_counts_are_those_counted_from_scratch(half in 1usize..70, above in prop::collection::vec(any::<bool>(), 1..400)) {
            let mut filter = Filter::new(half);
            for (i, &bit) in above.iter().enumerate() {
                filter.push(bit);
                let seen = &above[..=i];
                let count = |part: &[bool]| part.iter().filter(|&&b| b).count();
                let newer = count(&seen[seen.len().saturating_sub(half)..]);
                let older = count(&seen[seen.len().saturating_sub(2 * half)..seen.len().saturating_sub(half)]);
                prop_assert_eq!(filter.calms_down(), seen.len() >= 2 * half && newer < older);
                prop_assert_eq!(filter.past_share(), older as f64 / half as f64);
            }
        }
    }

    #[test]
    fn nothing_is_dropped_before_the_queue_is_full() {
        let mut filter = Filter::new(2);
        for (above, drops) in [(true, false), (true, false), (false, false), (true, true)] {
            filter.push(above);
            assert_eq!(filter.calms_down(), drops);
        }
    }
}
