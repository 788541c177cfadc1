//! An event as one flat object: its JSON, and its keys and values.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::evidence::{
    Change, CollectorSilence, CommonChange, Evidence, FailureRisk, FleetChange, GroupAnomaly,
    HypervisorAnomaly, LogFailure, LogNovelty, LogSource, ResourceAnomaly, Silence, WorkloadChange,
};
use super::incident::IncidentId;
use super::subject::Subject;
use super::terms::{Cause, Direction, EventKind, Severity, State};
use super::{Event, SCHEMA};
use crate::inference::FailureSubject;
use crate::text;
use crate::units::{Share, Time};

/// A key of an event with its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The key, in snake case.
    pub key: &'static str,
    /// The value.
    pub value: FieldValue,
}

/// The value of a [`Field`].
#[derive(Debug, Clone, PartialEq)]
pub enum FieldValue {
    /// A text.
    Text(String),
    /// A number, such as a time or a share.
    Number(f64),
    /// A count.
    Integer(u64),
    /// A flag.
    Flag(bool),
}

/// A type that a key can have.
trait IntoValue {
    fn into_value(self) -> Option<FieldValue>;

    /// Cleans a text; other values have nothing to clean.
    fn clean(&mut self) {}
}

impl IntoValue for String {
    fn into_value(self) -> Option<FieldValue> {
        Some(FieldValue::Text(self))
    }

    fn clean(&mut self) {
        if let Cow::Owned(cleaned) = text::clean(self) {
            *self = cleaned;
        }
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Option<FieldValue> {
        self.and_then(T::into_value)
    }

    fn clean(&mut self) {
        if let Some(value) = self {
            value.clean();
        }
    }
}

macro_rules! into_value {
    ($($ty:ty => |$x:ident| $variant:ident($value:expr)),+ $(,)?) => {
        $(impl IntoValue for $ty {
            fn into_value(self) -> Option<FieldValue> {
                let $x = self;
                Some(FieldValue::$variant($value))
            }
        })+
    };
}
into_value! {
    bool => |flag| Flag(flag),
    u32 => |count| Integer(count.into()),
    u64 => |count| Integer(count),
    f64 => |number| Number(number),
    Time => |time| Number(time.secs()),
    Share => |share| Number(share.get()),
    IncidentId => |id| Text(id.to_string()),
    EventKind => |word| Text(word.as_str().to_owned()),
    State => |word| Text(word.as_str().to_owned()),
    Severity => |word| Text(word.as_str().to_owned()),
    Cause => |word| Text(word.as_str().to_owned()),
    Direction => |word| Text(word.as_str().to_owned()),
}

/// Declares [`Flat`]: the keys that every event has, and those that depend on its kind.
macro_rules! flat {
    ($($always:ident: $always_ty:ty,)+ ; $($key:ident: $ty:ty,)+) => {
        /// All keys that an event can have, in the order of the JSON.
        #[derive(Default, Serialize, Deserialize)]
        #[serde(default)]
        pub(super) struct Flat {
            $($always: Option<$always_ty>,)+
            $(#[serde(skip_serializing_if = "Option::is_none")] $key: Option<$ty>,)+
        }

        impl Flat {
            /// The same with every text cleaned: names are chosen by those who own what they name.
            fn cleaned(mut self) -> Self {
                // Its lines were cleaned one by one.
                let window = self.window.take();
                $(self.$always.clean();)+
                $(self.$key.clean();)+
                Self { window, ..self }
            }

            /// The keys that have a value.
            pub(super) fn fields(self) -> Vec<Field> {
                let fields = [
                    $((stringify!($always), self.$always.into_value()),)+
                    $((stringify!($key), self.$key.into_value()),)+
                ];
                let fields = fields.into_iter();
                fields.filter_map(|(key, value)| Some(Field { key, value: value? })).collect()
            }
        }
    };
}
flat! {
    event: EventKind,
    schema: u32,
    time: Time,
    state: State,
    severity: Severity,
    hypervisor: String,
    ;
    group: String,
    vm: String,
    metric: String,
    score: Share,
    message: String,
    since: Time,
    incident: IncidentId,
    provisional: bool,
    cause: Cause,
    consensus: Share,
    distinctiveness: Share,
    consistency: Share,
    direction: Direction,
    channel: String,
    vms: u32,
    voters: u32,
    hypervisors: u32,
    voting_hypervisors: u32,
    group_hypervisors: u32,
    changed_vms: String,
    changed_hypervisors: String,
    signals: String,
    p_value: f64,
    reason: String,
    stream: String,
    program: String,
    unit: String,
    tag: String,
    template: String,
    template_id: u64,
    family: String,
    phrase: String,
    device: String,
    guest: String,
    failed_unit: String,
    trusted: bool,
    sample: String,
    count: u64,
    seen: u64,
    first_seen: Time,
    at_startup: bool,
    window: String,
    horizon_min: u32,
    risk_10min: Share,
    risk_30min: Share,
    calibrated: bool,
    failures_per_host_year: f64,
    sources: String,
}

impl From<Event> for Flat {
    fn from(event: Event) -> Self {
        let (mut group, mut vm, mut hypervisor) = (None, None, String::new());
        match event.subject {
            Subject::Vm {
                hypervisor: on,
                vm: name,
            } => (hypervisor, vm) = (on, Some(name)),
            Subject::Hypervisor(name) => hypervisor = name,
            Subject::Group(name) => group = (!name.is_empty()).then_some(name),
        }
        let flat = Self {
            event: Some(event.evidence.kind()),
            schema: Some(SCHEMA),
            time: Some(event.time),
            state: Some(event.state),
            severity: Some(event.severity),
            hypervisor: Some(hypervisor),
            group,
            vm,
            score: Some(event.score),
            message: Some(event.message),
            since: Some(event.since),
            incident: Some(event.incident),
            ..Self::default()
        };
        flat.with(event.evidence).cleaned()
    }
}

impl Flat {
    fn with(self, evidence: Evidence) -> Self {
        match evidence {
            Evidence::HypervisorAnomaly(anomaly) => {
                let flat = Self {
                    metric: Some(anomaly.metric),
                    vms: Some(anomaly.vms),
                    voters: Some(anomaly.voters),
                    provisional: anomaly.provisional.then_some(true),
                    reason: anomaly.reason,
                    ..self
                };
                match anomaly.change {
                    None => flat,
                    Some(change) => Self {
                        cause: Some(change.cause),
                        consensus: Some(change.consensus),
                        distinctiveness: Some(change.distinctiveness),
                        consistency: Some(change.consistency),
                        direction: Some(change.direction),
                        channel: Some(change.channel),
                        changed_vms: (!change.changed_vms.is_empty()).then_some(change.changed_vms),
                        ..flat
                    },
                }
            }
            Evidence::HypervisorSilence(silence) => Self {
                vms: silence.vms,
                reason: silence.reason,
                ..self
            },
            Evidence::CollectorSilence(silence) => Self {
                hypervisors: silence.hypervisors,
                reason: silence.reason,
                ..self
            },
            Evidence::FleetChange(change) => {
                let share =
                    f64::from(change.hypervisors) / f64::from(change.voting_hypervisors.max(1));
                let changed = change.changed_hypervisors;
                Self {
                    metric: Some(change.metric),
                    cause: change.direction.map(|_| Cause::Fleet),
                    consensus: change.direction.map(|_| Share::rounded(share)),
                    direction: change.direction,
                    hypervisors: Some(change.hypervisors),
                    voting_hypervisors: Some(change.voting_hypervisors),
                    changed_hypervisors: (!changed.is_empty()).then_some(changed),
                    reason: change.reason,
                    ..self
                }
            }
            Evidence::WorkloadChange(change) => Self {
                metric: Some(change.metric),
                cause: Some(Cause::Internal),
                consensus: Some(change.consensus),
                voters: match change.change {
                    Change::Alone => None,
                    Change::TimeOfDay { voters } => Some(voters),
                },
                ..self
            },
            Evidence::ResourceAnomaly(anomaly) => Self {
                metric: Some(anomaly.signal),
                signals: (!anomaly.signals.is_empty()).then_some(anomaly.signals),
                p_value: anomaly.p_value,
                provisional: anomaly.provisional.then_some(true),
                reason: anomaly.reason,
                ..self
            },
            Evidence::LogFailure(failure) => Self {
                stream: Some(failure.stream),
                template: Some(failure.template),
                template_id: Some(failure.template_id),
                family: failure.family,
                phrase: Some(failure.phrase),
                trusted: Some(failure.trusted),
                sample: failure.sample,
                count: Some(failure.count),
                seen: failure.seen,
                first_seen: failure.first_seen,
                at_startup: failure.at_startup.then_some(true),
                window: failure.window,
                reason: failure.reason,
                ..self
                    .with_subject(failure.subject)
                    .with_source(failure.source)
            },
            Evidence::LogNovelty(novelty) => Self {
                stream: Some(novelty.stream),
                template: novelty.template,
                template_id: novelty.template_id,
                count: novelty.count,
                window: novelty.window,
                reason: novelty.reason,
                ..self.with_source(novelty.source)
            },
            Evidence::FailureRisk(risk) => Self {
                horizon_min: Some(risk.horizon_min),
                risk_10min: Some(risk.risk_10min),
                risk_30min: Some(risk.risk_30min),
                calibrated: Some(risk.calibrated),
                failures_per_host_year: Some(risk.failures_per_host_year),
                sources: Some(risk.sources),
                reason: risk.reason,
                ..self
            },
            Evidence::GroupAnomaly(anomaly) => {
                let changed = anomaly.changed_hypervisors;
                Self {
                    hypervisors: Some(anomaly.hypervisors),
                    group_hypervisors: Some(anomaly.group_hypervisors),
                    p_value: anomaly.p_value,
                    changed_hypervisors: (!changed.is_empty()).then_some(changed),
                    reason: anomaly.reason,
                    ..self
                }
            }
        }
    }

    fn with_subject(self, subject: Option<FailureSubject>) -> Self {
        match subject {
            None => self,
            Some(FailureSubject::Device(name)) => Self {
                device: Some(name),
                ..self
            },
            Some(FailureSubject::Guest(name)) => Self {
                guest: Some(name),
                ..self
            },
            Some(FailureSubject::Unit(name)) => Self {
                failed_unit: Some(name),
                ..self
            },
        }
    }

    fn with_source(self, source: LogSource) -> Self {
        Self {
            program: source.program,
            unit: source.unit,
            tag: source.tag,
            ..self
        }
    }

    /// The evidence of an event of this kind.
    fn evidence(&mut self, kind: EventKind) -> Result<Evidence, MissingKey> {
        let source = LogSource {
            program: self.program.take(),
            unit: self.unit.take(),
            tag: self.tag.take(),
        };
        let reason = self.reason.take();
        Ok(match kind {
            EventKind::HypervisorAnomaly => Evidence::HypervisorAnomaly(HypervisorAnomaly {
                metric: needed("metric", self.metric.take())?,
                vms: needed("vms", self.vms)?,
                voters: needed("voters", self.voters)?,
                provisional: self.provisional == Some(true),
                change: match self.cause {
                    None => None,
                    Some(cause) => Some(CommonChange {
                        cause,
                        consensus: needed("consensus", self.consensus)?,
                        distinctiveness: needed("distinctiveness", self.distinctiveness)?,
                        consistency: needed("consistency", self.consistency)?,
                        direction: needed("direction", self.direction)?,
                        channel: needed("channel", self.channel.take())?,
                        changed_vms: self.changed_vms.take().unwrap_or_default(),
                    }),
                },
                reason,
            }),
            EventKind::HypervisorSilence => Evidence::HypervisorSilence(Silence {
                vms: self.vms,
                reason,
            }),
            EventKind::CollectorSilence => Evidence::CollectorSilence(CollectorSilence {
                hypervisors: self.hypervisors,
                reason,
            }),
            EventKind::FleetChange => Evidence::FleetChange(FleetChange {
                metric: needed("metric", self.metric.take())?,
                hypervisors: needed("hypervisors", self.hypervisors)?,
                voting_hypervisors: needed("voting_hypervisors", self.voting_hypervisors)?,
                direction: self.direction,
                changed_hypervisors: self.changed_hypervisors.take().unwrap_or_default(),
                reason,
            }),
            EventKind::WorkloadChange => Evidence::WorkloadChange(WorkloadChange {
                metric: needed("metric", self.metric.take())?,
                consensus: needed("consensus", self.consensus)?,
                change: match self.voters {
                    None => Change::Alone,
                    Some(voters) => Change::TimeOfDay { voters },
                },
            }),
            EventKind::ResourceAnomaly => Evidence::ResourceAnomaly(ResourceAnomaly {
                signal: needed("metric", self.metric.take())?,
                signals: self.signals.take().unwrap_or_default(),
                p_value: self.p_value,
                provisional: self.provisional == Some(true),
                reason,
            }),
            EventKind::LogFailure => Evidence::LogFailure(Box::new(LogFailure {
                stream: needed("stream", self.stream.take())?,
                source,
                template: needed("template", self.template.take())?,
                template_id: needed("template_id", self.template_id)?,
                family: self.family.take(),
                phrase: needed("phrase", self.phrase.take())?,
                subject: match (
                    self.device.take(),
                    self.guest.take(),
                    self.failed_unit.take(),
                ) {
                    (Some(name), _, _) => Some(FailureSubject::Device(name)),
                    (_, Some(name), _) => Some(FailureSubject::Guest(name)),
                    (_, _, unit) => unit.map(FailureSubject::Unit),
                },
                // Events of earlier versions did not say.
                trusted: self.trusted == Some(true),
                sample: self.sample.take(),
                count: needed("count", self.count)?,
                seen: self.seen,
                first_seen: self.first_seen,
                at_startup: self.at_startup == Some(true),
                window: self.window.take(),
                reason,
            })),
            EventKind::LogNovelty => Evidence::LogNovelty(Box::new(LogNovelty {
                stream: needed("stream", self.stream.take())?,
                source,
                template: self.template.take(),
                template_id: self.template_id,
                count: self.count,
                window: self.window.take(),
                reason,
            })),
            EventKind::FailureRisk => Evidence::FailureRisk(Box::new(FailureRisk {
                horizon_min: needed("horizon_min", self.horizon_min)?,
                risk_10min: needed("risk_10min", self.risk_10min)?,
                risk_30min: needed("risk_30min", self.risk_30min)?,
                calibrated: self.calibrated == Some(true),
                failures_per_host_year: needed(
                    "failures_per_host_year",
                    self.failures_per_host_year,
                )?,
                sources: self.sources.take().unwrap_or_default(),
                reason,
            })),
            EventKind::GroupAnomaly => Evidence::GroupAnomaly(GroupAnomaly {
                hypervisors: needed("hypervisors", self.hypervisors)?,
                group_hypervisors: needed("group_hypervisors", self.group_hypervisors)?,
                p_value: self.p_value,
                changed_hypervisors: self.changed_hypervisors.take().unwrap_or_default(),
                reason,
            }),
        })
    }
}

/// An object is not an event, because a key of its kind is missing.
#[derive(Debug, thiserror::Error)]
#[error("the key \"{0}\" is missing")]
pub(super) struct MissingKey(&'static str);

fn needed<T>(key: &'static str, value: Option<T>) -> Result<T, MissingKey> {
    value.ok_or(MissingKey(key))
}

impl TryFrom<Flat> for Event {
    type Error = MissingKey;

    fn try_from(mut flat: Flat) -> Result<Self, MissingKey> {
        let hypervisor = needed("hypervisor", flat.hypervisor.take())?;
        let subject = match (hypervisor, flat.vm.take()) {
            (hypervisor, Some(vm)) => Subject::Vm { hypervisor, vm },
            (name, None) if !name.is_empty() => Subject::Hypervisor(name),
            _ => Subject::Group(flat.group.take().unwrap_or_default()),
        };
        let kind = needed("event", flat.event)?;
        let evidence = flat.evidence(kind)?;
        let since = needed("since", flat.since)?;
        let incident = flat.incident;
        Ok(Self {
            time: needed("time", flat.time)?,
            state: needed("state", flat.state)?,
            severity: needed("severity", flat.severity)?,
            // Events of earlier versions had none.
            incident: incident.unwrap_or_else(|| evidence.incident(&subject, since, 0)),
            subject,
            score: needed("score", flat.score)?,
            message: needed("message", flat.message)?,
            since,
            evidence,
        })
    }
}
