//! Floods of invented names, and feeds that stall.

use bellwether_tests::collectd::{Collectd, Setup};

use super::*;

#[test]
fn a_flood_of_invented_hypervisors_displaces_none_that_reports_and_is_counted_and_said()
-> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup::with("Interval 0.2\nMaxHypervisors 20"))?;
    let mut fleet = Fleet::new(5);
    fleet.live(&collectd, 2.0, |_| true)?;
    for burst in 0..80 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        // A counter's second value makes the first sample.
        let invented = (0..60).flat_map(|n| {
            [0.0, LIVE_SEC].map(|later| {
                let name = format!("invented{burst}-{n}/virt-vm/virt_cpu_total");
                putval(
                    &name,
                    LIVE_SEC,
                    now - LIVE_SEC + later,
                    (later * 1e8) as u64,
                )
            })
        });
        collectd.send(invented)?;
        fleet.live(&collectd, LIVE_SEC, |_| true)?;
    }
    let health = |name: &str| collectd.newest(name).map_or(0.0, |v| v.1);
    collectd.wait("evictions", || {
        health("/count-hypervisors_evicted") > 20.0 && health("/count-full") > 0.0
    })?;
    assert_eq!(health("/count-hypervisors"), 20.0);
    let line = "bellwether: MaxHypervisors reached: ";
    collectd.wait("a line in the log", || collectd.log().contains(line))?;
    assert_eq!(
        collectd.log().matches(line).count(),
        1,
        "{}",
        collectd.log()
    );
    for hypervisor in 0..5 {
        let ticks = &collectd.values()[&format!("hv{hypervisor}/gauge-score")];
        let told = ticks.len();
        assert!(told > 75, "{told} ticks of hv{hypervisor}");
    }
    Ok(())
}

#[test]
fn a_feed_that_stalls_is_one_event_and_then_those_that_stay_silent() -> Result<()> {
    needs_collectd!();
    let collectd = Collectd::start(&Setup {
        hostname: "central".into(),
        ..Setup::with("Interval 0.2")
    })?;
    let mut fleet = Fleet::new(20);
    fleet.live(&collectd, 4.0, |_| true)?;
    collectd.wait("an event", || !collectd.events().is_empty())?;
    fleet.live(&collectd, 1.0, |_| false)?;
    assert_eq!(
        lines(&collectd.events()),
        ["collector_silence raised central"]
    );
    let event = &collectd.events()[0];
    assert_eq!(
        (event.get("Severity"), event.get("hypervisors")),
        ("WARNING", "20")
    );
    fleet.live(&collectd, 5.0, |hypervisor| hypervisor >= 2)?;
    let expected = [
        "collector_silence raised central",
        "collector_silence cleared central",
        "hypervisor_silence raised hv0",
        "hypervisor_silence raised hv1",
    ];
    collectd.wait("the silent ones", || {
        collectd.events().len() >= expected.len()
    })?;
    let mut told = lines(&collectd.events());
    // Which of them is looked at first is nobody's business.
    told[2..].sort_unstable();
    assert_eq!(told, expected);
    Ok(())
}
