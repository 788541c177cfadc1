//! How long migrations take: t = a·memory + b, fitted by least squares to those that succeeded.

/// Past migrations that a fit needs.
const LEAST: usize = 8;
/// Without a fit: MiB per second of a network of 1 Gbit/s that is shared, and seconds that each migration takes besides.
const ASSUMED: Line = Line {
    per_mib: 1.0 / 80.0,
    fixed: 3.0,
};

#[derive(Debug, Clone, Copy, PartialEq)]
struct Line {
    per_mib: f64,
    fixed: f64,
}

/// An estimate of durations.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Estimate {
    line: Line,
    /// Past migrations behind it; 0 if it is assumed.
    pub(super) count: usize,
}

impl Estimate {
    /// From memory in MiB and duration in seconds of past migrations.
    pub(super) fn fit(past: &[(f64, f64)]) -> Self {
        let assumed = Self {
            line: ASSUMED,
            count: 0,
        };
        let count = past.len();
        if count < LEAST {
            return assumed;
        }
        let n = count as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| past.iter().map(of).sum::<f64>() / n;
        let (x, y) = (mean(|p| p.0), mean(|p| p.1));
        let sum = |of: &dyn Fn(&(f64, f64)) -> f64| past.iter().map(of).sum::<f64>();
        let spread = sum(&|p| (p.0 - x).powi(2));
        let slope = match spread > 0.0 {
            true => sum(&|p| (p.0 - x) * (p.1 - y)) / spread,
            // All had the same memory.
            false => 0.0,
        };
        // More memory never takes less time, and no migration takes less than none.
        let slope = slope.clamp(0.0, y / x.max(1.0));
        let line = Line {
            per_mib: slope,
            fixed: (y - slope * x).max(0.0),
        };
        match line.per_mib.is_finite() && line.fixed.is_finite() {
            true => Self { line, count },
            false => assumed,
        }
    }

    /// Seconds for a guest with this memory.
    pub(super) fn seconds(&self, memory_mib: u64) -> f64 {
        self.line.per_mib * memory_mib as f64 + self.line.fixed
    }

    /// When each of these migrations ends, in seconds after the first begins, with `parallel` at once; at `bandwidth` MiB per second
    /// in all, or 0 for no limit.
    pub(super) fn ends(&self, memory_mib: &[u64], parallel: usize, bandwidth: usize) -> Vec<f64> {
        let mut lanes = vec![0.0_f64; parallel.max(1)];
        let share = bandwidth as f64 / parallel.max(1) as f64;
        let end = |memory: &u64| {
            let least = match bandwidth {
                0 => 0.0,
                _ => *memory as f64 / share,
            };
            let lane = lanes.iter_mut().min_by(|a, b| a.total_cmp(b));
            lane.map_or(0.0, |lane| {
                *lane += self.seconds(*memory).max(least);
                *lane
            })
        };
        memory_mib.iter().map(end).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_on_a_line_are_fitted_exactly() {
        let past: Vec<_> = (1..=10)
            .map(|i| (1024.0 * f64::from(i), 2.0 + 8.0 * f64::from(i)))
            .collect();
        let estimate = Estimate::fit(&past);
        assert_eq!(estimate.count, 10);
        assert!((estimate.seconds(4096) - 34.0).abs() < 1e-6);
    }

    #[test]
    fn few_or_contradicting_migrations_never_give_a_negative_duration() {
        assert_eq!(Estimate::fit(&[(1.0, 1.0)]).count, 0);
        let falling: Vec<_> = (1..=10)
            .map(|i| (f64::from(i) * 1000.0, 100.0 / f64::from(i)))
            .collect();
        let same = vec![(512.0, 7.0); 10];
        for past in [falling, same.clone()] {
            let estimate = Estimate::fit(&past);
            assert!(
                estimate.seconds(0) >= 0.0 && estimate.seconds(100) <= estimate.seconds(1 << 20)
            );
        }
        assert_eq!(Estimate::fit(&same).seconds(9999), 7.0);
    }

    #[test]
    fn guests_that_share_lanes_and_bandwidth_wait_for_each_other() {
        let same = vec![(512.0, 10.0); 10];
        let estimate = Estimate::fit(&same);
        assert_eq!(estimate.ends(&[1, 1, 1], 2, 0), [10.0, 10.0, 20.0]);
        assert_eq!(estimate.ends(&[1, 1, 1], 1, 0), [10.0, 20.0, 30.0]);
        // 50 MiB per second for each of two.
        assert_eq!(estimate.ends(&[2000, 100], 2, 100), [40.0, 10.0]);
    }
}
