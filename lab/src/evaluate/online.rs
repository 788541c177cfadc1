//! The cost of HAD online and offline: the lecture's tables "Performance: Online vs Offline".

use std::hint::black_box;

use anyhow::Result;
use bellwether_core::had::HadOptions;
use bellwether_core::had::bare::Bare;
use bellwether_records::command;
use clap::Args;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rustix::time::{ClockId, clock_gettime};

use super::table::markdown;
use crate::baselines::offline;
use crate::generate::metrics::background::{Background, Regime};
use crate::generate::metrics::values::DAY;

const EXAMPLES: &str = "\
Examples:
  bellwether-lab evaluate online --rows 3600,7200,10800,14400,18000,21600 --vms 25 --long 100 --short 25
  bellwether-lab evaluate online --rows 80000 --vms 8 --long 16,32,64,128,256,512,1024,2048 --short 15";

/// Measure the CPU time of HAD as published, online and offline
///
/// Online, the cost of a sample does not depend on the lengths of the windows. Offline, every sample recomputes both windows, the
/// filter's queue and the overlap. Both raise the same alarms. Prints the median CPU time of several runs over a synthetic hypervisor.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct EvaluateOnlineArguments {
    /// Numbers of rows of the hypervisor, separated by commas
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "3600,7200,10800,14400,18000,21600",
        value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub rows: Vec<u32>,

    /// Number of VMs of the hypervisor
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(2..=512))]
    pub vms: u32,

    /// Lengths of the long window, separated by commas
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "100",
        value_parser = clap::value_parser!(u32).range(2..=100_000))]
    pub long: Vec<u32>,

    /// Length of the short window
    #[arg(long, value_name = "N", default_value_t = 25, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub short: u32,

    /// Number of runs, of which the median is printed
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub runs: u32,
}

/// Measures and prints.
pub fn print(arguments: &EvaluateOnlineArguments) -> Result<()> {
    let header = [
        "rows",
        "VMs",
        "long",
        "short",
        "online, ms",
        "offline, ms",
        "offline / online",
    ];
    let mut table = Vec::new();
    for &rows in &arguments.rows {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (rows, vms) = (rows as usize, arguments.vms as usize);
        let (values, _) =
            Background::Synthetic(DAY).normal(&mut rng, vms, rows, false, Regime::Quiet)?;
        let by_row: Vec<Vec<f64>> = (0..rows)
            .map(|row| values.iter().map(|vm| vm[row]).collect())
            .collect();
        for &long in &arguments.long {
            let mut options = HadOptions::default();
            options.set("algorithm", "zscore")?;
            options.set("zscore_window_long_sz", &long.to_string())?;
            options.set("zscore_window_short_sz", &arguments.short.to_string())?;
            let online = median_ms(arguments.runs, || {
                let mut online = Bare::new(&options, vms);
                by_row.iter().filter(|row| online.close(row, 0)).count()
            });
            let offline = median_ms(arguments.runs, || offline::zscore(&values, &options).len());
            table.push(vec![
                rows.to_string(),
                vms.to_string(),
                long.to_string(),
                arguments.short.to_string(),
                format!("{online:.1}"),
                format!("{offline:.1}"),
                format!("{:.1}", offline / online),
            ]);
        }
    }
    let text = markdown("HAD as published", &header.map(str::to_owned), &table);
    command::print(&text)
}

/// The median CPU time of `runs` runs, milliseconds: what else the machine does changes it little.
fn median_ms<T>(runs: u32, mut run: impl FnMut() -> T) -> f64 {
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = cpu_ms();
            black_box(run());
            cpu_ms() - start
        })
        .collect();
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The CPU time that this thread has taken, milliseconds.
fn cpu_ms() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_of_all_runs() {
        let mut runs = 0;
        assert!(median_ms(5, || runs += 1) >= 0.0);
        assert_eq!(runs, 5);
    }
}
