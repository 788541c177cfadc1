//! A text in blocks of 64 bytes, with a bitset of the bytes that have a property.

/// Bytes in a block.
pub(super) const BLOCK: usize = u64::BITS as usize;

/// The offsets of the blocks of a text of `len` bytes; there is always at least one byte after the last one.
#[inline]
pub(super) fn starts(len: usize) -> impl Iterator<Item = usize> {
    (0..=len).step_by(BLOCK)
}

/// The block of `bytes` at `from`, padded with spaces; `buffer` holds a padded block.
#[inline]
pub(super) fn block<'a>(
    bytes: &'a [u8],
    from: usize,
    buffer: &'a mut [u8; BLOCK],
) -> &'a [u8; BLOCK] {
    let rest = &bytes[from..];
    rest.first_chunk().unwrap_or_else(|| {
        *buffer = [b' '; BLOCK];
        buffer[..rest.len()].copy_from_slice(rest);
        buffer
    })
}

/// The bitset of a block in which every byte is 0 or 1.
#[inline]
pub(super) fn bits(bytes: &[u8; BLOCK]) -> u64 {
    // The product has the lowest bit of byte i at position 56 + i.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bytes.as_chunks();
    eights.iter().enumerate().fold(0, |bits, (at, &eight)| {
        bits | (u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56) << (8 * at)
    })
}

/// Removes the lowest bit from `bits` and returns its position.
#[inline]
pub(super) fn take_lowest(bits: &mut u64) -> usize {
    let at = bits.trailing_zeros() as usize;
    *bits &= bits.wrapping_sub(1);
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_in_one_block_and_a_space_follows_the_last() {
        for len in [0, 1, 63, 64, 65, 128, 200] {
            let bytes: Vec<u8> = (0..len).map(|i| i as u8 | 0x80).collect();
            let mut seen: Vec<u8> = Vec::new();
            for from in starts(len) {
                assert_eq!(from, seen.len());
                seen.extend(block(&bytes, from, &mut [0; BLOCK]));
            }
            assert_eq!(seen[..len], bytes);
            assert!(seen.len() > len && seen[len..].iter().all(|&b| b == b' '));
        }
    }

    #[test]
    fn a_bit_stands_for_each_byte_and_the_lowest_comes_first() {
        let bytes = std::array::from_fn(|i| u8::from(i % 5 == 2 || i == 63));
        let mut all = bits(&bytes);
        let mut places = Vec::new();
        while all != 0 {
            places.push(take_lowest(&mut all));
        }
        let ones = (0..BLOCK).filter(|&i| bytes[i] == 1);
        assert_eq!(places, ones.collect::<Vec<_>>());
    }
}
