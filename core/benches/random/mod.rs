//! Lines that never repeat.

/// Marsaglia's xorshift.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// Sets `line` to random words with letters out of 16.
    pub fn words(&mut self, words: u32, letters: u32, line: &mut String) {
        line.clear();
        for _ in 0..words {
            let word = self.next();
            line.extend((0..letters).map(|i| char::from(b'g' + ((word >> (4 * i)) & 15) as u8)));
            line.push(' ');
        }
    }
}
