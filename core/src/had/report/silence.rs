//! Silence of all VMs of a hypervisor.

use crate::event::{Event, Evidence, Severity, Silence as SilenceEvidence, State, Subject};
use crate::had::hypervisor::Others;
use crate::had::options::HadOptions;
use crate::had::presence::{Presences, Silence};
use crate::had::series::{Series, Tick};
use crate::text::duration;
use crate::units::Time;

/// The event for a silence of all VMs of a hypervisor that began at `since`, seconds: raised with the number of its VMs, or
/// cleared with the reason.
pub(super) fn silence(
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
pub(super) fn silence_event(
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
