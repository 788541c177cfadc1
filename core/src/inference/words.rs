//! Finds the beginnings of words, eight bytes at a time (SIMD within a register).

const ONES: u64 = u64::MAX / 255;
/// The highest bit of each byte.
const HIGH: u64 = ONES * 0x80;

/// Whether `byte` is a word character: a letter, a digit, the underscore, or not ASCII.
#[inline]
pub(super) fn in_word(byte: u8) -> bool {
    const WORD: [bool; 256] = {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 256 {
            let b = byte as u8;
            table[byte] = b.is_ascii_alphanumeric() || b == b'_' || !b.is_ascii();
            byte += 1;
        }
        table
    };
    WORD[byte as usize]
}

/// Calls `begin` with the offset of every word of `text`, in order, until it returns false.
#[inline]
pub(super) fn begins(text: &[u8], mut begin: impl FnMut(usize) -> bool) {
    // The highest bit of the lowest byte: whether the byte before belongs to a word.
    let mut before = 0;
    let mut base = 0;
    while base < text.len() {
        let bytes = match text.get(base..base + 8) {
            Some(eight) => u64::from_le_bytes(eight.try_into().expect("eight bytes")),
            // Padded with zeros, at which no word begins.
            None => {
                let mut eight = [0; 8];
                eight[..text.len() - base].copy_from_slice(&text[base..]);
                u64::from_le_bytes(eight)
            }
        };
        let words = words(bytes);
        let mut places = words & !(words << 8 | before);
        before = words >> 56;
        while places != 0 {
            if !begin(base + (places.trailing_zeros() / 8) as usize) {
                return;
            }
            places &= places - 1;
        }
        base += 8;
    }
}

/// Of eight bytes, how many word characters come before the first other.
#[inline]
pub(super) fn length(bytes: u64) -> usize {
    (!words(bytes) & HIGH).trailing_zeros() as usize / 8
}

/// The highest bit of each of eight bytes that is a word character.
#[inline]
fn words(bytes: u64) -> u64 {
    let low = bytes & !HIGH;
    // No sum of the lower seven bits carries into the next byte.
    let within = |low: u64, from: u8, to: u8| {
        (low + ONES * u64::from(0x80 - from)) & !(low + ONES * u64::from(0x7f - to))
    };
    let letter = within(low | (ONES * 0x20), b'a', b'z');
    let digit = within(low, b'0', b'9');
    let underscore = within(low, b'_', b'_');
    (letter | digit | underscore | bytes) & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_the_same_class_alone_and_among_eight() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                let mut eight = [b'.'; 8];
                eight[at] = byte;
                let bytes = u64::from_le_bytes(eight);
                let bit = |on: bool| u64::from(on) << (8 * at + 7);
                assert_eq!(words(bytes), bit(in_word(byte)), "{byte:#x} at {at}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn words_begin_where_none_continues(text in "[a-zA-Z0-9_ .:éü\\[\t\u{0}]{0,40}") {
            let bytes = text.as_bytes();
            let begin = |at: usize| in_word(bytes[at]) && (at == 0 || !in_word(bytes[at - 1]));
            let plain: Vec<usize> = (0..bytes.len()).filter(|&at| begin(at)).collect();
            let mut found = Vec::new();
            begins(bytes, |at| {
                found.push(at);
                true
            });
            proptest::prop_assert_eq!(found, plain);
        }
    }
}
