//! Reads the records of one log file, whatever its forms are: those that take one line, several lines, or none.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail};
use bellwether_core::inference::Message;
use bellwether_core::lad::{self, Source, Transport};
use bellwether_core::units::Time;

use crate::decompress::{self, STDIN};
use crate::files::stem;
use crate::forms::journal::Fields;
use crate::forms::json::{self, Failure};
use crate::forms::{Context, KNOWN, Line, Output, container, kernel, parse, syslog};
use crate::log_files::{ENDINGS, LogFile, journal_hint};
use crate::text::{JSON_MAX_BYTES, LINE_MAX_BYTES, Lines, Refused, refused};
use crate::times::Calendar;

/// A text of a container that comes in parts is cut to this length, bytes.
const PARTS_MAX_BYTES: usize = 1 << 18;
/// The most digits of the length of a message with its length in front (RFC 6587).
const LENGTH_DIGITS_MAX: usize = 7;

/// A record of a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The name of the file's series.
    pub series: Arc<str>,
    /// The name of the stream where the record names no host.
    pub log: Arc<str>,
    /// The number of the line of the file on which it begins, from 0.
    pub index: u64,
    /// Seconds since the epoch; the time of the record before, where it has none.
    pub time: f64,
    /// The host that logged it, where the form names it.
    pub host: String,
    /// The program that logged it, without its process number.
    pub program: String,
    /// The systemd unit, pod or container of the program.
    pub unit: String,
    /// How it reached the log.
    pub transport: Transport,
    /// Its severity, 0 (emergency) to 7 (debug).
    pub priority: Option<u8>,
    /// The message.
    pub text: String,
}

impl Record {
    /// The stream that it belongs to: the host that it names, else the log.
    pub fn stream(&self) -> &str {
        if self.host.is_empty() {
            &self.log
        } else {
            &self.host
        }
    }

    /// The record for classification.
    pub fn message(&self) -> Message<'_> {
        Message {
            text: &self.text,
            template: "",
            program: self.program.as_bytes(),
            unit: self.unit.as_bytes(),
            transport: self.transport,
            priority: self.priority,
        }
    }

    /// The record for a detector, as one of its stream.
    pub fn observation(&self) -> lad::Record<'_> {
        lad::Record {
            stream: self.stream(),
            time: Time::from_secs(self.time),
            text: &self.text,
            priority: self.priority,
            source: self.source(),
        }
    }

    /// Its source.
    fn source(&self) -> Source<'_> {
        Source {
            transport: self.transport,
            program: self.program.as_bytes(),
            unit: self.unit.as_bytes(),
            ..Source::default()
        }
    }
}

/// How a file is divided into records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Division {
    /// Lines.
    Lines,
    /// Fields and blank lines: `journalctl -o export`.
    Export,
    /// Messages with their lengths in front: syslog over TCP (RFC 6587).
    Counted,
}

/// What was counted while reading.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    records: u64,
    /// Without a time.
    untimed: u64,
    /// Of no known form.
    formless: u64,
    /// Texts of a container that were cut.
    cut_parts: u64,
    /// A message with its length in front is not followed by another.
    uncounted: bool,
}

/// An entry of `journalctl -o verbose` of which more lines may come.
struct Verbose {
    index: u64,
    fields: Fields,
    name: String,
    value: String,
}

impl Verbose {
    fn finish_field(&mut self) {
        let (name, value) = (
            std::mem::take(&mut self.name),
            std::mem::take(&mut self.value),
        );
        if !name.is_empty() {
            self.fields.add(&name, || value);
        }
    }
}

/// A text of a container of which more parts may come.
struct Parts {
    index: u64,
    line: Line<'static>,
    is_cut: bool,
}

impl Parts {
    /// Adds the next part, as far as there is room.
    fn add(&mut self, text: &str) {
        let room = PARTS_MAX_BYTES
            .saturating_sub(self.line.text.len())
            .min(text.len());
        let length = (0..=room)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        self.line.text.to_mut().push_str(&text[..length]);
        self.is_cut |= length < text.len();
    }
}

/// Lines that may be JSON together.
#[derive(Default)]
struct Pending {
    lines: Vec<(u64, String)>,
    bytes: usize,
    depth: usize,
}

/// One log file.
pub struct LogReader {
    path: String,
    series: Arc<str>,
    log: Arc<str>,
    lines: Lines,
    division: Division,
    context: Context,
    calendar: Calendar,
    /// The time of the last record.
    time: f64,
    /// The last record without its text, for lines that continue it.
    last: Option<Line<'static>>,
    queue: VecDeque<Record>,
    parts: [Option<Parts>; 2],
    verbose: Option<Verbose>,
    json: Pending,
    counts: Counts,
    is_over: bool,
    buffer: Vec<u8>,
}

impl LogReader {
    /// Opens a file of the log with the name `log`. `year` is that of its first time without one.
    ///
    /// # Errors
    /// A file that cannot be read, and one that is no text.
    pub fn open(file: &LogFile, log: &str, year: Option<i16>) -> Result<Self> {
        let path = &file.path;
        let of_path = || path.display().to_string();
        let mut reader = decompress::open(path).with_context(of_path)?;
        match refused(reader.fill_buf().with_context(of_path)?) {
            None => {}
            Some(Refused::Journal) => bail!(
                "{}: a binary journal of systemd; {}",
                of_path(),
                journal_hint(path.parent().unwrap_or(path))
            ),
            Some(Refused::Tar) => bail!("{}: a tar archive: unpack it first", of_path()),
            Some(Refused::Binary) => bail!(
                "{}: binary data; a log is text in UTF-8 or UTF-16, plain or compressed with gzip, xz, zstd or bzip2",
                of_path()
            ),
        }
        let mut lines = Lines::new(reader).with_context(of_path)?;
        let division = division(lines.peek().with_context(of_path)?);
        Ok(Self {
            path: of_path(),
            series: file.series.as_str().into(),
            log: log.into(),
            lines,
            division,
            context: Context {
                file: stem(path, ENDINGS),
                container: container::name(path),
                ..Context::default()
            },
            calendar: Calendar::new(year, modified(path).with_context(of_path)?),
            time: 0.0,
            last: None,
            queue: VecDeque::new(),
            parts: [None, None],
            verbose: None,
            json: Pending::default(),
            counts: Counts::default(),
            is_over: false,
            buffer: Vec::new(),
        })
    }

    /// Lets the years of its times follow those of the file before.
    pub fn continues(&mut self, before: &Self) {
        self.calendar = before.calendar.clone();
    }

    /// The next record; `None` at the end.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn next_record(&mut self) -> Result<Option<Record>> {
        while self.queue.is_empty() && !self.is_over {
            let more = match self.division {
                Division::Lines => self.line(),
                Division::Export => self.entry(),
                Division::Counted => self.message(),
            };
            if !more.with_context(|| self.path.clone())? {
                self.is_over = true;
                self.finish_verbose();
                self.give_up_json();
                for output in [Output::Stdout, Output::Stderr] {
                    if let Some(parts) = self.parts[output as usize].take() {
                        self.refine(parts);
                    }
                }
            }
        }
        Ok(self.queue.pop_front())
    }

    /// What the user should know about the file, once it was read.
    pub fn warnings(&self) -> Vec<String> {
        let Counts {
            records,
            untimed,
            formless,
            cut_parts,
            uncounted,
        } = self.counts;
        let mut warnings = Vec::new();
        let mut warn = |text: String| warnings.push(format!("{}: {text}", self.path));
        if records == 0 {
            warn("there are no lines in it".to_owned());
        } else if formless == records {
            warn(format!(
                "no line has a known form, so each is read whole, without time, host and program: {records}; known are: {KNOWN}"
            ));
        } else {
            if untimed > 0 {
                warn(format!(
                    "lines without a time, read at the time of the line before: {untimed}"
                ));
            }
            if formless > 0 {
                warn(format!("lines of no known form, read whole: {formless}"));
            }
        }
        if self.lines.cut > 0 {
            warn(format!("lines that are too long, cut: {}", self.lines.cut));
        }
        if self.lines.nul_bytes > 0 {
            warn(format!(
                "NUL bytes, as a crash leaves them, skipped: {}",
                self.lines.nul_bytes
            ));
        }
        if cut_parts > 0 {
            warn(format!(
                "texts in parts that are too long, cut: {cut_parts}"
            ));
        }
        if uncounted {
            warn(
                "a message has not the length that stands before it; the rest was read by lines"
                    .to_owned(),
            );
        }
        warnings
    }

    /// Reads a line; `false` at the end.
    fn line(&mut self) -> std::io::Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let number = self.lines.next(&mut buffer)?;
        if let Some(index) = number {
            // Almost always it is UTF-8, which is sooner checked than repaired.
            let text = match std::str::from_utf8(&buffer) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => String::from_utf8_lossy(&buffer),
            };
            self.take(index, &without_colors(&text));
        }
        self.buffer = buffer;
        Ok(number.is_some())
    }

    /// Takes a line, which may begin, continue or end a record.
    fn take(&mut self, index: u64, line: &str) {
        if !self.json.lines.is_empty() {
            if continues_json(line) {
                return self.continue_json(index, line);
            }
            self.give_up_json();
        }
        if let Some(verbose) = &mut self.verbose {
            if let Some(field) = line.strip_prefix("    ") {
                match field
                    .split_once('=')
                    .filter(|(name, _)| is_field_name(name))
                {
                    Some((name, value)) => {
                        verbose.finish_field();
                        (verbose.name, verbose.value) = (name.to_owned(), value.to_owned());
                    }
                    None if verbose.value.len() + line.len() < LINE_MAX_BYTES => {
                        verbose.value.push('\n');
                        verbose.value += field.trim_start();
                    }
                    None => {}
                }
                return;
            }
            self.finish_verbose();
        }
        if line.is_empty()
            || is_remark(line)
            || (self.context.is_kmsg && kernel::is_kmsg_property(line))
        {
            return;
        }
        let inside = line
            .strip_prefix('\u{1e}')
            .or_else(|| line.strip_prefix("data: "))
            .unwrap_or(line);
        if begins_json(inside) {
            match json::records(inside, &self.context) {
                Ok(records) => records
                    .into_iter()
                    .for_each(|record| self.push(index, record)),
                Err(Failure::Incomplete) => self.continue_json(index, inside),
                Err(Failure::Other) => self.push_text(index, line),
            }
            return;
        }
        // A weekday begins with no digit.
        if !line.starts_with(|c: char| c.is_ascii_digit())
            && line.contains(" [s=")
            && let Some((time, rest)) = syslog::weekday_and_date(line)
            && rest.starts_with("[s=")
        {
            let mut fields = Fields::default();
            fields.at(time);
            self.verbose = Some(Verbose {
                index,
                fields,
                name: String::new(),
                value: String::new(),
            });
            return;
        }
        self.push_line(index, line);
    }

    /// Adds the record of a line that is one by itself.
    fn push_line(&mut self, index: u64, line: &str) {
        let mut context = std::mem::take(&mut self.context);
        match parse(line, &mut context) {
            Some(record) => self.push(index, record),
            None => self.push_text(index, line),
        }
        self.context = context;
    }

    /// Adds a line of no known form: one that is indented continues the record before, with its source; others are of its host.
    fn push_text(&mut self, index: u64, text: &str) {
        self.counts.formless += 1;
        let last = self.last.take().unwrap_or_default();
        let record = match text.starts_with([' ', '\t']) {
            true => Line {
                text: text.into(),
                ..last.clone()
            },
            false => Line {
                host: last.host.clone(),
                text: text.into(),
                ..Line::default()
            },
        };
        self.record(index, &record);
        self.last = Some(last);
    }

    /// Adds a record of a known form, once it is whole.
    fn push(&mut self, index: u64, record: Line<'_>) {
        let Some(output) = record.output else {
            self.record(index, &record);
            self.remember(&record);
            return;
        };
        let is_part = record.is_part;
        let parts = match self.parts[output as usize].take() {
            None => Parts {
                index,
                line: owned(record),
                is_cut: false,
            },
            Some(mut parts) => {
                parts.add(&record.text);
                parts
            }
        };
        if is_part {
            self.parts[output as usize] = Some(parts);
        } else {
            self.refine(parts);
        }
    }

    /// Adds a container's record, whose application may have a form of its own.
    fn refine(&mut self, parts: Parts) {
        let Parts {
            index,
            line: mut record,
            is_cut,
        } = parts;
        self.counts.cut_parts += u64::from(is_cut);
        if let Some((priority, text)) = container::refine(&record.text) {
            record.priority = priority;
            record.text = text.into();
        }
        self.record(index, &record);
        self.remember(&record);
    }

    fn remember(&mut self, record: &Line<'_>) {
        let last = self.last.get_or_insert_default();
        let keep = |slot: &mut Cow<'static, str>, value: &str| {
            if **slot != *value {
                *slot = value.to_owned().into();
            }
        };
        keep(&mut last.host, &record.host);
        keep(&mut last.program, &record.program);
        keep(&mut last.unit, &record.unit);
        (last.transport, last.priority) = (record.transport, record.priority);
    }

    fn record(&mut self, index: u64, record: &Line<'_>) {
        let time = self.calendar.resolve(record.time);
        self.counts.records += 1;
        self.counts.untimed += u64::from(time.is_none());
        self.time = time.unwrap_or(self.time);
        self.queue.push_back(Record {
            series: self.series.clone(),
            log: self.log.clone(),
            index,
            time: self.time,
            host: record.host.clone().into_owned(),
            program: record.program.clone().into_owned(),
            unit: record.unit.clone().into_owned(),
            transport: record.transport,
            priority: record.priority,
            text: record.text.clone().into_owned(),
        });
    }

    fn finish_verbose(&mut self) {
        if let Some(mut verbose) = self.verbose.take() {
            verbose.finish_field();
            self.push(verbose.index, verbose.fields.into_line());
        }
    }

    /// Adds a line to those that may be JSON together, and takes their records once they are whole.
    fn continue_json(&mut self, index: u64, line: &str) {
        let pending = &mut self.json;
        pending.bytes += line.len() + 1;
        pending.lines.push((index, line.to_owned()));
        let (mut quoted, mut escaped) = (false, false);
        for byte in line.bytes() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'{' | b'[' if !quoted => pending.depth += 1,
                b'}' | b']' if !quoted => pending.depth = pending.depth.saturating_sub(1),
                _ => {}
            }
        }
        if pending.bytes > JSON_MAX_BYTES {
            self.give_up_json();
        } else if pending.depth == 0 {
            let text = pending
                .lines
                .iter()
                .fold(String::with_capacity(pending.bytes), |text, (_, line)| {
                    text + line + "\n"
                });
            match json::records(&text, &self.context) {
                Ok(records) => {
                    let first = self.json.lines[0].0;
                    self.json = Pending::default();
                    records
                        .into_iter()
                        .for_each(|record| self.push(first, record));
                }
                Err(_) => self.give_up_json(),
            }
        }
    }

    /// Takes lines that turned out not to be JSON together one by one.
    fn give_up_json(&mut self) {
        for (index, line) in std::mem::take(&mut self.json).lines {
            if line.is_empty() {
                continue;
            }
            match json::records(&line, &self.context) {
                Ok(records) => records
                    .into_iter()
                    .for_each(|record| self.push(index, record)),
                Err(_) => self.push_line(index, &line),
            }
        }
    }

    /// Reads an entry of an export; `false` at the end.
    fn entry(&mut self) -> std::io::Result<bool> {
        let (mut fields, mut first) = (Fields::default(), None);
        let mut line = std::mem::take(&mut self.buffer);
        let more = loop {
            let Some(index) = self.lines.next(&mut line)? else {
                break false;
            };
            if line.is_empty() {
                break true;
            }
            first.get_or_insert(index);
            match line.iter().position(|byte| *byte == b'=') {
                Some(at) => {
                    let name = String::from_utf8_lossy(&line[..at]);
                    fields.add(&name, || {
                        String::from_utf8_lossy(&line[at + 1..]).into_owned()
                    });
                }
                // A binary field: its length in eight bytes, the lowest first, its bytes, and a line feed.
                None => {
                    let length = self.lines.exactly(8, 8)?;
                    let length =
                        u64::from_le_bytes(length.try_into().expect("eight bytes were read"));
                    let value = self.lines.exactly(length, LINE_MAX_BYTES)?;
                    self.lines.skip()?;
                    fields.add(&String::from_utf8_lossy(&line), || {
                        String::from_utf8_lossy(&value).into_owned()
                    });
                }
            }
        };
        self.buffer = line;
        if let Some(index) = first {
            match fields.is_entry() {
                true => self.push(index, fields.into_line()),
                false => self.counts.formless += 1,
            }
        }
        Ok(more)
    }

    /// Reads a message with its length in front; `false` at the end.
    fn message(&mut self) -> std::io::Result<bool> {
        let mut digits = Vec::new();
        loop {
            let Some(&byte) = self.lines.peek()?.first() else {
                return Ok(false);
            };
            match byte {
                b'\n' | b'\r' if digits.is_empty() => {}
                b'0'..=b'9' if digits.len() < LENGTH_DIGITS_MAX => digits.push(byte),
                b' ' if !digits.is_empty() => break,
                _ => {
                    self.counts.uncounted = true;
                    self.division = Division::Lines;
                    return Ok(true);
                }
            }
            self.lines.skip()?;
        }
        self.lines.skip()?;
        let length = digits
            .iter()
            .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
        let message = self.lines.exactly(length, LINE_MAX_BYTES)?;
        let text = String::from_utf8_lossy(&message);
        let index = self.counts.records;
        self.push_line(index, text.trim_end_matches(['\n', '\r', '\0']));
        Ok(true)
    }
}

/// How the file that begins with these bytes is divided.
fn division(head: &[u8]) -> Division {
    let begin = &head[..head.len().min(64)];
    let name = begin.split(|byte| *byte == b'=').next().unwrap_or_default();
    let is_field = name.len() < begin.len()
        && name.starts_with(b"_")
        && name.iter().all(|b| b.is_ascii_uppercase() || *b == b'_');
    let digits = begin
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let is_counted =
        (1..=LENGTH_DIGITS_MAX).contains(&digits) && begin[digits..].starts_with(b" <");
    if is_field {
        Division::Export
    } else if is_counted {
        Division::Counted
    } else {
        Division::Lines
    }
}

/// When a file was last modified, seconds since the epoch; what comes through a pipe was written until now.
fn modified(path: &Path) -> Result<f64> {
    let modified = match path.as_os_str() == STDIN {
        true => SystemTime::now(),
        false => fs::metadata(path)?.modified()?,
    };
    Ok(modified
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |d| d.as_secs() as f64))
}

fn owned(line: Line<'_>) -> Line<'static> {
    let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
    Line {
        time: line.time,
        host: own(line.host),
        program: own(line.program),
        unit: own(line.unit),
        transport: line.transport,
        priority: line.priority,
        text: own(line.text),
        is_part: line.is_part,
        output: line.output,
    }
}

/// Whether a line says something about the log: "-- Boot 0123 --", "-- No entries --".
fn is_remark(line: &str) -> bool {
    const BEGINNINGS: [&str; 6] = [
        "-- Boot ",
        "-- Reboot --",
        "-- Logs begin ",
        "-- Journal begins ",
        "-- No entries --",
        "-- cursor:",
    ];
    line.starts_with("-- ") && BEGINNINGS.iter().any(|begin| line.starts_with(begin))
}

fn is_field_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .bytes()
            .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

fn begins_json(line: &str) -> bool {
    match line.strip_prefix('[') {
        Some(rest) => {
            rest.is_empty() || rest.trim_start().starts_with(['{', ']']) && !rest.starts_with(']')
        }
        None => line.starts_with('{'),
    }
}

/// Whether a line may be a further one of JSON that takes several.
fn continues_json(line: &str) -> bool {
    line.is_empty() || line.starts_with([' ', '\t', '{', '}', ']', '"', ',']) || begins_json(line)
}

/// A line without the sequences that color it on a terminal.
fn without_colors(line: &str) -> Cow<'_, str> {
    if !line.contains("\u{1b}[") {
        return line.into();
    }
    let mut parts = line.split("\u{1b}[");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| !c.is_ascii_digit() && c != ';');
        plain += end.map_or("", |end| {
            part[end..].strip_prefix(['m', 'K']).unwrap_or(&part[end..])
        });
    }
    plain.into()
}
