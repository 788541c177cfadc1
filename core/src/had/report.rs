//! The events of a tick.

use super::attribution::{NAMED_MAX, action, cause, reason};
use super::hypervisor::{Hypervisor, Others};
use super::incident::{Change, End};
use super::method::Alarm;
use super::options::HadOptions;
use super::presence::{Presences, Silence};
use super::series::{Series, Tick};
use crate::event::{
    Cause, Change as WorkloadKind, CommonChange, Event, Evidence, HypervisorAnomaly,
    MESSAGE_MAX_BYTES, Severity, Silence as SilenceEvidence, State, Subject, WorkloadChange,
};
use crate::text::{duration, shortened};
use crate::units::{Share, Time};

/// A VM with at least this shift (standard deviations) has changed alone if no others did.
const ALONE_MIN: f64 = 4.0;
/// A VM that changed alone is steady again below this.
const ALONE_OVER: f64 = 1.0;
/// VMs change alone only below this consensus.
const ALONE_CONSENSUS: f64 = 0.5;
/// Maximum length of a list of names in a message, in bytes.
const NAMES_MAX_BYTES: usize = 80;

/// The events of one tick. An incident of a metric is raised once, at the first interval of the VMs at which it occurs, and
/// cleared when it is over at all of them. `silence` is since when the hypervisor is known to be silent, and its index.
pub(super) fn events_of_tick(
    hypervisor: &str,
    options: &HadOptions,
    series: &mut Series,
    tick: &Tick,
    others: &Others<'_>,
    silence: (&mut Option<f64>, &mut Presences, usize),
) -> Vec<Event> {
    let mut events = Vec::new();
    events.extend(silence_event(
        hypervisor, options, series, tick, others, silence,
    ));
    let changes = series.follow_incident(&tick.verdict, options.overlap_window_sz as u64);
    for change in changes.into_iter().flatten() {
        if let Some(since) = others.raised_since(series.metric) {
            if change == Change::Raised {
                series.raised_since = since;
            }
            continue;
        }
        events.push(match change {
            Change::Raised => {
                series.raised_since = tick.time;
                raised(hypervisor, options, series, tick)
            }
            Change::Cleared(end) => cleared(hypervisor, options, series, tick.time, end),
        });
    }
    if options.workload_changes {
        events.extend(workload_changes(hypervisor, options, series, tick, others));
    }
    events
}

/// The names of the VMs that changed the most, largest change first.
fn most_changed(series: &Series, alarm: Option<&Alarm>) -> Vec<String> {
    let sign = match alarm.map(|a| a.direction) {
        Some(crate::event::Direction::Up) => 1.0,
        Some(crate::event::Direction::Down) => -1.0,
        _ => 0.0,
    };
    let method = series.method.get();
    let mut changed: Vec<(f64, &str)> = series
        .members
        .iter()
        .enumerate()
        .filter_map(|(slot, member)| Some((method.shift(slot), member.name.as_deref()?)))
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
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// `names` for a message, as many as fit.
fn listed(names: &[String]) -> String {
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
fn raised(hypervisor: &str, options: &HadOptions, series: &Series, tick: &Tick) -> Event {
    let verdict = &tick.verdict;
    let alarm = verdict.alarm.expect("an incident is raised by an alarm");
    let metric = &options.metrics[series.metric as usize];
    let known_for = tick.time - series.since;
    let is_provisional = known_for < options.provisional_sec;
    let cause = cause(verdict, &alarm);
    let severity = if is_provisional || cause == Cause::Internal {
        Severity::Warning
    } else {
        Severity::Failure
    };
    let names = most_changed(series, Some(&alarm));
    let agreeing = (verdict.consensus * f64::from(verdict.voters)).round() as u32;
    let advice = match (cause, is_provisional) {
        (Cause::Internal, _) => "as they have before: likely their workload".to_owned(),
        (Cause::External, false) => {
            "likely the host, not its guests: check it, move them away".to_owned()
        }
        (Cause::External, true) => {
            format!(
                "likely the host; provisional, its VMs are known for {} only",
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
        Time::from_secs(tick.time),
        &text,
        Evidence::HypervisorAnomaly(evidence),
    )
    .with_score(verdict.score)
}

fn cleared(hypervisor: &str, options: &HadOptions, series: &Series, time: f64, end: End) -> Event {
    let metric = &options.metrics[series.metric as usize];
    let lasted = duration(time - series.raised_since);
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
    .of_incident(Time::from_secs(series.raised_since), 0)
    .with_score(series.last.score)
}

/// The event for a silence of all VMs of a hypervisor that began at `since`, seconds: raised with the number of its VMs, or
/// cleared with the reason.
fn silence(
    hypervisor: &str,
    since: f64,
    time: f64,
    text: &str,
    evidence: SilenceEvidence,
) -> Event {
    let (state, severity) = match evidence.reason {
        None => (State::Raised, Severity::Warning),
        Some(_) => (State::Cleared, Severity::Okay),
    };
    Event::new(
        Subject::Hypervisor(hypervisor.to_owned()),
        state,
        severity,
        Time::from_secs(time),
        text,
        Evidence::HypervisorSilence(evidence),
    )
    .of_incident(Time::from_secs(since), 0)
}

/// The event if all VMs fell silent, or report again. A gap that all VMs share is no consensus: one stopped guest blocks the
/// reading of all.
fn silence_event(
    hypervisor: &str,
    options: &HadOptions,
    series: &Series,
    tick: &Tick,
    others: &Others<'_>,
    (silent_since, presences, at): (&mut Option<f64>, &mut Presences, usize),
) -> Option<Event> {
    let limit = options.silence_sz as u64;
    if tick.has_sample {
        // A late tick of another series may be from before the silence.
        let shortest = others.all().map(|p| p.interval).reduce(f64::min);
        let shortest = shortest.map_or(0.0, |interval| interval.min(series.interval));
        if (*silent_since)? + shortest >= tick.time && shortest > 0.0 {
            return None;
        }
        let since = silent_since.take()?;
        let text = format!(
            "{hypervisor}: its VMs report again after {}",
            duration(tick.time - since.min(tick.time))
        );
        let evidence = SilenceEvidence {
            vms: None,
            reason: Some("samples again".to_owned()),
        };
        return Some(silence(hypervisor, since, tick.time, &text, evidence));
    }
    // A gap that was skipped at once may have passed the limit without ever being equal to it.
    if limit == 0 || tick.silent < limit || silent_since.is_some() {
        return None;
    }
    let silent = all_silent(series, tick, others, limit)?;
    let (now, vms) = (silent.now, silent.vms);
    // A gap that is partly excused has to be as long without that part.
    let since = presences.own_since(at, silent.since);
    if ((now - since) / series.interval + 1e-6).floor() < limit as f64 {
        return None;
    }
    match presences.attribute_silence(at, since, now, limit) {
        Silence::Own => {}
        Silence::Collector => return None,
        Silence::CollectorRaised(event) => return Some(*event),
    }
    *silent_since = Some(since);
    let text = format!(
        "{hypervisor}: no sample from any of its {vms} VMs for {}; its state is unknown. One stopped guest can block the reading of all",
        duration(now - since)
    );
    let evidence = SilenceEvidence {
        vms: Some(vms as u32),
        reason: None,
    };
    Some(silence(hypervisor, since, now, &text, evidence))
}

/// All VMs of a hypervisor are silent.
struct AllSilent {
    /// Since when, seconds.
    since: f64,
    /// The time by which that is known, seconds.
    now: f64,
    /// Number of VMs.
    vms: usize,
}

/// Whether all VMs of a hypervisor are silent if those of one of its series are.
///
/// Most VMs must have been silent for `limit` ticks of their intervals; the others, which may have longer intervals, must not
/// have reported since.
fn all_silent(series: &Series, tick: &Tick, others: &Others<'_>, limit: u64) -> Option<AllSilent> {
    let own = series.unmasked();
    let mut since = tick.time - tick.silent as f64 * series.interval;
    let (mut silent, mut all, mut slowest) = (own, own, series.interval);
    let mut now = tick.time;
    for other in others.all() {
        let unmasked = other.unmasked();
        all += unmasked;
        if unmasked > 0 && other.silent() >= limit {
            silent += unmasked;
            slowest = slowest.max(other.interval);
            let silent_for = other.silent() as f64 * other.interval;
            since = since.max(other.last_tick_time() - silent_for);
            now = now.max(other.last_tick_time());
        }
    }
    let reports = |other: &Series| {
        other.unmasked() > 0 && other.silent() < limit && other.last_report() > since + slowest
    };
    if own == 0 || 2 * silent <= all || others.all().any(reports) {
        return None;
    }
    let vms = others
        .of(series.metric)
        .map(Series::unmasked)
        .sum::<usize>();
    Some(AllSilent {
        since,
        now,
        vms: own + vms,
    })
}

/// VMs that changed alone, or are steady again.
fn workload_changes(
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
            State::Raised => tick.time,
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

/// Why a hypervisor is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Removal {
    /// It has been silent for the option `forget_sec`.
    Forgotten,
    /// It was evicted at the option `max_hypervisors`.
    Evicted,
    /// It was evicted at the option `max_memory_mib`.
    OutOfMemory,
}

/// The events that clear what is open of a hypervisor that is being removed.
pub(super) fn removed(
    name: &str,
    options: &HadOptions,
    hypervisor: &Hypervisor,
    time: f64,
    why: Removal,
) -> Vec<Event> {
    let (what, reason) = match why {
        Removal::Forgotten => ("forgotten", "forgotten"),
        Removal::Evicted => (
            "evicted because max_hypervisors is reached",
            "evicted: max_hypervisors is reached",
        ),
        Removal::OutOfMemory => (
            "evicted because max_memory_mib is reached",
            "evicted: max_memory_mib is reached",
        ),
    };
    let raised = |metric| {
        let mut series = hypervisor.of(metric).map(|(_, series)| series);
        series.find(|series| series.incidents.is_raised())
    };
    let mut events: Vec<Event> = hypervisor
        .metrics()
        .filter_map(raised)
        .map(|series| {
            let mut event = cleared(name, options, series, time, End::Gone);
            if why != Removal::Forgotten {
                let lasted = duration(time - series.raised_since);
                event.message = shortened(
                    &format!("{name}: silent, {what}, after {lasted}"),
                    MESSAGE_MAX_BYTES,
                );
                if let Evidence::HypervisorAnomaly(anomaly) = &mut event.evidence {
                    anomaly.reason = Some(reason.to_owned());
                }
            }
            event
        })
        .collect();
    if let Some(since) = hypervisor.silent_since {
        let lasted = duration(time - since.min(time));
        let text = format!("{name}: silent for {lasted}, {what}");
        let evidence = SilenceEvidence {
            vms: None,
            reason: Some(reason.to_owned()),
        };
        events.push(silence(name, since, time, &text, evidence));
    }
    events
}

/// The events that clear what is open of a series that most VMs left for another interval.
pub(super) fn interval_changed(
    name: &str,
    options: &HadOptions,
    series: &Series,
    others: &Others<'_>,
    time: f64,
) -> Vec<Event> {
    let is_open = series.incidents.is_raised() && others.raised_since(series.metric).is_none();
    let event = is_open.then(|| cleared(name, options, series, time, End::Superseded));
    event.into_iter().collect()
}

/// The events that clear what is open of a series whose VMs are all forgotten, while others of the hypervisor remain.
pub(super) fn vms_removed(
    hypervisor: &Hypervisor,
    at: usize,
    options: &HadOptions,
    time: f64,
) -> Vec<Event> {
    let series = &hypervisor.series[at];
    let is_reported = hypervisor.others(at).raised_since(series.metric).is_some();
    let is_open = series.incidents.is_raised() && !is_reported;
    let event = is_open.then(|| cleared(&hypervisor.name, options, series, time, End::Gone));
    event.into_iter().collect()
}
