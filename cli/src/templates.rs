//! The templates of recorded logs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bellwether_core::drain::{DrainOptions, Miner};
use bellwether_core::inference::{Finding, Inference as _, Lexicon};
use bellwether_records::command::usage;
use bellwether_records::logs::{self, Records};
use bellwether_records::settings::{self, Setting};
use clap::Args;

const EXAMPLES: &str = "\
Examples:
  bellwether templates /var/log/syslog /var/log/syslog.2.gz
  journalctl -o json -b | bellwether templates -
  bellwether templates --set sim_th=0.5 --assign clusters.txt recorded/ | sort -t$'\\t' -k2,2nr | head

\"bellwether options drain\" lists the options for --set.";

/// Print the templates of log lines with line counts and severities
///
/// Each PATH is a log file, a folder of log files, or "-" for the standard input, in any of the forms that "bellwether replay logs"
/// reads. Of each record only the message is parsed. Invalid UTF-8 is replaced.
///
/// The output has a tab-separated row per template, in the order of their first lines, below a heading: the id; the number of lines;
/// the highest severity of its lines, 0 to 1, and the family of that failure, or 0 and "-"; the template.
#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub struct TemplatesArguments {
    /// Log files (plain or compressed), folders of log files, or "-" for the standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,

    /// Set an option of the parser; repeat it for several options
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = settings::drain)]
    settings: Vec<Setting>,

    /// Write the id of each line's template to this file, one per line; 0 for a line that begins no record
    #[arg(long, value_name = "FILE")]
    assign: Option<PathBuf>,
}

/// Finds the templates of files of log lines and prints them.
pub fn print(arguments: &TemplatesArguments) -> Result<()> {
    let mut miner = miner(arguments)?;
    let found = logs::find(&arguments.paths)?;
    let mut warnings = found.warnings.clone();
    let assign = arguments.assign.as_ref();
    let of_assign = || assign.map_or(String::new(), |path| path.display().to_string());
    let mut ids = match assign {
        Some(path) => Some(BufWriter::new(File::create(path).with_context(of_assign)?)),
        None => None,
    };
    let lexicon = Lexicon::builtin();
    // The worst finding in a line of each template.
    let mut verdicts: BTreeMap<u64, Finding> = BTreeMap::new();
    for log in found.groups.iter().flatten() {
        let mut records = Records::new(std::slice::from_ref(log), None);
        let (mut file, mut line) = (None, 0);
        while let Some(record) = records.next_record()? {
            let message = record.text.as_str();
            let id = miner.add(message).cluster;
            if let Some(ids) = &mut ids {
                if file.as_ref() != Some(&record.series) {
                    (file, line) = (Some(record.series.clone()), 0);
                }
                // Lines before it that are no records have no template.
                for _ in line..record.index {
                    writeln!(ids, "0").with_context(of_assign)?;
                }
                if record.index >= line {
                    writeln!(ids, "{id}").with_context(of_assign)?;
                }
                line = record.index + 1;
            }
            if let Some(finding) = lexicon.read(&record.message().with_priority(None)).finding {
                let worse = |known: &Finding| finding.severity > known.severity;
                if verdicts.get(&id).is_none_or(worse) {
                    verdicts.insert(id, finding);
                }
            }
        }
        warnings.extend(records.warnings());
    }
    if let Some(mut ids) = ids {
        ids.flush().with_context(of_assign)?;
    }

    for warning in &warnings {
        eprintln!("bellwether: {warning}");
    }
    let mut clusters: Vec<_> = miner.clusters().collect();
    clusters.sort_unstable_by_key(|cluster| cluster.id);
    let mut out = BufWriter::new(io::stdout().lock());
    writeln!(out, "id\tlines\tseverity\tfamily\ttemplate")?;
    for cluster in clusters {
        let (severity, family) = verdicts
            .get(&cluster.id)
            .map_or((0.0, "-"), |found| (found.severity, found.family.as_str()));
        writeln!(
            out,
            "{}\t{}\t{severity}\t{family}\t{}",
            cluster.id, cluster.size, cluster.template
        )?;
    }
    Ok(out.flush()?)
}

fn miner(arguments: &TemplatesArguments) -> Result<Miner> {
    let mut options = DrainOptions::default();
    for setting in &arguments.settings {
        options.set(&setting.name, &setting.value)?;
    }
    Ok(Miner::new(options).map_err(usage)?)
}
