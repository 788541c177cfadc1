//! The plugin's life: configured, started, running, stopped.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use bellwether_sys::{Event, Had, Library, Options, Way, own_folders};
use parking_lot::Mutex;

use crate::config::{CoreOption, Settings, Written, in_our_words};
use crate::counter::{seconds, ticks};
use crate::daemon::{self, Daemon};
use crate::host::{Host, Level};
use crate::outbox::Dispatcher;
use crate::queue::Queue;
use crate::tell;
use crate::virt::{Identity, Kind};
use crate::worker::{Shared, Worker};

/// The name of the plugin.
pub const NAME: &str = "bellwether";

/// The name of the thread that hands notifications to those who listen.
const NOTIFIER: &str = "bellwether-out";

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
}

impl Running {
    /// Whether values of that kind are of use.
    pub fn wants(&self, kind: Kind) -> bool {
        kind.metric().is_none_or(|metric| self.watched[metric])
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

/// Says at the end of each block what is wrong with the configuration so far, so that `collectd -t` shows it.
pub fn configured() {
    if let Err(errors) = ready() {
        complain(&errors);
    }
}

fn complain(errors: &[String]) {
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
}

/// The detector that the configuration asks for.
fn ready() -> Result<Ready, Vec<String>> {
    let one = |error: String| vec![error];
    let library = Library::load(own_folders()).map_err(one)?;
    let table = library.had_options().map_err(|e| one(e.to_string()))?;
    let table: Vec<CoreOption> = table
        .into_iter()
        .map(|option| CoreOption {
            name: option.name.into(),
            default: option.default.into(),
        })
        .collect();
    let interval = daemon::interval();
    let settings = WRITTEN
        .lock()
        .get_or_insert_default()
        .settings(&table, interval)?;
    let mut options = Options::new(&library);
    let mut errors = Vec::new();
    for (name, value) in &settings.core {
        if let Err(error) = options.set(name, value) {
            errors.push(in_our_words(&error.to_string(), name));
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let had = library.had(&options).map_err(|error| {
        let message = table.iter().fold(error.to_string(), |message, option| {
            in_our_words(&message, &option.name)
        });
        one(message)
    })?;
    Ok(Ready {
        library,
        settings,
        interval,
        had,
    })
}

/// Makes sure that the state can be kept where the configuration says.
fn prepare_state(library: &Library, settings: &Settings) -> Result<(), Vec<String>> {
    let Some(path) = &settings.state_file else {
        return Ok(());
    };
    let way = library.prepare_state(Path::new(path));
    if way.map_err(|error| vec![format!("option StateFile: {error}")])? == Way::InPlace {
        let message = format!(
            "option StateFile: {path} cannot be replaced (it is a mount of its own, or its folder cannot be written to) and is \
             written in place; mount its folder instead, so that no crash can damage it"
        );
        Daemon.log(Level::Warning, &message);
    }
    Ok(())
}

/// Starts the detector's thread and registers for values. A plugin that cannot start leaves the daemon as it is.
pub fn start() -> Result<(), ()> {
    let prepared = ready().and_then(|ready| {
        prepare_state(&ready.library, &ready.settings)?;
        Ok(ready)
    });
    let Ready {
        library,
        settings,
        interval,
        had,
    } = prepared.map_err(|errors| {
        complain(&errors);
        Daemon.log(
            Level::Error,
            "is not started because of its configuration; the errors are above",
        );
    })?;
    for file in library.passed_over() {
        let path = library.path().display();
        Daemon.log(Level::Warning, &format!("{path} is loaded, and not {file}"));
    }
    let shared = Arc::new(Shared {
        queue: Queue::new(settings.queue_length),
        returned: AtomicU64::new(0),
    });
    let running = Running {
        shared: shared.clone(),
        identity: settings.identity,
        watched: settings.watched,
    };
    if RUNNING.set(running).is_err() {
        Daemon.log(Level::Error, "is started twice");
        return Err(());
    }
    let theirs = shared.clone();
    let notifications = Dispatcher::start(
        NOTIFIER,
        |event: Event| tell::event(&Daemon, &event),
        move || theirs.queue.poke(),
        |cause| {
            let cause = panic_message(cause);
            Daemon.log(
                Level::Error,
                &format!("internal error in a notification: {cause}"),
            );
        },
    )
    .map_err(|error| Daemon.log(Level::Error, &format!("cannot start a thread: {error}")))?;
    let (host, shared_too) = (Arc::new(Daemon), shared.clone());
    let worker = Worker::new(host, shared_too, settings, interval, had, notifications);
    let thread = std::thread::Builder::new()
        .name(NAME.into())
        .spawn(move || {
            if let Err(cause) = catch_unwind(AssertUnwindSafe(|| worker.run())) {
                let message = format!(
                    "internal error, the detector has stopped: {}",
                    panic_message(&*cause)
                );
                Daemon.log(Level::Error, &message);
            }
            shared.queue.end();
        });
    match thread {
        Ok(thread) => *THREAD.lock() = Some(thread),
        Err(error) => {
            Daemon.log(Level::Error, &format!("cannot start its thread: {error}"));
            return Err(());
        }
    }
    daemon::register_running().map_err(|status| {
        Daemon.log(
            Level::Error,
            &format!("collectd does not register its callbacks (status {status})"),
        );
    })
}

/// What a panic says.
pub fn panic_message(cause: &(dyn Any + Send)) -> &str {
    cause
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| cause.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("unknown")
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
            "the detector's thread did not end within 10 s; shutting down without it",
        );
        return false;
    }
    THREAD
        .lock()
        .take()
        .is_none_or(|thread| thread.join().is_ok())
}
