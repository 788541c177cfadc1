//! The events of a tick.

mod masked;
mod removal;
mod silence;
mod workload;

use self::silence::silence_event;
use self::workload::workload_changes;
use super::attribution::{NAMED_MAX, action, cause, reason};
use super::hypervisor::Others;
use super::incident::{Change, End};
use super::joint::{self, Reported};
use super::method::{Alarm, Verdict};
use super::options::HadOptions;
use super::presence::Presences;
use super::series::{Series, Tick};
use crate::event::{
    Cause, CommonChange, Direction, Event, Evidence, HypervisorAnomaly, Severity, State, Subject,
};
use crate::text::{duration, list_item};
use crate::units::{Share, Time};

pub(super) use self::masked::masked;
pub(super) use self::removal::{Removal, interval_changed, removed, vms_removed};

/// Maximum length of a list of names in a message, in bytes.
const NAMES_MAX_BYTES: usize = 80;

/// The events of one tick. An incident is raised once, in the first metric and at the first interval of the VMs in which it occurs,
/// and cleared when it is over in all of them. `known` are the incidents that were reported, and the other series; `silence` is
/// since when the hypervisor is known to be silent, and its index.
pub(super) fn events_of_tick(
    hypervisor: &str,
    options: &HadOptions,
    series: &mut Series,
    tick: &Tick,
    known: (&mut Vec<Reported>, &Others<'_>),
    silence: (&mut Option<f64>, &mut Presences, usize),
) -> Vec<Event> {
    let (reported, others) = known;
    let mut events = Vec::new();
    events.extend(silence_event(
        hypervisor, options, series, tick, others, silence,
    ));
    series.last = joint::decided(&tick.verdict, series, others, options);
    let verdict = series.last;
    let changes = series.follow_incident(&verdict, options);
    for change in changes.into_iter().flatten() {
        let is_open = is_open_elsewhere(series, others, options);
        let end = match change {
            Change::Cleared(_) if is_open => continue,
            Change::Cleared(end) => end,
            Change::Raised => {
                let quiet = series.quiet(options) as f64 * series.interval;
                let belongs = |one: &Reported| {
                    joint::is_one(options, series.metric, one.metric)
                        && tick.time - one.alarmed <= quiet
                };
                if is_open && reported.iter().any(belongs) {
                    continue;
                }
                End::Superseded
            }
        };
        ended(
            hypervisor,
            options,
            (series, reported),
            tick.time,
            end,
            &mut events,
        );
        if change == Change::Raised {
            reported.push(Reported {
                metric: series.metric,
                since: tick.time,
                alarmed: tick.time,
            });
            events.push(raised(hypervisor, options, series, tick.time, &verdict));
        }
    }
    // Its metric may no longer be watched since a restart.
    if !reported.is_empty()
        && !series.incidents.is_raised()
        && !is_open_elsewhere(series, others, options)
    {
        let known = (&*series, &mut *reported);
        ended(
            hypervisor,
            options,
            known,
            tick.time,
            End::Gone,
            &mut events,
        );
    }
    if verdict.alarm.is_some() {
        let belongs = |one: &&mut Reported| joint::is_one(options, series.metric, one.metric);
        for one in reported.iter_mut().filter(belongs) {
            one.alarmed = tick.time;
        }
    }
    if options.workload_changes {
        events.extend(workload_changes(hypervisor, options, series, tick, others));
    }
    events
}

/// Whether another series has an incident that is one with that of `series`.
fn is_open_elsewhere(series: &Series, others: &Others<'_>, options: &HadOptions) -> bool {
    let mut ones = others
        .all()
        .filter(|other| joint::is_one(options, series.metric, other.metric));
    ones.any(|other| other.incidents.is_raised())
}

/// Clears what was reported of the incident of `series`.
fn ended(
    hypervisor: &str,
    options: &HadOptions,
    (series, reported): (&Series, &mut Vec<Reported>),
    time: f64,
    end: End,
    events: &mut Vec<Event>,
) {
    reported.retain(|one| {
        let belongs = joint::is_one(options, series.metric, one.metric);
        if belongs {
            events.push(cleared(hypervisor, options, series, one, time, end));
        }
        !belongs
    });
}

/// The names of the VMs that changed the most on the time scale of the alarm, largest change first, each as an item of a list.
fn most_changed(series: &Series, alarm: &Alarm) -> Vec<String> {
    let sign = match alarm.direction {
        Direction::Up => 1.0,
        Direction::Down => -1.0,
        Direction::Mixed | Direction::Frozen => 0.0,
    };
    let method = series.method.get();
    let mut changed: Vec<(f64, &str)> = series
        .members
        .iter()
        .enumerate()
        .filter_map(|(slot, member)| {
            let shift = method.shift_on(slot, alarm.channel);
            Some((shift, member.name.as_deref()?))
        })
        .map(|(shift, name)| {
            (
                if sign == 0.0 {
                    shift.abs()
                } else {
                    sign * shift
                },
                name,
            )
        })
        .filter(|(shift, _)| *shift >= 1.0)
        .collect();
    changed.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    changed
        .into_iter()
        .take(NAMED_MAX)
        .map(|(_, name)| list_item(name).into_owned())
        .collect()
}

/// `names` for a message, as many as fit.
pub(super) fn listed(names: &[String]) -> String {
    let mut text = String::new();
    for (i, name) in names.iter().enumerate() {
        if text.len() + name.len() > NAMES_MAX_BYTES {
            return if i == 0 {
                String::new()
            } else {
                format!(" ({text}, …)")
            };
        }
        if i > 0 {
            text.push_str(", ");
        }
        text.push_str(name);
    }
    if text.is_empty() {
        text
    } else {
        format!(" ({text})")
    }
}

// Rare, and kept out of the loop over the changes: inlined there, the compiler would round the fields of an alarm at every tick
// before checking that there is one, and so, as valgrind reports, read uninitialized memory.
#[cold]
#[inline(never)]
fn raised(
    hypervisor: &str,
    options: &HadOptions,
    series: &Series,
    time: f64,
    verdict: &Verdict,
) -> Event {
    let alarm = verdict.alarm.expect("an incident is raised by an alarm");
    let metric = &options.metrics[series.metric as usize];
    let known_for = time - series.since;
    let is_provisional = known_for < options.provisional_sec;
    let cause = cause(verdict, &alarm);
    let severity = if is_provisional || cause == Cause::Internal {
        Severity::Warning
    } else {
        Severity::Failure
    };
    let names = most_changed(series, &alarm);
    let agreeing = (verdict.consensus * f64::from(verdict.voters)).round() as u32;
    let advice = match (cause, is_provisional) {
        (Cause::Internal, _) => "as they have before: likely their workload".to_owned(),
        (_, false) => "likely the host, not its guests: check it, move them away".to_owned(),
        (_, true) => {
            format!(
                "likely the host; provisional: its VMs have been known for only {}",
                duration(known_for)
            )
        }
    };
    let text = format!(
        "{hypervisor}: {metric} of {agreeing} of {} VMs {}{}; {advice}",
        verdict.voters,
        action(alarm.direction),
        listed(&names)
    );
    let evidence = HypervisorAnomaly {
        metric: metric.clone(),
        vms: series.vms() as u32,
        voters: verdict.voters,
        provisional: is_provisional,
        change: Some(CommonChange {
            cause,
            consensus: Share::rounded(verdict.consensus),
            distinctiveness: Share::rounded(alarm.distinctiveness),
            consistency: Share::rounded(alarm.consistency),
            direction: alarm.direction,
            channel: alarm.channel.to_owned(),
            changed_vms: names.join(","),
        }),
        reason: None,
    };
    Event::new(
        Subject::Hypervisor(hypervisor.to_owned()),
        State::Raised,
        severity,
        Time::from_secs(time),
        &text,
        Evidence::HypervisorAnomaly(evidence),
    )
    .with_score(verdict.score)
}

/// `series` is the last one in which the incident ended.
fn cleared(
    hypervisor: &str,
    options: &HadOptions,
    series: &Series,
    reported: &Reported,
    time: f64,
    end: End,
) -> Event {
    let metric = &options.metrics[reported.metric as usize];
    let lasted = duration((time - reported.since).max(0.0));
    let text = match end {
        End::Recovered => {
            format!("{hypervisor}: {metric} of its VMs is back to where it was, after {lasted}")
        }
        End::Accustomed => {
            format!(
                "{hypervisor}: {metric} of its VMs has stayed changed for {lasted}; that is taken as normal from now on"
            )
        }
        End::Superseded => {
            format!("{hypervisor}: {metric} of its VMs changed again, after {lasted}")
        }
        End::Gone => format!("{hypervisor}: the VMs that changed are gone, after {lasted}"),
        End::Maintenance => format!("{hypervisor}: in maintenance, after {lasted}"),
    };
    let evidence = HypervisorAnomaly {
        metric: metric.clone(),
        vms: series.vms() as u32,
        voters: series.last.voters,
        provisional: false,
        change: None,
        reason: Some(reason(end).to_owned()),
    };
    Event::new(
        Subject::Hypervisor(hypervisor.to_owned()),
        State::Cleared,
        Severity::Okay,
        Time::from_secs(time),
        &text,
        Evidence::HypervisorAnomaly(evidence),
    )
    .of_incident(Time::from_secs(reported.since), 0)
    .with_score(series.last.score)
}
