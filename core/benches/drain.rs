//! The cost of a line in Drain, compared with the fastest Rust alternatives in the same run. Every figure is the time per line.
//!
//! The lines are those of the VM failure logs if they are available (`../shared/data/vm-failure-logs`), otherwise generated ones.
//! The alternatives' regular expressions have no look-around, so the boundary of their masks is `\b`.

mod random;
mod recorded;

use std::hint::black_box;
use std::sync::LazyLock;

use bellwether_core::drain::{DrainOptions, Miner};
use divan::Bencher;

fn main() {
    println!(
        "All times are of one line; {} lines, {:.0} bytes on average ({}).\n",
        LINES.lines.len(),
        LINES.lines.iter().map(String::len).sum::<usize>() as f64 / LINES.lines.len() as f64,
        LINES.source
    );
    divan::main();
}

/// Lines per measurement, and lines of the logs.
const SAMPLE: u32 = 40_000;

struct Lines {
    source: &'static str,
    lines: Vec<String>,
}

static LINES: LazyLock<Lines> = LazyLock::new(|| match recorded() {
    Some(lines) => Lines {
        source: "the VM failure logs",
        lines,
    },
    None => Lines {
        source: "generated, as there are no recorded ones",
        lines: generated(),
    },
});

/// A regular sample of the messages of the recorded logs.
fn recorded() -> Option<Vec<String>> {
    let lines: Vec<_> = recorded::recorded()?.collect();
    let step = lines.len().div_ceil(SAMPLE as usize);
    Some(lines.into_iter().step_by(step).collect())
}

fn generated() -> Vec<String> {
    (0..SAMPLE)
        .map(|i| match i % 5 {
            0 => format!(
                "[{i}.{:06}] device vnet{} entered promiscuous mode",
                i * 7 % 999_999,
                i % 30
            ),
            1 => format!("Started Session {i} of User root."),
            2 => format!(
                "Accepted publickey for root from 10.0.{}.{} port {} ssh2",
                i % 256,
                i % 251,
                i % 65_536
            ),
            3 => format!(
                "[{i}.5] kvm [{i}]: vcpu0, guest rIP: {i:#x} disabled perfctr wrmsr: {:#x}",
                i * 31
            ),
            _ => "pam_unix(sudo:session): session closed for user root".to_owned(),
        })
        .collect()
}

/// Calls `each` with the lines in turn, after a first round over all of them.
fn in_turn<T>(bencher: Bencher, mut each: impl FnMut(&'static str) -> T) {
    let lines = &LINES.lines;
    for line in lines {
        each(line);
    }
    let mut at = 0;
    bencher.bench_local(|| {
        at = if at + 1 == lines.len() { 0 } else { at + 1 };
        black_box(each(&lines[at]))
    });
}

fn miner(settings: &[(&str, &str)]) -> Miner {
    let mut options = DrainOptions::default();
    for (name, value) in settings {
        options.set(name, value).expect("an option");
    }
    Miner::new(options).expect("options that do not contradict each other")
}

#[divan::bench_group(sample_count = 7, sample_size = SAMPLE)]
mod known_templates {
    use super::*;

    #[divan::bench]
    fn bellwether_published_masks(bencher: Bencher) {
        let mut miner = miner(&[]);
        in_turn(bencher, |line| miner.add(line));
    }

    #[divan::bench]
    fn bellwether_no_masks(bencher: Bencher) {
        let mut miner = miner(&[("builtin_masks", "none")]);
        in_turn(bencher, |line| miner.add(line));
    }

    #[divan::bench]
    fn bellwether_three_regexes(bencher: Bencher) {
        let masks =
            r"IP=\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b ; HEX=\b0x[a-f0-9A-F]+\b ; NUM=\b\d+\b";
        let mut miner = miner(&[("builtin_masks", "none"), ("masks", masks)]);
        in_turn(bencher, |line| miner.add(line));
    }

    fn logdrain(masks: &[(&str, &str)]) -> logdrain::Miner {
        let masks = masks.iter().map(|(name, pattern)| {
            logdrain::Mask::new(pattern, &format!("<:{name}:>")).expect("a regular expression")
        });
        logdrain::Miner::builder()
            .depth(4)
            .sim_threshold(0.4)
            .masks(masks)
            .build()
            .expect("options")
    }

    #[divan::bench]
    fn logdrain_published_masks(bencher: Bencher) {
        let miner = logdrain(&[
            ("ID", r"\b([0-9a-f]{2,}:){3,}([0-9a-f]{2,})\b"),
            ("IP", r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"),
            ("SEQ", r"\b([0-9a-f]{6,} ?){3,}\b"),
            ("SEQ", r"\b([0-9A-F]{4} ?){4,}\b"),
            ("HEX", r"\b0x[a-f0-9A-F]+\b"),
            ("NUM", r"\b\d+\b"),
        ]);
        in_turn(bencher, |line| miner.add(line));
    }

    #[divan::bench]
    fn logdrain_three_masks(bencher: Bencher) {
        let miner = logdrain(&[
            ("IP", r"\b\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}\b"),
            ("HEX", r"\b0x[a-f0-9A-F]+\b"),
            ("NUM", r"\b\d+\b"),
        ]);
        in_turn(bencher, |line| miner.add(line));
    }

    #[divan::bench]
    fn logdrain_no_masks(bencher: Bencher) {
        let miner = logdrain(&[]);
        in_turn(bencher, |line| miner.add(line));
    }

    /// Without masks; trained first, then used for lookups only.
    #[divan::bench]
    fn drain3_crate_no_masks_lookup(bencher: Bencher) {
        let config = drain3::Config::builder()
            .extra_delimiters(vec!["_".to_owned()])
            .build();
        let matcher = drain3::train(&LINES.lines, config).expect("a matcher");
        in_turn(bencher, |line| matcher.match_id(line));
    }

    #[divan::bench]
    fn drain3_crate_no_masks_add(bencher: Bencher) {
        let config = drain3::Config::builder()
            .extra_delimiters(vec!["_".to_owned()])
            .build();
        let mut matcher = drain3::Matcher::new(config);
        in_turn(bencher, |line| matcher.add_log_message(line).is_ok());
    }

    /// The lower bound for all.
    #[divan::bench]
    fn splitting_on_white_space(bencher: Bencher) {
        in_turn(bencher, |line| line.split_whitespace().count());
    }
}

/// Unknown and unrelated lines: a template explosion at the limit of templates.
#[divan::bench_group(sample_count = 7, sample_size = SAMPLE)]
mod explosion {
    use super::*;

    #[divan::bench(args = [2, 6])]
    fn bellwether_random_words_of_letters(bencher: Bencher, letters: u32) {
        let mut miner = miner(&[]);
        let mut random = random::Random(0x9e37_79b9_7f4a_7c15);
        let mut line = String::new();
        for _ in 0..SAMPLE {
            random.words(8, letters, &mut line);
            miner.add(&line);
        }
        bencher.bench_local(|| {
            random.words(8, letters, &mut line);
            black_box(miner.add(&line))
        });
    }
}
