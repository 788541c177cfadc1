//! The probability that a number of VMs agree by chance.

use std::f64::consts::{LN_10, SQRT_2};
use std::sync::LazyLock;

use libm::{erfc, lgamma};

/// Evidence is the negative decimal logarithm of a probability; smaller probabilities cannot be distinguished.
pub(crate) const EVIDENCE_MAX: f64 = 300.0;

/// P[N > z] for a standard normal N.
pub(crate) fn normal_tail(z: f64) -> f64 {
    0.5 * erfc(z / SQRT_2)
}

/// -log10 P[N > z] for a standard normal N, at most [`EVIDENCE_MAX`].
pub(crate) fn normal_evidence(z: f64) -> f64 {
    -normal_tail(z).max(1e-300).log10()
}

/// The number of votes for a quorum of the share `quorum` among `n` voters; at least two.
pub(crate) fn votes_needed(n: usize, quorum: f64) -> usize {
    // The small term keeps 0.7 * 10 from becoming 8 votes, because 0.7 is slightly more than 7/10.
    ((quorum * n as f64 - 1e-9).ceil() as usize).max(2)
}

/// ln(n!).
fn ln_factorial(n: usize) -> f64 {
    static SMALL: LazyLock<[f64; 256]> =
        LazyLock::new(|| std::array::from_fn(|n| lgamma(n as f64 + 1.0)));
    SMALL
        .get(n)
        .copied()
        .unwrap_or_else(|| lgamma(n as f64 + 1.0))
}

/// -log10 P[Binomial(n, p) >= k], between 0 and [`EVIDENCE_MAX`].
pub(crate) fn binomial_evidence(n: usize, k: usize, p: f64) -> f64 {
    if p <= 0.0 {
        return EVIDENCE_MAX;
    }
    if p >= 1.0 || k == 0 {
        return 0.0;
    }
    let leading = ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)
        + k as f64 * p.ln()
        + (n - k) as f64 * (-p).ln_1p();
    let odds = p / (1.0 - p);
    let (mut term, mut sum) = (1.0, 1.0);
    for j in k + 1..=n {
        term *= (n - j + 1) as f64 / j as f64 * odds;
        sum += term;
    }
    (-(leading + sum.ln()) / LN_10).clamp(0.0, EVIDENCE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By Pascal's triangle and a plain sum: slow, but obviously correct.
    fn binomial_tail_by_definition(n: usize, k: usize, p: f64) -> f64 {
        let mut row = vec![1.0f64];
        for _ in 0..n {
            let mut next = vec![1.0];
            next.extend(row.windows(2).map(|w| w[0] + w[1]));
            next.push(1.0);
            row = next;
        }
        (k..=n)
            .map(|j| row[j] * p.powi(j as i32) * (1.0 - p).powi((n - j) as i32))
            .sum()
    }

    #[test]
    fn the_binomial_tail_matches_its_definition() {
        for n in [2, 3, 5, 13, 30, 60] {
            for k in 1..=n {
                for p in [1e-4, 0.01, 0.2, 0.5, 0.9] {
                    let exact = binomial_tail_by_definition(n, k, p);
                    let got = 10f64.powf(-binomial_evidence(n, k, p));
                    assert!(
                        (got / exact - 1.0).abs() < 1e-6,
                        "n {n} k {k} p {p}: {got} {exact}"
                    );
                }
            }
        }
    }

    #[test]
    fn extreme_probabilities_give_bounded_evidence() {
        assert_eq!(binomial_evidence(5, 4, 0.0), EVIDENCE_MAX);
        assert_eq!(binomial_evidence(5, 4, 1.0), 0.0);
        assert_eq!(binomial_evidence(500, 400, 1e-300), EVIDENCE_MAX);
        assert_eq!(normal_evidence(100.0), EVIDENCE_MAX);
        assert!((normal_evidence(0.0) - 2f64.log10()).abs() < 1e-12);
    }

    #[test]
    fn a_quorum_is_at_least_two_votes_and_never_one_too_many() {
        assert_eq!(votes_needed(2, 0.7), 2);
        assert_eq!(votes_needed(10, 0.7), 7);
        assert_eq!(votes_needed(13, 0.7), 10);
        assert_eq!(votes_needed(0, 0.7), 2);
    }
}
