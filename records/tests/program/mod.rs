//! Runs a command, the `PROGRAM` of the module above, as a user does. Shared by the tests of several crates.
#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

mod skip;

pub use skip::skip;

/// The command with `arguments`, and nothing to read.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(super::PROGRAM);
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

/// `path` in the folder of data and scripts beside the project. Where it is missing, the test is skipped.
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
