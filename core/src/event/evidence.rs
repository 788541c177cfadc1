//! The evidence of an event, for each kind of event.

use serde::{Deserialize, Serialize};

use super::incident::IncidentId;
use super::subject::Subject;
use super::terms::{Cause, Direction, EventKind};
use crate::inference::FailureSubject;
use crate::memory::allocation;
use crate::units::{Share, Time};

/// The evidence, by kind of event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Evidence {
    /// Of [`EventKind::HypervisorAnomaly`].
    HypervisorAnomaly(HypervisorAnomaly),
    /// Of [`EventKind::HypervisorSilence`].
    HypervisorSilence(Silence),
    /// Of [`EventKind::CollectorSilence`].
    CollectorSilence(CollectorSilence),
    /// Of [`EventKind::FleetChange`].
    FleetChange(FleetChange),
    /// Of [`EventKind::WorkloadChange`].
    WorkloadChange(WorkloadChange),
    /// Of [`EventKind::ResourceAnomaly`].
    ResourceAnomaly(ResourceAnomaly),
    /// Of [`EventKind::LogFailure`].
    LogFailure(Box<LogFailure>),
    /// Of [`EventKind::LogNovelty`].
    LogNovelty(Box<LogNovelty>),
    /// Of [`EventKind::FailureRisk`].
    FailureRisk(Box<FailureRisk>),
    /// Of [`EventKind::GroupAnomaly`].
    GroupAnomaly(GroupAnomaly),
}

/// VMs of one hypervisor changed together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HypervisorAnomaly {
    /// The metric that showed it.
    pub metric: String,
    /// Number of known VMs.
    pub vms: u32,
    /// Number of VMs that voted.
    pub voters: u32,
    /// Raised before the detector knew a whole day of this hypervisor.
    pub provisional: bool,
    /// How they changed; `None` if the condition ends.
    pub change: Option<CommonChange>,
    /// Why the condition ended.
    pub reason: Option<String>,
}

/// How VMs of one hypervisor changed together.
#[derive(Debug, Clone, PartialEq)]
pub struct CommonChange {
    /// The source of the change.
    pub cause: Cause,
    /// Share of the voters that changed in the same direction within the overlap window.
    pub consensus: Share,
    /// How unusual the change is against the VMs' own past.
    pub distinctiveness: Share,
    /// How much the hypervisor's own past, recent or at this hour, showed the same.
    pub consistency: Share,
    /// The direction in which they changed.
    pub direction: Direction,
    /// The channel of the algorithm that decided.
    pub channel: String,
    /// Names of the VMs that changed, the most certain first, separated by commas; at most eight, empty if none stands out. A name
    /// with a comma is in double quotes; see [`split_list`](crate::text::split_list).
    pub changed_vms: String,
}

/// All VMs of one hypervisor stopped reporting.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Silence {
    /// Number of known VMs; `None` if the condition ends.
    pub vms: Option<u32>,
    /// Why the condition ended.
    pub reason: Option<String>,
}

/// Most hypervisors stopped reporting at about the same time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct CollectorSilence {
    /// Number of hypervisors that stopped reporting.
    pub hypervisors: Option<u32>,
    /// Why the condition ended.
    pub reason: Option<String>,
}

/// Many hypervisors changed at about the same time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FleetChange {
    /// The metric that showed it on most of them.
    pub metric: String,
    /// Number of hypervisors that changed.
    pub hypervisors: u32,
    /// Number of hypervisors whose VMs voted.
    pub voting_hypervisors: u32,
    /// The direction in which the VMs of most of them changed; `None` if the condition ends.
    pub direction: Option<Direction>,
    /// Names of the hypervisors that changed, the first ones first, separated by commas; at most eight. A name with a comma is in
    /// double quotes; see [`split_list`](crate::text::split_list).
    pub changed_hypervisors: String,
    /// Why the condition ended.
    pub reason: Option<String>,
}

/// A workload changed.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkloadChange {
    /// The metric that showed it.
    pub metric: String,
    /// Share of the voters that changed in the same direction at that time.
    pub consensus: Share,
    /// What changed.
    pub change: Change,
}

/// What a [`WorkloadChange`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// One VM changed alone.
    Alone,
    /// Many VMs changed together, as they do at this time of day.
    TimeOfDay {
        /// Number of VMs that voted.
        voters: u32,
    },
}

/// The resources of a host deviate from their usual course.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ResourceAnomaly {
    /// The signal that deviates most, such as "memory_used".
    pub signal: String,
    /// The signals that deviate, the strongest first, each with its deviation in robust standard deviations, separated by commas,
    /// such as "memory_used +6.2,swap_in +4.1"; at most four. Empty if the condition ends.
    pub signals: String,
    /// The share of the host's past rows that were at least as unusual, above 0 to 1; `None` if the condition ends.
    pub p_value: Option<f64>,
    /// Raised before the detector knew a whole day of this host.
    pub provisional: bool,
    /// Why the condition ended.
    pub reason: Option<String>,
}

/// The source of a log record, as far as its transport names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LogSource {
    /// The program.
    pub program: Option<String>,
    /// The systemd unit, pod or container of that program.
    pub unit: Option<String>,
    /// The agent's name for the input of the record.
    pub tag: Option<String>,
}

/// The log of a host reports a failure.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogFailure {
    /// The log that it is in: the merged log of one host.
    pub stream: String,
    /// The source of the record that decided.
    pub source: LogSource,
    /// The template of that record.
    pub template: String,
    /// The template's number, stable within its stream.
    pub template_id: u64,
    /// The family of failures; `None` if only an operator's feedback makes it a failure.
    pub family: Option<String>,
    /// The phrase that decided, and why.
    pub phrase: String,
    /// The device, guest or unit that fails, where the record names one.
    pub subject: Option<FailureSubject>,
    /// The source of the record is known. Without one, anybody may have written it.
    pub trusted: bool,
    /// The record that decided, shortened and without control characters; `None` if the condition ends.
    pub sample: Option<String>,
    /// Number of records of the condition so far.
    pub count: u64,
    /// Number of records of this template in the stream so far.
    pub seen: Option<u64>,
    /// When the stream had its first record of this template.
    pub first_seen: Option<Time>,
    /// Raised while the detector was still learning what is normal: the failure may be older than the detector.
    pub at_startup: bool,
    /// The last records up to the one that decided, one per line, oldest first.
    pub window: Option<String>,
    /// Why the condition ended.
    pub reason: Option<String>,
}

/// The log of a host has many messages that are new to it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogNovelty {
    /// The log that it is in: the merged log of one host.
    pub stream: String,
    /// The source of the record that decided.
    pub source: LogSource,
    /// The template of that record.
    pub template: Option<String>,
    /// The template's number, stable within its stream.
    pub template_id: Option<u64>,
    /// How many of the last records are new, or how many templates are new to the fleet.
    pub count: Option<u64>,
    /// The last records up to the one that decided, one per line, oldest first.
    pub window: Option<String>,
    /// Why the condition ended.
    pub reason: Option<String>,
}

/// All evidence about a host together makes a failure of its guests likely.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FailureRisk {
    /// The horizon of the alarm in minutes; the event's score is the value of this horizon.
    pub horizon_min: u32,
    /// The probability that guests fail within 10 minutes.
    pub risk_10min: Share,
    /// The same within 30 minutes.
    pub risk_30min: Share,
    /// Whether these are probabilities of this site, learned from outcomes. If not, they are evidence scores.
    pub calibrated: bool,
    /// The rate of failures that an evidence score starts from, per host and year.
    pub failures_per_host_year: f64,
    /// The share of each source, in words: its state, and its log-likelihood ratio in nats.
    pub sources: String,
    /// Why the condition ended.
    pub reason: Option<String>,
}

/// More hosts of a group turned yellow or red at about the same time than by chance.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GroupAnomaly {
    /// Number of hosts of the group that turned: when it was raised, and when it ends in all.
    pub hypervisors: u32,
    /// Number of hosts of the group.
    pub group_hypervisors: u32,
    /// The probability that at least this many turn by chance, 0 to 1; `None` if the condition ends.
    pub p_value: Option<f64>,
    /// Names of the hosts that turned, in order, separated by commas; at most eight. A name with a comma is in double quotes; see
    /// [`split_list`](crate::text::split_list).
    pub changed_hypervisors: String,
    /// Why the condition ended.
    pub reason: Option<String>,
}

impl Evidence {
    /// The kind of event with this evidence.
    pub fn kind(&self) -> EventKind {
        match self {
            Self::HypervisorAnomaly(_) => EventKind::HypervisorAnomaly,
            Self::HypervisorSilence(_) => EventKind::HypervisorSilence,
            Self::CollectorSilence(_) => EventKind::CollectorSilence,
            Self::FleetChange(_) => EventKind::FleetChange,
            Self::WorkloadChange(_) => EventKind::WorkloadChange,
            Self::ResourceAnomaly(_) => EventKind::ResourceAnomaly,
            Self::LogFailure(_) => EventKind::LogFailure,
            Self::LogNovelty(_) => EventKind::LogNovelty,
            Self::FailureRisk(_) => EventKind::FailureRisk,
            Self::GroupAnomaly(_) => EventKind::GroupAnomaly,
        }
    }

    /// Why the condition ended; `None` if it begins.
    pub(super) fn reason(&self) -> Option<&str> {
        let reason = match self {
            Self::HypervisorAnomaly(anomaly) => &anomaly.reason,
            Self::HypervisorSilence(silence) => &silence.reason,
            Self::CollectorSilence(silence) => &silence.reason,
            Self::FleetChange(change) => &change.reason,
            Self::WorkloadChange(_) => &None,
            Self::ResourceAnomaly(anomaly) => &anomaly.reason,
            Self::LogFailure(failure) => &failure.reason,
            Self::LogNovelty(novelty) => &novelty.reason,
            Self::FailureRisk(risk) => &risk.reason,
            Self::GroupAnomaly(anomaly) => &anomaly.reason,
        };
        reason.as_deref()
    }

    /// The identity of an incident with this evidence.
    pub(super) fn incident(&self, subject: &Subject, since: Time, ordinal: u64) -> IncidentId {
        let of = match self {
            Self::HypervisorAnomaly(anomaly) => anomaly.metric.as_str(),
            Self::FleetChange(change) => change.metric.as_str(),
            Self::WorkloadChange(change) => change.metric.as_str(),
            Self::LogFailure(failure) => failure.stream.as_str(),
            Self::LogNovelty(novelty) => novelty.stream.as_str(),
            // A host has one at a time, whichever signal deviates most.
            Self::HypervisorSilence(_)
            | Self::CollectorSilence(_)
            | Self::ResourceAnomaly(_)
            | Self::FailureRisk(_)
            | Self::GroupAnomaly(_) => "",
        };
        let vm = subject.vm().unwrap_or_default();
        let group = match subject {
            Subject::Group(name) => name.as_str(),
            Subject::Vm { .. } | Subject::Hypervisor(_) => "",
        };
        let names = [subject.hypervisor(), vm, group, of];
        IncidentId::new(self.kind(), &names, since, ordinal)
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        // Names every field of the large structs, so that a new one cannot be forgotten.
        let text = |text: &String| allocation(text.capacity());
        let maybe = |maybe: &Option<String>| maybe.as_ref().map_or(0, text);
        let source = |source: &LogSource| {
            let LogSource { program, unit, tag } = source;
            maybe(program) + maybe(unit) + maybe(tag)
        };
        match self {
            Self::HypervisorAnomaly(anomaly) => {
                let change = anomaly.change.as_ref();
                let change = change.map_or(0, |c| text(&c.channel) + text(&c.changed_vms));
                text(&anomaly.metric) + change + maybe(&anomaly.reason)
            }
            Self::HypervisorSilence(silence) => maybe(&silence.reason),
            Self::CollectorSilence(silence) => maybe(&silence.reason),
            Self::FleetChange(change) => {
                text(&change.metric) + text(&change.changed_hypervisors) + maybe(&change.reason)
            }
            Self::WorkloadChange(change) => text(&change.metric),
            Self::ResourceAnomaly(anomaly) => {
                text(&anomaly.signal) + text(&anomaly.signals) + maybe(&anomaly.reason)
            }
            Self::LogFailure(failure) => {
                let LogFailure {
                    stream,
                    source: from,
                    template,
                    template_id: _,
                    family,
                    phrase,
                    subject,
                    trusted: _,
                    sample,
                    count: _,
                    seen: _,
                    first_seen: _,
                    at_startup: _,
                    window,
                    reason,
                } = &**failure;
                let texts = [stream, template, phrase].into_iter().map(text);
                let optional = [family, sample, window, reason].into_iter().map(maybe);
                allocation(size_of::<LogFailure>())
                    + source(from)
                    + subject
                        .as_ref()
                        .map_or(0, |subject| allocation(subject.name().len()))
                    + texts.chain(optional).sum::<usize>()
            }
            Self::LogNovelty(novelty) => {
                let LogNovelty {
                    stream,
                    source: from,
                    template,
                    template_id: _,
                    count: _,
                    window,
                    reason,
                } = &**novelty;
                let optional = [template, window, reason].into_iter().map(maybe);
                allocation(size_of::<LogNovelty>())
                    + source(from)
                    + text(stream)
                    + optional.sum::<usize>()
            }
            Self::FailureRisk(risk) => {
                allocation(size_of::<FailureRisk>()) + text(&risk.sources) + maybe(&risk.reason)
            }
            Self::GroupAnomaly(anomaly) => {
                text(&anomaly.changed_hypervisors) + maybe(&anomaly.reason)
            }
        }
    }
}
