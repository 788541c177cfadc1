//! The detector of resources.

use bellwether_core::resource::{Channel, Engine, Scale, Verdict};
use bellwether_core::units::Interval;

use super::Machine;

/// The smallest change that matters: the channels of these data sets go from 0 to 1.
pub const FLOOR: f64 = 0.05;

/// The verdict on every row.
fn verdicts(machine: &Machine, interval: f64) -> impl Iterator<Item = Verdict> {
    let channel = |i: usize| Channel {
        name: format!("channel_{i}"),
        scale: Scale::Linear(FLOOR),
    };
    let channels: Vec<Channel> = (0..machine.channels).map(channel).collect();
    let mut engine = Engine::new(&channels, Interval::from_secs(interval));
    machine.rows().map(move |row| engine.push(&channels, row))
}

/// Minus the logarithm of the combined p-values.
pub fn p_values(machine: &Machine, interval: f64) -> Vec<f64> {
    let scores = verdicts(machine, interval)
        .map(|verdict| verdict.p_values.map_or(f64::NAN, |p| -p.combined.ln()));
    scores.collect()
}

/// The distances.
pub fn distances(machine: &Machine, interval: f64) -> Vec<f64> {
    verdicts(machine, interval)
        .map(|verdict| verdict.distance)
        .collect()
}
