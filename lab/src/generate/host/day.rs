//! One host over a day and the time before it.

use anyhow::{Context as _, Result};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::disturbance::{self, Disturbance};
use super::failure::{Failure, LEAD_MAX};
use super::resources::{self, Row};
use super::setting::Setting;
use super::vms;
use crate::generate::logs::host::Host;
use crate::generate::logs::script::Script;
use crate::generate::logs::timeline::{Mark, Timeline, derived};
use crate::generate::metrics::values::Values;

/// A host over a day, healthy or until a guest dies. It depends on the setting and its name alone.
#[derive(Debug)]
pub struct HostDay<'a> {
    /// Its name.
    pub name: String,
    /// What it has in common with others.
    pub setting: &'a Setting,
    /// How it fails, if it does.
    pub failure: Option<Failure>,
    /// What happens on it that harms no guest.
    pub disturbances: Vec<Disturbance>,
    seed: u64,
}

impl<'a> HostDay<'a> {
    /// The host-day with this name, on which a guest dies or none.
    ///
    /// # Errors
    /// A mistake in the scripts.
    pub fn new(setting: &'a Setting, name: &str, is_failing: bool) -> Result<Self> {
        let mut rng = derived(setting.seed, name);
        let seed = rng.u64(..);
        let (span, counted) = (setting.span(), setting.counted());
        let disturbances = disturbance::draw(&mut rng, span.start, span.end)?;
        let failure = is_failing
            .then(|| Failure::draw(&mut rng, setting.leads, counted.start..counted.end))
            .transpose()?;
        let mut day = Self {
            name: name.to_owned(),
            setting,
            failure,
            disturbances,
            seed,
        };
        if let Some(death) = day.logged_death() {
            let failure = day.failure.as_mut().context("a guest dies of a failure")?;
            failure.death = death;
        }
        Ok(day)
    }

    /// The least length of a host-day, in microseconds: a failure fits into it.
    pub const LENGTH_MIN: i64 = 2 * LEAD_MAX;

    /// When the log says that the guest dies.
    fn logged_death(&self) -> Option<i64> {
        let script = self.failure.as_ref()?.script.as_ref();
        let fault = script.map(|(script, when)| (script, *when))?;
        // Each family of lines has chance of its own, so that it is the same without the normal life.
        let nothing = Script::default();
        let lines = Timeline::new(
            self.host(),
            self.setting.span(),
            &nothing,
            Some(fault),
            self.seed,
        );
        let mut deaths = lines.filter(|entry| entry.mark == Mark::Death);
        deaths.next().map(|entry| entry.time)
    }

    fn host(&self) -> Host {
        let rng = derived(self.seed, "the host");
        Host::new(&self.name, self.setting.start, rng)
    }

    /// When it ends: with the death of the guest, or with the day.
    pub fn end(&self) -> i64 {
        let death = self.failure.as_ref().map(|failure| failure.death);
        death.unwrap_or(self.setting.span().end)
    }

    /// Its log, up to the end of the day.
    ///
    /// # Errors
    /// A mistake in the scripts.
    pub fn log(&self) -> Result<Timeline<'_>> {
        let fault = self.failure.as_ref().and_then(|failure| {
            let (script, when) = failure.script.as_ref()?;
            Some((script, *when))
        });
        let setting = self.setting;
        let mut log = Timeline::new(
            self.host(),
            setting.span(),
            &setting.normal,
            fault,
            self.seed,
        );
        for (number, disturbance) in self.disturbances.iter().enumerate() {
            if let Some((script, when)) = disturbance.script()? {
                let seed = derived(self.seed, &format!("disturbance {number}")).u64(..);
                log = log.with_harmless(script, when, seed);
            }
        }
        Ok(log)
    }

    /// The names of its guests, as the log has them.
    pub fn guests(&self) -> Vec<String> {
        let guests = self.host().guests.into_iter();
        guests.map(|guest| guest.text).collect()
    }

    /// The CPU percentages of its guests, a value per row of the setting.
    pub fn vms(&self) -> Values {
        let changes = self.disturbances.iter().filter_map(|d| d.change);
        let of_failure = self.failure.as_ref().and_then(|failure| failure.change);
        let changes: Vec<_> = changes.chain(of_failure).collect();
        vms::values(
            &mut self.rng("vms"),
            self.setting,
            self.guests().len(),
            &changes,
        )
    }

    /// Its own resources, a row per row of the setting. `vms` are the CPU percentages of its guests.
    pub fn resources(&self, vms: &Values) -> Vec<Row> {
        let strains = self.disturbances.iter().flat_map(|d| &d.strains);
        let of_failure = self.failure.iter().flat_map(|failure| &failure.strains);
        let strains: Vec<_> = strains.chain(of_failure).copied().collect();
        resources::rows(&mut self.rng("resources"), self.setting, vms, &strains)
    }

    fn rng(&self, what: &str) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(derived(self.seed, what).u64(..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_day_depends_on_its_seed_and_name_alone() {
        let setting = Setting::short();
        let texts = |name: &str| {
            let day = HostDay::new(&setting, name, true).unwrap();
            let log: Vec<_> = day.log().unwrap().map(|entry| entry.text).collect();
            let vms = day.vms();
            let resources: Vec<u64> = day
                .resources(&vms)
                .iter()
                .flatten()
                .map(|v| v.to_bits())
                .collect();
            (log, resources, day.end())
        };
        assert_eq!(texts("hv1"), texts("hv1"));
        assert_ne!(texts("hv1").0, texts("hv2").0);
    }

    #[test]
    fn a_guest_dies_within_the_day_when_the_log_says_it_and_every_part_fails_at_one_time() {
        let setting = Setting::short();
        for number in 0..12 {
            let day = HostDay::new(&setting, &format!("hv{number}"), true).unwrap();
            let failure = day.failure.as_ref().unwrap();
            let counted = setting.counted();
            assert!(counted.contains(&failure.begin) && failure.death <= counted.end);
            let log: Vec<_> = day.log().unwrap().collect();
            let death = log.iter().find(|entry| entry.mark == Mark::Death);
            assert_eq!(death.is_some(), failure.shows.in_log);
            if let Some(death) = death {
                assert_eq!(death.time, failure.death);
            }
            let of_fault = log.iter().filter(|entry| entry.mark != Mark::Normal);
            assert!(of_fault.clone().all(|entry| entry.time >= failure.begin));
            for strain in &failure.strains {
                assert!(strain.from >= failure.begin && strain.to <= failure.begin + LEAD_MAX);
            }
            let begins = failure.change.map(|change| change.from);
            let of_fault = failure.begin..failure.death;
            assert!(begins.is_none_or(|from| of_fault.contains(&from)));
        }
    }

    #[test]
    fn the_guests_of_the_log_are_those_of_the_metrics() {
        let setting = Setting::short();
        let day = HostDay::new(&setting, "hv1", false).unwrap();
        let guests = day.guests();
        assert_eq!(day.vms().len(), guests.len());
        let lines: Vec<_> = day.log().unwrap().map(|entry| entry.text).collect();
        let named = |guest: &String| lines.iter().any(|line| line.ends_with(guest.as_str()));
        assert!(guests.iter().all(named), "{guests:?}");
        assert_eq!(day.end(), setting.span().end);
        assert_eq!(day.vms()[0].len(), setting.rows().len());
    }
}
