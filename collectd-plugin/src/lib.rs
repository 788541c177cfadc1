//! bellwether for collectd: a write plugin that picks what the `virt` plugin says of VMs out of the stream, and tells as
//! notifications and values when the hypervisor under them is failing.
//!
//! One value's way: `daemon` (collectd's callback) → `virt` (whose is it?) → `queue` → `worker` (the detector's thread) →
//! `rates` → the detector, through the C ABI → `tell` → collectd.
//!
//! collectd resolves the symbols that the shim needs when it loads the plugin, so nothing that calls them is built for the
//! unit tests.
// What only the daemon calls.
#![cfg_attr(test, allow(dead_code))]

mod clock;
mod complaints;
mod config;
mod counter;
#[cfg(not(test))]
mod daemon;
#[cfg(test)]
mod documentation;
mod host;
#[cfg(not(test))]
mod plugin;
mod queue;
mod rates;
mod tell;
mod virt;
mod vm;
mod vms;
mod worker;

use bellwether_alloc::HostAllocator;

#[cfg(not(test))]
pub use daemon::module_register;

/// What the process's `malloc` promises is less than Rust's own allocator relies on.
#[global_allocator]
static ALLOCATOR: HostAllocator = HostAllocator;
