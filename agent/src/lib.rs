//! What the plugins of bellwether share, whatever agent loads them: each plugin contains only what is specific to its agent.
//!
//! | Module | What it is for |
//! | --- | --- |
//! | [`board`] | The halves of one host meet: what the metrics say, and what the log says. |
//! | [`guard`] | A panic ends at the callback that it happened in. |
//! | [`limiter`] | A lasting problem is logged once in a while, not with every value or record. |
//! | [`maintenance`] | Maintenance windows as people write them. |
//! | [`options`] | A plugin's own options from one table: defaults, parsing, ranges, errors. |
//! | [`saver`] | The learned state is written and forced to the disk by a thread of its own. |
//! | [`state`] | A state file is checked at the start and its detector restored; what is to be logged of that. |
//! | [`text`] | Names and lines without what misleads their readers. |
//! | [`thread`] | Threads that leave the agent's signals to the agent. |
//! | [`doc`] | The tables of options in the book and in man pages. |
#![warn(missing_docs, missing_debug_implementations)]

pub mod board;
pub mod doc;
pub mod guard;
pub mod limiter;
pub mod maintenance;
pub mod options;
pub mod saver;
pub mod state;
pub mod text;
pub mod thread;
