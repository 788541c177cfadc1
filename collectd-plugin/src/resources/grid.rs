//! Which row a value belongs to.
//!
//! The plugins of a host read one after the other, at about the same offset in each interval. So a row begins where hardly a value
//! comes: at first shortly before the first value, then in the middle of the longest gap that was seen. The row before such a change is
//! up to a quarter of an interval shorter or three quarters longer than the others; rates and shares do not depend on that.

/// Parts of an interval in which values are counted.
const BINS: usize = 16;
/// Rows until the gap is searched for the first time.
const FIRST_ROWS: u32 = 2;
/// Rows from one search to the next.
const ROWS: u32 = 64;
/// After this many consecutive values of former rows, the clock of the host was set back.
const LATE_MAX: u32 = 16;

/// Where a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the row that is being filled.
    Inside,
    /// Before the row that is being filled, in one that has been closed.
    Late,
    /// Behind the row that is being filled, which is complete.
    Beyond,
    /// It and several before it are earlier than the row that is being filled: the clock of the host was set back.
    Restart,
}

/// See the [module](self). All times are seconds.
#[derive(Debug, Clone)]
pub struct Grid {
    interval: f64,
    begin: f64,
    end: f64,
    /// Values by their offset from where the next row of full length would begin.
    bins: [u32; BINS],
    /// Rows until the gap is searched for.
    search: u32,
    late: u32,
}

impl Grid {
    /// Rows of this length, the first of which has a value at `time`.
    pub fn new(time: f64, interval: f64) -> Self {
        let begin = time - interval / 8.0;
        Self {
            interval,
            begin,
            end: begin + interval,
            bins: [0; BINS],
            search: FIRST_ROWS,
            late: 0,
        }
    }

    /// The length of a row.
    pub fn interval(&self) -> f64 {
        self.interval
    }

    /// The end of the row that is being filled.
    pub fn end(&self) -> f64 {
        self.end
    }

    /// Where a value of that time is.
    pub fn place(&mut self, time: f64) -> Place {
        if time < self.begin {
            self.late += 1;
            return match self.late < LATE_MAX {
                true => Place::Late,
                false => Place::Restart,
            };
        }
        self.late = 0;
        if time >= self.end {
            return Place::Beyond;
        }
        // Offsets are from the end, where the next row begins.
        let offset = (time - self.end) / self.interval;
        let bin = (offset.rem_euclid(1.0) * BINS as f64) as usize;
        let bin = &mut self.bins[bin.min(BINS - 1)];
        *bin = bin.saturating_add(1);
        Place::Inside
    }

    /// The row that was filled is closed, and the next one begins.
    pub fn next(&mut self) {
        self.begin = self.end;
        self.end += self.interval;
        self.search -= 1;
        if self.search == 0 {
            self.search = ROWS;
            self.end += self.interval * quietest(&self.bins);
            self.bins = [0; BINS];
        }
    }

    /// Rows of another length, of which the first begins where the present one does.
    pub fn with_interval(&self, interval: f64) -> Self {
        Self {
            begin: self.begin,
            end: self.begin + interval,
            ..Self::new(self.begin, interval)
        }
    }

    /// Leaves out the rows before the one that `time` is in.
    pub fn skip_to(&mut self, time: f64) {
        if time >= self.end {
            let rows = ((time - self.end) / self.interval).floor();
            self.begin = self.end + rows * self.interval;
            self.end = self.begin + self.interval;
        }
    }
}

/// By how much of an interval the rows are to begin later (or earlier, where it is negative) to begin where the fewest values come.
fn quietest(bins: &[u32; BINS]) -> f64 {
    // Values next to a border may be on either side of it.
    let beside =
        |border: usize| u64::from(bins[(border + BINS - 1) % BINS]) + u64::from(bins[border]);
    let least = (0..BINS).map(beside).min().unwrap_or(0);
    if beside(0) <= 2 * least {
        return 0.0;
    }
    // The middle of the longest run of borders that are as quiet as that.
    let run = |from: usize| {
        let quiet = |step: &usize| beside((from + step) % BINS) == least;
        (0..BINS).take_while(quiet).count()
    };
    let from = (0..BINS)
        .max_by_key(|from| (run(*from), BINS - from))
        .unwrap_or(0);
    let border = (from + (run(from) - 1) / 2) % BINS;
    let share = border as f64 / BINS as f64;
    // No row is so short that it could be taken for a duplicate of the one before.
    if share < 0.75 { share } else { share - 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds values at these offsets of every interval of 10 s from 1000 s on, and gives for each row how many it has.
    fn rows(offsets: &[f64], intervals: usize) -> Vec<usize> {
        let mut grid = Grid::new(1000.0 + offsets[0], 10.0);
        let (mut rows, mut count) = (Vec::new(), 0);
        for interval in 0..intervals {
            for (at, offset) in offsets.iter().enumerate() {
                // Some milliseconds earlier or later.
                let jitter = f64::from((interval * 7 + at * 3) as u32 % 11) / 1000.0 - 0.005;
                let time = 1000.0 + 10.0 * interval as f64 + offset + jitter;
                loop {
                    match grid.place(time) {
                        Place::Inside => break,
                        Place::Beyond => {
                            rows.push(count);
                            count = 0;
                            grid.next();
                            grid.skip_to(time);
                        }
                        other => panic!("{other:?} at {time}"),
                    }
                }
                count += 1;
            }
        }
        rows
    }

    #[test]
    fn plugins_that_read_together_are_in_one_row() {
        let rows = rows(&[0.0, 0.2, 0.5, 0.9], 200);
        assert_eq!(rows[0], 4);
        assert!(rows[4..].iter().all(|count| *count == 4), "{rows:?}");
        assert!(rows.len() >= 198, "{}", rows.len());
    }

    #[test]
    fn plugins_that_read_far_apart_are_each_once_in_every_row() {
        for offsets in [
            [0.0, 4.0, 8.7],
            [3.0, 8.0, 11.8],
            [0.0, 8.75, 8.76],
            [9.0, 9.5, 17.8],
        ] {
            let rows = rows(&offsets, 200);
            assert!(
                rows[4..].iter().all(|count| *count == 3),
                "{offsets:?} {rows:?}"
            );
        }
    }

    #[test]
    fn values_at_all_times_are_in_rows_of_the_length_of_an_interval() {
        let offsets: Vec<f64> = (0..100).map(|at| 0.1 * f64::from(at)).collect();
        let rows = rows(&offsets, 100);
        let usual = rows.iter().filter(|count| (98..=102).contains(*count));
        assert!(usual.count() >= rows.len() - 4, "{rows:?}");
    }

    #[test]
    fn a_gap_has_no_rows_and_the_next_one_begins_where_it_would_have() {
        let mut grid = Grid::new(1000.0, 10.0);
        let (begin, end) = (grid.begin, grid.end());
        assert_eq!(grid.place(5000.5), Place::Beyond);
        grid.next();
        grid.skip_to(5000.5);
        assert_eq!(grid.place(5000.5), Place::Inside);
        assert_eq!((grid.begin, grid.end()), (begin + 4000.0, end + 4000.0));
    }

    #[test]
    fn single_late_values_are_late_and_a_clock_that_was_set_back_begins_again() {
        let mut grid = Grid::new(1000.0, 10.0);
        for _ in 0..100 {
            assert_eq!(grid.place(900.0), Place::Late);
            assert_eq!(grid.place(1001.0), Place::Inside);
        }
        let places: Vec<Place> = (0..LATE_MAX).map(|_| grid.place(500.0)).collect();
        assert_eq!(places.last(), Some(&Place::Restart));
        assert!(
            places[..places.len() - 1]
                .iter()
                .all(|place| *place == Place::Late)
        );
    }
}
