//! The risk: one observation, and the time that passes for many hosts.

use bellwether_core::risk::{Detector, Observation, RiskOptions, SourceState};
use bellwether_core::units::Time;

fn main() {
    divan::main();
}

/// Hosts that report in turn.
const HOSTS: usize = 1_000;

fn detector(calibrate: bool) -> (Detector, Vec<String>) {
    let mut options = RiskOptions::default();
    options.set("calibrate", &calibrate.to_string()).unwrap();
    let names = (0..HOSTS).map(|i| format!("host-{i}.example.org"));
    (Detector::new(options).unwrap(), names.collect())
}

/// One observation; divan divides the time by their number.
#[divan::bench(args = [false, true])]
fn observe(bencher: divan::Bencher<'_, '_>, calibrate: bool) {
    let (mut detector, names) = detector(calibrate);
    let mut round = 0_u32;
    bencher.counter(HOSTS).bench_local(|| {
        round += 1;
        for (i, hypervisor) in names.iter().enumerate() {
            let turn = round.wrapping_add(i as u32);
            let state = match turn % 4 {
                0 => SourceState::log(turn % 7),
                1 => SourceState::had(None, false),
                2 => SourceState::resource(f64::from(turn % 100) / 100.0),
                _ => SourceState::novelty(turn % 50 / 49),
            };
            detector.observe(&Observation {
                hypervisor,
                time: Time::from_secs(f64::from(round) * 10.0),
                state,
            });
        }
        while detector.next_event().is_some() {}
    });
}
