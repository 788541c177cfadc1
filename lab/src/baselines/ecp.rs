//! E.Divisive (Matteson, James, "A Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data", JASA 2014):
//! splits the series where the energy distance between the parts is greatest, as long as permutations of the rows seldom give
//! as much.

use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;
use rand_chacha::ChaCha8Rng;

/// The parameters.
pub struct Options {
    /// Find so many changes, significant or not; none: those that are significant.
    pub changes: Option<usize>,
    /// The fewest rows of a part.
    pub min_size: usize,
    /// Permutations of a test.
    pub permutations: usize,
    /// The greatest p-value of a change.
    pub significance: f64,
    /// Power of the Euclidean distance.
    pub alpha: f64,
}

/// A split of a part in two.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Split {
    /// The first row of the latter part.
    row: usize,
    /// The scaled energy distance between the rows before and some after (equations 6 and 7 of the paper).
    energy: f64,
}

/// The first rows of new parts, in the order in which they were found.
pub fn e_divisive(rows: &[Vec<f64>], options: &Options, seed: u64) -> Vec<usize> {
    let distances = Distances::new(rows, options.alpha);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut borders = vec![0, rows.len()];
    let mut found = Vec::new();
    let best = |borders: &[usize], order: &[usize]| {
        let parts = borders.windows(2);
        let splits =
            parts.filter_map(|part| distances.split(order, part[0], part[1], options.min_size));
        // Of equals the first, as the reference has it.
        splits.reduce(|best, next| {
            if next.energy > best.energy {
                next
            } else {
                best
            }
        })
    };
    let as_is: Vec<usize> = (0..rows.len()).collect();
    while options.changes.is_none_or(|changes| found.len() < changes) {
        let Some(split) = best(&borders, &as_is) else {
            break;
        };
        if options.changes.is_none() {
            // The share of permutations, the series as it is among them, with as much energy; no more than need be are tried.
            let most = options.significance * (options.permutations + 1) as f64;
            let mut as_much = 1;
            for _ in 0..options.permutations {
                let mut order = as_is.clone();
                for part in borders.windows(2) {
                    order[part[0]..part[1]].shuffle(&mut rng);
                }
                if best(&borders, &order).is_some_and(|other| other.energy >= split.energy) {
                    as_much += 1;
                }
                if f64::from(as_much) > most {
                    break;
                }
            }
            if f64::from(as_much) > most {
                break;
            }
        }
        found.push(split.row);
        borders.push(split.row);
        borders.sort_unstable();
    }
    found
}

/// The distances between all rows.
struct Distances {
    rows: usize,
    values: Vec<f64>,
}

impl Distances {
    fn new(rows: &[Vec<f64>], alpha: f64) -> Self {
        let distance = |a: &[f64], b: &[f64]| {
            let squares = a.iter().zip(b).map(|(a, b)| (a - b) * (a - b));
            squares.sum::<f64>().sqrt().powf(alpha)
        };
        let values = rows
            .iter()
            .flat_map(|a| rows.iter().map(move |b| distance(a, b)))
            .collect();
        Self {
            rows: rows.len(),
            values,
        }
    }

    /// The best split of the rows from `start` to before `end`, in the order `order`: over all first rows of the latter part
    /// and all ends of it. `None` where the part is too short for two.
    fn split(&self, order: &[usize], start: usize, end: usize, min_size: usize) -> Option<Split> {
        let order = &order[start..end];
        let length = order.len();
        if length < 2 * min_size {
            return None;
        }
        let between = |a: usize, b: usize| self.values[order[a] * self.rows + order[b]];
        let mut best: Option<Split> = None;
        // Sums of the distances within the former part, within the latter part up to each end, and between both.
        let mut former = 0.0;
        for a in 0..min_size {
            former += (0..a).map(|b| between(a, b)).sum::<f64>();
        }
        let mut latter = vec![0.0; length + 1];
        let mut across = vec![0.0; length + 1];
        for end in min_size + 1..=length {
            let last = end - 1;
            latter[end] = latter[end - 1] + (min_size..last).map(|b| between(last, b)).sum::<f64>();
            across[end] = across[end - 1] + (0..min_size).map(|b| between(last, b)).sum::<f64>();
        }
        for cut in min_size..=length - min_size {
            if cut > min_size {
                // The row before the cut moves from the latter part to the former.
                let moved = cut - 1;
                let to_former: f64 = (0..moved).map(|b| between(moved, b)).sum();
                former += to_former;
                let mut to_latter = 0.0;
                for end in cut + 1..=length {
                    to_latter += between(moved, end - 1);
                    latter[end] -= to_latter;
                    across[end] += to_latter - to_former;
                }
            }
            for end in cut + min_size..=length {
                let (m, n) = (cut as f64, (end - cut) as f64);
                let energy = 2.0 * across[end] / (m * n)
                    - 2.0 * former / (m * (m - 1.0))
                    - 2.0 * latter[end] / (n * (n - 1.0));
                let energy = energy * m * n / (m + n);
                if best.is_none_or(|best| energy > best.energy) {
                    best = Some(Split {
                        row: start + cut,
                        energy,
                    });
                }
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baselines::reference;

    #[test]
    fn changes_are_those_of_rs_ecp() {
        for case in reference::cases("ecp") {
            let rows = reference::matrix(&case["rows"]);
            let changes = |name: &str| -> Vec<usize> {
                let rows = reference::vector(&case[name]);
                rows.iter().map(|row| *row as usize).collect()
            };
            let mut options = Options {
                changes: None,
                min_size: case["min_size"].as_u64().unwrap() as usize,
                permutations: 199,
                significance: 0.05,
                alpha: case["alpha"].as_f64().unwrap(),
            };
            assert_eq!(e_divisive(&rows, &options, 1), changes("significant"));
            options.changes = Some(3);
            assert_eq!(e_divisive(&rows, &options, 1), changes("three"));
        }
    }

    #[test]
    fn the_energy_of_a_split_is_that_of_its_definition() {
        let rows: Vec<Vec<f64>> = (0..24)
            .map(|i| {
                vec![
                    f64::from(i * 7 % 5),
                    f64::from(i * 3 % 7) + f64::from(i / 13) * 4.0,
                ]
            })
            .collect();
        let distances = Distances::new(&rows, 1.0);
        let order: Vec<usize> = (0..24).collect();
        let split = distances.split(&order, 2, 24, 4).unwrap();
        let energy = |cut: usize, end: usize| {
            let mean = |a: std::ops::Range<usize>, b: std::ops::Range<usize>, pairs: f64| {
                let sums = a.map(|i| b.clone().map(|j| distances.values[i * 24 + j]).sum::<f64>());
                sums.sum::<f64>() / pairs
            };
            let (m, n) = ((cut - 2) as f64, (end - cut) as f64);
            let of = 2.0 * mean(2..cut, cut..end, m * n)
                - mean(2..cut, 2..cut, m * (m - 1.0))
                - mean(cut..end, cut..end, n * (n - 1.0));
            of * m * n / (m + n)
        };
        let all = (6..=20).flat_map(|cut| (cut + 4..=24).map(move |end| (cut, end)));
        let (cut, most) = all
            .map(|(cut, end)| (cut, energy(cut, end)))
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap();
        assert_eq!(split.row, cut);
        assert!(
            (split.energy - most).abs() < 1e-9,
            "{} {most}",
            split.energy
        );
    }

    #[test]
    fn a_part_too_short_for_two_is_left_whole() {
        let distances = Distances::new(&vec![vec![1.0]; 9], 1.0);
        let order: Vec<usize> = (0..9).collect();
        assert_eq!(distances.split(&order, 0, 9, 5), None);
    }
}
