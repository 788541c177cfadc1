//! From values as collectd dispatches them to rows.

use super::kind::{Identifier, Part, State};
use super::signal::Signal;
use super::*;

const SECOND: u64 = 1 << 30;

/// A host that is fed with values named as collectd names them.
struct Feed {
    resources: Resources,
    counts: Counts,
    interval: f64,
}

impl Feed {
    fn new() -> Self {
        Self {
            resources: Resources::default(),
            counts: Counts::default(),
            interval: 10.0,
        }
    }

    /// Feeds a value of `host` named "PLUGIN[-INSTANCE]/TYPE[-INSTANCE]" with this time in seconds, which arrives then.
    fn value(&mut self, host: &str, name: &str, time: f64, values: &[f64]) {
        let (plugin, type_) = name.split_once('/').unwrap();
        let (plugin, plugin_instance) = plugin.split_once('-').unwrap_or((plugin, ""));
        let (type_, type_instance) = type_.split_once('-').unwrap_or((type_, ""));
        let is_counter =
            !["percent", "memory", "swap", "load", "ps_state", "count"].contains(&type_);
        let source = if is_counter { 2 } else { 1 };
        let mut sources = [source; 2];
        sources[values.len().min(2)..].fill(-1);
        let identifier = Identifier {
            plugin: plugin.as_bytes(),
            plugin_instance: plugin_instance.as_bytes(),
            type_: type_.as_bytes(),
            type_instance: type_instance.as_bytes(),
        };
        let (kind, detail) = Kind::of(&identifier, sources).expect(name);
        let bits = |value: f64| match is_counter {
            true => value as i64 as u64,
            false => value.to_bits(),
        };
        let second = match kind.has_two() {
            true => bits(values[1]),
            false => detail.into(),
        };
        let fixed = Fixed {
            kind: kind.number(),
            time: (time * SECOND as f64) as u64,
            interval: (self.interval * SECOND as f64) as u64,
            arrival: 0,
            values: [bits(values[0]), second],
        };
        let names = Names {
            host: host.as_bytes(),
            plugin_instance: plugin_instance.as_bytes(),
            type_instance: b"",
            sender: b"",
        };
        self.resources
            .take(kind, &fixed, &names, time, &mut self.counts);
    }

    /// One read of all plugins of a host with this number of CPUs at this time.
    fn read(&mut self, host: &str, cpus: usize, time: f64) {
        for cpu in 0..cpus {
            for (state, share) in [
                ("user", 30.0),
                ("system", 10.0),
                ("wait", 5.0),
                ("idle", 55.0),
            ] {
                let name = format!("cpu-{cpu}/cpu-{state}");
                self.value(host, &name, time, &[share * time]);
            }
        }
        let load = 0.75 * cpus as f64;
        self.value(host, "load/load", time + 0.1, &[load, load, load]);
        self.value(host, "processes/ps_state-blocked", time + 0.2, &[3.0]);
        for (part, gib) in [("used", 12.0), ("free", 4.0), ("cached", 8.0)] {
            self.value(host, &format!("memory/memory-{part}"), time + 0.3, &[gib]);
        }
        for (part, gib) in [("used", 1.0), ("free", 3.0)] {
            self.value(host, &format!("swap/swap-{part}"), time + 0.3, &[gib]);
        }
        self.value(
            host,
            "vmem/vmpage_io-swap",
            time + 0.4,
            &[7.0 * time, 9.0 * time],
        );
        self.value(
            host,
            "vmem/vmpage_faults",
            time + 0.4,
            &[500.0 * time, 20.0 * time],
        );
        for (disk, busy) in [("sda", 100.0), ("sdb", 600.0)] {
            let name = |type_| format!("disk-{disk}/{type_}");
            self.value(
                host,
                &name("disk_io_time"),
                time + 0.5,
                &[busy * time, busy * time],
            );
            self.value(
                host,
                &name("disk_ops"),
                time + 0.5,
                &[30.0 * time, 10.0 * time],
            );
            self.value(
                host,
                &name("disk_time"),
                time + 0.5,
                &[4.0 * time, busy / 10.0 * time],
            );
        }
    }

    fn rows(&mut self) -> Vec<Row> {
        self.resources.rows()
    }
}

/// The values of a row that are known, by signal.
fn known(row: &Row) -> Vec<(usize, f64)> {
    let rounded = |value: f64| (value * 1e6).round() / 1e6;
    let known = row
        .values
        .iter()
        .enumerate()
        .filter(|(_, value)| !value.is_nan());
    known.map(|(at, value)| (at, rounded(*value))).collect()
}

/// Those of [`Feed::read`].
const USUAL: [(Signal, f64); 12] = [
    (Signal::CpuBusy, 0.4),
    (Signal::CpuSystem, 0.1),
    (Signal::CpuIowait, 0.05),
    (Signal::Load, 0.75),
    (Signal::ProcessesBlocked, 3.0),
    (Signal::MemoryUsed, 0.5),
    (Signal::SwapUsed, 0.25),
    (Signal::SwapIn, 7.0),
    (Signal::SwapOut, 9.0),
    (Signal::MajorFaults, 20.0),
    (Signal::DiskBusy, 0.6),
    (Signal::DiskLatency, 18.0),
];

fn usual() -> Vec<(usize, f64)> {
    USUAL
        .map(|(signal, value)| (signal as usize, value))
        .to_vec()
}

#[test]
fn a_host_of_any_size_makes_one_row_an_interval_and_the_rows_do_not_show_its_size() {
    for cpus in [1, 8, 64, 512] {
        let mut feed = Feed::new();
        for tick in 0..50 {
            feed.read("hv1", cpus, 1e9 + 10.0 * f64::from(tick));
        }
        let rows = feed.rows();
        assert_eq!(rows.len(), 49, "{cpus}");
        for row in &rows[1..] {
            assert_eq!(known(row), usual(), "{cpus}");
            assert_eq!((&*row.host, row.interval), ("hv1", 10.0));
        }
        let steps = rows.windows(2).map(|pair| pair[1].time - pair[0].time);
        let others: Vec<f64> = steps.filter(|step| (step - 10.0).abs() > 0.01).collect();
        assert!(others.len() <= 1, "{others:?}");
        assert_eq!((feed.counts.late, feed.counts.resets), (0, 0));
    }
}

#[test]
fn a_row_is_complete_when_its_time_has_passed_and_not_before() {
    let mut feed = Feed::new();
    for tick in 0..20 {
        feed.read("hv1", 2, 1e9 + 10.0 * f64::from(tick));
    }
    feed.rows();
    let last = 1e9 + 190.5;
    feed.resources.turn(last + 0.5, 0.0);
    assert_eq!(feed.rows(), []);
    feed.resources.turn(last + 9.0, 0.0);
    let rows = feed.rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(known(&rows[0]), usual());
    assert!(rows[0].time <= last + 9.0);
}

#[test]
fn a_replay_of_history_is_closed_by_its_values_alone() {
    let mut feed = Feed::new();
    feed.read("hv1", 2, 1e9);
    // It arrives years later.
    for (key, machine) in &mut feed.resources.hosts {
        assert_eq!(&**key, b"hv1");
        machine.turn(1.7e9, 0.0, &mut Vec::new());
    }
    feed.resources.turn(1.7e9, 0.0);
    let rows = feed.rows();
    assert!(rows.len() <= 1, "{rows:?}");
}

#[test]
fn the_values_of_one_plugin_alone_make_rows_with_all_else_unknown() {
    let mut feed = Feed::new();
    for tick in 0..5 {
        let time = 1e9 + 10.0 * f64::from(tick);
        feed.value("hv1", "memory/percent-used", time, &[62.5]);
    }
    let rows = feed.rows();
    assert_eq!(rows.len(), 4);
    assert_eq!(known(&rows[3]), [(Signal::MemoryUsed as usize, 0.625)]);
}

#[test]
fn a_plugin_that_misses_an_interval_is_taken_as_it_was_and_one_that_stops_is_unknown() {
    let mut feed = Feed::new();
    for tick in 0..10 {
        let time = 1e9 + 10.0 * f64::from(tick);
        feed.value("hv1", "processes/ps_state-blocked", time, &[1.0]);
        if ![4, 7, 8, 9].contains(&tick) {
            feed.value("hv1", "load/load-relative", time, &[0.5, 0.5, 0.5]);
        }
    }
    let load: Vec<f64> = feed
        .rows()
        .iter()
        .map(|row| row.values[Signal::Load as usize])
        .collect();
    assert_eq!(load[..8], [0.5; 8]);
    assert!(load[8].is_nan());
}

#[test]
fn load_needs_the_number_of_cpus_from_anybody() {
    let read = |names: &[(&str, &[f64])]| {
        let mut feed = Feed::new();
        for tick in 0..4 {
            for (name, values) in names {
                feed.value("hv1", name, 1e9 + 10.0 * f64::from(tick), values);
            }
        }
        let last = feed.rows().pop();
        // A row of which nothing is known is none.
        last.map_or(f64::NAN, |row| row.values[Signal::Load as usize])
    };
    let load: (&str, &[f64]) = ("load/load", &[6.0, 1.0, 1.0]);
    assert!(read(&[load]).is_nan());
    assert_eq!(read(&[load, ("cpu/count", &[12.0])]), 0.5);
    let each: (&str, &[f64]) = ("cpu-2/percent-idle", &[90.0]);
    assert_eq!(read(&[load, ("cpu-0/percent-idle", &[90.0]), each]), 3.0);
    assert_eq!(read(&[("load/load-relative", &[1.5, 1.0, 1.0])]), 1.5);
}

#[test]
fn swap_traffic_is_that_of_swap_where_vmem_has_none() {
    let mut feed = Feed::new();
    for tick in 0..4 {
        let time = 1e9 + 10.0 * f64::from(tick);
        feed.value("hv1", "swap/swap_io-in", time, &[2.0 * time]);
        feed.value("hv1", "swap/swap_io-out", time, &[5.0 * time]);
    }
    let rows = feed.rows();
    let expected = [
        (Signal::SwapIn as usize, 2.0),
        (Signal::SwapOut as usize, 5.0),
    ];
    assert_eq!(rows.len(), 2, "the first values give none");
    assert_eq!(known(&rows[1]), expected);
}

#[test]
fn a_plugin_that_reads_more_often_gives_the_mean_and_one_that_reads_less_often_is_held() {
    let mut feed = Feed::new();
    for second in 0..400_u32 {
        let time = 1e9 + f64::from(second);
        feed.interval = 1.0;
        feed.value(
            "hv1",
            "processes/ps_state-blocked",
            time,
            &[f64::from(second % 10)],
        );
        if second.is_multiple_of(10) {
            feed.interval = 10.0;
            feed.value("hv1", "memory/percent-used", time, &[50.0]);
            feed.value("hv1", "load/load-relative", time, &[1.0, 1.0, 1.0]);
            feed.value("hv1", "cpu/percent-idle", time, &[100.0]);
        }
        if second.is_multiple_of(60) {
            feed.interval = 60.0;
            feed.value("hv1", "swap/percent-used", time, &[25.0]);
        }
    }
    let rows = feed.rows();
    for row in &rows[8..] {
        assert_eq!(row.interval, 10.0);
        let expected = [
            (Signal::CpuBusy as usize, 0.0),
            (Signal::Load as usize, 1.0),
            (Signal::ProcessesBlocked as usize, 4.5),
            (Signal::MemoryUsed as usize, 0.5),
            (Signal::SwapUsed as usize, 0.25),
        ];
        assert_eq!(known(row), expected);
    }
    assert!(rows.len() >= 36, "{}", rows.len());
}

#[test]
fn a_clock_that_is_set_back_begins_again_and_one_that_is_set_forward_skips() {
    let mut feed = Feed::new();
    for begin in [1e9, 1e9 + 7200.0, 1e9 - 3600.0] {
        for tick in 0..20 {
            feed.read("hv1", 2, begin + 10.0 * f64::from(tick));
        }
        let rows = feed.rows();
        assert!((17..=20).contains(&rows.len()), "{begin}: {}", rows.len());
        for row in &rows[3..] {
            assert_eq!(known(row), usual(), "{begin}");
        }
    }
    assert!((1..100).contains(&feed.counts.late), "{:?}", feed.counts);
}

#[test]
fn after_a_reboot_one_row_lacks_what_counters_give() {
    let mut feed = Feed::new();
    for tick in 0..10 {
        feed.read("hv1", 4, 1e9 + 10.0 * f64::from(tick));
    }
    feed.rows();
    // Counters begin again, though not time: what is read is of a time long before.
    let mut reads = Vec::new();
    for tick in 10..14 {
        let time = 1e9 + 10.0 * f64::from(tick);
        feed.value(
            "hv1",
            "vmem/vmpage_faults",
            time,
            &[0.0, 3.0 * f64::from(tick - 10)],
        );
        feed.value("hv1", "memory/percent-used", time, &[50.0]);
        reads.extend(feed.rows());
    }
    assert_eq!(feed.counts.resets, 1);
    let faults: Vec<f64> = reads
        .iter()
        .map(|row| row.values[Signal::MajorFaults as usize])
        .collect();
    assert_eq!(faults.last(), Some(&0.3));
}

#[test]
fn hosts_do_not_touch_each_other() {
    let mut feed = Feed::new();
    for tick in 0..10 {
        for (host, cpus) in [("hv1", 2), ("hv2", 16)] {
            feed.read(host, cpus, 1e9 + 10.0 * f64::from(tick));
        }
    }
    let rows = feed.rows();
    for host in ["hv1", "hv2"] {
        let own = rows.iter().filter(|row| &*row.host == host);
        assert_eq!(own.skip(1).filter(|row| known(row) == usual()).count(), 8);
    }
}

#[test]
fn values_that_are_not_numbers_and_times_that_cannot_be_are_left_out() {
    let mut feed = Feed::new();
    for tick in 0..5 {
        let time = 1e9 + 10.0 * f64::from(tick);
        for value in [f64::NAN, f64::INFINITY, -3.0, 1e308] {
            feed.value("hv1", "cpu/percent-idle", time, &[value]);
            feed.value("hv1", "memory/memory-used", time, &[value]);
            feed.value("hv1", "cpu/count", time, &[value]);
        }
        feed.value("hv1", "load/load-relative", time, &[f64::NAN, 1.0, 1.0]);
    }
    for row in feed.rows() {
        assert_eq!(known(&row), []);
    }
    feed.interval = 1e9;
    feed.value("hv1", "cpu/count", 1e9, &[1.0]);
    assert_eq!(feed.counts.refused, 1);
}

#[test]
fn invented_hosts_are_bounded_and_evict_none_that_reports() {
    let mut feed = Feed::new();
    feed.resources = Resources::new(50);
    let (mut own, mut all) = (0, 0);
    for tick in 0..100 {
        let time = 1e9 + 10.0 * f64::from(tick);
        for real in 0..20 {
            feed.value(&format!("real{real}"), "memory/percent-used", time, &[50.0]);
        }
        for invented in 0..100 {
            let host = format!("invented{tick}-{invented}");
            feed.value(&host, "cpu-1000/cpu-idle", time, &[1.0]);
        }
        feed.resources.turn(time, 0.0);
        let rows = feed.rows();
        all += rows.len();
        own += rows
            .iter()
            .filter(|row| row.host.starts_with("real"))
            .count();
        assert!(feed.resources.hosts() <= 50);
    }
    assert!(own >= 20 * 98, "{own} of {all}");
    let devices: usize = feed.resources.hosts.values().map(Machine::devices).sum();
    assert_eq!(feed.resources.devices, devices);
    assert!(feed.counts.full > 5000);
}

#[test]
fn hosts_that_no_longer_report_are_forgotten() {
    let mut feed = Feed::new();
    feed.read("hv1", 4, 1e9);
    feed.resources.turn(1e9 + 3599.0, 0.0);
    assert_eq!(feed.resources.hosts(), 1);
    feed.resources.turn(1e9 + 3700.0, 0.0);
    assert_eq!((feed.resources.hosts(), feed.resources.devices), (0, 0));
}

#[test]
fn every_state_and_part_is_one_that_a_value_can_have() {
    assert_eq!(State::from_number(u8::MAX), None);
    assert_eq!(Part::from_number(u8::MAX), None);
}
