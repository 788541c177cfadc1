//! Recorded data through a detector: files in, events as JSON Lines out.

pub mod feed;
pub mod keys;
pub mod logs;
pub mod metrics;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use anyhow::{Context as _, Result};
use bellwether_core::event::Event;
use indicatif::{ProgressBar, ProgressStyle};

/// One line of output: the event, and the place in the data at which it was raised.
#[derive(serde::Serialize)]
struct Line<'a> {
    #[serde(flatten)]
    event: &'a Event,
    index: u64,
}

impl Line<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.push(b'\n');
        Ok(())
    }
}

/// One line of a file of scores.
#[derive(serde::Serialize)]
struct Score<'a> {
    series: &'a str,
    index: u64,
    score: f64,
}

impl Score<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        serde_json::to_writer(&mut *out, self)?;
        out.push(b'\n');
        Ok(())
    }
}

/// What one file came to.
#[derive(Default)]
struct Replayed {
    lines: Vec<u8>,
    /// Lines for the file of scores.
    scores: Vec<u8>,
    /// What the user should know although it is no error.
    warnings: Vec<String>,
}

/// Replays `files`, several at a time, and prints what comes of them in their order, as soon as it can be.
fn in_order(
    files: &[PathBuf],
    jobs: Option<NonZeroUsize>,
    what: &str,
    replay: impl Fn(&Path) -> Result<Replayed> + Sync,
) -> Result<()> {
    in_order_with_scores(files, jobs, what, None, replay)
}

/// [`in_order`], which also writes the scores to a file.
fn in_order_with_scores(
    files: &[PathBuf],
    jobs: Option<NonZeroUsize>,
    what: &str,
    scores: Option<&Path>,
    replay: impl Fn(&Path) -> Result<Replayed> + Sync,
) -> Result<()> {
    let mut out = io::stdout().lock();
    let mut scores = scores.map(score_file).transpose()?;
    let bar = progress(files.len(), what);
    with_progress(files, jobs, &bar, replay, |replayed| {
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

/// Reads `files`, several at a time, and hands what comes of them to `each` in their order, as soon as it can be.
///
/// # Errors
/// The first that `read` or `each` gives.
pub fn each_in_order<T: Send>(
    files: &[PathBuf],
    jobs: Option<NonZeroUsize>,
    what: &str,
    read: impl Fn(&Path) -> Result<T> + Sync,
    each: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    with_progress(files, jobs, &progress(files.len(), what), read, each)
}

fn with_progress<T: Send>(
    files: &[PathBuf],
    jobs: Option<NonZeroUsize>,
    progress: &ProgressBar,
    read: impl Fn(&Path) -> Result<T> + Sync,
    mut each: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let jobs = jobs
        .or_else(|| thread::available_parallelism().ok())
        .map_or(1, NonZeroUsize::get)
        .min(files.len());
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..jobs {
            let (sender, next, read) = (sender.clone(), &next, &read);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(file) = files.get(at) else { break };
                    // The receiver is gone after an error: nobody wants the rest.
                    if sender.send((at, read(file))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut waiting = BTreeMap::new();
        let mut done = 0;
        for (at, result) in receiver {
            waiting.insert(at, result);
            while let Some(result) = waiting.remove(&done) {
                each(result?)?;
                progress.inc(1);
                done += 1;
            }
        }
        Ok::<_, anyhow::Error>(())
    })?;
    progress.finish_and_clear();
    Ok(())
}

/// The file that scores are written to.
fn score_file(path: &Path) -> Result<BufWriter<File>> {
    let file = File::create(path).with_context(|| path.display().to_string())?;
    Ok(BufWriter::new(file))
}

/// Progress on the standard error, drawn only where that is a terminal.
pub fn progress(files: usize, what: &str) -> ProgressBar {
    let template = format!("{{bar:40}} {{pos}}/{{len}} {what}, {{eta}} left");
    let style = ProgressStyle::with_template(&template).expect("the template is valid");
    ProgressBar::new(files as u64).with_style(style)
}
