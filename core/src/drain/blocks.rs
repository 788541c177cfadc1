//! A text 64 bytes at a time, with a bit for each byte that has a property.

/// Bytes that are looked at together.
pub(super) const BLOCK: usize = u64::BITS as usize;

/// Where the blocks of so many bytes begin; behind the last byte there is always one byte more.
#[inline]
pub(super) fn starts(len: usize) -> impl Iterator<Item = usize> {
    (0..=len).step_by(BLOCK)
}

/// The block of `bytes` that begins at `from`, with blanks behind the last byte; `room` is for those.
#[inline]
pub(super) fn block<'a>(
    bytes: &'a [u8],
    from: usize,
    room: &'a mut [u8; BLOCK],
) -> &'a [u8; BLOCK] {
    let rest = &bytes[from..];
    rest.first_chunk().unwrap_or_else(|| {
        *room = [b' '; BLOCK];
        room[..rest.len()].copy_from_slice(rest);
        room
    })
}

/// One bit for each byte, all of which are 0 or 1.
#[inline]
pub(super) fn bits(bytes: &[u8; BLOCK]) -> u64 {
    // The product has the lowest bit of byte i at 56 + i.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bytes.as_chunks();
    eights.iter().enumerate().fold(0, |bits, (at, &eight)| {
        bits | (u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56) << (8 * at)
    })
}

/// The place of the lowest bit, which is taken from `bits`.
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
    fn every_byte_is_in_one_block_and_a_blank_follows_the_last() {
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
