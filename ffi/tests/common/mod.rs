//! Compiles C programs against this library and runs them.

use std::env;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Warnings that a program built against the header may turn on, and that then must not come.
pub const WARNINGS: [&str; 5] = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror"];

/// Says that a test was skipped, and why: straight to the standard error, since the harness keeps what a passing test prints to
/// itself.
pub fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The folder that the tests' own library was built into. Cargo builds it before them, and it lies beside them.
pub fn built() -> PathBuf {
    let program = env::current_exe().expect("the system knows this program");
    let folder = program.parent().expect("a program is in a folder");
    for name in ["libbellwether.so", "libbellwether.so.0", "libbellwether.a"] {
        let path = folder.join(name);
        assert!(path.exists(), "cargo should have made {}", path.display());
    }
    folder.to_owned()
}

/// The package's folder, with `path` in it.
pub fn in_package(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Runs `command` and gives what it printed.
///
/// # Panics
/// With what it printed, where it cannot be started or fails.
pub fn succeed(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

/// A compiler command: the one in the environment's `variable`, or `usual`.
pub fn compiler(variable: &str, usual: &str) -> Command {
    Command::new(env::var_os(variable).unwrap_or_else(|| usual.into()))
}

/// Compiles the C program `source` into `program`, with `more` as further arguments.
pub fn compile_c(source: &Path, program: &Path, more: &[&OsStr]) {
    succeed(
        compiler("CC", "cc")
            .args(["-std=c11", "-D_POSIX_C_SOURCE=200809L", "-g", "-pthread"])
            .args(WARNINGS)
            .arg("-o")
            .args([program, source])
            .args(more),
    );
}
