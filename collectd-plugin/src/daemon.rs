//! The daemon behind the shim: what collectd calls, and what it is called for.

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::sync::LazyLock;
use std::time::Instant;

use bellwether_agent::guard;
use bellwether_agent::text::clean;

use crate::counter::{seconds, ticks};
use crate::host::{Gauge, Host, Level, Notification};
use crate::plugin::{self, Running};
use crate::queue::{Fixed, Names};
use crate::resources::kind::{self as resources, Identifier};
use crate::virt::{self, Kind};

#[repr(C)]
struct Value {
    host: *const c_char,
    plugin: *const c_char,
    plugin_instance: *const c_char,
    type_: *const c_char,
    type_instance: *const c_char,
    time: u64,
    interval: u64,
    values: *const u64,
    values_len: usize,
    kinds: [i32; 2],
    list: *const c_void,
}

#[repr(C)]
struct RawNotification {
    severity: i32,
    time: u64,
    message: *const c_char,
    host: *const c_char,
    plugin_instance: *const c_char,
    plugin: *const c_char,
    type_: *const c_char,
    type_instance: *const c_char,
}

/// `enum bwc_setting`.
mod setting {
    pub const TEXT: i32 = 0;
    pub const NUMBER: i32 = 1;
    pub const FLAG: i32 = 2;
    pub const NOTHING: i32 = 3;
}

#[repr(C)]
struct Callbacks {
    setting: unsafe extern "C" fn(*const c_char, i32, *const c_char, f64),
    configured: extern "C" fn(),
    init: extern "C" fn() -> c_int,
    write: unsafe extern "C" fn(*const Value) -> c_int,
    notification: unsafe extern "C" fn(*const RawNotification) -> c_int,
    flush: extern "C" fn() -> c_int,
    shutdown: extern "C" fn() -> c_int,
}

static CALLBACKS: Callbacks = Callbacks {
    setting: on_setting,
    configured: on_configured,
    init: on_init,
    write: on_write,
    notification: on_notification,
    flush: on_flush,
    shutdown: on_shutdown,
};

unsafe extern "C" {
    fn bwc_register(callbacks: *const Callbacks);
    fn bwc_register_running() -> c_int;
    fn bwc_log(severity: i32, message: *const c_char);
    fn bwc_now() -> u64;
    fn bwc_interval() -> u64;
    fn bwc_hostname() -> *const c_char;
    fn bwc_sender(list: *const c_void, buffer: *mut c_char, size: usize) -> usize;
    fn bwc_dispatch_gauge(
        host: *const c_char,
        plugin_instance: *const c_char,
        type_: *const c_char,
        type_instance: *const c_char,
        time: u64,
        interval: u64,
        value: f64,
    ) -> c_int;
    fn bwc_dispatch_notification(
        notification: *const RawNotification,
        count: usize,
        keys: *const *const c_char,
        values: *const *const c_char,
    ) -> c_int;
}

/// collectd's entry into the plugin.
#[unsafe(no_mangle)]
pub extern "C" fn module_register() {
    // SAFETY: the table is static, and its functions keep what shim.h says of them.
    guard((), || unsafe { bwc_register(&CALLBACKS) });
}

/// Registers the callbacks that take values; collectd's answer where it refuses.
pub fn register_running() -> Result<(), i32> {
    // SAFETY: called within the callback for the start, after `bwc_register`.
    match unsafe { bwc_register_running() } {
        0 => Ok(()),
        status => Err(status),
    }
}

/// The interval that collectd gives this plugin, in seconds. Only within the configuration's and the start's callback.
pub fn interval() -> f64 {
    // SAFETY: the daemon's function may be called from its callbacks.
    seconds(unsafe { bwc_interval() })
}

/// Runs the body of a callback; a panic ends it there, is logged and gives `otherwise`.
fn guard<T>(otherwise: T, body: impl FnOnce() -> T) -> T {
    guard::guard(otherwise, |message| Daemon.log(Level::Error, message), body)
}

/// # Safety
/// `text` is NUL-terminated and lives for as long as the result is used.
unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_bytes()
}

unsafe extern "C" fn on_setting(key: *const c_char, kind: i32, text: *const c_char, number: f64) {
    guard((), || {
        // SAFETY: the key is NUL-terminated and borrowed for the call.
        let key = String::from_utf8_lossy(unsafe { bytes(key) });
        plugin::with_written(|written| match kind {
            setting::TEXT => {
                // SAFETY: with this kind, the text is NUL-terminated and borrowed for the call.
                let text = String::from_utf8_lossy(unsafe { bytes(text) });
                written.text(&key, &text);
            }
            setting::NUMBER => written.number(&key, number),
            setting::FLAG => written.flag(&key, number != 0.0),
            setting::NOTHING => written.nothing(&key),
            _ => written.block(&key),
        });
    });
}

extern "C" fn on_configured() {
    guard((), plugin::configured);
}

extern "C" fn on_init() -> c_int {
    guard(-1, || match plugin::start() {
        Ok(()) => 0,
        Err(()) => -1,
    })
}

unsafe extern "C" fn on_write(value: *const Value) -> c_int {
    // SAFETY: the shim passes a value that is borrowed for the call.
    guard((), || unsafe { write(&*value) });
    0
}

/// # Safety
/// All pointers in `value` are as shim.h says.
unsafe fn write(value: &Value) {
    // SAFETY: collectd's names are NUL-terminated.
    let plugin = unsafe { bytes(value.plugin) };
    if plugin == plugin::NAME.as_bytes() {
        // SAFETY: as above.
        plugin::returned(unsafe { bytes(value.host) }, value.time);
        return;
    }
    let Some(running) = plugin::running() else {
        return;
    };
    if plugin != virt::PLUGIN {
        if resources::Kind::is_of(plugin) && running.wanted.is_on() {
            // SAFETY: as the caller promises.
            unsafe { write_resource(value, plugin, running) };
        }
        return;
    }
    // SAFETY: as above.
    let (type_, type_instance) = unsafe { (bytes(value.type_), bytes(value.type_instance)) };
    let Some(kind) = Kind::of(type_, type_instance, value.values_len, value.kinds) else {
        return;
    };
    if !running.wants(kind) {
        return;
    }
    // SAFETY: as above.
    let (host, plugin_instance) = unsafe { (bytes(value.host), bytes(value.plugin_instance)) };
    let mut sender = [0u8; 64];
    let mut sender_len = 0;
    if running.host_is_vm(host, plugin_instance) {
        // SAFETY: the list is the one that this call is about, and the buffer has the size that it says.
        sender_len = unsafe { bwc_sender(value.list, sender.as_mut_ptr().cast(), sender.len()) };
    }
    // SAFETY: `Kind::of` has seen that there are one or two values, of eight bytes each.
    let values = unsafe {
        [
            *value.values,
            if value.values_len > 1 {
                *value.values.add(1)
            } else {
                0
            },
        ]
    };
    let fixed = Fixed {
        kind: kind as u8,
        time: value.time,
        interval: value.interval,
        arrival: ticks(Daemon.steady()),
        values,
    };
    let names = Names {
        host,
        plugin_instance,
        type_instance,
        sender: &sender[..sender_len.min(sender.len())],
    };
    if kind == Kind::State {
        running.shared.queue.push_state(&fixed, &names);
    } else {
        running.shared.queue.push(&fixed, &names);
    }
}

/// Takes a value of a plugin that reads the resources of its host.
///
/// # Safety
/// All pointers in `value` are as shim.h says.
unsafe fn write_resource(value: &Value, plugin: &[u8], running: &Running) {
    // SAFETY: collectd's names are NUL-terminated.
    let host = unsafe { bytes(value.host) };
    if !running.wanted.wants(host, Daemon.hostname().as_bytes()) {
        return;
    }
    // SAFETY: as above.
    let identifier = unsafe {
        Identifier {
            plugin,
            plugin_instance: bytes(value.plugin_instance),
            type_: bytes(value.type_),
            type_instance: bytes(value.type_instance),
        }
    };
    if value.values_len == 0 {
        return;
    }
    let Some((kind, detail)) = resources::Kind::of(&identifier, value.kinds) else {
        return;
    };
    // SAFETY: there are as many values as the list says, of eight bytes each.
    let values = unsafe {
        [
            *value.values,
            match kind.has_two() && value.values_len > 1 {
                true => *value.values.add(1),
                false => detail.into(),
            },
        ]
    };
    let fixed = Fixed {
        kind: kind.number(),
        time: value.time,
        interval: value.interval,
        arrival: ticks(Daemon.steady()),
        values,
    };
    let names = Names {
        host,
        plugin_instance: identifier.plugin_instance,
        // The kind says all of it.
        type_instance: b"",
        sender: b"",
    };
    running.shared.queue.push_resource(&fixed, &names);
}

unsafe extern "C" fn on_notification(notification: *const RawNotification) -> c_int {
    guard((), || {
        // SAFETY: the shim passes a notification that is borrowed for the call, with NUL-terminated names.
        let (notification, plugin, type_, message) = unsafe {
            let n = &*notification;
            (n, bytes(n.plugin), bytes(n.type_), bytes(n.message))
        };
        let Some(running) = plugin::running() else {
            return;
        };
        let is_maintenance = plugin == plugin::NAME.as_bytes() && type_ == plugin::MAINTENANCE;
        let (kind, masked) = if is_maintenance && running.mask_notifications {
            (Kind::Maintenance, false)
        } else if plugin == virt::PLUGIN && type_ == b"domain_state" {
            match virt::masked_by_message(message) {
                Some(masked) => (Kind::Masked, masked),
                None => return,
            }
        } else {
            return;
        };
        let fixed = Fixed {
            kind: kind as u8,
            time: notification.time,
            interval: 0,
            arrival: ticks(Daemon.steady()),
            values: [u64::from(masked), 0],
        };
        // SAFETY: as above.
        let (host, plugin_instance) = unsafe {
            (
                bytes(notification.host),
                bytes(notification.plugin_instance),
            )
        };
        let names = Names {
            host,
            plugin_instance,
            // That of maintenance is what the message says.
            type_instance: if kind == Kind::Maintenance {
                message
            } else {
                b""
            },
            sender: b"",
        };
        running.shared.queue.push_state(&fixed, &names);
    });
    0
}

extern "C" fn on_flush() -> c_int {
    guard(-1, || if plugin::flush() { 0 } else { -1 })
}

extern "C" fn on_shutdown() -> c_int {
    guard(-1, || if plugin::stop() { 0 } else { -1 })
}

/// A moment, and what the wall clock said then.
static START: LazyLock<(Instant, f64)> = LazyLock::new(|| (Instant::now(), Daemon.now()));

/// The daemon that has loaded the plugin.
#[derive(Debug, Clone, Copy)]
pub struct Daemon;

/// `text` for C, cleaned: names of VMs and hypervisors are chosen by others, and what is dispatched becomes lines, headers and labels
/// elsewhere. No NUL is left in it.
fn c_string(text: &str) -> CString {
    CString::new(clean(text).into_owned()).unwrap_or_default()
}

impl Host for Daemon {
    fn log(&self, level: Level, message: &str) {
        let message = c_string(message);
        // SAFETY: the message is NUL-terminated and borrowed for the call.
        unsafe { bwc_log(level as i32, message.as_ptr()) };
    }

    fn now(&self) -> f64 {
        // SAFETY: the daemon's clock may be read from any thread.
        seconds(unsafe { bwc_now() })
    }

    fn steady(&self) -> f64 {
        let (start, wall) = &*START;
        wall + start.elapsed().as_secs_f64()
    }

    fn hostname(&self) -> &str {
        // SAFETY: the name is NUL-terminated, and it is set for good when the daemon has started: plugins that change it do
        // so then, and the detector's thread does not ask for it before it is over.
        unsafe { CStr::from_ptr(bwc_hostname()) }
            .to_str()
            .unwrap_or("")
    }

    fn dispatch_gauge(&self, gauge: &Gauge<'_>) {
        let host = c_string(self.hostname());
        let [plugin_instance, type_, type_instance] =
            [gauge.plugin_instance, gauge.type_, gauge.type_instance].map(c_string);
        // SAFETY: the names are NUL-terminated and borrowed for the call, which only enqueues a copy.
        unsafe {
            bwc_dispatch_gauge(
                host.as_ptr(),
                plugin_instance.as_ptr(),
                type_.as_ptr(),
                type_instance.as_ptr(),
                ticks(gauge.time),
                ticks(gauge.interval),
                gauge.value,
            );
        }
    }

    fn dispatch_notification(&self, notification: &Notification<'_>) {
        let [host, plugin_instance, type_, type_instance, message] = [
            notification.host,
            notification.plugin_instance,
            notification.type_,
            notification.type_instance,
            notification.message,
        ]
        .map(c_string);
        let metadata: Vec<(CString, CString)> = notification
            .metadata
            .iter()
            .map(|(key, value)| (c_string(key), c_string(value)))
            .collect();
        let keys: Vec<_> = metadata.iter().map(|(key, _)| key.as_ptr()).collect();
        let values: Vec<_> = metadata.iter().map(|(_, value)| value.as_ptr()).collect();
        let raw = RawNotification {
            severity: notification.severity as i32,
            time: ticks(notification.time),
            message: message.as_ptr(),
            host: host.as_ptr(),
            plugin_instance: plugin_instance.as_ptr(),
            plugin: std::ptr::null(),
            type_: type_.as_ptr(),
            type_instance: type_instance.as_ptr(),
        };
        // SAFETY: all strings are NUL-terminated and borrowed for the call, and there are as many keys as values.
        unsafe {
            bwc_dispatch_notification(&raw, metadata.len(), keys.as_ptr(), values.as_ptr());
        }
    }
}
