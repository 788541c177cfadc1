//! Recorded logs through LAD: files of lines in, events as JSON Lines out.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Result;
use bellwether_core::event::{EventKind, State};
use bellwether_core::lad::{Detector, LadOptions, Record, SharedInference, inference};
use bellwether_core::units::{Share, Time};
use bellwether_records::command::usage;
use bellwether_records::logs;
use bellwether_records::settings::{self, Setting};
use clap::Args;

use super::output::{Line, Replayed, Score, in_order_with_scores};

const EXAMPLES: &str = "\
Examples:
  bellwether replay logs /var/log/syslog
  bellwether replay logs --set episode_sz=100 --scores scores.jsonl recorded/ | jq -r .message

\"bellwether options lad\" lists the options for --set.";

/// Replay logs through LAD and print its events as JSON Lines
///
/// Each PATH is a log file, plain or gzip, or a folder of files named *.log and *.txt (also .gz). A line is a record: "ISO8601-time
/// host source[pid]: message", or syslog by RFC 3164 or RFC 5424. Any other line is a message without a time and takes that of the
/// line before.
///
/// The message alone decides whether a record is a failure; host and source do not. Log shippers parse them into fields of their own.
/// So a phrase in your lexicon should match the message and not the name of the program.
///
/// Each file is a stream. Its name is that of the file without .log and .gz, with "__" read as "/". Events are printed in the order
/// of the files and, within a file, of the lines. Each line is a JSON object: the event, and "index", the number (from 0) of the
/// line that raised the episode.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct LogsArguments {
    /// Log files (plain or gzip), or folders of files named *.log and *.txt
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Set an option of the detector; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::lad)]
    settings: Vec<Setting>,

    /// Write all scores above zero to this file, one {"series": NAME, "index": LINE, "score": S} per line
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,

    /// Year of times without one [default: the year in which the file was last modified]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    year: Option<i16>,

    /// Number of files to read at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
}

/// Replays files of logs and prints the events.
pub fn print(arguments: &LogsArguments) -> Result<()> {
    let options = settings::lad_options(&arguments.settings).map_err(usage)?;
    let files = logs::files(&arguments.paths)?;
    logs::refuse_duplicates(&files)?;
    let lexicon = inference(&options).map_err(usage)?;
    in_order_with_scores(
        &files,
        arguments.jobs,
        "logs",
        arguments.scores.as_deref(),
        |file| replay(file, &options, &lexicon, arguments.year),
    )
}

fn replay(
    file: &Path,
    options: &LadOptions,
    lexicon: &SharedInference,
    year: Option<i16>,
) -> Result<Replayed> {
    let series = logs::series(file);
    let mut detector = Detector::with_inference(options.clone(), lexicon.clone())?;
    let mut replayed = Replayed::default();
    let mut index = 0;
    let mut raised: HashMap<EventKind, u64> = HashMap::new();
    let untimed = logs::each_record(file, year, |time, line| {
        let observed = detector.observe(&Record {
            stream: &series,
            time: Time::from_secs(time),
            text: line.text,
            priority: line.priority,
            source: line.source(),
        });
        if observed.score > Share::ZERO {
            Score {
                series: &series,
                index,
                score: observed.score.get(),
            }
            .write(&mut replayed.scores)?;
        }
        while let Some(event) = detector.next_event() {
            let begin = match event.state {
                State::Raised => {
                    raised.insert(event.kind(), index);
                    index
                }
                State::Cleared => raised.remove(&event.kind()).unwrap_or(index),
            };
            Line {
                event: &event,
                index: begin,
            }
            .write(&mut replayed.lines)?;
        }
        index += 1;
        Ok(())
    })?;
    if index == 0 {
        let warning = format!("{}: there are no lines in it", file.display());
        replayed.warnings.push(warning);
    }
    if untimed > 0 {
        let warning = format!(
            "{}: lines without a time, read whole and at the time of the line before: {untimed}",
            file.display()
        );
        replayed.warnings.push(warning);
    }
    Ok(replayed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_without_years_goes_on_in_the_next_year() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.log");
        let lines = "Dec 31 23:59:59 h a: disk is fine\nJan  1 00:00:01 h kernel: Out of memory: Killed process 1 (a)\n";
        std::fs::write(&file, lines).unwrap();
        let options = LadOptions::default();
        let replayed = replay(&file, &options, &inference(&options).unwrap(), Some(2023)).unwrap();
        let event: serde_json::Value = serde_json::from_slice(&replayed.lines).unwrap();
        assert_eq!(event["time"], 1_704_067_201.0);
        assert_eq!(
            (&event["index"], &event["family"]),
            (&1.into(), &"memory".into())
        );
        assert_eq!(event["program"], "kernel");
        assert!(
            String::from_utf8(replayed.scores)
                .unwrap()
                .starts_with("{\"series\":\"a\",\"index\":1,")
        );
    }
}
