//! Given log keys, and a verdict on each, through the sequence part of LAD: no text, no parser, no lexicon.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use bellwether_core::lad::{LadOptions, Sequence};

use super::{Score, score_file};
use crate::args::KeysArguments;
use crate::files::decoded;

/// An episode, as it is printed.
#[derive(serde::Serialize)]
struct Episode<'a> {
    series: &'a str,
    /// The record that raised it, from 0.
    index: u64,
    /// The last record that told of a failure.
    last: u64,
    /// Records that told of a failure.
    count: u64,
    /// The highest score.
    score: f64,
}

/// Replays series of log keys and prints the episodes.
pub fn keys(arguments: &KeysArguments) -> Result<()> {
    let options = super::logs::detector_options(&arguments.settings)?;
    let faulty = verdicts(&arguments.verdicts)?;
    let series = series(&arguments.keys)?;
    let mut out = io::stdout().lock();
    let mut scores = arguments.scores.as_deref().map(score_file).transpose()?;
    for (name, keys) in &series {
        let (mut lines, mut scored) = (Vec::new(), Vec::new());
        replay(name, keys, &faulty, &options, &mut lines, &mut scored)?;
        out.write_all(&lines)?;
        if let Some(scores) = &mut scores {
            scores.write_all(&scored)?;
        }
    }
    if let Some(mut scores) = scores {
        scores.flush()?;
    }
    Ok(out.flush()?)
}

fn replay(
    name: &str,
    keys: &[u64],
    faulty: &HashSet<u64>,
    options: &LadOptions,
    lines: &mut Vec<u8>,
    scores: &mut Vec<u8>,
) -> Result<()> {
    let mut sequence = Sequence::new(options);
    let mut open: Option<Episode<'_>> = None;
    for (index, &key) in (0..).zip(keys) {
        let failure = faulty.contains(&key);
        let step = sequence.observe(options, key, f64::from(u8::from(failure)), failure);
        if step.score > 0.0 {
            let score = step.score;
            Score {
                series: name,
                index,
                score,
            }
            .write(scores)?;
        }
        match &mut open {
            Some(episode) if step.alarm => {
                episode.last = index;
                episode.count += 1;
                episode.score = episode.score.max(step.score);
            }
            Some(episode) if index - episode.last >= options.episode_sz as u64 => {
                write(episode, lines)?;
                open = None;
            }
            None if step.alarm => {
                open = Some(Episode {
                    series: name,
                    index,
                    last: index,
                    count: 1,
                    score: step.score,
                });
            }
            _ => {}
        }
    }
    open.map_or(Ok(()), |episode| write(&episode, lines))
}

fn write(episode: &Episode<'_>, lines: &mut Vec<u8>) -> Result<()> {
    serde_json::to_writer(&mut *lines, episode)?;
    lines.push(b'\n');
    Ok(())
}

/// The log keys of each series, from JSON.
///
/// # Errors
/// A file that cannot be read or is no such JSON.
pub fn series(path: &Path) -> Result<BTreeMap<String, Vec<u64>>> {
    let of_path = || path.display().to_string();
    serde_json::from_reader(decoded(path).with_context(of_path)?).with_context(|| {
        format!(
            "{}: it takes an object of series, each a list of log keys, whole numbers from 0 on",
            of_path()
        )
    })
}

/// The keys that are faulty by a file of `key,faulty`.
///
/// # Errors
/// A file that cannot be read, a verdict that is neither true nor false, and two that contradict each other.
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

    #[test]
    fn a_burst_is_one_episode_and_every_failing_record_has_a_score() {
        let options = LadOptions::default();
        let faulty = HashSet::from([9]);
        let mut keys = vec![1; 400];
        for at in [10, 200, 210, 300] {
            keys[at] = 9;
        }
        let (mut lines, mut scores) = (Vec::new(), Vec::new());
        replay("a", &keys, &faulty, &options, &mut lines, &mut scores).unwrap();
        let lines = String::from_utf8(lines).unwrap();
        let expected = "{\"series\":\"a\",\"index\":10,\"last\":10,\"count\":1,\"score\":1.0}\n\
                        {\"series\":\"a\",\"index\":200,\"last\":210,\"count\":2,\"score\":1.0}\n\
                        {\"series\":\"a\",\"index\":300,\"last\":300,\"count\":1,\"score\":1.0}\n";
        assert_eq!(lines, expected);
        assert_eq!(String::from_utf8(scores).unwrap().lines().count(), 4);
    }
}
