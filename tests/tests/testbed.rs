//! Real virtual machines, read by a real collectd, on a host that really fails.

use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bellwether_tests::skipped;
use bellwether_tests::testbed::collectd::{Collectd, Notification};
use bellwether_tests::testbed::plugin::Plugin;
use bellwether_tests::testbed::{Hypervisor, TestBed, Tools, capabilities, ensure_packages};

/// Seconds between collectd's readings: half a second, or what `BELLWETHER_TESTBED_INTERVAL` says, for a machine so slow (one
/// that is emulated itself) that reading starved guests takes longer.
static INTERVAL_S: LazyLock<f64> = LazyLock::new(|| {
    std::env::var("BELLWETHER_TESTBED_INTERVAL").map_or(0.5, |seconds| seconds.parse().unwrap())
});

/// Machines on the hypervisor.
const VMS: usize = 4;

/// Samples of normal life before a fault: the detector wants some 45 of history.
const WARM_UP_SAMPLES: u32 = 64;

/// Samples within which a host's fault must be told.
const RAISED_WITHIN_SAMPLES: usize = 15;

/// Samples after which a recovery must have been told.
const CLEARED_WITHIN_SAMPLES: u32 = 120;

/// What a test bed needs, or a loud word on why there is none here.
fn tools() -> Option<Tools> {
    ensure_packages()
        .and_then(|()| capabilities())
        .inspect_err(|reason| skipped(format_args!("no test bed here: {reason:#}")))
        .ok()
}

/// One test bed at a time: two would starve each other's machines, which is a host fault of its own.
fn alone() -> MutexGuard<'static, ()> {
    static BED: Mutex<()> = Mutex::new(());
    BED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds since the epoch, as collectd counts them.
fn now_s() -> f64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs_f64()
}

/// A span of time, seconds since the epoch.
#[derive(Clone, Copy)]
struct Span {
    from: f64,
    to: f64,
}

/// Lets samples pass until `seen`, at most so many.
fn pass_until(samples: u32, mut seen: impl FnMut() -> bool) -> Span {
    let from = now_s();
    for _ in 0..samples {
        sleep(Duration::from_secs_f64(*INTERVAL_S));
        if seen() {
            break;
        }
    }
    Span { from, to: now_s() }
}

/// Lets that many samples pass.
fn pass(samples: u32) -> Span {
    pass_until(samples, || false)
}

/// What bellwether told of the hypervisor so far.
fn anomalies(collectd: &Collectd) -> Vec<Notification> {
    let mut all = collectd.notifications();
    all.retain(Notification::is_hypervisor_anomaly);
    all
}

/// All that helps to understand a failure.
fn evidence(hypervisor: &Hypervisor, collectd: &Collectd) -> String {
    let mut text = String::new();
    for vm in hypervisor.vms() {
        let percents: Vec<String> = collectd
            .cpu_percent(vm)
            .iter()
            .map(|(_, percent)| format!("{percent:.0}"))
            .collect();
        text += &format!("{vm}: {}\n", percents.join(" "));
    }
    for notification in collectd.notifications() {
        text += &format!("{}\n\n", notification.text);
    }
    text + &collectd.log()
}

/// One fault cycle on a test bed of its own.
fn run(tools: &Tools, plugin: &Plugin) {
    let bed = TestBed::new(tools.clone()).unwrap();
    let hypervisor = bed.start_hypervisor("hv1", VMS).unwrap();
    let collectd = hypervisor
        .start_collectd(*INTERVAL_S, Some((plugin, "")))
        .unwrap();

    let normal = pass(WARM_UP_SAMPLES);
    hypervisor.fault_vm("vm2").unwrap();
    let vm_fault = pass(24);
    hypervisor.recover().unwrap();
    // As long as the detector's baseline, which then holds nothing of that fault.
    pass(48);
    let told = anomalies(&collectd);
    assert!(
        told.is_empty(),
        "one slow machine is not the host's fault\n{}",
        evidence(&hypervisor, &collectd)
    );

    hypervisor.fault_host().unwrap();
    let host_fault = pass(24);
    let raised = anomalies(&collectd).into_iter().next();
    let raised = raised.unwrap_or_else(|| {
        panic!(
            "the host's fault was not told\n{}",
            evidence(&hypervisor, &collectd)
        )
    });
    let samples = collectd
        .cpu_percent("vm1")
        .into_iter()
        .map(|(time, _)| time);
    let after = samples
        .filter(|time| (host_fault.from..=raised.time).contains(time))
        .count();
    assert!(
        after <= RAISED_WITHIN_SAMPLES && raised.severity != "OKAY",
        "told after {after} samples\n{}",
        evidence(&hypervisor, &collectd)
    );

    hypervisor.recover().unwrap();
    let is_cleared = || {
        anomalies(&collectd)
            .last()
            .is_some_and(|last| last.severity == "OKAY")
    };
    let recovery = pass_until(CLEARED_WITHIN_SAMPLES, is_cleared);
    assert!(
        is_cleared(),
        "the recovery was not told\n{}",
        evidence(&hypervisor, &collectd)
    );
    assert_eq!(
        anomalies(&collectd).len(),
        2,
        "an incident is told once\n{}",
        evidence(&hypervisor, &collectd)
    );
    eprintln!(
        "raised after {after} samples, cleared after {:.0}",
        (recovery.to - recovery.from) / *INTERVAL_S
    );
    assert_the_faults_are_real(&hypervisor, &collectd, [normal, vm_fault, host_fault]);
    let log = collectd.log();
    assert!(collectd.stop().unwrap().success(), "{log}");
}

/// The detection above means something only if the faults show in what the virt plugin read.
fn assert_the_faults_are_real(hypervisor: &Hypervisor, collectd: &Collectd, spans: [Span; 3]) {
    for vm in hypervisor.vms() {
        let samples = collectd.cpu_percent(vm);
        let [normal, vm_fault, host_fault] = spans.map(|Span { from, to }| {
            // The first sample of a span reaches into the one before.
            let within = |time: f64| time > from + *INTERVAL_S && time < to;
            let within: Vec<f64> = samples
                .iter()
                .filter(|(time, _)| within(*time))
                .map(|(_, percent)| *percent)
                .collect();
            within.iter().sum::<f64>() / within.len() as f64
        });
        let told = format!("{vm}: {normal:.0} {vm_fault:.0} {host_fault:.0} % of a core");
        assert!(host_fault < 0.7 * normal, "{told}");
        assert_eq!(vm_fault < 0.7 * normal, vm == "vm2", "{told}");
    }
}

/// `BELLWETHER_TESTBED_RUNS` repeats it, each time on a test bed of its own.
#[test]
fn host_fault_is_raised_and_cleared_and_single_vm_fault_is_not() {
    let _alone = alone();
    let Some(tools) = tools() else { return };
    let plugin = Plugin::build().unwrap();
    let runs = std::env::var("BELLWETHER_TESTBED_RUNS").map_or(1, |runs| runs.parse().unwrap());
    for number in 1..=runs {
        eprintln!("run {number} of {runs}");
        run(&tools, &plugin);
    }
}

/// All machines stop together, and the virt plugin says why: that is known, and nobody's fault.
#[test]
fn machines_that_are_paused_together_are_neither_an_anomaly_nor_a_silence_of_their_host() {
    let _alone = alone();
    let Some(tools) = tools() else { return };
    let plugin = Plugin::build().unwrap();
    let bed = TestBed::new(tools).unwrap();
    let hypervisor = bed.start_hypervisor("hv1", VMS).unwrap();
    // The machine that this runs on may itself be busy for some of the short intervals here.
    let collectd = hypervisor
        .start_collectd(*INTERVAL_S, Some((&plugin, "SilenceSz 12")))
        .unwrap();
    pass(WARM_UP_SAMPLES);
    for vm in hypervisor.vms() {
        hypervisor.pause(vm).unwrap();
    }
    pass(24);
    for vm in hypervisor.vms() {
        hypervisor.resume(vm).unwrap();
    }
    pass(24);
    let states = collectd.notifications();
    let paused = states
        .iter()
        .filter(|told| told.header("Type") == "domain_state" && told.severity == "WARNING");
    assert_eq!(paused.count(), VMS, "{}", evidence(&hypervisor, &collectd));
    // Whoever pauses guests knows that they are silent.
    let told = states
        .iter()
        .any(|told| told.header("Plugin") == "bellwether");
    assert!(!told, "{}", evidence(&hypervisor, &collectd));
}

/// Seconds between readings that collectd has by default.
const DEFAULT_INTERVAL_S: f64 = 10.0;
/// Seconds within which a host's fault must be raised at that interval.
const DEFAULT_RAISED_WITHIN_S: f64 = 180.0;

/// An hour at collectd's default interval: each guest's load changes by itself. `BELLWETHER_TESTBED_MINUTES` sets another length.
#[test]
#[ignore = "takes more than an hour"]
fn an_hour_of_loads_that_change_raises_nothing_and_a_fault_after_it_is_raised_within_minutes() {
    let _alone = alone();
    let Some(tools) = tools() else { return };
    let plugin = Plugin::build().unwrap();
    let minutes = std::env::var("BELLWETHER_TESTBED_MINUTES").map_or(60, |m| m.parse().unwrap());
    let bed = TestBed::new(tools).unwrap();
    let hypervisor = bed.start_hypervisor("hv1", VMS + 1).unwrap();
    let collectd = hypervisor
        .start_collectd(DEFAULT_INTERVAL_S, Some((&plugin, "")))
        .unwrap();
    // xorshift32, so that a run can be repeated.
    let mut state = 2_463_534_242_u32;
    let mut random = |below: u32| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state % below
    };
    for minute in 0..minutes {
        for vm in hypervisor.vms() {
            // Every five minutes on average.
            if random(5) == 0 {
                hypervisor.limit_vm(vm, Some(14 + random(24))).unwrap();
            }
        }
        sleep(Duration::from_secs(60));
        eprintln!("{} of {minutes} minutes", minute + 1);
    }
    let evidence = || evidence(&hypervisor, &collectd);
    assert_eq!(anomalies(&collectd), [], "{}", evidence());

    hypervisor.fault_host().unwrap();
    let fault = now_s();
    while anomalies(&collectd).is_empty() {
        assert!(now_s() < fault + DEFAULT_RAISED_WITHIN_S, "{}", evidence());
        sleep(Duration::from_secs(1));
    }
    eprintln!(
        "raised {:.0} s after the fault\n{}",
        now_s() - fault,
        evidence()
    );
}
