//! Recorded logs, replayed, as a report shows them.

use std::collections::HashMap;

use anyhow::Result;
use bellwether_core::event::IncidentId;
use bellwether_core::lad::{Detector, LadOptions, Record, SharedInference};
use bellwether_records::log_files::Log as RecordedLog;
use bellwether_records::logs;

use bellwether_report::model::{Host, Log, Records, nothing_in, take};

/// The most templates of an episode that are listed.
const TEMPLATES_MAX: usize = 32;
/// The longest sample that is shown, characters.
const SAMPLE_MAX: usize = 400;

/// Replays logs that are read together into what a report shows of their hosts; also returns warnings for the user.
///
/// # Errors
/// A file that cannot be read.
pub fn replay(
    logs: &[RecordedLog],
    options: &LadOptions,
    lexicon: &SharedInference,
    year: Option<i16>,
) -> Result<(Vec<Host>, Vec<String>)> {
    let mut hosts: Vec<Replayed> = Vec::new();
    let mut at: HashMap<String, usize> = HashMap::new();
    let mut detector = Detector::with_inference(options.clone(), lexicon.clone())?;
    let mut records = logs::Records::new(logs, year);
    while let Some(record) = records.next_record()? {
        let stream = record.stream();
        let at = match at.get(stream) {
            Some(at) => *at,
            None => {
                at.insert(stream.to_owned(), hosts.len());
                hosts.push(Replayed::new(stream));
                hosts.len() - 1
            }
        };
        let Replayed { host, log, open } = &mut hosts[at];
        let observed = detector.observe(&Record {
            stream,
            ..record.observation()
        });
        log.records.push((record.time, observed.alarm));
        // Templates are numbered from 1.
        log.templates = log.templates.max(observed.template_id);
        while let Some(event) = detector.next_event() {
            take(&mut host.incidents, event);
        }
        if let Some(incident) = observed.incident {
            let template = detector.template(stream, observed.template_id);
            let template = template.unwrap_or_default();
            let records = open.entry(incident).or_default();
            count(records, observed.template_id, template, &record.text);
        }
    }
    detector.finish();
    while let Some(event) = detector.next_event() {
        let at = at.get(event.hypervisor()).copied();
        if let Some(at) = at {
            take(&mut hosts[at].host.incidents, event);
        }
    }
    let mut warnings = records.warnings();
    if hosts.is_empty() {
        let files = logs.iter().flat_map(|log| &log.files);
        warnings = files.map(|file| nothing_in(&file.path, "a line")).collect();
    }
    Ok((hosts.into_iter().map(Replayed::finish).collect(), warnings))
}

/// A host whose log is being replayed.
struct Replayed {
    host: Host,
    log: Log,
    /// The failing records of each incident.
    open: HashMap<IncidentId, Vec<Records>>,
}

impl Replayed {
    fn new(name: &str) -> Self {
        Self {
            host: Host {
                name: name.to_owned(),
                ..Host::default()
            },
            log: Log::default(),
            open: HashMap::new(),
        }
    }

    fn finish(self) -> Host {
        let (mut host, mut open) = (self.host, self.open);
        for incident in &mut host.incidents {
            if let Some(records) = open.remove(&incident.event.incident) {
                incident.records = records;
            }
            incident.records.sort_by_key(|r| std::cmp::Reverse(r.count));
        }
        host.log = Some(self.log);
        host
    }
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
        lines += "2024-02-05T12:01:00Z host-1 kernel: I/O error, dev sda, sector 17\n";
        for i in 0..3 {
            lines += &format!(
                "2024-02-05T12:01:0{i}Z host-1 kernel: Buffer I/O error on dev sda1, logical block {i}\n"
            );
        }
        std::fs::write(&file, lines).unwrap();
        let options = LadOptions::default();
        let lexicon = inference(&options).unwrap();
        let found = logs::find(&[file]).unwrap();
        let (hosts, warnings) = replay(&found.groups[0], &options, &lexicon, None).unwrap();
        assert!(warnings.is_empty());
        let [host] = &hosts[..] else {
            panic!("the file names one host")
        };
        let log = host.log.as_ref().unwrap();
        assert_eq!(log.records.len(), 34);
        assert_eq!(log.records.iter().filter(|(_, failed)| *failed).count(), 4);
        assert_eq!(host.incidents.len(), 1);
        let records = host.incidents[0].records.iter();
        let counts: Vec<_> = records.map(|r| (r.count, r.sample.as_str())).collect();
        assert_eq!(
            counts,
            [
                (3, "Buffer I/O error on dev sda1, logical block 0"),
                (1, "I/O error, dev sda, sector 17")
            ]
        );
    }
}
