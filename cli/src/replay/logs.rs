//! Recorded logs through LAD: files of lines in, events as JSON Lines out.

use std::collections::HashMap;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bellwether_core::event::{IncidentId, State};
use bellwether_core::lad::{Detector, LadOptions, SharedInference, inference};
use bellwether_core::units::{Share, Time};
use bellwether_language_model::{Client, ModelArguments, Reader};
use bellwether_records::command::usage;
use bellwether_records::log_files::Log;
use bellwether_records::logs::{self, Records};
use bellwether_records::progress::{bar, each_in_order};
use bellwether_records::settings::{self, Setting};
use clap::Args;

use super::output::{Line, Score, score_file, warn};

/// Maximum number of open questions while a language model is asked, unless the option `questions` says otherwise.
const QUESTIONS: usize = 64;

const EXAMPLES: &str = "\
Examples:
  bellwether replay logs /var/log
  journalctl -o json --since -2d | bellwether replay logs -
  bellwether replay logs --set episode_sz=100 --scores scores.jsonl recorded/ | jq -r .message
  bellwether replay logs --language-model http://127.0.0.1:8080 --model some-model --model-cache answers /var/log

\"bellwether options lad\" lists the options for --set.";

/// Replay logs through LAD and print its events as JSON Lines
///
/// Each PATH is a log file, plain or compressed (gzip, xz, zstd, bzip2); a folder, of which all log files are read, also rotated ones
/// and those in folders below; or "-" for the standard input. The forms of lines are recognized: syslog (RFC 3164, RFC 5424, the files
/// of rsyslog and syslog-ng), journalctl -o json, export, verbose and short*, dmesg in all its formats, Docker, CRI, OTLP, JSON and
/// logfmt of applications, klog, and the own files of libvirt, QEMU, OpenStack, Ceph and Open vSwitch. A line of another form is a
/// message without a time and takes that of the line before. What cannot be read as intended is an error or a warning.
///
/// Of each record, the time, host, program, unit, transport, priority and message are read, as far as its form has them. The program
/// and the transport (kernel, process, container or unknown) say who speaks, and that decides which phrases count: give the form with
/// the most fields, such as journalctl -o json. Times without an offset are in UTC.
///
/// Each host that the lines name is a stream; lines without a host belong to the stream with the name of the file, without .log and
/// .gz, with "__" read as "/". Rotated files of one log are read one after the other. The files of a syslog daemon in one folder
/// (syslog, messages, kern.log and the like) are merged by time, and what several of them hold is read once. All other files are
/// replayed by themselves. Events are printed in the order of the files and, within a file, of the lines. Each line is a JSON object:
/// the event; "series", the name of the file; and "index", the number (from 0) of the line of that file that raised the episode.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct LogsArguments {
    /// Log files (plain or compressed), folders of log files, or "-" for the standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Set an option of the detector; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::lad)]
    settings: Vec<Setting>,

    /// Write all scores above zero to this file, one {"series": NAME, "index": LINE, "score": S} per line
    #[arg(long, value_name = "FILE")]
    scores: Option<PathBuf>,

    /// Year of the first time of a file, where times have none [default: the latest that is not after the file's last change]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    year: Option<i16>,

    /// Number of logs to read at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,

    #[command(flatten)]
    model: ModelArguments,
}

/// Replays logs and prints the events.
pub fn print(arguments: &LogsArguments) -> Result<()> {
    let mut options = settings::lad_options(&arguments.settings).map_err(usage)?;
    let client = arguments.model.client().map_err(usage)?.map(Mutex::new);
    if client.is_some() && options.questions == 0 {
        options.questions = QUESTIONS;
    }
    let found = logs::find(&arguments.paths)?;
    let lexicon = inference(&options).map_err(usage)?;
    let bar = bar(found.groups.len(), "logs");
    warn(&bar, &found.warnings);
    let mut out = io::stdout().lock();
    let mut scores = arguments.scores.as_deref().map(score_file).transpose()?;
    let replay = Replay {
        options: &options,
        lexicon: &lexicon,
        year: arguments.year,
        client: client.as_ref(),
    };
    if let [group] = &found.groups[..] {
        // Whatever is alone is printed as it comes: a pipe need not end.
        let mut scores: Box<dyn Write> = match scores {
            Some(scores) => Box::new(scores),
            None => Box::new(io::sink()),
        };
        let warnings = replay.run(group, &mut out, &mut scores)?;
        warn(&bar, &warnings);
        warn(&bar, &replay.notices());
        return Ok(scores.flush()?);
    }
    let run = |group: &Vec<Log>| {
        let (mut lines, mut scored) = (Vec::new(), Vec::new());
        let warnings = replay.run(group, &mut lines, &mut scored)?;
        Ok((lines, scored, warnings))
    };
    each_in_order(
        &found.groups,
        arguments.jobs,
        &bar,
        run,
        |(lines, scored, warnings)| {
            warn(&bar, &warnings);
            bar.suspend(|| out.write_all(&lines))?;
            if let Some(scores) = &mut scores {
                scores.write_all(&scored)?;
            }
            Ok(())
        },
    )?;
    warn(&bar, &replay.notices());
    if let Some(mut scores) = scores {
        scores.flush()?;
    }
    Ok(out.flush()?)
}

/// How logs are replayed.
struct Replay<'a> {
    options: &'a LadOptions,
    lexicon: &'a SharedInference,
    year: Option<i16>,
    client: Option<&'a Mutex<Client>>,
}

impl Replay<'_> {
    /// What the language model's client has to say.
    fn notices(&self) -> Vec<String> {
        let client = self
            .client
            .map(|client| client.lock().unwrap_or_else(PoisonError::into_inner));
        let notices = client
            .map(|mut client| client.notices())
            .unwrap_or_default();
        notices.iter().map(ToString::to_string).collect()
    }

    /// Replays logs that are read together; writes events and scores, and returns warnings for the user.
    fn run(
        &self,
        logs: &[Log],
        out: &mut impl Write,
        scores: &mut impl Write,
    ) -> Result<Vec<String>> {
        let mut detector = Detector::with_inference(self.options.clone(), self.lexicon.clone())?;
        let mut records = Records::new(logs, self.year);
        let reader = self.client.map(|client| Reader::new(client, today()));
        // Where the open incidents began.
        let mut began: HashMap<IncidentId, (Arc<str>, u64)> = HashMap::new();
        while let Some(record) = records.next_record()? {
            let observed = detector.observe(&record.observation());
            if observed.score > Share::ZERO {
                Score {
                    series: &record.series,
                    index: record.index,
                    score: observed.score.get(),
                }
                .write(scores)?;
            }
            let place = || (record.series.clone(), record.index);
            if let Some(incident) = observed.incident {
                began.entry(incident).or_insert_with(place);
            }
            if let Some(reader) = &reader {
                reader.follow(&mut detector);
            }
            write_events(&mut detector, &mut began, place, out)?;
        }
        detector.finish();
        let end = || (Arc::from(""), 0);
        write_events(&mut detector, &mut began, end, out)?;
        Ok(records.warnings())
    }
}

/// The time of day.
fn today() -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    Time::from_secs(now.unwrap_or_default().as_secs_f64())
}

/// Writes the events that wait, each with where its incident began; `now` is where the log is.
fn write_events(
    detector: &mut Detector,
    began: &mut HashMap<IncidentId, (Arc<str>, u64)>,
    now: impl Fn() -> (Arc<str>, u64),
    out: &mut impl Write,
) -> Result<()> {
    let mut is_any = false;
    while let Some(event) = detector.next_event() {
        let place = match event.state {
            State::Raised => Some(began.entry(event.incident).or_insert_with(&now).clone()),
            State::Updated => began.get(&event.incident).cloned(),
            State::Cleared => began.remove(&event.incident),
        };
        let (series, index) = place.unwrap_or_else(&now);
        Line {
            event: &event,
            series: Some(&series),
            index,
        }
        .write(out)?;
        is_any = true;
    }
    if is_any {
        out.flush()?;
    }
    Ok(())
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
        let lexicon = inference(&options).unwrap();
        let replay = Replay {
            options: &options,
            lexicon: &lexicon,
            year: Some(2023),
            client: None,
        };
        let group = &logs::find(&[file]).unwrap().groups[0];
        let (mut lines, mut scores) = (Vec::new(), Vec::new());
        replay.run(group, &mut lines, &mut scores).unwrap();
        let event: serde_json::Value = serde_json::from_slice(&lines).unwrap();
        let of = |key: &str| event[key].to_string();
        let found = ["series", "hypervisor", "family", "program", "index"].map(of);
        assert_eq!(found, ["\"a\"", "\"h\"", "\"memory\"", "\"kernel\"", "1"]);
        assert_eq!(event["time"], 1_704_067_201.0);
        assert!(scores.starts_with(b"{\"series\":\"a\",\"index\":1,"));
    }
}
