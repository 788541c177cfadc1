//! Recorded logs through LAD: files of lines in, events as JSON Lines out.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use bellwether_core::event::{EventKind, State};
use bellwether_core::lad::{Detector, LadOptions, Record, SharedInference, inference};
use clap::CommandFactory as _;
use clap::error::ErrorKind;

use super::{Line, Replayed, Score, in_order_with_scores};
use crate::args::{Arguments, LogsArguments, Setting};
use crate::logs;

/// Replays files of logs and prints the events.
pub fn print(arguments: &LogsArguments) -> Result<()> {
    let options = detector_options(&arguments.settings)?;
    let files = logs::files(&arguments.paths)?;
    logs::refuse_namesakes(&files)?;
    let lexicon = inference(&options)
        .map_err(|error| Arguments::command().error(ErrorKind::ValueValidation, error))?;
    in_order_with_scores(
        &files,
        arguments.jobs,
        "logs",
        arguments.scores.as_deref(),
        |file| replay(file, &options, &lexicon, arguments.year),
    )
}

/// The detector's options.
///
/// # Errors
/// The usage error that says how they contradict each other.
pub fn detector_options(settings: &[Setting]) -> Result<LadOptions, clap::Error> {
    let mut options = LadOptions::default();
    settings
        .iter()
        .try_for_each(|s| options.set(&s.name, &s.value))
        .and_then(|()| options.validate())
        .map_err(|error| Arguments::command().error(ErrorKind::ValueValidation, error))?;
    Ok(options)
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
            time,
            text: line.text,
            priority: line.priority,
            source: line.source(),
        });
        if observed.score > 0.0 {
            Score {
                series: &series,
                index,
                score: observed.score,
            }
            .write(&mut replayed.scores)?;
        }
        while let Some(event) = detector.next_event() {
            let begin = match event.state {
                State::Raised => {
                    raised.insert(event.event, index);
                    index
                }
                State::Cleared => raised.remove(&event.event).unwrap_or(index),
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
            "{}: lines without a time, taken whole and at the time of the line before: {untimed}",
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
