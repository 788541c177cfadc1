//! Runs the commands as a user does, and the scripts that are kept beside the project.
#![allow(dead_code, reason = "not every test needs all of it")]

#[path = "../../../records/tests/program/mod.rs"]
mod program;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

pub use program::*;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bellwether-lab");

/// `bellwether`, the command for operators, which is built first.
pub fn bellwether_program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(PROGRAM).parent().expect("cargo's target folder");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--manifest-path"]);
        build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml"));
        // As "make test" builds it, so that nothing is built twice.
        build.args(["--workspace", "--target-dir"]);
        build.arg(folder.parent().expect("cargo's target folder"));
        if folder.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo starts");
        assert!(status.success(), "bellwether is built");
        folder.join("bellwether")
    })
}

/// The standard output of `bellwether`, the command for operators. The run has to succeed.
pub fn bellwether(arguments: &[&str]) -> String {
    let output = Command::new(bellwether_program())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// A script of that folder, for Python.
pub struct Script(PathBuf);

impl Script {
    /// Where it or Python with numpy is missing, the test is skipped.
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

    /// A script that needs nothing but Python.
    pub fn find_plain(name: &str) -> Option<Self> {
        let script = shared(&format!("eval/{name}"))?;
        let python = Command::new("python3").arg("--version").output();
        if !python.is_ok_and(|output| output.status.success()) {
            skip("there is no python3");
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
