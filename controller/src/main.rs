//! The command `bellwether-controller`.
#![forbid(unsafe_code)]

mod args;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read as _, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow};
use bellwether_controller::client::Client;
use bellwether_controller::config::{Config, explain};
use bellwether_controller::engine::system_clock;
use bellwether_controller::replay::replay;
use bellwether_controller::serve::serve;
use bellwether_controller::store::Store;
use bellwether_controller::{executor, status};
use clap::Parser as _;
use serde_json::json;

use args::{Arguments, Command, ConfigFile, ServerAt};

/// What `send` reads at most.
const SEND_MAX: u64 = 16 << 20;
/// As sysexits.h has it: the configuration is wrong.
const EXIT_CONFIG: u8 = 78;

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("bellwether-controller: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve {
            config,
            forget_state,
        } => {
            let Some(config) = read(&config) else {
                return Ok(ExitCode::from(EXIT_CONFIG));
            };
            if forget_state {
                Store::open(config.store.path.as_deref())?.forget()?;
            }
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .enable_all()
                .build()?;
            runtime.block_on(serve(&config, executor::of_config(&config), system_clock()))?;
        }
        Command::Check { config } => {
            let Some(config) = read(&config) else {
                return Ok(ExitCode::from(EXIT_CONFIG));
            };
            let mut out = io::stdout().lock();
            for line in explain(&config) {
                writeln!(out, "{line}")?;
            }
        }
        Command::Replay {
            config,
            file,
            health,
        } => {
            let Some(config) = read(&config) else {
                return Ok(ExitCode::from(EXIT_CONFIG));
            };
            let out = BufWriter::new(io::stdout().lock());
            let replayed = match file.to_str() {
                Some("-") => replay(&config, io::stdin().lock(), out, health),
                _ => {
                    let input = File::open(&file).with_context(|| file.display().to_string())?;
                    replay(&config, BufReader::new(input), out, health)
                }
            };
            let replayed = replayed.with_context(|| file.display().to_string())?;
            eprintln!(
                "{} entries ({} repeated, {} refused), {} decisions",
                replayed.entries, replayed.repeated, replayed.refused, replayed.decisions
            );
        }
        Command::Status { server, json } => {
            let text = ask(&server, |client| client.get("/v1/suggestions"))?;
            match json {
                true => print!("{text}"),
                false => print!("{}", status::in_words(&text)?),
            }
        }
        Command::Approve { id, server } => {
            order(&server, &format!("suggestions/{id}/approve"), json!({}))?
        }
        Command::Dismiss {
            id,
            verdict,
            server,
        } => {
            let path = format!("suggestions/{id}/dismiss");
            order(&server, &path, json!({ "verdict": verdict }))?;
        }
        Command::Cancel { id, server } => {
            order(&server, &format!("suggestions/{id}/cancel"), json!({}))?
        }
        Command::Pause { reason, server } => order(&server, "pause", json!({ "reason": reason }))?,
        Command::Resume { server } => order(&server, "resume", json!({}))?,
        Command::Reset { server } => order(&server, "reset", json!({}))?,
        Command::Send { server } => {
            let mut body = Vec::new();
            io::stdin().lock().take(SEND_MAX).read_to_end(&mut body)?;
            let media = "application/octet-stream";
            let answer = ask(&server, |client| client.post("/v1/events", media, &body))?;
            print!("{answer}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The configuration; `None` after an error was printed.
fn read(file: &ConfigFile) -> Option<Config> {
    let config = match &file.config {
        None => Ok(Config::default()),
        Some(path) => Config::read(path),
    };
    config
        .inspect_err(|error| {
            let file = file.config.as_deref().unwrap_or("".as_ref());
            eprintln!("bellwether-controller: {}: {error}", file.display());
        })
        .ok()
}

fn ask(server: &ServerAt, ask: impl FnOnce(&Client) -> Result<String, String>) -> Result<String> {
    let client = Client::new(&server.url, server.token_file.as_ref(), server.ca.as_ref());
    ask(&client.map_err(|error| anyhow!(error))?).map_err(|error| anyhow!(error))
}

fn order(server: &ServerAt, path: &str, mut body: serde_json::Value) -> Result<()> {
    body["by"] = server.by.as_str().into();
    let body = body.to_string();
    let path = format!("/v1/{path}");
    let answer = ask(server, |client| {
        client.post(&path, "application/json", body.as_bytes())
    })?;
    print!("{}", status::decisions(&answer)?);
    Ok(())
}
