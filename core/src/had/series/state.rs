//! The state of a series: restoring it and measuring its memory.

use super::Series;
use super::members::name_bytes;
use super::misaligned::MisalignedRun;
use super::ticks::{Row, TICKS_MAX};
use crate::eviction::ESTABLISHED;
use crate::had::algorithm::AnyMethod;
use crate::had::options::HadOptions;
use crate::had::rank::{More as RankMore, Rank};
use crate::memory::{allocation, table, vec};
use crate::units::{Interval, Time};

impl Series {
    /// Completes a restored series; `false` if it is not valid. `more` is what `rank` saves separately.
    pub(crate) fn restore(&mut self, options: &HadOptions, more: Option<RankMore>) -> bool {
        let Some(metric) = options.metrics.get(self.metric as usize) else {
            return false;
        };
        let members = self.members.len();
        let counts = self.rows.iter().map(|row| row.reported);
        let counts = counts.chain([self.expected, self.reserved, self.ahead]);
        let valid = Interval::from_secs(self.interval).is_plausible()
            && self.time(self.next).abs() <= 2.0 * Time::MAX_SECS
            && self.next.abs() <= TICKS_MAX
            && [self.since, self.raised_since]
                .iter()
                .all(|x| x.is_finite())
            && members <= options.max_vms
            && counts.max() <= Some(u32::MAX / 2)
            && self.silent.max(self.excused) <= TICKS_MAX as u64;
        if !valid {
            return false;
        }
        for (slot, member) in self.members.iter().enumerate() {
            if let Some(name) = &member.name {
                self.slots.insert(name.clone(), slot as u32);
                self.name_bytes += name_bytes(name);
            }
        }
        self.rows.resize(options.reorder_sz + 1, Row::default());
        for row in &mut self.rows {
            row.values.resize(self.members.len(), f64::NAN);
        }
        let valid_method = match &mut self.method {
            AnyMethod::Rank(rank) => {
                rank.restore(
                    metric == "cpu",
                    self.interval,
                    options.false_alarms_per_month,
                    more,
                ) && rank.slots() == self.members.len()
            }
            AnyMethod::Zscore(zscore) => zscore.restore(options, self.members.len()),
            AnyMethod::Iad(iad) => iad.restore(options, self.members.len()),
        };
        if valid_method {
            for slot in 0..self.members.len() {
                // A VM with a level has had many samples.
                let is_known = self.method.get().baseline(slot).is_some();
                self.members[slot].ticks = if is_known { ESTABLISHED } else { 1 };
            }
        }
        valid_method
    }

    /// Memory outside of itself in bytes; it changes only with its VMs.
    pub(crate) fn bytes(&self) -> usize {
        let method = match &self.method {
            AnyMethod::Rank(_) => allocation(size_of::<Rank>()),
            AnyMethod::Zscore(_) | AnyMethod::Iad(_) => 0,
        };
        let slots = self.members.len();
        let rows = self.rows.iter().map(|row| vec(&row.values)).sum::<usize>();
        // At worst, all its VMs are misaligned and have changed.
        let rare =
            allocation(slots * size_of::<Option<MisalignedRun>>()) + self.incidents.bytes(slots);
        method
            + self.method.get().bytes()
            + vec(&self.members)
            + vec(&self.rows)
            + rows
            + self.name_bytes
            + table(self.slots.capacity(), size_of::<(Box<str>, u32)>())
            + rare
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::had::observation::{Outcome, Sample};

    fn at(time: f64) -> Sample<'static> {
        Sample {
            hypervisor: "host",
            vm: "a",
            time,
            interval: 0.001,
            value: 5.0,
        }
    }

    fn series(options: &HadOptions) -> Series {
        let mut series = Series::new(options, 0, &at(0.0), 0.001);
        let slot = series.slot_or_new("a");
        for tick in 0..100 {
            series.observe(slot, &at(f64::from(tick) * 0.001), |_, _| {});
        }
        series
    }

    /// Whether the series can be saved and restored.
    fn is_valid(series: &Series, options: &HadOptions) -> bool {
        let bytes = postcard::to_stdvec(series).unwrap();
        let mut restored: Series = postcard::from_bytes(&bytes).unwrap();
        restored.restore(options, None)
    }

    #[test]
    fn a_clock_that_jumps_back_and_forth_leaves_a_valid_series() {
        let options = HadOptions::default();
        let mut series = series(&options);
        for leap in 0..50 {
            let time = Time::MAX_SECS * f64::from(1 - 2 * (leap % 2));
            let mut taken = 0;
            for tick in 0..40 {
                let outcome = series.observe(0, &at(time + f64::from(tick)), |_, _| {});
                taken += usize::from(outcome == Outcome::Taken);
            }
            assert!(taken > 10, "{leap}: {taken}");
            assert!(series.next.abs() < TICKS_MAX / 2, "{leap}: {}", series.next);
            assert!(is_valid(&series, &options));
        }
    }

    #[test]
    fn an_impossible_series_is_refused() {
        let options = HadOptions::default();
        let valid = series(&options);
        assert!(is_valid(&valid, &options));
        let corruptions: [fn(&mut Series); 9] = [
            |series| series.interval = 1e-300,
            |series| series.interval = f64::NAN,
            |series| series.origin = 1e300,
            |series| series.since = f64::INFINITY,
            |series| series.next = i64::MAX / 8,
            |series| series.ahead = u32::MAX,
            |series| series.expected = u32::MAX,
            |series| series.rows[0].reported = u32::MAX,
            |series| series.silent = u64::MAX,
        ];
        for (at, corrupt) in corruptions.into_iter().enumerate() {
            let mut series = valid.clone();
            corrupt(&mut series);
            assert!(!is_valid(&series, &options), "{at}");
        }
    }
}
