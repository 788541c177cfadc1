//! The plugin in a real collectd that is fed with counters of VMs, mostly with history.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use bellwether_tests::collectd::{Collectd, Guests, Notification, putval};
use bellwether_tests::skipped;
use bellwether_tests::testbed::capabilities::CollectdInstallation;

/// Ends a test where there is no collectd, and says so.
macro_rules! needs_collectd {
    () => {
        if let Err(reason) = CollectdInstallation::find() {
            skipped(reason);
            return Ok(());
        }
    };
}

mod board;
mod documentation;
mod identity;
mod life;
mod limits;
mod masks;
mod resources;
mod samples;
mod telling;
mod time;

/// When the histories begin.
const START: f64 = 1_600_000_000.0;

/// Seconds between two samples in the histories.
const INTERVAL: f64 = 10.0;

/// The interval from which on the guests of [`jump`] need more, and the one at which that is over.
const JUMP: std::ops::Range<usize> = 400..480;

/// Intervals of a history with a jump, long enough for it to be cleared.
const TICKS: usize = 700;

fn time(tick: usize) -> f64 {
    START + INTERVAL * tick as f64
}

fn jump(tick: usize) -> f64 {
    if JUMP.contains(&tick) { 2.0 } else { 1.0 }
}

/// One sample of one VM.
#[derive(Debug, Clone, Copy)]
struct Sample {
    tick: usize,
    vm: usize,
    counter: u64,
}

/// The samples of all VMs for `ticks`, in which all need `factor` times their level.
fn samples(
    guests: &mut Guests,
    ticks: std::ops::Range<usize>,
    factor: impl Fn(usize) -> f64,
) -> Vec<Sample> {
    let mut samples = Vec::new();
    for tick in ticks {
        let counters = guests.pass(INTERVAL, factor(tick)).iter().enumerate();
        samples.extend(counters.map(|(vm, &counter)| Sample { tick, vm, counter }));
    }
    samples
}

/// The commands that feed samples as `virt` names them with `HostnameFormat hostname`.
fn commands(hypervisor: &str, samples: &[Sample]) -> Vec<String> {
    samples
        .iter()
        .map(|s| {
            let name = format!("{hypervisor}/virt-vm{}/virt_cpu_total", s.vm);
            putval(&name, INTERVAL, time(s.tick), s.counter)
        })
        .collect()
}

/// Seconds between two samples of what is fed live.
const LIVE_SEC: f64 = 0.2;

/// Hypervisors with two VMs each, whose samples are of now.
struct Fleet(Vec<Guests>);

impl Fleet {
    fn new(hypervisors: u64) -> Self {
        Self((0..hypervisors).map(|n| Guests::new(2, 100 + n)).collect())
    }

    /// Feeds `seconds` of samples of the hypervisors that `speaks` says, as time passes; the others go on unheard.
    fn live(
        &mut self,
        collectd: &Collectd,
        seconds: f64,
        speaks: impl Fn(usize) -> bool,
    ) -> Result<()> {
        for _ in 0..(seconds / LIVE_SEC).ceil() as usize {
            let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
            let mut commands = Vec::new();
            for (hypervisor, guests) in self.0.iter_mut().enumerate() {
                for (vm, counter) in guests.pass(LIVE_SEC, 1.0).iter().enumerate() {
                    let name = format!("hv{hypervisor}/virt-vm{vm}/virt_cpu_total");
                    if speaks(hypervisor) {
                        commands.push(putval(&name, LIVE_SEC, now, *counter));
                    }
                }
            }
            collectd.send(commands)?;
            std::thread::sleep(Duration::from_secs_f64(LIVE_SEC));
        }
        Ok(())
    }
}

/// The history of eight VMs of one hypervisor with a common jump.
fn history(hypervisor: &str, seed: u64) -> Vec<String> {
    commands(
        hypervisor,
        &samples(&mut Guests::new(8, seed), 0..TICKS, jump),
    )
}

fn states(events: &[Notification]) -> Vec<String> {
    let state = |e: &Notification| format!("{} {}", e.get("Type"), e.get("state"));
    events.iter().map(state).collect()
}

/// The events as "KIND STATE HOST".
fn lines(events: &[Notification]) -> Vec<String> {
    let line = |e: &Notification| {
        let words = ["Type", "state", "Host"].map(|key| e.get(key));
        words.join(" ")
    };
    events.iter().map(line).collect()
}

const RAISED_AND_CLEARED: [&str; 2] = ["hypervisor_anomaly raised", "hypervisor_anomaly cleared"];
