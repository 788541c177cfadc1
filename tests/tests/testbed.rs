//! Real virtual machines, read by a real collectd, on a host that really fails.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bellwether_tests::testbed::{TestBed, Tools, capabilities};

/// Seconds between collectd's readings.
const INTERVAL_S: f64 = 0.5;

/// What a test bed needs, or a loud word on why there is none here.
fn tools() -> Option<Tools> {
    capabilities()
        .inspect_err(|reason| eprintln!("SKIPPED: no test bed here: {reason:#}"))
        .ok()
}

/// Seconds since the epoch, as collectd counts them.
fn now() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

/// Lets that many samples pass and returns the span of time (s) in which they fell.
fn pass(samples: u32) -> (f64, f64) {
    let from = now();
    sleep(Duration::from_secs_f64(INTERVAL_S * f64::from(samples)));
    (from, now())
}

#[test]
fn faults_of_the_host_and_of_one_machine_show_in_what_the_virt_plugin_reads() {
    let Some(tools) = tools() else { return };
    let bed = TestBed::new(tools).unwrap();
    let hypervisor = bed.start_hypervisor("hv1", 4).unwrap();
    let collectd = hypervisor.start_collectd(INTERVAL_S, None).unwrap();
    let normal = pass(16);
    hypervisor.fault_vm("vm2").unwrap();
    let vm_fault = pass(16);
    hypervisor.recover().unwrap();
    hypervisor.fault_host().unwrap();
    let host_fault = pass(16);
    hypervisor.recover().unwrap();
    let recovered = pass(16);

    let mean = |vm: &str, (from, to): (f64, f64)| {
        let within: Vec<f64> = collectd
            .cpu_percent(vm)
            .into_iter()
            // The first and the last sample of a phase may reach into its neighbours.
            .filter(|(time, _)| (from + INTERVAL_S..to).contains(time))
            .map(|(_, percent)| percent)
            .collect();
        assert!(
            within.len() >= 10,
            "{vm} was read {} times in 16 intervals",
            within.len()
        );
        within.iter().sum::<f64>() / within.len() as f64
    };
    for vm in hypervisor.vms() {
        let [normal, vm_fault, host_fault, recovered] =
            [normal, vm_fault, host_fault, recovered].map(|phase| mean(vm, phase));
        let told =
            format!("{vm}: {normal:.0} {vm_fault:.0} {host_fault:.0} {recovered:.0} % of a core");
        eprintln!("{told}");
        assert!(
            host_fault < 0.7 * normal && host_fault < 0.7 * recovered,
            "{told}"
        );
        assert_eq!(vm_fault < 0.7 * normal, vm == "vm2", "{told}");
    }
    assert!(collectd.stop().unwrap().success());
}
