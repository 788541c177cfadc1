//! The command line. Help, completions and man pages are made from it.

use std::path::PathBuf;

use bellwether_core::drain::DrainOptions;
use bellwether_core::event::EventKind;
use bellwether_core::had::HadOptions;
use bellwether_core::lad::LadOptions;
use bellwether_core::options::OptionError;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand, ValueEnum};

use crate::report::ReportArguments;

const EXIT_STATUS: &str = "\
Exit status: 0 when all is well, also when the reader of the output closed it; 1 when data cannot be read or written; \
2 when the command line is wrong.";

/// Tells a failing hypervisor from a busy guest.
///
/// bellwether watches the VMs of a hypervisor: one that changes is a workload, many that change together are the host.
/// So does the
/// log of the hypervisor. This command replays recorded data through the same detectors that the plugins run.
#[derive(Debug, Parser)]
#[command(name = "bellwether", version, after_long_help = EXIT_STATUS)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

/// The arguments that the command was started with. Exits where they are wrong.
pub fn parse() -> Arguments {
    let matches = with_negative_numbers(Arguments::command()).get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// Lets options take a number below zero for a value, so that what is said of it is what the option takes, and not that it
/// looks like an option.
fn with_negative_numbers(command: clap::Command) -> clap::Command {
    command
        .mut_args(|argument| {
            let takes_value = argument.get_action().takes_values() && !argument.is_positional();
            argument.allow_negative_numbers(takes_value)
        })
        .mut_subcommands(with_negative_numbers)
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run recorded data through a detector and print its events
    #[command(subcommand)]
    Replay(Replay),
    /// Run a detector over labelled data and print how good it is
    #[command(subcommand)]
    Evaluate(Evaluate),
    /// Search for the options of a detector that suit labelled data best
    #[command(subcommand)]
    Tune(crate::tune::Tune),
    Templates(TemplatesArguments),
    /// Make up data with faults at known places, to try and to measure the detectors with
    #[command(subcommand)]
    Generate(crate::generate::Generate),
    Report(ReportArguments),
    /// Print the options of a detector: names, types, defaults, what is allowed
    Options(OptionsArguments),
    /// Print completions for a shell
    ///
    /// For bash: bellwether completions bash > /etc/bash_completion.d/bellwether
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all of them
    Man {
        /// Write one page per command into this folder instead, which is created if missing
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub enum Replay {
    Metrics(MetricsArguments),
    Logs(LogsArguments),
    Keys(KeysArguments),
}

#[derive(Debug, Subcommand)]
pub enum Evaluate {
    Metrics(Box<crate::evaluate::metrics::EvaluateMetricsArguments>),
    Online(crate::evaluate::online::EvaluateOnlineArguments),
    Logs(Box<crate::evaluate::logs::EvaluateLogsArguments>),
}

const METRICS_EXAMPLES: &str = "\
Examples:
  bellwether replay metrics hv1.csv hv2.csv.gz
  bellwether replay metrics --set algorithm=zscore --set threshold=2.2 recorded/
  bellwether replay metrics --interval 10 --kinds all recorded/ | jq -r .message

\"bellwether options had\" lists what --set takes.";

/// Replay metrics of VMs through HAD and print its events as JSON Lines
///
/// Each PATH is a CSV file, plain or gzip, of one hypervisor, whose name is the file's name without .csv or .csv.gz; or a
/// folder with such files. The first line is "t" and the names of the VMs. In every other line, t is the number of the row
/// (whole, rising; a number left out is a row without samples), and the other cells are the metric's values at that time,
/// row times interval; an empty cell is a missing sample.
///
/// Each file has a detector of its own. Events come in the order of the files, and within one in the order of time. Each is
/// a line of JSON with the keys of the event and "index", the row at which the incident was raised.
#[derive(Debug, Args)]
#[command(after_long_help = METRICS_EXAMPLES)]
pub struct MetricsArguments {
    /// CSV files (plain or gzip), or folders with files named *.csv and *.csv.gz
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Set an option of the detector; may be repeated, the last one wins
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<Setting>,

    /// Seconds between two rows, short for --set interval=SECONDS [default: 300]
    #[arg(long, value_name = "SECONDS", value_parser = interval)]
    pub interval: Option<Setting>,

    /// Which kinds of events to print, separated by commas
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "KIND",
        default_value = "hypervisor_anomaly"
    )]
    pub kinds: Vec<Kind>,

    /// Take a cell that is no valid value for a missing sample instead of stopping
    #[arg(long)]
    pub lenient: bool,

    /// How many files to read at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Kind {
    /// Many VMs of a hypervisor changed together, or froze
    HypervisorAnomaly,
    /// All VMs of a hypervisor fell silent
    HypervisorSilence,
    /// Most hypervisors fell silent at about the same time
    CollectorSilence,
    /// One VM changed alone, or many in a way that their past shows, too; sets workload_changes=true
    WorkloadChange,
    /// All of these
    All,
}

impl Kind {
    /// Whether events of the kind `of` are among these.
    pub fn covers(self, of: EventKind) -> bool {
        match self {
            Kind::HypervisorAnomaly => of == EventKind::HypervisorAnomaly,
            Kind::HypervisorSilence => of == EventKind::HypervisorSilence,
            Kind::CollectorSilence => of == EventKind::CollectorSilence,
            Kind::WorkloadChange => of == EventKind::WorkloadChange,
            Kind::All => true,
        }
    }
}

const TEMPLATES_EXAMPLES: &str = "\
Examples:
  bellwether templates /var/log/syslog /var/log/syslog.2.gz
  bellwether templates --set sim_th=0.5 --assign clusters.txt recorded/ | sort -t$'\\t' -k2,2nr | head

\"bellwether options drain\" lists what --set takes.";

/// Find the templates of log lines and print them, with how many lines each has and what it tells of
///
/// Each PATH is a file of log lines, plain or gzip, or a folder with files named *.log and *.txt (also .gz). Of a line of
/// syslog (see "bellwether replay logs"), only the message is parsed: what follows the source and its colon. Bytes that are
/// no UTF-8 are replaced.
///
/// The output is a line per template, in the order in which they were first seen, with tabs between: the id; the number of
/// lines; the highest severity found in one of its lines, 0 to 1, and the family of that failure, or 0 and "-"; the
/// template. A heading names the columns.
#[derive(Debug, Args)]
#[command(after_long_help = TEMPLATES_EXAMPLES)]
pub struct TemplatesArguments {
    /// Files of lines (plain or gzip), or folders with files named *.log and *.txt
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Set an option of the parser; may be repeated, the last one wins
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = drain_setting)]
    pub settings: Vec<Setting>,

    /// Write the id of each line's template into this file, one a line, in the order of the lines
    #[arg(long, value_name = "FILE")]
    pub assign: Option<PathBuf>,
}

const LOGS_EXAMPLES: &str = "\
Examples:
  bellwether replay logs /var/log/syslog
  bellwether replay logs --set episode_sz=100 --scores scores.jsonl recorded/ | jq -r .message

\"bellwether options lad\" lists what --set takes.";

/// Replay logs through LAD and print its events as JSON Lines
///
/// Each PATH is a file of lines, plain or gzip, or a folder with files named *.log and *.txt (also .gz). A line is a record:
/// "ISO8601-time host source[pid]: message", or syslog as RFC 3164 or RFC 5424 writes it. A line of another form is a message
/// at the time of the line before.
///
/// A record is judged by its message alone. Who says it, host and source, is left out, as it is where a log shipper takes lines
/// apart: a phrase of a site's lexicon should name what is said and not the program that says it.
///
/// Each file is a stream of its own, named by the file without .log and .gz, "__" read as "/". Events come in the order of
/// the files, and within one in the order of the lines. Each is a line of JSON with the keys of the event and "index", the
/// number (from 0) of the line at which its episode was raised.
#[derive(Debug, Args)]
#[command(after_long_help = LOGS_EXAMPLES)]
pub struct LogsArguments {
    /// Files of lines (plain or gzip), or folders with files named *.log and *.txt
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,

    /// Set an option of the detector; may be repeated, the last one wins
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = lad_setting)]
    pub settings: Vec<Setting>,

    /// Write the scores that are not zero here: {"series": NAME, "index": LINE, "score": S} a line
    #[arg(long, value_name = "FILE")]
    pub scores: Option<PathBuf>,

    /// The year of times that have none [default: that in which the file was changed last]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9998))]
    pub year: Option<i16>,

    /// How many files to read at a time [default: the number of cores]
    #[arg(long, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
}

/// Replay given log keys, and a verdict on each, through LAD
///
/// For what was parsed and judged elsewhere, such as the data that VMFT-LAD was published with: no text is read, no template
/// found, no lexicon asked. Prints the episodes, a line of JSON each: series, index of the record that raised it, index of
/// the last record, count of records, highest score.
#[derive(Debug, Args)]
pub struct KeysArguments {
    /// JSON, plain or gzip: an object of series, each a list of log keys
    #[arg(long, value_name = "FILE")]
    pub keys: PathBuf,

    /// CSV with a first line "key,faulty": whether the records with that key tell of a failure, true or false; a key that is not there
    /// tells of none
    #[arg(long, value_name = "CSV")]
    pub verdicts: PathBuf,

    /// Set an option of the detector; may be repeated, the last one wins
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = lad_setting)]
    pub settings: Vec<Setting>,

    /// Write the scores that are not zero here: {"series": NAME, "index": RECORD, "score": S} a line
    #[arg(long, value_name = "FILE")]
    pub scores: Option<PathBuf>,
}

/// An option's name and a value that it takes.
#[derive(Debug, Clone)]
pub struct Setting {
    pub name: String,
    pub value: String,
}

pub fn setting(text: &str) -> Result<Setting, String> {
    let (name, value) = named(text, "threshold=2.2")?;
    had_option(name, value)
}

pub fn interval(text: &str) -> Result<Setting, String> {
    had_option("interval", text)
}

pub fn lad_setting(text: &str) -> Result<Setting, String> {
    let (name, value) = named(text, "window_size=5")?;
    checked(name, value, |n, v| LadOptions::default().set(n, v))
}

fn drain_setting(text: &str) -> Result<Setting, String> {
    let (name, value) = named(text, "sim_th=0.5")?;
    checked(name, value, |n, v| DrainOptions::default().set(n, v))
}

fn named<'a>(text: &'a str, example: &str) -> Result<(&'a str, &'a str), String> {
    let (name, value) = text
        .split_once('=')
        .ok_or_else(|| format!("it takes the form NAME=VALUE, such as {example}"))?;
    Ok((name.trim(), value))
}

fn had_option(name: &str, value: &str) -> Result<Setting, String> {
    checked(name, value, |n, v| HadOptions::default().set(n, v))
}

fn checked(
    name: &str,
    value: &str,
    set: impl FnOnce(&str, &str) -> Result<(), OptionError>,
) -> Result<Setting, String> {
    set(name, value).map_err(|e| e.to_string())?;
    Ok(Setting {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

#[derive(Debug, Args)]
pub struct OptionsArguments {
    /// The detector
    #[arg(value_enum)]
    pub detector: DetectorName,
    /// How to print them
    #[arg(long, value_enum, default_value = "text")]
    pub format: Format,
    /// Spell the names as collectd's configuration does: WindowLongSz for window_long_sz
    #[arg(long)]
    pub camel_case: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum DetectorName {
    /// Hypervisor anomaly detection on metrics of VMs
    Had,
    /// Log anomaly detection on records of a host's log
    Lad,
    /// The parser that finds the templates of log lines
    Drain,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Format {
    /// For reading in a terminal
    Text,
    /// A table for documentation
    Markdown,
    /// An array of objects
    Json,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_number_below_zero_is_a_value_and_not_an_option() {
        let command = with_negative_numbers(Arguments::command());
        let error = command
            .try_get_matches_from(["bellwether", "evaluate", "metrics", "--vms", "-3"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("invalid value '-3' for '--vms"), "{error}");
    }

    #[test]
    fn a_setting_is_checked_where_it_is_given() {
        assert!(setting("threshold=2.2").is_ok());
        assert!(lad_setting("drain_masks=A=b").is_ok_and(|s| s.value == "A=b"));
        assert!(lad_setting("threshold=2.2").is_err());
        assert!(setting("threshold").unwrap_err().contains("NAME=VALUE"));
        assert!(setting("threshold=high").unwrap_err().contains("\"high\""));
        assert!(
            setting("treshold=2")
                .unwrap_err()
                .contains("did you mean \"threshold\"?")
        );
    }
}
