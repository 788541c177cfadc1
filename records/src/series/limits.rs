//! Limits on what is read of a recording, so that no file can fill the memory.

use std::io::{Error, ErrorKind, Read, Result};

/// The longest line of a CSV file, bytes.
pub const LINE_BYTES_MAX: u64 = 16 << 20;
/// The most bytes of a file that is read as a whole, decompressed.
pub const WHOLE_BYTES_MAX: u64 = 1 << 30;
/// The most samples of a recording that is held in memory.
pub const SAMPLES_MAX: usize = 1 << 26;
/// The highest number of a row: those of later rows are not distinct in floating point any more.
pub const LAST_ROW: u64 = 1 << 40;

/// A reader that refuses lines that are too long.
pub struct ShortLines<R> {
    reader: R,
    /// Bytes since the last end of a line.
    length: u64,
}

impl<R: Read> ShortLines<R> {
    /// Reads `reader`.
    pub fn new(reader: R) -> Self {
        Self { reader, length: 0 }
    }
}

impl<R: Read> Read for ShortLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.reader.read(buffer)?;
        match memchr::memrchr(b'\n', &buffer[..count]) {
            Some(at) => self.length = (count - at - 1) as u64,
            None => self.length += count as u64,
        }
        if self.length > LINE_BYTES_MAX {
            return Err(Error::new(
                ErrorKind::InvalidData,
                format!(
                    "a line is longer than {} MiB: it is no recording of metrics",
                    LINE_BYTES_MAX >> 20
                ),
            ));
        }
        Ok(count)
    }
}

/// A reader that refuses what is too long to be held in memory.
pub struct Whole<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Whole<R> {
    /// Reads `reader`.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            left: WHOLE_BYTES_MAX,
        }
    }
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidData,
                format!(
                    "it is longer than {} GiB, and this form is read as a whole: record fewer days or hypervisors in a file",
                    WHOLE_BYTES_MAX >> 30
                ),
            )
        })?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn a_line_without_an_end_is_refused() {
        let endless = io::repeat(b'1').take(LINE_BYTES_MAX + (1 << 20));
        let error = io::copy(&mut ShortLines::new(endless), &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("16 MiB"), "{error}");
        let lines = b"1,2\n".repeat(100_000);
        let count = io::copy(&mut ShortLines::new(&lines[..]), &mut io::sink()).unwrap();
        assert_eq!(count, 400_000);
    }

    #[test]
    fn a_file_that_is_read_as_a_whole_has_a_limit() {
        let mut reader = Whole::new(io::repeat(b'1'));
        reader.left = 1 << 20;
        let error = io::copy(&mut reader, &mut io::sink()).unwrap_err();
        assert!(error.to_string().contains("longer than 1 GiB"), "{error}");
    }
}
