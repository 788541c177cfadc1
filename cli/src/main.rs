//! The command `bellwether`: what the detectors find in recorded data, and how they are set.
#![forbid(unsafe_code)]

mod args;
mod baselines;
mod document;
mod evaluate;
mod files;
mod generate;
mod log_line;
mod logs;
mod options;
mod replay;
mod report;
mod series;
mod templates;
mod tune;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;

use args::{Command, Replay};

fn main() -> ExitCode {
    let command = args::parse().command;
    match run(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(usage) = error.downcast_ref::<clap::Error>() {
                usage.exit();
            }
            eprintln!("bellwether: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    match command {
        Command::Replay(Replay::Metrics(arguments)) => replay::metrics::metrics(&arguments),
        Command::Replay(Replay::Logs(arguments)) => replay::logs::print(&arguments),
        Command::Replay(Replay::Keys(arguments)) => replay::keys::keys(&arguments),
        Command::Evaluate(arguments) => evaluate::run(&arguments),
        Command::Tune(arguments) => arguments.run(),
        Command::Templates(arguments) => templates::print(&arguments),
        Command::Generate(what) => what.run(),
        Command::Report(arguments) => report::report(&arguments),
        Command::Options(arguments) => print(&options::table(&arguments)?),
        Command::Completions { shell } => print(&document::completions(shell)),
        Command::Man { out: None } => print(&document::man_page()?),
        Command::Man { out: Some(folder) } => document::man_pages(&folder),
    }
}

fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Whether whoever reads the output has had enough, as `head` does: no failure of ours.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}
