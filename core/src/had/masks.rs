//! Maintenance of hypervisors: nothing is learned about their VMs, and nothing is reported, within windows of time.
//!
//! A window is by the times of the samples. Its samples are as good as missing, so that the past before it still counts after it;
//! what is open when it begins is cleared. Restarted guests need a moment: a window ends some minutes later than it says.

use super::detector::Detector;
use super::spans::{Spans, settle};
use crate::maintenance::{WINDOWS_MAX, Window, WindowError, matches};
use crate::memory::{allocation, vec};
use crate::units::Time;

/// The maintenance windows of all hypervisors.
#[derive(Debug, Default)]
pub(super) struct Masks {
    /// By name and start; those of one name do not overlap.
    windows: Vec<Window>,
}

impl Masks {
    /// The windows of a snapshot; `None` if they are not possible.
    pub(super) fn restored(windows: Vec<Window>) -> Option<Self> {
        let is_valid = windows.len() <= WINDOWS_MAX
            && windows.iter().all(|window| window.validate().is_ok())
            && windows.is_sorted_by(|a, b| {
                a.hypervisor < b.hypervisor || (a.hypervisor == b.hypervisor && a.until < b.from)
            });
        is_valid.then_some(Self { windows })
    }

    pub(super) fn windows(&self) -> &Vec<Window> {
        &self.windows
    }

    /// The place of the windows of a name.
    fn place(&self, hypervisor: &str) -> std::ops::Range<usize> {
        let begin = self
            .windows
            .partition_point(|window| *window.hypervisor < *hypervisor);
        let own = self.windows[begin..].partition_point(|window| window.hypervisor == hypervisor);
        begin..begin + own
    }

    /// Adds a window. If there are too many, one that was over by `now` gives way.
    fn add(&mut self, window: &Window, now: Option<f64>) -> Result<(), WindowError> {
        window.validate()?;
        let own = self.place(&window.hypervisor);
        let (mut from, mut until) = (window.from, window.until);
        let mut kept = Vec::with_capacity(own.len() + 1);
        for old in &self.windows[own.clone()] {
            if old.until < from || until < old.from {
                kept.push(old.clone());
            } else {
                from = if old.from < from { old.from } else { from };
                until = if old.until > until { old.until } else { until };
            }
        }
        let at = kept.partition_point(|old| old.from < from);
        kept.insert(
            at,
            Window {
                hypervisor: window.hypervisor.clone(),
                from,
                until,
            },
        );
        let mut own = own;
        if self.windows.len() - own.len() + kept.len() > WINDOWS_MAX {
            let over = |old: &Window| now.is_some_and(|now| old.until.secs() + settle(0.0) < now);
            let end = |at: &usize| self.windows[*at].until.secs();
            let first = (0..self.windows.len())
                .filter(|at| !own.contains(at) && over(&self.windows[*at]))
                .min_by(|a, b| end(a).total_cmp(&end(b)))
                .ok_or(WindowError::Full)?;
            self.windows.remove(first);
            let moved = usize::from(first < own.start);
            own = own.start - moved..own.end - moved;
        }
        self.windows.splice(own, kept);
        Ok(())
    }

    /// When the hypervisor `name` is in maintenance.
    pub(super) fn of(&self, name: &str) -> Spans {
        let own = self
            .windows
            .iter()
            .filter(|window| matches(&window.hypervisor, name));
        own.map(|window| (window.from.secs(), window.until.secs()))
            .collect()
    }

    /// Memory outside of itself in bytes.
    pub(super) fn bytes(&self) -> usize {
        let names = self
            .windows
            .iter()
            .map(|w| allocation(w.hypervisor.capacity()));
        vec(&self.windows) + names.sum::<usize>()
    }
}

impl Detector {
    /// Masks the hypervisor `hypervisor`, or all whose names match it as a [pattern](matches()), from `from` on and before `until`,
    /// by the times of the samples: nothing is learned about its VMs, and nothing is raised. What is open when the window begins is
    /// cleared for the reason "maintenance". After it, and some minutes in which guests may start and settle, the detector
    /// continues from its learned state.
    ///
    /// The hypervisor need not be known yet. Windows of the same name that overlap or touch are merged. Windows are saved with the
    /// state.
    ///
    /// # Errors
    /// A window that has no name or no duration, or is one too many: at the limit, one that is over gives way.
    pub fn mask_hypervisor(
        &mut self,
        hypervisor: &str,
        from: Time,
        until: Time,
    ) -> Result<(), WindowError> {
        let window = Window {
            hypervisor: hypervisor.to_owned(),
            from,
            until,
        };
        let now = self
            .presences
            .elapsed()
            .map(|_| self.presences.time_or(0.0));
        self.masks.add(&window, now)?;
        self.mask_matching(hypervisor);
        Ok(())
    }

    /// Removes all windows of exactly this name or pattern; returns how many there were. Samples that were masked stay so.
    pub fn unmask_hypervisor(&mut self, hypervisor: &str) -> usize {
        let own = self.masks.place(hypervisor);
        let removed = own.len();
        self.masks.windows.drain(own);
        if removed > 0 {
            self.mask_matching(hypervisor);
        }
        removed
    }

    /// The maintenance windows, by name and start.
    pub fn masks(&self) -> &[Window] {
        &self.masks.windows
    }

    /// Applies the windows to the hypervisors that match `pattern`.
    fn mask_matching(&mut self, pattern: &str) {
        if !pattern.contains('*') {
            if let Some(at) = self.index.get(pattern) {
                self.apply_masks_at(*at as usize);
            }
            return;
        }
        for at in 0..self.hypervisors.len() {
            if matches(pattern, &self.hypervisors[at].name) {
                self.apply_masks_at(at);
            }
        }
    }

    /// Applies the windows to all hypervisors.
    pub(super) fn apply_masks(&mut self) {
        (0..self.hypervisors.len()).for_each(|at| self.apply_masks_at(at));
    }

    fn apply_masks_at(&mut self, at: usize) {
        let hypervisor = &mut self.hypervisors[at];
        hypervisor.maintenance = self.masks.of(&hypervisor.name);
        for series in &mut hypervisor.series {
            series.maintenance = hypervisor.maintenance.clone();
        }
        self.measure(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(hypervisor: &str, from: f64, until: f64) -> Window {
        Window {
            hypervisor: hypervisor.to_owned(),
            from: Time::from_secs(from),
            until: Time::from_secs(until),
        }
    }

    fn masks(windows: &[(&str, f64, f64)]) -> Masks {
        let mut masks = Masks::default();
        for (name, from, until) in windows {
            masks.add(&window(name, *from, *until), None).unwrap();
        }
        masks
    }

    #[test]
    fn windows_of_one_name_that_overlap_or_touch_are_one() {
        let merged = masks(&[
            ("b", 50.0, 60.0),
            ("a", 10.0, 20.0),
            ("a", 40.0, 50.0),
            ("a", 30.0, 35.0),
            ("a", 20.0, 32.0),
        ]);
        let expected = [
            window("a", 10.0, 35.0),
            window("a", 40.0, 50.0),
            window("b", 50.0, 60.0),
        ];
        assert_eq!(*merged.windows(), expected);
        let all = masks(&[("a", 10.0, 20.0), ("a", 30.0, 40.0), ("a", 0.0, 100.0)]);
        assert_eq!(*all.windows(), [window("a", 0.0, 100.0)]);
        assert!(Masks::restored(merged.windows.clone()).is_some());
    }

    #[test]
    fn windows_that_no_detector_has_are_not_restored() {
        for windows in [
            vec![window("a", 20.0, 10.0)],
            vec![window("", 10.0, 20.0)],
            vec![window("a", f64::NAN, 20.0)],
            vec![window("a", 10.0, 20.0), window("a", 15.0, 30.0)],
            vec![window("b", 10.0, 20.0), window("a", 10.0, 20.0)],
            vec![window("a", 10.0, 20.0); WINDOWS_MAX + 1],
        ] {
            assert!(Masks::restored(windows).is_none());
        }
    }

    #[test]
    fn a_hypervisor_has_the_windows_of_all_patterns_that_its_name_matches() {
        let masks = masks(&[
            ("hv1", 10.0, 20.0),
            ("hv*", 15.0, 30.0),
            ("*", 1000.0, 1010.0),
            ("hv10", 0.0, 5000.0),
        ]);
        let spans = masks.of("hv1");
        assert!(masks.of("other").at(12.0, 10.0).is_none());
        let settled = 30.0 + settle(10.0);
        for (time, start, change) in [
            (9.0, None, Some(10.0)),
            (10.0, Some(10.0), Some(settled)),
            (25.0, Some(10.0), Some(settled)),
            (settled - 1.0, Some(10.0), Some(settled)),
            (settled, None, Some(1000.0)),
            (1000.0, Some(1000.0), Some(1010.0 + settle(10.0))),
            (1010.0 + settle(10.0), None, None),
        ] {
            assert_eq!(spans.at(time, 10.0), start, "{time}");
            assert_eq!(spans.next_change(time, 10.0), change, "{time}");
        }
        // Samples of five minutes need longer.
        assert!(spans.at(settled + 299.0, 300.0).is_some());
    }

    #[test]
    fn at_the_limit_the_window_that_was_over_first_gives_way_and_else_a_new_one_is_refused() {
        let mut full = Masks::default();
        for i in 0..WINDOWS_MAX {
            let name = format!("hv{i:04}");
            full.add(&window(&name, 100.0, 1000.0 + (i % 7) as f64), None)
                .unwrap();
        }
        for name in ["a", "hv1000x", "z"] {
            assert_eq!(
                full.add(&window(name, 1.0, 2.0), None),
                Err(WindowError::Full)
            );
            assert_eq!(
                full.add(&window(name, 1.0, 2.0), Some(1200.0)),
                Err(WindowError::Full)
            );
            full.add(&window(name, 1e6, 2e6), Some(1500.0)).unwrap();
            assert_eq!(full.windows.len(), WINDOWS_MAX);
            assert!(!full.place(name).is_empty());
            assert!(Masks::restored(full.windows.clone()).is_some());
        }
        // Of the first to end, three are gone.
        let left = full.windows.iter().filter(|w| w.until.secs() == 1000.0);
        assert_eq!(left.count(), WINDOWS_MAX.div_ceil(7) - 3);
        full.add(&window("hv0003", 500.0, 5000.0), None).unwrap();
        assert_eq!(full.windows.len(), WINDOWS_MAX);
    }
}
