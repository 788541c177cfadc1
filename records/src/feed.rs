//! A detector that reads the rows of one hypervisor.

use anyhow::{Context as _, Result};
use bellwether_core::event::Event;
use bellwether_core::had::{Counters, Detector, HadOptions, Notice, Observation};
use bellwether_core::maintenance::{Window, matches};
use bellwether_core::units::{Interval, Time};

use crate::series::{Column, Recording};
use crate::settings::Setting;

/// The options for a recording: `options`, with the interval and the metrics of the recording where `given`, the settings of a
/// command line, have none.
pub fn options_for(options: &HadOptions, recording: &Recording, given: &[&Setting]) -> HadOptions {
    let mut own = options.clone();
    let is_given = |name: &str| given.iter().any(|setting| setting.name == name);
    if let Some(interval) = recording.interval.filter(|_| !is_given("interval")) {
        own.interval = interval;
    }
    let mut metrics = recording.metrics();
    if !metrics.is_empty() && !is_given("metrics") {
        let has_unnamed = recording
            .columns()
            .iter()
            .any(|column| column.metric.is_none());
        if let Some(first) = own
            .metrics
            .first()
            .filter(|first| has_unnamed && !metrics.contains(first))
        {
            metrics.insert(0, first.clone());
        }
        own.metrics = metrics;
    }
    own
}

/// A detector for one hypervisor, fed row by row.
pub struct Feed<'a> {
    detector: Detector,
    hypervisor: &'a str,
    columns: Vec<Column>,
    /// The metric of columns that name none.
    metric: &'a str,
    interval: f64,
    /// The time of row 0, seconds since the epoch.
    start: f64,
    /// The columns in the order in which they report.
    order: Vec<usize>,
}

impl<'a> Feed<'a> {
    /// Creates a detector with `options` for the hypervisor with these columns. The values of columns without a metric are of the
    /// options' first one, and rows are the options' interval apart.
    ///
    /// # Errors
    /// Options that contradict each other or name no metric.
    pub fn new(options: &'a HadOptions, hypervisor: &'a str, columns: Vec<Column>) -> Result<Self> {
        Ok(Self {
            detector: Detector::new(options.clone())?,
            hypervisor,
            metric: options
                .metrics
                .first()
                .context("the option \"metrics\" names none")?,
            interval: options.interval,
            start: 0.0,
            order: (0..columns.len()).collect(),
            columns,
        })
    }

    /// Puts row 0 at `start`, in seconds since the epoch, instead of at 0.
    pub fn starting_at(mut self, start: f64) -> Self {
        self.start = start;
        self
    }

    /// Learns and reports nothing within those of these windows that are of its hypervisor.
    ///
    /// # Errors
    /// There are too many.
    pub fn masked(mut self, windows: &[Window]) -> Result<Self> {
        let own = windows
            .iter()
            .filter(|window| matches(&window.hypervisor, self.hypervisor));
        for window in own {
            self.detector
                .mask_hypervisor(self.hypervisor, window.from, window.until)?;
        }
        Ok(self)
    }

    /// Observes the row with the number `row`, which is above all earlier ones, with one value per column; `None` is a missing
    /// sample.
    pub fn row(&mut self, row: u64, values: &[Option<f64>]) {
        for &at in &self.order {
            let Some(value) = values[at] else { continue };
            let column = &self.columns[at];
            self.detector.observe(&Observation {
                hypervisor: self.hypervisor,
                vm: &column.vm,
                metric: column.metric.as_deref().unwrap_or(self.metric),
                time: Time::from_secs(self.start + row as f64 * self.interval),
                interval: Some(Interval::from_secs(
                    column.interval.unwrap_or(self.interval),
                )),
                value,
            });
        }
        // The detector closes a row as soon as all VMs of the row before have reported. A VM that was missing there would come
        // too late for its own row if it came last, so such VMs come first.
        self.order.sort_by_key(|&at| (values[at].is_some(), at));
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

    /// The next line for an operator's log.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.detector.next_notice()
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
