//! Recorded logs, replayed, as a report shows them.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use bellwether_core::event::{EventKind, State};
use bellwether_core::lad::{Detector, LadOptions, Record, SharedInference};
use bellwether_core::units::Time;
use bellwether_records::logs;

use super::model::{Host, Log, Records, nothing_in, take};

/// The most templates of an episode that are listed.
const TEMPLATES_MAX: usize = 32;
/// The longest sample that is shown, characters.
const SAMPLE_MAX: usize = 400;

/// Replays a file into what a report shows of its host; also returns warnings for the user.
///
/// # Errors
/// A file that cannot be read.
pub fn replay(
    file: &Path,
    options: &LadOptions,
    lexicon: &SharedInference,
    year: Option<i16>,
) -> Result<(Host, Vec<String>)> {
    let name = logs::series(file);
    let mut host = Host {
        name: name.clone(),
        ..Host::default()
    };
    let mut log = Log::default();
    let mut open: HashMap<EventKind, usize> = HashMap::new();
    let mut detector = Detector::with_inference(options.clone(), lexicon.clone())?;
    let untimed = logs::each_record(file, year, |time, line| {
        let observed = detector.observe(&Record {
            stream: &name,
            time: Time::from_secs(time),
            text: line.text,
            priority: line.priority,
            source: line.source(),
        });
        log.records.push((time, observed.alarm));
        while let Some(event) = detector.next_event() {
            let (kind, state) = (event.kind(), event.state);
            take(&mut host.incidents, event);
            match state {
                State::Raised => open.insert(kind, host.incidents.len() - 1),
                State::Cleared => open.remove(&kind),
            };
        }
        if observed.alarm
            && let Some(at) = open.get(&EventKind::LogFailure)
        {
            let template = detector.template(&name, observed.template_id);
            let template = template.unwrap_or_default();
            let records = &mut host.incidents[*at].records;
            count(records, observed.template_id, template, line.text);
        }
        Ok(())
    })?;
    log.templates = detector.counters().templates;
    for incident in &mut host.incidents {
        incident.records.sort_by_key(|r| std::cmp::Reverse(r.count));
    }
    let mut warnings = Vec::new();
    if log.records.is_empty() {
        warnings.push(nothing_in(file, "a line"));
    }
    if untimed > 0 {
        warnings.push(format!(
            "{}: lines without a time, read whole and at the time of the line before: {untimed}",
            file.display()
        ));
    }
    host.log = Some(log);
    Ok((host, warnings))
}

/// Counts a failing record with those of its template.
fn count(records: &mut Vec<Records>, template_id: u64, template: &str, text: &str) {
    match records.iter().position(|r| r.template_id == template_id) {
        Some(at) => {
            let known = &mut records[at];
            known.count += 1;
            // A template grows more general with the records that it takes in.
            if known.template != template {
                template.clone_into(&mut known.template);
            }
        }
        None if records.len() < TEMPLATES_MAX => records.push(Records {
            template_id,
            template: template.to_owned(),
            count: 1,
            sample: text.chars().take(SAMPLE_MAX).collect(),
        }),
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::lad::inference;

    #[test]
    fn an_episode_lists_its_records_by_template_the_most_frequent_first() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host-1.log");
        let mut lines = String::new();
        for i in 0..30 {
            lines += &format!("2024-02-05T12:00:{i:02}Z host-1 cron[1]: session {i} opened\n");
        }
        lines += "2024-02-05T12:01:00Z host-1 kernel: Out of memory: Killed process 17 (qemu)\n";
        for i in 0..3 {
            lines += &format!(
                "2024-02-05T12:01:0{i}Z host-1 kernel: Buffer I/O error on dev sda1, logical block {i}\n"
            );
        }
        std::fs::write(&file, lines).unwrap();
        let options = LadOptions::default();
        let lexicon = inference(&options).unwrap();
        let (host, warnings) = replay(&file, &options, &lexicon, None).unwrap();
        assert!(warnings.is_empty());
        let log = host.log.unwrap();
        assert_eq!(log.records.len(), 34);
        assert_eq!(log.records.iter().filter(|(_, failed)| *failed).count(), 4);
        assert_eq!(host.incidents.len(), 1);
        let counts: Vec<_> = host.incidents[0]
            .records
            .iter()
            .map(|r| (r.count, r.sample.as_str()))
            .collect();
        assert_eq!(
            counts,
            [
                (3, "Buffer I/O error on dev sda1, logical block 0"),
                (1, "Out of memory: Killed process 17 (qemu)")
            ]
        );
    }
}
