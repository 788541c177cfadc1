//! Log keys that were found and classified elsewhere: a key for each record of a series, and a verdict on each key.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use crate::files::decoded;

/// The log keys of each series, from JSON.
///
/// # Errors
/// A file that cannot be read, or that holds other JSON.
pub fn series(path: &Path) -> Result<BTreeMap<String, Vec<u64>>> {
    let of_path = || path.display().to_string();
    serde_json::from_reader(decoded(path).with_context(of_path)?).with_context(|| {
        format!(
            "{}: it takes an object of series, each a list of log keys, whole numbers from 0 on",
            of_path()
        )
    })
}

/// The keys that a CSV file with the columns `key` and `faulty` marks as faulty.
///
/// # Errors
/// A file that cannot be read, a verdict that is neither true nor false, and two verdicts that contradict each other.
pub fn verdicts(path: &Path) -> Result<HashSet<u64>> {
    let of_path = || path.display().to_string();
    let mut reader = csv::Reader::from_reader(decoded(path).with_context(of_path)?);
    let header = reader.headers().with_context(of_path)?;
    ensure!(
        header.iter().eq(["key", "faulty"]),
        "{}: the first line is \"{}\"; it has to be \"key,faulty\"",
        of_path(),
        header.iter().collect::<Vec<_>>().join(",")
    );
    let mut verdicts = BTreeMap::new();
    for row in reader.deserialize() {
        let (key, verdict): (u64, String) = row.with_context(of_path)?;
        let faulty = match verdict.as_str() {
            "true" => true,
            "false" => false,
            _ => bail!(
                "{}: the verdict on key {key} is \"{verdict}\"; it has to be true or false",
                of_path()
            ),
        };
        ensure!(
            *verdicts.entry(key).or_insert(faulty) == faulty,
            "{}: there are two verdicts on key {key}, true and false",
            of_path()
        );
    }
    let faulty = verdicts.into_iter().filter(|(_, faulty)| *faulty);
    Ok(faulty.map(|(key, _)| key).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_one_verdict_true_or_false() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let of = |lines: &str| {
            std::fs::write(file.path(), format!("key,faulty\n{lines}")).unwrap();
            verdicts(file.path())
        };
        assert_eq!(of("1,false\n9,true\n9,true\n").unwrap(), HashSet::from([9]));
        for (lines, says) in [
            ("9,yes\n", "\"yes\""),
            ("9,true\n9,false\n", "two verdicts"),
        ] {
            let error = of(lines).unwrap_err().to_string();
            assert!(error.contains(says) && error.contains("key 9"), "{error}");
        }
        std::fs::write(file.path(), "").unwrap();
        let error = verdicts(file.path()).unwrap_err().to_string();
        assert!(error.contains("\"key,faulty\""), "{error}");
    }
}
