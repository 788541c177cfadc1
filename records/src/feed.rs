//! A detector that reads the rows of one hypervisor.

use anyhow::{Context as _, Result};
use bellwether_core::event::Event;
use bellwether_core::had::{Counters, Detector, HadOptions, Observation};
use bellwether_core::units::{Interval, Time};

/// A detector for one hypervisor, fed row by row.
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
    /// Creates a detector with `options` for the hypervisor with these VMs. The values are of the options' first metric, and
    /// rows are the options' interval apart.
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

    /// Puts row 0 at `start`, in seconds since the epoch, instead of at 0.
    pub fn starting_at(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    /// Observes the row with the number `row`, which is above all earlier ones, with one value per VM; `None` is a missing
    /// sample.
    pub fn row(&mut self, row: u64, values: &[Option<f64>]) {
        for &vm in &self.order {
            let Some(value) = values[vm] else { continue };
            self.detector.observe(&Observation {
                hypervisor: self.hypervisor,
                vm: &self.vms[vm],
                metric: self.metric,
                time: Time::from_secs(self.start + row as f64 * self.interval),
                interval: Some(Interval::from_secs(self.interval)),
                value,
            });
        }
        // The detector closes a row as soon as all VMs of the row before have reported. A VM that was missing there would come
        // too late for its own row if it came last, so such VMs come first.
        self.order.sort_by_key(|&vm| (values[vm].is_some(), vm));
        self.detector.advance(Time::from_secs(
            self.start + (row + 1) as f64 * self.interval,
        ));
    }

    /// The oldest event that was not fetched yet, and the row at which its incident began.
    pub fn next_event(&mut self) -> Option<(Event, u64)> {
        let event = self.detector.next_event()?;
        let index = ((event.since.secs() - self.start) / self.interval).round() as u64;
        Some((event, index))
    }

    /// The detector, to read its state.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The detector's counters.
    pub fn counters(&self) -> Counters {
        self.detector.counters()
    }
}
