//! `make demo`: real virtual machines on a host that fails, and what bellwether says in a real collectd; then the logs of hosts that
//! fail, and what it says in a real Fluent Bit.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use bellwether_tests::demo::stage::{Live, Replay, Stage};
use bellwether_tests::demo::{logs, play, report};
use bellwether_tests::testbed::capabilities::CollectdInstallation;
use bellwether_tests::testbed::plugin::Plugin;
use bellwether_tests::testbed::{Tools, capabilities, ensure_packages};
use clap::{Parser, ValueEnum};

/// Shows bellwether at work: QEMU guests under libvirt, collectd with its virt plugin and the bellwether plugin, a fault
/// of one guest, a fault of the host, and the recovery; then a day of made-up logs of four hosts through Fluent Bit with the
/// bellwether filter. Cleans up all it made.
#[derive(Parser)]
struct Arguments {
    /// Show this half alone
    #[arg(long, value_enum)]
    only: Option<Half>,
    /// Replay recorded metrics into a real collectd, as where no virtual machines can be run
    #[arg(long)]
    replay: bool,
    /// Number of guests
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u8).range(3..=16))]
    vms: u8,
    /// Write what the guests did to this file, in the form that --replay reads
    #[arg(long, value_name = "FILE", conflicts_with = "replay")]
    record: Option<PathBuf>,
}

/// A half of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Half {
    /// Metrics of guests, in collectd
    Metrics,
    /// Logs of hosts, in Fluent Bit
    Logs,
}

/// The plugin's configuration: its defaults.
const OPTIONS: &str = "";

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => {
            eprintln!("demo: bellwether did not do what it is for");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<bool> {
    let mut is_good = true;
    if arguments.only != Some(Half::Logs) {
        is_good &= metrics(arguments)?;
    }
    if arguments.only != Some(Half::Metrics) {
        println!("\nThe host's log often knows first. So, now the logs.\n");
        let outcome = logs::play(&Plugin::build()?)?;
        logs::report(&outcome);
        is_good &= outcome.is_good();
    }
    Ok(is_good)
}

/// The half of the metrics.
fn metrics(arguments: &Arguments) -> Result<bool> {
    let mut stage = make_stage(arguments)?;
    println!(
        "collectd's configuration: {}\n",
        stage.collectd().configuration_file().display()
    );
    let outcome = play(stage.as_mut(), arguments.record.as_deref())?;
    report(stage.as_ref(), &outcome);
    print!("\nCleaning up ... ");
    drop(stage);
    println!("done.");
    Ok(outcome.is_good())
}

fn make_stage(arguments: &Arguments) -> Result<Box<dyn Stage>> {
    let tools = if arguments.replay { None } else { tools() };
    let plugin = Plugin::build()?;
    if let Some(tools) = tools {
        println!(
            "Starting libvirtd, {} QEMU guests and collectd {} ...",
            arguments.vms,
            tools.collectd.version()
        );
        return Ok(Box::new(Live::start(
            tools,
            &plugin,
            arguments.vms.into(),
            OPTIONS,
        )?));
    }
    let collectd = CollectdInstallation::find().context("no demo at all without collectd")?;
    println!(
        "Replaying recorded metrics into collectd {} ...",
        collectd.version()
    );
    Ok(Box::new(Replay::start(&collectd, &plugin, OPTIONS)?))
}

/// What a test bed needs; says so where it is not to be had.
fn tools() -> Option<Tools> {
    ensure_packages()
        .and_then(|()| capabilities())
        .inspect_err(|reason| println!("No virtual machines can be run here: {reason:#}."))
        .ok()
}
