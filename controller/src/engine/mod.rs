//! The engine: one thread that owns the state and the store. What it takes in is stored before anybody hears of it, and what is
//! decided is stored before anything is done about it.

mod board;
mod clock;
mod command;
pub(crate) mod entry;
mod handle;
mod load;
pub(crate) mod machine;
mod reorder;
mod seen;
mod settings;
mod taking;
mod thread;

pub use board::{Board, Brake, Pause, Suggestion};
pub use clock::{Clock, system_clock};
pub use command::Notice;
pub use entry::Entry;
pub use handle::{Engine, EngineError, RETRY_SEC, Taken};
pub use load::OpenError;
pub use machine::{Counts, Effects, Machine, NoSnapshot, Snapshot, TICKS_MAX};

#[cfg(test)]
mod tests;
