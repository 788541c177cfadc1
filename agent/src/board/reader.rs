//! Reads the hosts of the other half.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::format::{FILE_BYTES, HEADER_BYTES, RECORD_BYTES, parse, risk, used};
use super::{BoardError, Half, Reading, Risk, WRITABLE_BY_ALL};

/// What a pass over the other half's file found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Board {
    /// Hosts.
    pub hosts: usize,
    /// Records that are damaged, or that were being written all the time.
    pub damaged: usize,
}

/// Reads the hosts that a half publishes.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    half: Half,
    open: Option<(File, (u64, u64))>,
    buffer: Vec<u8>,
}

impl Reader {
    /// A reader of one half in this folder. Nothing is accessed yet.
    pub fn new(folder: &Path, half: Half) -> Self {
        Self {
            folder: folder.to_owned(),
            half,
            open: None,
            buffer: vec![0; HEADER_BYTES + RECORD_BYTES],
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(self.half.file_name())
    }

    /// Passes each published host, with what the sources say about it, to `each`. `None` if nobody publishes this half. How old a
    /// reading is, is for the caller to judge.
    ///
    /// # Errors
    /// [`BoardError`]: the file is not one of the board, or cannot be read.
    pub fn read(
        &mut self,
        mut each: impl FnMut(&str, &mut dyn Iterator<Item = Reading>),
    ) -> Result<Option<Board>, BoardError> {
        self.pass(|name, readings, _| each(name, readings))
    }

    /// Passes each published host that has a risk to `each`, fresh or not ([`Risk::is_fresh`]). `None` if nobody publishes this half.
    ///
    /// # Errors
    /// Those of [`Reader::read`].
    pub fn risks(&mut self, mut each: impl FnMut(&str, Risk)) -> Result<Option<Board>, BoardError> {
        self.pass(|name, _, risk| {
            if let Some(risk) = risk {
                each(name, risk);
            }
        })
    }

    fn pass(
        &mut self,
        mut each: impl FnMut(&str, &mut dyn Iterator<Item = Reading>, Option<Risk>),
    ) -> Result<Option<Board>, BoardError> {
        let path = self.path();
        let failed = |error| BoardError::Io {
            path: path.clone(),
            error,
        };
        let unusable = |why: String| BoardError::Unusable {
            path: path.clone(),
            why,
        };
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.open = None;
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let identity = (metadata.dev(), metadata.ino());
        let file = match &self.open {
            Some((file, known)) if *known == identity && metadata.len() == FILE_BYTES => file,
            _ => {
                self.open = None;
                let folder = fs::metadata(&self.folder).map_err(failed)?;
                if folder.mode() & WRITABLE_BY_ALL != 0 {
                    let path = self.folder.clone();
                    return Err(BoardError::WritableByAll { path });
                }
                let file = open(&path).map_err(failed)?;
                let opened = file.metadata().map_err(failed)?;
                if let Some(why) = unfit(&opened) {
                    return Err(unusable(why.into()));
                }
                if opened.mode() & WRITABLE_BY_ALL != 0 {
                    return Err(BoardError::WritableByAll { path });
                }
                let identity = (opened.dev(), opened.ino());
                &self.open.insert((file, identity)).0
            }
        };
        // As much as there was in the last pass, in one piece.
        let mut count = read_at(file, &mut self.buffer, 0).map_err(failed)?;
        let used = used(&self.buffer[..count], self.half).map_err(unusable)?;
        let needed = HEADER_BYTES + used * RECORD_BYTES;
        if self.buffer.len() < needed {
            let from = self.buffer.len();
            self.buffer.resize(needed, 0);
            count = from + read_at(file, &mut self.buffer[from..], from as u64).map_err(failed)?;
        }
        if count < needed {
            return Err(unusable("it was truncated".into()));
        }
        let mut board = Board::default();
        for at in 0..used {
            let from = HEADER_BYTES + at * RECORD_BYTES;
            let record = &mut self.buffer[from..from + RECORD_BYTES];
            if parse(record, self.half).is_none() {
                // It may have been written at that moment.
                read_at(file, record, from as u64).map_err(failed)?;
            }
            match parse(record, self.half) {
                Some((name, mut readings)) => {
                    each(name, &mut readings, risk(record, self.half));
                    board.hosts += 1;
                }
                None => board.damaged += 1,
            }
        }
        Ok(Some(board))
    }
}

/// Opens a file for reading, without following a link or waiting for anybody.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits() as i32)
        .open(path)
}

/// Why what was opened cannot be a file of the board.
fn unfit(metadata: &Metadata) -> Option<&'static str> {
    if !metadata.is_file() {
        Some("it is not a regular file")
    } else if metadata.len() != FILE_BYTES {
        Some(
            "its size is not that of a file of the board; install the same version of both plugins",
        )
    } else {
        None
    }
}

/// Reads as many bytes as there are, at most as `buffer` takes.
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut done = 0;
    while done < buffer.len() {
        match file.read_at(&mut buffer[done..], offset + done as u64) {
            Ok(0) => break,
            Ok(count) => done += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}
