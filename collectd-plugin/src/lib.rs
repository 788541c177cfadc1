//! bellwether for collectd: a write plugin that picks the values of the `virt` plugin out of the stream, and reports in
//! notifications and values when the hypervisor under the VMs is failing.
//!
//! One value's way: `daemon` (collectd's callback) → `virt` (whose is it?) → `queue` → `worker` (the detector's thread) →
//! `rates` → the detector, through the C ABI → `report` → collectd. Events pass the `outbox` on their way to `report`.
//!
//! Values of the host's own resources go the same way as far as the detector's thread, and there through `resources` into rows, which
//! `resource_watch` gives to a detector of their own.
//!
//! collectd resolves the symbols that the shim needs when it loads the plugin, so nothing that calls them is built for the
//! unit tests, nor where there are no headers of collectd (`build.rs` sets `collectd` where there are).
// What only the daemon calls.
#![cfg_attr(any(test, not(collectd)), allow(dead_code))]

mod board;
mod clock;
mod config;
mod counter;
#[cfg(all(collectd, not(test)))]
mod daemon;
#[cfg(test)]
mod documentation;
mod host;
mod lacking;
mod latency;
mod mask_file;
mod masks;
mod outbox;
#[cfg(all(collectd, not(test)))]
mod plugin;
mod queue;
mod rates;
mod report;
mod resource_watch;
mod resources;
mod risk_values;
mod topic;
mod virt;
mod vm;
mod vms;
mod votes;
mod worker;

use bellwether_alloc::HostAllocator;

#[cfg(all(collectd, not(test)))]
pub use daemon::module_register;

/// What the process's `malloc` promises is less than Rust's own allocator relies on.
#[global_allocator]
static ALLOCATOR: HostAllocator = HostAllocator;
