//! The lifecycle of an incident: when a run of alarms is raised, and when it is cleared.

use serde::{Deserialize, Serialize};

use crate::memory::allocation;

use super::method::Alarm;

/// An alarm of a slow channel within this many samples of another alarm is its echo.
const ECHO_SAMPLES: u64 = 360;
/// Time constant of a level's moving mean, in samples.
const LEVEL_SAMPLES: f64 = 8.0;
/// Number of consecutive samples that the VMs must be back for an incident to end, or away again for it to be raised again.
const STEADY_SAMPLES: u32 = 8;
/// The largest [`Terms::stride`] of a plausible state.
const STRIDE_MAX: u32 = 10_000_000;
/// Share of the changed VMs that must be back, or away again.
const QUORUM: f64 = 0.7;

/// Why an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The VMs are back at their former levels.
    Recovered,
    /// The change has lasted so long that it is the new normal.
    Accustomed,
    /// Another change followed.
    Superseded,
    /// The VMs that changed are gone.
    Gone,
    /// Maintenance of the hypervisor began.
    Maintenance,
}

/// A transition of an incident at one tick.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Change {
    /// It began.
    Raised,
    /// It ended.
    Cleared(End),
}

/// A VM that changed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Changed {
    slot: u32,
    /// Its level before, in the metric's unit.
    before: f64,
    /// Its level now: a moving mean.
    now: f64,
    /// The value of `now` farthest from `before` within the first samples after the alarm.
    farthest: f64,
    /// The last sample; NaN before the first.
    #[serde(skip, default = "unknown")]
    last: f64,
}

fn unknown() -> f64 {
    f64::NAN
}

impl Changed {
    /// Whether the level `now` is closer to its former one than to the one during the incident. It may lie beyond the former one,
    /// as after a slow change whose beginning that already had seen, by less than the change.
    fn is_back(&self, now: f64) -> bool {
        let change = self.farthest - self.before;
        let left = (now - self.before) * change.signum();
        -change.abs() < left && left < 0.5 * change.abs()
    }
}

/// An incident that is open, or cleared recently.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Open {
    /// Whether it is raised. Alarms that the recovery itself causes still belong to a cleared one.
    raised: bool,
    /// Samples since it was raised.
    age: u64,
    changed: Vec<Changed>,
    /// Consecutive samples that indicate the opposite of `raised`.
    steady: u32,
    /// Samples since it was cleared. Saved separately.
    #[serde(skip)]
    ended: u64,
    /// [`Terms::stride`] of the alarm that raised it; `None` if unknown. Saved separately.
    #[serde(skip)]
    stride: Option<u32>,
}

/// What is saved separately of an incident.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct More {
    ended: u64,
    stride: Option<u32>,
}

impl Open {
    /// Whether an alarm is the cure: most of the VMs that changed are at their former levels again. `level` is that of a slot now.
    fn is_cure(&self, level: &impl Fn(usize) -> f64) -> bool {
        let (mut known, mut back) = (0, 0);
        for vm in &self.changed {
            let now = level(vm.slot as usize);
            if !now.is_nan() {
                known += 1;
                back += u32::from(vm.is_back(now));
            }
        }
        known > 0 && f64::from(back) >= QUORUM * f64::from(known)
    }
}

/// The durations that govern an incident.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Terms {
    /// After this many samples without an alarm, a run of alarms ends.
    pub(super) quiet: u64,
    /// After this many samples, a lasting change is the new normal.
    pub(super) memory: u64,
    /// Samples per judgment: an echo comes this much later.
    pub(super) pace: u64,
    /// Samples that count as one where the levels of an incident are followed that this tick's alarm raises.
    pub(super) stride: u32,
}

/// The incidents of one metric of one hypervisor.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Incidents {
    /// A run of alarms is raised only once; otherwise a fault that recovers and returns within a run is raised again.
    once_a_run: bool,
    /// Samples since the last alarm that counted; `None` before the first.
    since_alarm: Option<u64>,
    open: Option<Open>,
}

impl Incidents {
    /// Maximum memory outside of itself with this many slots, in bytes.
    pub(super) fn bytes(&self, slots: usize) -> usize {
        allocation(slots * size_of::<Changed>())
    }

    /// Incidents whose runs of alarms are raised only once, as in the published algorithms.
    pub(super) fn once_a_run() -> Self {
        Self {
            once_a_run: true,
            ..Self::default()
        }
    }

    /// What is saved separately.
    pub(super) fn more(&self) -> Option<More> {
        let open = self.open.as_ref()?;
        let Open { ended, stride, .. } = *open;
        Some(More { ended, stride })
    }

    /// Completes a restored state; `false` if it is not valid.
    pub(super) fn restore(&mut self, more: Option<More>) -> bool {
        let Some(more) = more else {
            return true;
        };
        let Some(open) = &mut self.open else {
            return false;
        };
        (open.ended, open.stride) = (more.ended, more.stride);
        more.ended < u64::MAX / 2
            && more
                .stride
                .is_none_or(|stride| (1..=STRIDE_MAX).contains(&stride))
    }

    /// Whether an incident is raised.
    pub(super) fn is_raised(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.raised)
    }

    /// Whether an alarm would begin a new run: the last one was more than `quiet` samples ago.
    pub(super) fn is_quiet(&self, quiet: u64) -> bool {
        self.since_alarm.is_none_or(|since| since + 1 > quiet)
    }

    /// Whether the VMs of an open incident are returning to their former levels, or have done so within `quiet` samples.
    pub(super) fn is_recovering(&self, quiet: u64) -> bool {
        let Some(open) = &self.open else {
            return false;
        };
        let back = open.changed.iter().filter(|vm| vm.is_back(vm.last));
        match open.raised {
            true => {
                !open.changed.is_empty()
                    && back.count() as f64 >= QUORUM * open.changed.len() as f64
            }
            false => open.ended <= quiet,
        }
    }

    /// Ends tracking and forgets the last alarm.
    pub(super) fn end(&mut self) {
        (self.since_alarm, self.open) = (None, None);
    }

    /// Takes one tick. `level` is the sample of a slot, NaN for none; `changed` returns the VMs that changed, with their former
    /// levels.
    pub(super) fn tick(
        &mut self,
        alarm: Option<&Alarm>,
        terms: Terms,
        level: impl Fn(usize) -> f64,
        changed: impl FnOnce() -> Vec<(usize, f64)>,
    ) -> [Option<Change>; 2] {
        let quiet = terms.quiet;
        let since = self.since_alarm.map(|s| s + 1);
        let is_over = |limit: u64| since.is_none_or(|s| s > limit);
        let (begins, counts) = match alarm {
            None => (false, false),
            Some(alarm) if alarm.slow => {
                let begins = is_over(quiet.max(ECHO_SAMPLES * terms.pace));
                (begins, begins || !is_over(quiet))
            }
            Some(_) => (is_over(quiet), true),
        };
        let is_cure = begins
            && !self.once_a_run
            && self.open.as_ref().is_some_and(|open| open.is_cure(&level));
        if is_cure {
            self.since_alarm = since;
            return [self.follow(terms, &level), None];
        }
        self.since_alarm = if counts { Some(0) } else { since };

        if begins {
            let superseded = self.is_raised().then_some(Change::Cleared(End::Superseded));
            let changed = changed()
                .into_iter()
                .map(|(slot, before)| Changed {
                    slot: slot as u32,
                    before,
                    now: f64::NAN,
                    farthest: before,
                    last: f64::NAN,
                })
                .collect();
            self.open = Some(Open {
                raised: true,
                age: 0,
                changed,
                steady: 0,
                ended: 0,
                stride: Some(terms.stride),
            });
            self.follow(terms, &level);
            return [superseded, Some(Change::Raised)];
        }
        [self.follow(terms, &level), None]
    }

    /// Tracks the levels of the VMs that changed.
    fn follow(&mut self, terms: Terms, level: &impl Fn(usize) -> f64) -> Option<Change> {
        let Terms { quiet, memory, .. } = terms;
        let open = self.open.as_mut()?;
        let stride = open.stride.unwrap_or(terms.stride);
        let (samples, steady) = (LEVEL_SAMPLES * f64::from(stride), STEADY_SAMPLES * stride);
        open.age += 1;
        open.ended += u64::from(!open.raised);
        let mut reported = 0u32;
        for vm in &mut open.changed {
            let value = level(vm.slot as usize);
            if value.is_nan() {
                continue;
            }
            reported += 1;
            vm.last = value;
            vm.now = if vm.now.is_nan() {
                value
            } else {
                vm.now + (value - vm.now) / samples
            };
            if open.age <= 2 * samples as u64
                && (vm.now - vm.before).abs() > (vm.farthest - vm.before).abs()
            {
                vm.farthest = vm.now;
            }
        }
        if reported > 0 {
            let back = open.changed.iter().filter(|vm| vm.is_back(vm.now)).count() as f64;
            let share = back / open.changed.len() as f64;
            let opposite = if open.raised {
                share >= QUORUM
            } else {
                share <= 1.0 - QUORUM
            };
            open.steady = if opposite { open.steady + 1 } else { 0 };
        }
        let is_fresh = self.since_alarm.is_some_and(|s| s <= quiet);
        if open.raised && open.steady >= steady {
            (open.raised, open.steady, open.ended) = (false, 0, 0);
            return Some(Change::Cleared(End::Recovered));
        }
        if !open.raised
            && !self.once_a_run
            && is_fresh
            && open.steady >= steady
            && self.since_alarm == Some(0)
        {
            open.raised = true;
            open.steady = 0;
            open.age = 0;
            return Some(Change::Raised);
        }
        if open.raised && !is_fresh && (open.changed.is_empty() || open.age > memory) {
            let end = if open.changed.is_empty() {
                End::Gone
            } else {
                End::Accustomed
            };
            match end {
                // Its return to what was normal before is no failure.
                End::Accustomed if !self.once_a_run => (open.raised, open.ended) = (false, 0),
                _ => self.open = None,
            }
            return Some(Change::Cleared(end));
        }
        if !open.raised && !is_fresh && (self.once_a_run || open.ended > memory) {
            self.open = None;
        }
        None
    }

    /// Forgets a VM, whose slot may be reused.
    pub(super) fn forget(&mut self, slot: usize) {
        if let Some(open) = &mut self.open {
            open.changed.retain(|vm| vm.slot as usize != slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Direction;

    const MEMORY: u64 = 416;
    const TERMS: Terms = Terms {
        quiet: 51,
        memory: MEMORY,
        pace: 1,
        stride: 1,
    };

    fn alarm(slow: bool) -> Alarm {
        Alarm {
            channel: "test",
            slow,
            direction: Direction::Up,
            distinctiveness: 1.0,
            consistency: 0.0,
        }
    }

    /// Plays `ticks` of (alarm, level of both VMs) and returns the transitions with their ticks.
    fn play(ticks: impl IntoIterator<Item = (Option<Alarm>, f64)>) -> Vec<(usize, Change)> {
        play_with(Incidents::default(), ticks)
    }

    fn play_with(
        mut incidents: Incidents,
        ticks: impl IntoIterator<Item = (Option<Alarm>, f64)>,
    ) -> Vec<(usize, Change)> {
        let mut all = Vec::new();
        for (t, (alarm, level)) in ticks.into_iter().enumerate() {
            let changes = incidents.tick(
                alarm.as_ref(),
                TERMS,
                |_| level,
                || vec![(0, 10.0), (1, 10.0)],
            );
            all.extend(changes.into_iter().flatten().map(|change| (t, change)));
        }
        all
    }

    #[test]
    fn a_run_of_alarms_is_one_incident_that_ends_when_the_vms_are_back() {
        let ticks = (0..200).map(|t| {
            (
                ((20..70).contains(&t)).then(|| alarm(false)),
                if (20..60).contains(&t) { 20.0 } else { 10.0 },
            )
        });
        let changes = play(ticks);
        assert_eq!(changes[0], (20, Change::Raised));
        assert!(
            matches!(changes[1], (t, Change::Cleared(End::Recovered)) if (66..80).contains(&t)),
            "{changes:?}"
        );
        assert_eq!(changes.len(), 2);
    }

    #[test]
    fn a_lasting_change_becomes_normal() {
        let changes = play((0..600).map(|t| {
            (
                (t == 20).then(|| alarm(false)),
                if t >= 20 { 20.0 } else { 10.0 },
            )
        }));
        assert_eq!(changes.len(), 2);
        assert!(
            matches!(changes[1], (t, Change::Cleared(End::Accustomed)) if t > 20 + MEMORY as usize - 2),
            "{changes:?}"
        );
    }

    #[test]
    fn the_cure_of_a_long_incident_is_no_new_one() {
        let changes = play((0..900).map(|t| {
            let is_alarm = t == 20 || (301..340).contains(&t);
            let away = (20..300).contains(&t);
            (
                is_alarm.then(|| alarm(false)),
                if away { 20.0 } else { 10.0 },
            )
        }));
        let kinds: Vec<_> = changes.iter().map(|(_, c)| *c).collect();
        let cleared = Change::Cleared(End::Recovered);
        assert_eq!(kinds, [Change::Raised, cleared], "{changes:?}");
    }

    #[test]
    fn the_return_to_what_was_normal_before_a_lasting_change_is_no_incident() {
        let changes = play((0..900).map(|t| {
            let is_alarm = t == 20 || (601..640).contains(&t);
            let away = (20..600).contains(&t);
            (
                is_alarm.then(|| alarm(false)),
                if away { 20.0 } else { 10.0 },
            )
        }));
        let kinds: Vec<_> = changes.iter().map(|(_, c)| *c).collect();
        let cleared = Change::Cleared(End::Accustomed);
        assert_eq!(kinds, [Change::Raised, cleared], "{changes:?}");
    }

    #[test]
    fn a_new_alarm_after_the_quiet_time_supersedes_an_incident_that_lasts() {
        let changes = play((0..200).map(|t| {
            (
                (t == 20 || t == 120).then(|| alarm(false)),
                if t >= 20 { 20.0 } else { 10.0 },
            )
        }));
        assert_eq!(
            changes,
            [
                (20, Change::Raised),
                (120, Change::Cleared(End::Superseded)),
                (120, Change::Raised)
            ]
        );
    }

    #[test]
    fn a_slow_alarm_soon_after_another_is_its_echo() {
        let at = |times: &'static [usize]| {
            play((0..800).map(move |t| {
                let level = if t >= 20 { 20.0 } else { 10.0 };
                (times.contains(&t).then(|| alarm(t > 20)), level)
            }))
            .into_iter()
            .filter(|(_, c)| *c == Change::Raised)
            .map(|(t, _)| t)
            .collect::<Vec<_>>()
        };
        assert_eq!(at(&[20, 200, 379]), [20]);
        assert_eq!(at(&[20, 200, 500]), [20, 500]);
    }

    #[test]
    fn a_fault_that_returns_before_the_quiet_time_is_over_is_raised_again() {
        let away = |t: usize| (20..50).contains(&t) || (80..120).contains(&t);
        let changes = play((0..300).map(|t| {
            (
                ((20..120).contains(&t)).then(|| alarm(false)),
                if away(t) { 20.0 } else { 10.0 },
            )
        }));
        let kinds: Vec<_> = changes.iter().map(|(_, c)| *c).collect();
        let cleared = Change::Cleared(End::Recovered);
        assert_eq!(
            kinds,
            [Change::Raised, cleared, Change::Raised, cleared],
            "{changes:?}"
        );

        let published = play_with(
            Incidents::once_a_run(),
            (0..300).map(|t| {
                (
                    ((20..120).contains(&t)).then(|| alarm(false)),
                    if away(t) { 20.0 } else { 10.0 },
                )
            }),
        );
        let kinds: Vec<_> = published.iter().map(|(_, c)| *c).collect();
        assert_eq!(kinds, [Change::Raised, cleared], "{published:?}");
    }

    #[test]
    fn an_incident_whose_vms_are_all_gone_ends() {
        let mut incidents = Incidents::default();
        let first = incidents.tick(Some(&alarm(false)), TERMS, |_| 1.0, || vec![(0, 5.0)]);
        assert_eq!(first[1], Some(Change::Raised));
        incidents.forget(0);
        let end = (0..100).find_map(|_| incidents.tick(None, TERMS, |_| f64::NAN, Vec::new)[0]);
        assert_eq!(end, Some(Change::Cleared(End::Gone)));
    }
}
