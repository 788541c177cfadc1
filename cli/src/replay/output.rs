//! What a replay prints: events and scores, in the order of the files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context as _, Result};
use bellwether_core::event::Event;
use bellwether_records::progress::{ProgressBar, bar, each_in_order};

/// One line of output: the event, and the place in the data at which it was raised.
#[derive(serde::Serialize)]
pub struct Line<'a> {
    #[serde(flatten)]
    pub event: &'a Event,
    /// The file, where the events of several have the same subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<&'a str>,
    pub index: u64,
}

impl Line<'_> {
    /// Adds it to `out`.
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        Ok(out.write_all(b"\n")?)
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
    pub fn write(&self, out: &mut impl Write) -> Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        Ok(out.write_all(b"\n")?)
    }
}

/// What the replay of one file, or of files that belong together, gave.
#[derive(Default)]
pub struct Replayed {
    /// The hypervisors that it has, and the files of each, for messages.
    pub hypervisors: Vec<(String, String)>,
    /// Events, a line each.
    pub lines: Vec<u8>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// Replays `items`, such as files, several at a time, and prints the events in their order, each as soon as possible.
pub fn in_order<I: Sync>(
    items: &[I],
    jobs: Option<NonZeroUsize>,
    what: &str,
    replay: impl Fn(&I) -> Result<Replayed> + Sync,
    mut check: impl FnMut(&Replayed) -> Result<()>,
) -> Result<()> {
    let bar = bar(items.len(), what);
    let mut out = io::stdout().lock();
    each_in_order(items, jobs, &bar, replay, |replayed: Replayed| {
        check(&replayed)?;
        warn(&bar, &replayed.warnings);
        Ok(bar.suspend(|| out.write_all(&replayed.lines))?)
    })?;
    Ok(out.flush()?)
}

/// Prints warnings above a progress bar.
pub fn warn(bar: &ProgressBar, warnings: &[String]) {
    for warning in warnings {
        bar.suspend(|| eprintln!("bellwether: {warning}"));
    }
}

/// The file that scores are written to.
pub fn score_file(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    Ok(BufWriter::new(file))
}
