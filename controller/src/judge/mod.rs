//! What the events say about each host: open incidents, health and risk.

mod hosts;
mod risks;

pub use hosts::{Host, Hosts, Incident};
pub use risks::{Risk, Risks};
