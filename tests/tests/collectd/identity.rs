//! Whose a value is.

use std::time::Duration;

use bellwether_core::text::split_list;
use bellwether_tests::collectd::{Collectd, Setup};

use super::*;

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
fn a_central_collectd_with_security_level_sign_takes_signed_samples_and_no_others() -> Result<()> {
    needs_collectd!();
    let port = free_udp_port()?;
    let secrets = tempfile::tempdir()?;
    let auth_file = secrets.path().join("auth_file");
    std::fs::write(&auth_file, "hv: secret\n")?;
    let central = Collectd::start(&Setup {
        plugins: vec!["network"],
        more: format!(
            "<Plugin \"network\">\n  <Listen \"127.0.0.1\" \"{port}\">\n    SecurityLevel Sign\n    AuthFile \"{}\"\n  \
             </Listen>\n</Plugin>\n",
            auth_file.display()
        ),
        ..Setup::with("")
    })?;
    let sender = |security: &str| {
        Collectd::start(&Setup {
            hostname: "sender".into(),
            bellwether: None,
            plugins: vec!["network"],
            more: format!(
                "<Plugin \"network\">\n  <Server \"127.0.0.1\" \"{port}\">\n{security}  </Server>\n</Plugin>\n"
            ),
            ..Setup::default()
        })
    };
    let senders = [
        ("unsigned", ""),
        (
            "forged",
            "SecurityLevel Sign\nUsername \"hv\"\nPassword \"guessed\"\n",
        ),
        (
            "unknown",
            "SecurityLevel Sign\nUsername \"nobody\"\nPassword \"secret\"\n",
        ),
        (
            "signed",
            "SecurityLevel Sign\nUsername \"hv\"\nPassword \"secret\"\n",
        ),
    ];
    for (hypervisor, security) in senders {
        let sender = sender(security)?;
        let samples = samples(&mut Guests::new(8, 27), 0..TICKS, jump);
        for interval in samples.chunks(8 * 20) {
            sender.send(commands(hypervisor, interval))?;
            // Datagrams are not waited for: a receiver that is not yet run by a busy machine loses them.
            std::thread::sleep(Duration::from_millis(30));
        }
        sender.send(["FLUSH plugin=network".to_owned()])?;
        std::thread::sleep(Duration::from_millis(100));
    }
    central.wait_judged("signed", time(TICKS - 5))?;
    assert_eq!(
        lines(&central.events()),
        [
            "hypervisor_anomaly raised signed",
            "hypervisor_anomaly cleared signed"
        ]
    );
    central.wait("one hypervisor", || {
        central.newest("/count-hypervisors").map(|v| v.1) == Some(1.0)
    })
}

/// A datagram of the network plugin's with one sample of each VM of a hypervisor, whose names may be anything.
fn datagram(hypervisor: &str, vms: &[String], time: f64, counters: &[u64]) -> Vec<u8> {
    const RESOLUTION: f64 = (1 << 30) as f64;
    let mut out = Vec::new();
    let mut part = |kind: u16, content: &[u8]| {
        out.extend(kind.to_be_bytes());
        out.extend((4 + content.len() as u16).to_be_bytes());
        out.extend(content);
    };
    let text = |text: &str| [text.as_bytes(), b"\0"].concat();
    let high_resolution = |seconds: f64| ((seconds * RESOLUTION) as u64).to_be_bytes();
    part(0, &text(hypervisor));
    part(2, &text("virt"));
    part(4, &text("virt_cpu_total"));
    part(8, &high_resolution(time));
    part(9, &high_resolution(INTERVAL));
    for (vm, counter) in vms.iter().zip(counters) {
        part(3, &text(vm));
        // One value, and that it is one of the type DERIVE.
        part(6, &[&[0, 1, 2][..], &counter.to_be_bytes()].concat());
    }
    out
}

#[test]
fn names_that_others_choose_forge_no_header_and_no_list() -> Result<()> {
    needs_collectd!();
    let port = free_udp_port()?;
    let central = Collectd::start(&Setup {
        plugins: vec!["network"],
        more: format!("<Plugin \"network\">\n  Listen \"127.0.0.1\" \"{port}\"\n</Plugin>\n"),
        ..Setup::with("Identity \"plugin-instance-is-vm\"")
    })?;
    let sender = std::net::UdpSocket::bind("127.0.0.1:0")?;
    let mut vms: Vec<String> = (0..8).map(|vm| format!("vm{vm}")).collect();
    vms[0] = "vm0,vm9".into();
    vms[1] = "vm1\nForged: yes".into();
    vms[2] = "vm2\u{202e}\u{feff}".into();
    let mut guests = Guests::new(8, 28);
    for tick in 0..TICKS {
        let counters = guests.pass(INTERVAL, jump(tick));
        let packet = datagram("hv\nForged: yes\u{2066}", &vms, time(tick), counters);
        sender.send_to(&packet, ("127.0.0.1", port))?;
        if tick % 20 == 0 {
            // Datagrams are not waited for: a receiver that is not yet run by a busy machine loses them.
            std::thread::sleep(Duration::from_millis(30));
        }
    }
    central.wait("two events", || central.events().len() == 2)?;
    let events = central.events();
    assert_eq!(states(&events), RAISED_AND_CLEARED);
    for event in &events {
        assert_eq!(event.get("Host"), "hv Forged: yes");
        assert_eq!(event.get("hypervisor"), "hv Forged: yes");
        assert_eq!(event.get("Forged"), "", "{event:#?}");
        assert!(event.message.starts_with("hv Forged: yes: "), "{event:#?}");
        assert!(!event.message.contains('\n'), "{event:#?}");
    }
    let mut changed = split_list(events[0].get("changed_vms"));
    changed.sort();
    let mut wanted = vms;
    wanted[1] = "vm1 Forged: yes".into();
    wanted[2] = "vm2".into();
    assert_eq!(changed, wanted);
    Ok(())
}

/// A UDP port that was free just now.
fn free_udp_port() -> Result<u16> {
    Ok(std::net::UdpSocket::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}
