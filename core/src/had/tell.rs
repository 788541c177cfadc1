//! What a tick, as the algorithm judged it, is told as.

use super::attribution::{NAMED_MAX, cause, deed, reason};
use super::incident::{Change, End};
use super::options::HadOptions;
use super::panel::{Judged, Panel};
use super::presence::{Presences, Silence};
use super::{Alarm, Hypervisor};
use crate::event::{
    Cause, Change as WorkloadKind, CommonChange, Event, Evidence, HypervisorAnomaly,
    MESSAGE_MAX_BYTES, Severity, Silence as SilenceEvidence, State, Subject, WorkloadChange,
};
use crate::text::{duration, shortened};
use crate::units::{Share, Time};

/// A VM whose shift is at least so many standard deviations has changed alone, where no others did.
const ALONE_MIN: f64 = 4.0;
/// A VM that changed alone has come to rest below this.
const ALONE_OVER: f64 = 1.0;
/// VMs change alone only while consensus is below this.
const ALONE_CONSENSUS: f64 = 0.5;
/// Longest list of names within a message, bytes.
const NAMES_MAX_BYTES: usize = 80;

/// The other panels of a hypervisor.
pub(super) struct Others<'a>(pub [&'a [Panel]; 2]);

impl Others<'_> {
    fn all(&self) -> impl Iterator<Item = &Panel> {
        self.0.iter().copied().flatten()
    }

    /// Those of the same metric, whose VMs have other intervals.
    fn of(&self, metric: u32) -> impl Iterator<Item = &Panel> {
        self.all().filter(move |panel| panel.metric == metric)
    }

    /// When the incident of the metric was raised that is open at another interval.
    fn raised_since(&self, metric: u32) -> Option<f64> {
        let raised = self.of(metric).filter(|panel| panel.incidents.is_raised());
        raised.map(|panel| panel.raised_since).reduce(f64::min)
    }
}

/// The events of one tick. An incident of a metric is told once, from when it is raised at one interval of the VMs to when it
/// is cleared at all of them. `silence` is since when the hypervisor is known to be silent, and its index among all that may be.
pub(super) fn tick(
    hypervisor: &str,
    options: &HadOptions,
    panel: &mut Panel,
    judged: &Judged,
    others: &Others<'_>,
    silence: (&mut Option<f64>, &mut Presences, usize),
) -> Vec<Event> {
    let mut events = Vec::new();
    events.extend(silence_told(
        hypervisor, options, panel, judged, others, silence,
    ));
    let changes = panel.follow_incident(&judged.verdict, options.overlap_window_sz as u64);
    for change in changes.into_iter().flatten() {
        if let Some(since) = others.raised_since(panel.metric) {
            if change == Change::Raised {
                panel.raised_since = since;
            }
            continue;
        }
        events.push(match change {
            Change::Raised => {
                panel.raised_since = judged.time;
                raised(hypervisor, options, panel, judged)
            }
            Change::Cleared(end) => cleared(hypervisor, options, panel, judged.time, end),
        });
    }
    if options.workload_changes {
        events.extend(workload_changes(hypervisor, options, panel, judged, others));
    }
    events
}

/// The VMs that changed the most, in their order, and how many there are.
fn most_changed(panel: &Panel, alarm: Option<&Alarm>) -> Vec<String> {
    let sign = match alarm.map(|a| a.direction) {
        Some(crate::event::Direction::Up) => 1.0,
        Some(crate::event::Direction::Down) => -1.0,
        _ => 0.0,
    };
    let method = panel.method.get();
    let mut changed: Vec<(f64, &str)> = panel
        .seats
        .iter()
        .enumerate()
        .filter_map(|(slot, seat)| Some((method.shift(slot), seat.name.as_deref()?)))
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

/// `names` for a message: as many as fit.
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

// Rare, and to stay out of the loop over the changes: there the compiler would round what an alarm says before it knows that
// there is one, at every tick and, as valgrind rightly says, of memory that nobody has written.
#[cold]
#[inline(never)]
fn raised(hypervisor: &str, options: &HadOptions, panel: &Panel, judged: &Judged) -> Event {
    let verdict = &judged.verdict;
    let alarm = verdict.alarm.expect("an incident is raised by an alarm");
    let metric = &options.metrics[panel.metric as usize];
    let known_for = judged.time - panel.since;
    let is_provisional = known_for < options.provisional_sec;
    let cause = cause(verdict, &alarm);
    let severity = if is_provisional || cause == Cause::Internal {
        Severity::Warning
    } else {
        Severity::Failure
    };
    let names = most_changed(panel, Some(&alarm));
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
        deed(alarm.direction),
        listed(&names)
    );
    let evidence = HypervisorAnomaly {
        metric: metric.clone(),
        vms: panel.vms() as u32,
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
        Time::from_secs(judged.time),
        &text,
        Evidence::HypervisorAnomaly(evidence),
    )
    .with_score(verdict.score)
}

fn cleared(hypervisor: &str, options: &HadOptions, panel: &Panel, time: f64, end: End) -> Event {
    let metric = &options.metrics[panel.metric as usize];
    let lasted = duration(time - panel.raised_since);
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
        vms: panel.vms() as u32,
        voters: panel.last.voters,
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
    .of_incident(Time::from_secs(panel.raised_since), 0)
    .with_score(panel.last.score)
}

/// A silence of all VMs of a hypervisor that began at `since`, seconds: raised with the number of its VMs, or cleared with the
/// reason.
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

/// All VMs fell silent, or speak again. A gap that all VMs share is no consensus: one stopped guest blocks the reading of all.
fn silence_told(
    hypervisor: &str,
    options: &HadOptions,
    panel: &Panel,
    judged: &Judged,
    others: &Others<'_>,
    (silent_since, presences, at): (&mut Option<f64>, &mut Presences, usize),
) -> Option<Event> {
    let limit = options.silence_sz as u64;
    if judged.has_sample {
        // What another panel judges late may be of before the silence.
        let shortest = others.all().map(|p| p.interval).reduce(f64::min);
        let shortest = shortest.map_or(0.0, |interval| interval.min(panel.interval));
        if (*silent_since)? + shortest >= judged.time && shortest > 0.0 {
            return None;
        }
        let since = silent_since.take()?;
        let text = format!(
            "{hypervisor}: its VMs speak again, after {}",
            duration(judged.time - since.min(judged.time))
        );
        let evidence = SilenceEvidence {
            vms: None,
            reason: Some("samples again".to_owned()),
        };
        return Some(silence(hypervisor, since, judged.time, &text, evidence));
    }
    // A gap that was passed over in one stride may have gone beyond the limit without ever standing on it.
    if limit == 0 || judged.silent < limit || silent_since.is_some() {
        return None;
    }
    let silent = all_silent(panel, judged, others, limit)?;
    let (now, vms) = (silent.now, silent.vms);
    // A gap that is partly excused has to be as long without that.
    let since = presences.own_since(at, silent.since);
    if ((now - since) / panel.interval + 1e-6).floor() < limit as f64 {
        return None;
    }
    match presences.whose(at, since, now, limit) {
        Silence::Own => {}
        Silence::Withheld => return None,
        Silence::Collector(event) => return Some(*event),
    }
    *silent_since = Some(since);
    let text = format!(
        "{hypervisor}: no sample from any of its {vms} VMs for {}; nothing is known of it now. One stopped guest can block the reading of all",
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
    /// How many they are.
    vms: usize,
}

/// Whether all VMs of a hypervisor are silent, where those of one of its panels are.
///
/// Most VMs must have been silent for `limit` ticks of their intervals; the others, which may have longer ones, must have given
/// no sample since.
fn all_silent(
    panel: &Panel,
    judged: &Judged,
    others: &Others<'_>,
    limit: u64,
) -> Option<AllSilent> {
    let own = panel.audible();
    let mut since = judged.time - judged.silent as f64 * panel.interval;
    let (mut silent, mut all, mut slowest) = (own, own, panel.interval);
    let mut now = judged.time;
    for other in others.all() {
        let audible = other.audible();
        all += audible;
        if audible > 0 && other.silent() >= limit {
            silent += audible;
            slowest = slowest.max(other.interval);
            let silent_for = other.silent() as f64 * other.interval;
            since = since.max(other.judged_time() - silent_for);
            now = now.max(other.judged_time());
        }
    }
    let speaks = |other: &Panel| {
        other.audible() > 0 && other.silent() < limit && other.heard() > since + slowest
    };
    if own == 0 || 2 * silent <= all || others.all().any(speaks) {
        return None;
    }
    let vms = others.of(panel.metric).map(Panel::audible).sum::<usize>();
    Some(AllSilent {
        since,
        now,
        vms: own + vms,
    })
}

/// VMs that changed alone, or came to rest again.
fn workload_changes(
    hypervisor: &str,
    options: &HadOptions,
    panel: &mut Panel,
    judged: &Judged,
    others: &Others<'_>,
) -> Vec<Event> {
    let metric = options.metrics[panel.metric as usize].clone();
    let alone_now = judged.verdict.consensus < ALONE_CONSENSUS && !panel.incidents.is_raised();
    let mut events = Vec::new();
    for slot in 0..panel.seats.len() {
        let shift = panel.method.get().shift(slot);
        let seat = &mut panel.seats[slot];
        let Some(vm) = seat.name.as_deref() else {
            continue;
        };
        let (state, severity, text) = if !seat.alone && alone_now && shift.abs() >= ALONE_MIN {
            let deed = if shift > 0.0 { "rose" } else { "fell" };
            (
                State::Raised,
                Severity::Warning,
                format!("{hypervisor}: {metric} of {vm} {deed} alone; a workload, not the host"),
            )
        } else if seat.alone && shift.abs() < ALONE_OVER {
            (
                State::Cleared,
                Severity::Okay,
                format!("{hypervisor}: {metric} of {vm} is steady again"),
            )
        } else {
            continue;
        };
        let since = match state {
            State::Raised => judged.time,
            State::Cleared => seat.alone_since,
        };
        let evidence = WorkloadChange {
            metric: metric.clone(),
            consensus: Share::rounded(judged.verdict.consensus),
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
            Time::from_secs(judged.time),
            &text,
            Evidence::WorkloadChange(evidence),
        )
        .of_incident(Time::from_secs(since), 0)
        .with_score(shift.abs() / (shift.abs() + ALONE_MIN));
        events.push(event);
        seat.alone_since = judged.time;
        seat.alone = state == State::Raised;
    }
    let follows = judged.verdict.follows_time_of_day && judged.verdict.alarm.is_none();
    let told = panel.follows_time_of_day
        || others
            .of(panel.metric)
            .any(|other| other.follows_time_of_day);
    if follows && !told {
        let text = format!(
            "{hypervisor}: {metric} of its VMs changes together, following the time of day; a workload, not the host"
        );
        let evidence = WorkloadChange {
            metric,
            consensus: Share::rounded(judged.verdict.consensus),
            change: WorkloadKind::TimeOfDay {
                voters: judged.verdict.voters,
            },
        };
        let event = Event::new(
            Subject::Hypervisor(hypervisor.to_owned()),
            State::Raised,
            Severity::Okay,
            Time::from_secs(judged.time),
            &text,
            Evidence::WorkloadChange(evidence),
        );
        events.push(event.with_score(judged.verdict.score));
    }
    panel.follows_time_of_day = follows;
    events
}

/// Why a hypervisor's state is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// It has been silent for the option `forget_sec`.
    Forgotten,
    /// It made room for another one, because of the option `max_hypervisors`.
    Evicted,
    /// It made room for others, because of the option `max_memory_mib`.
    OutOfMemory,
}

/// A hypervisor that is being forgotten ends what is still open of it.
pub(super) fn gone(
    name: &str,
    options: &HadOptions,
    hypervisor: &Hypervisor,
    time: f64,
    why: Gone,
) -> Vec<Event> {
    let (what, reason) = match why {
        Gone::Forgotten => ("forgotten", "forgotten"),
        Gone::Evicted => (
            "evicted because max_hypervisors is reached",
            "evicted: max_hypervisors is reached",
        ),
        Gone::OutOfMemory => (
            "evicted because max_memory_mib is reached",
            "evicted: max_memory_mib is reached",
        ),
    };
    let raised = |metric| {
        let mut panels = hypervisor.of(metric).map(|(_, panel)| panel);
        panels.find(|panel| panel.incidents.is_raised())
    };
    let mut events: Vec<Event> = hypervisor
        .metrics()
        .filter_map(raised)
        .map(|panel| {
            let mut event = cleared(name, options, panel, time, End::Gone);
            if why != Gone::Forgotten {
                let lasted = duration(time - panel.raised_since);
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

/// A panel that most VMs left for another interval ends what is still open of it.
pub(super) fn interval_changed(
    name: &str,
    options: &HadOptions,
    panel: &Panel,
    others: &Others<'_>,
    time: f64,
) -> Vec<Event> {
    let is_open = panel.incidents.is_raised() && others.raised_since(panel.metric).is_none();
    let event = is_open.then(|| cleared(name, options, panel, time, End::Superseded));
    event.into_iter().collect()
}

/// A panel whose VMs are all forgotten while others of the hypervisor are left ends what is still open of it.
pub(super) fn vms_gone(
    hypervisor: &Hypervisor,
    at: usize,
    options: &HadOptions,
    time: f64,
) -> Vec<Event> {
    let panel = &hypervisor.panels[at];
    let is_told = hypervisor.others(at).raised_since(panel.metric).is_some();
    let is_open = panel.incidents.is_raised() && !is_told;
    let event = is_open.then(|| cleared(&hypervisor.name, options, panel, time, End::Gone));
    event.into_iter().collect()
}
