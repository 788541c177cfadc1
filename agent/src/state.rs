//! The state file of a plugin: checked before the detector starts, and read once; and the library that does both.
//!
//! What is to be logged of it is worded here, so that both plugins say the same.

use std::path::Path;

use bellwether_sys::{Error, Library, Way, own_folders};
use parking_lot::Mutex;

/// The library, loaded once per process; where that failed, the next call tries again.
///
/// # Errors
/// Where it was looked for, and why nothing there can be used.
pub fn library() -> Result<Library, String> {
    static LOADED: Mutex<Option<Library>> = Mutex::new(None);
    let mut loaded = LOADED.lock();
    if let Some(library) = &*loaded {
        return Ok(library.clone());
    }
    let library = Library::load(own_folders())?;
    *loaded = Some(library.clone());
    Ok(library)
}

/// A warning for each library that is in the way of the one that was loaded.
pub fn passed_over(library: &Library) -> impl Iterator<Item = String> {
    let path = library.path().display();
    library
        .passed_over()
        .iter()
        .map(move |file| format!("{path} is loaded instead of {file}"))
}

/// Makes sure that state can be kept in the file `path`. `option` is the name of the option as it stands in the configuration.
/// Gives a warning where the file has to be written in place.
///
/// # Errors
/// Why no state can be kept there.
pub fn prepare(library: &Library, option: &str, path: &Path) -> Result<Option<String>, String> {
    let way = library
        .prepare_state(path)
        .map_err(|error| format!("option {option}: {error}"))?;
    Ok((way == Way::InPlace).then(|| in_place(option, path)))
}

fn in_place(option: &str, path: &Path) -> String {
    format!(
        "option {option}: {} cannot be replaced (it is a mount of its own, or its folder is read-only) and is overwritten in \
         place; mount its folder instead, so that no crash can damage it",
        path.display()
    )
}

/// What came of reading a state file at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// The detector continues from the state in the file.
    Yes(String),
    /// There is no such file yet.
    NotYet(String),
    /// The file cannot be used; to be logged as a warning.
    Unusable(String),
}

/// What came of reading the state file `path`, with the line for the log.
///
/// ```
/// use std::path::Path;
/// use bellwether_agent::state::{Restored, restored};
///
/// let line = "no learned state in /var/lib/state yet".to_owned();
/// assert_eq!(restored(Path::new("/var/lib/state"), Ok(false)), Restored::NotYet(line));
/// ```
pub fn restored(path: &Path, loaded: Result<bool, Error>) -> Restored {
    let path = path.display();
    match loaded {
        Ok(true) => Restored::Yes(format!("restored the learned state from {path}")),
        Ok(false) => Restored::NotYet(format!("no learned state in {path} yet")),
        Err(error) => Restored::Unusable(format!("starting without the learned state: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_overwritten_in_place_is_warned_of_with_what_would_be_better() {
        let warning = in_place("StateFile", Path::new("/state"));
        assert!(
            warning.starts_with("option StateFile: /state cannot be replaced")
                && warning.contains("mount its folder instead"),
            "{warning}"
        );
    }
}
