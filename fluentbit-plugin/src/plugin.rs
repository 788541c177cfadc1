//! The filter's life: configured, started, fed, ended.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether_sys::{LIBRARY_NAME, Lad, LadOptions, Library, Way, own_folders};
use parking_lot::Mutex;

use crate::abi::{self, Buffer, ConfigOption, Handle, Host, Kind, Layout, Level};
use crate::channel::{Channel, Figures};
use crate::config::{self, Events, OwnOption, Settings};
use crate::filter::{Filter, Line, Verdict};
use crate::host::{check, guard, host};
use crate::lad::Judge;

/// After an event the state is saved, however long the option state_interval is.
const SAVE_AFTER_EVENT: Duration = Duration::from_secs(5);

/// How often there are figures for metrics.
const FIGURES_INTERVAL: Duration = Duration::from_secs(1);

/// The shortest time between two complaints about the same thing.
const COMPLAIN: Duration = Duration::from_secs(600);

/// The files of state that are in use: two filters must not share one.
static STATE_FILES: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// The core, loaded once.
pub fn library() -> Result<Library, String> {
    static LOADED: Mutex<Option<Library>> = Mutex::new(None);
    let mut loaded = LOADED.lock();
    if let Some(library) = &*loaded {
        return Ok(library.clone());
    }
    let library = Library::load(own_folders())?;
    *loaded = Some(library.clone());
    Ok(library)
}

/// An option as the host's table has it.
fn entry(
    name: &str,
    kind: Kind,
    default: &str,
    allowed: &str,
    unit: &str,
    help: &str,
) -> ConfigOption {
    let unit = if unit.is_empty() {
        String::new()
    } else {
        format!(" ({unit})")
    };
    let text = |text: &str| CString::new(text).unwrap_or_default();
    ConfigOption {
        name: text(name),
        kind,
        default: (!default.is_empty()).then(|| text(default)),
        description: text(&format!("{help} Takes {allowed}{unit}.")),
    }
}

/// The plugin's own options for the host's table.
pub fn own_entries(options: &[OwnOption]) -> Vec<ConfigOption> {
    let entry = |o: &OwnOption| entry(o.key, o.kind, o.default, o.allowed, o.unit, o.help);
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
                kind: Kind::Text,
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
    let options = library()?.lad_options().map_err(|e| e.to_string())?;
    let kind = |kind| match kind {
        "flag" => Kind::Flag,
        "integer" => Kind::Integer,
        "number" => Kind::Number,
        _ => Kind::Text,
    };
    let entry = |o: bellwether_sys::OptionInfo| {
        entry(o.name, kind(o.kind), o.default, o.allowed, o.unit, o.help)
    };
    Ok(options.into_iter().map(entry).collect())
}

/// Something that is complained about at most every [`COMPLAIN`].
#[derive(Debug, Default)]
struct Complaint(Option<Instant>);

impl Complaint {
    fn is_due(&mut self, now: Instant) -> bool {
        let due = self.0.is_none_or(|last| now - last >= COMPLAIN);
        if due {
            self.0 = Some(now);
        }
        due
    }
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
            let line = format!("[filter:bellwether:{}] {message}", self.name);
            self.host.log(level, &line);
        }
    }
}

/// What one filter of the configuration is while it runs.
struct Running {
    log: Log,
    settings: Settings,
    filter: Filter<Judge>,
    channel: Arc<Channel>,
    figures: Arc<Mutex<Figures>>,
    next_figures: Instant,
    next_save: Instant,
    unsaved: bool,
    malformed: Complaint,
    refused: Complaint,
    full: Complaint,
    state: Complaint,
}

impl Running {
    /// Takes a chunk; what stands in its place, or `None` where it stays as it is.
    fn take(&mut self, chunk: &[u8], tag: &[u8]) -> Option<Buffer> {
        let now = Instant::now();
        let before = self.filter.tallies();
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
                if self.malformed.is_due(now) {
                    let message = format!("a chunk passes as it is, for {malformed}");
                    self.log.log(Level::Warning, &message);
                }
                None
            }
        };
        let after = self.filter.tallies();
        self.unsaved |= after.records > before.records;
        if after.events > before.events {
            self.next_save = self.next_save.min(now + SAVE_AFTER_EVENT);
        }
        self.turn(now);
        replaced
    }

    /// What passing time brings about.
    fn turn(&mut self, now: Instant) {
        if now >= self.next_figures {
            self.next_figures = now + FIGURES_INTERVAL;
            self.tell(now);
        }
        if now >= self.next_save {
            self.save(now);
        }
    }

    fn tell(&mut self, now: Instant) {
        let newest = self.filter.newest();
        let judge = self.filter.detector();
        judge.advance(newest);
        let counters = judge.counters();
        let tallies = self.filter.tallies();
        if (tallies.refused > 0 || counters.refused > 0) && self.refused.is_due(now) {
            let why = self.filter.detector().refusal();
            let message = format!(
                "{} records could not be judged so far{why}",
                tallies.refused + counters.refused
            );
            self.log.log(Level::Warning, &message);
        }
        if counters.full > 0 && self.full.is_due(now) {
            let message = format!(
                "there was no room for the streams of {} records so far, the option max_streams is reached; they are judged by \
                 what they say alone",
                counters.full
            );
            self.log.log(Level::Warning, &message);
        }
        let mut figures = self.figures.lock();
        figures.tallies = tallies;
        figures.counters = counters;
    }

    fn state_path(&self) -> Option<PathBuf> {
        self.settings.state_file.as_ref().map(PathBuf::from)
    }

    fn load(&mut self) {
        let Some(path) = self.state_path() else {
            return;
        };
        let shown = path.display();
        let (level, message) = match self.filter.detector().lad().load(&path) {
            Ok(true) => (Level::Info, format!("goes on from the state in {shown}")),
            Ok(false) => (Level::Info, format!("there is no state in {shown} yet")),
            Err(error) => (
                Level::Warning,
                format!("starts without what it had learnt: {error}"),
            ),
        };
        self.log.log(level, &message);
    }

    fn save(&mut self, now: Instant) {
        self.next_save = now + Duration::from_secs_f64(self.settings.state_interval);
        let Some(path) = self.state_path().filter(|_| self.unsaved) else {
            return;
        };
        match self.filter.detector().lad().save(&path) {
            Ok(()) => {
                self.unsaved = false;
                self.state = Complaint::default();
            }
            Err(error) => {
                if self.state.is_due(now) {
                    self.log.log(Level::Warning, &error.to_string());
                }
            }
        }
    }
}

/// A flagged line for the log.
fn found(line: &Line<'_>, verdict: &Verdict<'_>) -> String {
    format!(
        "{} of {}: severity {}, family {}, score {}, novel {}, template {} {:?}: {}",
        line.time,
        line.stream,
        verdict.severity,
        verdict.family.unwrap_or("none"),
        verdict.score,
        verdict.novel,
        verdict.template_id,
        verdict.template,
        String::from_utf8_lossy(line.text)
    )
}

/// A filter of the configuration; the host holds it by a pointer.
struct Instance {
    running: Mutex<Running>,
    pipeline: usize,
}

/// The name of this machine.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "localhost".into(),
        name => name.into(),
    }
}

/// The detector that the configuration asks for.
fn lad(library: &Library, property: impl Fn(&str) -> Option<String>) -> Result<Lad, Vec<String>> {
    let mut options = LadOptions::new(library);
    let known = library.lad_options().map_err(|e| vec![e.to_string()])?;
    let mut errors = Vec::new();
    for option in known {
        if let Some(value) = property(option.name)
            && let Err(error) = options.set(option.name, &value)
        {
            errors.push(error.to_string());
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    library.lad(&options).map_err(|e| vec![e.to_string()])
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
    figures: Arc<Mutex<Figures>>,
) -> Result<Instance, Vec<String>> {
    // SAFETY: as the caller promises.
    let property = |name: &str| unsafe { log.host.filter_property(instance, name) };
    let fit = Layout::of_program().fits_filter();
    if let Some(risk) = check(fit, property).map_err(|error| vec![error])? {
        log.log(Level::Warning, &risk);
    }
    let library = library().map_err(|error| vec![error])?;
    let (settings, lad) = match (Settings::read(property), lad(&library, property)) {
        (Ok(settings), Ok(lad)) => (settings, lad),
        (settings, lad) => {
            let errors = settings.err().into_iter().chain(lad.err());
            return Err(errors.flatten().collect());
        }
    };
    if let Some(path) = settings.state_file.as_ref().map(PathBuf::from) {
        let mut used = STATE_FILES.lock();
        if used.contains(&path) {
            return Err(vec![format!(
                "option \"state_file\": {} is the state of another filter; each needs a file of its own",
                path.display()
            )]);
        }
        let way = library.prepare_state(&path);
        let way = way.map_err(|error| vec![format!("option \"state_file\": {error}")])?;
        if way == Way::InPlace {
            let message = format!(
                "option \"state_file\": {} cannot be replaced (it is a mount of its own, or its folder cannot be written to) and \
                 is written in place; mount its folder instead, so that no crash can damage it",
                path.display()
            );
            log.log(Level::Warning, &message);
        }
        used.push(path);
    }
    for file in library.passed_over() {
        let message = format!("{} is loaded, and not {file}", library.path().display());
        log.log(Level::Warning, &message);
    }
    let now = Instant::now();
    let host = settings.host.clone().unwrap_or_else(host_name);
    let mut running = Running {
        log: log.clone(),
        filter: Filter::new(&settings, host, Judge::new(lad)),
        channel,
        figures,
        next_figures: now,
        next_save: now + Duration::from_secs_f64(settings.state_interval),
        unsaved: false,
        malformed: Complaint::default(),
        refused: Complaint::default(),
        full: Complaint::default(),
        state: Complaint::default(),
        settings,
    };
    running.load();
    Ok(Instance {
        running: Mutex::new(running),
        pipeline: config as usize,
    })
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
        let figures = Arc::new(Mutex::new(Figures::default()));
        let (channel, name) = Channel::join(config as usize, &figures, &name);
        let log = Log { host, name, level };
        // SAFETY: as above.
        match unsafe { start(&log, instance, config, channel, figures) } {
            Ok(started) => {
                let context = Box::into_raw(Box::new(started)).cast();
                // SAFETY: as above; the context lives until `exit`.
                unsafe { host.filter_set_context(instance, context) };
                0
            }
            Err(errors) => {
                errors.iter().for_each(|error| log.log(Level::Error, error));
                Channel::leave(config as usize);
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
            end(*unsafe { Box::from_raw(context.cast::<Instance>()) });
        }
        0
    })
}

fn end(instance: Instance) {
    let mut running = instance.running.into_inner();
    running.save(Instant::now());
    if let Some(path) = running.state_path() {
        STATE_FILES.lock().retain(|used| *used != path);
    }
    drop(running);
    Channel::leave(instance.pipeline);
}
