//! The arguments of the command.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Takes what bellwether reports, decides by a policy with a brake, and has guests moved away from failing hosts.
#[derive(Debug, Parser)]
#[command(name = "bellwether-controller", version)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service.
    Serve {
        #[command(flatten)]
        config: ConfigFile,
        /// Start without the saved state; the audit trail is kept. For a state that cannot be read.
        #[arg(long)]
        forget_state: bool,
    },
    /// Check a configuration and say what it means.
    Check {
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Print the decisions for a recorded stream of events (JSON Lines).
    Replay {
        #[command(flatten)]
        config: ConfigFile,
        /// File with events, one per line; "-" for standard input.
        file: PathBuf,
        /// Print changes of the hosts' health, too.
        #[arg(long)]
        health: bool,
    },
    /// Show suggestions, evacuations, pause and brake of a running controller.
    Status {
        #[command(flatten)]
        server: ServerAt,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Approve a suggestion: its host is evacuated.
    Approve {
        /// The number of the suggestion.
        id: u64,
        #[command(flatten)]
        server: ServerAt,
    },
    /// Dismiss a suggestion.
    Dismiss {
        /// The number of the suggestion.
        id: u64,
        /// What is true of it.
        #[arg(long, default_value = "unclear", value_parser = ["false", "confirmed", "replaced", "unclear"])]
        verdict: String,
        #[command(flatten)]
        server: ServerAt,
    },
    /// Cancel a running evacuation.
    Cancel {
        /// The number of the suggestion.
        id: u64,
        #[command(flatten)]
        server: ServerAt,
    },
    /// Let no evacuation start until "resume".
    Pause {
        /// Why.
        #[arg(long, default_value = "")]
        reason: String,
        #[command(flatten)]
        server: ServerAt,
    },
    /// End the pause.
    Resume {
        #[command(flatten)]
        server: ServerAt,
    },
    /// Release the brake after it has tripped.
    Reset {
        #[command(flatten)]
        server: ServerAt,
    },
    /// Send what standard input has, such as a notification of collectd's plugin exec, to a running controller.
    Send {
        #[command(flatten)]
        server: ServerAt,
    },
}

/// Where the configuration is.
#[derive(Debug, clap::Args)]
pub struct ConfigFile {
    /// File with the configuration; without one, every setting has its default.
    #[arg(long, short, value_name = "FILE", env = "BELLWETHER_CONTROLLER_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Where a running controller is.
#[derive(Debug, clap::Args)]
pub struct ServerAt {
    /// Its address.
    #[arg(
        long,
        default_value = "http://127.0.0.1:9470",
        env = "BELLWETHER_CONTROLLER_URL"
    )]
    pub url: String,
    /// File with the token.
    #[arg(long, value_name = "FILE", env = "BELLWETHER_CONTROLLER_TOKEN_FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the certificate to trust, as PEM.
    #[arg(long, value_name = "FILE", env = "BELLWETHER_CONTROLLER_CA")]
    pub ca: Option<PathBuf>,
    /// Who you are, for the audit trail.
    #[arg(long, env = "USER", default_value = "operator")]
    pub by: String,
}
