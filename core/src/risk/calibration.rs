//! What the evidence has meant at this site: Platt's scaling of the evidence by reported outcomes.
//!
//! J. Platt, "Probabilistic outputs for support vector machines" (1999), in the numerically stable form of Lin, Lin and Weng,
//! "A note on Platt's probabilistic outputs for support vector machines", Machine Learning 68 (2007), algorithm 1. Evidence is
//! counted in bins of half a nat, so that neither time nor memory grows with the number of outcomes.

use serde::{Deserialize, Serialize};

use super::odds::sigmoid;

/// The width of a bin in nats, and the evidence at the middle of the first one.
const BIN_WIDTH: f64 = 0.5;
const FIRST_BIN: f64 = -16.0;
/// Number of bins; beyond them, the outermost ones count.
const BINS: usize = 97;
/// Newton's method converges within a handful of steps; this bounds what never does.
const STEPS_MAX: usize = 100;
/// The smallest share of a step that is tried.
const STEP_MIN: f64 = 1e-10;
/// Added to the diagonal of the second derivatives, so that they can be inverted.
const RIDGE: f64 = 1e-12;
/// A gradient below this is none.
const GRADIENT_MIN: f64 = 1e-5;

/// A line from evidence to the logarithm of the odds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    /// The weight of all evidence.
    pub(super) slope: f64,
    /// The logarithm of the odds without evidence.
    pub(super) offset: f64,
}

impl Line {
    /// The logarithm of the odds at this evidence.
    #[inline]
    pub(super) fn at(self, evidence: f64) -> f64 {
        self.slope * evidence + self.offset
    }

    /// Whether more evidence means more risk, and both numbers are numbers.
    pub(super) fn is_valid(self) -> bool {
        (0.0..=100.0).contains(&self.slope) && self.slope > 0.0 && self.offset.abs() <= 100.0
    }
}

/// Counts of minutes by evidence, those that a failure followed and the others.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Histogram {
    failing: Vec<u64>,
    healthy: Vec<u64>,
}

impl Histogram {
    /// Counts a minute with this evidence.
    pub(super) fn add(&mut self, evidence: f64, failing: bool) {
        let counts = match failing {
            true => &mut self.failing,
            false => &mut self.healthy,
        };
        counts.resize(BINS, 0);
        let bin = ((evidence - FIRST_BIN) / BIN_WIDTH).round();
        let bin = bin.clamp(0.0, (BINS - 1) as f64) as usize;
        counts[bin] = counts[bin].saturating_add(1);
    }

    /// Whether it could have been made by [`Histogram::add`].
    pub(super) fn is_valid(&self) -> bool {
        let is_valid = |counts: &[u64]| counts.is_empty() || counts.len() == BINS;
        is_valid(&self.failing) && is_valid(&self.healthy)
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        crate::memory::vec(&self.failing) + crate::memory::vec(&self.healthy)
    }

    /// The line of largest likelihood; `None` if one side is empty, or if more evidence does not mean more risk.
    pub(super) fn fit(&self) -> Option<Line> {
        let sum = |counts: &[u64]| counts.iter().map(|&n| n as f64).sum::<f64>();
        let (failing, healthy) = (sum(&self.failing), sum(&self.healthy));
        if failing == 0.0 || healthy == 0.0 {
            return None;
        }
        // Targets short of 1 and 0 (section 2.2 of Platt's).
        let high = (failing + 1.0) / (failing + 2.0);
        let low = 1.0 / (healthy + 2.0);
        let rows: Vec<Row> = (0..BINS)
            .map(|bin| Row {
                evidence: FIRST_BIN + bin as f64 * BIN_WIDTH,
                count: (self.failing[bin] + self.healthy[bin]) as f64,
                target: high * self.failing[bin] as f64 + low * self.healthy[bin] as f64,
            })
            .filter(|row| row.count > 0.0)
            .collect();
        let mut line = Line {
            slope: 0.0,
            offset: libm::log((failing + 1.0) / (healthy + 1.0)),
        };
        let mut value = loss(&rows, line);
        for _ in 0..STEPS_MAX {
            let Some(next) = step(&rows, line, value) else {
                break;
            };
            (line, value) = next;
        }
        line.is_valid().then_some(line)
    }
}

/// Minutes of one bin.
struct Row {
    evidence: f64,
    count: f64,
    /// The sum of their targets.
    target: f64,
}

/// The negative logarithm of the likelihood.
fn loss(rows: &[Row], line: Line) -> f64 {
    let of = |row: &Row| {
        let z = line.at(row.evidence);
        // count * ln(1 + exp(z)) - target * z, without overflow.
        row.count * (z.max(0.0) + libm::log1p(libm::exp(-z.abs()))) - row.target * z
    };
    rows.iter().map(of).sum()
}

/// One step of Newton's method, shortened until it improves; `None` if there is nothing to improve.
fn step(rows: &[Row], line: Line, value: f64) -> Option<(Line, f64)> {
    let (mut g_slope, mut g_offset) = (0.0, 0.0);
    let (mut h_ss, mut h_so, mut h_oo) = (RIDGE, 0.0, RIDGE);
    for row in rows {
        let p = sigmoid(line.at(row.evidence));
        let error = row.count * p - row.target;
        g_slope += error * row.evidence;
        g_offset += error;
        let weight = row.count * p * (1.0 - p);
        h_ss += weight * row.evidence * row.evidence;
        h_so += weight * row.evidence;
        h_oo += weight;
    }
    if g_slope.abs() < GRADIENT_MIN && g_offset.abs() < GRADIENT_MIN {
        return None;
    }
    let determinant = h_ss * h_oo - h_so * h_so;
    let d_slope = -(h_oo * g_slope - h_so * g_offset) / determinant;
    let d_offset = -(h_ss * g_offset - h_so * g_slope) / determinant;
    let descent = g_slope * d_slope + g_offset * d_offset;
    let mut share = 1.0;
    while share >= STEP_MIN {
        let next = Line {
            slope: line.slope + share * d_slope,
            offset: line.offset + share * d_offset,
        };
        let improved = loss(rows, next);
        if improved < value + 1e-4 * share * descent {
            return Some((next, improved));
        }
        share /= 2.0;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Minutes whose failures follow the line, a fixed number in each bin.
    fn histogram(line: Line, per_bin: u64) -> Histogram {
        let mut histogram = Histogram::default();
        for half in -6..=30 {
            let evidence = f64::from(half) / 2.0;
            let failing = (sigmoid(line.at(evidence)) * per_bin as f64).round() as u64;
            for i in 0..per_bin {
                histogram.add(evidence, i < failing);
            }
        }
        histogram
    }

    #[test]
    fn the_line_that_made_the_outcomes_is_found() {
        for line in [
            Line {
                slope: 1.0,
                offset: -8.0,
            },
            Line {
                slope: 0.4,
                offset: -3.0,
            },
            Line {
                slope: 1.6,
                offset: -12.0,
            },
        ] {
            let found = histogram(line, 4_000).fit().unwrap();
            assert!((found.slope - line.slope).abs() < 0.03, "{found:?}");
            assert!((found.offset - line.offset).abs() < 0.3, "{found:?}");
        }
    }

    #[test]
    fn evidence_that_means_less_risk_is_no_calibration() {
        let line = Line {
            slope: -0.5,
            offset: 1.0,
        };
        assert_eq!(histogram(line, 1_000).fit(), None);
    }

    #[test]
    fn one_side_alone_is_no_calibration() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.fit(), None);
        histogram.add(3.0, false);
        assert_eq!(histogram.fit(), None);
        let mut histogram = Histogram::default();
        histogram.add(3.0, true);
        assert_eq!(histogram.fit(), None);
    }

    #[test]
    fn outcomes_that_evidence_separates_completely_give_a_finite_line() {
        let mut histogram = Histogram::default();
        for i in 0..50 {
            histogram.add(-1.0, false);
            histogram.add(if i % 2 == 0 { 12.0 } else { 1e9 }, true);
        }
        let line = histogram.fit().unwrap();
        assert!(line.is_valid(), "{line:?}");
        assert!(sigmoid(line.at(12.0)) > 0.9 && sigmoid(line.at(-1.0)) < 0.1);
    }
}
