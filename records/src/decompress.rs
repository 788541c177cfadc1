//! Files as they were before they were compressed: gzip, xz, zstd and bzip2, recognized by their content, of one part or several.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Error, ErrorKind, Read, Result};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

/// What is read of a file at once.
const BUFFER_BYTES: usize = 1 << 16;
/// The most memory for decompressing xz, KiB: enough for what `xz -9` writes.
const XZ_MEMORY_MAX_KIB: u32 = 1 << 18;
/// The largest window of zstd: the default limit of the tool `zstd`.
const ZSTD_WINDOW_MAX_BYTES: u64 = 1 << 27;

/// The path that stands for the standard input.
pub const STDIN: &str = "-";

/// Contents that are refused: the first bytes, and what would be right.
const REFUSED: [(&[u8], &str); 7] = [
    (b"PK\x03\x04", "it is a zip archive: unpack it first"),
    (
        b"7z\xbc\xaf\x27\x1c",
        "it is a 7-Zip archive: unpack it first",
    ),
    (b"Rar!\x1a\x07", "it is a RAR archive: unpack it first"),
    (
        b"\x04\x22\x4d\x18",
        "it is compressed with lz4: decompress it first, as with lz4 -dc",
    ),
    (
        b"\x1f\x9d",
        "it is compressed with compress: decompress it first, as with gzip -dc",
    ),
    (
        b"\x89LZO",
        "it is compressed with lzop: decompress it first, as with lzop -dc",
    ),
    (
        b"LZIP",
        "it is compressed with lzip: decompress it first, as with lzip -dc",
    ),
];

/// The content of a file, decompressed; the standard input where the path is "-".
///
/// # Errors
/// A file that cannot be opened or read, and one that is an archive or compressed by another program.
pub fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    if path.as_os_str() == STDIN {
        return decompressed(BufReader::with_capacity(BUFFER_BYTES, io::stdin()));
    }
    decompressed(BufReader::with_capacity(BUFFER_BYTES, File::open(path)?))
}

/// What `reader` was before it was compressed.
fn decompressed(mut reader: impl BufRead + 'static) -> Result<Box<dyn BufRead>> {
    let head = reader.fill_buf()?;
    if let Some((_, why)) = REFUSED.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(Error::new(ErrorKind::InvalidData, *why));
    }
    let (name, reader): (_, Box<dyn Read>) = match head {
        [0x1f, 0x8b, ..] => ("gzip", Box::new(MultiGzDecoder::new(reader))),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => (
            "xz",
            Box::new(XzReader::new_mem_limit(reader, true, XZ_MEMORY_MAX_KIB)),
        ),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => ("bzip2", Box::new(MultiBzDecoder::new(reader))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            ("zstd", Box::new(Zstd::new(reader)))
        }
        _ => return Ok(Box::new(reader)),
    };
    Ok(Box::new(BufReader::with_capacity(
        BUFFER_BYTES,
        Named { name, reader },
    )))
}

/// Says of errors what could not be decompressed.
struct Named {
    name: &'static str,
    reader: Box<dyn Read>,
}

impl Read for Named {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.reader
            .read(buffer)
            .map_err(|error| match error.kind() {
                ErrorKind::Interrupted => error,
                kind => Error::new(
                    kind,
                    format!("the {} data end early or are corrupt ({error})", self.name),
                ),
            })
    }
}

/// Reads all frames of zstd, one after the other.
struct Zstd<R> {
    source: R,
    decoder: FrameDecoder,
    /// A frame is being read.
    within: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(source: R) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(ZSTD_WINDOW_MAX_BYTES);
        Self {
            source,
            decoder,
            within: false,
        }
    }

    /// Begins the next frame; `false` at the end. Frames without data are skipped.
    fn begin(&mut self) -> Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let skipped = io::copy(
                        &mut self.source.by_ref().take(u64::from(length)),
                        &mut io::sink(),
                    )?;
                    if skipped < u64::from(length) {
                        return Err(ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBlocks;
        loop {
            if !self.within {
                self.within = self.begin()?;
                if !self.within {
                    return Ok(0);
                }
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder
                    .decode_blocks(&mut self.source, UptoBlocks(1))
                    .map_err(Error::other)?;
            }
            match self.decoder.read(buffer)? {
                0 if !buffer.is_empty() => {
                    let (given, found) = (
                        self.decoder.get_checksum_from_data(),
                        self.decoder.get_calculated_checksum(),
                    );
                    if given.is_some() && given != found {
                        return Err(Error::new(ErrorKind::InvalidData, "the checksum is wrong"));
                    }
                    self.within = false;
                }
                length => return Ok(length),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    /// What a program writes that reads `content`; `None` if it is not installed.
    fn through(program: &str, content: &[u8]) -> Option<Vec<u8>> {
        let mut child = Command::new(program)
            .arg("-c")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .ok()?;
        child.stdin.take()?.write_all(content).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        Some(output.stdout)
    }

    fn read(content: Vec<u8>) -> Result<Vec<u8>> {
        let mut found = Vec::new();
        decompressed(io::Cursor::new(content))?.read_to_end(&mut found)?;
        Ok(found)
    }

    #[test]
    fn compressed_files_of_several_parts_read_as_what_they_hold_and_cut_ones_are_errors() {
        let content: Vec<u8> = (0..40_000_u32)
            .flat_map(|n| format!("line {}\n", n * n).into_bytes())
            .collect();
        for program in ["gzip", "xz", "zstd", "bzip2"] {
            let Some(once) = through(program, &content) else {
                let _ = writeln!(io::stderr(), "SKIPPED: there is no {program}");
                continue;
            };
            assert!(once.len() < content.len());
            assert!(read(once.clone()).unwrap() == content, "{program}");
            let twice = [&once[..], &once[..]].concat();
            assert!(
                read(twice.clone()).unwrap() == [&content[..], &content[..]].concat(),
                "{program}"
            );
            for length in [
                once.len() / 2,
                once.len() - 1,
                once.len() + 9,
                twice.len() - 3,
            ] {
                let error = read(twice[..length].to_vec()).unwrap_err().to_string();
                assert!(
                    error.contains(&format!("the {program} data")),
                    "{program}, {length} bytes: {error}"
                );
            }
        }
    }

    #[test]
    fn archives_are_refused_with_what_to_do() {
        for (magic, why) in REFUSED {
            let error = read([magic, b"rest"].concat()).unwrap_err().to_string();
            assert_eq!(error, why);
        }
        assert_eq!(read(b"plain\n".to_vec()).unwrap(), b"plain\n");
        assert_eq!(read(Vec::new()).unwrap(), b"");
    }
}
