//! The memory of a VM: a fleet in one detector, and its memory then.

use std::alloc::System;

use bellwether_core::had::{Algorithm, Detector, HadOptions, Observation};
use bellwether_core::units::{Interval, Time};
use cap::Cap;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

const HYPERVISORS: usize = 1000;
const VMS: usize = 30;
const TICKS: usize = 500;

fn main() {
    // `cargo bench NAME` runs every benchmark with the name as a filter.
    let mut filters = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    if filters
        .next()
        .is_some_and(|filter| !"memory".contains(&filter))
    {
        return;
    }
    println!("{HYPERVISORS} hypervisors x {VMS} VMs after {TICKS} samples each, bytes a VM:");
    for algorithm in [Algorithm::Rank, Algorithm::Zscore, Algorithm::Iad] {
        let options = HadOptions {
            algorithm,
            ..HadOptions::default()
        };
        let name = options.get("algorithm").expect("an option's name");
        let bytes = fleet(options);
        println!("{name:>8} {:8}", bytes.div_ceil(HYPERVISORS * VMS));
    }
}

/// Memory of a detector with the whole fleet in bytes.
fn fleet(options: HadOptions) -> usize {
    let hypervisors: Vec<String> = (0..HYPERVISORS)
        .map(|i| format!("compute-{i:04}"))
        .collect();
    let vms: Vec<String> = (0..VMS).map(|i| format!("instance-{i:08x}")).collect();
    let before = ALLOCATOR.allocated();
    let mut detector = Detector::new(options).expect("options that agree");
    for tick in 0..TICKS {
        let time = 10.0 * tick as f64;
        for (i, hypervisor) in hypervisors.iter().enumerate() {
            for (j, vm) in vms.iter().enumerate() {
                let phase = (tick * 7919 + i * 104_729 + j * 1_299_709) % 1000;
                detector.observe(&Observation {
                    hypervisor,
                    vm,
                    metric: "cpu",
                    time: Time::from_secs(time),
                    interval: Some(Interval::from_secs(10.0)),
                    value: 20.0 + phase as f64 / 100.0,
                });
            }
        }
        detector.advance(Time::from_secs(time + 10.0));
        while detector.next_event().is_some() {}
    }
    assert_eq!(detector.counters().vms, (HYPERVISORS * VMS) as u64);
    ALLOCATOR.allocated() - before
}
