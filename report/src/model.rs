//! What a report shows, before it is a page.

use std::path::Path;

use bellwether_core::event::{Cause, Direction, Event, EventKind, Severity, State};

use crate::change::Step;

/// All that a page shows.
#[derive(Debug, Default)]
pub struct Report {
    /// Hosts, the worst first.
    pub hosts: Vec<Host>,
    /// What it was made from, one thing an entry.
    pub sources: Vec<String>,
    /// Warnings for the reader.
    pub warnings: Vec<String>,
}

/// One hypervisor, by its metrics or its log or both, or by nothing but its events.
#[derive(Debug, Default)]
pub struct Host {
    /// Its name, as the data give it.
    pub name: String,
    /// What its VMs did, where that was replayed.
    pub recording: Option<Recording>,
    /// What its log said, where that was replayed.
    pub log: Option<Log>,
    /// The probability that it fails, where that was assessed.
    pub risk: Option<Risk>,
    /// The incidents that the detectors reported, by time.
    pub incidents: Vec<Incident>,
}

/// A reported condition: when it was raised and, if it was, cleared.
#[derive(Debug, Clone)]
pub struct Incident {
    /// The event that raised it; the one that cleared it where the former is not among the data.
    pub event: Event,
    /// The event that cleared it.
    pub end: Option<Event>,
    /// What each VM did when it was raised, in the recording's order; empty where that is not known.
    pub votes: Vec<Vote>,
    /// Samples that a VM's present has on the scale of time that decided.
    pub present: usize,
    /// Records of the log that belong to it, by template.
    pub records: Vec<Records>,
}

/// What one VM did when an incident was raised.
#[derive(Debug, Clone, Default)]
pub struct Vote {
    /// How strongly it changed, in standard deviations of its own past; `None` where it did not vote.
    pub shift: Option<f64>,
    /// Whether it changed as the incident says.
    pub agrees: bool,
    /// Whether it did so only within a present after it was raised.
    pub follows: bool,
    /// The step that explains it best.
    pub step: Option<Step>,
}

/// Failing records of one template within an episode.
#[derive(Debug, Clone)]
pub struct Records {
    /// The template's number in its stream.
    pub template_id: u64,
    /// The template.
    pub template: String,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub sample: String,
}

/// One metric of the VMs of a hypervisor over time. All rows are `interval` apart.
#[derive(Debug, Default)]
pub struct Recording {
    /// The metric's name.
    pub metric: String,
    /// The time of row 0, seconds since the epoch.
    pub start: f64,
    /// Seconds between rows.
    pub interval: f64,
    /// The VMs, in the order of the data.
    pub vms: Vec<Vm>,
    /// Share of the voters that changed the same way, by row; NaN where there is no verdict.
    pub consensus: Vec<f32>,
    /// How near to an alarm, 0 to 1, by row; NaN where there is no verdict.
    pub score: Vec<f32>,
    /// VMs that voted, by row.
    pub voters: Vec<u32>,
    /// The most significant row.
    pub moment: Moment,
}

/// One VM.
#[derive(Debug, Default)]
pub struct Vm {
    /// Its name, as the data give it.
    pub name: String,
    /// Its samples by row, in the metric's unit; NaN where missing.
    pub values: Vec<f32>,
    /// Where it changed.
    pub changes: Vec<Step>,
}

/// A row at which a hypervisor is shown on the dashboard: that of the worst incident, or of the highest score.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// The row.
    pub row: usize,
    /// The score there.
    pub score: f64,
    /// The consensus there, 0 to 1.
    pub consensus: f64,
    /// VMs that voted.
    pub voters: u32,
    /// How strongly each VM changed, in standard deviations of its own past, in the recording's order.
    pub shifts: Vec<Option<f64>>,
}

/// The log of a host over time.
#[derive(Debug, Default)]
pub struct Log {
    /// The time of each record, seconds since the epoch, and whether it is a failure.
    pub records: Vec<(f64, bool)>,
    /// Templates that were found.
    pub templates: u64,
}

/// The probability that a host fails, over time. All rows are `interval` apart.
#[derive(Debug, Default)]
pub struct Risk {
    /// The time of row 0, seconds since the epoch.
    pub start: f64,
    /// Seconds between rows.
    pub interval: f64,
    /// The probability of a failure within 10 minutes, by row; NaN where no source is known.
    pub ten: Vec<f32>,
    /// The same within 30 minutes.
    pub thirty: Vec<f32>,
    /// Its known sources.
    pub sources: Vec<RiskSource>,
}

/// A source of a host's risk over time.
#[derive(Debug)]
pub struct RiskSource {
    /// Its name in tables.
    pub name: &'static str,
    /// Its evidence for a failure within 10 minutes in nats, by row; NaN where it is unknown.
    pub evidence: Vec<f32>,
    /// The names of its states, by row; `None` where it is unknown.
    pub states: Vec<Option<&'static str>>,
}

impl Risk {
    /// Whether any source ever points to a failure.
    pub fn stands_out(&self) -> bool {
        let evidence = self.sources.iter().flat_map(|source| &source.evidence);
        evidence.into_iter().any(|nats| *nats > 0.0)
    }
}

impl Recording {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.score.len()
    }

    /// The time of a row.
    pub fn time(&self, row: usize) -> f64 {
        self.start + row as f64 * self.interval
    }

    /// The row of a time, held within those that there are.
    pub fn row(&self, time: f64) -> usize {
        let row = ((time - self.start) / self.interval).round().max(0.0) as usize;
        row.min(self.rows().saturating_sub(1))
    }

    /// The unit of the metric's values, with a space before it, where it has one.
    pub fn unit(&self) -> &'static str {
        match self.metric.as_str() {
            "cpu" => "\u{a0}%",
            "disk_ops" | "net_packets" | "net_errors" => "\u{a0}/\u{a0}s",
            "disk_time" => "\u{a0}ms\u{a0}/\u{a0}s",
            _ => "",
        }
    }
}

/// How bad it is, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Nothing was found.
    Sound,
    /// Too little is known to say anything.
    Unknown,
    /// One VM alone, or a common change that is explained.
    Workload,
    /// The log has many new messages.
    Novelty,
    /// No samples came.
    Silence,
    /// Many hosts changed at once.
    Fleet,
    /// A common change that is likely to be the host, of a host that is not known for long.
    Suspect,
    /// The log reports a failure.
    LogFailure,
    /// The host.
    Fault,
}

impl Level {
    /// In a word or two.
    pub fn label(self) -> &'static str {
        match self {
            Level::Sound => "No fault found",
            Level::Unknown => "Too little data",
            Level::Workload => "Workload",
            Level::Novelty => "Unusual log",
            Level::Silence => "No samples",
            Level::Fleet => "Fleet changed",
            Level::Suspect => "Host fault likely",
            Level::LogFailure => "Failure in log",
            Level::Fault => "Host fault",
        }
    }

    /// A sign that shows it without color.
    pub fn sign(self) -> &'static str {
        match self {
            Level::Sound => "✓",
            Level::Unknown => "?",
            Level::Workload => "○",
            Level::Novelty => "☆",
            Level::Silence => "∅",
            Level::Fleet => "≡",
            Level::Suspect => "!",
            Level::LogFailure | Level::Fault => "✖",
        }
    }

    /// Its class on the page.
    pub fn class(self) -> &'static str {
        match self {
            Level::Sound => "sound",
            Level::Unknown => "unknown",
            Level::Workload | Level::Novelty => "note",
            Level::Silence | Level::Fleet | Level::Suspect => "warn",
            Level::LogFailure | Level::Fault => "fault",
        }
    }
}

impl Incident {
    /// One that `event` begins, or ends where what began it is not known.
    pub fn new(event: Event) -> Self {
        Self {
            event,
            end: None,
            votes: Vec::new(),
            present: 1,
            records: Vec::new(),
        }
    }

    /// When it began, seconds.
    pub fn since(&self) -> f64 {
        self.event.since.secs()
    }

    /// When it ended, if it did.
    pub fn until(&self) -> Option<f64> {
        match (&self.end, self.event.state) {
            (Some(end), _) => Some(end.time.secs()),
            (None, State::Cleared) => Some(self.event.time.secs()),
            (None, State::Raised | State::Updated) => None,
        }
    }

    /// Whether what began it is among the data.
    pub fn has_begin(&self) -> bool {
        self.event.state == State::Raised
    }

    /// Which way the VMs changed, if it is about a common change.
    pub fn direction(&self) -> Option<Direction> {
        self.event.common_change().map(|change| change.direction)
    }

    /// How bad it is.
    pub fn level(&self) -> Level {
        let event = &self.event;
        match event.kind() {
            EventKind::HypervisorAnomaly => {
                match (event.common_change().map(|c| c.cause), event.severity) {
                    (Some(Cause::Internal), _) => Level::Workload,
                    (Some(Cause::Fleet), _) => Level::Fleet,
                    (_, Severity::Failure) => Level::Fault,
                    _ => Level::Suspect,
                }
            }
            EventKind::HypervisorSilence | EventKind::CollectorSilence => Level::Silence,
            EventKind::FleetChange => Level::Fleet,
            EventKind::WorkloadChange => Level::Workload,
            EventKind::LogFailure => Level::LogFailure,
            EventKind::LogNovelty => Level::Novelty,
            // A kind of a later version: what is known of it is how severe it is.
            _ if event.severity == Severity::Failure => Level::Fault,
            _ => Level::Suspect,
        }
    }

    /// Whether `event` ends it.
    fn is_ended_by(&self, event: &Event) -> bool {
        let ours = &self.event;
        // A log can have several episodes at a time.
        let same = ours.kind() != EventKind::LogFailure || ours.incident == event.incident;
        self.until().is_none()
            && same
            && ours.kind() == event.kind()
            && (ours.metric(), ours.vm(), ours.stream())
                == (event.metric(), event.vm(), event.stream())
    }
}

/// Two logs of a host as one.
fn merged(one: Option<Log>, other: Option<Log>) -> Option<Log> {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            one.records.extend(other.records);
            one.records.sort_by(|a, b| a.0.total_cmp(&b.0));
            one.templates += other.templates;
            Some(one)
        }
        (one, other) => one.or(other),
    }
}

/// Takes an event of a host: it begins an incident, or goes on with or ends the last open one of its kind.
pub fn take(incidents: &mut Vec<Incident>, event: Event) {
    if event.state == State::Updated && incidents.iter().any(|i| i.event.incident == event.incident)
    {
        return;
    }
    if event.state == State::Cleared
        && let Some(open) = incidents.iter_mut().rev().find(|i| i.is_ended_by(&event))
    {
        open.end = Some(event);
        return;
    }
    incidents.push(Incident::new(event));
}

impl Host {
    /// The worst that was found.
    pub fn level(&self) -> Level {
        let known = match &self.recording {
            Some(recording) if recording.voters.iter().all(|n| *n < 2) => Level::Unknown,
            _ => Level::Sound,
        };
        let found = self.incidents.iter().map(Incident::level).max();
        found.map_or(known, |level| level.max(known))
    }

    /// The incidents, the worst first, and of equally bad ones the earliest.
    pub fn worst_first(&self) -> Vec<&Incident> {
        let mut incidents: Vec<&Incident> = self.incidents.iter().collect();
        incidents.sort_by_key(|incident| std::cmp::Reverse(incident.level()));
        incidents
    }

    /// The worst incident.
    pub fn worst(&self) -> Option<&Incident> {
        self.worst_first().into_iter().next()
    }

    /// From when to when there are data, seconds.
    pub fn span(&self) -> Option<(f64, f64)> {
        let mut times: Vec<f64> = Vec::new();
        if let Some(recording) = &self.recording
            && recording.rows() > 0
        {
            times.extend([recording.start, recording.time(recording.rows() - 1)]);
        }
        if let Some(log) = &self.log {
            let records = log.records.iter().map(|(time, _)| *time);
            times.extend(records.clone().reduce(f64::min));
            times.extend(records.reduce(f64::max));
        }
        for incident in &self.incidents {
            times.push(incident.since());
            times.extend(incident.until());
        }
        let first = times.iter().copied().reduce(f64::min)?;
        Some((first, times.into_iter().reduce(f64::max)?))
    }
}

impl Report {
    /// Brings hosts of one name together and the worst to the front.
    pub fn arrange(&mut self) {
        let mut together: Vec<Host> = Vec::with_capacity(self.hosts.len());
        let mut at: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
        for host in std::mem::take(&mut self.hosts) {
            match at.get(&host.name) {
                Some(&i) => {
                    let known = &mut together[i];
                    known.recording = known.recording.take().or(host.recording);
                    known.log = merged(known.log.take(), host.log);
                    known.risk = known.risk.take().or(host.risk);
                    known.incidents.extend(host.incidents);
                }
                None => {
                    at.insert(host.name.clone(), together.len());
                    together.push(host);
                }
            }
        }
        for host in &mut together {
            host.incidents
                .sort_by(|a, b| a.since().total_cmp(&b.since()));
        }
        together.sort_by(|a, b| b.level().cmp(&a.level()).then_with(|| a.name.cmp(&b.name)));
        self.hosts = together;
    }

    /// How many hosts there are at `level`.
    pub fn count(&self, level: Level) -> usize {
        self.hosts.iter().filter(|h| h.level() == level).count()
    }
}

/// The warning about a file without `what` it should have: a page without it would look like good news.
pub fn nothing_in(file: &Path, what: &str) -> String {
    format!(
        "{}: there is not {what} in it, so the page does not show it",
        file.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use bellwether_core::event::{Change, Evidence, Subject, WorkloadChange};
    use bellwether_core::units::Time;

    pub fn event(kind: EventKind, state: State, time: f64) -> Event {
        let severity = match state {
            State::Raised | State::Updated => Severity::Failure,
            State::Cleared => Severity::Okay,
        };
        let evidence = match kind {
            EventKind::HypervisorAnomaly => Evidence::HypervisorAnomaly(Default::default()),
            EventKind::HypervisorSilence => Evidence::HypervisorSilence(Default::default()),
            EventKind::WorkloadChange => Evidence::WorkloadChange(WorkloadChange {
                metric: String::new(),
                consensus: Default::default(),
                change: Change::Alone,
            }),
            kind => unreachable!("no test has a {kind:?}"),
        };
        let (subject, time) = (Subject::Hypervisor("hv".into()), Time::from_secs(time));
        Event::new(subject, state, severity, time, "text", evidence)
    }

    #[test]
    fn what_clears_ends_the_last_open_incident_of_its_kind() {
        let mut incidents = Vec::new();
        let anomaly = EventKind::HypervisorAnomaly;
        take(&mut incidents, event(anomaly, State::Raised, 1.0));
        take(
            &mut incidents,
            event(EventKind::HypervisorSilence, State::Raised, 2.0),
        );
        take(&mut incidents, event(anomaly, State::Cleared, 3.0));
        take(&mut incidents, event(anomaly, State::Raised, 4.0));
        let until: Vec<_> = incidents.iter().map(Incident::until).collect();
        assert_eq!(until, [Some(3.0), None, None]);
    }

    #[test]
    fn an_end_without_a_begin_is_an_incident_that_began_before_the_data() {
        let mut incidents = Vec::new();
        let mut cleared = event(EventKind::HypervisorAnomaly, State::Cleared, 9.0);
        cleared.since = Time::from_secs(5.0);
        take(&mut incidents, cleared);
        let incident = &incidents[0];
        assert_eq!((incident.since(), incident.until()), (5.0, Some(9.0)));
        assert!(!incident.has_begin());
    }

    #[test]
    fn hosts_of_one_name_are_one_and_the_worst_comes_first() {
        let host = |name: &str, kind| Host {
            name: name.to_owned(),
            incidents: vec![Incident::new(event(kind, State::Raised, 1.0))],
            ..Host::default()
        };
        let mut report = Report {
            hosts: vec![
                host("b", EventKind::WorkloadChange),
                host("c", EventKind::HypervisorAnomaly),
                host("b", EventKind::HypervisorSilence),
                Host {
                    name: "a".to_owned(),
                    ..Host::default()
                },
            ],
            ..Report::default()
        };
        report.arrange();
        let order: Vec<_> = report
            .hosts
            .iter()
            .map(|h| (h.name.as_str(), h.level()))
            .collect();
        assert_eq!(
            order,
            [
                ("c", Level::Fault),
                ("b", Level::Silence),
                ("a", Level::Sound)
            ]
        );
        assert_eq!(report.hosts[1].incidents.len(), 2);
    }

    #[test]
    fn a_recording_in_which_no_two_vms_voted_is_not_called_sound() {
        let recording = Recording {
            voters: vec![0, 1, 1],
            ..Recording::default()
        };
        let host = Host {
            recording: Some(recording),
            ..Host::default()
        };
        assert_eq!(host.level(), Level::Unknown);
    }
}
