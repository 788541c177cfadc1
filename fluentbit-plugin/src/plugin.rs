//! The filter's life: configured, started, fed, ended.

use std::ffi::{CString, c_char, c_int, c_void};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether_sys::{Error, LIBRARY_NAME, Lad, LadOptions, Library, Snapshot, Way, own_folders};
use parking_lot::{Mutex, MutexGuard};

use crate::abi::{self, Buffer, ConfigOption, Handle, Host, Kind, Layout, Level};
use crate::channel::{Channel, Status};
use crate::clock::{self, Clock};
use crate::config::{self, Events, OwnOption, Settings};
use crate::filter::{Filter, Line, Tallies, Verdict};
use crate::host::{check, guard, host};
use crate::keeper::{self, Kept};
use crate::lad::Judge;

/// So long after an event the state is saved, however long the option state_interval is.
const SAVE_AFTER_EVENT: Duration = Duration::from_secs(1);

/// The shortest time between two saves that events bring about.
const SAVE_GAP: Duration = Duration::from_secs(5);

/// How long the housekeeper waits for a chunk to be done with, before it leaves things to the next second.
const PATIENCE: Duration = Duration::from_millis(500);

/// A line for the log that no thread of the host's came for is written by the housekeeper's, to the standard error.
const LINE_WAITS: Duration = Duration::from_secs(10);

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
        format!("[filter:bellwether:{}] {message}", self.name)
    }
}

/// What one filter of the configuration is while it runs.
struct Running {
    log: Log,
    settings: Settings,
    filter: Filter<Judge>,
    channel: Arc<Channel>,
    status: Arc<Status>,
    clock: Clock,
    saving: Saving,
    malformed: Complaint,
    textless: Complaint,
    refused: Complaint,
    full: Complaint,
    state: Complaint,
    /// It has left the pipeline.
    ended: bool,
}

/// When the state is saved.
struct Saving {
    next: Instant,
    /// An event does not bring a save about before this.
    free: Instant,
    /// Something was learnt since the last time.
    unsaved: bool,
}

impl Running {
    /// Takes a chunk; what stands in its place, or `None` where it stays as it is.
    fn take(&mut self, chunk: &[u8], tag: &[u8]) -> Option<Buffer> {
        let (now, wall) = (Instant::now(), clock::wall());
        self.filter.set_horizon(clock::horizon(wall));
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
        if let Some(keys) = self.filter.unread()
            && self.textless.is_due(now)
        {
            let message = format!(
                "many records in a row have no text and are not looked at, {} so far; the last one has the keys: {keys}; name the one \
                 with the text in the option text_keys",
                self.filter.tallies().textless
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

    /// Looks what came of it, since the tallies were `before`.
    fn changed(&mut self, before: Tallies, now: Instant) {
        let after = self.filter.tallies();
        self.saving.unsaved |= after.records > before.records;
        if after.events > before.events {
            let soon = self.saving.free.max(now + SAVE_AFTER_EVENT);
            self.saving.next = self.saving.next.min(soon);
            self.saving.unsaved = true;
        }
    }

    /// Shows the figures to whoever tells them.
    fn show(&mut self) {
        let counters = self.filter.detector().counters();
        let mut figures = self.status.figures.lock();
        figures.tallies = self.filter.tallies();
        figures.counters = counters;
    }

    /// What passing time brings about, except saving. Runs on the housekeeper's thread.
    fn pass(&mut self, now: Instant) {
        let before = self.filter.tallies();
        if let Some(time) = self.clock.time(now) {
            self.filter.detector().advance(time);
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
        self.complain(now);
    }

    fn complain(&mut self, now: Instant) {
        let counters = self.filter.detector().counters();
        let refused = self.filter.tallies().refused + counters.refused;
        if refused > 0 && self.refused.is_due(now) {
            let why = self.filter.detector().refusal();
            let message = format!("{refused} records could not be judged so far{why}");
            self.log.later(&self.status, Level::Warning, &message);
        }
        if counters.full > 0 && self.full.is_due(now) {
            let message = format!(
                "there was no room for the streams of {} records so far, the option max_streams is reached; they are judged by \
                 what they say alone",
                counters.full
            );
            self.log.later(&self.status, Level::Warning, &message);
        }
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

    /// The state to be written, where there is anything to save and it is time; with `last`, it always is.
    fn state_to_save(
        &mut self,
        now: Instant,
        last: bool,
    ) -> Option<(Result<Snapshot, Error>, PathBuf)> {
        if now < self.saving.next && !last {
            return None;
        }
        self.saving.next = now + Duration::from_secs_f64(self.settings.state_interval);
        let path = self.state_path().filter(|_| self.saving.unsaved)?;
        // What comes from now on is not in it.
        self.saving.unsaved = false;
        Some((self.filter.detector().lad().snapshot(), path))
    }

    /// The state that was to be saved `began` is written, or could not be.
    fn saved(&mut self, written: Result<(), Error>, began: Instant) {
        let now = Instant::now();
        // A large state on a slow disk is not written all the time.
        self.saving.free = now + SAVE_GAP.max(10 * (now - began));
        match written {
            Ok(()) => self.state = Complaint::default(),
            Err(error) => {
                self.saving.unsaved = true;
                if self.state.is_due(now) {
                    self.log
                        .later(&self.status, Level::Warning, &error.to_string());
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

/// A filter of the configuration; the host holds it by a pointer, the housekeeper too.
struct Instance {
    running: Mutex<Running>,
    /// Held while a state is written, so that an older one never comes after a newer one.
    writing: Mutex<()>,
    host: Host,
    status: Arc<Status>,
    pipeline: usize,
}

impl Instance {
    /// Saves what there is to save, where it is time; the disk is waited for without the lock that records need.
    fn save(&self, running: MutexGuard<'_, Running>, now: Instant, last: bool) {
        let mut running = running;
        let Some((state, path)) = running.state_to_save(now, last) else {
            return;
        };
        let written = MutexGuard::unlocked(&mut running, || state.and_then(|s| s.write(&path)));
        running.saved(written, now);
    }
}

impl Kept for Instance {
    fn tick(&self) {
        let now = Instant::now();
        if let Some(_writing) = self.writing.try_lock()
            && let Some(mut running) = self.running.try_lock_for(PATIENCE)
            && !running.ended
        {
            running.pass(now);
            self.save(running, now, false);
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
    status: Arc<Status>,
) -> Result<Arc<Instance>, Vec<String>> {
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
        status: status.clone(),
        clock: Clock::default(),
        saving: Saving {
            next: now + Duration::from_secs_f64(settings.state_interval),
            free: now,
            unsaved: false,
        },
        malformed: Complaint::default(),
        textless: Complaint::default(),
        refused: Complaint::default(),
        full: Complaint::default(),
        state: Complaint::default(),
        ended: false,
        settings,
    };
    running.load();
    // What was counted before a restart is there from the start: a counter that jumps to it later would look like new failures.
    running.show();
    let instance = Arc::new(Instance {
        running: Mutex::new(running),
        writing: Mutex::new(()),
        host: log.host,
        status,
        pipeline: config as usize,
    });
    if let Err(error) = keeper::join(instance.clone()) {
        end(instance);
        return Err(vec![format!("its thread cannot be started: {error}")]);
    }
    Ok(instance)
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
    keeper::leave(&(instance.clone() as Arc<dyn Kept>));
    // A state that is being written is written first.
    let _writing = instance.writing.lock();
    instance.save(instance.running.lock(), Instant::now(), true);
    let mut running = instance.running.lock();
    running.ended = true;
    if let Some(path) = running.state_path() {
        STATE_FILES.lock().retain(|used| *used != path);
    }
    let host = instance.host;
    instance
        .status
        .write(Duration::ZERO, |level, line| host.log(level, line));
    Channel::leave(instance.pipeline, &instance.status);
}
