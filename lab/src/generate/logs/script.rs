//! The scripts that say what a host logs: normal life, and how it fails.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use anyhow::{Context as _, Result, bail, ensure};

use super::pattern::Pattern;
use super::schedule::{Schedule, span};

const NORMAL: &str = include_str!("scripts/normal.txt");
const DISK: &str = include_str!("scripts/disk.txt");
const OOM: &str = include_str!("scripts/oom.txt");
const HUNG: &str = include_str!("scripts/hung.txt");

/// The severities of syslog, the worst first.
const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];
/// Between two lines of an occurrence where the script does not say, microseconds.
const NEXT_LINE: i64 = 400;

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// No fault
    None,
    /// A disk fails, and an I/O error stops the guest on it
    Disk,
    /// Memory runs out, and the kernel kills a guest
    Oom,
    /// Storage or a CPU hangs, and a guest does not answer any more
    Hung,
}

impl Scenario {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Disk => "disk",
            Self::Oom => "oom",
            Self::Hung => "hung",
        }
    }

    /// Its variants, each a script of its own; none where nothing goes wrong.
    ///
    /// # Errors
    /// A mistake in the script.
    pub fn variants(self) -> Result<Vec<Script>> {
        let text = match self {
            Self::None => return Ok(Vec::new()),
            Self::Disk => DISK,
            Self::Oom => OOM,
            Self::Hung => HUNG,
        };
        read(text, self.name())
    }
}

/// The variants in the `text` of the script of what is called `of`; one where it has no variants.
///
/// # Errors
/// A mistake in it.
pub fn read(text: &str, of: &str) -> Result<Vec<Script>> {
    parse(text).with_context(|| format!("the script of {of}"))
}

/// The script of normal life.
///
/// # Errors
/// A mistake in it.
pub fn normal() -> Result<Script> {
    let mut scripts = parse(NORMAL).context("the script of normal life")?;
    scripts.pop().context("the script of normal life is empty")
}

/// What a host logs.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// What is drawn once for all families; filling one keeps it under its name.
    pub shared: Vec<Pattern>,
    /// What belongs together.
    pub families: Vec<Family>,
    known: BTreeSet<String>,
}

/// Lines that are logged together.
#[derive(Debug, Clone)]
pub struct Family {
    /// Its name.
    pub name: String,
    /// When it occurs.
    pub schedule: Schedule,
    /// What an occurrence logs, in order.
    pub lines: Vec<Line>,
}

/// One line of an occurrence.
#[derive(Debug, Clone)]
pub struct Line {
    /// After the line before, on average, in microseconds.
    pub delay: i64,
    /// How many times.
    pub times: RangeInclusive<u32>,
    /// How likely, 0 to 1.
    pub chance: f64,
    /// Whether a guest dies with it.
    pub is_death: bool,
    /// Which program.
    pub source: String,
    /// Which process.
    pub process: Process,
    /// 0 (emergency) to 7 (debug).
    pub severity: u8,
    /// What it says.
    pub text: Pattern,
}

/// Which process a line comes from.
#[derive(Debug, Clone)]
pub enum Process {
    /// None: the kernel.
    None,
    /// That of the source's daemon.
    Daemon,
    /// This.
    Number(Pattern),
}

impl Script {
    /// How many lines it logs in an hour on average: those at random, and those of timers.
    pub fn lines_per_hour(&self) -> (f64, f64) {
        let mut lines = (0.0, 0.0);
        for family in &self.families {
            let count =
                family.schedule.per_hour() * family.lines.iter().map(Line::mean).sum::<f64>();
            match family.schedule {
                Schedule::Random { .. } => lines.0 += count,
                _ => lines.1 += count,
            }
        }
        lines
    }

    /// When a guest dies of the fault, in microseconds: the part of it that a pace stretches, and the part that it does not; `None`
    /// where no guest dies.
    pub fn death(&self) -> Option<(i64, i64)> {
        let dies = |family: &&Family| family.lines.iter().any(|line| line.is_death);
        let family = self.families.iter().find(dies)?;
        let until = family.lines.iter().position(|line| line.is_death)?;
        let lines = &family.lines[..=until];
        Some((
            family.schedule.last(),
            lines.iter().map(|line| line.delay).sum(),
        ))
    }

    /// From the fault to its last line at the longest, in microseconds.
    pub fn length(&self) -> i64 {
        let longest = |family: &Family| {
            let delays = family
                .lines
                .iter()
                .map(|line| line.delay * 3 / 2)
                .sum::<i64>();
            family.schedule.last() + delays
        };
        self.families.iter().map(longest).max().unwrap_or(0)
    }
}

impl Line {
    /// How many it is on average.
    fn mean(&self) -> f64 {
        f64::from(self.times.start() + self.times.end()) / 2.0 * self.chance
    }

    fn parse(text: &str, known: &mut BTreeSet<String>) -> Result<Self> {
        let (mut delay, mut times, mut chance, mut is_death) = (NEXT_LINE, 1..=1, 1.0, false);
        let mut rest = text;
        loop {
            let (word, after) = rest.split_once(' ').context("a line has a text")?;
            if word == "!" {
                is_death = true;
            } else if let Some(percent) = word.strip_suffix('%') {
                chance = percent.parse::<f64>()? / 100.0;
            } else if let Some((low, high)) = word.strip_prefix('x').and_then(|w| w.split_once('-'))
            {
                times = low.parse()?..=high.parse()?;
            } else if word.starts_with(|c: char| c.is_ascii_digit()) {
                delay = span(word)?;
            } else {
                break;
            }
            rest = after;
        }
        let (source, rest) = rest.split_once(' ').context("a line has a priority")?;
        let (severity, text) = rest
            .split_once(": ")
            .context("a priority ends with a colon")?;
        let severity = SEVERITIES.iter().position(|name| *name == severity);
        let severity =
            severity.with_context(|| format!("a priority is {}", SEVERITIES.join(", ")))?;
        let (source, process) = match source.split_once('[') {
            None => (source, Process::None),
            Some((source, ".]")) => (source, Process::Daemon),
            Some((source, pid)) => {
                let pid = pid.strip_suffix(']').context("a bracket is not closed")?;
                (source, Process::Number(Pattern::parse(pid, known)?))
            }
        };
        Ok(Self {
            delay,
            times,
            chance,
            is_death,
            source: source.to_owned(),
            process,
            severity: severity as u8,
            text: Pattern::parse(text, known)?,
        })
    }
}

/// Reads a script: its variants, or one where it has none.
fn parse(text: &str) -> Result<Vec<Script>> {
    let mut scripts = vec![Script::default()];
    let mut known = BTreeSet::new();
    for (at, line) in text.lines().enumerate() {
        parse_line(line, &mut scripts, &mut known)
            .with_context(|| format!("line {}: {line}", at + 1))?;
    }
    if scripts.len() > 1 {
        let common = scripts.remove(0);
        for script in &mut scripts {
            script.shared.splice(0..0, common.shared.iter().cloned());
        }
    }
    Ok(scripts)
}

fn parse_line(line: &str, scripts: &mut Vec<Script>, known: &mut BTreeSet<String>) -> Result<()> {
    let common = scripts[0].known.clone();
    let script = scripts.last_mut().context("there is a script")?;
    if line.is_empty() || line.starts_with('#') {
        return Ok(());
    }
    if let Some(line) = line.strip_prefix("    ") {
        let family = script
            .families
            .last_mut()
            .context("a line belongs to a family")?;
        family.lines.push(Line::parse(line, known)?);
        return Ok(());
    }
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["variant", _] => scripts.push(Script {
            known: common,
            ..Script::default()
        }),
        ["let", name, kind @ ..] => {
            let pattern = format!("{{{name}={}}}", kind.join(" "));
            script
                .shared
                .push(Pattern::parse(&pattern, &mut script.known)?);
        }
        [name, schedule @ ..] => {
            let taken = script.families.iter().any(|family| family.name == *name);
            ensure!(!taken, "there is a family \"{name}\" already");
            known.clone_from(&script.known);
            script.families.push(Family {
                name: (*name).to_owned(),
                schedule: Schedule::parse(schedule)?,
                lines: Vec::new(),
            });
        }
        [] => bail!("a family has a name"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAULTS: [Scenario; 3] = [Scenario::Disk, Scenario::Oom, Scenario::Hung];

    #[test]
    fn normal_life_is_read_and_has_lines_by_chance_and_by_timers() {
        let (random, timed) = normal().unwrap().lines_per_hour();
        assert!((200.0..800.0).contains(&random), "{random}");
        assert!((20.0..100.0).contains(&timed), "{timed}");
    }

    #[test]
    fn in_every_variant_of_a_scenario_one_guest_dies_and_that_well_after_the_begin() {
        for scenario in FAULTS {
            for script in scenario.variants().unwrap() {
                let lines = |family: &Family| family.lines.iter().filter(|l| l.is_death).count();
                let deaths: Vec<_> = script.families.iter().filter(|f| lines(f) > 0).collect();
                assert_eq!(deaths.len(), 1, "{scenario:?}");
                assert!(
                    deaths[0].schedule.last() >= 10 * 60 * 1_000_000,
                    "{scenario:?}"
                );
            }
        }
        assert!(Scenario::None.variants().unwrap().is_empty());
    }

    #[test]
    fn a_line_has_a_delay_a_number_a_chance_and_a_source() {
        let line = "4m x2-5 60% ! sshd[{pid}] err: it: fails";
        let line = Line::parse(line, &mut BTreeSet::new()).unwrap();
        assert_eq!((line.delay, line.times), (240_000_000, 2..=5));
        assert_eq!((line.chance, line.is_death), (0.6, true));
        assert_eq!((line.source.as_str(), line.severity), ("sshd", 3));
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (text, wanted) in [
            ("a 1/h\n    b[.] loud: c", "line 2:     b[.] loud: c"),
            ("a now", "line 1: a now"),
            ("    b[.] info: c", "line 1"),
            ("a 1/h\na 2/h", "line 2"),
        ] {
            let error = format!("{:#}", parse(text).unwrap_err());
            assert!(error.starts_with(wanted), "{error}");
        }
    }
}
