//! bellwether for collectd: a write plugin that picks what the `virt` plugin says of VMs out of the stream, and tells as
//! notifications and values when the hypervisor under them is failing.
//!
//! One value's way: `daemon` (collectd's callback) → `virt` (whose is it?) → `queue` → `worker` (the detector's thread) →
//! `rates` → the detector, through the C ABI → `tell` → collectd. Events pass the `outbox` on their way to `tell`.
//!
//! collectd resolves the symbols that the shim needs when it loads the plugin, so nothing that calls them is built for the
//! unit tests, nor where there are no headers of collectd (`build.rs` sets `collectd` where there are).
// What only the daemon calls.
#![cfg_attr(any(test, not(collectd)), allow(dead_code))]

mod clock;
mod complaints;
mod config;
mod counter;
#[cfg(all(collectd, not(test)))]
mod daemon;
#[cfg(test)]
mod documentation;
mod host;
mod outbox;
#[cfg(all(collectd, not(test)))]
mod plugin;
mod queue;
mod rates;
mod tell;
mod virt;
mod vm;
mod vms;
mod worker;

use bellwether_alloc::HostAllocator;

#[cfg(all(collectd, not(test)))]
pub use daemon::module_register;

/// What the process's `malloc` promises is less than Rust's own allocator relies on.
#[global_allocator]
static ALLOCATOR: HostAllocator = HostAllocator;
