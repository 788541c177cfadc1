//! How good scores are: average precision by rows, and what alarms find. Without point adjustment: a row counts as found only if it is
//! itself unusual.

/// Alarms begin with this many consecutive unusual rows, as those of the detector of resources.
const UNUSUAL_ROWS: u32 = 2;
/// They end after this time without an unusual row, in seconds, and after at least this many rows.
const QUIET_SECS: f64 = 600.0;
const QUIET_ROWS: u32 = 5;

/// What alarms find on some machines.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Alarms {
    /// Labeled anomalies: runs of labeled rows.
    pub events: usize,
    /// Those during which an alarm was open.
    pub found: usize,
    /// Alarms that were open during a labeled row.
    pub right: usize,
    /// All others.
    pub wrong: usize,
    /// Days without labeled rows.
    pub normal_days: f64,
    /// The largest share of the rows of a machine without a label during which an alarm was open.
    pub worst: f64,
}

impl Alarms {
    /// Adds those of a machine with these unusual rows.
    pub fn add(&mut self, unusual: &[bool], labels: &[bool], interval: f64) {
        let open = open(unusual, interval);
        let labeled = runs(labels);
        self.events += labeled.len();
        self.found += labeled
            .iter()
            .filter(|(from, to)| open[*from..*to].contains(&true))
            .count();
        let alarms = runs(&open);
        let right = alarms
            .iter()
            .filter(|(from, to)| labels[*from..*to].contains(&true))
            .count();
        self.right += right;
        self.wrong += alarms.len() - right;
        let normal = labels.iter().filter(|label| !**label).count();
        let in_alarm = open
            .iter()
            .zip(labels)
            .filter(|(open, label)| **open && !**label);
        self.normal_days += normal as f64 * interval / 86_400.0;
        self.worst = self
            .worst
            .max(in_alarm.count() as f64 / normal.max(1) as f64);
    }

    /// The share of the labeled anomalies that were found.
    pub fn recall(&self) -> f64 {
        self.found as f64 / self.events.max(1) as f64
    }

    /// The share of the alarms that were right; NaN without alarms.
    pub fn precision(&self) -> f64 {
        self.right as f64 / (self.right + self.wrong) as f64
    }

    /// Alarms a day that were wrong.
    pub fn false_per_day(&self) -> f64 {
        self.wrong as f64 / self.normal_days
    }
}

/// Whether an alarm is open at each row.
fn open(unusual: &[bool], interval: f64) -> Vec<bool> {
    let quiet_rows = ((QUIET_SECS / interval) as u32).max(QUIET_ROWS);
    let (mut consecutive, mut quiet, mut is_open) = (0, 0, false);
    let row = |unusual: &bool| {
        consecutive = if *unusual { consecutive + 1 } else { 0 };
        quiet = if *unusual { 0 } else { quiet + 1 };
        is_open = match is_open {
            true => quiet < quiet_rows,
            false => consecutive >= UNUSUAL_ROWS,
        };
        is_open
    };
    unusual.iter().map(row).collect()
}

/// Begin and end of each run of rows for which it is true.
fn runs(rows: &[bool]) -> Vec<(usize, usize)> {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in (0..rows.len()).filter(|at| rows[*at]) {
        match runs.last_mut() {
            Some((_, end)) if *end == at => *end += 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs
}

/// The average precision of scores: the area under precision by recall, with equal scores taken together. 0 without a labeled row.
pub fn average_precision(scores: &[f64], labels: &[bool]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let positives = labels.iter().filter(|label| **label).count();
    let (mut found, mut before, mut area) = (0, 0, 0.0);
    for (rank, at) in (1..).zip(&order) {
        found += usize::from(labels[*at]);
        let is_last = order
            .get(rank)
            .is_none_or(|next| scores[*next] != scores[*at]);
        if is_last {
            area += (found - before) as f64 * found as f64 / rank as f64;
            before = found;
        }
    }
    area / positives.max(1) as f64
}

/// The score that this share of `scores` exceeds.
pub fn quantile_above(scores: &[f64], share: f64) -> f64 {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let at = (share * sorted.len() as f64) as usize;
    sorted.get(at).copied().unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_precision_of_a_perfect_order_is_1_and_of_equal_scores_the_share() {
        let labels = [true, false, false, true];
        assert_eq!(average_precision(&[0.9, 0.1, 0.2, 0.8], &labels), 1.0);
        assert_eq!(average_precision(&[0.5; 4], &labels), 0.5);
        // Found first and third: (1 + 2/3) / 2.
        let area = average_precision(&[0.9, 0.8, 0.1, 0.7], &labels);
        assert!((area - 5.0 / 6.0).abs() < 1e-12);
    }

    #[test]
    fn an_alarm_begins_with_two_unusual_rows_and_outlasts_a_short_quiet() {
        let unusual = [0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0].map(|one| one == 1);
        let open = open(&unusual, 300.0);
        assert_eq!(runs(&open), [(5, 12)]);
    }

    #[test]
    fn a_row_is_not_found_because_its_neighbors_are() {
        let labels = [vec![false; 10], vec![true; 10], vec![false; 10]].concat();
        let mut unusual = vec![false; 30];
        unusual[0..2].fill(true);
        unusual[12..14].fill(true);
        let mut alarms = Alarms::default();
        alarms.add(&unusual, &labels, 3600.0);
        assert_eq!((alarms.events, alarms.found), (1, 1));
        assert_eq!((alarms.right, alarms.wrong), (1, 1));
        let mut scores = vec![0.0; 30];
        scores[12] = 1.0;
        assert!(average_precision(&scores, &labels) < 0.5);
    }
}
