//! The course of the day of one VM: what its own days before predict is divided out before it is judged, as far as they predicted
//! the last days well. A common rise every morning is then no change, and a fault as large as that rise is one.
//!
//! The deviation from the day's level that is expected of a time of day is the median of up to three days before. Whether it
//! predicts follows from the regression of what came on what was expected, over the last days but the last hours: the part that it
//! explains (r²) and the slope. Where there is no rhythm, nothing is divided out.

use serde::{Deserialize, Serialize};

use super::logs::{self, MISSING};

/// Bins of the day.
const DAY: usize = 32;
/// Seconds of a bin.
const BIN_SEC: f64 = 86_400.0 / DAY as f64;
/// Days that an expectation rests on.
const DAYS: usize = 3;
/// The newest bins that say nothing yet about how well the past predicts: a fault would look like bad predictions.
const LAG: usize = 5;
/// Bins of the ring: the days before, half a day around the earliest for its level, and the lag.
const RING: usize = DAYS * DAY + DAY / 2 + LAG + 3;
/// Bins with known values below which there is no level of a day.
const LEVEL_MIN: u32 = DAY as u32 / 3;
/// The time constant of the regression, in bins.
const MEMORY: f32 = 2.0 * DAY as f32;
/// Bins that the regression must know before it counts.
const KNOWN_MIN: u16 = 10;
/// Least share of the variance that the days before must explain.
const EXPLAINED_MIN: f32 = 0.45;

/// The course of one VM.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Course {
    /// Means of ln(1+x), a ring.
    #[serde(with = "super::logs")]
    means: [u16; RING],
    /// Number of bins so far.
    bins: u32,
    /// The bin at hand: the sum of ln(1+x), the number of values, and the seconds since it began.
    sum: f32,
    count: u32,
    elapsed: f32,
    /// The expected deviation at the middle of the bin before, of this one and of the next.
    expected: [f32; 3],
    /// Sums of the regression: expected times actual deviation, and their squares.
    products: [f32; 3],
    known: u16,
    /// The part of the expected deviation that is divided out, 0 to 1.
    weight: f32,
}

impl Default for Course {
    fn default() -> Self {
        Self {
            means: [MISSING; RING],
            bins: 0,
            sum: 0.0,
            count: 0,
            elapsed: 0.0,
            expected: [0.0; 3],
            products: [0.0; 3],
            known: 0,
            weight: 0.0,
        }
    }
}

impl Course {
    /// Whether anything is divided out.
    pub(super) fn is_known(&self) -> bool {
        self.weight > 0.0
    }

    /// Whether a restored state is possible.
    pub(super) fn is_valid(&self) -> bool {
        let numbers = self.expected.iter().chain(&self.products);
        numbers
            .chain([&self.sum, &self.elapsed])
            .all(|x| x.is_finite())
            && (0.0..=1.0).contains(&self.weight)
            && self.elapsed >= 0.0
    }

    /// The mean of a bin, counted from the first; `None` if it is not known (any more).
    fn mean(&self, bin: i64) -> Option<f32> {
        let age = i64::from(self.bins) - bin;
        if bin < 0 || !(1..=RING as i64).contains(&age) {
            return None;
        }
        logs::known(self.means[bin as usize % RING])
    }

    /// The mean of the day of bins from `from` on.
    fn level(&self, from: i64) -> Option<f32> {
        let (mut sum, mut count) = (0.0, 0);
        for mean in (from..from + DAY as i64).filter_map(|bin| self.mean(bin)) {
            sum += mean;
            count += 1;
        }
        (count >= LEVEL_MIN).then(|| sum / count as f32)
    }

    /// The deviation from the level of the day that the days before let expect of a bin.
    fn expect(&self, bin: i64) -> Option<f32> {
        let mut of_days = [0.0; DAYS];
        let mut count = 0;
        for day in 1..=DAYS {
            let at = bin - (day * DAY) as i64;
            let near = [(-1, 0.5), (0, 1.0), (1, 0.5)];
            let (mut sum, mut weights) = (0.0, 0.0);
            for (offset, weight) in near {
                if let Some(mean) = self.mean(at + offset) {
                    sum += weight * mean;
                    weights += weight;
                }
            }
            if let Some(level) = self.level(at - DAY as i64 / 2)
                && weights >= 1.0
            {
                of_days[count] = sum / weights - level;
                count += 1;
            }
        }
        let found = &mut of_days[..count];
        found.sort_unstable_by(f32::total_cmp);
        match found {
            [] => None,
            [one] => Some(*one),
            [one, other] => Some(0.5 * (*one + *other)),
            [_, median, ..] => Some(*median),
        }
    }

    /// Ends the bin at hand.
    fn turn(&mut self) {
        let mean = match self.count {
            0 => MISSING,
            count => logs::stored(self.sum / count as f32),
        };
        self.means[self.bins as usize % RING] = mean;
        self.bins += 1;
        (self.sum, self.count) = (0.0, 0);
        let now = i64::from(self.bins);
        self.regress(now - 1 - LAG as i64);
        let expected = [now - 1, now, now + 1].map(|bin| self.expect(bin).unwrap_or(0.0));
        self.expected = expected;
        // A ring counts on from anywhere; long before it overflows, the phase is kept and the rest forgotten.
        if self.bins > u32::MAX / 2 {
            self.bins = self.bins % RING as u32 + RING as u32;
        }
    }

    /// Adds a bin to the regression.
    fn regress(&mut self, bin: i64) {
        let level = self.level(bin + 1 - DAY as i64);
        if let (Some(expected), Some(mean), Some(level)) = (self.expect(bin), self.mean(bin), level)
        {
            let actual = mean - level;
            let new = [expected * actual, expected * expected, actual * actual];
            for (sum, new) in self.products.iter_mut().zip(new) {
                *sum += new - *sum / MEMORY;
            }
            self.known = self.known.saturating_add(1);
        }
        let [both, expected, actual] = self.products;
        let explained = both * both / (expected * actual).max(1e-12);
        let predicts = self.known >= KNOWN_MIN && both > 0.0 && explained > EXPLAINED_MIN;
        self.weight = match predicts {
            true => (both / expected.max(1e-9)).clamp(0.0, 1.0),
            false => 0.0,
        };
    }

    /// Takes the mean of `seconds` seconds, NaN if there is none; returns it without what was expected of the time of day.
    pub(super) fn pass(&mut self, value: f64, seconds: f64) -> f64 {
        if f64::from(self.elapsed) >= BIN_SEC - 0.5 * seconds {
            self.turn();
            self.elapsed = 0.0;
        }
        if value.is_nan() {
            self.elapsed += seconds as f32;
            return value;
        }
        self.sum += value.max(0.0).ln_1p() as f32;
        self.count += 1;
        let rest = self.without(value, 0.5 * seconds);
        self.elapsed += seconds as f32;
        rest
    }

    /// Passes over `seconds` seconds without values.
    pub(super) fn skip(&mut self, seconds: f64) {
        let all = f64::from(self.elapsed) + seconds;
        let bins = (all / BIN_SEC).floor();
        // Beyond that number, everything is unknown.
        for _ in 0..(bins as u64).min(RING as u64 + DAY as u64) {
            self.turn();
        }
        self.elapsed = (all - bins * BIN_SEC) as f32;
    }

    /// `value`, `ahead` seconds from now, without what was expected of the time of day.
    pub(super) fn without(&self, value: f64, ahead: f64) -> f64 {
        if self.weight == 0.0 || value.is_nan() {
            return value;
        }
        let at = ((f64::from(self.elapsed) + ahead) / BIN_SEC).clamp(0.0, 1.0) as f32;
        let [before, now, after] = self.expected;
        let expected = match at < 0.5 {
            true => before + (now - before) * (at + 0.5),
            false => now + (after - now) * (at - 0.5),
        };
        let rest = value.max(0.0).ln_1p() - f64::from(self.weight * expected);
        rest.max(0.0).exp_m1()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: f64 = 300.0;

    /// A VM of 20 percent on average with a daily wave of the share `swing`, over `days`; its last rests.
    fn rests(days: usize, swing: f64, value: impl Fn(usize, f64) -> f64) -> Vec<f64> {
        let mut course = Course::default();
        let wave = |t: usize| (std::f64::consts::TAU * t as f64 / 288.0).sin();
        (0..days * 288)
            .map(|t| course.pass(value(t, 20.0 * (1.0 + swing * wave(t))), STEP))
            .collect()
    }

    fn spread(values: &[f64]) -> f64 {
        let most = values.iter().copied().fold(f64::MIN, f64::max);
        let least = values.iter().copied().fold(f64::MAX, f64::min);
        most / least
    }

    #[test]
    fn a_daily_wave_is_divided_out_after_some_days() {
        let rests = rests(5, 0.4, |_, value| value);
        assert!(
            spread(&rests[..288]) > 2.0,
            "nothing is known on the first day"
        );
        assert!(
            spread(&rests[4 * 288..]) < 1.15,
            "{}",
            spread(&rests[4 * 288..])
        );
    }

    #[test]
    fn a_change_on_top_of_the_wave_stays() {
        let doubled = |t: usize, value: f64| if t >= 1300 { 2.0 * value } else { value };
        let rests = rests(5, 0.4, doubled);
        let before = rests[1250..1300].iter().sum::<f64>() / 50.0;
        let after = rests[1300..1350].iter().sum::<f64>() / 50.0;
        assert!((1.7..2.4).contains(&(after / before)), "{before} {after}");
    }

    #[test]
    fn without_a_rhythm_every_value_is_left_alone() {
        let noise = |t: usize| ((t * 7919 + t * t * 31) % 1009) as f64 / 1009.0;
        let value = |t: usize, _| 20.0 * (0.7 + 0.6 * noise(t / 9));
        let rests = rests(6, 0.0, value);
        let untouched = (0..rests.len()).filter(|&t| rests[t] == value(t, 0.0));
        assert!(untouched.count() as f64 > 0.95 * rests.len() as f64);
    }

    #[test]
    fn time_without_values_keeps_the_phase_of_the_day() {
        let mut course = Course::default();
        let wave = |t: usize| 20.0 * (1.0 + 0.4 * (std::f64::consts::TAU * t as f64 / 288.0).sin());
        for t in 0..4 * 288 {
            course.pass(wave(t), STEP);
        }
        course.skip(100.0 * STEP);
        let rest = |t: usize, course: &mut Course| course.pass(wave(t), STEP);
        let rests: Vec<f64> = (1252..1400).map(|t| rest(t, &mut course)).collect();
        assert!(spread(&rests) < 1.3, "{}", spread(&rests));
        course.skip(1e12);
        assert!(course.is_valid());
        assert!((course.without(7.0, 0.0) - 7.0).abs() < 1e-9);
    }
}
