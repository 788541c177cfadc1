//! The plugin in a real collectd that is fed with counters of VMs, mostly with history.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bellwether_tests::collectd::{
    Collectd, Guests, Notification, Setup, loadable, putnotif, putval,
};
use bellwether_tests::skipped;
use bellwether_tests::testbed::capabilities::CollectdInstallation;

/// Ends a test where there is no collectd, and says so.
macro_rules! needs_collectd {
    () => {
        if let Err(reason) = CollectdInstallation::find() {
            skipped(reason);
            return Ok(());
        }
    };
}

/// When the histories begin.
const START: f64 = 1_600_000_000.0;

/// Seconds between two samples in the histories.
const INTERVAL: f64 = 10.0;

/// The interval from which on the guests of [`jump`] need more, and the one at which that is over.
const JUMP: std::ops::Range<usize> = 400..480;

/// Intervals of a history with a jump, long enough for it to be cleared.
const TICKS: usize = 700;

fn time(tick: usize) -> f64 {
    START + INTERVAL * tick as f64
}

fn jump(tick: usize) -> f64 {
    if JUMP.contains(&tick) { 2.0 } else { 1.0 }
}

/// One sample of one VM.
#[derive(Debug, Clone, Copy)]
struct Sample {
    tick: usize,
    vm: usize,
    counter: u64,
}

/// The samples of all VMs for `ticks`, in which all need `factor` times their level.
fn samples(
    guests: &mut Guests,
    ticks: std::ops::Range<usize>,
    factor: impl Fn(usize) -> f64,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for tick in ticks {
        let counters = guests.pass(INTERVAL, factor(tick)).iter().enumerate();
        samples.extend(counters.map(|(vm, &counter)| Sample { tick, vm, counter }));
    }
    samples
}

/// The commands that feed samples as `virt` names them with `HostnameFormat hostname`.
fn commands(hypervisor: &str, samples: &[Sample]) -> Vec<String> {
    samples
        .iter()
        .map(|s| {
            let name = format!("{hypervisor}/virt-vm{}/virt_cpu_total", s.vm);
            putval(&name, INTERVAL, time(s.tick), s.counter)
        })
        .collect()
}

/// The history of eight VMs of one hypervisor with a common jump.
fn history(hypervisor: &str, seed: u64) -> Vec<String> {
    commands(
        hypervisor,
        &samples(&mut Guests::new(8, seed), 0..TICKS, jump),
    )
}

fn states(events: &[Notification]) -> Vec<String> {
    let state = |e: &Notification| format!("{} {}", e.get("Type"), e.get("state"));
    events.iter().map(state).collect()
}

const RAISED_AND_CLEARED: [&str; 2] = ["hypervisor_anomaly raised", "hypervisor_anomaly cleared"];

#[test]
fn a_common_jump_in_replayed_history_is_told_once_and_cleared_after_it() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with(""))?;
    collectd.send(history("hv0", 1))?;
    collectd.wait_judged("hv0", time(TICKS - 3))?;
    let events = collectd.events();
    assert_eq!(states(&events), RAISED_AND_CLEARED);
    let raised = &events[0];
    let expected = [
        ("Host", "hv0"),
        ("Type", "hypervisor_anomaly"),
        ("TypeInstance", "cpu"),
        ("PluginInstance", ""),
        ("hypervisor", "hv0"),
        ("direction", "up"),
        ("cause", "external"),
        ("vms", "8"),
    ];
    for (key, value) in expected {
        assert_eq!(raised.get(key), value, "{key} of {raised:#?}");
    }
    let late = raised.time() - time(JUMP.start);
    assert!((0.0..=150.0).contains(&late), "raised after {late} s");
    assert!(raised.message.starts_with("hv0: "), "{}", raised.message);
    assert_eq!(events[1].get("Severity"), "OKAY");

    let values = collectd.values();
    let raised_at = |t: f64| {
        let ticks = &values["hv0/gauge-raised"];
        ticks.iter().find(|(time, _)| *time >= t).map(|&(_, v)| v)
    };
    assert_eq!(raised_at(raised.time() - 100.0), Some(0.0));
    assert_eq!(raised_at(raised.time() + 100.0), Some(1.0));
    assert_eq!(values["hv0/count-voters"].last().map(|v| v.1), Some(8.0));
    let consensus = &values["hv0/percent-consensus"];
    assert!(consensus.iter().all(|(_, v)| (0.0..=100.0).contains(v)));
    let told = consensus.len();
    assert!(told > TICKS / 2, "{told} of {TICKS} ticks were told");
    Ok(())
}

#[test]
fn a_single_vm_that_jumps_is_no_failure_of_its_host() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with(""))?;
    let mut guests = Guests::new(8, 2);
    let mut samples = Vec::new();
    for tick in 0..TICKS {
        let alone = |vm| if vm == 3 { jump(tick) } else { 1.0 };
        let counters = guests.pass_each(INTERVAL, alone).iter().enumerate();
        samples.extend(counters.map(|(vm, &counter)| Sample { tick, vm, counter }));
    }
    collectd.send(commands("hv0", &samples))?;
    collectd.wait_judged("hv0", time(TICKS - 3))?;
    assert_eq!(states(&collectd.events()), [""; 0]);
    Ok(())
}

#[test]
fn with_hostname_format_name_the_vms_are_this_machines() -> Result<()> {
    needs_collectd!();
    let setup = Setup {
        hostname: "node7".into(),
        ..Setup::with("")
    };
    let collectd = Collectd::start(&setup)?;
    let samples = samples(&mut Guests::new(8, 3), 0..TICKS, jump);
    collectd.send(samples.iter().map(|s| {
        let name = format!("vm{}/virt/virt_cpu_total", s.vm);
        putval(&name, INTERVAL, time(s.tick), s.counter)
    }))?;
    collectd.wait_judged("node7", time(TICKS - 3))?;
    let events = collectd.events();
    assert_eq!(states(&events), RAISED_AND_CLEARED);
    assert_eq!(events[0].get("Host"), "node7");
    assert_eq!(events[0].get("vms"), "8");
    Ok(())
}

#[test]
fn an_explicit_identity_overrules_a_uuid_in_the_plugin_instance() -> Result<()> {
    needs_collectd!();
    let setup = Setup {
        hostname: "node7".into(),
        ..Setup::with("Identity \"host-is-vm\"")
    };
    let collectd = Collectd::start(&setup)?;
    let samples = samples(&mut Guests::new(8, 4), 0..50, jump);
    collectd.send(samples.iter().map(|s| {
        let name = format!("vm{0}/virt-6f8c0000-{0}/virt_cpu_total", s.vm);
        putval(&name, INTERVAL, time(s.tick), s.counter)
    }))?;
    collectd.wait_judged("node7", time(47))?;
    collectd.wait("eight VMs of one hypervisor", || {
        collectd.newest("/count-hypervisors").map(|v| v.1) == Some(1.0)
            && collectd.newest("/count-vms").map(|v| v.1) == Some(8.0)
    })
}

#[test]
fn a_central_collectd_tells_hypervisors_apart_by_name_and_by_sender() -> Result<()> {
    needs_collectd!();
    let port = free_udp_port()?;
    let central = Collectd::start(&Setup {
        plugins: vec!["network"],
        more: format!("<Plugin \"network\">\n  Listen \"127.0.0.1\" \"{port}\"\n</Plugin>\n"),
        ..Setup::with("")
    })?;
    let sender = Collectd::start(&Setup {
        hostname: "sender".into(),
        bellwether: None,
        plugins: vec!["network"],
        more: format!("<Plugin \"network\">\n  Server \"127.0.0.1\" \"{port}\"\n</Plugin>\n"),
        ..Setup::default()
    })?;
    let samples = samples(&mut Guests::new(8, 5), 0..TICKS, jump);
    for interval in samples.chunks(8 * 20) {
        sender.send(interval.iter().flat_map(|s| {
            ["hv5/virt-vm", "vm"].map(|prefix| {
                let name = match prefix {
                    "vm" => format!("vm{}/virt/virt_cpu_total", s.vm),
                    _ => format!("{prefix}{}/virt_cpu_total", s.vm),
                };
                putval(&name, INTERVAL, time(s.tick), s.counter)
            })
        }))?;
        // Datagrams are not waited for: a receiver that is not yet run by a busy machine loses them.
        std::thread::sleep(Duration::from_millis(30));
    }
    sender.send(["FLUSH plugin=network".to_owned()])?;
    for hypervisor in ["hv5", "127.0.0.1"] {
        central.wait_judged(hypervisor, time(TICKS - 5))?;
        let mut events = central.events();
        events.retain(|e| e.get("Host") == hypervisor);
        assert_eq!(states(&events), RAISED_AND_CLEARED, "{hypervisor}");
    }
    Ok(())
}

#[test]
fn counters_that_start_anew_are_no_jump() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with(""))?;
    let mut guests = Guests::new(8, 6);
    let before = samples(&mut guests, 0..400, |_| 1.0);
    collectd.send(commands("hv0", &before))?;
    for vm in 0..8 {
        guests.restart(vm);
    }
    let after = samples(&mut guests, 400..600, |_| 1.0);
    collectd.send(commands("hv0", &after))?;
    collectd.wait_judged("hv0", time(597))?;
    collectd.wait("eight resets", || {
        collectd.newest("/count-reset").map(|v| v.1) == Some(8.0)
    })?;
    assert_eq!(states(&collectd.events()), [""; 0]);
    Ok(())
}

#[test]
fn values_out_of_order_and_twice_change_nothing() -> Result<()> {
    needs_collectd!();
    let in_order = samples(&mut Guests::new(8, 7), 0..TICKS, jump);
    // Every third sample of each VM comes after its next one, and every fifth twice.
    let mut disturbed = Vec::new();
    for vm in 0..8 {
        let mut own: Vec<Sample> = in_order.iter().copied().filter(|s| s.vm == vm).collect();
        for late in (vm + 3..own.len() - 1).step_by(3 + vm) {
            if late % 2 == 0 {
                own.swap(late, late + 1);
            }
        }
        disturbed.push(own);
    }
    let mut mixed = Vec::new();
    for tick in 0..TICKS {
        for own in &disturbed {
            mixed.push(own[tick]);
            if (tick + own[tick].vm) % 5 == 0 {
                mixed.push(own[tick]);
            }
        }
    }
    let mut told = Vec::new();
    for samples in [in_order, mixed] {
        let collectd = Collectd::start(&Setup::with("ReorderSz 3"))?;
        collectd.send(commands("hv0", &samples))?;
        collectd.wait_judged("hv0", time(TICKS - 4))?;
        let events = collectd.events();
        told.push(
            events
                .iter()
                .map(|e| (e.get("state").to_owned(), e.time()))
                .collect::<Vec<_>>(),
        );
        let scores = collectd.values()["hv0/gauge-score"].clone();
        told.push(
            scores
                .into_iter()
                .filter(|(t, _)| *t >= time(100))
                .map(|(t, v)| (format!("{v:.3}"), t))
                .collect(),
        );
    }
    assert_eq!(told[0].len(), 2);
    assert_eq!(told[0], told[2], "the events are the same");
    // Where a late value brings two ticks to an end at once, the first of them is not told.
    let same = told[3].iter().filter(|v| told[1].contains(v)).count();
    assert_eq!(same, told[3].len(), "and so are the scores");
    assert!(same > 500, "{same} ticks were told");
    Ok(())
}

#[test]
fn a_configuration_that_is_wrong_stops_the_plugin_and_not_the_daemon() -> Result<()> {
    needs_collectd!();
    let wrong = [
        (
            "Treshold 2.5",
            "bellwether: unknown option Treshold (did you mean Threshold?); the options are Algorithm, ",
        ),
        (
            "Threshold \"high\"",
            "bellwether: option Threshold: \"high\" is not allowed; it takes 0 to 1000000",
        ),
        (
            "WindowLongSz 1.5",
            "bellwether: option WindowLongSz: \"1.5\" is not allowed; it takes 2 to 100000",
        ),
        (
            "Identity \"vm\"",
            "bellwether: option Identity: \"vm\" is not allowed; it takes auto, host-is-vm, plugin-instance-is-vm",
        ),
        (
            "ForgetSec 10\nInterval 60",
            "bellwether: option ForgetSec: 10 would forget a VM",
        ),
    ];
    for (lines, message) in wrong {
        let mut collectd = Collectd::start(&Setup::with(lines))?;
        let log = collectd.log();
        assert!(log.contains(message), "{lines:?} gives:\n{log}");
        assert!(log.contains("bellwether: is not started"), "{log}");
        collectd.send(history("hv0", 8).into_iter().take(100))?;
        let test = std::process::Command::new("collectd")
            .args(["-t", "-C"])
            .arg(collectd.folder().join("collectd.conf"))
            .output()?;
        let told = String::from_utf8_lossy(&test.stderr).into_owned() + &collectd.log();
        assert!(told.matches(message).count() >= 2, "collectd -t: {told}");
        collectd.stop()?;
        assert!(collectd.values().is_empty() && collectd.events().is_empty());
    }
    Ok(())
}

#[test]
fn every_kind_of_value_in_the_configuration_is_understood() -> Result<()> {
    needs_collectd!();
    let lines = "Algorithm zscore\nMetrics cpu disk_ops\nmetrics \"if\"\nThreshold 2.5";
    let collectd = Collectd::start(&Setup::with(lines))?;
    assert!(
        collectd
            .log()
            .contains("option Metrics: \"if\" is not allowed"),
        "{}",
        collectd.log()
    );
    let lines = "ALGORITHM zscore\nMetrics cpu disk_ops\nMetrics net_errors\nThreshold 2.5\nDynamicFiltering false\n\
                 OverlapMinPct \"0.6\"\nWindow_Long_Sz 40\nQueueLength 1000";
    let collectd = Collectd::start(&Setup::with(lines))?;
    assert!(
        !collectd.log().contains("bellwether: "),
        "{}",
        collectd.log()
    );
    collectd.wait("values on the plugin's health", || {
        collectd.newest("/gauge-queue").is_some()
    })
}

#[test]
fn several_disks_of_a_vm_are_one_sample_of_it() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with("Metrics disk_ops"))?;
    let mut guests = Guests::new(6, 9);
    let mut commands = Vec::new();
    for tick in 0..TICKS {
        for (vm, counter) in guests.pass(INTERVAL, jump(tick)).iter().enumerate() {
            let operations = counter / 1_000_000;
            for (disk, share) in [("vda", 2), ("vdb", 1)] {
                commands.push(format!(
                    "PUTVAL \"hv0/virt-vm{vm}/disk_ops-{disk}\" interval=10 {}:{}:{}",
                    time(tick),
                    operations * share,
                    operations / 3
                ));
            }
        }
    }
    collectd.send(commands)?;
    let name = "hv0/gauge-score-disk_ops";
    collectd.wait("the last ticks", || {
        collectd
            .newest(name)
            .is_some_and(|(t, _)| t >= time(TICKS - 4))
    })?;
    let events = collectd.events();
    assert_eq!(states(&events), RAISED_AND_CLEARED);
    assert_eq!(events[0].get("TypeInstance"), "disk_ops");
    collectd.wait("health", || collectd.newest("/count-taken").is_some())?;
    assert_eq!(
        collectd.newest("/count-duplicate").map(|v| v.1),
        Some(0.0),
        "one sample a VM and tick"
    );
    Ok(())
}

#[test]
fn a_writer_that_hangs_beside_it_does_not_stop_the_plugin() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup {
        write_threads: 5,
        plugins: vec!["hanging"],
        more: "<Plugin \"hanging\">\n  Write 60\n</Plugin>\n".into(),
        ..Setup::with("ReorderSz 4")
    })?;
    let hang = (0..4).map(|n| putval(&format!("x/hang/gauge-{n}"), 10.0, START, 1));
    collectd.send(hang)?;
    collectd.send(history("hv0", 10))?;
    collectd.wait_judged("hv0", time(TICKS - 10))?;
    assert_eq!(states(&collectd.events()), RAISED_AND_CLEARED);
    Ok(())
}

#[test]
fn a_listener_that_hangs_stalls_no_writer_and_loses_nothing_that_the_queue_holds() -> Result<()> {
    needs_collectd!();
    let mut collectd = Collectd::start(&Setup {
        plugins: vec!["hanging"],
        more: "<Plugin \"hanging\">\n  Notification 3\n</Plugin>\n".into(),
        ..Setup::with("")
    })?;
    let begun = Instant::now();
    collectd.send(history("hv0", 11))?;
    // The write thread is not the one that hangs: collectd's own queue runs empty.
    collectd.wait("the first event", || !collectd.events().is_empty())?;
    let fed = begun.elapsed();
    assert!(fed < Duration::from_secs(3), "fed within {fed:?}");
    collectd.wait_judged("hv0", time(TICKS - 3))?;
    collectd.wait("health", || {
        collectd
            .newest("/count-taken")
            .is_some_and(|(_, taken)| taken >= (8 * (TICKS - 1)) as f64)
    })?;
    assert_eq!(collectd.newest("/count-dropped").map(|v| v.1), Some(0.0));
    assert_eq!(states(&collectd.events()), RAISED_AND_CLEARED);
    assert!(collectd.stop()?.success());
    Ok(())
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped_and_counted() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup {
        plugins: vec!["hanging"],
        more: "<Plugin \"hanging\">\n  Notification 2\n</Plugin>\n".into(),
        ..Setup::with("QueueLength 16")
    })?;
    collectd.send(history("hv0", 12))?;
    collectd.wait("dropped values", || {
        collectd.newest("/count-dropped").is_some_and(|v| v.1 > 0.0)
    })?;
    collectd.wait("a line in the log", || {
        collectd.log().contains("bellwether: the queue is full")
    })
}

#[test]
fn a_restart_goes_on_where_it_stopped() -> Result<()> {
    needs_collectd!();
    for killed in [false, true] {
        let mut collectd = Collectd::start(&Setup::with("StateFile \"state\""))?;
        let mut guests = Guests::new(8, 13);
        let until = JUMP.start + 40;
        collectd.send(commands("hv0", &samples(&mut guests, 0..until, jump)))?;
        collectd.wait_judged("hv0", time(until - 3))?;
        assert_eq!(states(&collectd.events()), RAISED_AND_CLEARED[..1]);
        if killed {
            collectd.send(["FLUSH plugin=bellwether".to_owned()])?;
            collectd.kill()?;
        } else {
            collectd.stop()?;
        }
        collectd.start_again()?;
        let log = collectd.log();
        assert!(log.contains("bellwether: goes on from the state"), "{log}");
        let rest = samples(&mut guests, until..TICKS, jump);
        collectd.send(commands("hv0", &rest))?;
        collectd.wait_judged("hv0", time(TICKS - 3))?;
        // Neither raised again, nor forgotten.
        assert_eq!(
            states(&collectd.events()),
            RAISED_AND_CLEARED,
            "killed: {killed}"
        );
    }
    Ok(())
}

#[test]
fn a_damaged_state_is_set_aside_and_said() -> Result<()> {
    needs_collectd!();
    let mut collectd = Collectd::start(&Setup::with("StateFile \"state\""))?;
    collectd.send(history("hv0", 14).into_iter().take(800))?;
    collectd.wait_judged("hv0", time(90))?;
    collectd.stop()?;
    let path = collectd.folder().join("state");
    let mut bytes = fs::read(&path)?;
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(&path, bytes)?;
    collectd.start_again()?;
    let log = collectd.log();
    assert!(
        log.contains("bellwether: starts without what it had learnt: "),
        "{log}"
    );
    assert!(!path.exists(), "the damaged file is out of the way");
    collectd.send(history("hv0", 14))?;
    collectd.wait_judged("hv0", time(TICKS - 3))?;
    assert_eq!(states(&collectd.events()), RAISED_AND_CLEARED);
    Ok(())
}

#[test]
fn vms_that_are_paused_have_no_say() -> Result<()> {
    needs_collectd!();
    let mut told = Vec::new();
    for paused in [false, true] {
        let collectd = Collectd::start(&Setup::with(""))?;
        let mut guests = Guests::new(8, 15);
        let calm = samples(&mut guests, 0..JUMP.start, jump);
        collectd.send(commands("hv0", &calm))?;
        if paused {
            let state = (
                "the domain is paused by user",
                "paused for offline migration",
            );
            collectd
                .send((0..8).map(|vm| putnotif("hv0", &format!("vm{vm}"), state.0, state.1)))?;
            collectd.wait("eight notifications", || {
                collectd.notifications().len() >= 8
            })?;
        }
        let rest = samples(&mut guests, JUMP.start..JUMP.end, jump);
        collectd.send(commands("hv0", &rest))?;
        collectd.wait("the rest", || {
            let count = |name| collectd.newest(name).map_or(0.0, |v| v.1);
            let seen = count("/count-taken") + count("/count-masked");
            seen >= (8 * (JUMP.end - 2)) as f64
        })?;
        told.push(states(&collectd.events()));
        if paused {
            assert!(collectd.newest("/count-masked").is_some_and(|v| v.1 > 0.0));
            collectd.send((0..8).map(|vm| {
                let reason = "returned from paused state";
                putnotif("hv0", &format!("vm{vm}"), "the domain is running", reason)
            }))?;
            collectd.wait("eight more notifications", || {
                collectd.notifications().len() >= 16
            })?;
            let after = samples(&mut guests, JUMP.end..JUMP.end + 100, jump);
            collectd.send(commands("hv0", &after))?;
            collectd.wait_judged("hv0", time(JUMP.end + 97))?;
            assert_eq!(collectd.newest("hv0/count-voters").map(|v| v.1), Some(8.0));
        }
    }
    assert_eq!(told[0], RAISED_AND_CLEARED[..1], "they have when they run");
    assert_eq!(told[1], [""; 0]);
    Ok(())
}

#[test]
fn when_all_vms_fall_silent_that_is_told() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with("Interval 1"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let mut guests = Guests::new(4, 16);
    let mut commands = Vec::new();
    for second in 0..20 {
        for (vm, counter) in guests.pass(1.0, 1.0).iter().enumerate() {
            let name = format!("hv0/virt-vm{vm}/virt_cpu_total");
            commands.push(putval(&name, 1.0, now - 20.0 + f64::from(second), *counter));
        }
    }
    collectd.send(commands)?;
    collectd.wait("silence", || !collectd.events().is_empty())?;
    let silence = &collectd.events()[0];
    assert_eq!(silence.get("Type"), "hypervisor_silence");
    assert_eq!(silence.get("Severity"), "WARNING");
    assert_eq!(silence.get("Host"), "hv0");
    Ok(())
}

#[test]
fn values_reach_prometheus() -> Result<()> {
    needs_collectd!();
    if !loadable("write_prometheus")? {
        skipped("collectd's write_prometheus lacks libraries: libmicrohttpd12, libprotobuf-c1");
        return Ok(());
    }
    let port = free_tcp_port()?;
    let collectd = Collectd::start(&Setup {
        hostname: "node7".into(),
        plugins: vec!["write_prometheus"],
        more: format!(
            "<Plugin \"write_prometheus\">\n  Host \"127.0.0.1\"\n  Port \"{port}\"\n</Plugin>\n"
        ),
        ..Setup::with("Interval 1")
    })?;
    collectd.send(recent_history(&mut Guests::new(8, 19))?)?;
    let line =
        "collectd_bellwether_gauge{bellwether=\"hv0\",type=\"raised\",instance=\"node7\"} 1 ";
    collectd.wait(line, || {
        http_get(port, "/metrics").is_ok_and(|text| text.contains(line))
    })
}

#[test]
fn notifications_reach_alertmanager() -> Result<()> {
    needs_collectd!();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let collectd = Collectd::start(&Setup {
        plugins: vec!["write_http"],
        more: format!(
            "<Plugin \"write_http\">\n  <Node \"alertmanager\">\n    URL \"http://{address}/api/v2/alerts\"\n    \
             Notifications true\n    Metrics false\n  </Node>\n</Plugin>\n"
        ),
        ..Setup::with("Interval 1")
    })?;
    let posted = std::thread::spawn(move || receive_post(&listener));
    collectd.send(recent_history(&mut Guests::new(8, 20))?)?;
    collectd.wait("an event", || !collectd.events().is_empty())?;
    let post = posted.join().expect("the receiver does not panic")?;
    let expected = [
        "POST /api/v2/alerts",
        "\"alertname\":\"collectd_bellwether_hypervisor_anomaly\"",
        "\"instance\":\"hv0\"",
        "\"severity\":\"WARNING\"",
        "\"summary\":\"hv0: ",
        "\"state\":\"raised\"",
    ];
    for part in expected {
        assert!(post.contains(part), "{part} is not in {post}");
    }
    Ok(())
}

#[test]
fn vms_whose_state_is_told_as_a_value_have_no_say_either() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with(""))?;
    let mut guests = Guests::new(8, 22);
    // libvirt's states: 3 is paused, 1 is running. The first comes before anything else is known of the VM.
    let state = |state: u32, tick| {
        move |vm| {
            let time = time(tick);
            format!("PUTVAL \"hv0/virt-vm{vm}/domain_state\" interval=10 {time}:{state}:1")
        }
    };
    collectd.send((0..3).map(state(3, 0)))?;
    collectd.send(commands("hv0", &samples(&mut guests, 0..100, |_| 1.0)))?;
    collectd.wait_judged("hv0", time(97))?;
    assert_eq!(collectd.newest("hv0/count-voters").map(|v| v.1), Some(5.0));
    collectd.send((0..3).map(state(1, 100)))?;
    collectd.send(commands("hv0", &samples(&mut guests, 100..250, |_| 1.0)))?;
    collectd.wait_judged("hv0", time(247))?;
    assert_eq!(collectd.newest("hv0/count-voters").map(|v| v.1), Some(8.0));
    assert_eq!(states(&collectd.events()), [""; 0]);
    Ok(())
}

#[test]
fn cpu_use_in_percent_is_taken_only_where_a_vm_has_nothing_better() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with(""))?;
    let samples = samples(&mut Guests::new(8, 23), 0..TICKS, jump);
    let mut before = [0; 8];
    collectd.send(samples.iter().flat_map(|s| {
        let percent = (s.counter - before[s.vm]) as f64 / (INTERVAL * 1e7);
        before[s.vm] = s.counter;
        let (vm, time) = (s.vm, time(s.tick));
        // virt tells both of a VM; hv1 has what is left where its counter is filtered out.
        [
            format!(
                "PUTVAL \"hv0/virt-vm{vm}/percent-virt_cpu_total\" interval=10 {time}:{percent}"
            ),
            putval(
                &format!("hv0/virt-vm{vm}/virt_cpu_total"),
                INTERVAL,
                time,
                s.counter,
            ),
            format!(
                "PUTVAL \"hv1/virt-vm{vm}/percent-virt_cpu_total\" interval=10 {time}:{percent}"
            ),
        ]
    }))?;
    for hypervisor in ["hv0", "hv1"] {
        collectd.wait_judged(hypervisor, time(TICKS - 3))?;
        let mut events = collectd.events();
        events.retain(|e| e.get("Host") == hypervisor);
        assert_eq!(states(&events), RAISED_AND_CLEARED, "{hypervisor}");
    }
    let log = collectd.log();
    let said: Vec<&str> = log.lines().filter(|l| l.contains("noisier")).collect();
    assert_eq!(said.len(), 1, "{log}");
    assert!(said[0].contains("of hv1 has no virt_cpu_total"), "{log}");
    collectd.wait("health", || {
        collectd.newest("/count-taken").is_some_and(|v| v.1 > 0.0)
    })?;
    assert_eq!(collectd.newest("/count-duplicate").map(|v| v.1), Some(0.0));
    Ok(())
}

#[test]
fn live_intervals_are_told_once_each() -> Result<()> {
    needs_collectd!();
    const SECONDS: f64 = 0.2;
    let collectd = Collectd::start(&Setup {
        write_threads: 5,
        ..Setup::with("Interval 0.2")
    })?;
    let mut guests = Guests::new(8, 21);
    for tick in 0..40_u32 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        // As virt does, each value has the time at which it was read.
        let counters = guests.pass(SECONDS, 1.0).iter().enumerate();
        collectd.send(counters.map(|(vm, counter)| {
            let late = f64::from((tick * 7 + vm as u32 * 3) % 11) * 0.002;
            let name = format!("hv0/virt-vm{vm}/virt_cpu_total");
            putval(&name, SECONDS, now + late, *counter)
        }))?;
        std::thread::sleep(Duration::from_secs_f64(SECONDS));
    }
    let values = collectd.values();
    let mut times: Vec<f64> = values["hv0/gauge-score"].iter().map(|v| v.0).collect();
    assert!(times.len() > 20, "{times:?}");
    times.sort_by(f64::total_cmp);
    let nearest = times.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(
        nearest.fold(f64::MAX, f64::min) > SECONDS / 2.0,
        "{times:?}"
    );
    assert!(
        !collectd.log().contains("Value too old"),
        "{}",
        collectd.log()
    );
    Ok(())
}

#[test]
fn history_that_is_replayed_slowly_does_not_fall_silent() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with("Interval 1\nSilenceSz 2"))?;
    let samples = samples(&mut Guests::new(4, 17), 0..40, |_| 1.0);
    let (first, second) = samples.split_at(80);
    collectd.send(commands("hv0", first))?;
    std::thread::sleep(Duration::from_secs(4));
    collectd.send(commands("hv0", second))?;
    collectd.wait_judged("hv0", time(37))?;
    assert_eq!(states(&collectd.events()), [""; 0]);
    assert_eq!(collectd.newest("/count-late").map_or(0.0, |v| v.1), 0.0);
    Ok(())
}

#[test]
fn a_plugin_without_its_library_says_so() -> Result<()> {
    needs_collectd!();
    let mut collectd = Collectd::start(&Setup::with(""))?;
    collectd.stop()?;
    fs::remove_file(collectd.folder().join("plugins/libbellwether.so.0"))?;
    collectd.start_again()?;
    let log = collectd.log();
    assert!(
        log.contains("bellwether: there is no ") && log.contains("libbellwether.so.0"),
        "{log}"
    );
    Ok(())
}

#[test]
fn half_a_million_values_as_fast_as_collectd_takes_them_pass_without_loss() -> Result<()> {
    needs_collectd!();
    const HYPERVISORS: usize = 500;
    const VMS: usize = 20;
    const ROUNDS: usize = 50;
    let collectd = Collectd::start(&Setup {
        write_threads: 2,
        ..Setup::with("Values false\nReorderSz 8")
    })?;
    let begun = Instant::now();
    let mut guests = Guests::new(VMS, 18);
    for round in 0..ROUNDS {
        let counters = guests.pass(INTERVAL, 1.0).to_vec();
        let commands = (0..HYPERVISORS).flat_map(|hypervisor| {
            let counters = &counters;
            (0..VMS).map(move |vm| {
                let name = format!("hv{hypervisor}/virt-vm{vm}/virt_cpu_total");
                putval(&name, INTERVAL, time(round), counters[vm])
            })
        });
        collectd.send(commands)?;
    }
    // The first sample of each VM has no rate. With two write threads, a few come out of order and correct others.
    let expected = (HYPERVISORS * VMS * (ROUNDS - 1)) as f64;
    collectd.wait("all values", || {
        let count = |name| collectd.newest(name).map_or(0.0, |v| v.1);
        count("/count-taken") >= expected
    })?;
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{:.0} values a second, with what feeds them on the same processors",
        (HYPERVISORS * VMS * ROUNDS) as f64 / took
    );
    assert_eq!(collectd.newest("/count-dropped").map(|v| v.1), Some(0.0));
    assert_eq!(collectd.newest("/count-late").map(|v| v.1), Some(0.0));
    Ok(())
}

/// The commands of a history of one-second intervals that ends now, with a jump in its last hundred seconds.
fn recent_history(guests: &mut Guests) -> Result<Vec<String>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let mut commands = Vec::new();
    for second in 0..500 {
        let factor = if second >= 400 { 2.0 } else { 1.0 };
        for (vm, counter) in guests.pass(1.0, factor).iter().enumerate() {
            let name = format!("hv0/virt-vm{vm}/virt_cpu_total");
            let time = now - 500.0 + f64::from(second);
            commands.push(putval(&name, 1.0, time, *counter));
        }
    }
    Ok(commands)
}

/// The text of the first request that a listener gets; it is answered, and so is none after it.
fn receive_post(listener: &TcpListener) -> Result<String> {
    let (mut stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut text = String::new();
    let mut buffer = [0; 4096];
    // The body follows its headers, and is one JSON array.
    while !text.trim_end().ends_with("}]") {
        let read = stream.read(&mut buffer)?;
        anyhow::ensure!(read > 0, "the request ends after {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok(text)
}

fn http_get(port: u16, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(
        stream,
        "GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// A TCP port that was free just now.
fn free_tcp_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A UDP port that was free just now.
fn free_udp_port() -> Result<u16> {
    Ok(std::net::UdpSocket::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}
