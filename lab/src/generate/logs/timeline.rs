//! The lines of one host in the order of their times.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use fastrand::Rng;

use super::host::Host;
use super::pattern::{Bound, Pattern, Urn};
use super::schedule::{Fault, Schedule};
use super::script::{Family, Process, Script};

/// What a line is in the course of a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Part of normal life.
    Normal,
    /// Written because of the fault.
    Fault,
    /// The guest dies.
    Death,
}

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When, in microseconds since the epoch.
    pub time: i64,
    /// Which of those at the same time.
    order: u64,
    /// What it is.
    pub mark: Mark,
    /// The program.
    pub source: String,
    /// Its process; none for the kernel.
    pub pid: Option<u32>,
    /// 0 (emergency) to 7 (debug).
    pub severity: u8,
    /// What it says.
    pub text: String,
}

/// A family and when it occurs next.
struct Running<'a> {
    family: &'a Family,
    shared: Bound,
    /// When what its script is about happens.
    when: Fault,
    is_fault: bool,
    rng: Rng,
    next: Option<i64>,
}

/// The log of a host, line by line.
pub struct Timeline<'a> {
    host: Host,
    span: Range<i64>,
    running: Vec<Running<'a>>,
    /// Lines of occurrences that have begun.
    waiting: BinaryHeap<Reverse<Entry>>,
    order: u64,
}

impl<'a> Timeline<'a> {
    /// The log of `host` over `span`, in microseconds since the epoch, of its normal life and of a fault where there is one.
    pub fn new(
        host: Host,
        span: Range<i64>,
        normal: &'a Script,
        fault: Option<(&'a Script, Fault)>,
        seed: u64,
    ) -> Self {
        let never = Fault {
            begin: span.end,
            pace: 1.0,
        };
        let mut timeline = Self {
            host,
            span,
            running: Vec::new(),
            waiting: BinaryHeap::new(),
            order: 0,
        };
        timeline.add(normal, false, never, seed);
        if let Some((script, when)) = fault {
            timeline.add(script, true, when, seed);
        }
        timeline
    }

    /// The same log with something that happens at `when` and harms no guest; `seed` is its own.
    pub fn with_harmless(mut self, script: &'a Script, when: Fault, seed: u64) -> Self {
        self.add(script, false, when, seed);
        self
    }

    fn add(&mut self, script: &'a Script, is_fault: bool, when: Fault, seed: u64) {
        let begin = self.span.start;
        let mut rng = derived(seed, "what a script draws once");
        let mut shared = Bound::new();
        for pattern in &script.shared {
            fill(pattern, &mut self.host, &mut rng, begin, &mut shared);
        }
        for family in &script.families {
            // Each has chance of its own: another family changes nothing for it.
            let mut rng = derived(seed, &family.name);
            let next = family.schedule.first(begin, &when, &mut rng);
            self.running.push(Running {
                family,
                shared: shared.clone(),
                when,
                is_fault,
                rng,
                next,
            });
        }
    }

    /// Lets the family that is next occur.
    fn occur(&mut self, at: usize) {
        let running = &mut self.running[at];
        let Some(begin) = running.next else { return };
        let (family, rng) = (running.family, &mut running.rng);
        let mut bound = running.shared.clone();
        let mut time = begin;
        for line in &family.lines {
            if rng.f64() >= line.chance {
                continue;
            }
            for _ in 0..rng.u32(line.times.clone()) {
                // Half to one and a half times what the script says.
                time += line.delay / 2 + rng.i64(0..line.delay.max(2));
                let host = &mut self.host;
                let pid = match &line.process {
                    Process::None => Some(None),
                    Process::Daemon => Some(Some(host.daemon(&line.source))),
                    Process::Number(pattern) => fill(pattern, host, rng, time, &mut bound)
                        .and_then(|pid| pid.parse().ok())
                        .map(Some),
                };
                let Some(pid) = pid else { continue };
                let Some(mut text) = fill(&line.text, host, rng, time, &mut bound) else {
                    continue;
                };
                if pid.is_none() {
                    let up = (time - host.booted) as f64 / 1e6;
                    text = format!("[{up:12.6}] {text}");
                }
                let mark = match (running.is_fault, line.is_death) {
                    (false, _) => Mark::Normal,
                    (true, false) => Mark::Fault,
                    (true, true) => Mark::Death,
                };
                self.order += 1;
                self.waiting.push(Reverse(Entry {
                    time,
                    order: self.order,
                    mark,
                    source: line.source.clone(),
                    pid,
                    severity: line.severity,
                    text,
                }));
            }
        }
        running.next = family.schedule.after(begin, &running.when, rng);
    }
}

impl Iterator for Timeline<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let due = self.running.iter().enumerate();
            let due = due
                .filter_map(|(at, running)| Some((running.next?, at)))
                .min();
            let first = self.waiting.peek().map(|Reverse(entry)| entry.time);
            match (due, first) {
                (Some((begin, at)), first) if first.is_none_or(|time| begin <= time) => {
                    if begin >= self.span.end && first.is_none() {
                        return None;
                    }
                    if begin >= self.span.end {
                        self.running[at].next = None;
                    } else {
                        self.occur(at);
                    }
                }
                (_, Some(time)) if time < self.span.end => {
                    return self.waiting.pop().map(|Reverse(entry)| entry);
                }
                _ => return None,
            }
        }
    }
}

fn fill(
    pattern: &Pattern,
    host: &mut Host,
    rng: &mut Rng,
    time: i64,
    bound: &mut Bound,
) -> Option<String> {
    let mut text = String::new();
    let mut urn = Urn { host, rng, time };
    pattern.fill(&mut urn, bound, &mut text).then_some(text)
}

/// Chance of its own for what has this name (FNV-1a over the seed and the name).
pub fn derived(seed: u64, name: &str) -> Rng {
    let bytes = seed.to_le_bytes().into_iter().chain(name.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Rng::with_seed(hash)
}

/// Puts rates right so that the script logs `lines` an hour on average.
///
/// # Errors
/// How many its timers alone log, where that is more.
pub fn at_rate(mut script: Script, lines: f64) -> Result<Script, f64> {
    let (random, timed) = script.lines_per_hour();
    if lines <= timed {
        return Err(timed);
    }
    for family in &mut script.families {
        if let Schedule::Random { per_hour, .. } = &mut family.schedule {
            *per_hour *= (lines - timed) / random;
        }
    }
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::logs::script::{Scenario, normal};

    const HOUR: i64 = 3_600_000_000;

    fn lines(seed: u64, hours: i64, scenario: Scenario) -> Vec<Entry> {
        let normal = normal().unwrap();
        let variants = scenario.variants().unwrap();
        let host = Host::new("hv1", 0, derived(seed, "hv1"));
        let fault = Fault {
            begin: 2 * HOUR,
            pace: 1.0,
        };
        let fault = variants.first().map(|script| (script, fault));
        Timeline::new(host, 0..hours * HOUR, &normal, fault, seed).collect()
    }

    #[test]
    fn lines_come_in_the_order_of_their_times_and_within_the_span() {
        let lines = lines(1, 6, Scenario::Disk);
        assert!(lines.windows(2).all(|pair| pair[0].time <= pair[1].time));
        assert!(lines.iter().all(|line| (0..6 * HOUR).contains(&line.time)));
    }

    #[test]
    fn a_fault_begins_when_it_is_told_to_and_one_guest_dies() {
        for scenario in [Scenario::Disk, Scenario::Oom, Scenario::Hung] {
            let lines = lines(1, 6, scenario);
            let first = lines.iter().find(|line| line.mark == Mark::Fault).unwrap();
            assert!(first.time >= 2 * HOUR);
            let deaths = lines.iter().filter(|line| line.mark == Mark::Death);
            assert_eq!(deaths.count(), 1, "{scenario:?}");
        }
    }

    #[test]
    fn normal_life_is_the_same_with_a_fault_and_without() {
        let texts = |scenario| {
            let lines = lines(4, 6, scenario).into_iter();
            let normal = lines.filter(|line| line.mark == Mark::Normal);
            normal.map(|line| line.time).collect::<Vec<_>>()
        };
        assert_eq!(texts(Scenario::None), texts(Scenario::Oom));
    }

    #[test]
    fn a_rate_is_kept_to_and_one_below_that_of_the_timers_is_refused() {
        let script = at_rate(normal().unwrap(), 2_000.0).unwrap();
        let (random, timed) = script.lines_per_hour();
        assert!((random + timed - 2_000.0).abs() < 1e-6);
        assert!(at_rate(normal().unwrap(), 1.0).is_err_and(|timed| timed > 1.0));
    }
}
