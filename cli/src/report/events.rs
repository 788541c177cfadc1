//! Events, as the command and the plugins write them, for a report.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::{Context as _, Result};
use bellwether_core::event::{Event, EventKind};
use bellwether_records::files::decoded;

use bellwether_report::model::{Host, take};

/// What an event is listed under that is about no hypervisor but about what collects their samples, or about many of them.
const COLLECTOR: &str = "collector";
pub const FLEET: &str = "fleet";

/// Reads files of events, a line of JSON each, plain or compressed: events in the order of their times, by host. Keys that an event
/// does not have, such as those that an agent adds, are ignored.
///
/// # Errors
/// A file that cannot be read, and a line that is not an event: which, and what it lacks.
pub fn read(files: &[impl AsRef<Path>]) -> Result<Vec<Host>> {
    let mut events: Vec<Event> = Vec::new();
    for file in files {
        let file = file.as_ref();
        let of_file = || file.display().to_string();
        let reader = BufReader::new(decoded(file).with_context(of_file)?);
        for (number, line) in (1..).zip(reader.lines()) {
            let line = line.with_context(of_file)?;
            if line.trim().is_empty() {
                continue;
            }
            let event = serde_json::from_str(&line).with_context(|| {
                format!(
                    "{}, line {number}: not an event; it takes a line of JSON as \"bellwether replay\" and the plugins write it",
                    of_file()
                )
            })?;
            events.push(event);
        }
    }
    events.sort_by(|a, b| a.time.secs().total_cmp(&b.time.secs()));
    let mut hosts: Vec<Host> = Vec::new();
    let mut index: HashMap<String, usize> = HashMap::new();
    for event in events {
        let name = match event.hypervisor() {
            "" if event.kind() == EventKind::FleetChange => FLEET,
            "" => COLLECTOR,
            hypervisor => hypervisor,
        };
        let at = *index.entry(name.to_owned()).or_insert_with(|| {
            hosts.push(Host {
                name: name.to_owned(),
                ..Host::default()
            });
            hosts.len() - 1
        });
        take(&mut hosts[at].incidents, event);
    }
    Ok(hosts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::event::{
        CollectorSilence, Evidence, FleetChange, HypervisorAnomaly, Severity, State, Subject,
    };
    use bellwether_core::units::Time;

    fn line(hypervisor: &str, state: State, time: f64) -> String {
        let severity = Severity::Warning;
        let subject = Subject::Hypervisor(hypervisor.to_owned());
        let evidence = Evidence::HypervisorAnomaly(HypervisorAnomaly::default());
        let time = Time::from_secs(time);
        Event::new(subject, state, severity, time, "text", evidence).to_json()
    }

    #[test]
    fn events_of_several_files_and_hosts_are_told_apart_and_paired_in_the_order_of_time() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b) = (folder.path().join("a.jsonl"), folder.path().join("b.jsonl"));
        let ended = line("hv1", State::Cleared, 9.0);
        let begun = line("hv1", State::Raised, 5.0);
        std::fs::write(
            &a,
            format!("{ended}\n\n{}\n", line("hv2", State::Raised, 7.0)),
        )
        .unwrap();
        // As an agent hands it on: with keys of its own.
        let with_keys = begun.replacen('{', "{\"date\":5.0,\"index\":3,", 1);
        std::fs::write(&b, with_keys).unwrap();
        let hosts = read(&[a, b]).unwrap();
        let found: Vec<_> = hosts
            .iter()
            .map(|h| (h.name.as_str(), h.incidents.len(), h.incidents[0].until()))
            .collect();
        assert_eq!(found, [("hv1", 1, Some(9.0)), ("hv2", 1, None)]);
    }

    #[test]
    fn what_is_about_the_collector_has_a_place_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        let silence = |state, time| {
            let evidence = Evidence::CollectorSilence(CollectorSilence::default());
            let (all, time) = (Subject::Group(String::new()), Time::from_secs(time));
            Event::new(all, state, Severity::Warning, time, "text", evidence).to_json()
        };
        let lines = [silence(State::Raised, 5.0), silence(State::Cleared, 8.0)];
        std::fs::write(&file, lines.join("\n")).unwrap();
        let hosts = read(&[file]).unwrap();
        assert_eq!((hosts.len(), hosts[0].name.as_str()), (1, "collector"));
        assert_eq!(hosts[0].incidents.len(), 1);
        assert_eq!(hosts[0].incidents[0].until(), Some(8.0));
    }

    #[test]
    fn what_is_about_the_fleet_has_a_place_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        let change = |state, time| {
            let evidence = Evidence::FleetChange(FleetChange::default());
            let (all, time) = (Subject::Group(String::new()), Time::from_secs(time));
            Event::new(all, state, Severity::Warning, time, "text", evidence).to_json()
        };
        let lines = [change(State::Raised, 5.0), change(State::Cleared, 8.0)];
        std::fs::write(&file, lines.join("\n")).unwrap();
        let hosts = read(&[file]).unwrap();
        assert_eq!((hosts.len(), hosts[0].name.as_str()), (1, "fleet"));
        assert_eq!(hosts[0].incidents.len(), 1);
        assert_eq!(hosts[0].incidents[0].until(), Some(8.0));
        assert_eq!(hosts[0].level().label(), "Fleet changed");
    }

    #[test]
    fn a_line_that_is_not_an_event_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        std::fs::write(&file, line("hv1", State::Raised, 5.0) + "\n{\"time\":3}\n").unwrap();
        let error = format!("{:#}", read(&[file]).unwrap_err());
        assert!(
            error.contains("line 2: not an event") && error.contains("is missing"),
            "{error}"
        );
    }
}
