//! The cost of lines that attack Drain, per byte and compared with ordinary lines of the same length, on a full tree of templates.
//! Fails if some family costs more than [`MAX_RATIO`] times as much.

#[path = "../src/drain/hostile.rs"]
mod lines;

use std::process::ExitCode;

use bellwether_core::drain::{DrainOptions, Miner};
use lines::{Family, HOSTILE, Random, ordinary};
use rustix::time::{ClockId, clock_gettime};

/// No line may cost more than an ordinary one of its length times this.
const MAX_RATIO: f64 = 10.0;
/// Lengths of the lines in bytes.
const LENGTHS: [usize; 4] = [40, 120, 512, 4096];
/// Lines per measurement.
const SAMPLE: usize = 500;
/// Measurements, of which the least counts.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    // `cargo bench NAME` runs every benchmark with the name as a filter.
    let mut filters = std::env::args().skip(1).filter(|a| !a.starts_with('-'));
    if filters
        .next()
        .is_some_and(|filter| !"hostile".contains(&filter))
    {
        return ExitCode::SUCCESS;
    }
    print!("{:28}", "ns per byte (ratio); bytes:");
    for len in LENGTHS {
        print!(" {len:>16}");
    }
    println!();
    let usual = LENGTHS.map(|len| cost(ordinary, len));
    row("ordinary lines", usual, usual);
    let mut worst = 0.0_f64;
    for (name, family) in HOSTILE {
        let costs = LENGTHS.map(|len| cost(family, len));
        row(name, costs, usual);
        worst =
            (costs.iter().zip(usual)).fold(worst, |worst, (cost, usual)| worst.max(cost / usual));
    }
    println!("At most {worst:.1} times an ordinary line; the limit is {MAX_RATIO}.");
    if worst > MAX_RATIO {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn row(name: &str, costs: [f64; LENGTHS.len()], usual: [f64; LENGTHS.len()]) {
    print!("{name:28}");
    for (cost, usual) in costs.iter().zip(usual) {
        print!(" {cost:>8.2} ({:>5.2})", cost / usual);
    }
    println!();
}

/// Nanoseconds per byte of a family's lines on a tree that is full of ordinary templates and of the family's own.
fn cost(family: Family, len: usize) -> f64 {
    let mut random = Random::new(len as u64);
    let mut next = |family: Family| {
        let mut line = String::new();
        family(&mut random, len, &mut line);
        line
    };
    let mut full = Miner::new(DrainOptions::default()).expect("the defaults agree");
    let templates = full.options().max_clusters;
    for _ in 0..templates {
        full.add(&next(ordinary));
    }
    for _ in 0..2 * templates {
        full.add(&next(family));
    }
    let mut round = || {
        let sample: Vec<String> = (0..SAMPLE).map(|_| next(family)).collect();
        let bytes: usize = sample.iter().map(String::len).sum();
        let start = cpu_ns();
        for line in &sample {
            full.add(line);
        }
        (cpu_ns() - start) as f64 / bytes as f64
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}

/// CPU time of this thread in nanoseconds.
fn cpu_ns() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
