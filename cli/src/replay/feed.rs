//! The rows of one hypervisor, into a detector of its own.

use anyhow::{Context as _, Result};
use bellwether_core::event::Event;
use bellwether_core::had::{Counters, Detector, HadOptions, Observation};

/// A detector that is fed one hypervisor, row by row.
pub struct Feed<'a> {
    detector: Detector,
    hypervisor: &'a str,
    vms: Vec<String>,
    metric: &'a str,
    interval: f64,
    /// The time of row 0, seconds since the epoch.
    start: f64,
    /// The VMs in the order in which they report.
    order: Vec<usize>,
}

impl<'a> Feed<'a> {
    /// A new detector with `options`, for the hypervisor with these VMs. The values are of the first metric in the options; a
    /// row is as long as their interval.
    ///
    /// # Errors
    /// Options that contradict each other or name no metric.
    pub fn new(options: &'a HadOptions, hypervisor: &'a str, vms: Vec<String>) -> Result<Self> {
        Ok(Self {
            detector: Detector::new(options.clone())?,
            hypervisor,
            metric: options
                .metrics
                .first()
                .context("the option \"metrics\" names none")?,
            interval: options.interval,
            start: 0.0,
            order: (0..vms.len()).collect(),
            vms,
        })
    }

    /// Lets row 0 be at `start`, in seconds since the epoch, instead of at 0.
    pub fn starting_at(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    /// Takes the row with the number `row`, above all before, with one value per VM; `None` is a missing sample.
    pub fn row(&mut self, row: u64, values: &[Option<f64>]) {
        for &vm in &self.order {
            let Some(value) = values[vm] else { continue };
            self.detector.observe(&Observation {
                hypervisor: self.hypervisor,
                vm: &self.vms[vm],
                metric: self.metric,
                time: self.start + row as f64 * self.interval,
                interval: self.interval,
                value,
            });
        }
        // A row is judged as soon as all VMs of the row before have reported. One that was missing there would come too late
        // for its own row if it came last, so those come first.
        self.order.sort_by_key(|&vm| (values[vm].is_some(), vm));
        self.detector
            .advance(self.start + (row + 1) as f64 * self.interval);
    }

    /// The oldest event not yet fetched, and the row at which its incident began.
    pub fn next_event(&mut self) -> Option<(Event, u64)> {
        let event = self.detector.next_event()?;
        let index = ((event.since - self.start) / self.interval).round() as u64;
        Some((event, index))
    }

    /// The detector, for a look at where it stands.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// What became of the values.
    pub fn counters(&self) -> Counters {
        self.detector.counters()
    }
}
