//! bellwether for Fluent Bit: a filter that learns what is normal in a host's logs, gives every record its template, and raises events
//! in the same pipeline when the logs indicate that the host is failing.
//! Verdicts on templates come back as records, too.
//!
//! One record's way: `plugin` (Fluent Bit's callback) → `record` (decoded in place) → `filter` (text, stream, priority) → `lad`
//! (the detector, through the C ABI) → back into the chunk with its keys. An event's: `filter` → `channel` → `input` (the
//! companion input) or, where the pipeline has none, inline behind the records of the chunk. Periodic work is
//! done by the `housekeeper`, a thread of its own: there, `risk` joins what the logs say of a host with what its metrics say. The
//! learned state is written by another.
//!
//! Fluent Bit copies the registration structures by name from the loaded object; what they point to is made when it is loaded.
// What only Fluent Bit calls.
#![cfg_attr(test, allow(dead_code))]

mod abi;
mod accessor;
mod channel;
mod clock;
mod config;
#[cfg(test)]
mod documentation;
mod event;
mod filter;
mod host;
mod housekeeper;
mod input;
mod lad;
mod msgpack;
mod plugin;
mod record;
mod risk;
mod tag;

use std::cell::UnsafeCell;

use abi::{FilterPlugin, Fit, InputPlugin, Layout};
use bellwether_alloc::HostAllocator;

/// What the process's `malloc` promises is less than Rust's own allocator relies on.
#[global_allocator]
static ALLOCATOR: HostAllocator = HostAllocator;

/// A registration structure: filled in when the object is loaded, copied by the host after that.
#[repr(transparent)]
pub struct Registration<T>(UnsafeCell<T>);

// SAFETY: it is written to once, by the dynamic linker's call of `load`, before anybody can have its address.
unsafe impl<T> Sync for Registration<T> {}

/// The filter, as Fluent Bit looks for it in flb-filter_bellwether.so.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static filter_bellwether_plugin: Registration<FilterPlugin> = Registration(UnsafeCell::new(
    FilterPlugin::new(c"bellwether", c"Tell from logs that a host is failing").with(
        plugin::init,
        plugin::filter,
        plugin::exit,
    ),
));

/// The companion input, as Fluent Bit looks for it in flb-in_bellwether.so.
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals)]
pub static in_bellwether_plugin: Registration<InputPlugin> =
    Registration(UnsafeCell::new(InputPlugin::new(
        c"bellwether",
        c"Take the events of the filter bellwether into the pipeline",
        input::init,
        input::collect,
    )));

/// Has the dynamic linker call [`load`].
#[used]
#[unsafe(link_section = ".init_array")]
static LOAD: extern "C" fn() = load;

/// Makes the tables of options. In a program whose structures are not what the plugin takes them for, whatever it calls refuses.
extern "C" fn load() {
    host::guard((), || {
        let layout = Layout::of_program();
        // SAFETY: see `Registration`.
        let (filter, input) = unsafe {
            (
                &mut *filter_bellwether_plugin.0.get(),
                &mut *in_bellwether_plugin.0.get(),
            )
        };
        match layout.fits_input() {
            Fit::Impossible(_) => input.refuse(host::refuse),
            _ => {
                let entries = plugin::own_entries(&config::INPUT);
                input.set_config_map(abi::config_map(&entries, layout.stride()));
            }
        }
        match layout.fits_filter() {
            Fit::Impossible(_) => filter.refuse(host::refuse),
            _ => {
                let entries = plugin::filter_entries();
                filter.set_config_map(abi::config_map(&entries, layout.stride()));
            }
        }
    });
}
