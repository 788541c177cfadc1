//! The plugin in a real collectd.

use anyhow::Result;
use bellwether_tests::collectd::{Collectd, Guests, Setup, putval};

const START: f64 = 1_600_000_000.0;

/// The commands for `ticks` intervals of the VMs of `hypervisor`, from the `first` one on.
fn history(
    guests: &mut Guests,
    hypervisor: &str,
    ticks: std::ops::Range<usize>,
    factor: impl Fn(usize) -> f64,
) -> Vec<String> {
    let mut commands = Vec::new();
    for tick in ticks {
        let time = START + 10.0 * tick as f64;
        for (vm, counter) in guests.pass(10.0, factor(tick)).iter().enumerate() {
            let name = format!("{hypervisor}/virt-vm{vm}/virt_cpu_total");
            commands.push(putval(&name, 10.0, time, *counter));
        }
    }
    commands
}

#[test]
fn a_common_jump_in_replayed_history_is_told_once_and_cleared_after_it() -> Result<()> {
    let collectd = Collectd::start(&Setup::with(""))?;
    let mut guests = Guests::new(8, 1);
    let jump = |tick| if (400..480).contains(&tick) { 2.0 } else { 1.0 };
    collectd.send(history(&mut guests, "hv0", 0..800, jump))?;
    collectd.wait_judged("hv0", START + 7970.0)?;
    let events = collectd.events();
    let states: Vec<&str> = events.iter().map(|e| e.get("state")).collect();
    assert_eq!(states, ["raised", "cleared"], "{events:#?}");
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
    let late = raised.time() - (START + 4000.0);
    assert!((0.0..=150.0).contains(&late), "raised after {late} s");
    assert!(raised.message.starts_with("hv0: "), "{}", raised.message);
    assert_eq!(events[1].get("Severity"), "OKAY");
    Ok(())
}
