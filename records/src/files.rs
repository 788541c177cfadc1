//! The files that a command names, plain or compressed.

use std::collections::HashMap;
use std::io::{Read, Result as IoResult};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};

use crate::decompress;

/// The endings of the names of compressed files.
const COMPRESSED: [&str; 4] = [".gz", ".xz", ".zst", ".bz2"];

/// The content of a file, decompressed.
///
/// # Errors
/// A file that cannot be opened or read.
pub fn decoded(path: &Path) -> IoResult<Box<dyn Read>> {
    Ok(Box::new(decompress::open(path)?))
}

/// A name without the ending of a compressed file.
pub fn plain(name: &str) -> &str {
    let plain = COMPRESSED
        .iter()
        .find_map(|ending| name.strip_suffix(ending));
    plain.unwrap_or(name)
}

/// The files that `paths` name. A folder names the files directly in it that have one of the `endings`, also before the ending of
/// a compressed file, sorted by name.
///
/// # Errors
/// A path that does not exist, and a folder without such a file.
pub fn files(paths: &[PathBuf], endings: &[&str]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        let of_path = || path.display().to_string();
        if !path.metadata().with_context(of_path)?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let mut inside = Vec::new();
        for entry in path.read_dir().with_context(of_path)? {
            let file = entry.with_context(of_path)?.path();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            let name = plain(&name);
            if file.is_file() && endings.iter().any(|ending| name.ends_with(ending)) {
                inside.push(file);
            }
        }
        let names: Vec<String> = endings.iter().map(|e| format!("*{e} or *{e}.gz")).collect();
        ensure!(
            !inside.is_empty(),
            "{}: no file named {} in this folder",
            of_path(),
            names.join(" or ")
        );
        inside.sort();
        files.append(&mut inside);
    }
    Ok(files)
}

/// A file's name without its folder, the ending of a compressed file and one of the `endings`.
pub fn stem(file: &Path, endings: &[&str]) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = plain(&name);
    let stem = endings.iter().find_map(|ending| name.strip_suffix(ending));
    stem.unwrap_or(name).to_owned()
}

/// Refuses two files of one `name`: nobody could distinguish them in the output. `both` is what they both are, such as
/// "the series".
///
/// # Errors
/// Two such files.
pub fn refuse_duplicates(
    files: &[PathBuf],
    name: impl Fn(&Path) -> String,
    both: &str,
) -> Result<()> {
    let mut seen: HashMap<String, &Path> = HashMap::new();
    for file in files {
        let name = name(file);
        if let Some(other) = seen.insert(name.clone(), file) {
            bail!(
                "{} and {} are both {both} \"{name}\"; rename one of them",
                other.display(),
                file.display()
            );
        }
    }
    Ok(())
}
