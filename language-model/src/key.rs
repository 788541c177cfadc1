//! The key of an endpoint: read from a file or the environment, and shown nowhere.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::settings::Error;

/// Maximum length of a key in bytes.
const KEY_MAX_BYTES: usize = 4096;

/// A key that authorizes requests, sent as a bearer token. Its `Debug` output does not contain it.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl Key {
    /// The key in a file: its first line. Other lines are not allowed.
    ///
    /// # Errors
    /// The file cannot be read, or what it holds is no key: 1 to 4096 visible ASCII characters.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let of_path = |message: String| Error::Key(format!("{}: {message}", path.display()));
        let mut text = Vec::new();
        File::open(path)
            .and_then(|file| {
                // One byte more than the longest key with its end of line shows that it is too long.
                file.take(KEY_MAX_BYTES as u64 + 3).read_to_end(&mut text)
            })
            .map_err(|error| of_path(error.to_string()))?;
        Self::checked(&text).map_err(|message| of_path(message.into()))
    }

    /// The key in the environment variable `name`; `None` if that is not set or empty.
    ///
    /// # Errors
    /// What it holds is no key.
    pub fn from_environment(name: &str) -> Result<Option<Self>, Error> {
        use std::os::unix::ffi::OsStrExt as _;
        match std::env::var_os(name) {
            Some(text) if !text.is_empty() => Self::checked(text.as_bytes())
                .map(Some)
                .map_err(|message| Error::Key(format!("environment variable {name}: {message}"))),
            _ => Ok(None),
        }
    }

    fn checked(text: &[u8]) -> Result<Self, &'static str> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let is_key = (1..=KEY_MAX_BYTES).contains(&text.len())
            && text.iter().all(|byte| (b'!'..=b'~').contains(byte));
        match std::str::from_utf8(text) {
            Ok(key) if is_key => Ok(Self(key.to_owned())),
            _ => Err("it takes a key on one line, of 1 to 4096 visible ASCII characters"),
        }
    }

    /// The value of the header `Authorization`.
    pub(crate) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_without_its_end_of_line_and_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in ["sk-secret", "sk-secret\n", "sk-secret\r\n"] {
            std::fs::write(file.path(), text).unwrap();
            let key = Key::from_file(file.path()).unwrap();
            assert_eq!(key.bearer(), "Bearer sk-secret");
            assert!(!format!("{key:?}").contains("secret"));
        }
    }

    #[test]
    fn what_cannot_be_a_header_is_no_key_and_the_error_does_not_show_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let long = "k".repeat(KEY_MAX_BYTES + 1);
        for text in [
            "",
            "\n",
            "sk-secret\nHost: x\n",
            "sk secret",
            "sk-sécret",
            &long,
        ] {
            std::fs::write(file.path(), text).unwrap();
            let error = Key::from_file(file.path()).unwrap_err().to_string();
            assert!(error.contains("one line"), "{error}");
            assert!(!error.contains("sk-") && !error.contains("kkk"), "{error}");
        }
        let missing = Key::from_file(Path::new("/nonexistent/key")).unwrap_err();
        assert!(missing.to_string().contains("/nonexistent/key"));
        assert_eq!(
            Key::from_environment("BELLWETHER_NO_SUCH_VARIABLE"),
            Ok(None)
        );
    }
}
