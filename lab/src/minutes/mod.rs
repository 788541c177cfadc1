//! Hosts minute by minute: the state of each source of risk, as the detectors give it, and when a guest died.

mod fleet;
mod given;
mod host;
mod incidents;
mod lines;
mod published;
mod resources;
mod truth;

pub use fleet::Fleet;
pub use given::{GivenArguments, given};
pub use host::{Detectors, replay};
pub use truth::{Follows, Host, Minute, SOURCES, Weights, unknown};
