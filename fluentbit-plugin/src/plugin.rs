//! The filter's life: configured, started, fed, ended.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether_agent::limiter::{Allowance, LogLimiter};
use bellwether_agent::options::{Kind, OwnOption, STATE_FILE, with_unit};
use bellwether_agent::saver::{Report, Saver};
use bellwether_agent::state::{self, Restored, library};
use bellwether_agent::text::clean;
use bellwether_sys::{
    Kind as DetectorKind, LIBRARY_NAME, Lad, LadOptions, Library, OptionInfo, Options, Risk,
    RiskOptions, Snapshot,
};
use parking_lot::Mutex;

use crate::abi::{self, Buffer, ConfigOption, Handle, Host, Layout, Level};
use crate::channel::{Channel, Status};
use crate::clock::{self, Clock};
use crate::config::{self, Events, Settings};
use crate::filter::{Filter, FilterCounters, Heard, Line, Verdict};
use crate::host::{check, guard, host};
use crate::housekeeper::{self, Periodic};
use crate::lad::LadDetector;
use crate::risk::{HostRisk, Said};

/// How long the housekeeper waits for a chunk to be finished before it leaves its work to the next tick.
const PATIENCE: Duration = Duration::from_millis(500);

/// A line for the log that no thread of Fluent Bit's came for is written by the housekeeper's, to the standard error.
const LINE_WAITS: Duration = Duration::from_secs(10);

/// The longest time that the end of a filter waits for its last save.
const SAVE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many questions leave at most with a chunk, or within a second without one.
const QUESTIONS_MAX: usize = 16;

/// How many applied verdicts are logged in a minute, and how many refused ones: enough for who gives them by hand.
const APPLIED_LINES: u32 = 20;
const REFUSED_LINES: u32 = 5;
const MINUTE: Duration = Duration::from_secs(60);

/// What the names of the options of the risk begin with.
pub const RISK_PREFIX: &str = "risk_";

/// The name of the threads that write states.
const SAVER: &str = "bellwether-save";

/// The files of state that are in use: two filters must not share one.
static STATE_FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// An option as the host's table has it.
fn entry(name: &str, kind: abi::Kind, default: &str, allowed: &str, help: &str) -> ConfigOption {
    let text = |text: &str| CString::new(text).unwrap_or_default();
    ConfigOption {
        name: text(name),
        kind,
        default: (!default.is_empty()).then(|| text(default)),
        description: text(&format!("{help} Takes {allowed}.")),
    }
}

/// The plugin's own options for the host's table.
pub fn own_entries(options: &[OwnOption]) -> Vec<ConfigOption> {
    let kind = |kind| match kind {
        Kind::Flag => abi::Kind::Flag,
        Kind::Integer { .. } => abi::Kind::Integer,
        Kind::Number { .. } => abi::Kind::Number,
        Kind::Choice(_) | Kind::Words { .. } | Kind::Text { .. } => abi::Kind::Text,
    };
    let entry = |o: &OwnOption| entry(o.name, kind(o.kind), o.default, &o.allowed(), o.help);
    options.iter().map(entry).collect()
}

/// All options of the filter for the host's table. Where the core cannot be loaded, an entry in the place of its options says so,
/// and so does the log: the host may be about to refuse one of them as unknown, or to try the configuration without starting
/// the filter.
pub fn filter_entries() -> Vec<ConfigOption> {
    let mut entries = own_entries(&config::OWN);
    match core_entries() {
        Ok(core) => entries.extend(core),
        Err(why) => {
            if let Some(host) = host() {
                let message = format!(
                    "[bellwether] {why}; the detector's options are unknown without it, and the filter does not start"
                );
                host.log(Level::Error, &message);
            }
            entries.push(ConfigOption {
                name: CString::new(format!("({LIBRARY_NAME})")).unwrap_or_default(),
                kind: abi::Kind::Text,
                default: None,
                description: CString::new(format!(
                    "Missing: the detector's options are not listed, and the filter does not start. {why}."
                ))
                .unwrap_or_default(),
            });
        }
    }
    entries
}

/// The core's options for the host's table.
///
/// # Errors
/// The core cannot be loaded.
fn core_entries() -> Result<Vec<ConfigOption>, String> {
    let library = library()?;
    let mut options = described(&LadOptions::new(&library))?;
    let of_risk = described(&RiskOptions::new(&library))?;
    options.extend(of_risk.into_iter().map(|mut option| {
        option.name.insert_str(0, RISK_PREFIX);
        option.aliases.clear();
        option
    }));
    let kind = |kind: &str| match kind {
        "flag" => abi::Kind::Flag,
        "integer" => abi::Kind::Integer,
        "number" => abi::Kind::Number,
        _ => abi::Kind::Text,
    };
    let mut entries = Vec::new();
    for o in options {
        let allowed = with_unit(o.allowed, &o.unit);
        entries.push(entry(&o.name, kind(&o.kind), &o.default, &allowed, &o.help));
        // Without a default: the host would set the option by each of its names.
        let same = format!("The same as {}.", o.name);
        let alias = |alias: &String| entry(alias, kind(&o.kind), "", &allowed, &same);
        entries.extend(o.aliases.iter().map(alias));
    }
    Ok(entries)
}

fn described<K: DetectorKind>(options: &Options<K>) -> Result<Vec<OptionInfo>, String> {
    options.described().map_err(|error| error.to_string())
}

/// The topics of log lines, which the log limiter counts separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    /// A chunk cannot be read.
    Malformed,
    /// Many records have no text.
    Textless,
    /// Records imitate events.
    Foreign,
    /// The detector refuses records.
    Refused,
    /// Streams are evicted for others.
    Evicted,
    /// The state cannot be saved.
    State,
    /// The halves of bellwether do not meet.
    Board,
}

/// Writes to the host's log as the host's own filters do.
#[derive(Debug, Clone)]
struct Log {
    host: Host,
    name: String,
    level: c_int,
}

impl Log {
    fn log(&self, level: Level, message: &str) {
        if level as c_int <= self.level {
            self.host.log(level, &self.line(message));
        }
    }

    /// The same from another thread than the host's.
    fn later(&self, status: &Status, level: Level, message: &str) {
        if level as c_int <= self.level {
            status.write_later(level, self.line(message));
        }
    }

    fn line(&self, message: &str) -> String {
        // What a record says is no line of the log of its own.
        format!("[filter:bellwether:{}] {}", self.name, clean(message))
    }
}

/// What one filter of the configuration is while it runs.
struct Running {
    log: Log,
    settings: Settings,
    filter: Filter<LadDetector>,
    channel: Arc<Channel>,
    status: Arc<Status>,
    clock: Clock,
    /// `None` without a state file, and once it has ended.
    saver: Option<Saver<State>>,
    limiter: LogLimiter<Topic>,
    /// The number of evicted streams that was last logged.
    evicted: u64,
    applied_lines: Allowance,
    refused_lines: Allowance,
    started: Instant,
    /// It has left the pipeline.
    ended: bool,
}

impl Running {
    /// Takes a chunk; what stands in its place, or `None` where it stays as it is.
    fn take(&mut self, chunk: &[u8], tag: &[u8]) -> Option<Buffer> {
        let (now, wall) = (Instant::now(), clock::wall());
        self.filter.set_horizon(clock::horizon(wall));
        self.filter.set_questions_max(self.questions_max());
        let before = self.filter.counters();
        let (events, debug) = (self.settings.events, self.settings.debug);
        let inline = |record: &[u8]| match events {
            Events::Auto => !self.channel.send(record),
            Events::Inline => true,
            Events::None => false,
        };
        let flagged = |line: &Line<'_>, verdict: &Verdict<'_>| {
            if debug {
                self.log.log(Level::Info, &found(line, verdict));
            }
        };
        let replaced = match self.filter.take(chunk, tag, inline, flagged) {
            Ok(replaced) => replaced,
            Err(malformed) => {
                if self.limiter.allows(Topic::Malformed, now - self.started) {
                    let message = format!("a chunk passes unchanged: {malformed}");
                    self.log.log(Level::Warning, &message);
                }
                None
            }
        };
        if let Some(keys) = self.filter.unread()
            && self.limiter.allows(Topic::Textless, now - self.started)
        {
            let message = format!(
                "{} records so far have no text and are not classified. The last one has the keys: {keys}; name the one with the text \
                 in the option text_keys",
                self.filter.counters().textless
            );
            self.log.log(Level::Warning, &message);
        }
        self.log_feedback(now);
        let foreign = self.filter.counters().foreign;
        if foreign > before.foreign && self.limiter.allows(Topic::Foreign, now - self.started) {
            let message = format!(
                "{foreign} records so far had keys of events, or of this filter, that it did not write; they were renamed to foreign_... \
                 If they are of another bellwether, see the option foreign_events; if they are verdicts, feedback_match"
            );
            self.log.log(Level::Warning, &message);
        }
        if let Some(newest) = self.filter.newest() {
            self.clock.heard(newest, now, wall);
        }
        self.changed(before, now);
        self.show();
        self.status.write(Duration::ZERO, |level, line| {
            self.log.host.log(level, line);
        });
        replaced
    }

    /// How many questions may leave now: no more than leave room for events.
    fn questions_max(&self) -> usize {
        let room = match self.settings.events {
            Events::Auto => self.channel.room_for_questions(),
            Events::Inline => None,
            Events::None => Some(0),
        };
        room.unwrap_or(usize::MAX).min(QUESTIONS_MAX)
    }

    /// Logs what became of records of feedback.
    fn log_feedback(&mut self, now: Instant) {
        let since = now - self.started;
        for heard in self.filter.heard() {
            match heard {
                Heard::Applied(count, line) if self.applied_lines.allows(since) => {
                    let line = format!("feedback {count}: {line}");
                    self.log.log(Level::Info, &line);
                }
                Heard::Refused(count, why) if self.refused_lines.allows(since) => {
                    let line = format!("feedback refused ({count} so far): {why}");
                    self.log.log(Level::Warning, &line);
                }
                Heard::Applied(..) | Heard::Refused(..) => {}
            }
        }
    }

    /// Notes what is to be saved, since the counters were `before`.
    fn changed(&mut self, before: FilterCounters, now: Instant) {
        let after = self.filter.counters();
        let Some(saver) = &mut self.saver else {
            return;
        };
        if after.records > before.records {
            saver.learned();
        }
        if after.events > before.events || after.feedback > before.feedback {
            saver.event(now);
        }
    }

    /// Shows the figures to the companion input.
    fn show(&mut self) {
        let detector = self.filter.detector();
        let (counters, risk) = (detector.counters(), detector.risk_figures());
        let mut figures = self.status.figures.lock();
        figures.filter = self.filter.counters();
        figures.detector = counters;
        figures.risk = risk;
    }

    /// The periodic work. Runs on the housekeeper's thread.
    fn pass(&mut self, now: Instant) {
        let before = self.filter.counters();
        self.filter.set_questions_max(self.questions_max());
        if let Some(time) = self.clock.time(now) {
            self.filter.detector().advance(time);
        }
        if let Some(said) = self.filter.detector().turn(clock::wall()) {
            self.say(said, now);
        }
        match self.settings.events {
            Events::Auto if self.channel.is_accompanied() => {
                self.filter.release(|record| {
                    self.channel.send(record);
                });
            }
            Events::None => self.filter.release(|_| ()),
            // They wait for the next chunk.
            Events::Auto | Events::Inline => {}
        }
        self.changed(before, now);
        self.show();
        self.warn_of_limits(now);
        self.save(now);
    }

    /// Logs what a turn of the risk has to tell.
    fn say(&mut self, said: Said, now: Instant) {
        let (level, line) = match said {
            Said::Info(line) => (Level::Info, line),
            Said::Warning(line) if self.limiter.allows(Topic::Board, now - self.started) => {
                (Level::Warning, line)
            }
            Said::Warning(_) => return,
        };
        self.log.later(&self.status, level, &line);
    }

    fn warn_of_limits(&mut self, now: Instant) {
        let counters = self.filter.detector().counters();
        let refused = self.filter.counters().refused + counters.refused;
        if refused > 0 && self.limiter.allows(Topic::Refused, now - self.started) {
            let why = self.filter.detector().refusal();
            let message = format!("{refused} records could not be classified so far{why}");
            self.log.later(&self.status, Level::Warning, &message);
        }
        // Only while it goes on: the number of those before says nothing new.
        if counters.streams_evicted > self.evicted
            && self.limiter.allows(Topic::Evicted, now - self.started)
        {
            self.evicted = counters.streams_evicted;
            let message = format!(
                "max_streams or max_memory_mib reached: {} streams were evicted for others so far, those without an open episode and with \
                 few records first; what is learned of an evicted host is lost",
                counters.streams_evicted
            );
            self.log.later(&self.status, Level::Warning, &message);
        }
    }

    /// Hands the state to the thread that writes it, where it is due.
    fn save(&mut self, now: Instant) {
        let Some(saver) = &mut self.saver else {
            return;
        };
        let detector = self.filter.detector();
        let Some(report) = saver.turn(now, || snapshot(detector)) else {
            return;
        };
        if let Report::Failed { failures, .. } = report {
            self.status.figures.lock().save_failures = failures;
        }
        match report.warning() {
            None => self.limiter.reset(Topic::State),
            Some(warning) if self.limiter.allows(Topic::State, now - self.started) => {
                self.log.later(&self.status, Level::Warning, &warning);
            }
            Some(_) => {}
        }
    }

    /// Saves the last state, for a limited time.
    fn finish(&mut self) {
        let Some(saver) = self.saver.take() else {
            return;
        };
        let detector = self.filter.detector();
        let report = saver.finish(|| snapshot(detector), SAVE_TIMEOUT);
        if let Some(warning) = report.as_ref().and_then(Report::warning) {
            self.log.log(Level::Warning, &warning);
        }
    }

    fn state_path(&self) -> Option<PathBuf> {
        self.settings.state_file.as_ref().map(PathBuf::from)
    }

    /// Logs what came of reading a file of state.
    fn restored(&self, path: &Path, loaded: Result<bool, bellwether_sys::Error>) {
        let (level, message) = match state::restored(path, loaded) {
            Restored::Yes(message) | Restored::NotYet(message) => (Level::Info, message),
            Restored::Unusable(message) => (Level::Warning, message),
        };
        self.log.log(level, &message);
    }

    /// Restores the learned state, and starts the thread that saves it.
    ///
    /// # Errors
    /// The thread cannot be started.
    fn restore(&mut self) -> std::io::Result<()> {
        let Some(path) = self.state_path() else {
            return Ok(());
        };
        let loaded = self.filter.detector().lad().load(&path);
        self.restored(&path, loaded);
        let of_risk = risk_path(&path);
        if let Some(risk) = self.filter.detector().risk() {
            let loaded = risk.detector().load(&of_risk);
            self.restored(&of_risk, loaded);
        }
        let interval = Duration::from_secs_f64(self.settings.state_interval);
        let write = move |state: State| {
            let written = state.logs.write(&path);
            let of_risk = state.risk.map_or(Ok(()), |risk| risk.write(&of_risk));
            written.and(of_risk).map_err(|error| error.to_string())
        };
        self.saver = Some(Saver::start(SAVER, interval, write, || ())?);
        Ok(())
    }
}

/// The learned state, serialized.
struct State {
    logs: Snapshot,
    risk: Option<Snapshot>,
}

fn snapshot(detector: &mut LadDetector) -> Result<State, String> {
    let logs = detector.lad().snapshot();
    let risk = detector.risk().map(|risk| risk.detector().snapshot());
    let state = logs.and_then(|logs| {
        let risk = risk.transpose()?;
        Ok(State { logs, risk })
    });
    state.map_err(|error| error.to_string())
}

/// Where the state of the risk is kept, beside that of the logs.
fn risk_path(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".risk");
    path.into()
}

/// A flagged line for the log.
fn found(line: &Line<'_>, verdict: &Verdict<'_>) -> String {
    format!(
        "{} of {}, {:?} by {:?}: severity {}, family {}, score {}, novel {}, template {} {:?}: {}",
        line.time,
        line.stream,
        String::from_utf8_lossy(line.program),
        line.transport,
        verdict.severity,
        verdict.family.unwrap_or("none"),
        verdict.score,
        verdict.novel,
        verdict.template_id,
        verdict.template,
        String::from_utf8_lossy(line.text)
    )
}

/// A filter of the configuration; the host holds it by a pointer, the housekeeper too.
struct Instance {
    running: Mutex<Running>,
    host: Host,
    status: Arc<Status>,
    pipeline: usize,
}

impl Periodic for Instance {
    fn tick(&self) {
        if let Some(mut running) = self.running.try_lock_for(PATIENCE)
            && !running.ended
        {
            running.pass(Instant::now());
        }
        self.status
            .write(LINE_WAITS, |level, line| self.host.log(level, line));
    }
}

/// The name of this machine.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.into(),
    }
}

/// Sets the options of a detector that the configuration has, under their names with `prefix`.
fn set<K: DetectorKind>(
    options: &mut Options<K>,
    prefix: &str,
    property: impl Fn(&str) -> Option<String>,
) -> Result<(), Vec<String>> {
    let known = described(options).map_err(|error| vec![error])?;
    let mut errors = Vec::new();
    for name in known.iter().flat_map(OptionInfo::names) {
        if let Some(value) = property(&format!("{prefix}{name}"))
            && let Err(error) = options.set(name, &value)
        {
            errors.push(named(&error, prefix));
        }
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors),
    }
}

/// A detector's error with the option's name as the configuration has it.
fn named(error: &bellwether_sys::Error, prefix: &str) -> String {
    match error.option() {
        Some(name) => format!("option \"{prefix}{name}\": {}", error.reason()),
        None => error.to_string(),
    }
}

/// The detector that the configuration asks for.
fn lad(library: &Library, property: impl Fn(&str) -> Option<String>) -> Result<Lad, Vec<String>> {
    let mut options = LadOptions::new(library);
    set(&mut options, "", property)?;
    library.lad(&options).map_err(|e| vec![e.to_string()])
}

/// The estimate of risk that the configuration asks for.
fn risk(library: &Library, property: impl Fn(&str) -> Option<String>) -> Result<Risk, Vec<String>> {
    let mut options = RiskOptions::new(library);
    set(&mut options, RISK_PREFIX, property)?;
    let made = library.risk(&options);
    made.map_err(|error| vec![named(&error, RISK_PREFIX)])
}

/// What a filter is called in the log and in metrics, as long as no other one of the pipeline is called so: what the host calls it,
/// or, where that is the name that all processors have, whose processor it is.
///
/// # Safety
/// `instance` and `config` are what the host passes to `cb_init`.
unsafe fn name(host: Host, instance: Handle, config: Handle) -> String {
    // SAFETY: as the caller promises.
    let (name, owner) = unsafe { (host.filter_name(instance), abi::owner(instance, config)) };
    let number = name.strip_prefix("bellwether.");
    let is_alias = number.is_none_or(|n| n.is_empty() || !n.bytes().all(|b| b.is_ascii_digit()));
    match owner {
        Some(owner) if !is_alias => format!("bellwether@{owner}"),
        _ => name,
    }
}

/// # Safety
/// `instance` and `config` are what the host passes to `cb_init`.
unsafe fn start(
    log: &Log,
    instance: Handle,
    config: Handle,
    channel: Arc<Channel>,
    status: Arc<Status>,
) -> Result<Arc<Instance>, Vec<String>> {
    // SAFETY: as the caller promises.
    let property = |name: &str| unsafe { log.host.filter_property(instance, name) };
    let fit = Layout::of_program().fits_filter();
    if let Some(risk) = check(fit, property).map_err(|error| vec![error])? {
        log.log(Level::Warning, &risk);
    }
    let library = library().map_err(|error| vec![error])?;
    let read = Settings::read(property);
    let (settings, lad, risk) = match (read, lad(&library, property), risk(&library, property)) {
        (Ok(settings), Ok(lad), Ok(risk)) => (settings, lad, risk),
        (settings, lad, risk) => {
            let errors = [settings.err(), lad.err(), risk.err()].into_iter();
            return Err(errors.flatten().flatten().collect());
        }
    };
    if let Some(path) = &settings.state_file {
        let warning = claim(&library, Path::new(path)).map_err(|error| vec![error])?;
        warning
            .iter()
            .for_each(|warning| log.log(Level::Warning, warning));
    }
    let board = settings.board.as_deref();
    let risk = settings.risk.then(|| HostRisk::new(risk, board));
    state::passed_over(&library).for_each(|warning| log.log(Level::Warning, &warning));
    let host = settings.host.clone().unwrap_or_else(host_name);
    let mut running = Running {
        log: log.clone(),
        filter: Filter::new(&settings, host, LadDetector::new(lad, risk)),
        channel,
        status: status.clone(),
        clock: Clock::default(),
        saver: None,
        limiter: LogLimiter::default(),
        evicted: 0,
        applied_lines: Allowance::new(APPLIED_LINES, MINUTE),
        refused_lines: Allowance::new(REFUSED_LINES, MINUTE),
        started: Instant::now(),
        ended: false,
        settings,
    };
    let restored = running.restore();
    // What was counted before a restart is there from the start: a counter that jumps to it later would look like new failures.
    running.show();
    let instance = Arc::new(Instance {
        running: Mutex::new(running),
        host: log.host,
        status,
        pipeline: config as usize,
    });
    if let Err(error) = restored.and_then(|()| housekeeper::join(instance.clone())) {
        end(instance);
        return Err(vec![format!("cannot start a thread: {error}")]);
    }
    Ok(instance)
}

/// Makes sure that state can be kept in the file `path`, and that no other filter keeps its own there. Gives a warning, if any.
fn claim(library: &Library, path: &Path) -> Result<Option<String>, String> {
    let option = format!("\"{}\"", STATE_FILE.name);
    let mut used = STATE_FILES.lock();
    if used.iter().any(|other| other == path) {
        return Err(format!(
            "option {option}: {} is used by another filter; each filter needs a file of its own",
            path.display()
        ));
    }
    let warning = state::prepare(library, &option, path)?;
    used.push(path.to_owned());
    Ok(warning)
}

/// `cb_init`.
pub unsafe extern "C" fn init(instance: Handle, config: Handle, _: *mut c_void) -> c_int {
    guard(-1, || {
        let Some(host) = host() else {
            return -1;
        };
        // SAFETY: the host passes the filter that it starts.
        let (name, level) = unsafe {
            (
                name(host, instance, config),
                host.filter_log_level(instance),
            )
        };
        let status = Arc::new(Status::default());
        let (channel, name) = Channel::join(config as usize, &status, &name);
        let log = Log { host, name, level };
        // SAFETY: as above.
        match unsafe { start(&log, instance, config, channel, status.clone()) } {
            Ok(started) => {
                let context = Arc::into_raw(started).cast_mut().cast();
                // SAFETY: as above; the context lives until `exit`.
                unsafe { host.filter_set_context(instance, context) };
                0
            }
            Err(errors) => {
                errors.iter().for_each(|error| log.log(Level::Error, error));
                Channel::leave(config as usize, &status);
                -1
            }
        }
    })
}

/// `cb_filter`.
pub unsafe extern "C" fn filter(
    data: *const c_void,
    size: usize,
    tag: *const c_char,
    tag_length: c_int,
    out: *mut *mut c_void,
    out_size: *mut usize,
    _: Handle,
    _: Handle,
    context: *mut c_void,
    _: Handle,
) -> c_int {
    guard(abi::NOTOUCH, || {
        if data.is_null() || tag.is_null() || context.is_null() {
            return abi::NOTOUCH;
        }
        // SAFETY: the host lends the records and the tag for the call, and passes the context that `init` set.
        let (chunk, tag, instance) = unsafe {
            (
                std::slice::from_raw_parts(data.cast::<u8>(), size),
                std::slice::from_raw_parts(
                    tag.cast::<u8>(),
                    usize::try_from(tag_length).unwrap_or(0),
                ),
                &*context.cast::<Instance>(),
            )
        };
        let mut running = instance.running.lock();
        let replaced = running.take(chunk, tag);
        match replaced.and_then(Buffer::hand_over) {
            Some((buffer, length)) => {
                // SAFETY: the host passes two places for the result.
                unsafe {
                    *out = buffer;
                    *out_size = length;
                }
                abi::MODIFIED
            }
            None => abi::NOTOUCH,
        }
    })
}

/// `cb_exit`.
pub unsafe extern "C" fn exit(context: *mut c_void, _: Handle) -> c_int {
    guard(0, || {
        if !context.is_null() {
            // SAFETY: `init` made the context, and the host uses it no more.
            end(unsafe { Arc::from_raw(context.cast::<Instance>().cast_const()) });
        }
        0
    })
}

fn end(instance: Arc<Instance>) {
    housekeeper::leave(&(instance.clone() as Arc<dyn Periodic>));
    let mut running = instance.running.lock();
    running.ended = true;
    // What came after the last periodic work.
    running.warn_of_limits(Instant::now());
    running.finish();
    if let Some(path) = running.state_path() {
        STATE_FILES.lock().retain(|used| *used != path);
    }
    let host = instance.host;
    instance
        .status
        .write(Duration::ZERO, |level, line| host.log(level, line));
    Channel::leave(instance.pipeline, &instance.status);
}
