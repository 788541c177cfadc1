//! What the plugin costs in a real collectd, beside other writers: CPU time of a value, of the write callback alone, and of a
//! fleet. Prints Markdown. Values are made inside the daemon, so no network or parser is measured.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bellwether_tests::collectd::{Collectd, Setup, loadable};
use bellwether_tests::testbed::process::resident_kib;

/// Measurements of which the median is told.
const RUNS: usize = 5;

/// So many values are waited for together: they fit into the plugin's queue, so that none is dropped, which is quicker.
const IN_QUEUE: usize = 20_000;

/// CPU time that a process has used, in seconds.
fn cpu_sec(pid: u32) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(')').context("no end of the name")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    // USER_HZ is 100 wherever Linux runs.
    Ok(ticks / 100.0)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A daemon with the generator of `hypervisors` × `vms` values an interval and one writer.
fn daemon(writer: Option<&'static str>, hypervisors: usize, vms: usize) -> Result<Collectd> {
    let mut setup = Setup {
        interval_sec: 10.0,
        record: false,
        bellwether: (writer == Some("bellwether")).then(String::new),
        plugins: vec!["generator"],
        more: format!(
            "<Plugin \"generator\">\n  Hypervisors {hypervisors}\n  VMs {vms}\n  Result \"result\"\n</Plugin>\n\
             <Plugin \"write_log\">\n  Format Graphite\n</Plugin>\n<Plugin \"csv\">\n  DataDir \"csv\"\n</Plugin>\n"
        ),
        ..Setup::default()
    };
    setup
        .plugins
        .extend(writer.filter(|name| *name != "bellwether"));
    Collectd::start(&setup)
}

fn command(collectd: &Collectd, message: &str) -> Result<()> {
    collectd.send([format!(
        "PUTNOTIF message=\"{message}\" severity=okay time=1600000000 host=x plugin=generator type=command"
    )])
}

/// Lets the daemon work off `ticks` intervals; CPU microseconds a value.
fn per_value(collectd: &Collectd, kind: &str, ticks: usize, values: usize) -> Result<f64> {
    let before = cpu_sec(collectd.pid())?;
    let mut left = ticks;
    while left > 0 {
        let part = left.min(IN_QUEUE.div_ceil(values));
        command(collectd, &format!("dispatch {kind} {part}"))?;
        collectd.send(["FLUSH plugin=bellwether".to_owned()])?;
        left -= part;
    }
    ensure!(
        !collectd.log().contains("queue full"),
        "values were dropped, which is quicker than taking them"
    );
    Ok((cpu_sec(collectd.pid())? - before) / (ticks * values) as f64 * 1e6)
}

fn writers() -> Result<()> {
    println!("CPU time of the daemon for each value, µs (one write thread; medians of {RUNS}):\n");
    println!("| writer | value of a VM | other value |\n| --- | ---: | ---: |");
    let all = [
        (None, "one that only counts"),
        (Some("bellwether"), "bellwether"),
        (Some("write_prometheus"), "write_prometheus"),
        (Some("write_log"), "write_log"),
        (Some("csv"), "csv"),
    ];
    for (writer, name) in all {
        if let Some(plugin) = writer.filter(|plugin| *plugin != "bellwether")
            && !loadable(plugin)?
        {
            println!("| {name} | not installed | |");
            continue;
        }
        let collectd = daemon(writer, 100, 30)?;
        // The slow ones need fewer for as exact a figure.
        let ticks = match name {
            "csv" | "write_log" => 10,
            _ => 100,
        };
        let mut cells = Vec::new();
        for kind in ["virt_cpu_total", "cpu"] {
            per_value(&collectd, kind, ticks, 3000)?;
            let runs: Result<Vec<f64>> = (0..RUNS)
                .map(|_| per_value(&collectd, kind, ticks, 3000))
                .collect();
            cells.push(format!("{:.1}", median(runs?)));
        }
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}

fn callback() -> Result<()> {
    println!(
        "\nTime of one call of the write callback, ns (with collectd's own way to it; medians of {RUNS}):\n"
    );
    println!("| writer | value of a VM | other value |\n| --- | ---: | ---: |");
    let collectd = daemon(Some("bellwether"), 100, 30)?;
    for (writer, name) in [
        ("counting", "one that only counts"),
        ("bellwether", "bellwether"),
    ] {
        let mut cells = Vec::new();
        for kind in ["virt_cpu_total", "cpu"] {
            let mut runs = Vec::new();
            for _ in 0..RUNS {
                // Fewer than fit into the queue, so that none takes the short way of a value that is dropped.
                command(&collectd, &format!("direct {writer} {kind} 30000"))?;
                collectd.send(["FLUSH plugin=bellwether".to_owned()])?;
                let results = fs::read_to_string(collectd.folder().join("result"))?;
                runs.push(results.lines().last().context("no result")?.parse()?);
            }
            cells.push(format!("{:.0}", median(runs)));
        }
        println!("| {name} | {} |", cells.join(" | "));
    }
    Ok(())
}

fn fleet() -> Result<()> {
    const HYPERVISORS: usize = 1000;
    const VMS: usize = 30;
    const VALUES: usize = HYPERVISORS * VMS;
    /// Intervals until the detector's windows are full.
    const WARM_UP: usize = 160;
    const TICKS: usize = 10;
    println!("\nA fleet of {HYPERVISORS} hypervisors with {VMS} VMs each, every 10 s:\n");
    println!(
        "| writer | share of a core | values a second, at most | memory, KiB a VM |\n| --- | ---: | ---: | ---: |"
    );
    let mut counting = 0.0;
    for (writer, name) in [
        (None, "one that only counts"),
        (Some("bellwether"), "bellwether"),
    ] {
        let collectd = daemon(writer, HYPERVISORS, VMS)?;
        per_value(&collectd, "virt_cpu_total", WARM_UP, VALUES)?;
        let (mut shares, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..RUNS {
            let begun = Instant::now();
            let micros = per_value(&collectd, "virt_cpu_total", TICKS, VALUES)?;
            shares.push(micros * VALUES as f64 / 10.0 / 1e6 * 100.0);
            rates.push((TICKS * VALUES) as f64 / begun.elapsed().as_secs_f64());
        }
        std::thread::sleep(Duration::from_millis(200));
        let memory = resident_kib(collectd.pid())?;
        let more = if writer.is_none() {
            counting = memory;
            String::new()
        } else {
            format!("{:.1}", (memory - counting) / VALUES as f64)
        };
        println!(
            "| {name} | {:.1} % | {:.0} | {more} |",
            median(shares),
            median(rates)
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    writers()?;
    callback()?;
    fleet()
}
