//! Faults of a host as the lecture puts them into metrics: most VMs change, each a little later than the other, stay so for a
//! while and come back (lecture, "Generators Key Parameters").

use std::fmt;

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;
use rand::RngExt as _;
use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::values::Values;

/// The effect of a fault on an affected VM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Its values rise
    Increase,
    /// Its values fall
    Decrease,
    /// Its values fall if it is busy and rise if it is idle, as under load on the host
    Mixed,
    /// Its values freeze at the last one
    Freeze,
    /// Its vCPUs get no time; its values are zero
    Stall,
}

impl Shape {
    /// Its word, as in names of cells.
    pub fn word(self) -> &'static str {
        match self {
            Shape::Increase => "increase",
            Shape::Decrease => "decrease",
            Shape::Mixed => "mixed",
            Shape::Freeze => "freeze",
            Shape::Stall => "stall",
        }
    }
}

/// A range to draw from, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span<T> {
    /// The least.
    pub from: T,
    /// The most.
    pub to: T,
}

const fn span<T>(from: T, to: T) -> Span<T> {
    Span { from, to }
}

/// The lecture's generator keys: how a fault shows in the metrics. Lengths in samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Generator {
    /// When the fault begins, percent of the series' length.
    pub ts_anomaly_point: Span<f64>,
    /// Share of the VMs that the fault reaches, 0 to 1.
    pub ts_percentage_affected: f64,
    /// How long after the fault's beginning a VM begins to change.
    pub ts_increase_delay: Span<usize>,
    /// How long it takes to change.
    pub ts_increase_width: Span<usize>,
    /// By which share of its value it changes.
    pub ts_increase_height_percentage: Span<f64>,
    /// How long it stays changed.
    pub ts_stay_width: Span<usize>,
    /// How long after that it begins to come back.
    pub ts_decrease_delay: Span<usize>,
    /// How long it takes to come back.
    pub ts_decrease_width: Span<usize>,
    /// The share by which it stays changed after it came back; 0: it is as it was.
    pub ts_decrease_height_percentage: Span<f64>,
}

/// The presets by name, and the lecture's name for them.
pub const PRESETS: &[(&str, &str)] = &[
    ("easy", "random_easy"),
    ("hard", "random_hard"),
    ("hard30", "random_hard30"),
    ("difficult", "random_difficult"),
];

impl Generator {
    /// The preset `name`, by its short name or the lecture's. `hard30` is `hard` with delays up to 30 samples, as in the
    /// lecture's listing; its text says 15.
    pub fn preset(name: &str) -> Option<(&'static str, Self)> {
        let (name, _) = PRESETS
            .iter()
            .find(|(short, full)| [*short, *full].contains(&name))?;
        let (height, delay) = match *name {
            "easy" => (span(1.0, 1.5), 0),
            "hard" => (span(0.2, 0.5), 15),
            "hard30" => (span(0.2, 0.5), 30),
            _ => (span(0.1, 0.3), 15),
        };
        let easy = delay == 0;
        let generator = Self {
            ts_anomaly_point: span(50.0, 50.0),
            ts_percentage_affected: 0.9,
            ts_increase_delay: span(0, delay),
            ts_increase_width: span(1, if easy { 1 } else { 15 }),
            ts_increase_height_percentage: height,
            ts_stay_width: span(200, 220),
            ts_decrease_delay: span(1, if easy { 1 } else { 40 }),
            ts_decrease_width: span(1, 5),
            ts_decrease_height_percentage: span(0.0, 0.0),
        };
        Some((name, generator))
    }

    /// Sets the key `name` to the number or the range `FROM..TO` that `value` is.
    ///
    /// # Errors
    /// What is wrong with the name or the value, and what would be right.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "ts_anomaly_point" => {
                self.ts_anomaly_point = ends(name, value, |end| number(name, end, 1.0, 99.0))?;
            }
            "ts_percentage_affected" => {
                self.ts_percentage_affected = number(name, value, 0.0, 1.0)?
            }
            "ts_increase_delay" => self.ts_increase_delay = samples(name, value, 0)?,
            "ts_increase_width" => self.ts_increase_width = samples(name, value, 1)?,
            "ts_increase_height_percentage" => {
                self.ts_increase_height_percentage = shares(name, value)?
            }
            "ts_stay_width" => self.ts_stay_width = samples(name, value, 0)?,
            "ts_decrease_delay" => self.ts_decrease_delay = samples(name, value, 0)?,
            "ts_decrease_width" => self.ts_decrease_width = samples(name, value, 1)?,
            "ts_decrease_height_percentage" => {
                self.ts_decrease_height_percentage = shares(name, value)?
            }
            _ => bail!(
                "there is no generator key \"{name}\"; there are {}",
                KEYS.join(", ")
            ),
        }
        Ok(())
    }
}

/// The names of the keys.
pub const KEYS: &[&str] = &[
    "ts_anomaly_point",
    "ts_percentage_affected",
    "ts_increase_delay",
    "ts_increase_width",
    "ts_increase_height_percentage",
    "ts_stay_width",
    "ts_decrease_delay",
    "ts_decrease_width",
    "ts_decrease_height_percentage",
];

/// The longest that a span of samples may be.
const MOST_SAMPLES: usize = 100_000;
/// The most that a value may change by: a hundredfold.
const MOST_HEIGHT: f64 = 100.0;

fn number(name: &str, value: &str, least: f64, most: f64) -> Result<f64> {
    match value.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => bail!("{name}: \"{value}\" is not a number from {least} to {most}"),
    }
}

fn shares(name: &str, value: &str) -> Result<Span<f64>> {
    ends(name, value, |end| number(name, end, 0.0, MOST_HEIGHT))
}

fn samples(name: &str, value: &str, least: usize) -> Result<Span<usize>> {
    ends(name, value, |end| match end.parse::<usize>() {
        Ok(samples) if (least..=MOST_SAMPLES).contains(&samples) => Ok(samples),
        _ => bail!("{name}: \"{end}\" is not a number of samples from {least} to {MOST_SAMPLES}"),
    })
}

fn ends<T: Copy + PartialOrd + fmt::Display>(
    name: &str,
    value: &str,
    parse: impl Fn(&str) -> Result<T>,
) -> Result<Span<T>> {
    let (from, to) = value.split_once("..").unwrap_or((value, value));
    let (from, to) = (parse(from)?, parse(to)?);
    ensure!(
        from <= to,
        "{name}: {from}..{to} is empty; the lower end comes first"
    );
    Ok(Span { from, to })
}

/// What was put into the metrics of a hypervisor.
#[derive(Debug, Clone, PartialEq)]
pub struct Injected {
    /// The row at which the fault begins.
    pub t0: usize,
    /// The last row at which it shows.
    pub end: usize,
    /// The VMs that it reaches, rising.
    pub affected: Vec<usize>,
}

/// One VM's part in the fault: when it changes, in rows, and by which share.
struct Course {
    start: usize,
    width: usize,
    height: f64,
    back: usize,
    back_width: usize,
    rest: f64,
}

impl Course {
    fn draw(rng: &mut ChaCha8Rng, generator: &Generator, t0: usize) -> Self {
        let heights = generator.ts_increase_height_percentage;
        let rests = generator.ts_decrease_height_percentage;
        let mut samples = |of: Span<usize>| rng.random_range(of.from..=of.to);
        let start = t0 + samples(generator.ts_increase_delay);
        let width = samples(generator.ts_increase_width);
        let stay = samples(generator.ts_stay_width);
        let back = start + width + stay + samples(generator.ts_decrease_delay);
        let back_width = samples(generator.ts_decrease_width);
        Self {
            start,
            width,
            height: rng.random_range(heights.from..=heights.to),
            back,
            back_width,
            rest: rng.random_range(rests.from..=rests.to),
        }
    }

    /// The row after which nothing changes any more.
    fn end(&self) -> usize {
        self.back + self.back_width
    }

    /// By which factor the VM is changed at `row`.
    fn factor(&self, row: usize) -> f64 {
        let ramp = |from: usize, width: usize| {
            ((row as f64 - from as f64 + 1.0) / width as f64).clamp(0.0, 1.0)
        };
        let (up, down) = (
            ramp(self.start, self.width),
            ramp(self.back, self.back_width),
        );
        1.0 + self.height * up * (1.0 - down) + self.rest * down
    }
}

/// Puts a fault into a metric of a hypervisor. Values stay within 0..=`most`.
pub fn inject(
    rng: &mut ChaCha8Rng,
    values: &mut Values,
    generator: &Generator,
    shape: Shape,
    most: f64,
) -> Injected {
    let (vms, rows) = (values.len(), values[0].len());
    let point = generator.ts_anomaly_point;
    // A point that is given takes no draw, so that the rest stays as it was.
    let point = if point.from < point.to {
        rng.random_range(point.from..=point.to)
    } else {
        point.from
    };
    let t0 = ((rows as f64 * point / 100.0) as usize).clamp(1, rows - 1);
    let count = (generator.ts_percentage_affected * vms as f64 + 0.5).floor() as usize;
    let mut affected = index::sample(rng, vms, count.min(vms)).into_vec();
    affected.sort_unstable();

    let means: Vec<f64> = values
        .iter()
        .map(|v| v[..t0].iter().sum::<f64>() / t0 as f64)
        .collect();
    let busy = median(&means).max(10.0);
    let mut last = t0;
    for &vm in &affected {
        let course = Course::draw(rng, generator, t0);
        let end = if course.rest > 0.0 {
            rows
        } else {
            course.end()
        };
        last = last.max(end.min(rows - 1));
        let (start, end) = (course.start.min(rows), end.min(rows));
        let before = values[vm][start - 1];
        let falls = shape == Shape::Decrease || shape == Shape::Mixed && means[vm] >= busy;
        for (row, value) in values[vm].iter_mut().enumerate().take(end).skip(start) {
            *value = match shape {
                Shape::Freeze => before,
                Shape::Stall => 0.0,
                _ if falls => *value / course.factor(row),
                _ => *value * course.factor(row),
            }
            .clamp(0.0, most);
        }
    }
    Injected {
        t0,
        end: last,
        affected,
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        (sorted[middle - 1] + sorted[middle]) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;

    fn flat(levels: &[f64]) -> Values {
        levels.iter().map(|level| vec![*level; 575]).collect()
    }

    fn injected(preset: &str, shape: Shape, levels: &[f64]) -> (Values, Injected) {
        let mut values = flat(levels);
        let (_, generator) = Generator::preset(preset).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let injected = inject(&mut rng, &mut values, &generator, shape, 100.0);
        (values, injected)
    }

    #[test]
    fn an_easy_fault_is_a_step_at_the_anomaly_point_that_ends() {
        let (values, fault) = injected("random_easy", Shape::Increase, &[10.0; 10]);
        assert_eq!((fault.t0, fault.affected.len()), (287, 9));
        assert!((287 + 1 + 200 + 1 + 1..=287 + 1 + 220 + 1 + 5).contains(&fault.end));
        for &vm in &fault.affected {
            assert_eq!(values[vm][286], 10.0);
            let height = values[vm][287] / 10.0 - 1.0;
            assert!((1.0..=1.5).contains(&height), "{height}");
            assert_eq!(values[vm][480], values[vm][287]);
            assert_eq!(values[vm][fault.end], 10.0);
        }
        let spared = (0..10).find(|vm| !fault.affected.contains(vm)).unwrap();
        assert_eq!(values[spared], [10.0; 575]);
    }

    #[test]
    fn a_difficult_fault_reaches_each_vm_with_a_delay_of_its_own() {
        let (values, fault) = injected("difficult", Shape::Increase, &[20.0; 40]);
        let starts: Vec<usize> = fault
            .affected
            .iter()
            .map(|&vm| values[vm].iter().position(|v| *v > 20.0).unwrap() - fault.t0)
            .collect();
        assert!(starts.iter().all(|d| *d <= 15));
        assert!(starts.iter().max().unwrap() - starts.iter().min().unwrap() > 8);
        for &vm in &fault.affected {
            let height = values[vm][330] / 20.0 - 1.0;
            assert!((0.1..=0.3).contains(&height), "{height}");
        }
    }

    #[test]
    fn a_decrease_divides_by_what_an_increase_multiplies_with() {
        let (values, fault) = injected("easy", Shape::Decrease, &[50.0; 5]);
        let vm = fault.affected[0];
        assert!((1.0 / 2.5..=1.0 / 2.0).contains(&(values[vm][300] / 50.0)));
    }

    #[test]
    fn a_mixed_fault_lowers_the_busy_and_raises_the_others() {
        let (values, fault) = injected("easy", Shape::Mixed, &[1.0, 2.0, 3.0, 60.0, 70.0]);
        for &vm in &fault.affected {
            let (before, after) = (values[vm][100], values[vm][300]);
            assert_eq!(after > before, before < 10.0, "{before} -> {after}");
        }
    }

    #[test]
    fn a_frozen_vm_repeats_its_value_and_a_stalled_one_has_none() {
        let mut values: Values = vec![(0..575).map(|row| f64::from(row % 7)).collect(); 4];
        let before = values.clone();
        let (_, generator) = Generator::preset("hard").unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let fault = inject(&mut rng, &mut values, &generator, Shape::Freeze, 100.0);
        for &vm in &fault.affected {
            let start = (fault.t0..)
                .find(|&row| values[vm][row] != before[vm][row])
                .unwrap();
            assert!(
                values[vm][start..start + 200]
                    .windows(2)
                    .all(|w| w[0] == w[1])
            );
        }
        let (values, fault) = injected("hard", Shape::Stall, &[30.0; 4]);
        assert!(
            fault
                .affected
                .iter()
                .all(|&vm| values[vm][330] == 0.0 && values[vm][200] == 30.0)
        );
    }

    #[test]
    fn what_remains_after_the_decrease_lasts_to_the_end() {
        let (_, mut generator) = Generator::preset("easy").unwrap();
        generator
            .set("ts_decrease_height_percentage", "0.2")
            .unwrap();
        let mut values = flat(&[10.0; 5]);
        let fault = inject(
            &mut ChaCha8Rng::seed_from_u64(1),
            &mut values,
            &generator,
            Shape::Increase,
            100.0,
        );
        let vm = fault.affected[0];
        assert_eq!(fault.end, 574);
        assert!((values[vm][574] - 12.0).abs() < 1e-9);
    }

    #[test]
    fn a_key_takes_a_number_or_a_range_and_says_what_is_wrong() {
        let (_, mut generator) = Generator::preset("hard").unwrap();
        generator.set("ts_increase_delay", "0..30").unwrap();
        assert_eq!(generator, Generator::preset("hard30").unwrap().1);
        for (name, value, says) in [
            ("ts_increase_width", "0", "from 1 to"),
            ("ts_stay_width", "9..3", "9..3 is empty"),
            ("ts_percentage_affected", "1.5", "from 0 to 1"),
            ("ts_width", "1", "there is no generator key \"ts_width\""),
        ] {
            let error = generator.set(name, value).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
