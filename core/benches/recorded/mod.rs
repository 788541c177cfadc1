//! Recorded logs for benchmarks.

use std::io::Read as _;

/// The VM failure logs, if available.
const LOGS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/data/vm-failure-logs/logs"
);

/// The messages of the recorded logs, one log after the other, if they are available.
pub fn recorded() -> Option<impl Iterator<Item = String>> {
    let mut files: Vec<_> = std::fs::read_dir(LOGS)
        .ok()?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    files.sort();
    let texts = files.into_iter().filter_map(|file| {
        let mut text = String::new();
        flate2::read::GzDecoder::new(std::fs::File::open(file).ok()?)
            .read_to_string(&mut text)
            .ok()?;
        Some(text)
    });
    let mut messages = texts
        .flat_map(|text| {
            let messages = text.lines().filter_map(|line| line.split_once(": "));
            let messages: Vec<_> = messages.map(|(_, message)| message.to_owned()).collect();
            messages
        })
        .peekable();
    messages.peek()?;
    Some(messages)
}
