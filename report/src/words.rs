//! The sentences of a report: what was found, what it rests on, what to do.

use std::path::{Path, PathBuf};

use bellwether_core::event::{Cause, Direction, Event, EventKind};
use bellwether_core::had::{Algorithm, HadOptions};
use bellwether_core::text::duration;
use bellwether_records::clock::Clock;
use bellwether_records::logs::Found;

use crate::change::Step;
use crate::model::{Host, Incident, Level, Recording, Report};

/// The most names of files that a sentence lists; the rest are counted.
const LISTED_MAX: usize = 4;
/// Changes of a VM that are less than this share of its level are called none.
const NO_CHANGE: f64 = 0.03;

/// Text from outside as it may stand in a page: without characters that HTML forbids or that move others about.
pub fn printable(text: &str) -> String {
    let moves = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let forbidden = |c: char| {
        c.is_control() || (c as u32) & 0xfffe == 0xfffe || ('\u{fdd0}'..='\u{fdef}').contains(&c)
    };
    text.chars()
        .map(|c| {
            if moves(c) || forbidden(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

/// "1 VM", "2 VMs".
pub fn counted(count: usize, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

fn listed(files: &[PathBuf]) -> String {
    let name = |file: &PathBuf| {
        let name = file.file_name().unwrap_or(Path::as_os_str(file));
        printable(&name.to_string_lossy())
    };
    let mut text = files
        .iter()
        .take(LISTED_MAX)
        .map(name)
        .collect::<Vec<_>>()
        .join(", ");
    if files.len() > LISTED_MAX {
        text += &format!(" and {} more", files.len() - LISTED_MAX);
    }
    text
}

/// What the metrics are, and which algorithm they were run through.
pub fn metrics_source(files: &[PathBuf], options: &HadOptions) -> String {
    let algorithm = match options.algorithm {
        Algorithm::Rank => "rank",
        Algorithm::Zscore => "zscore",
        Algorithm::Iad => "iad",
    };
    let metrics: Vec<_> = options.metrics.iter().take(1).map(|m| metric(m)).collect();
    format!(
        "{} of VMs, a sample every {}, algorithm {algorithm}: {}",
        metrics.join(", "),
        duration(options.interval),
        listed(files)
    )
}

/// What the logs are.
pub fn logs_source(found: &Found) -> String {
    let files = found.groups.iter().flatten().flat_map(|log| &log.files);
    let files: Vec<PathBuf> = files.map(|file| file.path.clone()).collect();
    format!("{}: {}", counted(files.len(), "log"), listed(&files))
}

/// A metric as a person calls it.
pub fn metric(name: &str) -> String {
    match name {
        "cpu" => "CPU".to_owned(),
        other => printable(&other.replace('_', " ")),
    }
}

/// The name of a source of risk, by its name in tables.
pub fn risk_source(name: &str) -> &str {
    match name {
        "log" => "Failure lines in the log",
        "had" => "Anomaly of the VMs",
        "resource" => "Resources of the host",
        "novelty" => "Messages new to the fleet",
        other => other,
    }
}

/// A value with as many digits as say something.
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        x if x < 0.95 => format!("{value:.2}"),
        x if x < 9.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// A share of one as a percentage.
pub fn percent(share: f64) -> String {
    format!("{:.0}\u{a0}%", share * 100.0)
}

/// What a VM did: a sign that shows it without color, and the change.
pub fn step(step: &Step) -> (&'static str, String) {
    let relative = step.relative();
    match relative {
        r if r.abs() < NO_CHANGE => ("=", "no change".to_owned()),
        r if r.is_infinite() => ("▲", "from 0".to_owned()),
        r if r >= 9.995 => ("▲", format!("×\u{a0}{:.0}", r + 1.0)),
        r if r > 0.0 => ("▲", format!("+{:.0}\u{a0}%", r * 100.0)),
        r => ("▼", format!("\u{2212}{:.0}\u{a0}%", -r * 100.0)),
    }
}

/// The common action of many VMs.
fn action(direction: Option<Direction>) -> &'static str {
    match direction {
        Some(Direction::Up) => "rose together",
        Some(Direction::Down) => "fell together",
        Some(Direction::Frozen) => "froze at one value",
        Some(Direction::Mixed) | None => "changed together",
    }
}

/// The number of VMs that agreed with an anomaly, and of those that voted.
pub fn agreement(event: &Event) -> Option<(u32, u32)> {
    let voters = event.anomaly()?.voters;
    let consensus = event.common_change()?.consensus.get();
    let agreeing = (consensus * f64::from(voters)).round() as u32;
    Some((agreeing, voters))
}

/// When the first and the last of the VMs that agree changed, seconds.
pub fn overlap(incident: &Incident, recording: &Recording) -> Option<(f64, f64)> {
    let rows = incident.votes.iter().filter(|v| v.agrees);
    let rows = rows.filter_map(|v| Some(v.step?.row));
    let (first, last) = (rows.clone().min()?, rows.max()?);
    Some((recording.time(first), recording.time(last)))
}

/// An incident in a few words.
pub fn heading(incident: &Incident) -> String {
    let event = &incident.event;
    match incident.level() {
        Level::Fault => "This host is likely failing".to_owned(),
        Level::Suspect if event.is_provisional() => {
            "This host is likely failing (provisional)".to_owned()
        }
        Level::Suspect => "The VMs of this host changed together".to_owned(),
        Level::Silence => "No VM reported samples".to_owned(),
        Level::Fleet if event.kind() == EventKind::FleetChange => {
            "Many hosts changed at the same time".to_owned()
        }
        Level::Fleet => "The VMs of this host changed together, as those of many hosts".to_owned(),
        Level::LogFailure => match event.log_failure().and_then(|f| f.family.as_ref()) {
            Some(family) => format!(
                "The log reports a {} failure",
                printable(&family.replace('_', " "))
            ),
            None => "The log reports a failure".to_owned(),
        },
        Level::Novelty => "The log has many messages that it never had before".to_owned(),
        Level::Workload => match event.vm() {
            Some(vm) => format!("{} changed alone: a workload", printable(vm)),
            None => "The VMs changed together, likely by their workload".to_owned(),
        },
        Level::Sound | Level::Unknown => printable(&event.message),
    }
}

/// What happened, in a sentence.
pub fn what(incident: &Incident, recording: Option<&Recording>, clock: &Clock) -> String {
    let event = &incident.event;
    if event.kind() != EventKind::HypervisorAnomaly || !incident.has_begin() {
        return printable(&event.message);
    }
    let direction = event.common_change().map(|change| change.direction);
    let metric = event.metric().map_or("The metric".to_owned(), metric);
    let who = match agreement(event) {
        Some((agreeing, voters)) => format!("{agreeing} of the {voters} VMs that voted"),
        None => "many VMs".to_owned(),
    };
    let mut text = format!("{metric} of {who} {}", action(direction));
    if let Some(recording) = recording
        && direction != Some(Direction::Frozen)
        && let Some((first, last)) = overlap(incident, recording)
    {
        text += &format!(
            ", all within {}",
            duration((last - first).max(recording.interval))
        );
        let steps = incident
            .votes
            .iter()
            .filter(|v| v.agrees)
            .filter_map(|v| v.step);
        let mut relative: Vec<f64> = steps
            .map(|s| s.relative())
            .filter(|r| r.is_finite())
            .collect();
        relative.sort_by(f64::total_cmp);
        if !relative.is_empty() && direction != Some(Direction::Mixed) {
            let median = Step {
                row: 0,
                before: 1.0,
                after: 1.0 + relative[relative.len() / 2],
            };
            text += &format!(", typically by {}", step(&median).1);
        }
        text += &format!("; the first at {}", clock.point(first));
    }
    text + "."
}

/// Why that is what the heading says, and what to do.
pub fn why(incident: &Incident) -> Option<String> {
    let event = &incident.event;
    if event.kind() != EventKind::HypervisorAnomaly || !incident.has_begin() {
        return None;
    }
    let text = match (
        event.common_change().map(|c| c.cause),
        event.is_provisional(),
    ) {
        (Some(Cause::Internal), _) => {
            "This host has shown the same before, so the cause is likely its guests and not the host."
        }
        (Some(Cause::Fleet), _) => {
            "Many hosts changed at the same time, so the cause is likely what they have in common and not this host."
        }
        (_, true) => {
            "One busy guest cannot cause this; the VMs share the host. But the VMs were known for less than a day: \
             a daily rhythm that all of them follow would look the same. Check the host before you act."
        }
        _ => {
            "One busy guest cannot cause this, and so many VMs do not change alike by chance; they share the host. \
             Check it, and move its guests away."
        }
    };
    Some(text.to_owned())
}

/// When it was raised, and how it ended.
pub fn course(incident: &Incident, clock: &Clock) -> String {
    let since = incident.since();
    match incident.until() {
        None => format!(
            "Raised at {}; still open at the end of the data.",
            clock.point(since)
        ),
        Some(until) => {
            let end = incident.end.as_ref().unwrap_or(&incident.event);
            let reason = match end.reason() {
                Some(reason) => format!(": {}", printable(reason)),
                None => String::new(),
            };
            let lasted = duration(until - since);
            format!("Open {}, for {lasted}{reason}.", clock.range(since, until))
        }
    }
}

/// The text for a host without incidents.
pub fn nothing(host: &Host, clock: &Clock) -> String {
    if host.level() == Level::Unknown {
        return "Too little data: there were never two VMs that voted. A verdict needs two VMs that are neither idle nor saturated, \
                with enough samples of their past."
            .to_owned();
    }
    match &host.recording {
        Some(recording) => {
            let moment = &recording.moment;
            let agreeing = (moment.consensus * f64::from(moment.voters)).round();
            let alone: usize = recording.vms.iter().map(|vm| vm.changes.len()).sum();
            format!(
                "There were never enough VMs that changed together to blame the host. The highest score was at {}, when {agreeing} of {} VMs \
                 agreed (score {:.2}; an alarm needs 0.5). {} of single VMs: workloads.",
                clock.point(recording.time(moment.row)),
                moment.voters,
                moment.score,
                counted(alone, "change"),
            )
        }
        None => "No record reports a failure.".to_owned(),
    }
}

/// The first thing that a reader sees.
pub fn summary(report: &Report) -> (Level, String) {
    let named = |level: Level| {
        let hosts = report.hosts.iter().filter(|h| h.level() == level);
        let names: Vec<String> = hosts.clone().take(3).map(|h| printable(&h.name)).collect();
        let more = hosts.count().saturating_sub(names.len());
        match more {
            0 => names.join(", "),
            _ => format!("{} and {more} more", names.join(", ")),
        }
    };
    let all = report.hosts.len();
    let of_all = |n: usize| {
        if all == 1 {
            "The host".to_owned()
        } else {
            format!("{n} of {all} hosts")
        }
    };
    let verb = |n: usize, one: &'static str, many: &'static str| if n == 1 { one } else { many };
    let mut parts = Vec::new();
    let mut worst = Level::Sound;
    for level in [
        Level::Fault,
        Level::LogFailure,
        Level::Suspect,
        Level::Fleet,
        Level::Silence,
    ] {
        let n = report.count(level);
        if n == 0 {
            continue;
        }
        worst = worst.max(level);
        let text = match level {
            Level::Fault => format!("{} {} likely failing", of_all(n), verb(n, "is", "are")),
            Level::LogFailure if all == 1 => "The log reports a failure".to_owned(),
            Level::LogFailure => format!(
                "{} of {n} of {all} hosts {} a failure",
                verb(n, "The log", "The logs"),
                verb(n, "reports", "report")
            ),
            Level::Suspect => format!(
                "{} may be failing (provisional: known for less than a day)",
                of_all(n)
            ),
            Level::Fleet => "Many hosts changed at the same time, not each by itself".to_owned(),
            _ => format!("{} reported no samples for a while", of_all(n)),
        };
        parts.push(format!("{text}: {}.", named(level)));
    }
    if parts.is_empty() {
        let unknown = report.count(Level::Unknown);
        let text = match all {
            0 => "The data contain no host.".to_owned(),
            _ if unknown == all => "Too little data about any host.".to_owned(),
            1 => "No fault of the host was found.".to_owned(),
            _ => format!("No fault was found in any of {all} hosts."),
        };
        let level = if unknown == all {
            Level::Unknown
        } else {
            Level::Sound
        };
        return (level, text);
    }
    (worst, parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_would_move_or_break_the_page_is_made_harmless() {
        assert_eq!(
            printable("a\u{0}b\u{202e}c\u{feff}"),
            "a\u{fffd}b\u{fffd}c\u{feff}"
        );
        assert_eq!(printable("täglich 日本 <b>"), "täglich 日本 <b>");
    }

    #[test]
    fn a_step_is_told_with_a_sign_and_a_size() {
        let shown = |before, after| {
            step(&Step {
                row: 0,
                before,
                after,
            })
        };
        assert_eq!(shown(10.0, 20.0), ("▲", "+100\u{a0}%".to_owned()));
        assert_eq!(shown(10.0, 4.0), ("▼", "\u{2212}60\u{a0}%".to_owned()));
        assert_eq!(shown(10.0, 10.1), ("=", "no change".to_owned()));
        assert_eq!(shown(0.0, 5.0), ("▲", "from 0".to_owned()));
        assert_eq!(shown(1.0, 25.0), ("▲", "×\u{a0}25".to_owned()));
    }

    #[test]
    fn files_are_named_until_there_are_too_many() {
        let files: Vec<PathBuf> = (0..6).map(|i| format!("a/{i}.csv").into()).collect();
        assert_eq!(listed(&files), "0.csv, 1.csv, 2.csv, 3.csv and 2 more");
    }

    #[test]
    fn an_empty_report_says_so() {
        let (level, text) = summary(&Report::default());
        assert_eq!(level, Level::Unknown);
        assert!(text.contains("no host"));
    }
}
