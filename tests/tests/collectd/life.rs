//! Configuration, restarts, neighbours that hang, and load.

use std::fs;
use std::time::{Duration, Instant};

use bellwether_tests::collectd::{Collectd, Setup};
use bellwether_tests::mount;

use super::*;

#[test]
fn a_configuration_that_is_wrong_stops_the_plugin_and_not_the_daemon() -> Result<()> {
    needs_collectd!();
    let wrong = [
        (
            "Treshold 2.5",
            "bellwether: unknown option Treshold (did you mean ZscoreThreshold?); the options are Algorithm, ",
        ),
        (
            "Threshold \"high\"",
            "bellwether: option ZscoreThreshold: \"high\" is not allowed; it takes 0 to 1000000",
        ),
        (
            "WindowLongSz 1.5",
            "bellwether: option ZscoreWindowLongSz: \"1.5\" is not allowed; it takes 2 to 100000",
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
        assert!(log.contains("bellwether: not started"), "{log}");
        collectd.send(history("hv0", 8).into_iter().take(100))?;
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
fn a_plugin_without_its_library_says_so() -> Result<()> {
    needs_collectd!();
    let mut collectd = Collectd::start(&Setup::with(""))?;
    collectd.stop()?;
    fs::remove_file(collectd.folder().join("plugins/libbellwether.so.0"))?;
    collectd.start_again()?;
    let log = collectd.log();
    assert!(
        log.contains("bellwether: libbellwether.so.0 cannot be loaded; tried /")
            && log.contains("plugins/libbellwether.so.0: no such file; "),
        "{log}"
    );
    Ok(())
}

#[test]
fn the_folder_of_the_state_is_created_or_the_start_is_refused() -> Result<()> {
    needs_collectd!();
    let mut collectd = Collectd::start(&Setup::with("StateFile \"bellwether/state\""))?;
    collectd.send(history("hv0", 14).into_iter().take(400))?;
    collectd.wait_judged("hv0", time(40))?;
    collectd.stop()?;
    assert!(
        collectd.folder().join("bellwether/state").exists(),
        "{}",
        collectd.log()
    );
    for (path, reason) in [
        (
            "/proc/bellwether/state",
            "its folder /proc/bellwether does not exist and cannot be created: ",
        ),
        (
            "/proc/bellwether.state",
            "its folder /proc cannot be written to: ",
        ),
    ] {
        let collectd = Collectd::start(&Setup::with(&format!("StateFile \"{path}\"")))?;
        let log = collectd.log();
        let wanted = format!("bellwether: option StateFile: snapshot {path}: {reason}");
        assert!(
            log.contains(&wanted) && log.contains("bellwether: not started"),
            "{wanted} in {log}"
        );
    }
    Ok(())
}

#[test]
fn a_state_file_that_is_mounted_is_written_in_place_with_one_warning() -> Result<()> {
    needs_collectd!();
    if let Err(reason) = mount::possible() {
        skipped(reason);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let (volume, state) = (folder.path().join("volume"), folder.path().join("state"));
    for file in [&volume, &state] {
        fs::write(file, "")?;
    }
    let lines = format!("StateFile \"{}\"\nStateInterval 1", state.display());
    let mut collectd = Collectd::start(&Setup {
        mounts: vec![(volume.clone(), state)],
        ..Setup::with(&lines)
    })?;
    for begins in [
        "bellwether: no learned state in",
        "bellwether: restored the learned state from",
    ] {
        collectd.send(history("hv0", 14).into_iter().take(800))?;
        collectd.wait_judged("hv0", time(90))?;
        collectd.stop()?;
        let log = collectd.log();
        assert!(log.contains(begins), "{begins} in {log}");
        assert_eq!(log.matches("is overwritten in place").count(), 1, "{log}");
        assert!(!log.contains("starting without"), "{log}");
        assert!(fs::read(&volume)?.starts_with(b"BELLWTHR"), "{log}");
        collectd.start_again()?;
    }
    Ok(())
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
        assert!(
            log.contains("bellwether: restored the learned state from"),
            "{log}"
        );
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
        log.contains("bellwether: starting without the learned state: "),
        "{log}"
    );
    assert!(!path.exists(), "the damaged file is out of the way");
    collectd.send(history("hv0", 14))?;
    collectd.wait_judged("hv0", time(TICKS - 3))?;
    assert_eq!(states(&collectd.events()), RAISED_AND_CLEARED);
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
    // The second event waits for the listener to take the first one; nothing else does.
    collectd.wait("the second event", || collectd.events().len() > 1)?;
    assert_eq!(states(&collectd.events()), RAISED_AND_CLEARED);
    assert!(collectd.stop()?.success());
    Ok(())
}

#[test]
fn a_listener_that_hangs_for_good_costs_neither_detection_nor_the_state_nor_a_clean_shutdown()
-> Result<()> {
    needs_collectd!();
    let mut collectd = Collectd::start(&Setup {
        plugins: vec!["hanging"],
        more: "<Plugin \"hanging\">\n  Notification 600\n</Plugin>\n".into(),
        ..Setup::with("StateFile \"state\"")
    })?;
    collectd.send(history("hv0", 26))?;
    collectd.wait("the first event", || !collectd.events().is_empty())?;
    // The second one waits behind the listener; time goes on.
    collectd.wait_judged("hv0", time(TICKS - 3))?;
    assert_eq!(collectd.newest("hv0/gauge-raised").map(|v| v.1), Some(0.0));
    let begun = Instant::now();
    assert!(collectd.stop()?.success());
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(9), "the shutdown took {took:?}");
    assert!(
        collectd
            .log()
            .contains("2 notifications may not have been delivered"),
        "{}",
        collectd.log()
    );
    collectd.start_again()?;
    let log = collectd.log();
    assert!(
        log.contains("bellwether: restored the learned state from"),
        "{log}"
    );
    Ok(())
}

#[test]
fn a_disk_that_hangs_costs_neither_detection_nor_a_clean_shutdown_and_only_the_saver_waits_for_it()
-> Result<()> {
    needs_collectd!();
    let mut collectd = Collectd::start(&Setup {
        slow_disk_sec: Some(600),
        ..Setup::with("StateFile \"state\"\nStateInterval 1")
    })?;
    collectd.send(commands(
        "hv0",
        &samples(&mut Guests::new(8, 27), 0..60, jump),
    ))?;
    collectd.wait("a save", || !collectd.disk_users().is_empty())?;
    // The first save never ends; everything else goes on.
    collectd.send(history("hv1", 28))?;
    collectd.wait_judged("hv1", time(TICKS - 3))?;
    assert_eq!(states(&collectd.events()), RAISED_AND_CLEARED);
    let begun = Instant::now();
    assert!(collectd.stop()?.success());
    let took = begun.elapsed();
    // collectd flushes at its shutdown, which is waited for, too.
    assert!(took < Duration::from_secs(12), "the shutdown took {took:?}");
    assert_eq!(collectd.disk_users(), ["bellwether-save"]);
    let log = collectd.log();
    assert!(
        log.contains("bellwether: the learned state was not on the disk in time"),
        "{log}"
    );
    Ok(())
}

#[test]
fn after_an_event_the_state_is_saved_though_no_further_value_comes() -> Result<()> {
    needs_collectd!();
    let mut collectd = Collectd::start(&Setup::with("StateFile \"state\"\nStateInterval 86400"))?;
    let until = JUMP.start + 40;
    let before = samples(&mut Guests::new(8, 13), 0..until, jump);
    collectd.send(commands("hv0", &before))?;
    collectd.wait("an event", || !collectd.events().is_empty())?;
    let state = collectd.folder().join("state");
    collectd.wait("a state", || state.exists())?;
    collectd.kill()?;
    collectd.start_again()?;
    let log = collectd.log();
    assert!(
        log.contains("bellwether: restored the learned state from"),
        "{log}"
    );
    Ok(())
}

#[test]
fn crashes_make_nobody_silent_and_who_does_not_come_back_is_told() -> Result<()> {
    needs_collectd!();
    let lines_of = "StateFile \"state\"\nStateInterval 1\nInterval 0.2";
    let mut collectd = Collectd::start(&Setup::with(lines_of))?;
    let mut fleet = Fleet::new(3);
    for crash in 0..crashes() {
        fleet.live(&collectd, 2.0, |_| true)?;
        collectd.kill()?;
        // Shorter than silence takes, and longer.
        std::thread::sleep(Duration::from_millis(300 + 700 * (crash % 3)));
        collectd.start_again()?;
        let log = collectd.log();
        assert!(
            log.contains("bellwether: restored the learned state from"),
            "{log}"
        );
        assert_eq!(lines(&collectd.events()), [""; 0], "after crash {crash}");
    }
    // The same after a clean stop.
    fleet.live(&collectd, 2.0, |_| true)?;
    collectd.stop()?;
    std::thread::sleep(Duration::from_secs(2));
    collectd.start_again()?;
    fleet.live(&collectd, 4.0, |hypervisor| hypervisor > 0)?;
    collectd.wait("silence", || !collectd.events().is_empty())?;
    assert_eq!(lines(&collectd.events()), ["hypervisor_silence raised hv0"]);
    Ok(())
}

/// How often the daemon is killed; more with the environment's CRASHES.
fn crashes() -> u64 {
    let more = std::env::var("CRASHES").ok();
    more.and_then(|n| n.parse().ok()).unwrap_or(10)
}

#[test]
fn what_does_not_fit_into_the_queue_is_dropped_and_counted() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup {
        plugins: vec!["generator"],
        more: "<Plugin \"generator\">\n  VMs 8\n  Result \"written\"\n</Plugin>\n".into(),
        ..Setup::with("QueueLength 16")
    })?;
    // Faster than any thread can take them.
    collectd.send([
        "PUTNOTIF message=\"direct bellwether virt_cpu_total 200000\" severity=okay time=1600000000 host=here \
         plugin=generator"
            .to_owned(),
    ])?;
    collectd.wait("dropped values", || {
        collectd.newest("/count-dropped").is_some_and(|v| v.1 > 0.0)
    })?;
    collectd.wait("a line in the log", || {
        collectd.log().contains("bellwether: queue full")
    })
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
