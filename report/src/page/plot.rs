//! Series as SVG paths.
//!
//! A plot has no size of its own: its coordinates are stretched to the room that the page gives it, and strokes keep their
//! width. It is thus as sharp on a phone as on a wall, takes a few bytes a sample, and moves nothing when it is drawn.

use std::fmt::Write as _;
use std::ops::Range;

/// The height of a plot in its own units.
pub const HEIGHT: i32 = 200;
/// Share of the samples that lie below the top of a plot at least: one spike must not flatten all else.
const TOP_QUANTILE: f64 = 0.98;
/// How much higher than that quantile a plot reaches.
const HEADROOM: f64 = 1.6;

/// How rows become columns of a plot: several a column where there are too many to be drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    /// The rows that are shown.
    pub rows: Range<usize>,
    /// Rows of one column.
    pub per: usize,
}

impl Columns {
    /// At most `most` columns for `rows`.
    pub fn new(rows: Range<usize>, most: usize) -> Self {
        let per = rows.len().div_ceil(most.max(1)).max(1);
        Self { rows, per }
    }

    /// Number of columns; at least 1.
    pub fn count(&self) -> usize {
        self.rows.len().div_ceil(self.per).max(1)
    }

    /// The left edge of a row, in columns; the first column is around 0.
    pub fn edge(&self, row: usize) -> f64 {
        (row as f64 - self.rows.start as f64) / self.per as f64 - 0.5
    }

    /// The attribute `viewBox` of a plot.
    pub fn view_box(&self) -> String {
        format!("-.5 0 {} {HEIGHT}", self.count())
    }

    /// Smallest and largest value of each column, `None` where there is none.
    fn extremes<'a>(&'a self, values: &'a [f32]) -> impl Iterator<Item = Option<(f32, f32)>> + 'a {
        self.rows.clone().step_by(self.per).map(|first| {
            let last = (first + self.per).min(self.rows.end).min(values.len());
            let known = values.get(first..last).unwrap_or_default().iter().copied();
            let mut known = known.filter(|v| !v.is_nan());
            let first = known.next()?;
            Some(known.fold((first, first), |(a, b), v| (a.min(v), b.max(v))))
        })
    }
}

/// What a plot reaches up to, in the metric's unit, and the values that there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The value at the top.
    pub top: f64,
    /// The smallest value.
    pub least: f64,
    /// The largest value; more than `top` where spikes are cut.
    pub most: f64,
}

impl Scale {
    /// Shares, 0 to 1.
    pub const SHARE: Self = Self {
        top: 1.0,
        least: 0.0,
        most: 1.0,
    };

    /// The scale for `values`; `None` where all are missing.
    pub fn of(values: &[f32]) -> Option<Self> {
        let mut known: Vec<f32> = values.iter().copied().filter(|v| !v.is_nan()).collect();
        if known.is_empty() {
            return None;
        }
        let at = ((known.len() - 1) as f64 * TOP_QUANTILE) as usize;
        let quantile = f64::from(*known.select_nth_unstable_by(at, f32::total_cmp).1);
        let most = f64::from(known.iter().copied().fold(f32::MIN, f32::max));
        let least = f64::from(known.iter().copied().fold(f32::MAX, f32::min));
        let top = if quantile > 0.0 {
            most.min(HEADROOM * quantile)
        } else {
            most
        };
        Some(Self {
            top: if top > 0.0 { top } else { 1.0 },
            least,
            most,
        })
    }

    /// Where a value is drawn.
    pub fn y(&self, value: f64) -> i32 {
        let share = (value / self.top).clamp(0.0, 1.0);
        HEIGHT - (share * f64::from(HEIGHT)).round() as i32
    }
}

/// The line of a series: through the smallest and the largest value of every column, so that no spike is lost.
pub fn line(values: &[f32], columns: &Columns, scale: &Scale) -> String {
    let mut path = String::new();
    let mut last: Option<i32> = None;
    let mut alone = false;
    for (x, extremes) in columns.extremes(values).enumerate() {
        let Some((least, most)) = extremes else {
            if alone {
                path.push_str("h0");
            }
            (last, alone) = (None, false);
            continue;
        };
        let (low, high) = (scale.y(f64::from(least)), scale.y(f64::from(most)));
        // To the nearer of the two first: that is the shorter way.
        let (near, far) = match last {
            Some(y) if (y - low).abs() > (y - high).abs() => (high, low),
            _ => (low, high),
        };
        match last {
            None => write!(path, "M{x} {near}"),
            Some(y) => write!(path, "l1{}", signed(near - y)),
        }
        .expect("writing to a string cannot fail");
        if far != near {
            write!(path, "v{}", far - near).expect("writing to a string cannot fail");
        }
        alone = last.is_none() && far == near;
        last = Some(far);
    }
    if alone {
        path.push_str("h0");
    }
    path
}

/// A number that follows another: with a sign or a space before it.
fn signed(n: i32) -> String {
    if n < 0 {
        n.to_string()
    } else {
        format!(" {n}")
    }
}

/// The area under the largest value of every column.
pub fn area(values: &[f32], columns: &Columns, scale: &Scale) -> String {
    let mut path = format!("M-.5 {HEIGHT}");
    let mut last = HEIGHT;
    for (x, extremes) in columns.extremes(values).enumerate() {
        let y = extremes.map_or(HEIGHT, |(_, most)| scale.y(f64::from(most)));
        if y != last {
            let edge = x as f64 - 0.5;
            write!(path, "H{edge}V{y}").expect("writing to a string cannot fail");
            last = y;
        }
    }
    let end = columns.count() as f64 - 0.5;
    write!(path, "H{end}V{HEIGHT}Z").expect("writing to a string cannot fail");
    path
}

/// A number with as many digits as can be seen.
pub fn coordinate(x: f64) -> String {
    let text = format!("{x:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: f32 = f32::NAN;
    const TEN: Scale = Scale {
        top: 10.0,
        least: 0.0,
        most: 10.0,
    };

    #[test]
    fn a_line_goes_through_every_sample_and_breaks_where_they_are_missing() {
        let values = [0.0, 5.0, NONE, 10.0, NONE, 10.0, 0.0];
        let path = line(&values, &Columns::new(0..7, 100), &TEN);
        assert_eq!(path, "M0 200l1-100M3 0h0M5 0l1 200");
    }

    #[test]
    fn no_spike_is_lost_when_columns_hold_many_samples() {
        let mut values = vec![1.0f32; 8640];
        values[4321] = 10.0;
        values[100] = 0.0;
        let columns = Columns::new(0..8640, 480);
        assert_eq!((columns.per, columns.count()), (18, 480));
        let path = line(&values, &columns, &TEN);
        assert_eq!(path.matches('v').count(), 2, "one for each extreme");
        assert!(path.contains("v-180") && path.contains("v20"), "{path}");
    }

    #[test]
    fn columns_say_where_a_row_is() {
        let columns = Columns::new(10..30, 10);
        assert_eq!((columns.per, columns.count()), (2, 10));
        assert_eq!(columns.edge(10), -0.5);
        assert_eq!(columns.edge(30), 9.5);
        assert_eq!(Columns::new(0..0, 10).count(), 1);
    }

    #[test]
    fn a_single_spike_does_not_flatten_a_series_and_is_still_told() {
        let mut values = vec![10.0f32; 200];
        values[7] = 90.0;
        let scale = Scale::of(&values).unwrap();
        assert_eq!((scale.top, scale.most, scale.least), (16.0, 90.0, 10.0));
        assert_eq!(scale.y(90.0), 0);
        assert_eq!(Scale::of(&[NONE]), None);
        assert_eq!(Scale::of(&[0.0, 0.0]).unwrap().top, 1.0);
    }

    #[test]
    fn an_area_is_closed_and_shows_the_largest_of_each_column() {
        let columns = Columns::new(0..4, 2);
        let path = area(&[0.0, 1.0, 0.5, NONE], &columns, &Scale::SHARE);
        assert_eq!(path, "M-.5 200H-0.5V0H0.5V100H1.5V200Z");
    }
}
