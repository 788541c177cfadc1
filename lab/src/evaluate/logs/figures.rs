//! All figures of a detector over labeled series, and how sure they are.

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;

use super::nab::{Nab, PROFILE_NAMES, Sweep};
use super::operating::{Operating, Outcome};
use super::roc::{Point, Roc};
use super::series::{Both, Series};

/// How good a detector is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Series, and those among them that fail.
    pub series: f64,
    pub failing: f64,
    /// By criterion and profile.
    pub nab: Both<BTreeMap<&'static str, Nab>>,
    /// By scenario and criterion; see [`super::roc::Curves`].
    pub auc: BTreeMap<String, Both<f64>>,
    pub auc_exact: BTreeMap<String, Both<Option<f64>>>,
    pub operating: Operating,
    /// By scenario and criterion.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub roc: BTreeMap<String, Both<Vec<Point>>>,
}

/// The range that holds a figure with 95 % confidence, by the figure's path in [`Figures`], its parts joined by dots.
pub type Intervals = BTreeMap<String, [f64; 2]>;

/// A detector's scores over labeled series, made ready for counting.
pub struct Evaluation {
    sweeps: Both<Sweep>,
    roc: Roc,
    /// At the threshold.
    pub outcomes: Vec<Outcome>,
    threshold: f64,
}

impl Evaluation {
    /// The scores in `series`. Where no `threshold` is given, it is the one that NAB finds best (standard profile, relaxed
    /// criterion).
    pub fn new(series: &[Series<'_>], threshold: Option<f64>) -> Self {
        let sweeps = Both::of(|criterion| Sweep::new(series, criterion));
        let threshold = threshold.unwrap_or_else(|| {
            let [standard, ..] = sweeps.relaxed.scores(&vec![1.0; series.len()]);
            standard.threshold
        });
        Self {
            sweeps,
            roc: Roc::new(series),
            outcomes: series.iter().map(|s| Outcome::new(s, threshold)).collect(),
            threshold,
        }
    }

    /// The figures of the series as they are.
    pub fn figures(&self) -> Figures {
        self.weighted(&vec![1.0; self.outcomes.len()])
    }

    /// The figures where each series counts as often as `weights` says.
    pub fn weighted(&self, weights: &[f64]) -> Figures {
        let failing = self.outcomes.iter().zip(weights);
        let failing = failing.filter(|(outcome, _)| !outcome.benign);
        let mut figures = Figures {
            series: weights.iter().sum(),
            failing: failing.map(|(_, weight)| weight).sum(),
            nab: Both::of(|criterion| {
                let scores = self.sweeps.get(criterion).scores(weights);
                PROFILE_NAMES.into_iter().zip(scores).collect()
            }),
            auc: BTreeMap::new(),
            auc_exact: BTreeMap::new(),
            operating: Operating::new(&self.outcomes, weights, self.threshold),
            roc: BTreeMap::new(),
        };
        for (scenario, curves) in self.roc.curves(weights) {
            figures.auc.insert(scenario.clone(), curves.auc);
            figures.auc_exact.insert(scenario.clone(), curves.auc_exact);
            figures.roc.insert(scenario, curves.points);
        }
        figures
    }

    /// How often each series is there in each of `resamples` draws of as many series from each scenario, with replacement.
    pub fn draws(&self, resamples: usize, seed: u64) -> Vec<Vec<f64>> {
        let mut scenarios: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (at, outcome) in self.outcomes.iter().enumerate() {
            scenarios.entry(&outcome.scenario).or_default().push(at);
        }
        let mut seeds = fastrand::Rng::with_seed(seed);
        let draw = |_| {
            let mut random = fastrand::Rng::with_seed(seeds.u64(..));
            let mut weights = vec![0.0; self.outcomes.len()];
            for group in scenarios.values() {
                for _ in group {
                    weights[group[random.usize(..group.len())]] += 1.0;
                }
            }
            weights
        };
        (0..resamples).map(draw).collect()
    }

    /// How sure the figures are: percentiles over `resamples` draws of as many series from each scenario, with replacement
    /// (the bootstrap; B. Efron, 1979). NAB's threshold is searched again in each draw, that of the other figures stays.
    pub fn intervals(&self, resamples: usize, seed: u64) -> Intervals {
        let draw = |weights: &Vec<f64>| {
            let mut figures = self.weighted(weights);
            figures.roc.clear();
            let mut leaves = Vec::new();
            numbers(&serde_json::json!(figures), "", &mut leaves);
            leaves
        };
        let draws = self.draws(resamples, seed);
        let draws: Vec<Vec<(String, f64)>> = draws.par_iter().map(draw).collect();
        let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for (path, value) in draws.into_iter().flatten() {
            values.entry(path).or_default().push(value);
        }
        let ends = |mut values: Vec<f64>| {
            values.sort_by(f64::total_cmp);
            [0.025, 0.975].map(|q| quantile(&values, q))
        };
        values
            .into_iter()
            .map(|(path, values)| (path, ends(values)))
            .collect()
    }
}

/// The numbers in a value of JSON, each with its path.
fn numbers(value: &Value, path: &str, into: &mut Vec<(String, f64)>) {
    match value {
        Value::Number(number) => {
            into.extend(number.as_f64().map(|number| (path.to_owned(), number)));
        }
        Value::Object(parts) => {
            for (name, part) in parts {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                numbers(part, &path, into);
            }
        }
        _ => {}
    }
}

/// The quantile `q` (0 to 1) of rising values, between two of them in proportion.
fn quantile(values: &[f64], q: f64) -> f64 {
    let place = q * (values.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(values.len() - 1);
    values[low] + part * (values[high] - values[low])
}

#[cfg(test)]
mod tests {
    use super::super::labels::{Fault, Label};
    use super::*;

    /// Failing series of which only some have an alarm, and series in which nothing fails.
    fn cases(failing: usize, found: usize, benign: usize) -> Vec<(Label, Vec<f64>)> {
        let case = |number: usize| {
            let fault = (number < failing).then(|| Fault {
                inject: 500,
                fail: 900,
                region: 500,
                too_late: 900,
                lead: vec![(500, 600.0)],
            });
            let scenario = if fault.is_some() { "hdd" } else { "benign" };
            let label = Label {
                name: format!("{number}"),
                scenario: scenario.into(),
                host: None,
                records: 1000,
                fault,
            };
            let mut scores = vec![0.0; 1000];
            if number < found {
                scores[600 + number] = 0.9;
            }
            (label, scores)
        };
        (0..failing + benign).map(case).collect()
    }

    fn evaluation(cases: &[(Label, Vec<f64>)]) -> Evaluation {
        let series: Vec<_> = cases
            .iter()
            .map(|(label, scores)| Series { label, scores })
            .collect();
        Evaluation::new(&series, None)
    }

    #[test]
    fn an_interval_holds_its_figure_and_is_the_same_for_the_same_seed() {
        let evaluation = evaluation(&cases(20, 15, 5));
        let figures = evaluation.figures();
        assert_eq!((figures.series, figures.failing), (25.0, 20.0));
        assert_eq!(figures.operating.early_percent, Some(75.0));
        let intervals = evaluation.intervals(200, 1);
        let [low, high] = intervals["operating.early_percent"];
        assert!(low < 75.0 && 75.0 < high && low > 40.0, "{low} {high}");
        let nab = figures.nab.strict["standard"].score.unwrap();
        let [low, high] = intervals["nab.strict.standard.score"];
        assert!(low < nab && nab < high, "{low} {nab} {high}");
        assert_eq!(
            intervals["series"],
            [25.0, 25.0],
            "as many of each scenario"
        );
        assert_eq!(intervals, evaluation.intervals(200, 1));
        assert_ne!(intervals, evaluation.intervals(200, 2));
    }

    #[test]
    fn more_series_make_a_figure_more_sure() {
        let width = |factor: usize| {
            let evaluation = evaluation(&cases(20 * factor, 15 * factor, 0));
            let [low, high] = evaluation.intervals(200, 1)["operating.early_percent"];
            high - low
        };
        assert!(width(1) > 1.5 * width(6), "{} {}", width(1), width(6));
    }

    #[test]
    fn a_quantile_lies_between_two_values_in_proportion() {
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), 3.0);
        assert_eq!(quantile(&[7.0], 0.975), 7.0);
    }
}
