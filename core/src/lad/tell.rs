//! What LAD says: events with the evidence for them.

use super::Record;
use super::episode::{Episode, Sign};
use super::source::Shown;
use super::stream::Stream;
use crate::event::{Event, EventKind, Severity, State, duration, share};

/// Why an episode ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// So many records in a row told of no failure.
    Quiet(usize),
    /// An operator says that it was none.
    Feedback,
    /// The stream was forgotten.
    Forgotten,
}

impl End {
    pub(super) fn reason(self) -> String {
        match self {
            End::Quiet(records) => format!("no sign of failure in {records} records"),
            End::Feedback => "told to be no failure".into(),
            End::Forgotten => "the stream is silent and forgotten".into(),
        }
    }
}

/// The family's name for a message.
fn family(sign: &Sign) -> String {
    match sign.family {
        Some(family) => family.as_str().replace('_', " ") + " failure",
        None => "failure".into(),
    }
}

/// The keys that raised and cleared events of one episode have in common.
fn with_sign(event: Event, stream: &Stream, sign: &Sign) -> Event {
    Event {
        stream: Some(stream.past.name.to_string()),
        template: Some(sign.template.clone()),
        template_id: Some(sign.template_id),
        family: sign.family.map(|f| f.as_str().to_owned()),
        phrase: Some(sign.phrase.clone()),
        ..sign.source.with(event)
    }
}

/// An episode begins with the record that the stream has had last.
pub(super) fn raised(stream: &Stream, episode: &Episode) -> Event {
    let (past, sign) = (&stream.past, &episode.sign);
    let start = if episode.at_startup {
        " (while learning what is normal: it may be older)"
    } else {
        ""
    };
    let text = format!(
        "{}: {} in the log{start}, {}: {}",
        past.name,
        family(sign),
        sign.phrase,
        sign.sample
    );
    let event = Event::new(
        EventKind::LogFailure,
        State::Raised,
        Severity::Failure,
        &past.name,
        episode.since,
        &text,
    );
    Event {
        score: share(episode.score),
        sample: Some(sign.sample.clone()),
        count: Some(episode.count),
        seen: stream.miner.size(sign.template_id),
        first_seen: past.first_seen.of(sign.template_id),
        at_startup: episode.at_startup.then_some(true),
        window: Some(past.recent.to_text()),
        ..with_sign(event, stream, sign)
    }
}

/// An episode ends.
pub(super) fn cleared(stream: &Stream, episode: &Episode, time: f64, end: End) -> Event {
    let (past, sign) = (&stream.past, &episode.sign);
    let since = episode.since.min(time);
    let reason = end.reason();
    let text = format!(
        "{}: {} in the log is over, {reason}; {} record{} in {}",
        past.name,
        family(sign),
        episode.count,
        if episode.count == 1 { "" } else { "s" },
        duration(episode.last - since)
    );
    let event = Event::new(
        EventKind::LogFailure,
        State::Cleared,
        Severity::Okay,
        &past.name,
        time,
        &text,
    );
    Event {
        score: share(episode.score),
        since,
        count: Some(episode.count),
        at_startup: episode.at_startup.then_some(true),
        reason: Some(reason),
        ..with_sign(event, stream, sign)
    }
}

/// Novelty stands out from the stream's past.
pub(super) fn novelty_raised(
    stream: &Stream,
    record: &Record<'_>,
    count: u32,
    expected: f64,
) -> Event {
    let past = &stream.past;
    let text = format!(
        "{}: the log says much that it never said before: {count} of the last 50 records, {expected:.0} were to be expected; \
         a restart, an update, or something to look at",
        past.name
    );
    let newest = past.recent.newest();
    let event = Event::new(
        EventKind::LogNovelty,
        State::Raised,
        Severity::Warning,
        &past.name,
        record.time,
        &text,
    );
    Event {
        stream: Some(past.name.to_string()),
        template: newest.and_then(|id| Some(stream.miner.template(id)?.to_owned())),
        template_id: newest,
        count: Some(u64::from(count)),
        window: Some(past.recent.to_text()),
        ..Shown::from(record.source).with(event)
    }
}

/// Novelty is back to what the stream's past shows.
pub(super) fn novelty_cleared(stream: &Stream, since: f64, time: f64, reason: &str) -> Event {
    let past = &stream.past;
    let since = since.min(time);
    let text = format!(
        "{}: the log says what it used to say again, after {}",
        past.name,
        duration(time - since)
    );
    let event = Event::new(
        EventKind::LogNovelty,
        State::Cleared,
        Severity::Okay,
        &past.name,
        time,
        &text,
    );
    Event {
        stream: Some(past.name.to_string()),
        since,
        reason: Some(reason.to_owned()),
        ..event
    }
}
