//! Long runs of both plugins in the real daemons: memory that stays flat over millions of records and values, reloads, and
//! sudden ends. Prints Markdown, and fails where something is not as it has to be.

use std::fmt::Write as _;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bellwether_tests::collectd::{Collectd, Setup};
use bellwether_tests::fluentbit::{FluentBit, find, find_jemalloc, free_port, get};
use bellwether_tests::skipped;
use bellwether_tests::testbed::process::resident_kib;

const RECORDS: usize = 5_000_000;
const VALUES: usize = 10_000_000;
const RELOADS: usize = 100;
const KILLS: usize = 100;

/// Lines are written in pieces of so many.
const PIECE: usize = 250_000;

/// How much more memory the second half of a run may have than the first had: allocators keep some for later.
const GROWTH_MAX: f64 = 1.05;
const GROWTH_EXTRA_KIB: f64 = 8192.0;

/// How long a daemon may take to work off what it was given.
const PATIENCE: Duration = Duration::from_secs(900);

/// Memory over the course of a run: (share of the run, KiB).
#[derive(Debug, Default)]
struct Course(Vec<(f64, f64)>);

impl Course {
    fn most(&self, from: f64, to: f64) -> f64 {
        let within = self
            .0
            .iter()
            .filter(|(share, _)| (from..to).contains(share));
        within.map(|(_, kib)| *kib).fold(0.0, f64::max)
    }

    /// Says how much memory there was, and fails where it grew.
    fn judge(&self, what: &str) -> Result<()> {
        let (early, late) = (self.most(0.1, 0.5), self.most(0.5, f64::MAX));
        ensure!(early > 0.0, "{what}: too few measurements: {self:?}");
        println!("| {what} | {:.1} | {:.1} |", early / 1024.0, late / 1024.0);
        ensure!(
            late <= early * GROWTH_MAX + GROWTH_EXTRA_KIB,
            "{what}: memory grows from {early} to {late} KiB"
        );
        Ok(())
    }
}

/// Lines of many kinds from twenty hosts, of which some fail now and then, and some kinds never come again.
fn lines(numbers: std::ops::Range<usize>) -> String {
    const KINDS: [&str; 6] = [
        "Accepted publickey for deploy from 10.0.3.7 port # ssh2",
        "Started Session # of User deploy",
        "worker 7 finished job # in # ms",
        "GET /api/v1/items/#?page=# HTTP/1.1 200 #",
        "dhcpd: DHCPACK on 10.0.2.# to 52:54:00:12:34:56 via br0",
        "md/raid1:md0: rescheduling sector #",
    ];
    let mut text = String::new();
    for n in numbers {
        let kind = KINDS[n % KINDS.len()].replace('#', &n.to_string());
        let said = match n % 1000 {
            0 => format!("blk_update_request: I/O error, dev sda, sector {n}"),
            1..=20 => format!("unit{n} said word{} and part{} of it", n * 7, n * 13),
            _ => kind,
        };
        writeln!(text, "{{\"host\":\"node{}\",\"log\":\"{said}\"}}", n % 20)
            .expect("writing to a string cannot fail");
    }
    text
}

fn configuration(port: u16) -> String {
    format!(
        "[SERVICE]\n    flush 1\n    grace 1\n    log_level info\n    hot_reload on\n    parsers_file @FOLDER@/parsers.conf\n    \
         http_server on\n    http_listen 127.0.0.1\n    http_port {port}\n\
         [INPUT]\n    name tail\n    path @FOLDER@/in.log\n    tag log\n    read_from_head on\n    parser json\n    \
         db @FOLDER@/tail.db\n    mem_buf_limit 64M\n    refresh_interval 1\n\
         [INPUT]\n    name bellwether\n    tag bellwether.events\n\
         [FILTER]\n    name bellwether\n    match log\n    state_file @FOLDER@/state\n    state_interval 1\n\
         [OUTPUT]\n    name null\n    match *\n"
    )
}

/// How many records the filter has looked at, by its metrics.
fn records_seen(port: u16) -> usize {
    let metrics = get(port, "/api/v2/metrics/prometheus").unwrap_or_default();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("bellwether_filter_records_total"));
    let value = line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    value.map_or(0, |value| value as usize)
}

fn prepared(program: std::path::PathBuf) -> Result<FluentBit> {
    let fluent_bit = FluentBit::prepare_program(program)?;
    fluent_bit.write("parsers.conf", "[PARSER]\n    name json\n    format json\n")?;
    Ok(fluent_bit)
}

/// [`RECORDS`] records through one process.
fn many_records(program: std::path::PathBuf, name: &str) -> Result<()> {
    let mut fluent_bit = prepared(program)?;
    let port = free_port()?;
    fluent_bit.write("in.log", "")?;
    fluent_bit.start("fluent-bit.conf", &configuration(port))?;
    let begun = Instant::now();
    let mut course = Course::default();
    for piece in 0..RECORDS / PIECE {
        fluent_bit.append("in.log", &lines(piece * PIECE..(piece + 1) * PIECE))?;
        let wanted = (piece + 1) * PIECE;
        loop {
            let seen = records_seen(port);
            course.0.push((
                seen as f64 / RECORDS as f64,
                resident_kib(fluent_bit.pid()?)?,
            ));
            if seen >= wanted {
                break;
            }
            ensure!(
                begun.elapsed() < PATIENCE,
                "{seen} of {wanted} records after {PATIENCE:?}; log:\n{}",
                fluent_bit.log()
            );
            sleep(Duration::from_millis(200));
        }
    }
    course.judge(&format!("{name}: {RECORDS} records"))?;
    let status = fluent_bit.stop()?;
    ensure!(status.success(), "{status}; log:\n{}", fluent_bit.log());
    Ok(())
}

/// [`RELOADS`] hot reloads of one process, with records in between.
fn many_reloads(program: std::path::PathBuf, name: &str) -> Result<()> {
    let mut fluent_bit = prepared(program)?;
    fluent_bit.write("in.log", &lines(0..20_000))?;
    fluent_bit.start("fluent-bit.conf", &configuration(free_port()?))?;
    fluent_bit.wait("a state", |f| f.folder().join("state").exists())?;
    let mut course = Course::default();
    for reload in 1..=RELOADS {
        fluent_bit.append("in.log", &lines(reload * 500..(reload + 1) * 500))?;
        fluent_bit.reload()?;
        // Fluent Bit takes no further one before it says that it is done.
        fluent_bit.wait("a reload", |f| {
            let log = f.log();
            ["restored the learned state from", "successful reload done"]
                .iter()
                .all(|line| log.matches(line).count() >= reload)
        })?;
        course.0.push((
            reload as f64 / RELOADS as f64,
            resident_kib(fluent_bit.pid()?)?,
        ));
    }
    course.judge(&format!("{name}: {RELOADS} reloads"))?;
    let status = fluent_bit.stop()?;
    ensure!(status.success(), "{status}; log:\n{}", fluent_bit.log());
    Ok(())
}

/// [`KILLS`] sudden ends while records come in: what was saved before is there again each time.
fn many_kills(program: std::path::PathBuf, name: &str) -> Result<()> {
    let mut fluent_bit = prepared(program)?;
    fluent_bit.write("in.log", &lines(0..20_000))?;
    fluent_bit.start("fluent-bit.conf", &configuration(free_port()?))?;
    fluent_bit.wait("a state", |f| f.folder().join("state").exists())?;
    for kill in 1..=KILLS {
        fluent_bit.append("in.log", &lines(kill * 5000..(kill + 1) * 5000))?;
        // At moments that differ: while it starts, reads, saves or waits.
        sleep(Duration::from_millis((kill * 37 % 1400) as u64));
        fluent_bit.kill()?;
        fluent_bit.start_again()?;
        fluent_bit.wait("what was saved", |f| {
            f.log().contains("restored the learned state from")
                || f.log().contains("starting without")
        })?;
        let log = fluent_bit.log();
        ensure!(
            log.contains("restored the learned state from"),
            "after kill {kill}: {log}"
        );
    }
    let status = fluent_bit.stop()?;
    ensure!(status.success(), "{status}; log:\n{}", fluent_bit.log());
    println!("| {name}: {KILLS} kills, each followed by what was saved | | |");
    Ok(())
}

/// [`VALUES`] values through one collectd.
fn many_values() -> Result<()> {
    const HYPERVISORS: usize = 100;
    const VMS: usize = 30;
    /// Intervals that fit into the plugin's queue.
    const TICKS: usize = 6;
    let collectd = Collectd::start(&Setup {
        interval_sec: 10.0,
        record: false,
        bellwether: Some("StateFile \"state\"\n".into()),
        plugins: vec!["generator"],
        more: format!(
            "<Plugin \"generator\">\n  Hypervisors {HYPERVISORS}\n  VMs {VMS}\n  Result \"result\"\n</Plugin>\n"
        ),
        ..Setup::default()
    })?;
    let mut course = Course::default();
    let mut done = 0;
    while done < VALUES {
        collectd.send([format!(
            "PUTNOTIF message=\"dispatch virt_cpu_total {TICKS}\" severity=okay time=1600000000 host=x plugin=generator \
             type=command"
        )])?;
        collectd.send(["FLUSH plugin=bellwether".to_owned()])?;
        done += TICKS * HYPERVISORS * VMS;
        course
            .0
            .push((done as f64 / VALUES as f64, resident_kib(collectd.pid())?));
    }
    ensure!(
        !collectd.log().contains("queue full"),
        "values were dropped: {}",
        collectd.log()
    );
    course.judge(&format!("collectd: {VALUES} values"))
}

fn main() -> Result<()> {
    println!("| | memory of the first half, MiB | of the second half |\n| --- | ---: | ---: |");
    for (found, name) in [
        (find(), "Fluent Bit"),
        (find_jemalloc(), "Fluent Bit with jemalloc"),
    ] {
        match found {
            Ok(program) => {
                many_records(program.clone(), name)?;
                many_reloads(program.clone(), name)?;
                many_kills(program, name)?;
            }
            Err(error) => skipped(error),
        }
    }
    many_values()
}
