//! Runs the command as a user does.

#[path = "../../../records/tests/program/mod.rs"]
mod program;

pub use program::*;

const PROGRAM: &str = env!("CARGO_BIN_EXE_bellwether");
