//! Intervals that differ, and clocks that are wrong: those of VMs, of senders, and of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use bellwether_tests::collectd::{Collectd, Setup};

use super::*;

/// The commands that feed samples of one VM, whose interval is so many of those of the others.
fn slower(hypervisor: &str, vm: usize, of: &[Sample], intervals: usize) -> Vec<String> {
    let own = of
        .iter()
        .filter(|s| s.vm == vm && s.tick.is_multiple_of(intervals));
    own.map(|s| {
        let name = format!("{hypervisor}/virt-vm{vm}/virt_cpu_total");
        putval(&name, INTERVAL * intervals as f64, time(s.tick), s.counter)
    })
    .collect()
}

#[test]
fn a_vm_of_another_interval_does_not_keep_the_others_from_being_judged() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with(""))?;
    let mut guests = Guests::new(11, 31);
    for tick in 0..TICKS {
        let now = samples(&mut guests, tick..tick + 1, jump);
        let (others, slow): (Vec<_>, Vec<_>) = now.into_iter().partition(|s| s.vm != 10);
        collectd.send(commands("hv0", &others))?;
        collectd.send(slower("hv0", 10, &slow, 6))?;
    }
    collectd.wait_judged("hv0", time(TICKS - 3))?;
    assert_eq!(states(&collectd.events()), RAISED_AND_CLEARED);
    assert_eq!(collectd.newest("hv0/count-voters").map(|v| v.1), Some(10.0));
    Ok(())
}

#[test]
fn an_interval_that_most_vms_change_to_is_learned_anew_and_logged() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with(""))?;
    let all = samples(&mut Guests::new(8, 32), 0..800, |_| 1.0);
    let (before, after) = all.split_at(8 * 200);
    collectd.send(commands("hv0", before))?;
    for tick in 200..800 {
        let now: Vec<_> = after.iter().copied().filter(|s| s.tick == tick).collect();
        for vm in 0..8 {
            collectd.send(slower("hv0", vm, &now, 3))?;
        }
    }
    collectd.wait_judged("hv0", time(790))?;
    collectd.wait("a count and a line in the log", || {
        let line = "bellwether: hv0: the interval of cpu of most VMs changed from 10 s to 30 s";
        collectd.newest("/count-intervals_changed").map(|v| v.1) == Some(1.0)
            && collectd.log().contains(line)
    })?;
    assert_eq!(states(&collectd.events()), [""; 0]);
    assert_eq!(collectd.newest("hv0/count-voters").map(|v| v.1), Some(8.0));
    Ok(())
}

#[test]
fn a_sender_that_is_behind_hides_nobody_elses_silence() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with("Interval 1"))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
    let mut guests = Guests::new(4, 33);
    let mut commands = Vec::new();
    for second in 0..20 {
        for (vm, counter) in guests.pass(1.0, 1.0).iter().enumerate() {
            for (hypervisor, behind) in [("hv0", 0.0), ("behind", 300.0)] {
                let name = format!("{hypervisor}/virt-vm{vm}/virt_cpu_total");
                let time = now - 20.0 + f64::from(second) - behind;
                commands.push(putval(&name, 1.0, time, *counter));
            }
        }
    }
    collectd.send(commands)?;
    collectd.wait("silence", || !collectd.events().is_empty())?;
    let silence = &collectd.events()[0];
    assert_eq!(silence.get("Type"), "hypervisor_silence");
    assert_eq!(silence.get("Host"), "hv0");
    Ok(())
}

#[test]
fn a_wall_clock_that_is_set_stops_neither_health_nor_saving_and_is_noticed() -> Result<()> {
    needs_collectd!();
    for (seconds, which) in [(-7200, "back"), (7200, "forward")] {
        let collectd = Collectd::start(&Setup {
            clock: true,
            ..Setup::with("StateFile \"state\"\nStateInterval 1")
        })?;
        let steps = |count: f64| {
            let health = collectd.values();
            let values = health.get("/count-wall_steps").cloned().unwrap_or_default();
            values.iter().any(|(_, steps)| *steps == count)
        };
        collectd.wait("health", || steps(0.0))?;
        collectd.set_clock(seconds)?;
        collectd.wait("health after that", || steps(1.0))?;
        collectd.send(history("hv0", 34).into_iter().take(800))?;
        let state = collectd.folder().join("state");
        collectd.wait("the state", || state.exists())?;
        let line = format!("bellwether: the clock of this machine was set {which} by 7200 s");
        assert_eq!(
            collectd.log().matches(&line).count(),
            1,
            "{}",
            collectd.log()
        );
        assert_eq!(states(&collectd.events()), [""; 0]);
    }
    Ok(())
}
