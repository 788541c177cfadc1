//! The templates of recorded logs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context as _, Result};
use bellwether_core::drain::{DrainOptions, Miner};
use bellwether_core::inference::{Finding, Inference as _, Lexicon};
use clap::CommandFactory as _;
use clap::error::ErrorKind;

use crate::args::{Arguments, TemplatesArguments};
use crate::log_line::LogLine;
use crate::logs;

/// Finds the templates of files of log lines and prints them.
pub fn print(arguments: &TemplatesArguments) -> Result<()> {
    let mut miner = miner(arguments)?;
    let files = logs::files(&arguments.paths)?;
    let assign = arguments.assign.as_ref();
    let of_assign = || assign.map_or(String::new(), |path| path.display().to_string());
    let mut ids = match assign {
        Some(path) => Some(BufWriter::new(File::create(path).with_context(of_assign)?)),
        None => None,
    };
    let lexicon = Lexicon::builtin();
    // The worst that was found in a line of a template.
    let mut verdicts: BTreeMap<u64, Finding> = BTreeMap::new();
    for file in &files {
        logs::each_line(file, |line| {
            let message = LogLine::parse(line, 1970).text;
            let id = miner.add(message).cluster;
            if let Some(ids) = &mut ids {
                writeln!(ids, "{id}").with_context(of_assign)?;
            }
            if let Some(finding) = lexicon.judge(message, "") {
                let worse = |known: &Finding| finding.severity > known.severity;
                if verdicts.get(&id).is_none_or(worse) {
                    verdicts.insert(id, finding);
                }
            }
            Ok(())
        })?;
    }
    if let Some(mut ids) = ids {
        ids.flush().with_context(of_assign)?;
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
    Ok(Miner::new(options)
        .map_err(|e| Arguments::command().error(ErrorKind::ValueValidation, e.to_string()))?)
}
