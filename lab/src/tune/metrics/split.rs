//! The hypervisors to train on and those to test on: no VM is in both.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use bellwether_records::command::usage;
use bellwether_records::series::{Reading, open_file};

use super::TuneMetricsArguments;
use crate::evaluate::metrics::source::{self, Source};
use crate::generate::metrics::label::Label;
use crate::generate::metrics::plan::CaseArguments;
use crate::split::{divide, linked};

/// The hypervisors to train on and those to test on, and a description of each.
///
/// # Errors
/// What cannot be read, what cannot be divided, and a VM that is in both.
pub fn split(arguments: &TuneMetricsArguments) -> Result<([Source; 2], [String; 2])> {
    let Some(folder) = &arguments.folder else {
        return generated(&arguments.cases);
    };
    let sources = match &arguments.test {
        None => divided(folder, arguments.local_names, arguments.cases.seed)?,
        Some(test) => separate(folder, test, arguments.local_names)?,
    };
    let folders = [folder, arguments.test.as_ref().unwrap_or(folder)];
    let mut words = [String::new(), String::new()];
    for ((words, source), folder) in words.iter_mut().zip(&sources).zip(folders) {
        *words = format!("{} hypervisors of {}", source.len(), folder.display());
    }
    Ok((sources, words))
}

fn generated(cases: &CaseArguments) -> Result<([Source; 2], [String; 2])> {
    if let Some(part) = &cases.part {
        let message = format!(
            "--part {part}: the traces are divided into 1/2, to train on, and 2/2, to test on, already; leave it out"
        );
        return Err(usage(message).into());
    }
    let part = |number: u64| -> Result<(Source, String)> {
        let own = CaseArguments {
            part: cases.traces.as_ref().map(|_| format!("{number}/2")),
            seed: cases.seed.wrapping_add(number - 1),
            ..cases.clone()
        };
        let source = Source::generated(&own)?;
        let vms = match &own.traces {
            Some(traces) => format!("VMs of part {number}/2 of {}", traces.display()),
            None => "made-up VMs".to_owned(),
        };
        let words = format!("{} hypervisors of {vms}, seed {}", source.len(), own.seed);
        Ok((source, words))
    };
    let ((train, train_words), (test, test_words)) = (part(1)?, part(2)?);
    Ok(([train, test], [train_words, test_words]))
}

/// Hypervisors of a folder by name.
type Hypervisors = Vec<(String, Label)>;

fn hypervisors(folder: &Path) -> Result<(Hypervisors, f64)> {
    match Source::folder(folder)? {
        Source::Folder {
            hypervisors,
            interval,
            ..
        } => Ok((hypervisors, interval)),
        Source::Generated(_) => bail!("{}: it is no folder", folder.display()),
    }
}

/// The names that say which VMs a hypervisor has.
fn vms(folder: &Path, hypervisor: &str, local: bool) -> Result<Vec<String>> {
    let files = source::files(folder, hypervisor)?;
    let series = open_file(&files[0].1, &Reading::default())?;
    let name = |vm: &String| {
        if local {
            format!("{hypervisor}/{vm}")
        } else {
            vm.clone()
        }
    };
    Ok(series.vms().iter().map(name).collect())
}

/// Divides a folder in two; hypervisors with a VM in common stay together.
fn divided(folder: &Path, local: bool, seed: u64) -> Result<[Source; 2]> {
    let (hypervisors, interval) = hypervisors(folder)?;
    let names = hypervisors
        .iter()
        .map(|(name, _)| vms(folder, name, local))
        .collect::<Result<Vec<_>>>()?;
    let linked = linked(&names);
    let items: Vec<(String, String)> = hypervisors
        .iter()
        .zip(linked)
        .map(|((_, label), first)| {
            let kind = format!("{} {}", label.cell(), label.anomaly);
            (hypervisors[first].0.clone(), kind)
        })
        .collect();
    let train = divide(&items, seed);
    let part = |wanted: bool| {
        let here = hypervisors.iter().zip(&train);
        here.filter(|(_, train)| **train == wanted)
            .map(|(hypervisor, _)| hypervisor.clone())
            .collect::<Hypervisors>()
    };
    let parts = [part(true), part(false)];
    ensure!(
        parts.iter().all(|part| !part.is_empty()),
        "{}: its hypervisors cannot be divided, for each has VMs in common with another one; give a second folder with --test, or \
         --local-names where names of VMs count within their hypervisor only",
        folder.display()
    );
    ensure!(
        parts.iter().all(|part| part.iter().any(|(_, l)| l.anomaly)),
        "{}: there is no fault on one of two sides that share no VM; give a second folder with --test, or one with more faults",
        folder.display()
    );
    Ok(parts.map(|hypervisors| Source::Folder {
        folder: folder.to_owned(),
        hypervisors,
        interval,
    }))
}

/// Two folders that share no VM.
fn separate(train: &Path, test: &Path, local: bool) -> Result<[Source; 2]> {
    ensure!(
        train.canonicalize().ok() != test.canonicalize().ok(),
        "--test {}: it is the folder to tune on; without --test, that is divided",
        test.display()
    );
    let (one, interval) = hypervisors(train)?;
    let (other, other_interval) = hypervisors(test)?;
    ensure!(
        interval == other_interval,
        "--test {}: its rows are {other_interval} seconds apart, those of {} {interval}",
        test.display(),
        train.display()
    );
    if !local {
        let mut seen = HashMap::new();
        for (name, _) in &one {
            for vm in vms(train, name, false)? {
                seen.insert(vm, name);
            }
        }
        for (name, _) in &other {
            for vm in vms(test, name, false)? {
                if let Some(first) = seen.get(&vm) {
                    bail!(
                        "the VM \"{vm}\" is in {first} of {} and in {name} of {}: a test on it would not be independent of the training; leave one \
                         of them out, or give --local-names where names of VMs count within their hypervisor only",
                        train.display(),
                        test.display()
                    );
                }
            }
        }
    }
    let source = |folder: &Path, hypervisors| Source::Folder {
        folder: folder.to_owned(),
        hypervisors,
        interval,
    };
    Ok([source(train, one), source(test, other)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::collections::HashSet;
    use std::fs;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        arguments: TuneMetricsArguments,
    }

    fn arguments(more: &[&str]) -> TuneMetricsArguments {
        let all = ["tune", "--out", "trials.csv"].iter().chain(more);
        Command::parse_from(all).arguments
    }

    /// Traces in which VM n stands at n percent all day.
    fn traces(folder: &Path) {
        let mut text = format!("vm{}\n", ",cpu".repeat(288));
        for vm in 5..95 {
            text += &format!("machine-{vm}{}\n", format!(",{vm}").repeat(288));
        }
        fs::write(folder.join("day.csv"), text).unwrap();
    }

    /// The VMs that hypervisors are made of, found by where they stand.
    fn levels(source: &Source) -> HashSet<u64> {
        let mut levels = HashSet::new();
        for at in 0..source.len() {
            for vm in source.case(at).unwrap().values {
                levels.insert((vm.iter().sum::<f64>() / vm.len() as f64).round() as u64);
            }
        }
        levels
    }

    #[test]
    fn no_vm_of_the_traces_is_in_both_parts() {
        let folder = tempfile::tempdir().unwrap();
        traces(folder.path());
        let path = folder.path().display().to_string();
        let cases = ["--traces", &path, "--scenarios", "normal", "--vms", "8"];
        let ([train, test], _) = split(&arguments(&cases)).unwrap();
        let (train, test) = (levels(&train), levels(&test));
        assert!(train.len() > 20 && test.len() > 20);
        assert!(train.is_disjoint(&test), "{train:?} {test:?}");
    }

    #[test]
    fn the_parts_are_not_to_be_divided_again() {
        let folder = tempfile::tempdir().unwrap();
        traces(folder.path());
        let path = folder.path().display().to_string();
        let error = split(&arguments(&["--traces", &path, "--part", "1/2"])).unwrap_err();
        assert!(error.to_string().contains("divided"), "{error}");
    }

    /// A folder with hypervisors of these VMs, every other one with a fault.
    fn folder(hypervisors: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut labels = serde_json::Map::new();
        for (at, vms) in hypervisors.iter().enumerate() {
            let fault = at % 2 == 0;
            let label = serde_json::json!({
                "anomaly": fault, "t0": fault.then_some(0), "end": fault.then_some(1), "n_vms": 2, "scenario": "x",
            });
            labels.insert(format!("hv{at}"), label);
            let file = folder.path().join(format!("hv{at}.csv"));
            fs::write(file, format!("t,{vms}\n0,1,1\n")).unwrap();
        }
        let labels = serde_json::json!({"interval_s": 60, "hypervisors": labels});
        fs::write(folder.path().join("labels.json"), labels.to_string()).unwrap();
        folder
    }

    fn names(source: &Source) -> Vec<String> {
        (0..source.len())
            .map(|at| source.case(at).unwrap().hypervisor)
            .collect()
    }

    #[test]
    fn hypervisors_of_a_folder_that_share_a_vm_stay_together() {
        let folder = folder(&["a,b", "c,d", "e,f", "g,a", "c,h", "i,k", "l,m", "n,e"]);
        for seed in 0..20 {
            let parts = divided(folder.path(), false, seed).unwrap();
            let [train, test] = parts.each_ref().map(names);
            assert_eq!(train.len() + test.len(), 8);
            for pair in [["hv0", "hv3"], ["hv1", "hv4"], ["hv2", "hv7"]] {
                let here = pair.map(|name| train.iter().any(|n| n == name));
                assert_eq!(here[0], here[1], "{pair:?}");
            }
        }
    }

    #[test]
    fn names_that_all_hypervisors_share_are_one_vm_or_local() {
        let folder = folder(&["vm00,vm01"; 6]);
        let error = divided(folder.path(), false, 1).unwrap_err().to_string();
        assert!(error.contains("--local-names"), "{error}");
        let [train, test] = divided(folder.path(), true, 1).unwrap();
        let faults = [&train, &test].map(|part| {
            let cases = (0..part.len()).map(|at| part.case(at).unwrap().label);
            cases.filter(|label| label.anomaly).count()
        });
        assert!(
            faults.iter().all(|n| *n > 0) && train.len() + test.len() == 6,
            "{faults:?}"
        );
    }

    #[test]
    fn two_folders_that_share_a_vm_are_refused() {
        let (one, other) = (folder(&["a,b", "c,d"]), folder(&["e,f", "g,d"]));
        let error = separate(one.path(), other.path(), false).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("\"d\"") && error.contains("hv1"), "{error}");
        assert!(separate(one.path(), other.path(), true).is_ok());
        let error = separate(one.path(), one.path(), true).unwrap_err();
        assert!(error.to_string().contains("without --test"), "{error}");
    }
}
