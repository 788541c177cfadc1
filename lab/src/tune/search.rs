//! Which combination of values to try next: a grid, or Bayesian optimization.
//!
//! The latter is the tree-structured Parzen estimator (J. Bergstra et al., NeurIPS 2011): of candidates drawn where the good trials
//! are dense, the one is tried that is likeliest under the good trials and least likely under the others. Trials are decided on
//! [`BATCH`] at a time, from those before the batch alone, so that they run side by side and yet follow from the seed.

use std::collections::HashSet;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::space::{Assignment, Parameter};
use super::trials::Trial;

/// Trials that are chosen, and run, together.
pub const BATCH: usize = 8;
/// The first trials, which are drawn uniformly; those after them are drawn by the estimator.
const STARTUP: usize = 16;
/// The search ends after this many consecutive draws without a combination that is allowed and new.
const ATTEMPTS: usize = 200;
/// The largest grid.
const MOST_TRIALS: usize = 100_000;

/// How to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Bayesian optimization (tree-structured Parzen estimator)
    Bayes,
    /// All combinations of the values of lists and of evenly spaced values of ranges
    Grid,
}

/// A search: its trials follow from it and from what the trials before came to.
#[derive(Debug)]
pub struct Search {
    parameters: Vec<Parameter>,
    /// Trial 0: what would be without tuning.
    start: Assignment,
    way: Way,
}

#[derive(Debug)]
enum Way {
    Bayes { seed: u64, trials: usize },
    Grid(Vec<Assignment>),
}

impl Search {
    /// Bayesian optimization of at most this many trials.
    pub fn bayes(parameters: Vec<Parameter>, start: Assignment, seed: u64, trials: usize) -> Self {
        Self {
            parameters,
            start,
            way: Way::Bayes { seed, trials },
        }
    }

    /// A grid with `steps` values of each range, of the combinations that are `allowed`.
    ///
    /// # Errors
    /// A grid that is too large.
    pub fn grid(
        parameters: Vec<Parameter>,
        start: Assignment,
        steps: usize,
        allowed: impl Fn(&Assignment) -> bool,
    ) -> Result<Self> {
        let axes: Vec<Vec<String>> = parameters.iter().map(|p| p.grid(steps)).collect();
        let size = axes
            .iter()
            .try_fold(1_usize, |size, axis| size.checked_mul(axis.len()))
            .filter(|size| *size <= MOST_TRIALS);
        let size = size.with_context(|| {
            let sizes: Vec<String> = axes.iter().map(|axis| axis.len().to_string()).collect();
            format!(
                "a grid of {} trials is more than {MOST_TRIALS}; tune fewer options (--param), take fewer --steps, or --method bayes",
                sizes.join(" × ")
            )
        })?;
        let point = |at: usize| {
            let mut rest = at;
            let mut values: Assignment = axes
                .iter()
                .rev()
                .map(|axis| {
                    let value = axis[rest % axis.len()].clone();
                    rest /= axis.len();
                    value
                })
                .collect();
            values.reverse();
            values
        };
        let points = (0..size)
            .map(point)
            .filter(|point| *point != start && allowed(point))
            .collect();
        Ok(Self {
            parameters,
            start,
            way: Way::Grid(points),
        })
    }

    /// The options that are tuned.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The most trials there will be.
    pub fn trials(&self) -> usize {
        match &self.way {
            Way::Bayes { trials, .. } => *trials,
            Way::Grid(points) => points.len() + 1,
        }
    }

    /// The combinations to try after the trials `past`, whose number is a multiple of [`BATCH`]; none: the search is over.
    ///
    /// # Errors
    /// A trial that the optimizer refuses.
    pub fn batch(
        &self,
        past: &[Trial],
        allowed: impl Fn(&Assignment) -> bool,
    ) -> Result<Vec<Assignment>> {
        let numbers = past.len()..self.trials().min(past.len() + BATCH);
        let (seed, mut optimizers) = match &self.way {
            Way::Grid(points) => {
                let point = |number: usize| match number.checked_sub(1) {
                    None => self.start.clone(),
                    Some(at) => points[at].clone(),
                };
                return Ok(numbers.map(point).collect());
            }
            Way::Bayes { seed, .. } => (*seed, self.optimizers(past)?),
        };
        let mut tried: HashSet<Assignment> =
            past.iter().map(|trial| trial.values.clone()).collect();
        let mut batch = Vec::new();
        for number in numbers {
            let next = if number == 0 {
                Some(self.start.clone())
            } else {
                let mut rng = ChaCha8Rng::seed_from_u64(seed);
                rng.set_stream(number as u64);
                self.draw(number, &mut optimizers, &mut rng, |values| {
                    !tried.contains(values) && allowed(values)
                })?
            };
            let Some(next) = next else { break };
            tried.insert(next.clone());
            batch.push(next);
        }
        Ok(batch)
    }

    /// One optimizer per parameter, each with the trials `past`.
    fn optimizers(&self, past: &[Trial]) -> Result<Vec<tpe::TpeOptimizer>> {
        let optimizer = |(at, parameter): (usize, &Parameter)| {
            let mut optimizer = match parameter.choices() {
                Some(choices) => tpe::TpeOptimizer::new(
                    tpe::histogram_estimator(),
                    tpe::categorical_range(choices)?,
                ),
                // The end of the crate's ranges is outside, of ours inside.
                None => {
                    tpe::TpeOptimizer::new(tpe::parzen_estimator(), tpe::range(0.0, 1.0 + 1e-9)?)
                }
            };
            for trial in past {
                // It minimises.
                optimizer.tell(parameter.place(&trial.values[at]), -trial.objective)?;
            }
            Ok(optimizer)
        };
        self.parameters.iter().enumerate().map(optimizer).collect()
    }

    /// A combination that is `wanted`; none after many attempts.
    fn draw(
        &self,
        number: usize,
        optimizers: &mut [tpe::TpeOptimizer],
        rng: &mut ChaCha8Rng,
        wanted: impl Fn(&Assignment) -> bool,
    ) -> Result<Option<Assignment>> {
        for _ in 0..ATTEMPTS {
            let mut values = Assignment::new();
            for (parameter, optimizer) in self.parameters.iter().zip(&mut *optimizers) {
                let place = if number < STARTUP {
                    rng.random::<f64>() * parameter.choices().unwrap_or(1) as f64
                } else {
                    optimizer.ask(rng)?
                };
                values.push(parameter.value(place));
            }
            if wanted(&values) {
                return Ok(Some(values));
            }
        }
        Ok(None)
    }
}

/// Checks the numbers of a search.
///
/// # Errors
/// Numbers with which there is nothing to search.
pub fn check(trials: usize, steps: usize) -> Result<()> {
    ensure!(
        (2..=MOST_TRIALS).contains(&trials),
        "--trials {trials}: it takes a number from 2 to {MOST_TRIALS}; the first trial is the one without tuning"
    );
    ensure!(
        (2..=1000).contains(&steps),
        "--steps {steps}: it takes a number from 2 to 1000"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::space::parameter;
    use super::*;
    use bellwether_core::had::HadOptions;

    fn parameters(texts: &[&str]) -> Vec<Parameter> {
        texts
            .iter()
            .map(|t| parameter::<HadOptions>(t).unwrap())
            .collect()
    }

    /// Runs a search over an objective that is known.
    fn trials(search: &Search, objective: impl Fn(&Assignment) -> f64) -> Vec<Trial> {
        let mut past = Vec::new();
        loop {
            let batch = search.batch(&past, |_| true).unwrap();
            let short = batch.len() < BATCH;
            past.extend(batch.into_iter().map(|values| Trial {
                objective: objective(&values),
                values,
                figures: Vec::new(),
            }));
            if short {
                return past;
            }
        }
    }

    /// Highest where the threshold is 3 and the algorithm iad.
    fn hill(values: &Assignment) -> f64 {
        let threshold: f64 = values[0].parse().unwrap();
        -(threshold - 3.0).abs() - f64::from(u8::from(values[1] != "iad"))
    }

    fn bayes(seed: u64, trials: usize) -> Search {
        let parameters = parameters(&["zscore_threshold=0..100", "algorithm"]);
        Search::bayes(parameters, vec!["1.99".into(), "rank".into()], seed, trials)
    }

    fn best(trials: &[Trial]) -> f64 {
        let objectives = trials.iter().map(|t| t.objective);
        objectives.fold(f64::NEG_INFINITY, f64::max)
    }

    #[test]
    fn the_same_seed_makes_the_same_trials_and_another_one_others() {
        let of = |seed| trials(&bayes(seed, 40), hill);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
        assert_eq!(of(1)[0].values, ["1.99", "rank"]);
    }

    #[test]
    fn bayesian_optimisation_comes_nearer_than_even_draws() {
        let start = vec!["100".to_owned(), "rank".to_owned()];
        let (mut learned, mut even) = (0.0, 0.0);
        for seed in 0..10 {
            let search = Search {
                start: start.clone(),
                ..bayes(seed, 80)
            };
            learned += best(&trials(&search, hill));
            // With nothing to learn from, the same search draws evenly.
            let blind = trials(&search, |_| 0.0);
            let blind = blind.iter().map(|trial| hill(&trial.values));
            even += blind.fold(f64::NEG_INFINITY, f64::max);
        }
        assert!(learned > even / 2.0, "{learned} {even}");
    }

    #[test]
    fn a_search_ends_where_there_is_nothing_new() {
        let parameters = parameters(&["algorithm", "zscore_dynamic_filtering"]);
        let start = vec!["rank".to_owned(), "true".to_owned()];
        let search = Search::bayes(parameters, start, 1, 100);
        let all = trials(&search, |_| 0.0);
        assert_eq!(all.len(), 6);
        let different: HashSet<_> = all.iter().map(|t| &t.values).collect();
        assert_eq!(different.len(), 6);
    }

    #[test]
    fn a_grid_has_each_allowed_combination_once_after_the_one_without_tuning() {
        let parameters = parameters(&["iad_window_sz=10..50", "iad_quorum=0.5,0.85"]);
        let start = vec!["10".to_owned(), "0.85".to_owned()];
        let search = Search::grid(parameters, start, 3, |values| values[0] != "50").unwrap();
        let all = trials(&search, |_| 0.0);
        let all: Vec<&str> = all
            .iter()
            .flat_map(|t| &t.values)
            .map(String::as_str)
            .collect();
        assert_eq!(all, ["10", "0.85", "10", "0.5", "30", "0.5", "30", "0.85"]);
    }

    #[test]
    fn a_grid_that_is_too_large_is_refused() {
        let parameters = parameters(&["iad_window_sz=1..100000", "zscore_threshold=0..1"]);
        let start = vec!["60".to_owned(), "1".to_owned()];
        let error = Search::grid(parameters, start, 1000, |_| true).unwrap_err();
        assert!(error.to_string().contains("× 1000 trials"), "{error}");
    }
}
