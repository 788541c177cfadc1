//! Learning from recorded data of a fleet.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::Result;
use bellwether_core::lad::{Seeds, inference};
use bellwether_records::command::usage;
use bellwether_records::logs::{self, Records};
use bellwether_records::progress::bar;
use bellwether_records::settings::{self, Setting};
use clap::{Args, Subcommand};

const EXAMPLES: &str = "\
Examples:
  bellwether learn logs --out fleet.seeds collected/
  bellwether learn logs --add fleet.seeds --out fleet.seeds /var/log
  bellwether learn logs --add fleet.seeds --list | sort -t$'\\t' -k2,2n | head";

/// What to learn from.
#[derive(Debug, Subcommand)]
pub enum Learn {
    Logs(LearnLogsArguments),
}

/// Learn the templates of a fleet's benign logs
///
/// Each PATH is a log file, a folder of log files, or "-" for the standard input, in any of the forms that "bellwether replay logs"
/// reads. Records in which the lexicon finds anything are left out and counted by family. The result is one file of templates, with
/// the number of records and of hosts of each.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct LearnLogsArguments {
    /// Log files (plain or compressed), folders of log files, or "-" for the standard input
    #[arg(required_unless_present = "add", value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Write the templates to this file
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    out: Option<PathBuf>,

    /// Begin with the templates of this file, made with the same options
    #[arg(long, value_name = "FILE")]
    add: Option<PathBuf>,

    /// Print the templates: a tab-separated row of records, hosts (up to 16) and template each
    #[arg(long)]
    list: bool,

    /// Set an option of the detector, such as lexicon or those of the parser; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::lad)]
    settings: Vec<Setting>,
}

impl Learn {
    /// Learns, and writes what was learned.
    pub fn run(&self) -> Result<()> {
        let Learn::Logs(arguments) = self;
        arguments.run()
    }
}

impl LearnLogsArguments {
    fn run(&self) -> Result<()> {
        let options = settings::lad_options(&self.settings).map_err(usage)?;
        let lexicon = inference(&options).map_err(usage)?;
        let mut seeds = match &self.add {
            Some(path) => Seeds::read(&options, path)?,
            None => Seeds::new(&options).map_err(usage)?,
        };
        if !self.paths.is_empty() {
            let found = logs::find(&self.paths)?;
            let mut warnings = found.warnings.clone();
            let bar = bar(found.groups.len(), "logs");
            for group in &found.groups {
                let mut records = Records::new(group, None);
                while let Some(record) = records.next_record()? {
                    seeds.learn(&lexicon, &record.observation());
                }
                warnings.extend(records.warnings());
                bar.inc(1);
            }
            bar.finish_and_clear();
            for warning in &warnings {
                eprintln!("bellwether: {warning}");
            }
        }
        if let Some(path) = &self.out {
            seeds.save(path)?;
            eprintln!("{}", summary(&seeds));
        }
        if self.list {
            let mut out = BufWriter::new(io::stdout().lock());
            writeln!(out, "records\thosts\ttemplate")?;
            for template in seeds.templates() {
                let (records, hosts) = (template.records, template.hosts);
                writeln!(out, "{records}\t{hosts}\t{}", template.text)?;
            }
            out.flush()?;
        }
        Ok(())
    }
}

/// What was learned and what was not, for a person.
fn summary(seeds: &Seeds) -> String {
    let left_out: Vec<String> = seeds
        .left_out()
        .map(|(family, count)| format!("{} {count}", family.as_str()))
        .collect();
    format!(
        "records: {}\nhosts: {}\ntemplates: {} (evicted: {})\nleft out: {}\nfingerprint: {:08x}",
        seeds.records(),
        seeds.hosts(),
        seeds.templates().count(),
        seeds.evicted(),
        match &left_out[..] {
            [] => "none".to_owned(),
            some => some.join(", "),
        },
        seeds.fingerprint(),
    )
}
