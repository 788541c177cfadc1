//! From values to samples: resets, disorder, devices, masks and silence.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bellwether_tests::collectd::{Collectd, Setup, putnotif};

use super::*;

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
                // The first have too short a past, and the last may not be told yet.
                .filter(|(t, _)| (time(100)..time(TICKS - 5)).contains(t))
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

/// The commands of eight VMs with two disks each, whose operations take `factor` times as long as usual.
fn disk_history(factor: impl Fn(usize) -> f64) -> Vec<String> {
    let mut noise = 1_u64;
    let mut random = || {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (noise >> 33) as f64 / (1_u64 << 31) as f64
    };
    let mut totals = [[[0_u64; 2]; 2]; 8];
    let mut commands = Vec::new();
    for tick in 0..TICKS {
        for (vm, disks) in totals.iter_mut().enumerate() {
            for (disk, [operations, ns]) in disks.iter_mut().enumerate() {
                let done = 500.0 + 1000.0 * random();
                let ms = (2.0 + vm as f64) * (0.8 + 0.4 * random()) * factor(tick);
                *operations += done as u64;
                *ns += (done * ms * 1e6) as u64;
                let mut put = |kind: &str, total: u64| {
                    let name = format!("hv0/virt-vm{vm}/{kind}-vd{disk}");
                    let command = putval(&name, INTERVAL, time(tick), total / 3);
                    commands.push(format!("{command}:{}", total - total / 3));
                };
                put("disk_ops", *operations);
                put("disk_time", *ns);
            }
        }
    }
    commands
}

#[test]
fn operations_that_take_longer_on_all_disks_are_told_by_their_latency() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with("Metrics \"disk_latency\""))?;
    collectd.send(disk_history(
        |tick| if JUMP.contains(&tick) { 4.0 } else { 1.0 },
    ))?;
    let name = "hv0/gauge-score-disk_latency";
    collectd.wait("the last tick", || {
        collectd
            .newest(name)
            .is_some_and(|(at, _)| at >= time(TICKS - 3))
    })?;
    let events = collectd.events();
    assert_eq!(states(&events), RAISED_AND_CLEARED);
    let late = events[0].time() - time(JUMP.start);
    assert!((0.0..=150.0).contains(&late), "raised after {late} s");
    let keys = [
        ("TypeInstance", "disk_latency"),
        ("direction", "up"),
        ("vms", "8"),
    ];
    assert_eq!(
        keys.map(|(key, _)| events[0].get(key)),
        keys.map(|(_, value)| value)
    );
    Ok(())
}
