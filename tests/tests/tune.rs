//! The agents accept the configuration that `bellwether-lab tune` prints for them.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use bellwether_tests::collectd::check;
use bellwether_tests::fluentbit::{FluentBit, find};
use bellwether_tests::skipped;
use bellwether_tests::testbed::capabilities::CollectdInstallation;
use bellwether_tests::testbed::plugin::Plugin;

/// Runs the command to its end; what it prints.
fn lab(arguments: &[&str]) -> Result<String> {
    let program = Plugin::build()?.folder().join("bellwether-lab");
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{arguments:?}: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The stanza that stands under a heading of what was printed.
fn stanza<'a>(printed: &'a str, heading: &str) -> Result<&'a str> {
    let (_, rest) = printed
        .split_once(&format!("\n{heading}:\n\n"))
        .with_context(|| format!("{heading} in {printed}"))?;
    Ok(rest.split_once("\n\n").map_or(rest, |(stanza, _)| stanza))
}

#[test]
fn collectd_takes_the_stanza_for_it() -> Result<()> {
    if let Err(reason) = CollectdInstallation::find() {
        skipped(reason);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("trials.csv").display().to_string();
    let small = [
        "tune",
        "metrics",
        "--out",
        &out,
        "--scenarios",
        "easy",
        "--vms",
        "5",
        "--reps",
        "4",
        "--trials",
        "4",
        "--bootstrap",
        "100",
        "--jobs",
        "1",
    ];
    let set = [
        "--set",
        "algorithm=zscore",
        "--set",
        "workload_changes=true",
        "--set",
        "max_vms=40",
        "--set",
        "false_alarms_per_month=0.00015",
        "--set",
        "threshold=2.25",
        "--param",
        "overlap_window_sz=20..60",
        "--set",
        "dynamic_filtering=false",
    ];
    let printed = lab(&[&small[..], &set].concat())?;
    let stanza = stanza(&printed, "For collectd.conf")?;
    for line in [
        "Algorithm \"zscore\"",
        "WorkloadChanges true",
        "MaxVms 40",
        "Threshold 2.25",
    ] {
        assert!(stanza.contains(line), "{line} in {stanza}");
    }
    let (taken, said) = check(stanza)?;
    assert!(taken, "{stanza}\n{said}");
    Ok(())
}

/// Masks with what configurations might take for something of their own.
const MASKS: &str = "DISK=\\bsd[a-z]\\b\nTEXT=\"[^\"]*\"\nKEY=#\\w+: \\w+";

/// A line in which each of [`MASKS`] has something to replace, and its template.
const LINE: &str = "disk sda says \"it is: well\" to #queue: seven";
const TEMPLATE: &str = "disk <:DISK:> says <:TEXT:> to <:KEY:>";

#[test]
fn fluent_bit_takes_the_stanzas_for_it_and_they_have_their_effect() -> Result<()> {
    if let Err(reason) = find() {
        skipped(reason);
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (data, labels, out) = (path("logs"), path("labels.json"), path("trials.csv"));
    lab(&[
        "generate",
        "logs",
        "--scenario",
        "oom,oom,none",
        "--hosts",
        "6",
        "--hours",
        "2",
        "--out",
        &data,
        "--labels",
        &labels,
    ])?;
    let lexicon = path("a lexicon.txt");
    fs::write(&lexicon, "")?;
    let settings = [
        format!("drain_masks={MASKS}"),
        format!("lexicon={lexicon}"),
        "drain_extra_delimiters=".into(),
        "novelty_events=true".into(),
        "window_size=3".into(),
    ];
    let mut arguments = vec![
        "tune",
        "logs",
        &data,
        "--labels",
        &labels,
        "--out",
        &out,
        "--trials",
        "3",
        "--bootstrap",
        "100",
        "--jobs",
        "1",
        "--param",
        "drain_sim_th=0.35..0.45",
        "--match",
        "host.*",
    ];
    for setting in &settings {
        arguments.extend(["--set", setting]);
    }
    let printed = lab(&arguments)?;
    let classic = stanza(&printed, "For Fluent Bit, classic")?;
    let yaml = stanza(&printed, "For Fluent Bit, YAML")?;
    let configurations = [
        (
            "fluent-bit.conf",
            format!(
                "[SERVICE]\n    flush 0.2\n    grace 1\n[INPUT]\n    name tail\n    path @FOLDER@/in.log\n    tag host.log\n    \
                 read_from_head on\n{classic}\n[OUTPUT]\n    name file\n    match *\n    path @FOLDER@\n    file out\n    \
                 format plain\n"
            ),
        ),
        (
            "fluent-bit.yaml",
            format!(
                "service:\n  flush: 0.2\n  grace: 1\n{yaml}\n  inputs:\n    - name: tail\n      path: @FOLDER@/in.log\n      \
                 tag: host.log\n      read_from_head: on\n  outputs:\n    - name: file\n      match: '*'\n      path: @FOLDER@\n      \
                 file: out\n      format: plain\n"
            ),
        ),
    ];
    for (file, configuration) in configurations {
        let mut fluent_bit = FluentBit::prepare()?;
        fluent_bit.write("in.log", &format!("{LINE}\n"))?;
        fluent_bit.start(file, &configuration)?;
        fluent_bit.wait(&format!("a record by\n{configuration}\n"), |f| {
            !f.records("out").is_empty()
        })?;
        let record = &fluent_bit.records("out")[0];
        assert_eq!(record["bellwether_template"], TEMPLATE, "{configuration}");
        assert!(fluent_bit.stop()?.success(), "{}", fluent_bit.log());
    }
    Ok(())
}
