//! The command `bellwether`: what the detectors find in recorded data, and how they are set.
#![forbid(unsafe_code)]

mod args;
mod document;
mod learn;
mod options;
mod replay;
mod report;
mod templates;

use std::process::ExitCode;

use anyhow::Result;
use bellwether_records::command;

use args::{Arguments, Command};

fn main() -> ExitCode {
    command::run(args::point_to_the_lab, |arguments: Arguments| {
        run(arguments.command)
    })
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Replay(what) => what.run(),
        Command::Learn(what) => what.run(),
        Command::Templates(arguments) => templates::print(&arguments),
        Command::Report(arguments) => report::report(&arguments),
        Command::Options(arguments) => command::print(&options::table(&arguments)?),
        Command::Completions { shell } => command::print(&document::completions(shell)),
        Command::Man { out: None } => command::print(&document::man_page()?),
        Command::Man { out: Some(folder) } => document::man_pages(&folder),
    }
}
