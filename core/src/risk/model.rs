//! From the states of a host to probabilities: tables, prior and calibration.

use serde::{Deserialize, Serialize};

use super::calibration::{Histogram, Line};
use super::host::Host;
use super::odds::{PROBABILITY_MAX, prior, probability};
use super::options::RiskOptions;
use super::tables::{HORIZONS, Horizon, SharedTables, Tables};

/// What all hosts share.
#[derive(Debug)]
pub(super) struct Model {
    tables: SharedTables,
    /// The logarithms of the odds without evidence, by horizon.
    priors: [f64; HORIZONS],
    learned: Learned,
    /// Failures from which on the lines count.
    failures_min: u64,
    /// The lines of the site, by horizon, if there are enough outcomes.
    lines: Option<[Line; HORIZONS]>,
}

/// What reported outcomes have taught.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Learned {
    /// Of the tables: evidence of others has another meaning.
    fingerprint: u32,
    failures: u64,
    histograms: [Histogram; HORIZONS],
}

/// The assessment of a host at present.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Assessed {
    /// The evidence in nats by horizon; `None` if no source is known.
    pub(super) evidence: Option<[f64; HORIZONS]>,
    /// The probabilities by horizon.
    pub(super) risks: [f64; HORIZONS],
}

impl Model {
    pub(super) fn new(options: &RiskOptions, tables: SharedTables) -> Self {
        let learned = Learned {
            fingerprint: tables.fingerprint(),
            ..Learned::default()
        };
        Self {
            tables,
            priors: Horizon::ALL.map(|h| prior(options.failures_per_host_year, h)),
            learned,
            failures_min: options.calibration_failures as u64,
            lines: None,
        }
    }

    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    pub(super) fn shared_tables(&self) -> &SharedTables {
        &self.tables
    }

    /// Whether values are probabilities of this site.
    pub(super) fn is_calibrated(&self) -> bool {
        self.lines.is_some()
    }

    /// Failures that were learned from.
    pub(super) fn failures(&self) -> u64 {
        self.learned.failures
    }

    /// The assessment of a host at present.
    #[inline]
    pub(super) fn assess(&self, host: &Host, stale_sec: f64) -> Assessed {
        let evidence = host.evidence(&self.tables, &self.priors, stale_sec);
        let sums = evidence.unwrap_or_default();
        let mut risks = [0.0; HORIZONS];
        for (h, risk) in risks.iter_mut().enumerate() {
            *risk = match self.lines {
                None => probability(self.priors[h] + sums[h]),
                Some(lines) => probability(lines[h].at(sums[h])),
            };
        }
        // What fails within the shorter time also fails within the longer one, whatever was learned of each.
        risks[1] = risks[1].max(risks[0]).min(PROBABILITY_MAX);
        Assessed { evidence, risks }
    }

    /// Learns that a failure followed evidence within the horizon, or that none did.
    pub(super) fn learn(&mut self, horizon: Horizon, evidence: f64, failing: bool) {
        self.learned.histograms[horizon as usize].add(evidence, failing);
    }

    /// Counts a failure.
    pub(super) fn count_failure(&mut self) {
        self.learned.failures += 1;
    }

    /// Computes the lines from what was learned.
    pub(super) fn fit(&mut self) {
        self.lines = None;
        if self.learned.failures >= self.failures_min {
            let [ten, thirty] = &self.learned.histograms;
            self.lines = ten.fit().zip(thirty.fit()).map(|(a, b)| [a, b]);
        }
    }

    /// What was learned, to be saved.
    pub(super) fn learned(&self) -> &Learned {
        &self.learned
    }

    /// Takes what was saved, unless it was learned with other tables; `false` if it could not have been saved.
    pub(super) fn restore(&mut self, learned: Learned) -> bool {
        if !learned.histograms.iter().all(Histogram::is_valid) {
            return false;
        }
        if learned.fingerprint == self.learned.fingerprint {
            self.learned = learned;
            self.fit();
        }
        true
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        let histograms = self.learned.histograms.iter().map(Histogram::bytes);
        size_of::<Tables>() + self.tables.bytes() + histograms.sum::<usize>()
    }
}
