//! The command line. Help, completions and man pages are made from it.

use std::path::PathBuf;

use bellwether_records::command;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Parser, Subcommand};

use crate::learn::Learn;
use crate::options::OptionsArguments;
use crate::replay::Replay;
use crate::report::ReportArguments;
use crate::templates::TemplatesArguments;

/// The commands of `bellwether-lab`, which an operator may look for here.
const OF_THE_LAB: [&str; 3] = ["evaluate", "generate", "tune"];

/// Tells a failing hypervisor from a busy guest.
///
/// bellwether watches the VMs of a hypervisor. One VM that changes is a workload; many that change together are the host. It also
/// reads the host's log, which often reports a failure first. This command runs recorded metrics and logs through the detectors of
/// the plugins.
#[derive(Debug, Parser)]
#[command(name = "bellwether", version, after_long_help = command::EXIT_STATUS)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run recorded data through a detector and print its events
    #[command(subcommand)]
    Replay(Replay),
    /// Learn from recorded data of a fleet
    #[command(subcommand)]
    Learn(Learn),
    Templates(TemplatesArguments),
    Report(ReportArguments),
    /// Print the options of a detector with types, defaults and allowed values
    Options(OptionsArguments),
    /// Print the completions for a shell
    ///
    /// For bash: bellwether completions bash > /etc/bash_completion.d/bellwether
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write all of them
    Man {
        /// Write one page per command into this folder instead; it is created if missing
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// Adds to the error about an unknown command where that command is.
pub fn point_to_the_lab(error: &mut clap::Error) {
    let unknown = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(name)) if error.kind() == ErrorKind::InvalidSubcommand => name,
        _ => return,
    };
    if OF_THE_LAB.contains(&unknown.as_str()) {
        let tip = format!(
            "'{unknown}' is a command of bellwether-lab, which is built from the source and not installed: \
             cargo run --release -p bellwether-lab -- {unknown} --help"
        );
        // What clap finds similar would lead astray.
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(
            ContextKind::Suggested,
            ContextValue::StyledStrs(vec![StyledStr::from(tip)]),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }
}
