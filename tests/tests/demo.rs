//! The demo as a program: where it can run no machines, and when it is cut short.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use bellwether_tests::fluentbit::find;
use bellwether_tests::skipped;
use bellwether_tests::testbed::capabilities::CollectdInstallation;
use bellwether_tests::testbed::process::{signal, wait_for};
use bellwether_tests::testbed::{TestBed, capabilities};

fn demo() -> Command {
    let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
    demo.stdin(Stdio::null());
    demo
}

#[test]
fn the_demo_replays_a_recording_into_a_real_collectd() {
    if let Err(reason) = CollectdInstallation::find() {
        skipped(reason);
        return;
    }
    let output = demo()
        .args(["--replay", "--only", "metrics"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{}\n{told}",
        String::from_utf8_lossy(&output.stderr)
    );
    for expected in [
        "one guest slow:      0 alarms",
        "Severity: OKAY",
        "percent-consensus",
        "done.",
    ] {
        assert!(
            told.contains(expected),
            "'{expected}' is missing in:\n{told}"
        );
    }
}

/// What the half of the logs tells, of which no host may go wrong.
fn told_of_logs(demo: &mut Command) -> String {
    let output = demo.args(["--only", "logs"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}\n{told}");
    let in_time = told.lines().filter(|line| {
        line.contains("no false alarm, raised") && line.ends_with("min before a guest died")
    });
    assert_eq!(in_time.count(), 3, "{told}");
    for expected in [
        "healthy:       no false alarm\n",
        ">> FAILURE log_failure, ",
        "min after the alarm",
        "\"event\":\"log_failure\"",
    ] {
        assert!(
            told.contains(expected),
            "'{expected}' is missing in:\n{told}"
        );
    }
    told
}

#[test]
fn logs_go_through_a_real_fluent_bit() {
    if let Err(reason) = find() {
        skipped(reason);
        return;
    }
    let told = told_of_logs(&mut demo());
    assert!(told.contains("go through Fluent Bit "), "{told}");
}

#[test]
fn without_a_fluent_bit_logs_are_replayed_and_that_is_said() {
    let told = told_of_logs(demo().env("FLUENT_BIT", "/nowhere/fluent-bit"));
    for expected in [
        "No Fluent Bit can be run here: FLUENT_BIT is /nowhere/fluent-bit",
        "go through `bellwether replay logs`",
    ] {
        assert!(told.contains(expected), "{told}");
    }
}

#[test]
fn a_demo_of_logs_that_is_cut_short_leaves_no_process() {
    if let Err(reason) = find() {
        skipped(reason);
        return;
    }
    // Where no other test's demo sweeps what this one leaves.
    let own = tempfile::tempdir().unwrap();
    for name in ["INT", "TERM", "KILL"] {
        let mut child = demo()
            .args(["--only", "logs"])
            .env("TMPDIR", own.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut told = (&mut output).lines().map_while(Result::ok);
        assert!(told.any(|line| line.contains("go through Fluent Bit")));
        let mark = format!("bellwether-testbed-{}-", child.id());
        assert_eq!(processes_in(Path::new(&mark)).len(), 1);
        signal(child.id(), name).unwrap();
        assert!(!child.wait().unwrap().success());
        // It ends by itself when its input is closed, which takes its grace period.
        let gone = wait_for(Duration::from_secs(30), || {
            processes_in(Path::new(&mark)).is_empty().then_some(())
        });
        assert!(gone.is_some(), "after SIG{name}");
        let folders = || {
            let entries = fs::read_dir(own.path()).unwrap().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            names
                .filter(|name| name.starts_with(&mark))
                .collect::<Vec<_>>()
        };
        // After a SIGKILL the next demo sweeps it.
        assert_eq!(folders().is_empty(), name != "KILL", "after SIG{name}");
        for folder in folders() {
            fs::remove_dir_all(own.path().join(folder)).unwrap();
        }
    }
}

/// A demo that has just begun to watch real machines.
struct Started {
    child: Child,
    /// Where everything of its run is.
    folder: PathBuf,
    /// Kept, for a program whose reader is gone ends by itself.
    _output: BufReader<ChildStdout>,
}

impl Started {
    fn new() -> Self {
        let mut child = demo()
            .args(["--vms", "3"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let told = (&mut output).lines().map_while(Result::ok);
        let configuration = told
            .filter_map(|line| {
                line.strip_prefix("collectd's configuration: ")
                    .map(PathBuf::from)
            })
            .next()
            .expect("the demo tells where its configuration is");
        // RUN/hv1/collectd.conf
        let folder = configuration.ancestors().nth(2).unwrap().to_owned();
        Self {
            child,
            folder,
            _output: output,
        }
    }
}

/// Processes that have the folder in their command line.
fn processes_in(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if command.contains(&*folder) {
            found.push(command);
        }
    }
    found
}

/// Control groups of the process.
fn groups_of(pid: u32) -> Vec<PathBuf> {
    let name = format!("bellwether-{pid}-");
    let mut found = Vec::new();
    for root in [
        "/sys/fs/cgroup",
        "/sys/fs/cgroup/cpu",
        "/sys/fs/cgroup/cpuacct",
    ] {
        for entry in fs::read_dir(root).into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&name) {
                found.push(entry.path());
            }
        }
    }
    found
}

#[test]
fn a_demo_that_is_interrupted_leaves_nothing() {
    if let Err(reason) = capabilities() {
        skipped(format_args!("no test bed here: {reason:#}"));
        return;
    }
    for name in ["INT", "TERM"] {
        let Started {
            mut child,
            folder,
            _output,
        } = Started::new();
        assert!(
            processes_in(&folder).len() >= 5,
            "libvirtd, collectd and three machines"
        );
        assert!(!groups_of(child.id()).is_empty());
        signal(child.id(), name).unwrap();
        assert!(!child.wait().unwrap().success());
        assert_eq!(
            processes_in(&folder),
            Vec::<String>::new(),
            "after SIG{name}"
        );
        assert_eq!(
            groups_of(child.id()),
            Vec::<PathBuf>::new(),
            "after SIG{name}"
        );
        assert!(!folder.exists(), "after SIG{name}");
    }
}

#[test]
fn a_demo_that_is_killed_leaves_no_process_and_the_next_test_bed_sweeps_the_rest() {
    let tools = match capabilities() {
        Ok(tools) => tools,
        Err(reason) => {
            skipped(format_args!("no test bed here: {reason:#}"));
            return;
        }
    };
    let Started {
        mut child,
        folder,
        _output,
    } = Started::new();
    signal(child.id(), "KILL").unwrap();
    child.wait().unwrap();
    let gone = wait_for(Duration::from_secs(10), || {
        processes_in(&folder).is_empty().then_some(())
    });
    assert!(gone.is_some(), "{:?}", processes_in(&folder));
    assert!(folder.exists(), "what a kill leaves is there to be swept");
    drop(TestBed::new(tools).unwrap());
    assert!(!folder.exists());
    assert_eq!(groups_of(child.id()), Vec::<PathBuf>::new());
}
