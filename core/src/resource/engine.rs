//! The engine: how unusual a row of arbitrary channels is against the rows before it.
//!
//! Two measures of a row, each with a p-value against its own past ([`reference`](super::reference)):
//!
//! - *pattern*: the distance of all channels together, in their short and long average, to the nearest constellations of the past
//!   ([`memory`](super::memory)), on scales where 1 is the smallest change that matters. It finds what no channel shows alone.
//! - *change*: the mean of the three largest deviations of channels from their usual course, in standard deviations of that course.
//!   It finds a change of a quiet channel beside noisy ones.
//!
//! Both in one by a weighted Bonferroni bound (Genovese, Roeder and Wasserman 2006): nine tenths for the pattern, which is by far the
//! better of the two on public data sets.

use serde::{Deserialize, Serialize};

use super::channel::Channel;
use super::course::{Course, SCALED_MAX};
use super::memory::Memory;
use super::reference::Reference;
use super::spans::Spans;
use super::verdict::{DECIDING_MAX, Deviation, PValues};
use crate::memory::{allocation, vec};
use crate::units::Interval;

/// The share of the pattern in the combined p-value; the rest is that of the change.
const PATTERN_WEIGHT: f64 = 0.9;
/// The least p-value of a pattern that is nearer to the past than the smallest change that matters.
const P_NEAR: f64 = 0.1;
/// The change is the mean of this many largest deviations.
const LARGEST: usize = 3;

/// What the engine finds in one row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Verdict {
    /// How unusual the row is; `None` if all of it is unknown, or too little is known yet.
    pub p_values: Option<PValues>,
    /// The smoothed distance to the nearest constellations of the past, in smallest changes that matter; NaN if unknown.
    pub distance: f64,
    /// The channels that deviate most, the strongest first; at most [`DECIDING_MAX`].
    pub deciding: Vec<Deviation>,
}

/// The engine: how unusual a row of arbitrary channels is against the rows before it. The methods take the channels with which it
/// was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    interval: Interval,
    rows: u64,
    courses: Vec<Course>,
    memory: Memory,
    /// The smoothed distance of the last row of which it is known; NaN if there was none.
    distance: f64,
    pattern: Reference,
    change: Reference,
    /// The features of the last row: the short averages of all channels, then the long ones.
    #[serde(skip)]
    features: Vec<f32>,
    /// Deviations of the last row; NaN is unknown.
    #[serde(skip)]
    deviations: Vec<f64>,
}

impl Engine {
    /// An engine for rows of these channels that come once per interval.
    pub fn new(channels: &[Channel], interval: Interval) -> Self {
        Self {
            interval,
            rows: 0,
            courses: vec![Course::default(); channels.len()],
            memory: Memory::new(2 * channels.len()),
            distance: f64::NAN,
            pattern: Reference::default(),
            change: Reference::default(),
            features: Vec::new(),
            deviations: Vec::new(),
        }
    }

    /// Evaluates a row, with one value per channel; missing ones, NaN and infinite ones are unknown. Then learns it.
    pub fn push(&mut self, channels: &[Channel], values: &[f64]) -> Verdict {
        let spans = Spans::new(self.interval);
        self.measure(channels, values, &spans);
        let nearest = self.memory.nearest(&self.features);
        // What was smoothed before unknown rows is kept: the distance of a single row spreads more than all that it is compared to.
        let pattern = nearest.map(|now| {
            self.distance = match self.distance.is_nan() {
                true => now.distance,
                false => self.distance + spans.smooth * (now.distance - self.distance),
            };
            self.distance
        });
        let change = self.largest_deviations();
        let p_pattern = pattern.and_then(|measure| {
            let p = self.pattern.p_value(measure)?;
            // However rare, what is nearer than the smallest change that matters is not unusual.
            Some(if measure < 1.0 { p.max(P_NEAR) } else { p })
        });
        let p_change = change.and_then(|measure| self.change.p_value(measure));
        let p_values = p_pattern.zip(p_change).map(|(pattern, change)| PValues {
            change,
            pattern,
            combined: (pattern / PATTERN_WEIGHT)
                .min(change / (1.0 - PATTERN_WEIGHT))
                .min(1.0),
        });
        let by_pattern = p_values
            .filter(|p| p.pattern / PATTERN_WEIGHT <= p.change / (1.0 - PATTERN_WEIGHT))
            .and(nearest);
        let verdict = Verdict {
            p_values,
            distance: pattern.unwrap_or(f64::NAN),
            deciding: match p_values {
                Some(_) => self.deciding(channels, values, by_pattern.map(|nearest| nearest.at)),
                None => Vec::new(),
            },
        };
        self.learn(pattern, change, &spans);
        verdict
    }

    /// Fills the features and deviations of a row, and follows the recent averages.
    fn measure(&mut self, channels: &[Channel], values: &[f64], spans: &Spans) {
        let count = channels.len();
        self.features.clear();
        self.features.resize(2 * count, f32::NAN);
        self.deviations.clear();
        self.deviations.resize(count, f64::NAN);
        for (i, (channel, course)) in channels.iter().zip(&mut self.courses).enumerate() {
            let Some(scaled) = scaled(channel, values.get(i)) else {
                continue;
            };
            self.deviations[i] = course.deviation(scaled);
            [self.features[i], self.features[count + i]] = course.push(scaled, spans);
        }
    }

    /// The mean of the largest deviations; `None` if all are unknown.
    fn largest_deviations(&self) -> Option<f64> {
        let mut largest = [f64::NEG_INFINITY; LARGEST];
        for deviation in self.deviations.iter().filter(|one| !one.is_nan()) {
            let mut one = deviation.abs();
            for kept in &mut largest {
                if one > *kept {
                    std::mem::swap(&mut one, kept);
                }
            }
        }
        let known = largest.iter().filter(|one| one.is_finite()).count();
        let sum: f64 = largest[..known].iter().sum();
        (known > 0).then(|| sum / known as f64)
    }

    /// The channels that deviate most: from the nearest constellation, if the pattern decides, or else from their usual course.
    fn deciding(
        &self,
        channels: &[Channel],
        values: &[f64],
        nearest: Option<usize>,
    ) -> Vec<Deviation> {
        let count = channels.len();
        let other = nearest.map(|at| self.memory.get(at, 2 * count));
        let strength = |i: usize| match other {
            None => self.deviations[i].abs(),
            Some(other) => {
                let far = |at: usize| f64::from((self.features[at] - other[at]).powi(2));
                // The neighbor may not know the channel.
                let far = far(i) + far(count + i);
                if far.is_nan() { 0.0 } else { far }
            }
        };
        let mut found: Vec<(f64, usize)> = Vec::with_capacity(DECIDING_MAX + 1);
        for i in (0..count).filter(|i| !self.deviations[*i].is_nan()) {
            let one = (strength(i), i);
            let at = found.partition_point(|(other, _)| *other >= one.0);
            if at < DECIDING_MAX {
                found.insert(at, one);
                found.truncate(DECIDING_MAX);
            }
        }
        let strongest = found.first().map_or(0.0, |(strength, _)| *strength);
        // What adds hardly anything only distracts.
        let found = found.into_iter().filter(|(one, _)| *one >= 0.1 * strongest);
        let deviation = |(_, i): (f64, usize)| Deviation {
            channel: i,
            deviation: self.deviations[i],
            value: values[i],
            usual: channels[i].scale.back(self.courses[i].usual()),
        };
        found.map(deviation).collect()
    }

    /// Learns the last row.
    fn learn(&mut self, pattern: Option<f64>, change: Option<f64>, spans: &Spans) {
        let guard = spans.guard_after(self.rows);
        if self.rows.is_multiple_of(spans.every) {
            let waiting = (guard / spans.every) as usize;
            if let Some(pattern) = pattern {
                self.pattern.add(pattern, waiting, spans.reference);
            }
            if let Some(change) = change {
                self.change.add(change, waiting, spans.reference);
            }
        }
        if change.is_some() {
            self.memory
                .learn(self.rows, &self.features, guard, spans.memory);
            self.rows += 1;
        }
    }

    /// Declares that this many rows are missing.
    pub fn skip(&mut self, rows: u64) {
        if rows >= Spans::new(self.interval).restart {
            self.courses.iter_mut().for_each(Course::restart);
        }
    }

    /// Number of rows so far, without missing ones and those of which all is unknown.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The most memory outside of itself in bytes, whatever it has learned.
    pub(super) fn bytes(&self) -> usize {
        let channels = self.courses.len();
        vec(&self.courses)
            + allocation(2 * channels * size_of::<f32>())
            + allocation(channels * size_of::<f64>())
            + Memory::bytes(2 * channels)
            + 2 * Reference::BYTES_MAX
    }

    /// Whether a restored state is one that an engine for these channels can have.
    pub(super) fn is_valid(&self, channels: &[Channel]) -> bool {
        let spans = Spans::new(self.interval);
        let waiting = (spans.guard / spans.every) as usize;
        self.interval.is_plausible()
            && self.courses.len() == channels.len()
            && self.courses.iter().all(Course::is_valid)
            && self.memory.is_valid(2 * channels.len(), self.rows)
            && self.pattern.is_valid(waiting)
            && self.change.is_valid(waiting)
            && !self.distance.is_infinite()
    }
}

/// A value on the scale of its channel; `None` if it is unknown.
fn scaled(channel: &Channel, value: Option<&f64>) -> Option<f64> {
    let value = value.copied().filter(|value| value.is_finite())?;
    let scaled = channel.scale.of(value).clamp(-SCALED_MAX, SCALED_MAX);
    (!scaled.is_nan()).then_some(scaled)
}
