//! What the command lines of all programs have in common: parsing, errors, output, exit status.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::Result;
use clap::error::ErrorKind;
use clap::{Command, Parser};

/// The exit statuses of [`run`], for the end of the help.
pub const EXIT_STATUS: &str = "\
Exit status: 0 on success, also when the reader of the output closes it early; 1 when data cannot be read or written; 2 when the \
command line is wrong.";

/// Parses the command line and runs `command` with it. Prints errors after the program's name. `explain` may add a hint to an
/// error in the command line.
pub fn run<A: Parser>(
    explain: impl FnOnce(&mut clap::Error),
    command: impl FnOnce(A) -> Result<()>,
) -> ExitCode {
    let mut definition = definition::<A>();
    let arguments = definition
        .clone()
        .try_get_matches()
        .and_then(|matches| A::from_arg_matches(&matches));
    let result = match arguments {
        Ok(arguments) => command(arguments),
        Err(mut error) => {
            explain(&mut error);
            error.exit();
        }
    };
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    if is_broken_pipe(&error) {
        return ExitCode::SUCCESS;
    }
    match error.downcast::<clap::Error>() {
        Ok(error) => error.format(&mut definition).exit(),
        Err(error) => {
            eprintln!("{}: {error:#}", definition.get_name());
            ExitCode::FAILURE
        }
    }
}

/// The definition of a command line. Options take negative numbers as values, so that an error is about the value; otherwise clap
/// would report an unknown option.
pub fn definition<A: Parser>() -> Command {
    with_negative_numbers(A::command())
}

fn with_negative_numbers(command: Command) -> Command {
    command
        .mut_args(|argument| {
            let takes_value = argument.get_action().takes_values() && !argument.is_positional();
            argument.allow_negative_numbers(takes_value)
        })
        .mut_subcommands(with_negative_numbers)
}

/// An error in the command line that shows only once the arguments are put together. [`run`] prints it with the usage and exits
/// with status 2.
pub fn usage(message: impl Display) -> clap::Error {
    clap::Error::raw(ErrorKind::ValueValidation, message)
}

/// Prints to the standard output.
///
/// # Errors
/// An output that cannot be written to.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// Whether the reader of the output closed it, as `head` does.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Parser)]
    struct Arguments {
        #[arg(long)]
        number: Option<u32>,
    }

    #[test]
    fn a_negative_number_is_a_value_and_not_an_option() {
        let error = definition::<Arguments>()
            .try_get_matches_from(["program", "--number", "-3"])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("invalid value '-3' for '--number"),
            "{error}"
        );
    }
}
