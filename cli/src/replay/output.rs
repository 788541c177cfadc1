//! What a replay prints: events and scores, in the order of the files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use bellwether_core::event::Event;
use bellwether_records::progress::{bar, each_in_order};

/// One line of output: the event, and the place in the data at which it was raised.
#[derive(serde::Serialize)]
pub struct Line<'a> {
    #[serde(flatten)]
    pub event: &'a Event,
    pub index: u64,
}

impl Line<'_> {
    /// Adds it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.push(b'\n');
        Ok(())
    }
}

/// One line of a file of scores.
#[derive(serde::Serialize)]
pub struct Score<'a> {
    pub series: &'a str,
    pub index: u64,
    pub score: f64,
}

impl Score<'_> {
    /// Adds it to `out`.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.push(b'\n');
        Ok(())
    }
}

/// What the replay of one file gave.
#[derive(Default)]
pub struct Replayed {
    /// Events, a line each.
    pub lines: Vec<u8>,
    /// Lines for the file of scores.
    pub scores: Vec<u8>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// Replays `files`, several at a time, and prints the events in the order of the files, each as soon as possible.
pub fn in_order(
    files: &[PathBuf],
    jobs: Option<NonZeroUsize>,
    what: &str,
    replay: impl Fn(&Path) -> Result<Replayed> + Sync,
) -> Result<()> {
    in_order_with_scores(files, jobs, what, None, replay)
}

/// [`in_order`], which also writes the scores to a file.
pub fn in_order_with_scores(
    files: &[PathBuf],
    jobs: Option<NonZeroUsize>,
    what: &str,
    scores: Option<&Path>,
    replay: impl Fn(&Path) -> Result<Replayed> + Sync,
) -> Result<()> {
    let mut out = io::stdout().lock();
    let mut scores = scores.map(score_file).transpose()?;
    let bar = bar(files.len(), what);
    each_in_order(files, jobs, &bar, replay, |replayed| {
        for warning in &replayed.warnings {
            bar.suspend(|| eprintln!("bellwether: {warning}"));
        }
        bar.suspend(|| out.write_all(&replayed.lines))?;
        if let Some(scores) = &mut scores {
            scores.write_all(&replayed.scores)?;
        }
        Ok(())
    })?;
    if let Some(mut scores) = scores {
        scores.flush()?;
    }
    Ok(out.flush()?)
}

/// The file that scores are written to.
pub fn score_file(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    Ok(BufWriter::new(file))
}
