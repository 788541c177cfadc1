//! The resources of hosts: read by collectd's own plugins and by ours, and fed as history.

use std::fs;
use std::path::PathBuf;

use bellwether_tests::collectd::{Collectd, Setup};
use bellwether_tests::mount;

use super::*;

/// Seconds between two reads of the hosts in the histories.
const MINUTE: f64 = 60.0;

/// The interval from which on the memory of [`history`] is short, and the one at which that is over.
const SHORTAGE: std::ops::Range<usize> = 3000..3030;

/// Intervals that are fed at a time.
const PIECE: usize = 500;

/// Intervals of [`history`].
const END: usize = 3100;

fn at(tick: usize) -> f64 {
    START + MINUTE * tick as f64
}

/// collectd's plugins that read the resources of a host.
const PLUGINS: [&str; 7] = ["cpu", "disk", "load", "memory", "processes", "swap", "vmem"];

/// The commands that feed one value.
fn fed(name: &str, time: f64, values: &[f64]) -> String {
    let values: Vec<String> = values.iter().map(f64::to_string).collect();
    format!(
        "PUTVAL \"{name}\" interval={MINUTE} {time}:{}",
        values.join(":")
    )
}

/// What a host's plugins report for these intervals, with a shortage of memory in [`SHORTAGE`].
fn history(host: &str, ticks: std::ops::Range<usize>) -> Vec<String> {
    let mut commands = Vec::new();
    for tick in ticks {
        let time = at(tick);
        // Without a period: of what repeats itself exactly, nothing but the next value would be usual.
        let noise = |of: u64| {
            let mixed = (tick as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15 ^ (of << 32));
            0.02 * ((mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40) as f64
                / (1 << 24) as f64
        };
        let is_short = SHORTAGE.contains(&tick);
        for cpu in 0..2 {
            let busy = 0.3 + noise(7);
            for (state, share) in [("user", busy), ("system", 0.05), ("wait", 0.01)] {
                let name = format!("{host}/cpu-{cpu}/percent-{state}");
                commands.push(fed(&name, time, &[100.0 * share]));
            }
            let idle = 100.0 * (0.94 - busy);
            commands.push(fed(
                &format!("{host}/cpu-{cpu}/percent-idle"),
                time,
                &[idle],
            ));
        }
        let used = if is_short { 0.97 } else { 0.6 } + noise(11);
        commands.push(fed(
            &format!("{host}/memory/percent-used"),
            time,
            &[100.0 * used],
        ));
        // Counters of pages: those of the shortage stay.
        let shortage = tick.clamp(SHORTAGE.start, SHORTAGE.end) - SHORTAGE.start;
        let pages = (tick * 60 + shortage * 600_000) as f64;
        commands.push(fed(
            &format!("{host}/vmem/vmpage_io-swap"),
            time,
            &[pages, pages],
        ));
        let load = 0.8 + noise(5);
        commands.push(fed(&format!("{host}/load/load"), time, &[load, load, load]));
    }
    commands
}

/// Makes hosts known as hypervisors, by values of their VMs.
fn introduce(collectd: &Collectd, hosts: &[&str]) -> Result<()> {
    let mut commands = Vec::new();
    for host in hosts {
        for (tick, counter) in [(0, 0), (1, 1_000_000_000)] {
            let name = format!("{host}/virt-vm0/virt_cpu_total");
            commands.push(putval(&name, MINUTE, at(tick), counter));
        }
    }
    collectd.send(commands)?;
    let known = |count: usize| {
        let found = collectd.newest("/count-hypervisors");
        found.is_some_and(|value| value.1 >= count as f64)
    };
    collectd.wait("known hypervisors", || known(hosts.len()))
}

/// Waits until the detector has had a row of that host at `time` or later.
fn wait_row(collectd: &Collectd, host: &str, time: f64) -> Result<()> {
    let name = format!("{host}/gauge-resource_score");
    collectd.wait(&format!("a row of {host} at {time}"), || {
        collectd.newest(&name).is_some_and(|(t, _)| t >= time)
    })
}

/// Feeds the [`history`] of a host in pieces that fit into the queue, each once the one before has been evaluated.
fn replay(collectd: &Collectd, host: &str, ticks: std::ops::Range<usize>) -> Result<()> {
    for from in ticks.clone().step_by(PIECE) {
        let until = ticks.end.min(from + PIECE);
        collectd.send(history(host, from..until))?;
        wait_row(collectd, host, at(until - 2))?;
    }
    Ok(())
}

/// The names of the threads of a process.
fn threads(collectd: &Collectd) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for task in fs::read_dir(format!("/proc/{}/task", collectd.pid()))? {
        names.push(
            fs::read_to_string(task?.path().join("comm"))?
                .trim()
                .to_owned(),
        );
    }
    Ok(names)
}

fn rows(collectd: &Collectd) -> f64 {
    collectd
        .newest("/count-resource_rows")
        .map_or(0.0, |value| value.1)
}

#[test]
fn this_host_is_watched_by_what_collectds_plugins_and_the_kernel_report() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup {
        plugins: PLUGINS.to_vec(),
        ..Setup::with("")
    })?;
    collectd.wait("rows", || rows(&collectd) >= 4.0)?;
    assert_eq!(
        collectd.newest("/count-resource_hosts").map(|v| v.1),
        Some(1.0)
    );
    assert_eq!(collectd.newest("/count-refused").map(|v| v.1), Some(0.0));
    assert_eq!(collectd.newest("/count-full").map(|v| v.1), Some(0.0));
    let score = collectd.newest("here/gauge-resource_score");
    assert_eq!(score.map(|v| v.1), Some(0.0), "nothing is unusual yet");
    if fs::exists("/proc/pressure/io")? {
        for name in [
            "cpu_some",
            "memory_some",
            "memory_full",
            "io_some",
            "io_full",
        ] {
            let value = collectd.newest(&format!("here/percent-psi_{name}"));
            assert!(
                value.is_some_and(|v| (0.0..=100.0).contains(&v.1)),
                "{name}: {value:?}"
            );
        }
    }
    assert_eq!(states(&collectd.events()), [""; 0]);
    Ok(())
}

#[test]
fn a_shortage_of_memory_is_a_warning_that_names_the_signals_and_ends() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with(""))?;
    introduce(&collectd, &["hv0"])?;
    // Whose VMs report is known within a second.
    collectd.wait("a row", || {
        collectd.send(history("hv0", 2..4)).is_ok() && rows(&collectd) > 0.0
    })?;
    replay(&collectd, "hv0", 4..END)?;
    let events = collectd.events();
    let expected = [
        "resource_anomaly raised hv0",
        "resource_anomaly cleared hv0",
    ];
    assert_eq!(lines(&events), expected, "{events:#?}");
    let [raised, cleared] = [&events[0], &events[1]];
    assert_eq!(raised.get("Severity"), "WARNING");
    assert_eq!(cleared.get("Severity"), "OKAY");
    let raised_at = ((raised.time() - START) / MINUTE) as usize;
    assert!(
        (SHORTAGE.start..SHORTAGE.start + 5).contains(&raised_at),
        "{raised_at}"
    );
    assert_eq!(raised.get("TypeInstance"), "memory_used");
    let signals = raised.get("signals");
    assert!(signals.starts_with("memory_used +"), "{signals}");
    let values = collectd.values();
    let raised = &values["hv0/gauge-resource_raised"];
    let open = raised.iter().filter(|(_, value)| *value == 1.0).count();
    // The long average, with a half-life of three and a half minutes, has to come back from far, and then ten minutes pass.
    assert!(
        (SHORTAGE.len() - 4..SHORTAGE.len() + 45).contains(&open),
        "{open}"
    );
    Ok(())
}

#[test]
fn hosts_without_vms_are_watched_only_where_all_are() -> Result<()> {
    needs_collectd!();
    for (lines, watched) in [("", false), ("Resources \"all\"", true)] {
        let collectd = Collectd::start(&Setup::with(lines))?;
        introduce(&collectd, &["hv0"])?;
        let mut tick = 2;
        collectd.wait("rows of hv0", || {
            for host in ["hv0", "mail7"] {
                collectd.send(history(host, tick..tick + 1)).ok();
            }
            tick += 1;
            collectd.newest("hv0/gauge-resource_score").is_some()
        })?;
        // Both are fed in this order: what is watched of the second has come when that of the first has.
        for host in ["mail7", "hv0"] {
            collectd.send(history(host, tick..tick + 10))?;
        }
        wait_row(&collectd, "hv0", at(tick + 8))?;
        let seen = collectd.newest("mail7/gauge-resource_score").is_some();
        assert_eq!(seen, watched, "{lines}");
    }
    Ok(())
}

#[test]
fn a_host_in_maintenance_is_not_watched() -> Result<()> {
    needs_collectd!();
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("masks");
    fs::write(
        &file,
        format!("hv0 {} {}\n", at(SHORTAGE.start - 5), at(SHORTAGE.end + 5)),
    )?;
    let lines = format!("Resources \"all\"\nMaskFile \"{}\"", file.display());
    let collectd = Collectd::start(&Setup::with(&lines))?;
    for host in ["hv0", "hv1"] {
        replay(&collectd, host, 0..END)?;
    }
    let raised: Vec<String> = collectd
        .events()
        .iter()
        .filter(|event| event.get("state") == "raised")
        .map(|event| event.get("Host").to_owned())
        .collect();
    assert_eq!(raised, ["hv1"]);
    Ok(())
}

#[test]
fn what_is_learned_of_resources_outlives_a_restart() -> Result<()> {
    needs_collectd!();
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    let lines = format!("Resources \"all\"\nStateFile \"{}\"", state.display());
    let mut collectd = Collectd::start(&Setup::with(&lines))?;
    replay(&collectd, "hv0", 0..SHORTAGE.start)?;
    assert!(collectd.stop()?.success(), "{}", collectd.log());
    collectd.start_again()?;
    let restored = format!(
        "restored the learned state from {}.resources",
        state.display()
    );
    assert!(collectd.log().contains(&restored), "{}", collectd.log());
    replay(&collectd, "hv0", SHORTAGE)?;
    assert_eq!(
        lines_of_anomalies(&collectd),
        ["resource_anomaly raised hv0"]
    );
    Ok(())
}

#[test]
fn where_there_is_no_place_for_what_is_learned_of_resources_all_else_works() -> Result<()> {
    needs_collectd!();
    let folder = tempfile::tempdir()?;
    let state = folder.path().join("state");
    fs::create_dir(folder.path().join("state.resources"))?;
    let lines = format!("StateFile \"{}\"\nStateInterval 1", state.display());
    let collectd = Collectd::start(&Setup::with(&lines))?;
    let said = "bellwether: what is learned of resources is not kept across restarts: ";
    assert_eq!(
        collectd.log().matches(said).count(),
        1,
        "{}",
        collectd.log()
    );
    collectd.wait("rows and a state", || {
        rows(&collectd) >= 2.0 && state.exists()
    })?;
    collectd.wait("health", || {
        collectd.newest("/count-save_failures").is_some()
    })?;
    assert_eq!(
        collectd.newest("/count-save_failures").map(|v| v.1),
        Some(0.0)
    );
    Ok(())
}

fn lines_of_anomalies(collectd: &Collectd) -> Vec<String> {
    let mut lines = lines(&collectd.events());
    lines.retain(|line| line.starts_with("resource_anomaly"));
    lines
}

#[test]
fn pressure_is_the_share_of_time_by_the_kernels_totals() -> Result<()> {
    needs_collectd!();
    if let Err(reason) = mount::possible() {
        skipped(reason);
        return Ok(());
    }
    if !fs::exists("/proc/pressure/io")? {
        skipped("this kernel has no pressure stall information");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let write = |name: &str, some: u64, full: u64| {
        let line =
            |word, total| format!("{word} avg10=0.00 avg60=0.00 avg300=0.00 total={total}\n");
        fs::write(file(name), line("some", some) + &line("full", full))
    };
    for name in ["cpu", "memory", "io"] {
        write(name, 1000, 0)?;
    }
    let mounts = ["cpu", "memory", "io"];
    let mounts = mounts.map(|name| (file(name), PathBuf::from("/proc/pressure").join(name)));
    let collectd = Collectd::start(&Setup {
        mounts: mounts.to_vec(),
        ..Setup::with("")
    })?;
    let newest = |name: &str| {
        collectd
            .newest(&format!("here/percent-psi_{name}"))
            .map(|v| v.1)
    };
    collectd.wait("pressure", || newest("io_full") == Some(0.0))?;
    // An hour of stalls within seconds is all of the time.
    write("memory", 3_600_000_000, 3_600_000_000)?;
    let seen = |name: &str, value: f64| {
        let values = collectd.values();
        let values = values.get(&format!("here/percent-psi_{name}"));
        values.is_some_and(|values| values.iter().any(|v| v.1 == value))
    };
    collectd.wait("stalls", || {
        seen("memory_full", 100.0) && seen("memory_some", 100.0)
    })?;
    assert!(!seen("cpu_some", 100.0) && !seen("io_some", 100.0));
    Ok(())
}

#[test]
fn a_kernel_without_pressure_is_said_once_and_the_rest_is_watched() -> Result<()> {
    needs_collectd!();
    if let Err(reason) = mount::possible() {
        skipped(reason);
        return Ok(());
    }
    if !fs::exists("/proc/pressure")? {
        skipped("this kernel has no pressure stall information");
        return Ok(());
    }
    let empty = tempfile::tempdir()?;
    let collectd = Collectd::start(&Setup {
        plugins: vec!["memory"],
        mounts: vec![(empty.path().into(), "/proc/pressure".into())],
        ..Setup::with("")
    })?;
    collectd.wait("rows", || rows(&collectd) >= 4.0)?;
    let log = collectd.log();
    let said = "no pressure of this host among its resources: /proc/pressure/cpu: No such file";
    assert_eq!(log.matches(said).count(), 1, "{log}");
    assert_eq!(collectd.newest("here/percent-psi_cpu_some"), None);
    Ok(())
}

#[test]
fn nothing_is_read_or_dispatched_of_resources_that_are_off() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup {
        plugins: vec!["memory", "load"],
        ..Setup::with("Resources \"off\"")
    })?;
    collectd.wait("health twice", || {
        let values = collectd.values();
        values
            .get("/count-vms")
            .is_some_and(|values| values.len() >= 3)
    })?;
    assert_eq!(collectd.newest("/count-resource_rows"), None);
    assert!(
        !collectd
            .values()
            .keys()
            .any(|name| name.contains("resource"))
    );
    assert!(
        !threads(&collectd)?
            .iter()
            .any(|name| name == "bellwether-read")
    );
    let other = Collectd::start(&Setup::with("Pressure false"))?;
    other.wait("health", || other.newest("/count-resource_hosts").is_some())?;
    assert!(
        !threads(&other)?
            .iter()
            .any(|name| name == "bellwether-read")
    );
    let on = Collectd::start(&Setup::with(""))?;
    on.wait("rows", || rows(&on) >= 1.0)?;
    assert!(threads(&on)?.iter().any(|name| name == "bellwether-read"));
    Ok(())
}
