//! The options of a detector in the forms in which people and programs read them.

use std::fmt::Write as _;

use anyhow::Result;
use bellwether_core::drain::DrainOptions;
use bellwether_core::had::HadOptions;
use bellwether_core::lad::LadOptions;
use bellwether_core::options::{Spec, camel_case, markdown_table};
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct OptionsArguments {
    /// The detector
    #[arg(value_enum)]
    detector: DetectorName,
    /// The output format
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Print the names as they are in collectd.conf: WindowLongSz for window_long_sz
    #[arg(long)]
    camel_case: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum DetectorName {
    /// Hypervisor anomaly detection, on metrics of VMs
    Had,
    /// Log anomaly detection, on the log of a host
    Lad,
    /// The log parser, which finds the templates of log lines
    Drain,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// Plain text
    Text,
    /// A table in Markdown
    Markdown,
    /// A JSON array of objects
    Json,
}

/// The table of the options of a detector.
pub fn table(arguments: &OptionsArguments) -> Result<String> {
    let specs = match arguments.detector {
        DetectorName::Had => HadOptions::SPECS,
        DetectorName::Lad => LadOptions::SPECS,
        DetectorName::Drain => DrainOptions::SPECS,
    };
    let rename = |name: &str| {
        if arguments.camel_case {
            camel_case(name)
        } else {
            name.to_owned()
        }
    };
    match arguments.format {
        Format::Text => Ok(text(specs, rename)),
        Format::Markdown => Ok(markdown_table(specs, rename)),
        Format::Json => json(specs, rename),
    }
}

fn text(specs: &[Spec], rename: impl Fn(&str) -> String) -> String {
    let mut out = String::new();
    for spec in specs {
        let unit = match spec.unit {
            "" => String::new(),
            unit => format!(", {unit}"),
        };
        let (name, kind, allowed) = (rename(spec.name), spec.kind.name(), spec.kind.allowed());
        writeln!(out, "{name} = {}", spec.default).expect("writing to a string cannot fail");
        writeln!(out, "    {}", spec.help).expect("writing to a string cannot fail");
        writeln!(out, "    {kind}: {allowed}{unit}\n").expect("writing to a string cannot fail");
    }
    out.pop();
    out
}

fn json(specs: &[Spec], rename: impl Fn(&str) -> String) -> Result<String> {
    let objects: Vec<_> = specs
        .iter()
        .map(|spec| {
            serde_json::json!({
                "name": rename(spec.name),
                "type": spec.kind.name(),
                "default": spec.default,
                "allowed": spec.kind.allowed(),
                "unit": spec.unit,
                "help": spec.help,
            })
        })
        .collect();
    Ok(serde_json::to_string_pretty(&objects)? + "\n")
}
