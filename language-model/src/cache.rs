//! Answers of the past, in memory and in a file that the fleet shares.
//!
//! The file has a line with its version, a line per answer, the least recently used first, and a checksum. It holds hashes and no
//! text of any log. It is written whole beside the old one and renamed over it; one that is corrupt is set aside and kept.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use bellwether_core::inference::Family;
use bellwether_core::state_file;
use sha2::{Digest as _, Sha256};

use crate::notice::Notice;
use crate::prompt::{self, NO_FAMILY};
use crate::question::Verdict;
use crate::reply::Said;
use crate::settings::{Error, Settings};

const HEADER: &str = "bellwether language model answers 1";
const CHECKSUM: &str = "sha256 ";
/// Maximum length of the file in bytes.
const FILE_MAX_BYTES: u64 = 64 << 20;

/// A hash of what an answer depends on.
pub(crate) type CacheKey = [u8; 16];

/// An answer, and when it was last used, in uses of the cache.
#[derive(Debug, Clone, Copy)]
struct Entry {
    said: Said,
    used: u64,
}

/// Answers by what was asked.
#[derive(Debug)]
pub(crate) struct Cache {
    path: Option<PathBuf>,
    max: usize,
    entries: HashMap<CacheKey, Entry>,
    uses: u64,
    /// There are answers that the file does not have.
    is_changed: bool,
}

impl Cache {
    /// The cache of these settings, and what should be known about its file.
    ///
    /// # Errors
    /// The file cannot be read or written.
    pub fn open(settings: &Settings) -> Result<(Self, Option<Notice>), Error> {
        let mut cache = Self {
            path: settings.cache.clone(),
            max: settings.cache_entries.max(1),
            entries: HashMap::new(),
            uses: 0,
            is_changed: false,
        };
        let Some(path) = &settings.cache else {
            return Ok((cache, None));
        };
        let error = |error: io::Error| Error::Cache(format!("{}: {error}", path.display()));
        state_file::prepare(path).map_err(error)?;
        let content = match content(path) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok((cache, None)),
            // Too large for a cache: as corrupt as one with a wrong checksum.
            Err(refused) if refused.kind() == io::ErrorKind::FileTooLarge => Vec::new(),
            Err(failed) => return Err(error(failed)),
        };
        let Some(answers) = parsed(&content) else {
            let aside = state_file::set_aside(path).map(|path| path.display().to_string());
            return Ok((cache, Some(Notice::CacheCorrupt(aside))));
        };
        for (key, said) in answers {
            cache.put(key, said);
        }
        cache.is_changed = false;
        Ok((cache, None))
    }

    /// The answer to `key`, if known.
    pub fn get(&mut self, key: &CacheKey) -> Option<Said> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        entry.used = self.uses;
        Some(entry.said)
    }

    /// Keeps an answer. At the limit, the least recently used tenth makes room.
    pub fn put(&mut self, key: CacheKey, said: Said) {
        if self.entries.len() >= self.max && !self.entries.contains_key(&key) {
            let mut used: Vec<u64> = self.entries.values().map(|entry| entry.used).collect();
            used.sort_unstable();
            let last = used[used.len() / 10];
            self.entries.retain(|_, entry| entry.used > last);
        }
        self.uses += 1;
        let entry = Entry {
            said,
            used: self.uses,
        };
        self.entries.insert(key, entry);
        self.is_changed = true;
    }

    /// Writes the file if there is anything new. If that fails, it is tried again the next time.
    pub fn save(&mut self) -> Option<Notice> {
        let path = self.path.as_ref().filter(|_| self.is_changed)?;
        let content = self.content();
        let written = state_file::write(path, &mut |file| file.write_all(content.as_bytes()));
        match written {
            Ok(()) => {
                self.is_changed = false;
                None
            }
            Err(error) => Some(Notice::CacheNotWritten(format!(
                "{}: {error}",
                path.display()
            ))),
        }
    }

    fn content(&self) -> String {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.used);
        let mut content = format!("{HEADER}\n");
        for (key, Entry { said, .. }) in entries {
            for byte in key {
                write!(content, "{byte:02x}").ok();
            }
            let family = said.1.map_or(NO_FAMILY, Family::as_str);
            writeln!(content, " {} {family}", said.0.as_str()).ok();
        }
        let checksum = checksum(&content);
        content + CHECKSUM + &checksum + "\n"
    }
}

/// The key of a template of a program for a model. `template` and `program` are as they are sent.
pub(crate) fn key(settings: &Settings, template: &str, program: &str) -> CacheKey {
    let shots = if settings.zero_shot { "zero" } else { "few" };
    let version = prompt::VERSION.to_string();
    let mut hash = Sha256::new();
    for part in [&*settings.model, &version, shots, program, template] {
        // With lengths, so that no two lists of parts are the same text.
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut key = CacheKey::default();
    let length = key.len();
    key.copy_from_slice(&hash.finalize()[..length]);
    key
}

fn checksum(text: &str) -> String {
    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the file holds; `None` if there is none.
fn content(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let read = |file: &mut File| {
        let mut content = Vec::new();
        file.take(FILE_MAX_BYTES).read_to_end(&mut content)?;
        Ok(content)
    };
    let mut is_whole = |file: &mut File| read(file).is_ok_and(|content| parsed(&content).is_some());
    let file = state_file::open(path, FILE_MAX_BYTES, &mut is_whole)?;
    file.map(|mut file| read(&mut file)).transpose()
}

/// The answers in a file; `None` if it is not one that was written by [`Cache::save`].
fn parsed(content: &[u8]) -> Option<Vec<(CacheKey, Said)>> {
    let content = std::str::from_utf8(content).ok()?;
    let (body, end) = content.rsplit_once(CHECKSUM)?;
    if end.strip_suffix('\n')? != checksum(body) {
        return None;
    }
    let lines = body.strip_prefix(HEADER)?.strip_prefix('\n')?;
    lines.lines().map(parsed_line).collect()
}

fn parsed_line(line: &str) -> Option<(CacheKey, Said)> {
    let mut words = line.split(' ');
    let (hex, verdict, family) = (words.next()?, words.next()?, words.next()?);
    let mut key = CacheKey::default();
    if hex.len() != 2 * key.len() || !hex.is_ascii() || words.next().is_some() {
        return None;
    }
    for (at, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
    }
    let family = match family {
        NO_FAMILY => None,
        name => Some(Family::from_name(name)?),
    };
    Some((key, (Verdict::from_name(verdict)?, family)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const FAILING: Said = (Verdict::Failing, Some(Family::Storage));

    fn settings(folder: &Path) -> Settings {
        Settings {
            cache: Some(folder.join("answers")),
            ..Settings::new("", "m")
        }
    }

    fn filled(settings: &Settings) -> Cache {
        let (mut cache, notice) = Cache::open(settings).unwrap();
        assert_eq!(notice, None);
        cache.put([1; 16], FAILING);
        cache.put([2; 16], (Verdict::Normal, None));
        assert_eq!(cache.save(), None);
        cache
    }

    #[test]
    fn answers_outlive_the_client_in_a_file_for_this_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        filled(&settings);
        let (mut cache, notice) = Cache::open(&settings).unwrap();
        assert_eq!(notice, None);
        assert_eq!(cache.get(&[1; 16]), Some(FAILING));
        assert_eq!(cache.get(&[2; 16]), Some((Verdict::Normal, None)));
        assert_eq!(cache.get(&[3; 16]), None);
        let mode = std::fs::metadata(settings.cache.unwrap())
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_file_with_any_wrong_or_missing_byte_is_set_aside_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path());
        let path = settings.cache.clone().unwrap();
        filled(&settings);
        let good = std::fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(7) {
            let mut flipped = good.clone();
            flipped[at] ^= 1;
            for bad in [flipped, good[..at.max(1)].to_vec()] {
                std::fs::write(&path, &bad).unwrap();
                let (mut cache, notice) = Cache::open(&settings).unwrap();
                let Some(Notice::CacheCorrupt(Some(aside))) = notice else {
                    panic!("{at}: {notice:?}");
                };
                assert_eq!(std::fs::read(&aside).unwrap(), bad);
                std::fs::remove_file(aside).unwrap();
                assert_eq!(cache.get(&[1; 16]), None);
                cache.put([1; 16], FAILING);
                assert_eq!(cache.save(), None);
                assert!(parsed(&std::fs::read(&path).unwrap()).is_some());
            }
        }
    }

    #[test]
    fn a_link_that_anyone_could_have_made_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
        let settings = settings(folder.path());
        let target = folder.path().join("target");
        std::fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, settings.cache.as_ref().unwrap()).unwrap();
        let error = Cache::open(&settings).unwrap_err().to_string();
        assert!(error.contains("symbolic link"), "{error}");
        assert_eq!(std::fs::read(&target).unwrap(), b"precious");
    }

    #[test]
    fn at_the_limit_answers_unused_for_longest_make_room() {
        let settings = Settings {
            cache_entries: 20,
            ..Settings::new("", "m")
        };
        let (mut cache, _) = Cache::open(&settings).unwrap();
        for number in 0..200 {
            cache.put([number; 16], FAILING);
            assert!(cache.entries.len() <= 20);
            assert!(cache.get(&[0; 16]).is_some(), "{number}: always in use");
        }
        assert_eq!(cache.get(&[1; 16]), None);
        assert_eq!(cache.get(&[199; 16]), Some(FAILING));
    }

    #[test]
    fn an_answer_is_for_one_template_program_model_and_kind_of_prompt() {
        let settings = Settings::new("", "m");
        let of = |settings: &Settings, template, program| key(settings, template, program);
        let other = Settings::new("", "n");
        let zero = Settings {
            zero_shot: true,
            ..Settings::new("", "m")
        };
        let keys = [
            of(&settings, "a", "b"),
            of(&settings, "ab", ""),
            of(&settings, "b", "a"),
            of(&other, "a", "b"),
            of(&zero, "a", "b"),
        ];
        let different: std::collections::HashSet<_> = keys.into_iter().collect();
        assert_eq!(different.len(), keys.len());
        assert_eq!(of(&settings, "a", "b"), keys[0]);
    }
}
