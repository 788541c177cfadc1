//! The clock of the engine.

use std::sync::Arc;
use std::time::SystemTime;

use bellwether_core::units::Time;

/// Gives the present.
pub type Clock = Arc<dyn Fn() -> Time + Send + Sync>;

/// The clock of the machine.
pub fn system_clock() -> Clock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        Time::from_secs(since.map_or(0.0, |since| since.as_secs_f64()))
    })
}
