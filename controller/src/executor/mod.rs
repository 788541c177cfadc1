//! How guests are moved: what an executor has to do, and the executors there are.

mod contract;
mod hooks;
mod libvirt;
mod process;
mod runner;

use std::sync::Arc;

pub use contract::{Executor, Failure, Found, Job, Move, Plan, Work};
pub use hooks::Hooks;
pub use libvirt::Libvirt;
pub use runner::{Progress, Runner};

use crate::config::Config;

/// The executor of a configuration; `None` if nothing is to be moved.
pub fn of_config(config: &Config) -> Option<Arc<dyn Executor>> {
    match config.executor.kind.as_str() {
        "hooks" => Some(Arc::new(Hooks::new(config.hooks.clone()))),
        // The configuration was checked.
        "libvirt" => Libvirt::new(config)
            .ok()
            .map(|libvirt| Arc::new(libvirt) as _),
        _ => None,
    }
}
