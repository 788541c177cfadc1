//! Odds: the prior, and probabilities from them.

use super::tables::Horizon;

/// Minutes of a year.
const MINUTES_PER_YEAR: f64 = 525_960.0;

/// The largest probability that is stated: no evidence of this kind is certain, and its sources are not independent.
pub const PROBABILITY_MAX: f64 = 0.9;

/// The logarithm of the odds that a host fails within the horizon if nothing else is known: with a constant rate, the
/// probability is 1 - exp(-rate * time).
pub(super) fn prior(failures_per_host_year: f64, horizon: Horizon) -> f64 {
    let expected = failures_per_host_year * f64::from(horizon.minutes()) / MINUTES_PER_YEAR;
    // ln(p / (1 - p)) for p = 1 - exp(-x) is ln(exp(x) - 1).
    libm::log(libm::expm1(expected))
}

/// The probability with this logarithm of the odds, at most [`PROBABILITY_MAX`].
pub(super) fn probability(log_odds: f64) -> f64 {
    sigmoid(log_odds).min(PROBABILITY_MAX)
}

/// The probability with this logarithm of the odds.
#[inline]
pub(super) fn sigmoid(log_odds: f64) -> f64 {
    // The exponent is not positive, so that nothing overflows.
    let small = libm::exp(-log_odds.abs());
    let share = small / (1.0 + small);
    if log_odds < 0.0 { share } else { 1.0 - share }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prior_is_the_share_of_horizons_with_a_failure() {
        let at = |rate, horizon| sigmoid(prior(rate, horizon));
        let share = at(0.4, Horizon::Ten);
        assert!((share - 0.4 * 10.0 / 525_960.0).abs() < 1e-10, "{share}");
        assert!((at(0.4, Horizon::Thirty) / share - 3.0).abs() < 1e-4);
        // At absurd rates it is still a probability.
        assert!(at(1000.0, Horizon::Thirty) < 1.0 && at(1e-4, Horizon::Ten) > 0.0);
    }

    #[test]
    fn no_evidence_is_certain_however_much_there_is() {
        assert_eq!(probability(1e3), PROBABILITY_MAX);
        assert_eq!(probability(f64::INFINITY), PROBABILITY_MAX);
        assert_eq!(probability(f64::NEG_INFINITY), 0.0);
        assert!((probability(0.0) - 0.5).abs() < 1e-12);
        assert!((sigmoid(2.0) + sigmoid(-2.0) - 1.0).abs() < 1e-12);
    }
}
