//! Hypervisors of VMs, some with a fault of the host, as the lecture's evaluation generates them ("Dataset Generation").

pub mod background;
pub mod estate;
pub mod fault;
pub mod label;
pub mod negative;
pub mod plan;
mod synthetic;
pub mod values;

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;
use rayon::prelude::*;

use self::label::{Label, Labels};
use self::plan::{Case, CaseArguments, Plan};
use self::values::{Values, vm_name};

const EXAMPLES: &str = "\
Examples:
  bellwether-lab generate metrics --out cases --scenarios random_easy,normal --vms 5,30
  bellwether-lab generate metrics --out cases --traces traces/ --regime quiet --seed 2 --reps 100
  bellwether-lab generate metrics --out cases --scenarios hard --key ts_increase_delay=0..30 --key ts_stay_width=50
  bellwether-lab generate metrics --out ar10 --phi 0.8,0.95 --interval 10 --ts-len 25920 --key ts_stay_width=2160
  bellwether-lab generate metrics --out wave --wave 0,0.2,0.4 --noise 0.05..0.2 --ts-len 2304 --key ts_anomaly_point=68..75
  bellwether-lab generate metrics --out tenants --scenarios hard,normal --tenants 1 --vms 5,13 --ts-len 2016
  bellwether-lab generate metrics --out estate --phi 0.8 --metrics cpu,disk_ops,net_packets --fault-metrics disk_ops --interval 60

The keys: ts_anomaly_point (percent of the rows at which the fault begins), ts_percentage_affected (share of the VMs, 0 to 1), \
ts_increase_delay, ts_increase_width, ts_stay_width, ts_decrease_delay, ts_decrease_width (samples), \
ts_increase_height_percentage (share by which a VM changes), ts_decrease_height_percentage (share by which it stays changed).";

/// Generate hypervisors of VMs with and without faults, and their labels
///
/// Writes a CSV file per hypervisor, as "bellwether replay metrics" reads them, and labels.json. The labels of a hypervisor are its
/// scenario, its shape, its number of VMs and, if it has a fault, the rows t0 and end between which the fault shows and the affected
/// VMs. "bellwether-lab evaluate metrics" evaluates a detector by them.
///
/// The VMs are recorded ones (--traces), a mixture of synthetic workloads, or synthetic ones to order: with noise that correlates
/// (--phi, --noise), a wave of the day that all share (--wave), tenants whose VMs move alike (--tenants). With several --metrics there is
/// a folder per metric.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct GenerateArguments {
    #[command(flatten)]
    pub cases: CaseArguments,

    /// Folder to write to; it is created if missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// Writes the hypervisors and their labels.
pub fn write(arguments: &GenerateArguments) -> Result<()> {
    let plan = Plan::new(&arguments.cases)?;
    let folder = &arguments.out;
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    let written = (0..plan.len())
        .into_par_iter()
        .map(|at| {
            let case = plan.case(at)?;
            write_case(folder, &case)?;
            Ok((case.hypervisor, case.label))
        })
        .collect::<Result<Vec<(String, Label)>>>()?;
    let regimes: Vec<&str> = arguments.cases.regime.iter().map(|r| r.word()).collect();
    let labels = Labels {
        hypervisors: written.into_iter().collect(),
        interval_s: plan.interval(),
        regime: regimes.join(","),
        seed: arguments.cases.seed,
        unit: "percent".to_owned(),
    };
    let path = folder.join(label::FILE);
    let text = serde_json::to_string_pretty(&labels)? + "\n";
    fs::write(&path, text).with_context(|| path.display().to_string())
}

fn write_case(folder: &Path, case: &Case) -> Result<()> {
    if case.others.is_empty() {
        return write_values(folder, &case.hypervisor, &case.values);
    }
    let others = case.others.iter().map(|(metric, values)| (metric, values));
    for (metric, values) in [(&case.metric, &case.values)].into_iter().chain(others) {
        let folder = folder.join(metric);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        write_values(&folder, &case.hypervisor, values)?;
    }
    Ok(())
}

fn write_values(folder: &Path, hypervisor: &str, values: &Values) -> Result<()> {
    let path = folder.join(format!("{hypervisor}.csv"));
    let place = || path.display().to_string();
    let mut out = BufWriter::new(File::create(&path).with_context(place)?);
    let names: Vec<String> = (0..values.len()).map(vm_name).collect();
    let mut write = || {
        writeln!(out, "t,{}", names.join(","))?;
        for row in 0..values[0].len() {
            write!(out, "{row}")?;
            for vm in values {
                match vm[row] {
                    missing if missing.is_nan() => write!(out, ",")?,
                    value => write!(out, ",{value:.2}")?,
                }
            }
            writeln!(out)?;
        }
        out.flush()
    };
    write().with_context(place)
}
