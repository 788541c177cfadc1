//! Runs `virsh`: without a shell, with little of the environment, within limits of time and output.

use std::time::Duration;

use bellwether_core::text::shortened;
use tokio::process::Command;
use tokio::sync::watch;

use super::super::contract::Failure;
use super::super::process::{Ended, run_command};
use super::node::uuids;
use crate::config::{self, Connections, host_name};

/// What `virsh` and the `ssh` that it starts need of the environment.
const KEPT: [&str; 8] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SSH_AUTH_SOCK",
    "KRB5CCNAME",
    "XDG_CONFIG_HOME",
    "XDG_RUNTIME_DIR",
];
/// Maximum length in bytes of what is cited of its errors.
const ERROR_MAX_BYTES: usize = 400;

/// The program.
#[derive(Debug)]
pub(super) struct Virsh {
    program: String,
    pub(super) connections: Connections,
    timeout: Duration,
    output_max: usize,
}

/// Nobody cancels.
pub(super) fn never() -> watch::Receiver<bool> {
    watch::channel(false).1
}

impl Virsh {
    pub(super) fn new(settings: &config::Libvirt) -> Result<Self, String> {
        Ok(Self {
            program: settings.virsh.clone(),
            connections: settings.connections()?,
            timeout: Duration::from_secs_f64(settings.command_sec),
            output_max: settings.output_kib << 10,
        })
    }

    /// Runs a command of `virsh` on a host; gives its output. A failure has the reason that `virsh` gave.
    pub(super) async fn run(
        &self,
        host: &str,
        arguments: &[&str],
        timeout: Duration,
        cancel: watch::Receiver<bool>,
    ) -> Result<String, NotDone> {
        let name = arguments.first().copied().unwrap_or_default();
        let killed = |why: String| NotDone::Killed(format!("virsh {name} on {host}: {why}"));
        let refused = |why: String| NotDone::Refused(format!("virsh {name} on {host}: {why}"));
        let host = host_name(host).map_err(NotDone::Refused)?;
        let mut command = Command::new(&self.program);
        command.env_clear().env("LC_ALL", "C");
        for name in KEPT {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .args(["-q", "-c", &self.connections.uri(host)])
            .args(arguments);
        let ended = run_command(command, String::new(), timeout, self.output_max, cancel).await;
        let Ended {
            status,
            out,
            err,
            is_cut,
        } = ended.map_err(|Failure(why)| killed(why))?;
        if !status.success() {
            let said = String::from_utf8_lossy(&err);
            let said = said.trim().trim_start_matches("error: ");
            let said = match said {
                "" => status.to_string(),
                said => shortened(said, ERROR_MAX_BYTES),
            };
            return Err(refused(said));
        }
        if is_cut {
            return Err(refused(format!(
                "its output is larger than {} KiB (\"output_kib\")",
                self.output_max >> 10
            )));
        }
        String::from_utf8(out).map_err(|_| refused("its output is no text".into()))
    }

    /// Asks a host something.
    pub(super) async fn ask(&self, host: &str, arguments: &[&str]) -> Result<String, Failure> {
        let answer = self.run(host, arguments, self.timeout, never()).await;
        answer.map_err(|not_done| Failure(not_done.into_reason()))
    }

    /// The UUIDs of a host's active guests, or of those that run.
    pub(super) async fn guests(
        &self,
        host: &str,
        only_running: bool,
    ) -> Result<Vec<String>, Failure> {
        let arguments: &[&str] = match only_running {
            true => &["list", "--uuid", "--state-running"],
            false => &["list", "--uuid"],
        };
        let text = self.ask(host, arguments).await?;
        uuids(&text).map_err(|why| Failure(format!("{host}: {why}")))
    }
}

/// Why a command was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotDone {
    /// It ended with an error, or was not begun.
    Refused(String),
    /// It was killed, so that it may have been done nevertheless.
    Killed(String),
}

impl NotDone {
    pub(super) fn into_reason(self) -> String {
        match self {
            Self::Refused(why) | Self::Killed(why) => why,
        }
    }
}
