//! What the kernel of this host has in `/proc`, and no plugin of collectd reads: pressure stall information and scanned pages.
//!
//! A thread of its own reads it, since reading from `/proc` can wait for a kernel that is in trouble.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bellwether_agent::thread::spawn;
use parking_lot::{Condvar, Mutex};

use super::signal::Signal;

/// The folder of the kernel's files.
pub const PROC: &str = "/proc";

/// The files of pressure, the word that a line begins with, and the signal.
const PRESSURE: [(&str, &str, Signal); 5] = [
    ("cpu", "some", Signal::PsiCpuSome),
    ("memory", "some", Signal::PsiMemorySome),
    ("memory", "full", Signal::PsiMemoryFull),
    ("io", "some", Signal::PsiIoSome),
    ("io", "full", Signal::PsiIoFull),
];

/// The keys of `vmstat` that count scanned pages.
const SCANS: [&str; 3] = ["pgscan_kswapd", "pgscan_direct", "pgscan_khugepaged"];

/// The most that is read of a file, in bytes.
const FILE_MAX: u64 = 1 << 16;

/// How many counters a sample has.
const COUNTERS: usize = PRESSURE.len() + 1;

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When, by a clock that nobody can set.
    at: Instant,
    /// Microseconds of pressure, and pages scanned; `None` for what cannot be read.
    counters: [Option<u64>; COUNTERS],
    /// CPUs that are online.
    pub cpus: Option<u32>,
}

impl Sample {
    /// Reads all of it from the folder `proc`; `why` gets a reason for each file of pressure that is of no use.
    fn read(proc: &Path, why: &mut Vec<String>) -> Self {
        let mut counters = [None; COUNTERS];
        let mut file: Option<(&str, String)> = None;
        for (at, (name, word, _)) in PRESSURE.iter().enumerate() {
            if file.as_ref().is_none_or(|(last, _)| last != name) {
                let path = proc.join("pressure").join(name);
                let text = read(&path).unwrap_or_else(|error| {
                    why.push(format!("{}: {error}", path.display()));
                    String::new()
                });
                file = Some((name, text));
            }
            counters[at] = file.as_ref().and_then(|(_, text)| total(text, word));
        }
        counters[PRESSURE.len()] = read(&proc.join("vmstat")).ok().as_deref().and_then(scans);
        let online = read(Path::new("/sys/devices/system/cpu/online"));
        Self {
            at: Instant::now(),
            counters,
            cpus: online.ok().as_deref().and_then(count),
        }
    }

    /// Seconds since it was read.
    pub fn age(&self) -> f64 {
        self.at.elapsed().as_secs_f64()
    }

    /// The signals between an earlier sample and this one: shares of time, and pages a second.
    pub fn since(&self, earlier: &Self) -> impl Iterator<Item = (Signal, f64)> {
        let seconds = self.at.saturating_duration_since(earlier.at).as_secs_f64();
        let signals = PRESSURE.map(|(_, _, signal)| signal);
        let signals = signals.into_iter().chain([Signal::PageScans]);
        let pairs = earlier.counters.into_iter().zip(self.counters);
        signals
            .zip(pairs)
            .filter_map(move |(signal, (before, now))| {
                let rate = now?.checked_sub(before?)? as f64 / seconds;
                let value = match signal {
                    Signal::PageScans => rate,
                    _ => (rate / 1e6).min(1.0),
                };
                (seconds > 0.0).then_some((signal, value))
            })
    }
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// The total, in microseconds, of the line that begins with `word`, as "some avg10=0.00 avg60=0.00 avg300=0.00 total=123".
fn total(text: &str, word: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(word))?;
    let mut words = line.split_ascii_whitespace();
    words
        .find_map(|word| word.strip_prefix("total="))?
        .parse()
        .ok()
}

/// The pages scanned, by the text of `vmstat`.
fn scans(text: &str) -> Option<u64> {
    let of = |line: &str| {
        let (key, value) = line.split_once(' ')?;
        SCANS.contains(&key).then(|| value.trim().parse().ok())?
    };
    text.lines().filter_map(of).reduce(u64::saturating_add)
}

/// How many numbers there are in a list such as "0-3,8".
fn count(list: &str) -> Option<u32> {
    let one = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        last.checked_sub(first)?.checked_add(1)
    };
    let mut ranges = list.trim().split(',').map(one);
    ranges.try_fold(0_u32, |sum, range| sum.checked_add(range?))
}

#[derive(Debug, Default)]
struct Slot {
    sample: Option<Sample>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Shared {
    slot: Mutex<Slot>,
    /// Nobody wants to know any more.
    wake: Condvar,
}

/// Reads until it is dropped.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    missing: Arc<Mutex<Option<String>>>,
}

impl Reader {
    /// Starts a thread that reads what is in the folder `proc` once in each `interval`, and calls `news` then.
    ///
    /// # Errors
    /// What the operating system says when it gives no thread.
    pub fn start(
        name: &str,
        proc: PathBuf,
        interval: Duration,
        news: impl Fn() + Send + 'static,
    ) -> io::Result<Self> {
        let reader = Self {
            shared: Arc::default(),
            missing: Arc::default(),
        };
        let (shared, missing) = (reader.shared.clone(), reader.missing.clone());
        spawn(name, move || {
            let (begun, mut round) = (Instant::now(), 0_u32);
            loop {
                let mut why = Vec::new();
                let sample = Sample::read(&proc, &mut why);
                if round == 0 && !why.is_empty() {
                    *missing.lock() = Some(why.join("; "));
                }
                let mut slot = shared.slot.lock();
                slot.sample = Some(sample);
                drop(slot);
                news();
                // The next one is due a whole number of intervals after the first, however long this one took.
                let passed = begun.elapsed().as_secs_f64() / interval.as_secs_f64();
                round = passed as u32 + 1;
                let next = begun + interval.saturating_mul(round);
                let mut slot = shared.slot.lock();
                while !slot.ended {
                    if shared.wake.wait_until(&mut slot, next).timed_out() {
                        break;
                    }
                }
                if slot.ended {
                    return;
                }
            }
        })?;
        Ok(reader)
    }

    /// What was read since the last call, if anything was.
    pub fn take(&self) -> Option<Sample> {
        self.shared.slot.lock().sample.take()
    }

    /// Once: which files of pressure could not be read, and why.
    pub fn missing(&self) -> Option<String> {
        self.missing.lock().take()
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.slot.lock().ended = true;
        self.shared.wake.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A folder as `/proc` with these totals of pressure (some and full) and these scanned pages.
    fn folder(cpu: u64, memory: [u64; 2], io: [u64; 2], scanned: u64) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("pressure")).unwrap();
        let line =
            |word, total| format!("{word} avg10=1.50 avg60=0.20 avg300=0.04 total={total}\n");
        for (name, text) in [
            ("pressure/cpu", line("some", cpu) + &line("full", 0)),
            (
                "pressure/memory",
                line("some", memory[0]) + &line("full", memory[1]),
            ),
            ("pressure/io", line("some", io[0]) + &line("full", io[1])),
            (
                "vmstat",
                format!(
                    "nr_free_pages 7\npgscan_kswapd {scanned}\npgscan_direct 5\npgscan_direct_throttle 999\n"
                ),
            ),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    fn sample(folder: &tempfile::TempDir) -> (Sample, Vec<String>) {
        let mut why = Vec::new();
        (Sample::read(folder.path(), &mut why), why)
    }

    #[test]
    fn pressure_is_the_share_of_the_time_between_two_reads() {
        let (first, why) = sample(&folder(1_000_000, [500, 0], [0, 0], 100));
        assert!(why.is_empty(), "{why:?}");
        let (mut second, _) = sample(&folder(3_000_000, [500, 0], [9_000_000, 99_000_000], 140));
        second.at = first.at + Duration::from_secs(10);
        let signals: Vec<(Signal, f64)> = second.since(&first).collect();
        let expected = [
            (Signal::PsiCpuSome, 0.2),
            (Signal::PsiMemorySome, 0.0),
            (Signal::PsiMemoryFull, 0.0),
            (Signal::PsiIoSome, 0.9),
            (Signal::PsiIoFull, 1.0),
            (Signal::PageScans, 4.0),
        ];
        assert_eq!(signals, expected);
    }

    #[test]
    fn what_cannot_be_read_is_named_and_the_rest_is_taken() {
        let folder = folder(1, [2, 3], [4, 5], 6);
        fs::remove_file(folder.path().join("pressure/memory")).unwrap();
        fs::write(folder.path().join("pressure/io"), "full total=nonsense\n").unwrap();
        let (sample, why) = sample(&folder);
        assert_eq!(sample.counters, [Some(1), None, None, None, None, Some(11)]);
        assert_eq!(why.len(), 1);
        assert!(why[0].contains("pressure/memory: No such file"), "{why:?}");
    }

    #[test]
    fn counters_that_go_backwards_and_reads_at_one_moment_give_nothing() {
        let (first, _) = sample(&folder(9, [9, 9], [9, 9], 9));
        let (mut second, _) = sample(&folder(8, [8, 8], [8, 8], 8));
        second.at = first.at + Duration::from_secs(1);
        assert_eq!(second.since(&first).count(), 0);
        second.counters = first.counters;
        second.at = first.at;
        assert_eq!(second.since(&first).count(), 0);
    }

    #[test]
    fn the_cpus_that_are_online_are_counted() {
        assert_eq!(count("0-511\n"), Some(512));
        assert_eq!(count("0\n"), Some(1));
        assert_eq!(count("0-3,8,10-11"), Some(7));
        assert_eq!(count("3-0"), None);
        assert_eq!(count(""), None);
        assert_eq!(count("0-4294967295,1"), None);
    }

    #[test]
    fn the_thread_reads_again_and_says_once_what_is_missing() {
        let folder = folder(1, [2, 3], [4, 5], 6);
        fs::remove_file(folder.path().join("pressure/cpu")).unwrap();
        let (news, heard) = std::sync::mpsc::channel();
        let news = move || {
            news.send(()).ok();
        };
        let interval = Duration::from_millis(5);
        let reader = Reader::start("test", folder.path().into(), interval, news).unwrap();
        for _ in 0..3 {
            heard.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        assert!(reader.missing().unwrap().contains("pressure/cpu"));
        assert_eq!(reader.missing(), None);
        assert!(reader.take().is_some());
        drop(reader);
        while heard.recv_timeout(Duration::from_secs(10)).is_ok() {}
    }
}
