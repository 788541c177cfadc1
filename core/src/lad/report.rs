//! The events of LAD, with their evidence.

use super::episode::{Episode, Trigger};
use super::recent::LINE_MAX_BYTES;
use super::record::Record;
use super::stream::Stream;
use super::unseen::Unseen;
use crate::event::{Event, Evidence, LogFailure, LogNovelty, Severity, State, Subject};
use crate::inference::FailureSubject;
use crate::text::{duration, shortened};
use crate::units::Time;

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum End {
    /// This many consecutive records reported no failure.
    Quiet(usize),
    /// There was no failure for this time, in seconds.
    Silent(f64),
    /// An operator marked it as no failure.
    Feedback,
    /// The stream was forgotten.
    Forgotten,
}

/// The reason of an episode that an operator ended by calling it no failure.
pub(crate) const RETRACTED: &str = "marked as no failure by feedback";

impl End {
    pub(super) fn reason(self) -> String {
        match self {
            End::Quiet(records) => format!("no sign of failure in {records} records"),
            End::Silent(seconds) => format!("no sign of failure for {}", duration(seconds)),
            End::Feedback => RETRACTED.into(),
            End::Forgotten => "the stream was forgotten".into(),
        }
    }
}

/// The family and the subject for a message: "storage failure of sda".
fn failure_of(trigger: &Trigger) -> String {
    let family = match trigger.family {
        Some(family) => family.as_str().replace('_', " ") + " failure",
        None => "failure".into(),
    };
    match &trigger.subject {
        Some(FailureSubject::Device(name) | FailureSubject::Unit(name)) => {
            format!("{family} of {name}")
        }
        Some(FailureSubject::Guest(name)) => format!("{family} of the guest {name}"),
        None => family,
    }
}

/// How severe an open episode is.
fn severity(episode: &Episode) -> Severity {
    match episode.trigger.warning {
        true => Severity::Warning,
        false => Severity::Failure,
    }
}

/// The evidence that the raised and the cleared event of an episode share.
fn failure(stream: &Stream, episode: &Episode) -> LogFailure {
    let trigger = &episode.trigger;
    LogFailure {
        stream: stream.past.name.to_string(),
        source: trigger.source.clone(),
        template: trigger.template.clone(),
        template_id: trigger.template_id,
        family: trigger.family.map(|f| f.as_str().to_owned()),
        phrase: trigger.phrase.clone(),
        subject: trigger.subject.clone(),
        trusted: trigger.trusted,
        count: episode.count,
        at_startup: episode.at_startup,
        ..LogFailure::default()
    }
}

/// An event about the host that logs to a stream.
fn event(
    stream: &Stream,
    (state, severity): (State, Severity),
    time: f64,
    text: &str,
    evidence: Evidence,
) -> Event {
    Event::new(
        Subject::Hypervisor(stream.past.name.to_string()),
        state,
        severity,
        Time::from_secs(time),
        text,
        evidence,
    )
}

/// The event for an episode that begins with the last record of the stream.
pub(super) fn raised(stream: &Stream, episode: &Episode) -> Event {
    let (past, trigger) = (&stream.past, &episode.trigger);
    let start = if episode.at_startup {
        " (during training: it may be older)"
    } else {
        ""
    };
    let text = format!(
        "{}: {} in the log{start}, {}: {}",
        past.name,
        failure_of(trigger),
        trigger.phrase,
        trigger.sample
    );
    let first_seen = past.first_seen.of(trigger.template_id);
    let evidence = LogFailure {
        sample: Some(trigger.sample.clone()),
        seen: stream.miner.size(trigger.template_id),
        first_seen: first_seen.map(Time::from_secs),
        window: episode.window.as_deref().map(str::to_owned),
        ..failure(stream, episode)
    };
    let kind = (State::Raised, severity(episode));
    let evidence = Evidence::LogFailure(Box::new(evidence));
    event(stream, kind, episode.since, &text, evidence)
        .of_incident(Time::from_secs(episode.since), episode.ordinal)
        .with_score(episode.score)
}

/// The event for an episode that goes on, or has become more severe.
pub(super) fn updated(stream: &Stream, episode: &Episode, time: f64) -> Event {
    let trigger = &episode.trigger;
    let text = format!(
        "{}: {} in the log goes on: {} record{} in {}, severity up to {:.2}; it began with: {}",
        stream.past.name,
        failure_of(trigger),
        episode.count,
        if episode.count == 1 { "" } else { "s" },
        duration(episode.last - episode.since.min(time)),
        episode.score,
        trigger.sample
    );
    let evidence = LogFailure {
        sample: Some(trigger.sample.clone()),
        ..failure(stream, episode)
    };
    let kind = (State::Updated, severity(episode));
    let evidence = Evidence::LogFailure(Box::new(evidence));
    event(stream, kind, time, &text, evidence)
        .of_incident(Time::from_secs(episode.since), episode.ordinal)
        .with_score(episode.score)
}

/// The event for the end of an episode.
pub(super) fn cleared(stream: &Stream, episode: &Episode, time: f64, end: End) -> Event {
    let reason = end.reason();
    let text = format!(
        "{}: {} in the log has ended: {reason}; {} record{} in {}",
        stream.past.name,
        failure_of(&episode.trigger),
        episode.count,
        if episode.count == 1 { "" } else { "s" },
        duration(episode.last - episode.since.min(time))
    );
    let evidence = LogFailure {
        reason: Some(reason),
        ..failure(stream, episode)
    };
    let kind = (State::Cleared, Severity::Okay);
    let evidence = Evidence::LogFailure(Box::new(evidence));
    event(stream, kind, time, &text, evidence)
        .of_incident(Time::from_secs(episode.since), episode.ordinal)
        .with_score(episode.score)
}

/// The event for novelty that stands out from the stream's past.
pub(super) fn novelty_raised(
    stream: &Stream,
    record: &Record<'_>,
    count: u32,
    expected: f64,
) -> Event {
    let past = &stream.past;
    let text = format!(
        "{}: burst of new log messages: {count} of the last 50 records are new, {expected:.0} expected; \
         a restart, an update, or something to investigate",
        past.name
    );
    let newest = past.recent.newest();
    let evidence = LogNovelty {
        stream: past.name.to_string(),
        source: record.source.into(),
        template: newest.and_then(|id| Some(stream.miner.template(id)?.to_owned())),
        template_id: newest,
        count: Some(u64::from(count)),
        window: Some(past.recent.to_text()),
        reason: None,
    };
    let kind = (State::Raised, Severity::Warning);
    let evidence = Evidence::LogNovelty(Box::new(evidence));
    event(stream, kind, record.time.secs(), &text, evidence)
}

/// The event for novelty that is back to what the stream's past shows.
pub(super) fn novelty_cleared(stream: &Stream, since: f64, time: f64, reason: &str) -> Event {
    let past = &stream.past;
    let text = format!(
        "{}: the log is back to its usual messages after {}",
        past.name,
        duration(time - since.min(time))
    );
    let evidence = LogNovelty {
        stream: past.name.to_string(),
        reason: Some(reason.to_owned()),
        ..LogNovelty::default()
    };
    let kind = (State::Cleared, Severity::Okay);
    let evidence = Evidence::LogNovelty(Box::new(evidence));
    event(stream, kind, time, &text, evidence).of_incident(Time::from_secs(since), 0)
}

/// The ordinal of incidents for templates new to the fleet: a burst may begin at the same time.
const UNSEEN_ORDINAL: u64 = 1;

/// The event for templates that are new to the fleet, of which the last record of the stream is one.
pub(super) fn unseen(
    stream: &Stream,
    record: &Record<'_>,
    state: State,
    condition: Unseen,
) -> Event {
    let past = &stream.past;
    let sample = shortened(record.text, LINE_MAX_BYTES);
    let text = match condition.count {
        1 => format!(
            "{}: log message new to this fleet, an update or something to investigate: {sample}",
            past.name
        ),
        count => format!(
            "{}: {count} kinds of log messages new to this fleet in {}, the newest: {sample}",
            past.name,
            duration(condition.last - condition.since)
        ),
    };
    let evidence = LogNovelty {
        stream: past.name.to_string(),
        source: record.source.into(),
        template: stream
            .miner
            .template(condition.template_id)
            .map(str::to_owned),
        template_id: Some(condition.template_id),
        count: Some(condition.count),
        window: (state == State::Raised).then(|| past.recent.to_text()),
        reason: None,
    };
    let evidence = Evidence::LogNovelty(Box::new(evidence));
    let kind = (state, Severity::Warning);
    event(stream, kind, record.time.secs(), &text, evidence)
        .of_incident(Time::from_secs(condition.since), UNSEEN_ORDINAL)
}

/// The event for the end of that.
pub(super) fn unseen_cleared(stream: &Stream, condition: Unseen, time: f64, end: End) -> Event {
    let past = &stream.past;
    let reason = match end {
        End::Silent(seconds) => format!("no message new to this fleet for {}", duration(seconds)),
        other => other.reason(),
    };
    let text = format!(
        "{}: {reason}; {} kind{} in {}",
        past.name,
        condition.count,
        if condition.count == 1 { "" } else { "s" },
        duration(condition.last - condition.since)
    );
    let evidence = LogNovelty {
        stream: past.name.to_string(),
        count: Some(condition.count),
        reason: Some(reason),
        ..LogNovelty::default()
    };
    let evidence = Evidence::LogNovelty(Box::new(evidence));
    event(
        stream,
        (State::Cleared, Severity::Okay),
        time,
        &text,
        evidence,
    )
    .of_incident(Time::from_secs(condition.since), UNSEEN_ORDINAL)
}
