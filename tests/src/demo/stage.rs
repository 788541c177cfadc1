//! Where the demo plays: on a test bed of real machines, or with what was recorded on one.

use std::fmt::Write;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};

use crate::testbed::capabilities::CollectdInstallation;
use crate::testbed::collectd::Collectd;
use crate::testbed::plugin::Plugin;
use crate::testbed::{FedCollectd, Hypervisor, TestBed, Tools};

/// Seconds between collectd's readings.
pub const INTERVAL_S: f64 = 0.5;

/// The hypervisor's name.
pub const HYPERVISOR: &str = "hv1";

/// The guest that is throttled alone.
pub const LONE_VM: &str = "vm2";

/// What happens on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// Nothing: bellwether learns what is normal.
    Normal,
    /// [`LONE_VM`] alone gets little CPU.
    VmFault,
    /// That is lifted.
    VmRecovery,
    /// The host fails: all guests together get less than half of what they want.
    HostFault,
    /// That is lifted.
    HostRecovery,
}

impl Happening {
    /// All, in their order.
    pub const ALL: [Self; 5] = [
        Self::Normal,
        Self::VmFault,
        Self::VmRecovery,
        Self::HostFault,
        Self::HostRecovery,
    ];

    /// What was happening at a time. `begun` tells when each happening began, in their order.
    #[must_use]
    pub fn at(time_s: f64, begun: &[(f64, Self)]) -> Self {
        let latest = begun.iter().rev().find(|(since, _)| *since <= time_s);
        latest.map_or(Self::Normal, |(_, happening)| *happening)
    }

    /// Whether it keeps that guest from its work.
    #[must_use]
    pub fn slows(self, vm: &str) -> bool {
        self == Self::HostFault || self == Self::VmFault && vm == LONE_VM
    }

    /// The name in recordings.
    fn label(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::VmFault => "vm-fault",
            Self::VmRecovery => "vm-recovery",
            Self::HostFault => "host-fault",
            Self::HostRecovery => "host-recovery",
        }
    }
}

/// Something that plays the happenings while a real collectd watches.
pub trait Stage {
    /// The guests' names.
    fn vms(&self) -> &[String];
    /// The collectd that watches.
    fn collectd(&self) -> &Collectd;
    /// Whether a happening goes on for as long as we like.
    fn is_live(&self) -> bool;
    /// The time of the data that come next, seconds since the epoch.
    fn now_s(&self) -> f64;
    /// Begins a happening.
    ///
    /// # Errors
    /// When a fault cannot be injected or lifted.
    fn begin(&mut self, happening: Happening) -> Result<()>;
    /// Lets one interval pass; false when the happening is over.
    ///
    /// # Errors
    /// When collectd has gone.
    fn advance(&mut self) -> Result<bool>;
}

/// Real machines.
pub struct Live {
    hypervisor: Hypervisor,
    collectd: Collectd,
    _bed: TestBed,
}

impl Live {
    /// Starts everything.
    ///
    /// # Errors
    /// When a part does not start.
    pub fn start(tools: Tools, plugin: &Plugin, vms: usize, options: &str) -> Result<Self> {
        let bed = TestBed::new(tools)?;
        let hypervisor = bed.start_hypervisor(HYPERVISOR, vms)?;
        let collectd = hypervisor.start_collectd(INTERVAL_S, Some((plugin, options)))?;
        Ok(Self {
            hypervisor,
            collectd,
            _bed: bed,
        })
    }
}

impl Stage for Live {
    fn vms(&self) -> &[String] {
        self.hypervisor.vms()
    }

    fn collectd(&self) -> &Collectd {
        &self.collectd
    }

    fn is_live(&self) -> bool {
        true
    }

    fn now_s(&self) -> f64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0.0, |since| since.as_secs_f64())
    }

    fn begin(&mut self, happening: Happening) -> Result<()> {
        match happening {
            Happening::Normal => Ok(()),
            Happening::VmFault => self.hypervisor.fault_vm(LONE_VM),
            Happening::HostFault => self.hypervisor.fault_host(),
            Happening::VmRecovery | Happening::HostRecovery => self.hypervisor.recover(),
        }
    }

    fn advance(&mut self) -> Result<bool> {
        sleep(Duration::from_secs_f64(INTERVAL_S));
        self.collectd.ensure_running()?;
        Ok(true)
    }
}

/// What a run on real machines once showed: a line `happening,vm1,vm2,...` for each sample, CPU in percent of one core.
const RECORDING: &str = include_str!("recording.csv");

/// When the recording is said to begin, seconds since the epoch. Any past time will do; it is a multiple of the interval.
const RECORDED_AT: f64 = 1_700_000_000.0;

/// How long an interval lasts in a replay.
const REPLAYED_INTERVAL: Duration = Duration::from_millis(120);

/// A recording, fed to collectd as if the virt plugin had read it.
pub struct Replay {
    vms: Vec<String>,
    rows: Vec<(String, Vec<f64>)>,
    next: usize,
    playing: &'static str,
    counters_ns: Vec<f64>,
    daemon: FedCollectd,
}

impl Replay {
    /// Starts a collectd to feed; needs no root.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(
        installation: &CollectdInstallation,
        plugin: &Plugin,
        options: &str,
    ) -> Result<Self> {
        let (vms, rows) = parse_recording(RECORDING)?;
        let daemon = FedCollectd::start(installation, plugin, HYPERVISOR, INTERVAL_S, options)?;
        Ok(Self {
            counters_ns: vec![0.0; vms.len()],
            vms,
            rows,
            next: 0,
            playing: Happening::Normal.label(),
            daemon,
        })
    }
}

impl Stage for Replay {
    fn vms(&self) -> &[String] {
        &self.vms
    }

    fn collectd(&self) -> &Collectd {
        &self.daemon.collectd
    }

    fn is_live(&self) -> bool {
        false
    }

    fn now_s(&self) -> f64 {
        RECORDED_AT + INTERVAL_S * self.next as f64
    }

    fn begin(&mut self, happening: Happening) -> Result<()> {
        self.playing = happening.label();
        Ok(())
    }

    fn advance(&mut self) -> Result<bool> {
        let Some((_, row)) = self
            .rows
            .get(self.next)
            .filter(|(label, _)| label == self.playing)
        else {
            return Ok(false);
        };
        let time = RECORDED_AT + INTERVAL_S * self.next as f64;
        let mut commands = Vec::with_capacity(self.vms.len());
        for ((vm, percent), counter) in self.vms.iter().zip(row).zip(&mut self.counters_ns) {
            // One percent of a core for a second is 10 ms.
            *counter += percent * INTERVAL_S * 1e7;
            commands.push(format!(
                "PUTVAL \"{vm}/virt/virt_cpu_total\" interval={INTERVAL_S} {time:.3}:{counter:.0}"
            ));
        }
        self.next += 1;
        self.daemon.collectd.feed(&commands)?;
        sleep(REPLAYED_INTERVAL);
        Ok(true)
    }
}

type Recording = (Vec<String>, Vec<(String, Vec<f64>)>);

fn parse_recording(text: &str) -> Result<Recording> {
    let mut lines = text.lines();
    let head = lines.next().context("the recording is empty")?;
    let vms = head.split(',').skip(1).map(str::to_owned).collect();
    let rows = lines.map(|line| {
        let (label, values) = line
            .split_once(',')
            .context("a recorded line has no values")?;
        let values: Result<Vec<f64>, _> = values.split(',').map(str::parse).collect();
        Ok((
            label.to_owned(),
            values.with_context(|| format!("bad recorded line '{line}'"))?,
        ))
    });
    Ok((vms, rows.collect::<Result<_>>()?))
}

/// Writes what a live stage's guests did as a recording. `begun` tells when each happening began, in their order.
///
/// # Errors
/// When the file cannot be written.
pub fn record(file: &Path, stage: &dyn Stage, begun: &[(f64, Happening)]) -> Result<()> {
    let vms = stage.vms();
    let mut text = format!("happening,{}\n", vms.join(","));
    let columns: Vec<_> = vms
        .iter()
        .map(|vm| stage.collectd().cpu_percent(vm))
        .collect();
    let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
    for row in 0..rows {
        let time = columns[0][row].0;
        let label = Happening::at(time, begun).label();
        let values: Vec<String> = columns
            .iter()
            .map(|column| format!("{:.1}", column[row].1))
            .collect();
        writeln!(text, "{label},{}", values.join(","))?;
    }
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_holds_every_happening_in_its_order() {
        let (vms, rows) = parse_recording(RECORDING).unwrap();
        assert!(vms.len() >= 4);
        assert!(rows.iter().all(|(_, row)| row.len() == vms.len()));
        let mut labels: Vec<&str> = rows.iter().map(|(label, _)| label.as_str()).collect();
        labels.dedup();
        assert_eq!(labels, Happening::ALL.map(Happening::label));
    }
}
