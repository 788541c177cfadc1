//! What is told, and how it gets to where people look.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bellwether_tests::collectd::{Collectd, Setup, loadable};

use super::*;

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
