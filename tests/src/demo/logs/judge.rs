//! Who judges the lines: the filter in a real Fluent Bit, or `bellwether replay logs`.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{PipeWriter, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use jiff::Timestamp;
use serde_json::Value;

use super::hosts::{Hosts, Line};
use crate::fluentbit;
use crate::testbed::interrupt::Cleanup;
use crate::testbed::make_workplace;
use crate::testbed::plugin::Plugin;
use crate::testbed::process::run;

/// A line that was judged.
#[derive(Debug)]
pub struct Record {
    /// Which host's.
    pub host: usize,
    /// Its time, seconds since the epoch.
    pub time: f64,
    /// Whether it tells of a failure.
    pub is_flagged: bool,
    /// The number of its template, where that is told.
    pub template: Option<u64>,
}

/// Somebody who judges lines.
pub trait Judge {
    /// In words.
    fn name(&self) -> String;
    /// Gives it lines, in the order of time.
    ///
    /// # Errors
    /// When it has gone.
    fn feed(&mut self, lines: &[Line]) -> Result<()>;
    /// What has come out since the last time: records and events.
    ///
    /// # Errors
    /// When that cannot be read.
    fn poll(&mut self) -> Result<(Vec<Record>, Vec<Value>)>;
    /// What it says of itself.
    fn said(&self) -> String;
}

/// A record whose text tells of a failure is at least so severe.
const FLAGGED: f64 = 0.5;

const CONFIGURATION: &str = "\
[SERVICE]
    flush        0.2
    grace        1
    log_level    warn
    parsers_file parsers.conf

[INPUT]
    name           tail
    path           host.log
    tag            host.log
    parser         host_log
    read_from_head on

[INPUT]
    name         stdin
    tag          none

[INPUT]
    name         bellwether
    tag          bellwether.events

[FILTER]
    name         bellwether
    match        host.log

[OUTPUT]
    name         file
    match        host.log
    file         records
    format       plain

[OUTPUT]
    name         file
    match        bellwether.*
    file         events
    format       plain
";

const PARSERS: &str = r"[PARSER]
    name         host_log
    format       regex
    regex        ^(?<time>[^ ]+) (?<host>[^ ]+) (?<ident>[^ \[:]+)(?:\[(?<pid>[0-9]+)\])?: (?<message>.*)$
    time_key     time
    time_format  %Y-%m-%dT%H:%M:%S.%L%z
    time_keep    on
";

/// A real Fluent Bit that follows a file which we write. It ends when its standard input is closed, which the kernel sees to
/// however we end.
pub struct Tailing {
    version: String,
    folder: PathBuf,
    hosts: Vec<String>,
    log: File,
    records: Growing,
    events: Growing,
    _lifeline: PipeWriter,
    _cleanup: Cleanup,
}

impl Tailing {
    /// Starts it.
    ///
    /// # Errors
    /// Where there is none, or it cannot load the plugin.
    pub fn start(plugin: &Plugin, hosts: &Hosts) -> Result<Self> {
        let program = fluentbit::find()?;
        let version = run(Command::new(&program).arg("--version"))?;
        let version = version
            .lines()
            .next()
            .unwrap_or_default()
            .replace(" v", " ");
        let (folder, processes, cleanup) = make_workplace()?;
        fluentbit::install(plugin, &folder)?;
        fs::write(folder.join("fluent-bit.conf"), CONFIGURATION)?;
        fs::write(folder.join("parsers.conf"), PARSERS)?;
        let log = File::create(folder.join("host.log"))?;
        let said = File::create(folder.join("said"))?;
        let (reader, lifeline) = std::io::pipe()?;
        let mut command = Command::new(&program);
        for file in [fluentbit::FILTER, fluentbit::INPUT] {
            command.arg("-e").arg(folder.join(file));
        }
        command.args(["-c", "fluent-bit.conf"]).current_dir(&folder);
        // cargo's, which would find a library that no administrator has.
        command.env_remove("LD_LIBRARY_PATH");
        command.stdin(reader).stdout(said.try_clone()?).stderr(said);
        let pid = processes.spawn(&mut command)?;
        let tailing = Self {
            version,
            hosts: hosts.all.iter().map(|host| host.name.clone()).collect(),
            log,
            records: Growing::new(folder.join("records")),
            events: Growing::new(folder.join("events")),
            folder,
            _lifeline: lifeline,
            _cleanup: cleanup,
        };
        // What it cannot load or does not understand, it says at once and ends.
        std::thread::sleep(std::time::Duration::from_millis(700));
        let ended = processes.ended(pid);
        ensure!(ended.is_none(), "it does not start: {}", tailing.said());
        Ok(tailing)
    }

    fn record(&self, record: &Value) -> Result<Record> {
        let host = record["host"].as_str().context("a record has no host")?;
        let host = self.hosts.iter().position(|name| name == host);
        let time = record["time"].as_str().context("a record has no time")?;
        let time: Timestamp = time.parse()?;
        let severity = record["bellwether_severity"].as_f64();
        Ok(Record {
            host: host.context("a record is of another host")?,
            time: time.as_microsecond() as f64 / 1e6,
            is_flagged: severity.is_some_and(|severity| severity >= FLAGGED),
            template: record["bellwether_template_id"].as_u64(),
        })
    }
}

impl Judge for Tailing {
    fn name(&self) -> String {
        format!("{} with the filter bellwether", self.version)
    }

    fn feed(&mut self, lines: &[Line]) -> Result<()> {
        let text: String = lines.iter().flat_map(|line| [&line.text, "\n"]).collect();
        Ok(self.log.write_all(text.as_bytes())?)
    }

    fn poll(&mut self) -> Result<(Vec<Record>, Vec<Value>)> {
        let records = self.records.next()?;
        let records = records.iter().map(|record| self.record(record));
        Ok((records.collect::<Result<_>>()?, self.events.next()?))
    }

    fn said(&self) -> String {
        let said = fs::read_to_string(self.folder.join("said")).unwrap_or_default();
        said.trim().to_owned()
    }
}

/// A file with a JSON object a line, which grows.
struct Growing {
    path: PathBuf,
    read: u64,
}

impl Growing {
    fn new(path: PathBuf) -> Self {
        Self { path, read: 0 }
    }

    /// The whole lines that have come since the last time.
    fn next(&mut self) -> Result<Vec<Value>> {
        let Ok(mut file) = File::open(&self.path) else {
            return Ok(Vec::new());
        };
        file.seek(SeekFrom::Start(self.read))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |end| end + 1);
        self.read += whole as u64;
        let lines = bytes[..whole]
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        Ok(lines
            .map(serde_json::from_slice)
            .collect::<Result<_, _>>()?)
    }
}

/// What `bellwether replay logs` has found, told when its time comes.
pub struct Replayed {
    flagged: HashSet<(usize, u64)>,
    /// With the line at which each comes.
    events: Vec<(usize, u64, Value)>,
    ready: (Vec<Record>, Vec<Value>),
}

impl Replayed {
    /// Runs it on all lines.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(programs: &Path, hosts: &Hosts) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let scores = folder.path().join("scores.jsonl");
        let mut command = Command::new(programs.join("bellwether"));
        command.args(["replay", "logs", "--scores"]).arg(&scores);
        for (at, host) in hosts.all.iter().enumerate() {
            let file = folder.path().join(&host.name);
            let of_host = hosts.lines.iter().filter(|line| line.host == at);
            let text: String = of_host.flat_map(|line| [&line.text, "\n"]).collect();
            fs::write(&file, text)?;
            command.arg(file);
        }
        command.stdin(Stdio::null());
        let parse = |text: &str| -> Result<Vec<Value>> {
            Ok(text
                .lines()
                .map(serde_json::from_str)
                .collect::<Result<_, _>>()?)
        };
        let events = parse(&run(&mut command)?)?;
        let scores = parse(&fs::read_to_string(scores)?)?;
        let flagged = scores
            .iter()
            .filter_map(|score| Some((hosts.find(&score["series"])?, score["index"].as_u64()?)));
        let event = |event: Value| {
            let host = hosts.find(&event["hypervisor"])?;
            let time = event["time"].as_f64()?;
            let mut of_host = hosts.lines.iter().filter(|line| line.host == host);
            let at = of_host.find(|line| line.time >= time - 1e-6)?.index;
            Some((host, at, event))
        };
        Ok(Self {
            flagged: flagged.collect(),
            events: events.into_iter().filter_map(event).collect(),
            ready: Default::default(),
        })
    }
}

impl Judge for Replayed {
    fn name(&self) -> String {
        "`bellwether replay logs`".to_owned()
    }

    fn feed(&mut self, lines: &[Line]) -> Result<()> {
        for line in lines {
            self.ready.0.push(Record {
                host: line.host,
                time: line.time,
                is_flagged: self.flagged.contains(&(line.host, line.index)),
                template: None,
            });
            let is_due =
                |(host, at, _): &mut (usize, u64, Value)| (*host, *at) == (line.host, line.index);
            let due = self
                .events
                .extract_if(.., is_due)
                .map(|(_, _, event)| event);
            self.ready.1.extend(due);
        }
        Ok(())
    }

    fn poll(&mut self) -> Result<(Vec<Record>, Vec<Value>)> {
        Ok(std::mem::take(&mut self.ready))
    }

    fn said(&self) -> String {
        "it has judged all lines".to_owned()
    }
}
