//! How many samples of the base fall into each bin, and the rank of a sample among them.

use super::{BINS, MISSING, RANK_ONE};

/// Bins that a block counts together.
const BLOCK: usize = 8;

/// How many samples fall into each bin, at most 255 in all, so that every count, and every sum of counts, fits a byte.
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

    /// How many samples are in bins below `bin`: the blocks below its own, and what is below it in its own. Bytes are added
    /// eight at a time within a word, which no sum of at most 255 overflows, and no branch depends on the data.
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

    /// Lets the sample in bin `leave` go and takes the one in bin `enter`, either of which may be [`MISSING`]. Gives the ranks
    /// of `bin` among the `count` samples that it then holds, one bin below and one bin above it: the share below plus half the
    /// share equal. The bin of dead band on either side keeps ties and rounding from counting as change.
    ///
    /// What is read together is read before single bytes of it are written: the other way round the processor would have to
    /// wait for them.
    pub(super) fn turn(&mut self, leave: u8, enter: u8, bin: usize, count: u16) -> [u8; 2] {
        let (low, high) = (bin.saturating_sub(1), (bin + 1).min(BINS - 1));
        let below_low = self.count_below(low);
        let at = |b: usize| u32::from(self.bins[b]);
        // From `low` up to, but not including, `high`: two bins, or one at either end.
        let between = at(low) + if high - low == 2 { at(low + 1) } else { 0 };
        let twice_low = 2 * below_low + at(low);
        let twice_high = 2 * (below_low + between) + at(high);
        // First out, then in: 255 equal samples fill a byte.
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

/// How often a sample in bin `b` counts where those below `edge` count twice and those in it once; [`MISSING`] is above all.
fn weight(b: u8, edge: usize) -> u32 {
    u32::from(usize::from(b) < edge) + u32::from(usize::from(b) <= edge)
}

/// What half a sample of so many counts in a rank of 0 to 255, in 1/65536: a multiplication instead of a division.
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
