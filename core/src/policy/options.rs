//! The options of the policy.

use super::calendar::{QuietHours, UtcOffset};
use super::terms::{Mode, TargetRule};
use crate::inference::Family;
use crate::options::{Kind, OptionError, nearest, options};

/// Conditions that the option `freeze_on` takes.
pub(super) const FREEZES: [&str; 2] = ["fleet_change", "collector_silence"];
/// The statement that hosts share nothing.
pub(super) const NO_GROUPS: &str = "none";

options! {
    /// The options of a [`Policy`](super::Policy).
    pub struct PolicyOptions {
        mode: Mode = "suggest", Kind::Choice(Mode::WORDS), "",
            "Who starts an evacuation: `suggest` nobody, `confirm` a person who approves, `auto` the policy itself. `auto` needs `max_hosts` or `max_share`, `group_labels` and `targets`.";
        window_sec: f64 = "900", Kind::Number { min: 10.0, max: 86_400.0 }, "seconds",
            "Two kinds of evidence whose last reports are within this time suffice for an evacuation.";
        log_families: String = "hardware", Kind::Text { max: 256 }, "",
            "Families of log failures, separated by commas, that suffice alone; empty for none.";
        hold_down_sec: f64 = "30", Kind::Number { min: 0.0, max: 3600.0 }, "seconds",
            "Evidence must suffice for this time before an evacuation starts; time for other hosts to show that they have the same.";
        cooldown_sec: f64 = "3600", Kind::Number { min: 0.0, max: 31_536_000.0 }, "seconds",
            "After an evacuation or a dismissal of a host, suggest nothing about it for this time.";
        max_hosts: usize = "0", Kind::Integer { min: 0, max: 100_000 }, "",
            "Maximum number of hosts to evacuate within `limit_window_sec`; 0 sets no limit.";
        max_share: f64 = "0", Kind::Number { min: 0.0, max: 1.0 }, "",
            "Maximum share of the cluster's hosts to evacuate within `limit_window_sec`, at least one host; 0 sets no limit.";
        max_per_group: usize = "0", Kind::Integer { min: 0, max: 100_000 }, "",
            "Maximum number of hosts with the same value of a label in `group_labels` to evacuate within `limit_window_sec`; 0 sets no limit.";
        limit_window_sec: f64 = "3600", Kind::Number { min: 60.0, max: 604_800.0 }, "seconds",
            "The time within which `max_hosts`, `max_share` and `max_per_group` count.";
        quiet_hours: String = "", Kind::Text { max: 256 }, "",
            "Times of day without automatic evacuations, such as `22:00-06:00,12:00-13:00`; approved ones start nevertheless. Empty for none.";
        utc_offset: String = "+00:00", Kind::Text { max: 6 }, "",
            "Offset of the local time of `quiet_hours` from UTC, such as `+02:00`.";
        freeze_on: String = "fleet_change,collector_silence", Kind::Text { max: 64 }, "",
            "Conditions of the whole fleet during which nothing is evacuated: `fleet_change`, `collector_silence`, or both separated by a comma; empty for none.";
        group_labels: String = "", Kind::Text { max: 1024 }, "",
            "Labels whose values hosts share and that can fail them together, such as `rack,switch,storage`; `none` states that there are none.";
        group_window_sec: f64 = "600", Kind::Number { min: 10.0, max: 86_400.0 }, "seconds",
            "Hosts of a group that turn yellow or red within this time turn together.";
        group_min_hosts: usize = "3", Kind::Integer { min: 2, max: 10_000 }, "",
            "Least number of hosts of a group that must turn together for a `group_anomaly`.";
        group_min_share: f64 = "0.1", Kind::Number { min: 0.0, max: 1.0 }, "",
            "Least share of the hosts of a group that must turn together for a `group_anomaly`.";
        targets: TargetRule = "unset", Kind::Choice(TargetRule::WORDS), "",
            "Where guests may go: `green` to hosts without evidence outside of anomalous groups, `platform` where the platform decides.";
        target_same: String = "", Kind::Text { max: 1024 }, "",
            "Labels whose values a target must share with the evacuated host, such as `pool`; separated by commas.";
        target_other: String = "", Kind::Text { max: 1024 }, "",
            "Labels whose values a target must not share with the evacuated host, such as `rack`; separated by commas.";
        trip_hosts: usize = "5", Kind::Integer { min: 2, max: 100_000 }, "",
            "The brake trips when this many hosts turn red within `window_sec`.";
        trip_share: f64 = "0.2", Kind::Number { min: 0.001, max: 1.0 }, "",
            "The brake trips when this share of the cluster's hosts, but at least three, turn red within `window_sec`.";
        trip_failures: usize = "2", Kind::Integer { min: 1, max: 100 }, "",
            "The brake trips after this many consecutive evacuations that failed.";
        suggestion_sec: f64 = "86400", Kind::Number { min: 60.0, max: 2_592_000.0 }, "seconds",
            "Withdraw a suggestion that has waited for this time.";
        evacuation_sec: f64 = "7200", Kind::Number { min: 60.0, max: 604_800.0 }, "seconds",
            "An evacuation that has not reported its end within this time counts as failed.";
        evidence_sec: f64 = "86400", Kind::Number { min: 60.0, max: 2_592_000.0 }, "seconds",
            "Forget evidence whose end was not reported this time after its last report.";
        forget_sec: f64 = "604800", Kind::Number { min: 3600.0, max: 31_536_000.0 }, "seconds",
            "Forget a host that is not in the topology after this time without evidence.";
        clock_skew_sec: f64 = "300", Kind::Number { min: 1.0, max: 86_400.0 }, "seconds",
            "Refuse reports that are farther than this ahead of the clock.";
        max_hypervisors: usize = "200000", Kind::Integer { min: 1, max: 1_000_000 }, "",
            "Maximum number of hosts to track; evidence about further ones is refused and counted.";
    }
}

/// The words of a list that is separated by commas.
pub(super) fn words(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|word| !word.is_empty())
}

fn conflict(name: &'static str, message: String) -> OptionError {
    OptionError::Conflict { name, message }
}

/// The error for a word that is none of `known`.
fn unknown(name: &'static str, word: &str, known: &[&'static str]) -> OptionError {
    let near = nearest(word, known.iter().copied());
    let near = near.map_or(String::new(), |near| format!(" (did you mean \"{near}\"?)"));
    let message = format!("\"{word}\" is unknown{near}; it takes {}", known.join(", "));
    conflict(name, message)
}

impl PolicyOptions {
    /// Checks what no option can check alone.
    ///
    /// # Errors
    /// A list or a time that cannot be read, options that contradict each other, or `mode = auto` without what it needs.
    pub fn validate(&self) -> Result<(), OptionError> {
        self.families()?;
        self.quiet()?;
        for word in words(&self.freeze_on) {
            if !FREEZES.contains(&word) {
                return Err(unknown("freeze_on", word, &FREEZES));
            }
        }
        let labels: Vec<_> = words(&self.group_labels).collect();
        if labels.len() > 1 && labels.contains(&NO_GROUPS) {
            let message =
                format!("\"{NO_GROUPS}\" states that there are no labels; remove it or the others");
            return Err(conflict("group_labels", message));
        }
        let mut both = words(&self.target_same);
        if let Some(label) = both.find(|label| words(&self.target_other).any(|l| l == *label)) {
            let message = format!(
                "\"{label}\" is in \"target_same\" too, so that no host could be a target; remove one"
            );
            return Err(conflict("target_other", message));
        }
        self.allows_its_mode()
    }

    fn allows_its_mode(&self) -> Result<(), OptionError> {
        let mut missing = Vec::new();
        if self.max_hosts == 0 && self.max_share == 0.0 {
            missing.push("a limit (\"max_hosts\" or \"max_share\")");
        }
        if words(&self.group_labels).next().is_none() {
            missing.push("the labels of what hosts share (\"group_labels\", or \"none\" if they share nothing)");
        }
        if self.targets == TargetRule::Unset {
            missing.push("a target rule (\"targets\")");
        }
        if self.mode != Mode::Auto || missing.is_empty() {
            return Ok(());
        }
        let message = format!("\"auto\" needs {}", missing.join(", and "));
        Err(conflict("mode", message))
    }

    /// The families that suffice alone.
    pub(super) fn families(&self) -> Result<Vec<Family>, OptionError> {
        let known = Family::ALL.map(Family::as_str);
        let family =
            |word| Family::from_name(word).ok_or_else(|| unknown("log_families", word, &known));
        words(&self.log_families).map(family).collect()
    }

    /// The quiet hours.
    pub(super) fn quiet(&self) -> Result<QuietHours, OptionError> {
        let offset = UtcOffset::parse(&self.utc_offset);
        let offset = offset.map_err(|message| conflict("utc_offset", message))?;
        QuietHours::parse(&self.quiet_hours, offset)
            .map_err(|message| conflict("quiet_hours", message))
    }

    /// The labels whose groups are watched; empty if there are none.
    pub(super) fn watched(&self) -> impl Iterator<Item = &str> {
        words(&self.group_labels).filter(|label| *label != NO_GROUPS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(set: &[(&str, &str)]) -> PolicyOptions {
        let mut options = PolicyOptions::default();
        for (name, value) in set {
            options.set(name, value).unwrap();
        }
        options
    }

    #[test]
    fn every_default_is_what_the_table_says_and_no_two_contradict() {
        let options = PolicyOptions::default();
        options.validate().unwrap();
        for spec in PolicyOptions::SPECS {
            let shown = options.get(spec.name);
            assert_eq!(shown.as_deref(), Some(spec.default), "{}", spec.name);
        }
    }

    #[test]
    fn auto_is_refused_without_a_limit_a_statement_about_groups_and_a_target_rule() {
        let all = [
            ("mode", "auto"),
            ("max_hosts", "2"),
            ("group_labels", "none"),
            ("targets", "green"),
        ];
        options(&all).validate().unwrap();
        options(&[
            ("mode", "auto"),
            ("max_share", "0.1"),
            ("group_labels", "rack"),
            ("targets", "platform"),
        ])
        .validate()
        .unwrap();
        for (left_out, named) in [(1, "max_hosts"), (2, "group_labels"), (3, "targets")] {
            let mut some = all.to_vec();
            some.remove(left_out);
            let error = options(&some).validate().unwrap_err();
            assert_eq!(error.option(), "mode");
            let error = error.to_string();
            assert!(error.contains(named), "{error}");
            // The other modes move nothing by themselves.
            some[0].1 = "confirm";
            options(&some).validate().unwrap();
        }
    }

    #[test]
    fn a_list_with_an_unknown_word_is_refused_with_the_nearest_known_one() {
        for (name, value, near) in [
            (
                "log_families",
                "hardware,storge",
                "did you mean \"storage\"?",
            ),
            ("freeze_on", "fleetchange", "did you mean \"fleet_change\"?"),
            ("group_labels", "rack,none", "remove it"),
            ("quiet_hours", "22-06", "22:00-06:00"),
            ("utc_offset", "CEST", "+02:00"),
        ] {
            let error = options(&[(name, value)]).validate().unwrap_err();
            assert_eq!(error.option(), name);
            assert!(error.to_string().contains(near), "{error}");
        }
    }

    #[test]
    fn a_label_that_a_target_must_share_and_must_not_share_is_refused() {
        let options = options(&[("target_same", "pool,rack"), ("target_other", "rack")]);
        let error = options.validate().unwrap_err().to_string();
        assert!(
            error.contains("rack") && error.contains("target_same"),
            "{error}"
        );
    }
}
