//! Given log keys, and a verdict on each, through the sequence part of LAD: no text, no parser, no lexicon.

use std::collections::HashSet;
use std::io::{self, Write as _};
use std::path::PathBuf;

use anyhow::Result;
use bellwether_core::lad::{LadOptions, Sequence};
use bellwether_records::command::usage;
use bellwether_records::keys;
use bellwether_records::settings::{self, Setting};
use clap::Args;

use super::output::{Score, score_file};

/// Replay log keys with given verdicts through LAD
///
/// For data that were parsed and classified elsewhere, such as those published with VMFT-LAD. Neither the parser nor the lexicon is
/// used. Prints a JSON object per episode: the series, the index of the record that raised it, the index of its last record, the
/// number of its records, and its highest score.
#[derive(Debug, Args)]
pub struct KeysArguments {
    /// JSON file, plain or compressed: an object of series, each a list of log keys
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,

    /// CSV file with the columns "key" and "faulty" (true or false): whether records with that key are failures. Keys without a row are
    /// not
    #[arg(long, value_name = "CSV")]
    verdicts: PathBuf,

    /// Set an option of the detector; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::lad)]
    settings: Vec<Setting>,

    /// Write all scores above zero to this file, one {"series": NAME, "index": RECORD, "score": S} per line
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,
}

/// An episode, as it is printed.
#[derive(serde::Serialize)]
struct Episode<'a> {
    series: &'a str,
    /// The record that raised it, from 0.
    index: u64,
    /// The last failing record.
    last: u64,
    /// Number of failing records.
    count: u64,
    /// The highest score.
    score: f64,
}

/// Replays series of log keys and prints the episodes.
pub fn print(arguments: &KeysArguments) -> Result<()> {
    let options = settings::lad_options(&arguments.settings).map_err(usage)?;
    let faulty = keys::verdicts(&arguments.verdicts)?;
    let series = keys::series(&arguments.keys)?;
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

#[cfg(test)]
mod tests {
    use super::*;

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
