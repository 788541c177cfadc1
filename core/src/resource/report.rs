//! Anomalies: when one begins and ends, and what its events say.

use super::channel::Channel;
use super::engine::Verdict;
use super::host::{Host, Incident};
use super::options::ResourceOptions;
use super::signal::Signal;
use super::verdict::{Deviation, PValues};
use crate::event::{Event, Evidence, ResourceAnomaly, Severity, State, Subject};
use crate::text::duration;
use crate::units::{Share, Time};

/// An anomaly begins with this many consecutive unusual rows.
const UNUSUAL_ROWS: u32 = 2;
/// An anomaly ends this long after its last unusual row, in seconds, and after at least [`QUIET_ROWS`] rows.
const QUIET_SECS: f64 = 600.0;
const QUIET_ROWS: u32 = 5;

/// Why an anomaly ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Its rows are usual again.
    Recovered,
    /// The time between two rows has changed, and the host is learned again.
    NewInterval,
    /// The host was silent for too long.
    Forgotten,
    /// A new host took its place.
    Evicted,
}

impl End {
    fn reason(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::NewInterval => "its interval has changed",
            Self::Forgotten => "forgotten",
            Self::Evicted => "evicted at a limit",
        }
    }
}

/// Unusual rows come in runs: with this many of them a day, there is about one false alarm a day on SMD and ASD.
const UNUSUAL_ROWS_PER_ALARM: f64 = 12.0;
/// Rows with a larger p-value are never unusual, however rare rows are.
const BAR_MAX: f64 = 0.02;

/// The p-value up to which rows are unusual, and the share of usual rows that are, with a row per `interval` seconds and this
/// many acceptable false alarms per day.
pub fn unusual_share(false_alarms_per_day: f64, interval: f64) -> f64 {
    let a_day = UNUSUAL_ROWS_PER_ALARM * false_alarms_per_day;
    (a_day * interval / 86_400.0).min(BAR_MAX)
}

/// Closeness to an anomaly: 0.5 where the p-value is at the bar, 1 where it is the bar's square.
fn score(p: Option<PValues>, bar: f64) -> f64 {
    p.map_or(0.0, |p| 0.5 * p.combined.ln() / bar.ln())
}

/// Takes the verdict on the last row of a host, and reports when an anomaly begins or ends with it.
pub(super) fn follow(
    host: &mut Host,
    options: &ResourceOptions,
    channels: &[Channel],
    verdict: Verdict,
) -> Option<Event> {
    let bar = unusual_share(options.false_alarms_per_day, host.interval);
    let score = score(verdict.p_values, bar);
    host.set_last(verdict, Share::rounded(score));
    let is_unusual = score >= 0.5;
    host.unusual = if is_unusual { host.unusual + 1 } else { 0 };
    let quiet_rows = ((QUIET_SECS / host.interval) as u32).max(QUIET_ROWS);
    match &mut host.incident {
        Some(incident) if is_unusual => {
            incident.quiet = 0;
            None
        }
        Some(incident) => {
            incident.quiet += 1;
            let is_over = incident.quiet >= quiet_rows;
            is_over.then(|| cleared(host, host.time, End::Recovered))?
        }
        None if host.unusual >= UNUSUAL_ROWS => raised(host, options, channels),
        None => None,
    }
}

fn raised(host: &mut Host, options: &ResourceOptions, channels: &[Channel]) -> Option<Event> {
    let deciding = &host.last.deciding;
    let first = deciding.first()?;
    let incident = Incident {
        since: host.time,
        signal: first.channel as u32,
        quiet: 0,
        provisional: host.is_provisional(options),
    };
    let name = |one: &Deviation| channels[one.channel].name.as_str();
    let signals = deciding
        .iter()
        .map(|one| format!("{} {:+.1}", name(one), one.deviation));
    let signals: Vec<String> = signals.collect();
    let message = format!(
        "{}: unusual for this host: {} is {}, usually {} (see also its logs and VMs)",
        host.name,
        name(first),
        shown(first.value),
        shown(first.usual),
    );
    let evidence = ResourceAnomaly {
        signal: name(first).to_owned(),
        signals: signals.join(","),
        p_value: host.last.p_values.map(|p| p.combined),
        provisional: incident.provisional,
        reason: None,
    };
    host.incident = Some(incident);
    Some(event(host, State::Raised, host.time, &message, evidence))
}

/// A value with three significant digits.
fn shown(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// Clears the anomaly of a host, if one is open.
pub(super) fn cleared(host: &mut Host, time: f64, end: End) -> Option<Event> {
    let incident = host.incident.take()?;
    host.unusual = 0;
    let signal = Signal::ALL.get(incident.signal as usize);
    let lasted = duration(time - incident.since);
    let message = match end {
        End::Recovered => format!("{}: as usual again, after {lasted}", host.name),
        _ => format!("{}: the anomaly is over: {}", host.name, end.reason()),
    };
    let evidence = ResourceAnomaly {
        signal: signal.map_or("", |signal| signal.name()).to_owned(),
        provisional: incident.provisional,
        reason: Some(end.reason().to_owned()),
        ..ResourceAnomaly::default()
    };
    let event = event(host, State::Cleared, time, &message, evidence);
    Some(event.of_incident(Time::from_secs(incident.since), 0))
}

fn event(host: &Host, state: State, time: f64, message: &str, of: ResourceAnomaly) -> Event {
    let severity = match state {
        State::Cleared => Severity::Okay,
        State::Raised | State::Updated => Severity::Warning,
    };
    let event = Event::new(
        Subject::Hypervisor(host.name.to_string()),
        state,
        severity,
        Time::from_secs(time),
        message,
        Evidence::ResourceAnomaly(of),
    );
    event.with_score(host.last.score.get())
}
