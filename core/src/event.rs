//! The one event type that every detector emits, and its JSON.
//!
//! Keys are flat: they become record keys, labels and the metadata of notifications. Events are transitions: raised once,
//! updated silently, cleared once; nothing repeats with every interval.

use serde::{Deserialize, Serialize};

use crate::memory::allocation;

/// The version of the event's JSON shape, in its key `schema`.
pub const SCHEMA: u32 = 1;

/// The most bytes that a message takes; collectd's notifications hold no more.
pub const MESSAGE_MAX_BYTES: usize = 255;

/// What an event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// Many VMs of one hypervisor changed together, or froze.
    HypervisorAnomaly,
    /// All VMs of one hypervisor fell silent: nothing is known of it until they speak again.
    HypervisorSilence,
    /// Most hypervisors fell silent at about the same time: likely the collector or what feeds it. Nothing is known of them.
    CollectorSilence,
    /// A workload changed: one VM alone, or many in a way that their own past shows too.
    WorkloadChange,
    /// The log of a host says that something fails.
    LogFailure,
    /// The log of a host says much that it never said before.
    LogNovelty,
}

/// Whether an event begins or ends a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// The condition has begun.
    Raised,
    /// The condition has ended.
    Cleared,
}

/// How bad it is, in the words that monitoring hosts share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// All is well (again).
    Okay,
    /// Look at it: provisional, or of a kind that need not be a failure.
    Warning,
    /// Act: move the guests away.
    Failure,
}

/// Where a change comes from, in the terms of attribution theory (lecture, "Approach").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// From the VMs themselves: their workload.
    Internal,
    /// From outside the VMs: the hypervisor.
    External,
}

/// Which way the VMs changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// They rose.
    Up,
    /// They fell.
    Down,
    /// Some rose while others fell.
    Mixed,
    /// They repeat one value.
    Frozen,
}

/// One event. Keys that do not apply to its kind are absent from the JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// What it tells of.
    pub event: EventKind,
    /// The version of this shape, [`SCHEMA`].
    pub schema: u32,
    /// When, in seconds since the epoch of the data (the time of the sample that decided).
    pub time: f64,
    /// Whether the condition begins or ends.
    pub state: State,
    /// How bad it is.
    pub severity: Severity,
    /// The hypervisor it is about; empty where it is about the collector.
    pub hypervisor: String,
    /// The VM it is about, where it is about one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vm: Option<String>,
    /// The metric that showed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// How sure, 0 to 1; an alarm starts at 0.5.
    pub score: f64,
    /// One line that a person can act on, at most [`MESSAGE_MAX_BYTES`] bytes.
    pub message: String,
    /// When the condition was raised, in seconds; for a raised event its own `time`.
    pub since: f64,
    /// Raised before the detector knew a whole day of this hypervisor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisional: Option<bool>,
    /// Where the change comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Share of the voters that changed the same way within the overlap window, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consensus: Option<f64>,
    /// How unusual the change is against the VMs' own past, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distinctiveness: Option<f64>,
    /// How much the hypervisor's own past, recent or at this hour, showed the same, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consistency: Option<f64>,
    /// Which way the VMs changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// What decided: the name of the algorithm's channel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Number of VMs that are known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vms: Option<u32>,
    /// Number of VMs that had a say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voters: Option<u32>,
    /// Number of hypervisors that fell silent with the collector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hypervisors: Option<u32>,
    /// The names of the VMs that changed, the most certain first, separated by commas; at most eight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_vms: Option<String>,
    /// Why a condition ended, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The log that it is about: the merged log of one host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// The program that said the record that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The unit of that program: of systemd, or a pod or container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What the agent calls the input of that record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What the record that decided has in common with others of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The template's number, stable within its stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_id: Option<u64>,
    /// The family of failures that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// The words that decided, and why in a few more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
    /// The record that decided, shortened and without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<String>,
    /// How many records the condition has had so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// How many records of this template the stream has had so far.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<u64>,
    /// When the stream had the first record of this template, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<f64>,
    /// Raised while the detector still learnt what is normal: the failure may be older than the detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_startup: Option<bool>,
    /// The last records up to the one that decided, one a line, the oldest first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<String>,
}

impl Event {
    /// How much memory it takes, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        // Each field is named, so that a new one that holds memory cannot be forgotten.
        let Self {
            event: _,
            schema: _,
            time: _,
            state: _,
            severity: _,
            hypervisor,
            vm,
            metric,
            score: _,
            message,
            since: _,
            provisional: _,
            cause: _,
            consensus: _,
            distinctiveness: _,
            consistency: _,
            direction: _,
            channel,
            vms: _,
            voters: _,
            hypervisors: _,
            changed_vms,
            reason,
            stream,
            program,
            unit,
            tag,
            template,
            template_id: _,
            family,
            phrase,
            sample,
            count: _,
            seen: _,
            first_seen: _,
            at_startup: _,
            window,
        } = self;
        let texts = [
            vm,
            metric,
            channel,
            changed_vms,
            reason,
            stream,
            program,
            unit,
            tag,
            template,
            family,
            phrase,
            sample,
            window,
        ];
        let texts = texts.into_iter().flatten().chain([hypervisor, message]);
        size_of::<Self>() + texts.map(|text| allocation(text.capacity())).sum::<usize>()
    }

    /// An event with nothing but what every event has; its score is 0, and it begins at its own time.
    pub fn new(
        kind: EventKind,
        state: State,
        severity: Severity,
        hypervisor: &str,
        time: f64,
        text: &str,
    ) -> Self {
        Self {
            event: kind,
            schema: SCHEMA,
            time,
            state,
            severity,
            hypervisor: hypervisor.to_owned(),
            vm: None,
            metric: None,
            score: 0.0,
            message: message(text),
            since: time,
            provisional: None,
            cause: None,
            consensus: None,
            distinctiveness: None,
            consistency: None,
            direction: None,
            channel: None,
            vms: None,
            voters: None,
            hypervisors: None,
            changed_vms: None,
            reason: None,
            stream: None,
            program: None,
            unit: None,
            tag: None,
            template: None,
            template_id: None,
            family: None,
            phrase: None,
            sample: None,
            count: None,
            seen: None,
            first_seen: None,
            at_startup: None,
            window: None,
        }
    }

    /// The event as one line of JSON, without a newline.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("an event has only string keys and finite numbers")
    }

    /// The event's keys and values, sorted by key, each value as text.
    pub fn fields(&self) -> Vec<(String, String)> {
        let serde_json::Value::Object(map) =
            serde_json::to_value(self).expect("an event is a JSON object")
        else {
            unreachable!("a struct serialises as an object")
        };
        map.into_iter()
            .map(|(key, value)| {
                let text = match value {
                    serde_json::Value::String(s) => s,
                    other => other.to_string(),
                };
                (key, text)
            })
            .collect()
    }
}

/// `text` cut to at most [`MESSAGE_MAX_BYTES`] bytes at a character's border, with control characters made spaces.
pub fn message(text: &str) -> String {
    shortened(text, MESSAGE_MAX_BYTES)
}

/// `text` cut to at most `max` bytes (at least three) at a character's border, with control characters made spaces.
pub(crate) fn shortened(text: &str, max: usize) -> String {
    let clean = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect()
    };
    // A control character of two bytes becomes a space of one: a text never grows by being cleaned.
    if text.len() <= max {
        return clean(text);
    }
    let mut end = max - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut short = clean(&text[..end]);
    short.push('…');
    short
}

/// `x` rounded to four decimals and held within 0 to 1, as shares and scores are told.
pub(crate) fn share(x: f64) -> f64 {
    if x.is_nan() {
        0.0
    } else {
        (x.clamp(0.0, 1.0) * 1e4).round() / 1e4
    }
}

/// `seconds` as a person says it: the two largest units.
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 if seconds < 10.0 && seconds.fract() != 0.0 => format!("{seconds:.1} s"),
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3600),
    }
    .replace(" 0 s", "")
    .replace(" 0 min", "")
    .replace(" 0 h", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_from_json_to_the_last_bit() {
        // One of the numbers that a quick reader takes for its neighbour.
        let time = 10_073.559424506719;
        let event = Event::new(
            EventKind::HypervisorAnomaly,
            State::Raised,
            Severity::Failure,
            "host-1",
            time,
            "all VMs fell",
        );
        let read: Event = serde_json::from_str(&event.to_json()).unwrap();
        assert_eq!(read.time, time);
        assert_eq!(read, event);
    }

    #[test]
    fn a_long_message_is_cut_at_a_characters_border() {
        let text = message(&"ü\n".repeat(200));
        assert!(text.len() <= MESSAGE_MAX_BYTES);
        assert!(text.ends_with('…') && !text.contains('\n'));
    }

    #[test]
    fn a_text_that_is_cut_and_cleaned_keeps_within_its_bytes() {
        for max in 3..20 {
            let text = shortened("a\u{85}ü€\t😀 and so on for long", max);
            assert!(text.len() <= max && text.ends_with('…'), "{max}: {text}");
        }
        assert_eq!(shortened("a\u{85}b", 4), "a b");
    }

    #[test]
    fn shares_are_finite_and_within_bounds() {
        assert_eq!(share(f64::NAN), 0.0);
        assert_eq!(share(7.0), 1.0);
        assert_eq!(share(0.123456), 0.1235);
    }

    #[test]
    fn durations_are_told_in_their_two_largest_units() {
        assert_eq!(duration(0.5), "0.5 s");
        assert_eq!(duration(59.0), "59 s");
        assert_eq!(duration(60.0), "1 min");
        assert_eq!(duration(75.0), "1 min 15 s");
        assert_eq!(duration(7260.0), "2 h 1 min");
        assert_eq!(duration(90_000.0), "1 d 1 h");
    }
}
