//! Events of the risk.

use std::fmt::Write as _;

use super::host::{Host, Open};
use super::source::{Source, SourceState};
use super::tables::{HORIZONS, Horizon, Tables};
use crate::event::{Event, Evidence, FailureRisk, Severity, State, Subject};
use crate::text::duration;
use crate::units::{Share, Time};

/// Evidence below this many nats is not worth a word in a message.
const WORTH_MENTIONING: f64 = 0.5;

/// What is known about a host at present, and how its value is to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) tables: &'a Tables,
    pub(super) stale_sec: f64,
    pub(super) failures_per_host_year: f64,
    pub(super) horizon: Horizon,
    pub(super) calibrated: bool,
    /// The probabilities by horizon.
    pub(super) risks: [f64; HORIZONS],
}

/// Why a `failure_risk` ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    /// The probability has been low for this time, in seconds.
    Low(f64),
    /// No source has reported for this time, in seconds: the host is not known to be well.
    Silent(f64),
    /// The host was evicted at a limit, or forgotten.
    Removed,
}

impl End {
    fn reason(self) -> String {
        match self {
            Self::Low(0.0) => "the risk is low again".into(),
            Self::Low(seconds) => format!("the risk has been low for {}", duration(seconds)),
            Self::Silent(seconds) => format!(
                "no source has reported for {}; the state of the host is unknown",
                duration(seconds)
            ),
            Self::Removed => {
                "no source has reported for long; the host is not tracked any more".into()
            }
        }
    }
}

impl View<'_> {
    fn risk(&self) -> f64 {
        self.risks[self.horizon as usize]
    }

    /// The state of each source with its evidence in nats.
    fn sources(&self, host: &Host) -> impl Iterator<Item = (SourceState, f64)> {
        let (tables, horizon, stale_sec) = (self.tables, self.horizon, self.stale_sec);
        Source::ALL.iter().map(move |&source| {
            let state = host.state(source, stale_sec);
            (state, tables.evidence(horizon, state))
        })
    }

    /// The share of each source, in words: its state and its evidence in nats.
    fn shares(&self, host: &Host) -> String {
        let mut text = String::new();
        for (state, evidence) in self.sources(host) {
            if !text.is_empty() {
                text.push_str("; ");
            }
            let _ = write!(text, "{}: {}", state.source().name(), state.in_words());
            if state.level().is_some() {
                let _ = write!(text, " ({evidence:+.1})");
            }
        }
        text
    }

    /// What speaks for a failure, the strongest first.
    fn grounds(&self, host: &Host) -> String {
        let sources = self.sources(host);
        let mut grounds: Vec<_> = sources.filter(|(_, e)| *e >= WORTH_MENTIONING).collect();
        grounds.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let words: Vec<_> = grounds.iter().map(|(state, _)| state.in_words()).collect();
        match words.is_empty() {
            true => "its rate of failures alone".into(),
            false => words.join("; "),
        }
    }

    /// The value in words.
    fn value(&self) -> String {
        let (risk, minutes) = (self.risk(), self.horizon.minutes());
        match self.calibrated {
            true => format!("probability {risk:.2} that guests fail within {minutes} min"),
            false => format!(
                "evidence score {risk:.2} that guests fail within {minutes} min, not calibrated"
            ),
        }
    }

    fn event(&self, host: &Host, state: State, text: &str, reason: Option<String>) -> Event {
        let severity = match (state, self.calibrated) {
            (State::Cleared, _) => Severity::Okay,
            (_, true) => Severity::Failure,
            (_, false) => Severity::Warning,
        };
        let [ten, thirty] = self.risks;
        let evidence = FailureRisk {
            horizon_min: self.horizon.minutes(),
            risk_10min: Share::rounded(ten),
            risk_30min: Share::rounded(thirty),
            calibrated: self.calibrated,
            failures_per_host_year: self.failures_per_host_year,
            sources: self.shares(host),
            reason,
        };
        Event::new(
            Subject::Hypervisor(host.name.to_string()),
            state,
            severity,
            Time::from_secs(host.now),
            text,
            Evidence::FailureRisk(Box::new(evidence)),
        )
        .with_score(self.risk())
    }

    /// The event for a risk that begins now.
    pub(super) fn raised(&self, host: &Host) -> Event {
        let text = format!(
            "{}: its guests are at risk, {}: {}",
            host.name,
            self.value(),
            self.grounds(host)
        );
        self.event(host, State::Raised, &text, None)
    }

    /// The event for a risk that goes on.
    pub(super) fn updated(&self, host: &Host, open: &Open) -> Event {
        let text = format!(
            "{}: its guests are at risk for {}, {}: {}",
            host.name,
            duration((host.now - open.since).max(0.0)),
            self.value(),
            self.grounds(host)
        );
        self.event(host, State::Updated, &text, None)
            .of_incident(Time::from_secs(open.since), 0)
    }

    /// The event for the end of a risk.
    pub(super) fn cleared(&self, host: &Host, open: &Open, end: End) -> Event {
        let reason = end.reason();
        let text = format!(
            "{}: its guests are no longer known to be at risk: {reason}; it lasted {}",
            host.name,
            duration((host.now - open.since).max(0.0))
        );
        self.event(host, State::Cleared, &text, Some(reason))
            .of_incident(Time::from_secs(open.since), 0)
    }
}
