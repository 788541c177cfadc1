//! The lines of a text whatever its encoding: UTF-8 and UTF-16, with and without a byte order mark, with the holes that a crash leaves.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result};

use memchr::memchr2;

/// Lines are cut to this length, bytes.
pub const LINE_MAX_BYTES: usize = 1 << 20;
/// Lines of JSON are cut to this length, bytes: a batch of records may be one line.
pub const JSON_MAX_BYTES: usize = 1 << 24;
/// The begin of a binary file of systemd's journal.
const JOURNAL_MAGIC: &[u8] = b"LPKSHHRH";
/// Where a tar archive has its mark.
const TAR_MARK: std::ops::Range<usize> = 257..262;
/// With NUL bytes and without a line feed in as many bytes, a file holds no text.
const LINELESS_MAX_BYTES: usize = 4096;
/// One in so many bytes that no text has makes a file a binary one.
const RUBBISH_SHARE: usize = 10;

/// What a content that is refused is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// A binary file of systemd's journal.
    Journal,
    /// A tar archive.
    Tar,
    /// No text.
    Binary,
}

/// Why the content that begins with `head` is refused, if it is.
pub fn refused(head: &[u8]) -> Option<Refused> {
    if head.starts_with(JOURNAL_MAGIC) {
        return Some(Refused::Journal);
    }
    if head.get(TAR_MARK) == Some(b"ustar") {
        return Some(Refused::Tar);
    }
    // An export of a journal holds binary fields among the lines; UTF-16 is text.
    if head.starts_with(b"__") || utf16(head).is_some() {
        return None;
    }
    let nul = head.iter().filter(|byte| **byte == 0).count();
    let invalid: usize = head.utf8_chunks().map(|chunk| chunk.invalid().len()).sum();
    let control = |byte: &&u8| matches!(byte, 1..=8 | 14..=26 | 28 | 29 | 31 | 127);
    let rubbish = invalid + head.iter().filter(control).count();
    let is_lineless =
        nul > 0 && head.len() >= LINELESS_MAX_BYTES && nul < head.len() && !head.contains(&b'\n');
    (is_lineless || rubbish * RUBBISH_SHARE > head.len() - nul).then_some(Refused::Binary)
}

/// The byte order of UTF-16, by its mark or by where the zero bytes of its letters are: whether the low byte comes first.
fn utf16(head: &[u8]) -> Option<bool> {
    match head {
        [0xff, 0xfe, ..] => return Some(true),
        [0xfe, 0xff, ..] => return Some(false),
        _ => {}
    }
    let pairs = head.len() / 2;
    let zero = |at: usize| {
        head.iter()
            .skip(at)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd) = (zero(0), zero(1));
    let most = |many: usize, few: usize| pairs >= 8 && many * 10 > pairs * 8 && few * 10 < pairs;
    if most(odd, even) {
        return Some(true);
    }
    most(even, odd).then_some(false)
}

/// UTF-16 as UTF-8.
struct FromUtf16 {
    reader: Box<dyn BufRead>,
    low_first: bool,
    /// The first half of a character that takes two units.
    half: Option<u16>,
    /// UTF-8 that was not read yet.
    decoded: Vec<u8>,
    at: usize,
}

impl FromUtf16 {
    /// Decodes what is there; `false` at the end.
    fn decode(&mut self) -> Result<bool> {
        let mut units = Vec::new();
        while units.is_empty() {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            let unit = |pair: &[u8]| match self.low_first {
                true => u16::from_le_bytes([pair[0], pair[1]]),
                false => u16::from_be_bytes([pair[0], pair[1]]),
            };
            units.extend(bytes.chunks_exact(2).map(unit));
            let length = units.len() * 2;
            self.reader.consume(length);
            if length == 0 {
                // A unit on the border of two reads, or half of one at the end.
                let mut pair = [0; 2];
                match self.reader.read_exact(&mut pair) {
                    Ok(()) => units.push(if self.low_first {
                        u16::from_le_bytes(pair)
                    } else {
                        u16::from_be_bytes(pair)
                    }),
                    Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
                    Err(error) => return Err(error),
                }
            }
        }
        let is_end = units.is_empty();
        if let Some(half) = self.half.take() {
            units.insert(0, half);
        }
        if !is_end
            && units
                .last()
                .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
        {
            self.half = units.pop();
        }
        self.decoded.clear();
        self.at = 0;
        let mut utf8 = [0; 4];
        for character in char::decode_utf16(units) {
            let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.decoded
                .extend(character.encode_utf8(&mut utf8).bytes());
        }
        Ok(!is_end || !self.decoded.is_empty())
    }
}

impl Read for FromUtf16 {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        while self.at == self.decoded.len() {
            if !self.decode()? {
                return Ok(0);
            }
        }
        let length = buffer.len().min(self.decoded.len() - self.at);
        buffer[..length].copy_from_slice(&self.decoded[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

/// The lines of a text.
pub struct Lines {
    reader: Box<dyn BufRead>,
    /// Number of line feeds so far.
    number: u64,
    /// Lines that were cut.
    pub cut: u64,
    /// NUL bytes that were skipped.
    pub nul_bytes: u64,
}

impl Lines {
    /// The lines of what `reader` holds, which was not refused.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn new(mut reader: Box<dyn BufRead>) -> Result<Self> {
        let low_first = utf16(reader.fill_buf()?);
        if let Some(low_first) = low_first {
            reader = Box::new(BufReader::new(FromUtf16 {
                reader,
                low_first,
                half: None,
                decoded: Vec::new(),
                at: 0,
            }));
        }
        if reader.fill_buf()?.starts_with("\u{feff}".as_bytes()) {
            reader.consume(3);
        }
        Ok(Self {
            reader,
            number: 0,
            cut: 0,
            nul_bytes: 0,
        })
    }

    /// What comes next, as far as it is there already.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn peek(&mut self) -> Result<&[u8]> {
        self.reader.fill_buf()
    }

    /// Reads a line without its ending and returns its number, from 0; `None` at the end. NUL bytes end a line, too: behind the hole
    /// that a crash leaves, another begins.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn next(&mut self, line: &mut Vec<u8>) -> Result<Option<u64>> {
        line.clear();
        let number = self.number;
        let mut is_cut = false;
        loop {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                self.finish(line, is_cut);
                return Ok((!line.is_empty()).then_some(number));
            }
            let end = memchr2(b'\n', 0, bytes);
            let part = &bytes[..end.unwrap_or(bytes.len())];
            // The first bytes decide how long the line may be.
            let begin = line.len();
            line.extend(&part[..part.len().min(16_usize.saturating_sub(begin))]);
            let rest = &part[line.len() - begin..];
            let room = limit(line).saturating_sub(line.len());
            is_cut |= rest.len() > room;
            line.extend(&rest[..rest.len().min(room)]);
            let Some(end) = end else {
                let length = bytes.len();
                self.reader.consume(length);
                continue;
            };
            if bytes[end] == b'\n' {
                self.reader.consume(end + 1);
                self.number += 1;
                self.finish(line, is_cut);
                return Ok(Some(number));
            }
            let hole = bytes[end..].iter().take_while(|byte| **byte == 0).count();
            self.reader.consume(end + hole);
            self.nul_bytes += hole as u64;
            if !line.is_empty() {
                self.finish(line, is_cut);
                return Ok(Some(number));
            }
        }
    }

    fn finish(&mut self, line: &mut Vec<u8>, is_cut: bool) {
        self.cut += u64::from(is_cut);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }

    /// Reads exactly `length` bytes, of which `keep` at most are kept.
    ///
    /// # Errors
    /// What cannot be read, and an end before that.
    pub fn exactly(&mut self, length: u64, keep: usize) -> Result<Vec<u8>> {
        self.cut += u64::from(length > keep as u64);
        self.bytes(length, keep)
    }

    /// Skips a byte.
    ///
    /// # Errors
    /// What cannot be read, and the end.
    pub fn skip(&mut self) -> Result<()> {
        self.bytes(1, 0).map(drop)
    }

    fn bytes(&mut self, length: u64, keep: usize) -> Result<Vec<u8>> {
        let mut kept = Vec::new();
        let mut left = length;
        while left > 0 {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    "it ends in the middle of a record",
                ));
            }
            let part = &bytes[..bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX))];
            kept.extend(&part[..part.len().min(keep - kept.len())]);
            self.number += memchr::memchr_iter(b'\n', part).count() as u64;
            let length = part.len();
            self.reader.consume(length);
            left -= length as u64;
        }
        Ok(kept)
    }
}

/// How long a line may be that begins with these bytes.
fn limit(begin: &[u8]) -> usize {
    let is_json = matches!(begin.first(), Some(b'{' | b'\x1e'))
        || begin.starts_with(b"[{")
        || begin.starts_with(b"data: {");
    if is_json {
        JSON_MAX_BYTES
    } else {
        LINE_MAX_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    /// Gives a few bytes at a time, as a pipe may.
    struct Dripping(Cursor<Vec<u8>>, usize);

    impl Read for Dripping {
        fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
            let length = buffer.len().min(self.1);
            self.0.read(&mut buffer[..length])
        }
    }

    fn lines(content: &[u8]) -> Vec<(u64, String)> {
        let mut all = Vec::new();
        for step in [3, 1 << 16] {
            // The beginning comes at once, as it does from a file.
            let head = content.len().min(64);
            let rest = Dripping(Cursor::new(content[head..].to_vec()), step);
            let reader = BufReader::new(Cursor::new(content[..head].to_vec()).chain(rest));
            let mut lines = Lines::new(Box::new(reader)).unwrap();
            let (mut found, mut line) = (Vec::new(), Vec::new());
            while let Some(number) = lines.next(&mut line).unwrap() {
                found.push((number, String::from_utf8_lossy(&line).into_owned()));
            }
            all.push(found);
        }
        assert_eq!(all[0], all[1]);
        all.pop().unwrap()
    }

    fn texts(content: &[u8]) -> Vec<String> {
        lines(content).into_iter().map(|(_, text)| text).collect()
    }

    #[test]
    fn lines_are_read_whatever_their_bytes_and_endings() {
        assert_eq!(
            texts(b"one\r\n\xfftwo\n\nthree"),
            ["one", "\u{fffd}two", "", "three"]
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_and_the_next_one_is_whole() {
        let content = format!("one\r\n{}\n\nthree", "x".repeat(3 << 20));
        let lengths: Vec<usize> = texts(content.as_bytes()).iter().map(String::len).collect();
        assert_eq!(lengths, [3, 1 << 20, 0, 5]);
    }

    #[test]
    fn a_hole_of_nul_bytes_ends_a_line_and_keeps_its_number() {
        let content = [
            b"\0\0one\ntw".as_slice(),
            &[0; 70_000],
            b"three\nfour\n\0\0",
        ]
        .concat();
        let expected = [(0, "one"), (1, "tw"), (1, "three"), (2, "four")];
        let found = lines(&content);
        assert_eq!(
            found,
            expected.map(|(number, text)| (number, text.to_owned()))
        );
    }

    #[test]
    fn utf_16_reads_as_utf_8_and_byte_order_marks_are_dropped() {
        let text = "Nov 27 10:00:00 hv1 kernel: größer 😀 than\nnext line of the log\n".repeat(100);
        let expected = texts(text.as_bytes());
        let units: Vec<u16> = text.encode_utf16().collect();
        let low: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let high: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for content in [
            [b"\xff\xfe", &low[..]].concat(),
            [b"\xfe\xff", &high[..]].concat(),
            low,
            high,
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ] {
            assert_eq!(refused(&content), None);
            assert_eq!(texts(&content), expected);
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let journal = [b"LPKSHHRH".as_slice(), &[0; 100]].concat();
        assert_eq!(refused(&journal), Some(Refused::Journal));
        let mut tar = vec![0; 512];
        tar[..3].copy_from_slice(b"a.t");
        tar[TAR_MARK].copy_from_slice(b"ustar");
        assert_eq!(refused(&tar), Some(Refused::Tar));
        let noise: Vec<u8> = (0..10_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        assert_eq!(refused(&noise), Some(Refused::Binary));
        let logins = [b"\x07\0\0\0\x2f\x03\0\0tty1".as_slice(), &[0; 372]]
            .concat()
            .repeat(20);
        assert_eq!(refused(&logins), Some(Refused::Binary));
        for text in [
            "",
            "plain\n",
            "gr\u{f6}\u{df}er\n",
            "\u{1b}[31mred\u{1b}[0m\n",
            "\u{1e}{\"a\":1}\n",
        ] {
            assert_eq!(refused(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(refused(b"caf\xe9 in Latin-1\n"), None);
        assert_eq!(refused(&[&[0; 9000], b"text\n".as_slice()].concat()), None);
    }
}
