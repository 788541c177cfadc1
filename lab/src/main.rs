//! The command `bellwether-lab`: labeled data to try the detectors with, and how good they are on it.
#![forbid(unsafe_code)]

mod baselines;
mod evaluate;
mod generate;
mod hash;
mod minutes;
mod split;
mod train;
mod tune;

use std::process::ExitCode;

use bellwether_records::command;
use clap::{Parser, Subcommand};

/// Measures and tunes the detectors of bellwether.
///
/// bellwether-lab generates labeled data, evaluates the detectors on them, trains models and searches for options that suit them better. It is a
/// tool for development: "make install" and the packages leave it out. "bellwether" has the commands for operators.
#[derive(Debug, Parser)]
#[command(name = "bellwether-lab", version, after_long_help = command::EXIT_STATUS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Generate data with faults at known places
    #[command(subcommand)]
    Generate(generate::Generate),
    /// Run a detector over labeled data and print how good it is
    #[command(subcommand)]
    Evaluate(evaluate::Evaluate),
    /// Train a model on benign data
    #[command(subcommand)]
    Train(train::Train),
    /// Search for the options of a detector that suit labeled data best
    #[command(subcommand)]
    Tune(tune::Tune),
}

fn main() -> ExitCode {
    command::run(
        |_| {},
        |arguments: Arguments| match arguments.command {
            Command::Generate(what) => what.run(),
            Command::Evaluate(what) => what.run(),
            Command::Train(what) => what.run(),
            Command::Tune(what) => what.run(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        command::definition::<Arguments>().debug_assert();
    }
}
