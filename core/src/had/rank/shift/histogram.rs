//! A histogram of the base, and the rank of a sample in it.

use super::{BINS, MISSING, RANK_ONE};

/// Bins per block.
const BLOCK: usize = 8;

/// Number of samples per bin, at most 255 in total, so that every count and every sum of counts fits into a byte.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    bins: [u8; BINS],
    /// The same by blocks of [`BLOCK`] bins.
    blocks: [u8; BINS / BLOCK],
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            bins: [0; BINS],
            blocks: [0; BINS / BLOCK],
        }
    }
}

impl Histogram {
    pub(super) fn add(&mut self, bin: u8) {
        let bin = usize::from(bin) % BINS;
        self.bins[bin] += 1;
        self.blocks[bin / BLOCK] += 1;
    }

    fn remove(&mut self, bin: u8) {
        let bin = usize::from(bin) % BINS;
        self.bins[bin] -= 1;
        self.blocks[bin / BLOCK] -= 1;
    }

    /// Number of samples in bins below `bin`: the blocks below its own, and the lower bins of its own. Adds eight bytes at a time
    /// within a word (no sum of at most 255 overflows), without a branch on the data.
    fn count_below(&self, bin: usize) -> u32 {
        let block = bin / BLOCK;
        let blocks = u128::from_le_bytes(self.blocks) & ((1 << (8 * block)) - 1);
        let own: [u8; BLOCK] = self.bins[block * BLOCK..][..BLOCK]
            .try_into()
            .expect("a block of bins");
        let own = u64::from_le_bytes(own) & ((1 << (8 * (bin % BLOCK))) - 1);
        let lanes = (blocks as u64) + ((blocks >> 64) as u64) + own;
        (lanes.wrapping_mul(0x0101_0101_0101_0101) >> 56) as u32
    }

    /// Removes the sample in bin `leave` and adds the one in bin `enter`; each may be [`MISSING`]. Returns the ranks, among the
    /// `count` samples that it then holds, of one bin below and one bin above `bin`: the share below plus half the share equal.
    /// This dead band of one bin on either side keeps ties and rounding from counting as change.
    ///
    /// Wide loads come before stores to single bytes of the same words; otherwise they would stall (no store forwarding).
    pub(super) fn turn(&mut self, leave: u8, enter: u8, bin: usize, count: u16) -> [u8; 2] {
        let (low, high) = (bin.saturating_sub(1), (bin + 1).min(BINS - 1));
        let below_low = self.count_below(low);
        let at = |b: usize| u32::from(self.bins[b]);
        // From `low` up to, but not including, `high`: two bins, or one at either end.
        let between = at(low) + if high - low == 2 { at(low + 1) } else { 0 };
        let twice_low = 2 * below_low + at(low);
        let twice_high = 2 * (below_low + between) + at(high);
        // Removes first and adds afterwards: 255 equal samples fill a byte.
        if leave != MISSING {
            self.remove(leave);
        }
        if enter != MISSING {
            self.add(enter);
        }
        let unit = RANK_UNITS[usize::from(count)];
        let rank = |twice: u32, edge: usize| {
            let twice = twice + weight(enter, edge) - weight(leave, edge);
            ((twice * unit + (1 << 15)) >> 16) as u8
        };
        [rank(twice_low, low), rank(twice_high, high)]
    }
}

/// The weight of a sample in bin `b`: 2 below `edge`, 1 in `edge`, 0 above; [`MISSING`] is above all.
fn weight(b: u8, edge: usize) -> u32 {
    u32::from(usize::from(b) < edge) + u32::from(usize::from(b) <= edge)
}

/// Half a sample's share of a rank of 0 to 255, by number of samples, in units of 1/65536: replaces a division by a
/// multiplication.
const RANK_UNITS: [u32; 256] = {
    let mut units = [0; 256];
    let mut count = 1;
    while count < 256 {
        units[count] = ((RANK_ONE as u32) << 16) / (2 * count as u32);
        count += 1;
    }
    units
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counting_below_a_bin_is_the_plain_sum() {
        let mut histogram = Histogram::default();
        let check = |histogram: &Histogram| {
            for bin in 0..BINS {
                let plain: u32 = histogram.bins[..bin].iter().map(|h| u32::from(*h)).sum();
                assert_eq!(histogram.count_below(bin), plain, "{bin}");
            }
        };
        for i in 0..255u32 {
            histogram.add((i * 37 % 128) as u8);
        }
        check(&histogram);
        for i in 0..255u32 {
            histogram.remove((i * 37 % 128) as u8);
        }
        assert_eq!(histogram.count_below(127), 0);
        for bin in [0, 7, 8, 126, 127] {
            let mut one = Histogram::default();
            (0..255).for_each(|_| one.add(bin));
            check(&one);
        }
    }
}
