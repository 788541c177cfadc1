//! The learned state of the detector, saved and restored.
//!
//! Version 1: options that shape the state, hypervisors, counters, `swept`, pending events as JSON; then, which may be missing,
//! further counters by name and since when the collector is silent. Version 2: the same, and since when VMs have changed alone.
//! Version 3: the same, more of the algorithm `rank` and of incidents by hypervisor and series, the reported incidents by
//! hypervisor, the fleet, and the maintenance windows. Version 4: the same, and the habits of VMs by hypervisor and series.

use std::io::{self, Write};

use rustc_hash::FxHashMap;

use super::budget::fleet_limit;
use super::detector::{Detector, INTERVALS_MAX};
use super::fleet::{Fleet, SavedFleet};
use super::hypervisor::Hypervisor;
use super::incident::More as IncidentMore;
use super::joint::Reported;
use super::masks::Masks;
use super::notice::Notices;
use super::observation::{Counters, LaterCounters};
use super::options::Algorithm;
use super::presence::{Presence, Presences};
use super::rank::{Habits, More as RankMore};
use super::series::{Member, Series};
use crate::event::{Event, Queue};
use crate::eviction::{ESTABLISHED, Eviction};
use crate::snapshot::{self, LazySeq, Reader, Saved, Shape, Tag, Unusable, write_value};

/// The option with the metrics.
const METRICS: &str = "metrics";

/// A VM that has changed alone: the indices of hypervisor, series and slot, and since when, in seconds.
type Alone = (u32, u32, u32, f64);

/// What is saved separately of a series: of its algorithm, and of its incident.
type MoreOfSeries<T> = (Option<T>, Option<IncidentMore>);

impl Detector {
    /// The options that shape the state.
    fn shape(&self) -> Shape {
        let mut names = vec!["algorithm", METRICS];
        match self.options.algorithm {
            Algorithm::Rank => {}
            Algorithm::Zscore => names.extend([
                "zscore_window_long_sz",
                "zscore_window_short_sz",
                "overlap_window_sz",
            ]),
            Algorithm::Iad => names.push("iad_window_sz"),
        }
        snapshot::shape(&self.options, &names)
    }

    /// The VMs that have changed alone.
    fn alone(&self) -> Vec<Alone> {
        let mut alone = Vec::new();
        for (at, hypervisor) in (0..).zip(&self.hypervisors) {
            for (i, series) in (0..).zip(&hypervisor.series) {
                let members = (0..)
                    .zip(&series.members)
                    .filter(|(_, member)| member.alone);
                alone.extend(members.map(|(slot, member)| (at, i, slot, member.alone_since)));
            }
        }
        alone
    }
}

/// The member at the indices of a VM that has changed alone.
fn member_alone(hypervisors: &mut [Hypervisor], (at, i, slot, _): Alone) -> Option<&mut Member> {
    let series = hypervisors
        .get_mut(at as usize)?
        .series
        .get_mut(i as usize)?;
    let member = series.members.get_mut(slot as usize)?;
    member.alone.then_some(member)
}

/// The metrics of a state, and where they are now, by their former index; `None` is no longer watched.
fn metrics_of(shape: &Shape, now: &[String]) -> Vec<Option<u32>> {
    let then = shape.iter().find(|(name, _)| name == METRICS);
    let then = then.map_or("", |(_, metrics)| metrics.as_str());
    let place = |metric| now.iter().position(|now| now == metric);
    then.split(',')
        .map(|metric| place(metric).map(|at| at as u32))
        .collect()
}

/// Numbers the metrics of a restored hypervisor as now, and drops those that are no longer watched; `more` is saved separately, by
/// series. `false` if a number is impossible.
fn renumber(
    hypervisor: &mut Hypervisor,
    more: &mut Vec<MoreOfSeries<RankMore>>,
    metrics: &[Option<u32>],
) -> bool {
    more.resize_with(hypervisor.series.len(), || (None, None));
    let series = hypervisor.series.iter().map(|series| series.metric);
    let reported = hypervisor.reported.iter().map(|one| one.metric);
    let mut all = series.chain(reported);
    if !all.all(|metric| (metric as usize) < metrics.len()) {
        return false;
    }
    let place = |metric: &mut u32| match metrics[*metric as usize] {
        Some(now) => {
            *metric = now;
            true
        }
        None => false,
    };
    let series = std::mem::take(&mut hypervisor.series);
    let (series, kept) = series
        .into_iter()
        .zip(std::mem::take(more))
        .filter_map(|(mut series, more)| place(&mut series.metric).then_some((series, more)))
        .unzip();
    (hypervisor.series, *more) = (series, kept);
    hypervisor.reported.retain_mut(|one| place(&mut one.metric));
    true
}

/// The incidents that a state of version 2 or before reported.
fn reported_before(hypervisor: &Hypervisor) -> Vec<Reported> {
    let mut all: Vec<Reported> = Vec::new();
    let raised = hypervisor.series.iter();
    for series in raised.filter(|series| series.incidents.is_raised()) {
        match all.iter_mut().find(|one| one.metric == series.metric) {
            Some(one) => one.since = one.since.min(series.raised_since),
            None => all.push(Reported {
                metric: series.metric,
                since: series.raised_since,
                alarmed: series.raised_since,
            }),
        }
    }
    all
}

/// What is saved separately of each series.
fn more_of(hypervisor: &Hypervisor) -> Vec<MoreOfSeries<&RankMore>> {
    let series = hypervisor.series.iter();
    series
        .map(|series| (series.method.more(), series.incidents.more()))
        .collect()
}

/// The habits of the VMs of each series, saved separately.
fn habits_of(hypervisor: &Hypervisor) -> Vec<Option<&Habits>> {
    let series = hypervisor.series.iter();
    series
        .map(|series| series.method.more().map(RankMore::habits))
        .collect()
}

/// Adds the habits to what else is saved of the series; `false` if there are habits of series that there are not.
fn add_habits(more: &mut [Vec<MoreOfSeries<RankMore>>], habits: Vec<Vec<Option<Habits>>>) -> bool {
    let is_valid =
        habits.len() == more.len() && habits.iter().zip(&*more).all(|(a, b)| a.len() == b.len());
    let all = more.iter_mut().flatten();
    for ((rank, _), habits) in all.zip(habits.into_iter().flatten()) {
        *rank = match (rank.take(), habits) {
            (Some(rank), Some(habits)) => Some(rank.with_habits(habits)),
            (rank, _) => rank,
        };
    }
    is_valid
}

impl Saved for Detector {
    const TAG: Tag = *b"had ";
    const VERSION: u32 = 4;
    const OLDEST: u32 = 1;

    fn write_state(&self, out: &mut dyn Write) -> io::Result<()> {
        write_value(out, &self.shape())?;
        write_value(out, &self.hypervisors)?;
        let counters = Counters {
            events_lost: self.pending.lost(),
            ..self.counters
        };
        write_value(out, &counters)?;
        write_value(out, &self.swept)?;
        write_value(out, &LazySeq(|| self.pending.iter().map(Event::to_json)))?;
        write_value(out, &self.counters.later())?;
        write_value(out, &self.presences.collector_since)?;
        write_value(out, &self.alone())?;
        let more = || self.hypervisors.iter().map(more_of);
        write_value(out, &LazySeq(more))?;
        let habits = || self.hypervisors.iter().map(habits_of);
        write_value(out, &LazySeq(habits))?;
        let reported = || {
            self.hypervisors
                .iter()
                .map(|hypervisor| &hypervisor.reported)
        };
        write_value(out, &LazySeq(reported))?;
        write_value(out, &self.fleet.saved())?;
        write_value(out, self.masks.windows())
    }

    fn read_state(&self, version: u32, mut input: Reader<'_>) -> Result<Self, Unusable> {
        let then: Shape = input.next("the options")?;
        let metrics = metrics_of(&then, &self.options.metrics);
        // A metric that is new has no state yet; the state of one that is no longer watched is dropped.
        let mut now = self.shape();
        now.iter_mut()
            .zip(&then)
            .filter(|((name, _), _)| name == METRICS)
            .for_each(|((_, now), (_, then))| now.clone_from(then));
        snapshot::same_shape(&now, &then)?;
        let mut hypervisors: Vec<Hypervisor> = input.next("the hypervisors")?;
        let counters: Counters = input.next("the counters")?;
        let swept = input.next("the time")?;
        let events: Vec<String> = input.next("the events")?;
        // Version 1 did not always have the rest.
        let has_rest = version > 1 || !input.is_at_end();
        let (later, collector_since): (LaterCounters, Option<f64>) = match has_rest {
            true => (input.next("further counters")?, input.next("the silence")?),
            false => Default::default(),
        };
        let alone: Vec<Alone> = match version {
            1 => Vec::new(),
            _ => input.next("the VMs that changed alone")?,
        };
        for alone in alone {
            let member = member_alone(&mut hypervisors, alone);
            let member = member.filter(|_| alone.3.is_finite()).ok_or_else(|| {
                Unusable::Impossible("it has the change of a VM that did not change".into())
            })?;
            member.alone_since = alone.3;
        }
        let mut more: Vec<Vec<MoreOfSeries<RankMore>>> = match version {
            1 | 2 => Vec::new(),
            _ => input.next("more of the series")?,
        };
        let mut is_valid = match version {
            1..=3 => true,
            _ => add_habits(&mut more, input.next("the habits")?),
        };
        let reported: Vec<Vec<Reported>> = match version {
            1 | 2 => hypervisors.iter().map(reported_before).collect(),
            _ => input.next("the reported incidents")?,
        };
        more.resize_with(hypervisors.len(), Vec::new);
        is_valid &= reported.len() == hypervisors.len();
        for ((hypervisor, more), reported) in hypervisors.iter_mut().zip(&mut more).zip(reported) {
            is_valid &= reported
                .iter()
                .all(|one| one.since.is_finite() && one.alarmed.is_finite())
                && reported.len() <= metrics.len();
            hypervisor.reported = reported;
            is_valid &= renumber(hypervisor, more, &metrics);
        }
        let restored = hypervisors.into_iter().zip(more);
        let restored = restored.filter(|(hypervisor, _)| !hypervisor.series.is_empty());
        let (hypervisors, more): (Vec<_>, Vec<_>) = restored.unzip();
        let fleet: SavedFleet = match input.is_at_end() {
            true => Default::default(),
            false => input.next("the fleet")?,
        };
        let windows = match version {
            1 | 2 => Vec::new(),
            _ => input.next("the maintenance windows")?,
        };
        let masks = Masks::restored(windows).ok_or_else(|| {
            Unusable::Impossible("it has maintenance windows that cannot be".into())
        })?;
        let mut detector = Self {
            options: self.options.clone(),
            hypervisors,
            index: FxHashMap::default(),
            guess: 0,
            pending: Queue::new(self.pending.limit(), counters.events_lost),
            counters: counters.with_later(later),
            notices: Notices::default(),
            masks,
            swept,
            swept_elapsed: 0.0,
            presences: Presences::default(),
            eviction: Eviction::default(),
            fleet: Fleet::default(),
            memory_checked_elapsed: 0.0,
            hypervisor_bytes: 0,
            new_hypervisor_bytes: self.new_hypervisor_bytes,
        };
        for json in &events {
            detector.pending.push([snapshot::event_from_json(json)?]);
        }
        let options = &self.options;
        let fits = detector.hypervisors.len() <= options.max_hypervisors
            && detector
                .hypervisors
                .iter()
                .flat_map(|h| &h.series)
                .all(|series| series.members.len() <= options.max_vms);
        if !fits {
            return Err(Unusable::OverLimit("max_hypervisors and max_vms"));
        }
        is_valid &= detector
            .hypervisors
            .iter()
            .all(|h| h.metrics().all(|m| h.of(m).count() <= INTERVALS_MAX))
            && detector
                .hypervisors
                .iter_mut()
                .zip(more)
                .all(|(hypervisor, more)| {
                    let mut all = hypervisor.series.iter_mut().zip(more);
                    all.all(|(series, (more, incident))| {
                        series.restore(options, more) && series.incidents.restore(incident)
                    })
                });
        if !is_valid {
            return Err(Unusable::Impossible(
                "a hypervisor in it has values that no hypervisor can have".into(),
            ));
        }
        let presences = detector.hypervisors.iter().map(|hypervisor| {
            let series = hypervisor.series.first();
            let established = hypervisor.series.iter().any(Series::is_established);
            Presence::restored(
                series.map_or(f64::NEG_INFINITY, Series::last_sample_time),
                series.map_or(options.interval, |series| series.interval),
                if established { ESTABLISHED } else { 1 },
                hypervisor.silent_since.is_some(),
            )
        });
        detector.presences.all = presences.collect();
        let since = collector_since.filter(|since| since.is_finite());
        detector.presences.restore_collector(since);
        detector.reindex();
        let is_tracked = |event: &Event| {
            let metric = event.metric();
            let is_watched = options.metrics.iter().any(|m| Some(m.as_str()) == metric);
            is_watched && detector.index.contains_key(event.hypervisor())
        };
        let times = detector.hypervisors.iter().map(|hypervisor| {
            let series = hypervisor.series.first();
            series.map_or(f64::NAN, Series::last_tick_time)
        });
        let limit = fleet_limit(options);
        let (fleet, left) =
            Fleet::restored(options, limit, fleet, times, is_tracked).ok_or_else(|| {
                Unusable::Impossible("its fleet has values that no fleet can have".into())
            })?;
        detector.fleet = fleet;
        detector.pending.push(left);
        detector.apply_masks();
        detector.measure_all();
        if detector.state_bytes() > detector.state_limit() {
            return Err(Unusable::OverLimit("max_memory_mib"));
        }
        Ok(detector)
    }
}
