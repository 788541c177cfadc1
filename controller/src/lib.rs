//! The controller: takes what both halves of bellwether report, decides by the policy of core, and has guests moved away from
//! failing hosts.
//!
//! - [`config`]: one TOML file, every setting documented once.
//! - [`ingest`]: from what senders post to events.
//! - [`inventory`]: the hosts of the cluster and what they share.
//! - [`judge`]: what the events say about each host.
//! - [`decide`]: what decides, the policy of core.
//! - [`engine`]: one thread that owns the state; what it takes in is stored, and what it decides is stored before it is done.
//! - [`store`]: what has to outlive a crash, in SQLite.
//! - [`executor`]: how guests are moved.
//! - [`http`]: the interface to senders, operators and monitoring.
//! - [`serve`], [`replay`], [`client`] and [`status`]: what the command does.
#![warn(missing_docs, missing_debug_implementations)]
#![forbid(unsafe_code)]

pub mod client;
pub mod config;
pub mod decide;
pub mod engine;
pub mod executor;
pub mod http;
pub mod ingest;
pub mod inventory;
pub mod judge;
mod log;
pub mod replay;
pub mod serve;
pub mod status;
pub mod store;
