//! The plugin's life: configured, started, running, stopped.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bellwether_agent::guard::panic_message;
use bellwether_agent::options::{STATE_FILE, camel_case};
use bellwether_agent::saver::Saver;
use bellwether_agent::state::{self, library};
use bellwether_agent::thread::spawn;
use bellwether_sys::{
    Error, Event, Had, HadOptions, Kind as DetectorKind, Library, OptionInfo, Options, Resource,
    ResourceOptions,
};
use parking_lot::Mutex;

use crate::board::Publisher;
use crate::config::{CoreOption, Of, Settings, Written};
use crate::counter::{seconds, ticks};
use crate::daemon::{self, Daemon};
use crate::host::{Host, Level};
use crate::mask_file::{self, Watcher};
use crate::outbox::Dispatcher;
use crate::queue::Queue;
use crate::report;
use crate::resource_watch::{Place, ResourceWatch};
use crate::resources::pressure::{PROC, Reader};
use crate::resources::wanted::{Wanted, Watch};
use crate::virt::{Identity, Kind};
use crate::worker::{Detectors, DiskThreads, Shared, States, Worker};

/// The name of the plugin.
pub const NAME: &str = "bellwether";

/// The type of notifications that give a maintenance window.
pub const MAINTENANCE: &[u8] = b"maintenance";

/// The name of the thread that hands notifications to those who listen.
const NOTIFIER: &str = "bellwether-out";

/// The name of the thread that writes the learned state.
const SAVER: &str = "bellwether-save";

/// The name of the thread that looks after the file of maintenance windows.
const WATCHER: &str = "bellwether-mask";

/// The name of the thread that reads from the kernel.
const READER: &str = "bellwether-read";

/// The name of the thread that publishes the state of hosts.
const PUBLISHER: &str = "bellwether-put";

/// How long a flush waits for the state to be saved.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the shutdown waits for what is in the queue.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// What the write callback needs to know.
#[derive(Debug)]
pub struct Running {
    /// What it shares with the detector's thread.
    pub shared: Arc<Shared>,
    identity: Identity,
    watched: [bool; crate::virt::METRICS.len()],
    /// Whose resources are wanted.
    pub wanted: Arc<Wanted>,
    /// Whether notifications give maintenance windows.
    pub mask_notifications: bool,
}

impl Running {
    /// Whether values of that kind are of use.
    pub fn wants(&self, kind: Kind) -> bool {
        kind.is_watched(&self.watched)
    }

    /// Whether the host of a value with these names is a VM.
    pub fn host_is_vm(&self, host: &[u8], plugin_instance: &[u8]) -> bool {
        self.identity.host_is_vm(host, plugin_instance)
    }
}

static WRITTEN: Mutex<Option<Written>> = Mutex::new(None);
static THREAD: Mutex<Option<JoinHandle<()>>> = Mutex::new(None);
static RUNNING: OnceLock<Running> = OnceLock::new();

/// What runs, once it does.
pub fn running() -> Option<&'static Running> {
    RUNNING.get()
}

/// Lets `change` add to what the configuration holds.
pub fn with_written(change: impl FnOnce(&mut Written)) {
    change(WRITTEN.lock().get_or_insert_default());
}

/// Logs at the end of each block what is wrong with the configuration so far, so that `collectd -T` shows it. `collectd -t` does
/// not: it looks at no plugin's block.
pub fn configured() {
    if let Err(errors) = ready() {
        log_errors(&errors);
    }
}

fn log_errors(errors: &[String]) {
    for error in errors {
        Daemon.log(Level::Error, error);
    }
}

/// What is ready to be started.
struct Ready {
    library: Library,
    settings: Settings,
    interval: f64,
    had: Had,
    /// `None` where resources are not watched.
    resource: Option<Resource>,
}

/// The options of a kind of detector, by the names that they have here.
fn table<K: DetectorKind>(options: &Options<K>, of: Of) -> Result<Vec<CoreOption>, Vec<String>> {
    let described = options.described().map_err(|e| vec![e.to_string()])?;
    let option = |option: OptionInfo| {
        Some(CoreOption {
            of,
            name: CoreOption::name_of(of, &option.name)?,
            core: option.name,
            aliases: option.aliases,
            default: option.default,
        })
    };
    Ok(described.into_iter().filter_map(option).collect())
}

/// The detector that the configuration asks for.
fn ready() -> Result<Ready, Vec<String>> {
    let one = |error: String| vec![error];
    let library = library().map_err(one)?;
    let mut options = HadOptions::new(&library);
    let mut resource = ResourceOptions::new(&library);
    let mut all = table(&options, Of::Vms)?;
    all.extend(table(&resource, Of::Resources)?);
    let interval = daemon::interval();
    let settings = WRITTEN
        .lock()
        .get_or_insert_default()
        .settings(&all, interval)?;
    let mut errors = Vec::new();
    for (name, value) in &settings.core {
        if let Err(error) = options.set(name, value) {
            errors.push(naming_the_key(Of::Vms, &error));
        } else if name == "interval"
            && let Err(error) = resource.set(name, value)
        {
            errors.push(naming_the_key(Of::Vms, &error));
        }
    }
    for (name, value) in &settings.resource {
        if let Err(error) = resource.set(name, value) {
            errors.push(naming_the_key(Of::Resources, &error));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let had = library
        .had(&options)
        .map_err(|error| one(naming_the_key(Of::Vms, &error)))?;
    let resource = (settings.resources != Watch::Off).then(|| library.resource(&resource));
    let resource = resource
        .transpose()
        .map_err(|error| one(naming_the_key(Of::Resources, &error)))?;
    Ok(Ready {
        library,
        settings,
        interval,
        had,
        resource,
    })
}

/// The core's message, with the key of the configuration for the name of the option.
fn naming_the_key(of: Of, error: &Error) -> String {
    let name = error
        .option()
        .and_then(|name| CoreOption::name_of(of, name));
    match name {
        Some(name) => format!("option {}: {}", camel_case(&name), error.reason()),
        None => error.to_string(),
    }
}

/// Makes sure that the state can be kept where the configuration says. Gives where that of resources is kept.
fn prepare_state(library: &Library, settings: &Settings) -> Result<Option<PathBuf>, Vec<String>> {
    let Some(path) = &settings.state_file else {
        return Ok(None);
    };
    let option = camel_case(STATE_FILE.name);
    let prepare = |path: &Path| {
        let warning = state::prepare(library, &option, path)?;
        warning
            .iter()
            .for_each(|warning| Daemon.log(Level::Warning, warning));
        Ok::<(), String>(())
    };
    let of_vms = Path::new(path);
    prepare(of_vms).map_err(|error| vec![error])?;
    if settings.resources == Watch::Off {
        return Ok(None);
    }
    let of_resources = ResourceWatch::state_path(of_vms);
    // It is a file more than the configuration names: where there is no place for it, all else works.
    match prepare(&of_resources) {
        Ok(()) => Ok(Some(of_resources)),
        Err(error) => {
            let message =
                format!("what is learned of resources is not kept across restarts: {error}");
            Daemon.log(Level::Warning, &message);
            Ok(None)
        }
    }
}

/// Starts the thread that writes the learned state.
fn saver(
    settings: &Settings,
    of_resources: Option<PathBuf>,
    shared: &Arc<Shared>,
) -> io::Result<Option<Saver<States>>> {
    let Some(path) = settings.state_file.as_ref().map(PathBuf::from) else {
        return Ok(None);
    };
    let interval = Duration::from_secs_f64(settings.state_interval);
    let write = move |states: States| {
        states.vms.write(&path).map_err(|error| error.to_string())?;
        if let (Some(state), Some(path)) = (states.resources, &of_resources) {
            state.write(path).map_err(|error| error.to_string())?;
        }
        Ok(())
    };
    let shared = shared.clone();
    // A flush waits for it.
    Saver::start(SAVER, interval, write, move || shared.queue.poke()).map(Some)
}

/// Reads the file of maintenance windows, and starts the thread that looks after it.
fn mask_watcher(settings: &Settings, shared: &Arc<Shared>) -> io::Result<Option<Watcher>> {
    let Some(path) = &settings.mask_file else {
        return Ok(None);
    };
    let shared = shared.clone();
    let news = move || shared.queue.poke();
    Watcher::start(WATCHER, Path::new(path), mask_file::PERIOD, news).map(Some)
}

/// Starts the thread that publishes the state of hosts.
fn publisher(settings: &Settings) -> io::Result<Option<Publisher>> {
    let folder = settings.board.as_ref().map(Path::new);
    folder
        .map(|folder| Publisher::start(PUBLISHER, folder))
        .transpose()
}

/// Starts the thread that reads from the kernel.
fn reader(settings: &Settings, interval: f64, shared: &Arc<Shared>) -> io::Result<Option<Reader>> {
    if !settings.pressure || !cfg!(target_os = "linux") {
        return Ok(None);
    }
    let shared = shared.clone();
    let news = move || shared.queue.poke();
    let interval = Duration::from_secs_f64(interval.max(0.1));
    Reader::start(READER, PROC.into(), interval, news).map(Some)
}

/// Starts the detector's thread and registers for values. A plugin that cannot start leaves the daemon as it is.
pub fn start() -> Result<(), ()> {
    let prepared = ready().and_then(|ready| {
        let of_resources = prepare_state(&ready.library, &ready.settings)?;
        Ok((ready, of_resources))
    });
    let (ready, of_resources) = prepared.map_err(|errors| {
        log_errors(&errors);
        Daemon.log(
            Level::Error,
            "not started: the errors in its configuration are logged above",
        );
    })?;
    let Ready {
        library,
        settings,
        interval,
        had,
        resource,
    } = ready;
    state::passed_over(&library).for_each(|warning| Daemon.log(Level::Warning, &warning));
    let shared = Arc::new(Shared {
        queue: Queue::new(settings.queue_length),
        returned: AtomicU64::new(0),
    });
    let wanted = Arc::new(Wanted::new(settings.resources));
    let running = Running {
        shared: shared.clone(),
        identity: settings.identity,
        watched: settings.watched,
        wanted: wanted.clone(),
        mask_notifications: settings.mask_notifications,
    };
    if RUNNING.set(running).is_err() {
        Daemon.log(Level::Error, "started twice");
        return Err(());
    }
    let theirs = shared.clone();
    let notifications = Dispatcher::start(
        NOTIFIER,
        |event: Event| report::event(&Daemon, &event),
        move || theirs.queue.poke(),
        |cause| {
            let cause = panic_message(cause);
            Daemon.log(
                Level::Error,
                &format!("internal error in a notification: {cause}"),
            );
        },
    )
    .map_err(no_thread)?;
    let disk = DiskThreads {
        saver: saver(&settings, of_resources.clone(), &shared).map_err(no_thread)?,
        mask_watcher: mask_watcher(&settings, &shared).map_err(no_thread)?,
        board: publisher(&settings).map_err(no_thread)?,
    };
    let resources = match resource {
        Some(detector) => Some(ResourceWatch::new(
            wanted,
            detector,
            reader(&settings, interval, &shared).map_err(no_thread)?,
            Place {
                interval,
                values: settings.values,
                state: of_resources,
            },
            Daemon.steady(),
        )),
        None => None,
    };
    let detectors = Detectors { had, resources };
    let (host, shared_too) = (Arc::new(Daemon), shared.clone());
    let worker = Worker::new(
        host,
        shared_too,
        settings,
        interval,
        detectors,
        notifications,
        disk,
    );
    let thread = spawn(NAME, move || {
        if let Err(cause) = catch_unwind(AssertUnwindSafe(|| worker.run())) {
            let cause = panic_message(&*cause);
            let message = format!("internal error, the detector has stopped: {cause}");
            Daemon.log(Level::Error, &message);
        }
        shared.queue.end();
    });
    *THREAD.lock() = Some(thread.map_err(no_thread)?);
    daemon::register_running().map_err(|status| {
        Daemon.log(
            Level::Error,
            &format!("cannot register its callbacks with collectd (status {status})"),
        );
    })
}

fn no_thread(error: io::Error) {
    Daemon.log(Level::Error, &format!("cannot start a thread: {error}"));
}

/// One of this plugin's own values came back through collectd's queue; `host` is whose it is, `time` collectd's.
pub fn returned(host: &[u8], time: u64) {
    if let Some(running) = running()
        && host == Daemon.hostname().as_bytes()
    {
        let age = (Daemon.now() - seconds(time)).max(0.0);
        let passed = ticks(Daemon.steady() - age);
        running.shared.returned.fetch_max(passed, Ordering::Relaxed);
    }
}

/// Saves the state; whether that was done in time.
pub fn flush() -> bool {
    running().is_none_or(|running| running.shared.queue.flush(FLUSH_TIMEOUT))
}

/// Lets the detector's thread finish what waits, and ends it; whether that was done in time.
pub fn stop() -> bool {
    let Some(running) = running() else {
        return true;
    };
    if !running.shared.queue.stop(STOP_TIMEOUT) {
        Daemon.log(
            Level::Warning,
            "detector thread did not stop within 10 s (blocked in a notification plugin?); shutting down without it",
        );
        return false;
    }
    THREAD
        .lock()
        .take()
        .is_none_or(|thread| thread.join().is_ok())
}
