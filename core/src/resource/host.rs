//! The state of one host.

use serde::{Deserialize, Serialize};

use super::engine::{Engine, Verdict};
use super::observation::{Observed, Outcome};
use super::options::ResourceOptions;
use super::verdict::{DECIDING_MAX, Deviation, PValues};
use crate::memory::allocation;
use crate::model::{Reconstructed, ResourceHistory};
use crate::units::Share;

/// This many consecutive rows that agree with each other, but not with the rows before them, are believed.
const AGREEING_ROWS: u32 = 5;

/// Intervals that differ by less than this share are the same.
const SAME_INTERVAL: f64 = 0.01;

/// The last evaluation of a host.
#[derive(Debug, Clone, Default)]
pub(super) struct Last {
    pub p_values: Option<PValues>,
    pub score: Share,
    pub reconstructed: Option<Reconstructed>,
    pub deciding: Vec<Deviation>,
}

/// An open anomaly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Incident {
    /// When it began, in seconds.
    pub since: f64,
    /// The index of the signal that deviated most when it was raised.
    pub signal: u32,
    /// Rows since the last one that was unusual.
    pub quiet: u32,
    /// It was raised as provisional.
    pub provisional: bool,
}

/// A run of rows that do not fit to those before them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Misfits {
    rows: u32,
    time: f64,
    interval: f64,
}

/// How a row fits to those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is the next row, behind this many missing ones.
    Next(u64),
    /// It has the time of the last row.
    Duplicate,
    /// It is earlier than the last row.
    Late,
    /// It has another interval.
    SetAside,
    /// It is the last of several with an earlier time: the clock was set back.
    ClockStep,
    /// It is the last of several with another interval.
    NewInterval,
}

/// One host.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Host {
    pub name: Box<str>,
    /// The time of the first and of the last row, in seconds.
    pub first: f64,
    pub time: f64,
    /// Seconds between two rows.
    pub interval: f64,
    misfits: Misfits,
    pub engine: Engine,
    pub incident: Option<Incident>,
    /// Number of consecutive unusual rows.
    pub unusual: u32,
    /// When it last reported, by the caller's clock ([`advance`](super::Detector::advance)); `None` if that is unknown.
    #[serde(skip)]
    pub heard: Option<f64>,
    #[serde(skip)]
    pub last: Last,
    /// The rows that the model sees; empty without one.
    #[serde(skip)]
    pub history: ResourceHistory,
}

impl Host {
    /// A host before its first row, which is at `time`.
    pub fn new(name: &str, time: f64, interval: f64, engine: Engine) -> Self {
        Self {
            name: name.into(),
            first: time,
            time: f64::NEG_INFINITY,
            interval,
            misfits: Misfits::default(),
            engine,
            incident: None,
            unusual: 0,
            heard: None,
            last: Last::default(),
            history: ResourceHistory::default(),
        }
    }

    /// How a row at `time` with this interval fits to those before it.
    pub fn fit(&mut self, time: f64, interval: f64) -> Fit {
        let is_same = |a: f64, b: f64| (a - b).abs() <= SAME_INTERVAL * b;
        let elapsed = time - self.time;
        let fit = if !is_same(interval, self.interval) {
            Fit::SetAside
        } else if elapsed.abs() < 0.5 * interval {
            Fit::Duplicate
        } else if elapsed < 0.0 {
            Fit::Late
        } else if elapsed.is_finite() {
            Fit::Next(((elapsed / interval).round() as u64).saturating_sub(1))
        } else {
            Fit::Next(0)
        };
        if matches!(fit, Fit::Next(_) | Fit::Duplicate) {
            self.misfits = Misfits::default();
            return fit;
        }
        let run = &mut self.misfits;
        let goes_on = run.rows > 0 && is_same(interval, run.interval) && time > run.time;
        *run = Misfits {
            rows: if goes_on { run.rows + 1 } else { 1 },
            time,
            interval,
        };
        if run.rows < AGREEING_ROWS {
            return fit;
        }
        *run = Misfits::default();
        match fit {
            Fit::Late => Fit::ClockStep,
            _ => Fit::NewInterval,
        }
    }

    /// Takes an evaluation.
    pub fn set_last(&mut self, verdict: Verdict, score: Share) {
        self.last = Last {
            p_values: verdict.p_values,
            score,
            reconstructed: self.last.reconstructed,
            deciding: verdict.deciding,
        };
    }

    /// The last evaluation, as the result of an observation.
    pub fn observed(&self, outcome: Outcome) -> Observed {
        Observed {
            outcome,
            p_values: self.last.p_values,
            score: self.last.score,
            raised: self.incident.is_some(),
            reconstructed: self.last.reconstructed,
            deciding: self.last.deciding.clone(),
        }
    }

    /// Whether the host is known for less than the option `provisional_sec`.
    pub fn is_provisional(&self, options: &ResourceOptions) -> bool {
        self.time - self.first < options.provisional_sec
    }

    /// The most memory outside of itself in bytes, whatever it has learned; the name is also in the index.
    pub fn bytes(&self) -> usize {
        let deciding = allocation(DECIDING_MAX * size_of::<Deviation>());
        2 * allocation(self.name.len()) + self.engine.bytes() + deciding
    }

    /// Whether a restored host is one that can be.
    pub fn is_valid(&self) -> bool {
        let incident = self.incident.as_ref();
        [self.first, self.time, self.interval]
            .iter()
            .all(|number| number.is_finite())
            && self.interval > 0.0
            && incident.is_none_or(|incident| incident.since.is_finite())
    }
}
