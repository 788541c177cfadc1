//! Changes of workloads.

use crate::event::{
    Change as WorkloadKind, Event, Evidence, Severity, State, Subject, WorkloadChange,
};
use crate::had::hypervisor::Others;
use crate::had::options::HadOptions;
use crate::had::series::{Series, Tick};
use crate::units::{Share, Time};

/// A VM with at least this shift (standard deviations) has changed alone if no others did.
const ALONE_MIN: f64 = 4.0;
/// A VM that changed alone is steady again below this.
const ALONE_OVER: f64 = 1.0;
/// VMs change alone only below this consensus.
const ALONE_CONSENSUS: f64 = 0.5;

/// VMs that changed alone, or are steady again.
pub(super) fn workload_changes(
    hypervisor: &str,
    options: &HadOptions,
    series: &mut Series,
    tick: &Tick,
    others: &Others<'_>,
) -> Vec<Event> {
    let metric = options.metrics[series.metric as usize].clone();
    let alone_now = tick.verdict.consensus < ALONE_CONSENSUS && !series.incidents.is_raised();
    let mut events = Vec::new();
    for slot in 0..series.members.len() {
        let shift = series.method.get().shift(slot);
        let member = &mut series.members[slot];
        let Some(vm) = member.name.as_deref() else {
            continue;
        };
        let (state, severity, text) = if !member.alone && alone_now && shift.abs() >= ALONE_MIN {
            let action = if shift > 0.0 { "rose" } else { "fell" };
            (
                State::Raised,
                Severity::Warning,
                format!("{hypervisor}: {metric} of {vm} {action} alone; a workload, not the host"),
            )
        } else if member.alone && shift.abs() < ALONE_OVER {
            (
                State::Cleared,
                Severity::Okay,
                format!("{hypervisor}: {metric} of {vm} is steady again"),
            )
        } else {
            continue;
        };
        let since = match state {
            State::Raised | State::Updated => tick.time,
            State::Cleared => member.alone_since,
        };
        let evidence = WorkloadChange {
            metric: metric.clone(),
            consensus: Share::rounded(tick.verdict.consensus),
            change: WorkloadKind::Alone,
        };
        let subject = Subject::Vm {
            hypervisor: hypervisor.to_owned(),
            vm: vm.to_owned(),
        };
        let event = Event::new(
            subject,
            state,
            severity,
            Time::from_secs(tick.time),
            &text,
            Evidence::WorkloadChange(evidence),
        )
        .of_incident(Time::from_secs(since), 0)
        .with_score(shift.abs() / (shift.abs() + ALONE_MIN));
        events.push(event);
        member.alone_since = tick.time;
        member.alone = state == State::Raised;
    }
    let follows = tick.verdict.follows_time_of_day && tick.verdict.alarm.is_none();
    let reported = series.follows_time_of_day
        || others
            .of(series.metric)
            .any(|other| other.follows_time_of_day);
    if follows && !reported {
        let text = format!(
            "{hypervisor}: {metric} of its VMs changes together, following the time of day; a workload, not the host"
        );
        let evidence = WorkloadChange {
            metric,
            consensus: Share::rounded(tick.verdict.consensus),
            change: WorkloadKind::TimeOfDay {
                voters: tick.verdict.voters,
            },
        };
        let event = Event::new(
            Subject::Hypervisor(hypervisor.to_owned()),
            State::Raised,
            Severity::Okay,
            Time::from_secs(tick.time),
            &text,
            Evidence::WorkloadChange(evidence),
        );
        events.push(event.with_score(tick.verdict.score));
    }
    series.follows_time_of_day = follows;
    events
}
