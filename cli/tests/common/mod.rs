//! Runs the command as a user does, and the scripts and data that are kept beside the project.
#![allow(dead_code, reason = "not every test wants all of it")]

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The command with `arguments`, and nothing to read.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(arguments: &[&str]) -> Output {
    command(arguments).output().expect("the command starts")
}

/// The standard output of a run that has to succeed.
pub fn stdout(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The exit code and the standard error of a run that has to fail.
pub fn failure(arguments: &[&str]) -> (Option<i32>, String) {
    let output = run(arguments);
    assert!(!output.status.success(), "{arguments:?} has to fail");
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code(), errors)
}

/// What is one value of JSON.
pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

/// Says that a test was skipped, and why: straight to the standard error, since the harness keeps what a passing test prints to
/// itself.
pub fn skip(why: impl Display) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// `path` in the folder of data and scripts beside the project; `None`, said loudly, where it is not there.
pub fn shared(path: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../shared")
        .join(path);
    if !path.exists() {
        skip(format_args!("there is no {}", path.display()));
        return None;
    }
    Some(path)
}

/// A script of that folder, for Python.
pub struct Script(PathBuf);

impl Script {
    /// `None`, said loudly, where it or Python with numpy is not there.
    pub fn find(name: &str) -> Option<Self> {
        let script = shared(&format!("eval/{name}"))?;
        let numpy = Command::new("python3")
            .args(["-c", "import numpy"])
            .output();
        if !numpy.is_ok_and(|output| output.status.success()) {
            skip("there is no python3 with numpy");
            return None;
        }
        Some(Self(script))
    }

    /// What it prints.
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = Command::new("python3")
            .arg(&self.0)
            .args(arguments)
            .output()
            .expect("python3 starts");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {errors}", self.0.display());
        String::from_utf8(output.stdout).expect("UTF-8")
    }
}
