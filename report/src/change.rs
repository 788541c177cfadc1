//! Where a series changed: the change points of PinPoint (lecture, "PinPoint Visualization").

/// A step of a series, from one level to another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// The first sample of the new level.
    pub row: usize,
    /// Mean before it, in the metric's unit.
    pub before: f64,
    /// Mean from it on.
    pub after: f64,
}

impl Step {
    /// The change as a share of the level before; infinite where that was nothing.
    pub fn relative(&self) -> f64 {
        if self.before > 0.0 {
            self.after / self.before - 1.0
        } else if self.after > 0.0 {
            f64::INFINITY
        } else {
            0.0
        }
    }
}

/// Fewest samples of a level.
const LEVEL_MIN: usize = 3;

/// Which way a step goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// It rises.
    Up,
    /// It falls.
    Down,
    /// It does either.
    Any,
}

/// The step of `values[from..to]` that fits the samples' ranks best by least squares; its levels are medians. Like the
/// detector's, this is no matter of a few spikes. NaN is a missing sample. `None` where there are too few, and where no step
/// goes that way.
pub fn best_step(values: &[f32], from: usize, to: usize, way: Way) -> Option<Step> {
    let to = to.min(values.len());
    let rows: Vec<usize> = (from..to).filter(|&row| !values[row].is_nan()).collect();
    let n = rows.len();
    let mut sorted: Vec<f32> = rows.iter().map(|&row| values[row]).collect();
    sorted.sort_by(f32::total_cmp);
    // The middle of the places that equal samples share, from the middle of all.
    let rank = |row: usize| {
        let below = sorted.partition_point(|v| *v < values[row]);
        let upto = sorted.partition_point(|v| *v <= values[row]);
        (below + upto) as f64 / 2.0 - n as f64 / 2.0
    };
    let mut left = 0.0;
    let mut best: Option<(f64, usize)> = None;
    for (i, &row) in rows.iter().enumerate() {
        if i >= LEVEL_MIN && n - i >= LEVEL_MIN {
            // Ranks sum to nothing: the left side is as far below the middle as the right one is above it.
            let goes_that_way = match way {
                Way::Up => left < 0.0,
                Way::Down => left > 0.0,
                Way::Any => true,
            };
            let explained = left * left * (1.0 / i as f64 + 1.0 / (n - i) as f64);
            if goes_that_way && best.is_none_or(|(most, _)| explained > most) {
                best = Some((explained, i));
            }
        }
        left += rank(row);
    }
    let (_, i) = best?;
    let median = |rows: &[usize]| {
        let mut values: Vec<f32> = rows.iter().map(|&row| values[row]).collect();
        let middle = values.len() / 2;
        f64::from(*values.select_nth_unstable_by(middle, f32::total_cmp).1)
    };
    Some(Step {
        row: rows[i],
        before: median(&rows[..i]),
        after: median(&rows[i..]),
    })
}

/// The change points of a series: one for each run of shifts beyond `threshold` standard deviations, which ends when the
/// shift is below half of that. The shift is plainest some `present` samples after the change, so the step that fits best
/// there is taken.
pub fn change_points(values: &[f32], shifts: &[f32], threshold: f32, present: usize) -> Vec<Step> {
    let mut points: Vec<Step> = Vec::new();
    let mut run: Option<(usize, f32)> = None;
    let mut end = |(peak, shift): (usize, f32)| {
        let from = peak.saturating_sub(3 * present);
        let way = if shift > 0.0 { Way::Up } else { Way::Down };
        let Some(step) = best_step(values, from, peak + 1, way) else {
            return;
        };
        if points.last().is_none_or(|last| last.row < step.row) {
            points.push(step);
        }
    };
    for (row, &shift) in shifts.iter().enumerate() {
        match run {
            Some((_, peak)) if shift.is_nan() || shift * peak.signum() < threshold / 2.0 => {
                run.take().map(&mut end);
            }
            Some((_, peak)) if shift.abs() > peak.abs() => run = Some((row, shift)),
            _ => {}
        }
        if run.is_none() && shift.abs() >= threshold {
            run = Some((row, shift));
        }
    }
    run.map(&mut end);
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_found_where_it_is_with_its_levels() {
        let mut values: Vec<f32> = (0..60).map(|t| if t < 40 { 10.0 } else { 15.0 }).collect();
        values[20] = f32::NAN;
        let step = best_step(&values, 0, 100, Way::Any).unwrap();
        assert_eq!((step.row, step.before, step.after), (40, 10.0, 15.0));
        assert_eq!(step.relative(), 0.5);
        assert_eq!(best_step(&values, 57, 60, Way::Any), None);
        assert_eq!(best_step(&values, 0, 60, Way::Down), None);
    }

    #[test]
    fn a_spike_hides_no_step_and_is_none() {
        let mut values: Vec<f32> = (0..60)
            .map(|t| if t < 40 { 10.0 } else { 12.0 } + (t % 3) as f32 / 10.0)
            .collect();
        (values[30], values[31]) = (95.0, 95.0);
        let step = best_step(&values, 0, 60, Way::Any).unwrap();
        assert!((39..=41).contains(&step.row), "{step:?}");
        assert!((step.relative() - 0.2).abs() < 0.02, "{step:?}");
    }

    #[test]
    fn a_rise_from_nothing_is_infinite_and_nothing_is_no_change() {
        let step = |before, after| Step {
            row: 0,
            before,
            after,
        };
        assert_eq!(step(0.0, 2.0).relative(), f64::INFINITY);
        assert_eq!(step(0.0, 0.0).relative(), 0.0);
    }

    #[test]
    fn a_run_of_shifts_is_one_change_point_and_its_way_back_another() {
        let values: Vec<f32> = (0..120)
            .map(|t| if (40..80).contains(&t) { 20.0 } else { 10.0 })
            .collect();
        let mut shifts = vec![0.0f32; 120];
        for t in 40..56 {
            shifts[t] = 4.0 - (t as f32 - 48.0).abs() / 4.0;
            shifts[t + 40] = -shifts[t];
        }
        let points = change_points(&values, &shifts, 3.0, 8);
        let rows: Vec<_> = points.iter().map(|p| (p.row, p.after > p.before)).collect();
        assert_eq!(rows, [(40, true), (80, false)]);
        assert!(change_points(&values, &shifts, 5.0, 8).is_empty());
    }
}
