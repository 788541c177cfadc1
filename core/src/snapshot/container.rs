//! The container format of a snapshot.
//!
//! | Bytes | Content (numbers are little-endian) |
//! | --- | --- |
//! | 8 | `BELLWTHR` |
//! | 4 | version of the container, [`CONTAINER_VERSION`] |
//! | 4 | tag of the detector |
//! | 4 | version of the detector's state |
//! | n | the state |
//! | 8 | n |
//! | 4 | CRC-32 of all bytes before |
//!
//! Version 1 had n and the CRC-32 of the state instead of the version of the state, which was 1, and nothing after the state.

use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};

use super::{Reader, Saved, Tag, Unusable};

/// The first bytes of every snapshot.
const MAGIC: [u8; 8] = *b"BELLWTHR";
/// The version of the container that is written.
pub const CONTAINER_VERSION: u32 = 2;
/// Length of the header in bytes.
pub const HEAD_BYTES: usize = 20;
/// Length of the header in version 1.
const HEAD_BYTES_V1: usize = 28;
/// Length of the trailer in bytes.
const TAIL_BYTES: usize = 12;
/// Bytes that are read or checked at once.
const BUFFER_BYTES: usize = 64 << 10;

/// A writer that computes the checksum of what it passes on.
struct ChecksumWriter<W> {
    out: W,
    sum: crc32fast::Hasher,
    length: u64,
}

impl<W: Write> Write for ChecksumWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.sum.update(&bytes[..count]);
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Writes a snapshot of `detector`.
pub(super) fn write<T: Saved>(detector: &T, out: &mut dyn Write) -> io::Result<()> {
    let mut out = ChecksumWriter {
        out,
        sum: crc32fast::Hasher::new(),
        length: 0,
    };
    let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, &mut out);
    buffered.write_all(&MAGIC)?;
    buffered.write_all(&CONTAINER_VERSION.to_le_bytes())?;
    buffered.write_all(&T::TAG)?;
    buffered.write_all(&T::VERSION.to_le_bytes())?;
    detector.write_state(&mut buffered)?;
    buffered.flush()?;
    drop(buffered);
    let state = out.length - HEAD_BYTES as u64;
    out.write_all(&state.to_le_bytes())?;
    let sum = out.sum.clone().finalize();
    out.write_all(&sum.to_le_bytes())?;
    out.flush()
}

/// The position of the state in a snapshot that was checked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    /// The version of the state.
    version: u32,
    /// Offset of the state in bytes.
    start: u64,
    /// Its length.
    length: u64,
}

/// Checks the header of a snapshot, then its length and checksum. Stores nothing of what it reads.
pub(super) fn check<T: Saved>(input: &mut (impl Read + Seek)) -> Result<Head, Unusable> {
    let unreadable = |error: io::Error| Unusable::Unreadable(error.to_string());
    let length = input.seek(SeekFrom::End(0)).map_err(unreadable)?;
    input.rewind().map_err(unreadable)?;
    let mut bytes = [0; HEAD_BYTES_V1];
    let short = Unusable::Short { bytes: length };
    let mut take = |count: usize| match input.read_exact(&mut bytes[..count]) {
        Ok(()) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(short.clone()),
        Err(error) => Err(unreadable(error)),
    };
    let word = |bytes: &[u8]| u32::from_le_bytes(bytes[..4].try_into().expect("four bytes"));
    let long = |bytes: &[u8]| u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"));

    let head = take(16)?;
    if head[..8] != MAGIC {
        return Err(Unusable::Foreign);
    }
    let container = word(&head[8..]);
    if !(1..=CONTAINER_VERSION).contains(&container) {
        return Err(Unusable::Version {
            of: "container",
            found: container,
            oldest: 1,
            newest: CONTAINER_VERSION,
        });
    }
    let tag: Tag = head[12..16].try_into().expect("four bytes");
    if tag != T::TAG {
        return Err(Unusable::OtherDetector {
            found: tag,
            wanted: T::TAG,
        });
    }
    // The version of the state, its offset, the length of the trailer, and for version 1 the stored length and checksum.
    let (version, start, tail, stored) = if container == 1 {
        let rest = take(12)?;
        (1, HEAD_BYTES_V1, 0, Some((long(&rest), word(&rest[8..]))))
    } else {
        let rest = take(4)?;
        (word(&rest), HEAD_BYTES, TAIL_BYTES, None)
    };
    if !(T::OLDEST..=T::VERSION).contains(&version) {
        return Err(Unusable::Version {
            of: "state",
            found: version,
            oldest: T::OLDEST,
            newest: T::VERSION,
        });
    }
    let state = length.checked_sub((start + tail) as u64).ok_or(short)?;
    let head = Head {
        version,
        start: start as u64,
        length: state,
    };

    let mut sum = crc32fast::Hasher::new();
    let (expected, stored_sum) = match stored {
        Some((stored_length, stored_sum)) => {
            if stored_length != state {
                return Err(Unusable::Length {
                    found: state,
                    expected: stored_length,
                });
            }
            update_checksum(input, state, &mut sum).map_err(unreadable)?;
            (state, stored_sum)
        }
        None => {
            input.rewind().map_err(unreadable)?;
            update_checksum(input, length - TAIL_BYTES as u64, &mut sum).map_err(unreadable)?;
            let mut tail = [0; TAIL_BYTES];
            input.read_exact(&mut tail).map_err(unreadable)?;
            sum.update(&tail[..8]);
            (long(&tail), word(&tail[8..]))
        }
    };
    if sum.finalize() != stored_sum {
        return Err(Unusable::Checksum);
    }
    if expected != state {
        return Err(Unusable::Length {
            found: state,
            expected,
        });
    }
    Ok(head)
}

/// Adds the next `length` bytes to a checksum.
fn update_checksum(
    input: &mut impl Read,
    length: u64,
    sum: &mut crc32fast::Hasher,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES.min(usize::try_from(length).unwrap_or(BUFFER_BYTES))];
    let mut left = length;
    while left > 0 {
        let count = buffer
            .len()
            .min(usize::try_from(left).unwrap_or(usize::MAX));
        input.read_exact(&mut buffer[..count])?;
        sum.update(&buffer[..count]);
        left -= count as u64;
    }
    Ok(())
}

/// The detector in a snapshot that was [checked](check), with the options of `detector`.
pub(super) fn read<T: Saved>(
    detector: &T,
    head: &Head,
    input: &mut (impl Read + Seek),
) -> Result<T, Unusable> {
    let sought = input.seek(SeekFrom::Start(head.start));
    sought.map_err(|error| Unusable::Unreadable(error.to_string()))?;
    let mut buffered = io::BufReader::with_capacity(BUFFER_BYTES, input);
    detector.read_state(head.version, Reader::new(&mut buffered, head.length))
}
